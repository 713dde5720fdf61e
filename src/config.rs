//! What a client is told: every setting, its range and its default.

use std::ffi::OsString;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::cache::events::{LogLevel, Observer, TokenState};
use crate::environment;
use crate::error::Error;
use crate::http::{
    CaFile, Environment as ProxyEnvironment, Http, Proxy, Route, Settings, Sources, Target, Uri,
    host_and_port, is_loopback,
};
use crate::store::{SealedStore, Store};
use zeroize::Zeroizing;

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
    const ALL: [Environment; 2] = [Environment::Production, Environment::Sandbox];

    /// The environment with this number, if there is one.
    pub fn from_number(number: i32) -> Option<Environment> {
        Environment::ALL
            .into_iter()
            .find(|environment| *environment as i32 == number)
    }

    fn from_name(name: &str) -> Option<Environment> {
        Environment::ALL
            .into_iter()
            .find(|environment| environment.name().eq_ignore_ascii_case(name))
    }

    fn name(self) -> &'static str {
        match self {
            Environment::Production => "production",
            Environment::Sandbox => "sandbox",
        }
    }

    fn base_url(self) -> &'static str {
        match self {
            Environment::Production => "https://ws.api.video",
            Environment::Sandbox => "https://sandbox.api.video",
        }
    }
}

/// Who answers, in an error's words.
pub(crate) enum Server {
    ApiVideo(Environment),
    Other(Target),
}

impl Server {
    /// What to look after when it refuses a key.
    pub(crate) fn key_advice(&self) -> &'static str {
        match self {
            Server::ApiVideo(Environment::Production) => {
                "check it, and that it is a key of production, not of the sandbox"
            }
            Server::ApiVideo(Environment::Sandbox) => {
                "check it, and that it is a key of the sandbox, not of production"
            }
            Server::Other(_) => "check it, and that this is the server you mean",
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Server::ApiVideo(Environment::Production) => {
                f.write_str("api.video's production (ws.api.video)")
            }
            Server::ApiVideo(Environment::Sandbox) => {
                f.write_str("api.video's sandbox (sandbox.api.video)")
            }
            Server::Other(target) => target.fmt(f),
        }
    }
}

const CONNECT_TIMEOUT_MS: u32 = 3_000;
const ATTEMPT_TIMEOUT_MS: u32 = 10_000;
const WAIT_TIMEOUT_MS: u32 = 30_000;
const STORE_TIMEOUT_MS: u32 = 1_000;
const LONGEST_CONNECT_TIMEOUT_MS: u32 = 60_000;
const LONGEST_ATTEMPT_TIMEOUT_MS: u32 = 300_000;
const LONGEST_WAIT_TIMEOUT_MS: u32 = 3_600_000;
const LONGEST_STORE_TIMEOUT_MS: u32 = 10_000;
const LONGEST_URL: usize = 2_048;
const MAX_REPLY_BYTES: u64 = 16 << 20;
/// More would be no JSON that one has in memory.
const LARGEST_MAX_REPLY_BYTES: u64 = 1 << 30;

type LogFn = Arc<dyn Fn(LogLevel, &str) + Send + Sync>;
type StateFn = Arc<dyn Fn(TokenState) + Send + Sync>;

/// Settings for a client. A setter checks its value; its error names the setting that is out of
/// range, and leaves it as it was.
#[derive(Clone)]
pub struct Config {
    /// `None`: the program has named no server.
    base_url: Option<String>,
    app: Option<String>,
    sdk: Option<String>,
    connect_timeout_ms: u32,
    attempt_timeout_ms: u32,
    wait_timeout_ms: u32,
    wait_for_recovery: bool,
    keep_fresh: bool,
    max_reply_bytes: u64,
    proxy: ProxyChoice,
    ca_file: CaChoice,
    store: StoreChoice,
    store_timeout_ms: u32,
    log: Option<(LogLevel, LogFn)>,
    on_state: Option<StateFn>,
}

/// Where processes share the token.
#[derive(Clone)]
enum StoreChoice {
    Environment,
    Nowhere,
    In(Store),
}

#[derive(Clone)]
enum ProxyChoice {
    Environment,
    Direct,
    Through(Proxy),
}

/// Whom to trust besides the system's CAs.
#[derive(Clone)]
enum CaChoice {
    Environment,
    Nobody,
    File(CaFile),
}

impl Default for Config {
    fn default() -> Config {
        Config {
            base_url: None,
            app: None,
            sdk: None,
            connect_timeout_ms: CONNECT_TIMEOUT_MS,
            attempt_timeout_ms: ATTEMPT_TIMEOUT_MS,
            wait_timeout_ms: WAIT_TIMEOUT_MS,
            wait_for_recovery: false,
            keep_fresh: false,
            max_reply_bytes: MAX_REPLY_BYTES,
            proxy: ProxyChoice::Environment,
            ca_file: CaChoice::Environment,
            store: StoreChoice::Environment,
            store_timeout_ms: STORE_TIMEOUT_MS,
            log: None,
            on_state: None,
        }
    }
}

impl Config {
    /// Sets the environment that the key belongs to. Default: the server that APIVIDEO_BASE_URL or
    /// APIVIDEO_ENVIRONMENT names, else production. This replaces an earlier
    /// [`Config::set_base_url`], and the other way round.
    pub fn set_environment(&mut self, environment: Environment) {
        self.base_url = Some(environment.base_url().to_owned());
    }

    /// Sets another server: `https://host[:port][/path]`, or `http://…` on the machine's own
    /// loopback addresses only.
    pub fn set_base_url(&mut self, url: &str) -> Result<(), Error> {
        self.base_url = Some(checked_base_url("base_url", url)?);
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

    /// Sets how many bytes the body of a reply to a request may have: 1 to 1,073,741,824. Default:
    /// 16,777,216. A larger one is an error. Tokens' replies have a limit of their own.
    pub fn set_max_reply_bytes(&mut self, bytes: u64) -> Result<(), Error> {
        let range = 1..=LARGEST_MAX_REPLY_BYTES;
        self.max_reply_bytes = in_range("max_reply_bytes", bytes, range)?;
        Ok(())
    }

    /// Sets the proxy: `scheme://[user:password@]host[:port]`, user and password percent-encoded,
    /// or an empty text for no proxy. The scheme is `http`, `https` (the proxy itself speaks TLS),
    /// `socks4`, `socks4a`, `socks5` or `socks5h` (with `a` and `h` the proxy resolves the server's
    /// name). The default port is 443 with `https`, else 1080.
    ///
    /// The default is the environment, as it is when the client is made, and as curl reads it: the
    /// first of `https_proxy`, `HTTPS_PROXY`, `all_proxy` and `ALL_PROXY`, unless `no_proxy` or
    /// `NO_PROXY` names the server. If that is not the URL of a proxy, each exchange fails.
    /// Loopback addresses never go through a proxy.
    pub fn set_proxy(&mut self, url: &str) -> Result<(), Error> {
        self.proxy = match url {
            "" => ProxyChoice::Direct,
            // It may hold a password, so no message repeats it.
            url => ProxyChoice::Through(
                Proxy::parse(url)
                    .ok_or_else(|| Error::invalid(format!("`proxy` must be {}.", Proxy::FORM)))?,
            ),
        };
        Ok(())
    }

    /// Sets a file of certificates in PEM that are trusted in addition to the system's: CAs'
    /// certificates, or a server's own. Empty: none. Default: the one that APIVIDEO_CA_FILE names,
    /// else none. It is read now. A client looks once an hour at most whether it has changed, and then reads it
    /// again. Broken certificates in it are left out.
    ///
    /// The system's certificates are where its distributor puts them, or where `SSL_CERT_FILE` and
    /// `SSL_CERT_DIR` of the environment point when the client is made.
    pub fn set_ca_file(&mut self, path: &str) -> Result<(), Error> {
        self.ca_file = match path {
            "" => CaChoice::Nobody,
            path => CaChoice::File(ca_file("ca_file", Path::new(path))?),
        };
        Ok(())
    }

    /// Sets where the processes that use this key share its token, so that all of them together
    /// make one exchange a token. `None`: nowhere. The default is what the environment's
    /// APIVIDEO_STORE says when the client is made: `file`, `file:` and a directory, or the URL of
    /// a Redis, whose server may also show a certificate of APIVIDEO_CA_FILE; nowhere, if it is not
    /// there or empty. A place that cannot be used is no error: the log says so, and the client
    /// goes on.
    ///
    /// The client then uses the API key alone, and its tokens have no refresh token. Whatever
    /// happens to the store, a client is never worse off than without one.
    pub fn set_store(&mut self, store: Option<Store>) {
        self.store = store.map_or(StoreChoice::Nowhere, StoreChoice::In);
    }

    /// Sets the time limit for an operation of the store: 1 to 10,000 ms. Default: 1,000.
    pub fn set_store_timeout_ms(&mut self, ms: u32) -> Result<(), Error> {
        let range = 1..=LONGEST_STORE_TIMEOUT_MS;
        self.store_timeout_ms = in_range("store_timeout_ms", ms, range)?;
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

    /// The same settings, and where the program left out the server or the CA file, those that the
    /// environment names.
    pub(crate) fn filled_in(
        &self,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Config, Error> {
        let mut filled = self.clone();
        if filled.base_url.is_none() {
            filled.base_url = named_server(&variable)?;
        }
        let path = variable(environment::CA_FILE);
        let path = path.as_deref().map(Path::new);
        // Without TLS there is nobody to trust.
        if let (CaChoice::Environment, Some(path), true) =
            (&filled.ca_file, path, target(filled.base_url()).tls)
        {
            filled.ca_file = CaChoice::File(ca_file(environment::CA_FILE, path)?);
        }
        if let StoreChoice::Environment = filled.store
            && let Some(name) =
                environment::text(environment::STORE, &variable)?.map(Zeroizing::new)
        {
            let store = Store::named(environment::STORE, &name, environment::CA_FILE, path)?;
            filled.store = StoreChoice::In(store);
        }
        Ok(filled)
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

    pub(crate) fn max_reply_bytes(&self) -> u64 {
        self.max_reply_bytes
    }

    /// The records of this key in the store, if there is one, and the time for an operation.
    pub(crate) fn store(&self, api_key: &str) -> Option<(SealedStore, Duration)> {
        let StoreChoice::In(store) = &self.store else {
            return None;
        };
        let timeout = Duration::from_millis(self.store_timeout_ms.into());
        Some((store.for_key(api_key, self.base_url()), timeout))
    }

    pub(crate) fn observer(&self) -> Box<dyn Observer> {
        Box::new(Callbacks {
            log: self.log.clone(),
            on_state: self.on_state.clone(),
        })
    }

    /// The server, as errors name it.
    pub(crate) fn server(&self) -> Server {
        let base_url = self.base_url();
        match Environment::ALL
            .into_iter()
            .find(|environment| environment.base_url() == base_url)
        {
            Some(environment) => Server::ApiVideo(environment),
            None => Server::Other(target(base_url)),
        }
    }

    pub(crate) fn base_url(&self) -> &str {
        let default = Environment::Production.base_url();
        self.base_url.as_deref().unwrap_or(default)
    }

    /// What HTTP needs. The environment's proxies and certificates are read here.
    pub(crate) fn http(&self) -> Http {
        let client = concat!("libapivideo:", env!("CARGO_PKG_VERSION")).to_owned();
        let origins = [
            ("AV-Origin-Client", Some(client)),
            ("AV-Origin-App", self.app.clone()),
            ("AV-Origin-Sdk", self.sdk.clone()),
        ];
        let base_url = self.base_url().to_owned();
        let target = target(&base_url);
        Http::new(Settings {
            base_url,
            connect_timeout: Duration::from_millis(self.connect_timeout_ms.into()),
            attempt_timeout: Duration::from_millis(self.attempt_timeout_ms.into()),
            route: self.route(&target),
            target,
            sources: Sources::of_environment(),
            ca_file: match &self.ca_file {
                CaChoice::File(file) => Some(file.clone()),
                CaChoice::Environment | CaChoice::Nobody => None,
            },
            headers: origins
                .into_iter()
                .filter_map(|(name, value)| Some((name, value?)))
                .collect(),
        })
    }

    fn route(&self, target: &Target) -> Route {
        match &self.proxy {
            _ if is_loopback(&target.host) => Route::Direct,
            ProxyChoice::Direct => Route::Direct,
            ProxyChoice::Through(proxy) => Route::Through(proxy.clone()),
            ProxyChoice::Environment => ProxyEnvironment::read().route(target),
        }
    }
}

/// The server of a URL that was checked.
fn target(base_url: &str) -> Target {
    let url: Uri = base_url.parse().unwrap_or_default();
    let tls = url.scheme_str() != Some("http");
    let authority = url.authority().map_or("", |authority| authority.as_str());
    let (host, port) = host_and_port(authority).unwrap_or_default();
    Target {
        tls,
        host: host.to_owned(),
        port: port.unwrap_or(if tls { 443 } else { 80 }),
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

pub(crate) fn in_range<T: PartialOrd + fmt::Display>(
    name: &str,
    value: T,
    range: std::ops::RangeInclusive<T>,
) -> Result<T, Error> {
    if range.contains(&value) {
        return Ok(value);
    }
    Err(Error::invalid(format!(
        "`{name}` is {value}; it must be from {} to {}.",
        range.start(),
        range.end()
    )))
}

/// The server that the environment names, if it names one.
fn named_server(variable: &impl Fn(&str) -> Option<OsString>) -> Result<Option<String>, Error> {
    if let Some(url) = environment::text(environment::BASE_URL, variable)? {
        return checked_base_url(environment::BASE_URL, &url).map(Some);
    }
    let Some(name) = environment::text(environment::ENVIRONMENT, variable)? else {
        return Ok(None);
    };
    let known = Environment::from_name(&name).ok_or_else(|| {
        let setting = environment::ENVIRONMENT;
        Error::invalid(format!("`{setting}` must be production or sandbox."))
    })?;
    Ok(Some(known.base_url().to_owned()))
}

pub(crate) fn ca_file(setting: &str, path: &Path) -> Result<CaFile, Error> {
    CaFile::read(path).map_err(|why| Error::invalid(format!("`{setting}` {path:?} {why}.")))
}

fn checked_base_url(setting: &str, url: &str) -> Result<String, Error> {
    let refuse = |why: &str| Err(Error::invalid(format!("`{setting}` {why}.")));
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
    let authority = parsed
        .authority()
        .map_or("", |authority| authority.as_str());
    let Some((host, _)) = host_and_port(authority) else {
        return refuse("has no name or address as its host, or a port that is not from 1 to 65535");
    };
    match parsed.scheme_str() {
        Some("https") => {}
        Some("http") if is_loopback(host) => {}
        Some("http") => {
            return refuse("must begin with https:// (http:// is for loopback addresses only)");
        }
        _ if is_loopback(host) => return refuse("must begin with https:// or http://"),
        _ => return refuse("must begin with https://"),
    }
    Ok(url.trim_end_matches('/').to_owned())
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
            "https://ws.api.video.",
            "https://ws.api.video.:443/",
            "HTTPS://WS.API.video",
            "https://under_score.example.com",
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
            config.base_url.as_deref(),
            Some("http://[::1]:80"),
            "a refused value changes nothing"
        );
    }

    #[test]
    fn a_base_url_without_a_scheme_is_told_which_may_be() {
        for (url, expected) in [
            ("ws.api.video", "must begin with https://."),
            ("127.0.0.1:8790", "must begin with https:// or http://."),
            ("localhost:8790", "must begin with https:// or http://."),
        ] {
            let error = Config::default().set_base_url(url).unwrap_err();
            assert!(error.message.ends_with(expected), "{}", error.message);
        }
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
    fn a_proxy_is_a_proxy_s_url_and_its_password_is_not_repeated() {
        let mut config = Config::default();
        for url in [
            "",
            "http://proxy:3128",
            "http://user:hush@proxy:3128",
            "proxy:3128",
            "socks5h://user:hush@proxy",
        ] {
            config.set_proxy(url).unwrap();
        }
        for url in [
            "socks6://user:hush@proxy",
            "ftp://hush@x",
            "http://",
            "://hush",
            "http://user:hush@proxy:99999",
            "http://user:hush@proxy:abc",
            "http://user:hush@:80",
            "http://user:hu/sh@proxy",
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
        assert!(matches!(config.http().route(), Route::Through(_)));
        for url in ["http://127.0.0.1:1", "https://localhost", "https://[::1]"] {
            config.set_base_url(url).unwrap();
            assert!(matches!(config.http().route(), Route::Direct), "{url}");
        }
    }

    #[test]
    fn a_ca_file_must_hold_certificates() {
        let mut config = Config::default();
        for path in [
            "/nonexistent.pem",
            "/dev/null",
            "/dev/zero",
            "Cargo.toml",
            "src",
        ] {
            refused(config.set_ca_file(path), "ca_file");
        }
    }

    /// An environment with these variables, and what a program's settings become in it.
    fn filled_in(config: &Config, variables: &[(&str, &str)]) -> Result<Config, Error> {
        config.filled_in(|name| {
            let found = variables.iter().find(|(each, _)| *each == name);
            found.map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn the_environment_names_the_server_that_a_program_does_not() {
        let with_environment = |environment| {
            let mut config = Config::default();
            config.set_environment(environment);
            config
        };
        let mut with_url = Config::default();
        with_url.set_base_url("https://example.com").unwrap();
        let url = ("APIVIDEO_BASE_URL", "http://127.0.0.1:8790/");
        let sandbox = ("APIVIDEO_ENVIRONMENT", "sandbox");
        let production = Some("https://ws.api.video");
        for (config, variables, expected) in [
            (Config::default(), &[] as &[_], None),
            (
                Config::default(),
                &[sandbox],
                Some("https://sandbox.api.video"),
            ),
            (
                Config::default(),
                &[("APIVIDEO_ENVIRONMENT", "Production")],
                production,
            ),
            (Config::default(), &[url], Some("http://127.0.0.1:8790")),
            (
                Config::default(),
                &[sandbox, url],
                Some("http://127.0.0.1:8790"),
            ),
            (
                with_environment(Environment::Production),
                &[sandbox, url],
                production,
            ),
            (with_url, &[sandbox, url], Some("https://example.com")),
            (
                with_environment(Environment::Sandbox),
                &[("APIVIDEO_ENVIRONMENT", "?"), ("APIVIDEO_BASE_URL", "?")],
                Some("https://sandbox.api.video"),
            ),
        ] {
            let filled = filled_in(&config, variables).unwrap();
            assert_eq!(filled.base_url.as_deref(), expected, "{variables:?}");
        }
    }

    #[test]
    fn a_variable_that_cannot_be_used_is_named_and_not_shown() {
        for name in ["APIVIDEO_ENVIRONMENT", "APIVIDEO_BASE_URL"] {
            let error = filled_in(&Config::default(), &[(name, "hush")])
                .err()
                .expect(name);
            assert!(
                error.message.starts_with(&format!("`{name}` must b")),
                "{}",
                error.message
            );
            assert!(!error.message.contains("hush"), "{}", error.message);
        }
    }

    #[test]
    fn a_ca_file_of_the_environment_is_read_unless_the_program_has_one() {
        let variables = [("APIVIDEO_CA_FILE", "tests/trust/P-256-sha512.pem")];
        let filled = filled_in(&Config::default(), &variables).unwrap();
        assert!(matches!(filled.ca_file, CaChoice::File(_)));
        let missing = [("APIVIDEO_CA_FILE", "/nonexistent.pem")];
        let refusal = filled_in(&Config::default(), &missing).map(drop);
        refused(refusal, "APIVIDEO_CA_FILE");
        assert!(filled_in(&filled, &missing).is_ok());
        let mut none = Config::default();
        none.set_ca_file("").unwrap();
        assert!(filled_in(&none, &missing).is_ok());
        let mut without_tls = Config::default();
        without_tls.set_base_url("http://127.0.0.1:1").unwrap();
        assert!(filled_in(&without_tls, &missing).is_ok());
    }

    #[test]
    fn a_store_of_the_environment_counts_unless_the_program_has_said_where() {
        let bad = [("APIVIDEO_STORE", "?")];
        for name in [
            "file",
            "file:/nonexistent/directory",
            "redis://user:hush@127.0.0.1:1/2",
            "rediss://127.0.0.1",
            "redis+sentinel://127.0.0.1/name",
        ] {
            let filled = filled_in(&Config::default(), &[("APIVIDEO_STORE", name)]).unwrap();
            assert!(filled.store("key").is_some(), "{name}");
            assert!(filled_in(&filled, &bad).is_ok());
        }
        let mut nowhere = Config::default();
        nowhere.set_store(None);
        assert!(filled_in(&nowhere, &bad).unwrap().store("key").is_none());
        let unset = filled_in(&Config::default(), &[]).unwrap();
        assert!(unset.store("key").is_none());
    }

    #[test]
    fn a_store_that_cannot_be_used_is_named_and_its_password_not_shown() {
        for name in [
            "hush",
            "file:",
            "memcached://hush",
            "redis://user:hush@",
            "redis://user:hush@host/hush",
            "redis+hush://host",
            "redis:hush",
        ] {
            let refusal = filled_in(&Config::default(), &[("APIVIDEO_STORE", name)]);
            let message = refusal.err().expect(name).message;
            assert!(message.starts_with("`APIVIDEO_STORE` "), "{message}");
            assert!(!message.contains("hush"), "{message}");
        }
        let variables = [
            ("APIVIDEO_STORE", "rediss://127.0.0.1"),
            ("APIVIDEO_CA_FILE", "/nonexistent.pem"),
        ];
        let mut without_tls = Config::default();
        without_tls.set_base_url("http://127.0.0.1:1").unwrap();
        refused(
            filled_in(&without_tls, &variables).map(drop),
            "APIVIDEO_CA_FILE",
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_variable_is_text_where_it_has_to_be() {
        use std::os::unix::ffi::OsStringExt;
        for name in [
            "APIVIDEO_ENVIRONMENT",
            "APIVIDEO_BASE_URL",
            "APIVIDEO_STORE",
        ] {
            let variable = |each: &str| (each == name).then(|| OsString::from_vec(vec![0xff]));
            let error = Config::default().filled_in(variable).err().expect(name);
            assert_eq!(error.status, crate::error::Status::InvalidUtf8);
            assert_eq!(error.message, format!("`{name}` is not valid UTF-8."));
        }
    }
}
