//! Which way an exchange takes: directly or through a proxy, as the settings and the environment
//! say.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use percent_encoding::percent_decode_str;
use rustls::pki_types::ServerName;

use super::Target;

/// How to speak to a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Http,
    /// HTTP within TLS.
    Https,
    Socks4,
    /// SOCKS4, and the proxy resolves the name.
    Socks4a,
    Socks5,
    /// SOCKS5, and the proxy resolves the name.
    Socks5h,
}

/// A proxy. No `Debug`: it may hold a password.
#[derive(Clone)]
pub(crate) struct Proxy {
    pub(crate) kind: Kind,
    /// A name or an address, without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) login: Option<Login>,
}

/// Bytes: a percent-encoded password need not be UTF-8.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(crate) struct Login {
    pub(crate) user: Vec<u8>,
    pub(crate) password: Vec<u8>,
}

impl Proxy {
    /// What a proxy's URL must look like, to be said where one does not.
    pub(crate) const FORM: &'static str =
        "[http|https|socks4|socks4a|socks5|socks5h]://[user:password@]host[:port], percent-encoded";

    /// `[scheme://][user[:password]@]host[:port]`, and whatever follows that. As curl does, it
    /// takes `http` where no scheme is given.
    pub(crate) fn parse(url: &str) -> Option<Proxy> {
        let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
        let kind = Kind::of_scheme(scheme)?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, ignored) = rest.split_at(end);
        // One of these in a password would leave half of it as the host.
        if ignored.contains('@') || url.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return None;
        }
        let (login, address) = match authority.rsplit_once('@') {
            Some((login, address)) => (Some(Login::decode(login)), address),
            None => (None, authority),
        };
        let (host, port) = host_and_port(address)?;
        Some(Proxy {
            kind,
            host: host.to_owned(),
            port: port.unwrap_or(kind.default_port()),
            login,
        })
    }
}

impl Kind {
    fn of_scheme(scheme: &str) -> Option<Kind> {
        Some(match scheme.to_ascii_lowercase().as_str() {
            "http" => Kind::Http,
            "https" => Kind::Https,
            "socks" | "socks4" => Kind::Socks4,
            "socks4a" => Kind::Socks4a,
            "socks5" => Kind::Socks5,
            "socks5h" => Kind::Socks5h,
            _ => return None,
        })
    }

    /// curl's.
    fn default_port(self) -> u16 {
        match self {
            Kind::Https => 443,
            _ => 1080,
        }
    }
}

impl Login {
    fn decode(text: &str) -> Login {
        let (user, password) = text.split_once(':').unwrap_or((text, ""));
        Login {
            user: percent_decode_str(user).collect(),
            password: percent_decode_str(password).collect(),
        }
    }
}

/// The host, without brackets, and the port of `host[:port]`, where both are well-formed.
pub(crate) fn host_and_port(address: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = match address.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            host.parse::<Ipv6Addr>().ok()?;
            (host, port)
        }
        None => {
            let (host, port) = address.split_at(address.find(':').unwrap_or(address.len()));
            ServerName::try_from(host).ok()?;
            (host, port)
        }
    };
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => None,
        Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
            Some(digits.parse().ok().filter(|port| *port > 0)?)
        }
        _ => return None,
    };
    Some((host, port))
}

/// The way to the server.
#[derive(Clone)]
pub(crate) enum Route {
    Direct,
    Through(Proxy),
    /// The environment's setting of this name is no proxy. An exchange says so: a direct connection
    /// may be what the setting is to prevent.
    Unusable(&'static str),
}

/// The environment's word on proxies, as it was when it was read.
#[derive(Default)]
pub(crate) struct Environment {
    /// Its name, to be said if it cannot be used.
    proxy: Option<(&'static str, OsString)>,
    no_proxy: Option<OsString>,
}

impl Environment {
    pub(crate) fn read() -> Environment {
        Environment::from(crate::environment::variable)
    }

    /// As curl: lower case first, and what is empty is not there. In a program with raised rights
    /// nothing is.
    fn from(variable: impl Fn(&str) -> Option<OsString>) -> Environment {
        let first = |names: &[&'static str]| {
            names.iter().find_map(|name| {
                let value = variable(name).filter(|value| !value.is_empty())?;
                Some((*name, value))
            })
        };
        Environment {
            proxy: first(&["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]),
            no_proxy: first(&["no_proxy", "NO_PROXY"]).map(|(_, value)| value),
        }
    }

    pub(crate) fn route(&self, target: &Target) -> Route {
        let Some((name, value)) = &self.proxy else {
            return Route::Direct;
        };
        let exceptions = self.no_proxy.as_ref().map(|value| value.to_string_lossy());
        if exceptions.is_some_and(|exceptions| is_excepted(&target.host, &exceptions)) {
            return Route::Direct;
        }
        // A value that was read from a file often ends in a line break.
        match value.to_str().and_then(|url| Proxy::parse(url.trim())) {
            Some(proxy) => Route::Through(proxy),
            None => Route::Unusable(name),
        }
    }
}

/// Whether NO_PROXY names the host, by curl's rules: `*` alone for all; names, which cover what is
/// below them, with or without a dot at either end; addresses; and blocks of IPv4 addresses as
/// `10.0.0.0/8`; with commas or blanks between.
fn is_excepted(host: &str, exceptions: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    exceptions == "*"
        || exceptions
            .split([',', ' ', '\t'])
            .filter(|exception| !exception.is_empty())
            .any(|exception| match host.parse::<Ipv4Addr>() {
                Ok(address) => block_holds(exception, address),
                Err(_) => name_covers(exception, host),
            })
}

fn block_holds(block: &str, address: Ipv4Addr) -> bool {
    let (base, bits) = block.split_once('/').unwrap_or((block, "32"));
    let (Ok(base), Ok(bits @ 0..=32)) = (base.parse::<Ipv4Addr>(), bits.parse::<u32>()) else {
        return false;
    };
    // Not every address is meant by /0: curl takes it for no block at all.
    let different = base.to_bits() ^ address.to_bits();
    different == 0 || (bits > 0 && different.leading_zeros() >= bits)
}

fn name_covers(name: &str, host: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let name = name.strip_prefix('.').unwrap_or(name);
    let Some(above) = host.len().checked_sub(name.len()) else {
        return false;
    };
    let (sub, tail) = host.as_bytes().split_at(above);
    !name.is_empty()
        && tail.eq_ignore_ascii_case(name.as_bytes())
        && sub.last().is_none_or(|last| *last == b'.')
}

/// The host is this machine's own.
pub(crate) fn is_loopback(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    host.eq_ignore_ascii_case("localhost")
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(user: &[u8], password: &[u8]) -> Option<Login> {
        Some(Login {
            user: user.to_vec(),
            password: password.to_vec(),
        })
    }

    #[test]
    fn a_proxy_s_url_is_read_as_curl_reads_it() {
        for (url, kind, host, port) in [
            ("http://proxy:3128", Kind::Http, "proxy", 3128),
            ("proxy:3128", Kind::Http, "proxy", 3128),
            ("HTTP://proxy:3128/", Kind::Http, "proxy", 3128),
            ("http://proxy:3128/path", Kind::Http, "proxy", 3128),
            ("http://proxy/?q", Kind::Http, "proxy", 1080),
            ("http://proxy:8#b", Kind::Http, "proxy", 8),
            ("proxy", Kind::Http, "proxy", 1080),
            ("https://proxy", Kind::Https, "proxy", 443),
            ("http://[::1]:8", Kind::Http, "::1", 8),
            ("http://10.0.0.1", Kind::Http, "10.0.0.1", 1080),
            ("http://proxy.corp.:80", Kind::Http, "proxy.corp.", 80),
            ("socks://a", Kind::Socks4, "a", 1080),
            ("socks4://a:1", Kind::Socks4, "a", 1),
            ("socks4a://a", Kind::Socks4a, "a", 1080),
            ("socks5://a", Kind::Socks5, "a", 1080),
            ("socks5h://a:65535", Kind::Socks5h, "a", 65535),
        ] {
            let proxy = Proxy::parse(url).expect(url);
            assert_eq!(
                (proxy.kind, &*proxy.host, proxy.port),
                (kind, host, port),
                "{url}"
            );
            assert_eq!(proxy.login, None, "{url}");
        }
        for url in [
            "",
            "http://",
            "://a",
            "ftp://a",
            "socks6://a",
            "\"http://a\"",
            "http://a b",
            "http://a\n",
            "http://u:p#w@a",
            "http://u:p?w@a",
            "http://u:p/w@a",
            "http://a:0",
            "http://a:65536",
            "http://a:",
            "http://a:+1",
            "http://a:1:2",
            "http://[::1",
            "http://::1",
            "http://u@",
            "http://u@:80",
            "http://\u{e9}",
        ] {
            assert!(Proxy::parse(url).is_none(), "{url}");
        }
    }

    #[test]
    fn a_login_is_decoded_to_bytes_and_ends_at_the_last_at() {
        for (url, expected) in [
            ("http://me:pw@a", login(b"me", b"pw")),
            ("http://me@a", login(b"me", b"")),
            ("http://me:p@ss@a", login(b"me", b"p@ss")),
            ("http://me:p:w@a", login(b"me", b"p:w")),
            ("http://CORP\\me:pw@a", login(b"CORP\\me", b"pw")),
            ("http://me:p%40%25%23%2f@a", login(b"me", b"p@%#/")),
            ("http://me:%E9@a", login(b"me", b"\xe9")),
            (
                "http://m\u{e9}:\u{6f22}@a",
                login("m\u{e9}".as_bytes(), "\u{6f22}".as_bytes()),
            ),
        ] {
            assert_eq!(Proxy::parse(url).expect(url).login, expected, "{url}");
        }
    }

    fn environment<const N: usize>(variables: [(&str, &str); N]) -> Environment {
        Environment::from(|name| {
            let found = variables.iter().find(|(n, _)| *n == name)?;
            Some(found.1.into())
        })
    }

    fn way(environment: &Environment, host: &str) -> String {
        let target = Target {
            tls: true,
            host: host.to_owned(),
            port: 443,
        };
        match environment.route(&target) {
            Route::Direct => "direct".to_owned(),
            Route::Through(proxy) => proxy.host,
            Route::Unusable(name) => format!("{name} is unusable"),
        }
    }

    #[test]
    fn the_first_variable_that_says_something_counts() {
        for (variables, expected) in [
            ([("", ""), ("", "")], "direct"),
            ([("HTTP_PROXY", "a"), ("http_proxy", "b")], "direct"),
            ([("ALL_PROXY", "a"), ("HTTPS_PROXY", "b")], "b"),
            ([("ALL_PROXY", "a"), ("all_proxy", "b")], "b"),
            ([("HTTPS_PROXY", "a"), ("https_proxy", "b")], "b"),
            ([("HTTPS_PROXY", "a"), ("https_proxy", "")], "a"),
            ([("all_proxy", "a"), ("NO_PROXY", "other")], "a"),
            ([("HTTPS_PROXY", " http://a\n"), ("", "")], "a"),
            (
                [("HTTPS_PROXY", "'http://a'"), ("", "")],
                "HTTPS_PROXY is unusable",
            ),
            (
                [("HTTPS_PROXY", "'http://a'"), ("NO_PROXY", "api.video")],
                "direct",
            ),
            ([("ALL_PROXY", "http://[::1"), ("no_proxy", "*")], "direct"),
        ] {
            assert_eq!(
                way(&environment(variables), "ws.api.video"),
                expected,
                "{variables:?}"
            );
        }
    }

    #[test]
    fn no_proxy_is_read_as_curl_reads_it() {
        for (host, no_proxy, excepted) in [
            ("ws.api.video", "ws.api.video", true),
            ("ws.api.video", "api.video", true),
            ("ws.api.video", ".api.video", true),
            ("api.video", ".api.video", true),
            ("ws.api.video", "video", true),
            ("ws.api.video", "API.Video", true),
            ("ws.api.video", "ws.api.video.", true),
            ("ws.api.video.", "ws.api.video", true),
            ("ws.api.video.", "api.video.", true),
            ("ws.api.video", "other.com ws.api.video", true),
            ("ws.api.video", ",,other.com,\tapi.video, ", true),
            ("ws.api.video", "*", true),
            ("ws.api.video", "a.b, *", false),
            ("ws.api.video", "*.api.video", false),
            ("ws.api.video", "..api.video", false),
            ("ws.api.video", "ws.api.video:443", false),
            ("ws.api.video", "x\napi.video", false),
            ("ws.api.video", ".", false),
            ("ws.api.video", "", false),
            ("notapi.video", "api.video", false),
            ("video", "api.video", false),
            ("10.1.2.3", "10.1.2.3", true),
            ("10.1.2.3", "10.0.0.0/8", true),
            ("10.1.2.3", "10.1.0.0/15", true),
            ("10.1.2.3", "10.1.2.3/32", true),
            ("10.1.2.3", "10.1.2.3/0", true),
            ("10.1.2.3", "0.0.0.0/0", false),
            ("10.1.2.3", "10.0.0.0/33", false),
            ("10.1.2.3", "10.0.0.0/x", false),
            ("10.1.2.3", "11.0.0.0/8", false),
            ("10.1.2.3", "10.", false),
            ("10.1.2.3", "2.3", false),
            ("10.1.2.3", "10.1.2.3:443", false),
            ("fd00::7", "fd00::7", true),
            ("fd00::7", "FD00::7", true),
            ("fd00::7", "fd00::8", false),
            ("fd00::7", "fd00::/8", false),
        ] {
            let environment = environment([("HTTPS_PROXY", "a"), ("NO_PROXY", no_proxy)]);
            let expected = if excepted { "direct" } else { "a" };
            assert_eq!(
                way(&environment, host),
                expected,
                "{host}, NO_PROXY={no_proxy:?}"
            );
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_variable_that_is_not_utf_8_is_no_proxy() {
        use std::os::unix::ffi::OsStringExt;
        let environment = Environment::from(|name| {
            (name == "HTTPS_PROXY").then(|| OsString::from_vec(b"http://\xff@a".to_vec()))
        });
        assert_eq!(way(&environment, "ws.api.video"), "HTTPS_PROXY is unusable");
    }

    #[test]
    fn loopback_is_told_from_its_lookalikes() {
        for host in [
            "localhost",
            "LOCALHOST",
            "localhost.",
            "127.0.0.1",
            "127.9.9.9",
            "::1",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "localhost.example.com",
            "127.0.0.1.example.com",
            "10.0.0.1",
            "::2",
            "0.0.0.0",
            "",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
