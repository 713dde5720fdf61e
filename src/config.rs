//! What a client is told: every setting, its range and its default.

use std::fs::{self, File};
use std::io::Read;
use std::net::Ipv6Addr;
use std::sync::Arc;
use std::time::Duration;

use ureq::Proxy;
use ureq::ProxyProtocol;
use ureq::http::Uri;
use ureq::tls::{Certificate, PemItem, parse_pem};

use crate::error::Error;
use crate::http::{Http, is_loopback};
use crate::keeper::event::{LogLevel, Observer, TokenState};

/// Which of api.video's two environments a key belongs to.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Environment {
    /// `https://ws.api.video`.
    Production = 0,
    /// `https://sandbox.api.video`.
    Sandbox = 1,
}

impl Environment {
    /// The environment with this number, if there is one.
    pub fn from_number(number: i32) -> Option<Environment> {
        [Environment::Production, Environment::Sandbox]
            .into_iter()
            .find(|environment| *environment as i32 == number)
    }

    fn base_url(self) -> &'static str {
        match self {
            Environment::Production => "https://ws.api.video",
            Environment::Sandbox => "https://sandbox.api.video",
        }
    }
}

const CONNECT_TIMEOUT_MS: u32 = 3_000;
const ATTEMPT_TIMEOUT_MS: u32 = 10_000;
const WAIT_TIMEOUT_MS: u32 = 30_000;
const LONGEST_CONNECT_TIMEOUT_MS: u32 = 60_000;
const LONGEST_ATTEMPT_TIMEOUT_MS: u32 = 300_000;
const LONGEST_WAIT_TIMEOUT_MS: u32 = 3_600_000;
const LONGEST_URL: usize = 2_048;
const LONGEST_KEY: usize = 4_096;
const LARGEST_CA_FILE: u64 = 4 * 1024 * 1024;

type LogFn = Arc<dyn Fn(LogLevel, &str) + Send + Sync>;
type StateFn = Arc<dyn Fn(TokenState) + Send + Sync>;

/// Settings for a client. A setter checks its value; its error names the setting that is out of
/// range, and leaves it as it was.
#[derive(Clone)]
pub struct Config {
    base_url: String,
    app: Option<String>,
    sdk: Option<String>,
    connect_timeout_ms: u32,
    attempt_timeout_ms: u32,
    wait_timeout_ms: u32,
    wait_for_recovery: bool,
    keep_fresh: bool,
    proxy: ProxyChoice,
    extra_roots: Vec<Certificate<'static>>,
    log: Option<(LogLevel, LogFn)>,
    on_state: Option<StateFn>,
}

#[derive(Clone)]
enum ProxyChoice {
    Environment,
    Direct,
    Through(Proxy),
}

impl Default for Config {
    fn default() -> Config {
        Config {
            base_url: Environment::Production.base_url().to_owned(),
            app: None,
            sdk: None,
            connect_timeout_ms: CONNECT_TIMEOUT_MS,
            attempt_timeout_ms: ATTEMPT_TIMEOUT_MS,
            wait_timeout_ms: WAIT_TIMEOUT_MS,
            wait_for_recovery: false,
            keep_fresh: false,
            proxy: ProxyChoice::Environment,
            extra_roots: Vec::new(),
            log: None,
            on_state: None,
        }
    }
}

impl Config {
    /// Sets the environment that the key belongs to. Default: production. This replaces an earlier
    /// [`Config::set_base_url`], and the other way round.
    pub fn set_environment(&mut self, environment: Environment) {
        self.base_url = environment.base_url().to_owned();
    }

    /// Sets another server: `https://host[:port][/path]`, or `http://…` on the machine's own
    /// loopback addresses only.
    pub fn set_base_url(&mut self, url: &str) -> Result<(), Error> {
        self.base_url = checked_base_url(url)?;
        Ok(())
    }

    /// Sets the application's name and version, which are sent as `AV-Origin-App`. Default: none.
    pub fn set_app(&mut self, name: &str, version: &str) -> Result<(), Error> {
        self.app = Some(origin("app", name, version)?);
        Ok(())
    }

    /// Sets the name and version of an SDK that is built on this library, which are sent as
    /// `AV-Origin-Sdk`. Default: none.
    pub fn set_sdk(&mut self, name: &str, version: &str) -> Result<(), Error> {
        self.sdk = Some(origin("sdk", name, version)?);
        Ok(())
    }

    /// Sets the time limit for resolving the server's name, and the same again for connecting and
    /// the TLS handshake: 1 to 60,000 ms. Default: 3,000.
    pub fn set_connect_timeout_ms(&mut self, ms: u32) -> Result<(), Error> {
        let range = 1..=LONGEST_CONNECT_TIMEOUT_MS;
        self.connect_timeout_ms = in_range("connect_timeout_ms", ms, range)?;
        Ok(())
    }

    /// Sets the time limit for one HTTP exchange as a whole: 1 to 300,000 ms. Default: 10,000.
    pub fn set_attempt_timeout_ms(&mut self, ms: u32) -> Result<(), Error> {
        let range = 1..=LONGEST_ATTEMPT_TIMEOUT_MS;
        self.attempt_timeout_ms = in_range("attempt_timeout_ms", ms, range)?;
        Ok(())
    }

    /// Sets how long a call waits for its answer: 0 to 3,600,000 ms. Default: 30,000. With 0 a call
    /// never waits: it returns a token that is there, or else starts the exchange and fails.
    pub fn set_wait_timeout_ms(&mut self, ms: u32) -> Result<(), Error> {
        let range = 0..=LONGEST_WAIT_TIMEOUT_MS;
        self.wait_timeout_ms = in_range("wait_timeout_ms", ms, range)?;
        Ok(())
    }

    /// Sets what a call does while no valid token can be obtained. With `false`, the default, it
    /// returns the last exchange's error at once. With `true` it waits for the next tries, up to
    /// the wait timeout.
    pub fn set_wait_for_recovery(&mut self, wait: bool) {
        self.wait_for_recovery = wait;
    }

    /// Sets whether the token is renewed even while nobody reads it. Default: no.
    pub fn set_keep_fresh(&mut self, keep_fresh: bool) {
        self.keep_fresh = keep_fresh;
    }

    /// Sets the proxy: `http://[user:password@]host[:port]`, user and password percent-encoded, or
    /// an empty text for no proxy. Default: `HTTPS_PROXY` and `NO_PROXY` of the environment, as
    /// they are when the client is made. Loopback addresses never go through a proxy.
    pub fn set_proxy(&mut self, url: &str) -> Result<(), Error> {
        self.proxy = match url {
            "" => ProxyChoice::Direct,
            url => ProxyChoice::Through(checked_proxy(url, "`proxy`")?),
        };
        Ok(())
    }

    /// Sets a file of CA certificates in PEM that are trusted in addition to the system's. The file
    /// is read now. Default: none.
    pub fn set_ca_file(&mut self, path: &str) -> Result<(), Error> {
        self.extra_roots = certificates(path)?;
        Ok(())
    }

    /// Calls `log` with each line up to `level`. The calls come on any thread, and while no lock is
    /// held.
    pub fn set_log(
        &mut self,
        level: LogLevel,
        log: impl Fn(LogLevel, &str) + Send + Sync + 'static,
    ) {
        self.log = Some((level, Arc::new(log)));
    }

    /// Turns the log off, which is the default.
    pub fn clear_log(&mut self) {
        self.log = None;
    }

    /// Calls `on_state` whenever the token's state has changed. The calls come on any thread, and
    /// while no lock is held.
    pub fn set_on_state(&mut self, on_state: impl Fn(TokenState) + Send + Sync + 'static) {
        self.on_state = Some(Arc::new(on_state));
    }

    /// Removes the state callback. By default there is none.
    pub fn clear_on_state(&mut self) {
        self.on_state = None;
    }

    pub(crate) fn wait_timeout_ms(&self) -> u32 {
        self.wait_timeout_ms
    }

    pub(crate) fn waits_for_recovery(&self) -> bool {
        self.wait_for_recovery
    }

    pub(crate) fn keeps_fresh(&self) -> bool {
        self.keep_fresh
    }

    pub(crate) fn observer(&self) -> Box<dyn Observer> {
        Box::new(Callbacks {
            log: self.log.clone(),
            on_state: self.on_state.clone(),
        })
    }

    /// What HTTP needs; reads the environment's proxy settings.
    pub(crate) fn http(&self) -> Result<Http, Error> {
        let client = concat!("libapivideo:", env!("CARGO_PKG_VERSION")).to_owned();
        let origins = [
            ("AV-Origin-Client", Some(client)),
            ("AV-Origin-App", self.app.clone()),
            ("AV-Origin-Sdk", self.sdk.clone()),
        ];
        Ok(Http {
            base_url: self.base_url.clone(),
            connect_timeout: Duration::from_millis(self.connect_timeout_ms.into()),
            attempt_timeout: Duration::from_millis(self.attempt_timeout_ms.into()),
            proxy: self.proxy_in_use()?,
            extra_roots: self.extra_roots.clone(),
            headers: origins
                .into_iter()
                .filter_map(|(name, value)| Some((name, value?)))
                .collect(),
        })
    }

    fn proxy_in_use(&self) -> Result<Option<Proxy>, Error> {
        let url: Uri = self.base_url.parse().unwrap_or_default();
        if is_loopback(url.host().unwrap_or_default()) {
            return Ok(None);
        }
        match &self.proxy {
            ProxyChoice::Direct => Ok(None),
            ProxyChoice::Through(proxy) => Ok(Some(proxy.clone())),
            ProxyChoice::Environment => proxy_of_environment(),
        }
    }
}

struct Callbacks {
    log: Option<(LogLevel, LogFn)>,
    on_state: Option<StateFn>,
}

impl Observer for Callbacks {
    fn wants(&self, level: LogLevel) -> bool {
        self.log.as_ref().is_some_and(|(most, _)| level <= *most)
    }

    fn log(&self, level: LogLevel, line: &str) {
        if let Some((_, log)) = &self.log {
            log(level, line);
        }
    }

    fn state_changed(&self, state: TokenState) {
        if let Some(on_state) = &self.on_state {
            on_state(state);
        }
    }
}

/// The API key as given, or why it cannot be one.
pub(crate) fn checked_api_key(key: &str) -> Result<&str, Error> {
    let problem = if key.is_empty() {
        "is empty"
    } else if key.len() > LONGEST_KEY {
        "is longer than 4,096 bytes"
    } else if key.chars().any(char::is_control) {
        "has a control character, such as a line break, in it"
    } else if key.trim() != key {
        "begins or ends with white space"
    } else {
        return Ok(key);
    };
    Err(Error::invalid(format!("`api_key` {problem}.")))
}

fn in_range(name: &str, value: u32, range: std::ops::RangeInclusive<u32>) -> Result<u32, Error> {
    if range.contains(&value) {
        return Ok(value);
    }
    Err(Error::invalid(format!(
        "`{name}` is {value}; it must be from {} to {}.",
        range.start(),
        range.end()
    )))
}

fn checked_base_url(url: &str) -> Result<String, Error> {
    let refuse = |why: &str| Err(Error::invalid(format!("`base_url` {why}.")));
    if url.len() > LONGEST_URL {
        return refuse("is longer than 2,048 bytes");
    }
    if !url.bytes().all(|b| b.is_ascii_graphic()) {
        return refuse(
            "has white space, a control character or a character that is not ASCII in it",
        );
    }
    if url.contains(['?', '#', '@', '\\']) {
        return refuse("must not have a user, a query or a fragment");
    }
    let Ok(parsed) = url.parse::<Uri>() else {
        return refuse("is not a URL");
    };
    let Some(host) = checked_host(&parsed) else {
        return refuse("has no host, or a port that is not from 1 to 65535");
    };
    match parsed.scheme_str() {
        Some("https") => {}
        Some("http") if is_loopback(host) => {}
        Some("http") => {
            return refuse("must begin with https:// (http:// is for loopback addresses only)");
        }
        _ => return refuse("must begin with https://"),
    }
    Ok(url.trim_end_matches('/').to_owned())
}

/// A URL's host, if it and the port are well-formed: `http` lets through what is neither a name nor
/// an address, and leaves a port that is no number out.
fn checked_host(url: &Uri) -> Option<&str> {
    let authority = url.authority()?.as_str();
    let after_user = authority.rsplit('@').next()?;
    let host = url.host()?;
    let port = after_user.strip_prefix(host)?;
    let port_ok = match port.strip_prefix(':') {
        None => port.is_empty(),
        Some(digits) => {
            digits.bytes().all(|b| b.is_ascii_digit()) && digits.parse::<u16>().is_ok_and(|p| p > 0)
        }
    };
    let host_ok = match host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => host.split('.').all(is_label),
    };
    (port_ok && host_ok).then_some(host)
}

fn is_label(label: &str) -> bool {
    !label.is_empty()
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// `name:version` by api.video's rule for origins.
fn origin(setting: &str, name: &str, version: &str) -> Result<String, Error> {
    let name_ok = (1..=50).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if !name_ok {
        return Err(Error::invalid(format!(
            "`{setting}` name must be 1 to 50 of A-Z, a-z, 0-9, - and _."
        )));
    }
    let parts: Vec<&str> = version.split('.').collect();
    let version_ok = parts.len() <= 3
        && parts
            .iter()
            .all(|part| (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit()));
    if !version_ok {
        return Err(Error::invalid(format!(
            "`{setting}` version must be 1 to 3 numbers of 1 to 3 digits with dots between them, such as 1.2.3."
        )));
    }
    Ok(format!("{name}:{version}"))
}

/// A proxy's URL may hold a password, so no message repeats it.
///
/// `http` drops what follows a `#`, and a password with one in it would leave half of itself as the
/// host.
fn checked_proxy(url: &str, setting: &str) -> Result<Proxy, Error> {
    let parsed: Uri = url.parse().unwrap_or_default();
    let plain = url.bytes().all(|b| b.is_ascii_graphic() && b != b'#');
    let nothing_else = matches!(
        parsed.path_and_query().map(|p| p.as_str()),
        None | Some("/")
    );
    match Proxy::new(url) {
        Ok(proxy)
            if matches!(proxy.protocol(), ProxyProtocol::Http | ProxyProtocol::Https)
                && plain
                && nothing_else
                && checked_host(&parsed).is_some() =>
        {
            Ok(proxy)
        }
        _ => Err(Error::invalid(format!(
            "{setting} must be http://[user:password@]host[:port], with special characters percent-encoded."
        ))),
    }
}

/// `HTTPS_PROXY` and `NO_PROXY`, in capitals or not, as curl reads them.
fn proxy_of_environment() -> Result<Option<Proxy>, Error> {
    let read = |names: [&str; 2]| {
        names
            .into_iter()
            .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
    };
    let Some(url) = read(["https_proxy", "HTTPS_PROXY"]) else {
        return Ok(None);
    };
    let proxy = checked_proxy(&url, "the environment's HTTPS_PROXY")?;
    let Some(exceptions) = read(["no_proxy", "NO_PROXY"]) else {
        return Ok(Some(proxy));
    };
    let mut builder = Proxy::builder(proxy.protocol())
        .host(proxy.host())
        .port(proxy.port());
    if let Some(user) = proxy.username() {
        builder = builder.username(user);
    }
    if let Some(password) = proxy.password() {
        builder = builder.password(password);
    }
    for exception in exceptions
        .split(',')
        .map(str::trim)
        .filter(|e| !e.is_empty())
    {
        builder = builder.no_proxy(exception);
    }
    builder
        .build()
        .map(Some)
        .map_err(|_| Error::invalid("the environment's NO_PROXY cannot be understood."))
}

fn certificates(path: &str) -> Result<Vec<Certificate<'static>>, Error> {
    let refuse = |why: String| Error::invalid(format!("`ca_file` {path:?} {why}."));
    // A pipe could keep us waiting for ever, a device give more than there is memory.
    let kind = fs::metadata(path).map_err(|why| refuse(format!("cannot be opened: {why}")))?;
    if !kind.is_file() {
        return Err(refuse("is not a file".to_owned()));
    }
    let file = File::open(path).map_err(|why| refuse(format!("cannot be opened: {why}")))?;
    let mut pem = Vec::new();
    file.take(LARGEST_CA_FILE + 1)
        .read_to_end(&mut pem)
        .map_err(|why| refuse(format!("cannot be read: {why}")))?;
    if pem.len() as u64 > LARGEST_CA_FILE {
        return Err(refuse("is larger than 4 MiB".to_owned()));
    }
    let certificates: Vec<_> = parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    let mut store = rustls::RootCertStore::empty();
    let ders = certificates.iter().map(|c| c.der().to_vec().into());
    let (usable, broken) = store.add_parsable_certificates(ders);
    if usable == 0 || broken > 0 {
        return Err(refuse(
            "holds no CA certificate in PEM, or a broken one".to_owned(),
        ));
    }
    Ok(certificates)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(result: Result<(), Error>, setting: &str) {
        let error = result.expect_err(setting);
        assert_eq!(error.status, crate::error::Status::InvalidArgument);
        assert!(error.message.contains(setting), "{}", error.message);
    }

    #[test]
    fn a_base_url_is_https_or_on_loopback() {
        let mut config = Config::default();
        for url in [
            "https://ws.api.video",
            "https://example.com:8443/prefix/",
            "http://127.0.0.1:8080",
            "http://localhost:1",
            "http://[::1]:80",
        ] {
            config.set_base_url(url).unwrap();
        }
        for url in [
            "",
            "ws.api.video",
            "http://ws.api.video",
            "http://127.0.0.1.example.com",
            "http://localhost@example.com",
            "ftp://127.0.0.1",
            "https://",
            "https://a b",
            "https://a\r\nX: y",
            "https://é.com",
            "https://a?x=1",
            "https://a#x",
            "https://user:pw@a",
            "https://a:0",
            "https://a:99999",
            "https://a:+80",
            "https://a:",
            "https://..",
            "https://-",
            "https://a_b-.c",
            "https://[::1",
            "https://[g::]",
            &format!("https://{}", "a".repeat(3000)),
        ] {
            refused(config.set_base_url(url), "base_url");
        }
        assert_eq!(
            config.base_url, "http://[::1]:80",
            "a refused value changes nothing"
        );
    }

    #[test]
    fn origins_follow_api_videos_rule() {
        let mut config = Config::default();
        for (name, version) in [
            ("a", "1"),
            ("My_App-2", "1.2"),
            (&"x".repeat(50), "123.456.789"),
        ] {
            config.set_app(name, version).unwrap();
            config.set_sdk(name, version).unwrap();
        }
        for (name, version) in [
            ("", "1"),
            (&"x".repeat(51), "1"),
            ("a b", "1"),
            ("é", "1"),
            ("a:b", "1"),
            ("a\n", "1"),
            ("a", ""),
            ("a", "1."),
            ("a", ".1"),
            ("a", "1.2.3.4"),
            ("a", "1234"),
            ("a", "1.x"),
            ("a", "1\n"),
            ("a", "١"),
        ] {
            refused(config.set_app(name, version), "app");
            refused(config.set_sdk(name, version), "sdk");
        }
    }

    #[test]
    fn timeouts_have_ranges() {
        let mut config = Config::default();
        for ms in [1, 60_000] {
            config.set_connect_timeout_ms(ms).unwrap();
        }
        config.set_attempt_timeout_ms(300_000).unwrap();
        config.set_wait_timeout_ms(0).unwrap();
        config.set_wait_timeout_ms(3_600_000).unwrap();
        refused(config.set_connect_timeout_ms(0), "connect_timeout_ms");
        refused(config.set_connect_timeout_ms(60_001), "connect_timeout_ms");
        refused(config.set_attempt_timeout_ms(0), "attempt_timeout_ms");
        refused(
            config.set_attempt_timeout_ms(u32::MAX),
            "attempt_timeout_ms",
        );
        refused(config.set_wait_timeout_ms(3_600_001), "wait_timeout_ms");
    }

    #[test]
    fn a_proxy_is_http_and_its_password_is_not_repeated() {
        let mut config = Config::default();
        for url in [
            "",
            "http://proxy:3128",
            "http://user:hush@proxy:3128",
            "proxy:3128",
        ] {
            config.set_proxy(url).unwrap();
        }
        for url in [
            "socks5://user:hush@proxy",
            "ftp://hush@x",
            "http://",
            "://hush",
            "http://user:hush@proxy:99999",
            "http://user:hush@proxy:abc",
            "http://user:hush@:80",
            "http://user:hush@proxy/path",
            "http://user:hush@proxy/?query",
            "http://proxy#\u{2}hush",
            "http://user:hu#sh@proxy:3128",
            "http://user:hush@pr oxy",
        ] {
            let error = config.set_proxy(url).expect_err(url);
            assert!(!error.message.contains("hush"));
        }
    }

    #[test]
    fn loopback_never_goes_through_a_proxy() {
        let mut config = Config::default();
        config.set_proxy("http://proxy:3128").unwrap();
        assert!(config.proxy_in_use().unwrap().is_some());
        config.set_base_url("http://127.0.0.1:1").unwrap();
        assert!(config.proxy_in_use().unwrap().is_none());
    }

    #[test]
    fn an_api_key_is_one_clean_line() {
        assert_eq!(checked_api_key("k3y").unwrap(), "k3y");
        for key in ["", "a\n", " a", "a ", "a\tb", &"x".repeat(5000)] {
            let error = checked_api_key(key).expect_err(key);
            assert!(error.message.contains("api_key"));
        }
    }

    #[test]
    fn a_ca_file_must_hold_certificates() {
        let mut config = Config::default();
        for path in [
            "",
            "/nonexistent.pem",
            "/dev/null",
            "/dev/zero",
            "Cargo.toml",
            "src",
        ] {
            refused(config.set_ca_file(path), "ca_file");
        }
    }
}
