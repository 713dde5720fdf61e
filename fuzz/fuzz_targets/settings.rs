//! What a setter accepts keeps the rules that the header documents; what it refuses, no message
//! repeats.
//!
//! Input, with NULs between: base URL, app name, app version, SDK name, SDK version, proxy, API
//! key.
#![no_main]

use std::net::{Ipv4Addr, Ipv6Addr};

use apivideo::{Client, Config, Error, Status};
use libfuzzer_sys::fuzz_target;

fn refused(error: Error, setting: &str) {
    assert_eq!(error.status, Status::InvalidArgument);
    // The settings' texts are fixed: they have no place for a secret.
    assert!(
        error.message.starts_with(setting) && error.message.len() < 120,
        "{error:?}"
    );
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<Ipv4Addr>().is_ok_and(|a| a.octets()[0] == 127)
        || host == "[::1]"
        || (host.starts_with('[') && host[1..host.len() - 1].parse() == Ok(Ipv6Addr::LOCALHOST))
}

/// `host[:port]`, well-formed. The host.
fn host_of(authority: &str) -> &str {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    assert!(!host.is_empty() && port.is_none_or(|p| p.parse::<u16>().is_ok_and(|p| p > 0)));
    assert!(
        host.starts_with('[') == host.ends_with(']')
            && (host.starts_with('[') || !host.contains(':'))
    );
    host
}

fn base_url(url: &str, used: &str) -> bool {
    assert!(url.len() <= 2_048 && used == url.trim_end_matches('/'));
    assert!(url.bytes().all(|b| b.is_ascii_graphic()) && !url.contains(['?', '#', '@', '\\']));
    let (scheme, rest) = used.split_once("://").expect("an absolute URL");
    let host = host_of(rest.split('/').next().unwrap());
    let loopback = is_loopback(host);
    assert!(
        scheme.eq_ignore_ascii_case("https") || (scheme.eq_ignore_ascii_case("http") && loopback)
    );
    loopback
}

fn origin(name: &str, version: &str) {
    assert!((1..=50).contains(&name.len()));
    assert!(
        name.bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    );
    let numbers: Vec<&str> = version.split('.').collect();
    assert!((1..=3).contains(&numbers.len()));
    assert!(
        numbers
            .iter()
            .all(|n| (1..=3).contains(&n.len()) && n.bytes().all(|b| b.is_ascii_digit()))
    );
}

fuzz_target!(|input: &str| {
    let mut fields = input.split('\0');
    let mut next = || fields.next().unwrap_or_default();
    let (url, app, sdk, proxy, key) = (next(), (next(), next()), (next(), next()), next(), next());

    let mut config = Config::default();
    config.set_proxy("").unwrap(); // Not the environment's.
    let mut headers = 1;
    let used = |config: &Config| apivideo::fuzz::used(config).expect("checked settings");

    let mut loopback = false;
    match config.set_base_url(url) {
        Ok(()) => loopback = base_url(url, &used(&config).base_url),
        Err(error) => {
            refused(error, "`base_url` ");
            assert_eq!(used(&config).base_url, "https://ws.api.video");
        }
    }
    match config.set_app(app.0, app.1) {
        Ok(()) => {
            origin(app.0, app.1);
            headers += 1;
        }
        Err(error) => refused(error, "`app` "),
    }
    match config.set_sdk(sdk.0, sdk.1) {
        Ok(()) => {
            origin(sdk.0, sdk.1);
            headers += 1;
        }
        Err(error) => refused(error, "`sdk` "),
    }
    match config.set_proxy(proxy) {
        Ok(()) => {
            let through = used(&config).proxy;
            assert_eq!(through.is_some(), !loopback && !proxy.is_empty());
            if let Some((host, port)) = through {
                assert!(!host.is_empty() && port > 0, "{proxy:?}");
                assert!(
                    !proxy.chars().any(|c| c.is_control() || c.is_whitespace()),
                    "{proxy:?}"
                );
                assert!(
                    proxy
                        .to_ascii_lowercase()
                        .contains(&host.to_ascii_lowercase())
                );
            }
        }
        Err(error) => refused(error, "`proxy` "),
    }
    let used = used(&config);
    assert_eq!(used.headers.len(), headers);
    for (name, value) in &used.headers {
        assert!(name.starts_with("AV-Origin-") && value.bytes().all(|b| b.is_ascii_graphic()));
    }
    match Client::new(key, &config) {
        Ok(_) => {
            assert!((1..=4_096).contains(&key.len()));
            assert!(!key.chars().any(char::is_control) && key.trim() == key);
        }
        Err(error) => refused(error, "`api_key` "),
    }
});
