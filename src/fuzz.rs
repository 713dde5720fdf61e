//! What the fuzz targets in `fuzz/` look at. cargo-fuzz alone compiles this.
#![allow(missing_docs)]

use std::sync::Arc;
use std::time::SystemTime;

use crate::auth;
use crate::cache::exchange::{Outcome, Request};
use crate::cache::policy;
use crate::cache::record::StoreNow;
use crate::capi::apivideo_token;
use crate::clock::{Now, SystemClock};
use crate::config::Config;
use crate::error::Error;
use crate::http::{self, Body, Headers, Reply, Request as HttpRequest, Route, Waits};
use crate::request::checks::Checked;
use crate::request::refusal;
use crate::request::response::Response;
use crate::store::{redis, seal};
use crate::token::{Token, TokenSet};

/// What was granted: the access token, the refresh token and the life.
pub type Granted = (String, Option<String>, i64);

fn token_set(access_token: &str, refresh_token: &str) -> Arc<TokenSet> {
    Arc::new(TokenSet::for_an_hour(access_token, Some(refresh_token)))
}

/// What becomes of a reply: to an authentication with the first secret, a key, or to a refresh with
/// the others, tokens.
pub fn reply(
    status: u16,
    body: &[u8],
    refresh: bool,
    [key, access, refresh_token]: [&str; 3],
) -> Result<Granted, Error> {
    let held = token_set(access, refresh_token);
    let request = match refresh {
        true => Request::Refresh(held),
        false => Request::ApiKey { held: Some(held) },
    };
    let reply = Reply {
        status,
        headers: Headers::default(),
        waits: Waits::default(),
        body: Ok(body.to_vec()),
        kept: false,
        kept_silent: false,
    };
    let server = Config::default().server();
    match auth::read(&request, &server, &reply, &[key, access, refresh_token]) {
        Outcome::Granted {
            access_token,
            refresh_token,
            lifetime_ms,
        } => Ok((
            access_token.as_str().to_owned(),
            refresh_token.map(|token| token.as_str().to_owned()),
            lifetime_ms,
        )),
        Outcome::Rejected(error) | Outcome::Failed { error, .. } => Err(error),
    }
}

/// The head of a request to the sandbox of a program with this base URL.
pub fn head(base_url: &str, method: &str, path: &str, json: Option<&str>) -> Result<String, Error> {
    let mut config = Config::default();
    config.set_base_url(base_url)?;
    let asked = Checked::new(method, path, json)?;
    let mut json = asked.json.as_deref().map(str::as_bytes);
    let head = config.http().head(&HttpRequest {
        method: &asked.method,
        path: &asked.path,
        headers: &[("authorization", "Bearer x")],
        body: json.as_mut().map(|json| Body {
            content_type: "application/json",
            length: json.len() as u64,
            source: json,
            asks_first: false,
        }),
    });
    Ok(String::from_utf8(head).expect("all of it is ASCII"))
}

/// What the bytes that a server sends are to a request with this path: an answer, the error of a
/// refusal, or nothing at all.
pub fn answer(
    raw: &[u8],
    path: &str,
    is_head: bool,
    largest: u64,
    secret: &str,
) -> Option<Result<Response, Error>> {
    let config = Config::default();
    let reply = http::reply_of(&config.http(), raw, is_head, largest)?;
    let asked = Checked::new("GET", path, None).ok()?;
    Some(match reply {
        Reply {
            status: status @ 200..=299,
            headers,
            body: Ok(body),
            ..
        } => Ok(Response::new(status, headers, body, "")),
        reply => {
            let path = asked.secrets();
            let mut secrets: Vec<&str> = path.iter().map(String::as_str).collect();
            secrets.push(secret);
            Err(refusal::of(&reply, &config.server(), &asked, &secrets))
        }
    })
}

/// What a header asks for, and what that is taken for.
pub fn retry_after(value: &str, now: SystemTime) -> Option<(u64, i64)> {
    let asked = http::parse_retry_after(value, now)?;
    let taken = policy::clamp_retry_after(i64::try_from(asked).unwrap_or(i64::MAX));
    Some((asked, taken))
}

/// What becomes of the words of a server of Redis: a version and a record's length, or an error;
/// and the host and port of another server that they name.
pub fn redis(words: &[u8]) -> (Result<(u64, usize), Error>, Option<(String, u16)>) {
    redis::loaded(words)
}

/// Whether it is a record; then it is written as it was read, and each of its numbers is used.
pub fn record(text: &[u8], now: [i64; 2]) -> bool {
    let Some(record) = seal::decode(text) else {
        return false;
    };
    let written = seal::encode(&record);
    assert!(text.starts_with(&written), "read and written again");
    let [wall_ms, mono_ms] = now;
    let now = Now { wall_ms, mono_ms };
    for boot in [record.boot, record.boot.wrapping_add(1)] {
        let seen = record.clone().seen_at(StoreNow { now, boot });
        assert!(seen.leased_for_ms(0, now) <= policy::LEASE);
        assert!(seen.refused_for_ms(now) <= policy::RETRY_AFTER_MAX);
        assert!(seen.useful_for_ms(now) >= 0);
        if let Some(token) = seen.good_token(now) {
            let set = token.token_set(now, now, 1.0);
            assert!(set.usable_for_ms(now) <= policy::MAX_LIFETIME);
        }
    }
    true
}

/// Settings as they are used: the base URL, the headers, and the proxy's host and port.
pub struct Used {
    pub base_url: String,
    pub headers: Vec<(&'static str, String)>,
    pub proxy: Option<(String, u16)>,
}

pub fn used(config: &Config) -> Result<Used, Error> {
    let http = config.http();
    let proxy = match http.route() {
        Route::Through(proxy) => Some((proxy.host.clone(), proxy.port)),
        _ => None,
    };
    Ok(Used {
        base_url: http.base_url,
        headers: http.headers,
        proxy,
    })
}

/// A token that no client granted, as the C interface hands it out.
pub fn token(access_token: &str, refresh_token: &str) -> *const apivideo_token {
    let token = Token::new(
        token_set(access_token, refresh_token),
        Arc::new(SystemClock),
    );
    Arc::into_raw(Arc::new(token)).cast()
}
