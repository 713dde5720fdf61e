//! What the fuzz targets in `fuzz/` look at. cargo-fuzz alone compiles this.
#![allow(missing_docs)]

use std::sync::{Arc, LazyLock};
use std::time::SystemTime;

use crate::auth;
use crate::cache::exchange::{Outcome, Request};
use crate::cache::policy;
use crate::cache::record::StoreNow;
use crate::capi::apivideo_token;
use crate::clock::{Context, Now, SystemClock};
use crate::config::Config;
use crate::error::Error;
use crate::http::{self, Body, Headers, Http, Reply, Request as HttpRequest, Route, Waits};
use crate::request::checks::Checked;
use crate::request::refusal;
use crate::request::response::Response;
use crate::store::{redis, seal};
use crate::token::{Token, TokenSet};
use crate::upload::UploadState;
use crate::upload::chunks::Chunk;
use crate::upload::exchange::{Ask, Ingest, Received};
use crate::upload::policy::SMALLEST_CHUNK;
use crate::upload::reply::{Reader, limits};
use crate::upload::state::{Note, Settings};

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

/// An upload of a file, and the bytes that a server sends to it.
pub struct Upload<'a> {
    pub size: u64,
    /// By this upload token; otherwise an earlier upload is resumed.
    pub token: Option<&'a str>,
    pub access_token: &'a str,
    /// The server had all of a chunk before it answered.
    pub had_all: bool,
    /// The answer to each question what has arrived, and to each chunk.
    pub status: &'a [u8],
    pub receipt: &'a [u8],
}

impl Upload<'_> {
    /// Goes on until it has ended or the server says no more, and gives the errors that the program
    /// and its log got. Each byte that counts as received was listed, or sent and acknowledged.
    pub fn run(&self) -> Vec<Error> {
        let mut state = UploadState::new(self.settings());
        let (mut errors, mut now) = (Vec::new(), 0);
        for _ in 0..60 {
            let before = state.acknowledged();
            let Some(most) = self.step(&mut state, &mut now) else {
                break;
            };
            let learned = state.acknowledged().checked_sub(before);
            assert!(
                learned.is_some_and(|learned| learned <= most),
                "{learned:?}"
            );
            assert!(state.acknowledged() <= self.size);
            let notes = state.take_effects().notes.into_iter();
            errors.extend(notes.filter_map(|note| match note {
                Note::Again { error, .. } => Some(error),
                _ => None,
            }));
        }
        assert!(
            state
                .video_id()
                .is_none_or(|id| !id.contains(['/', '.', '?', '\r']))
        );
        match state.result() {
            Some(Ok(_)) => assert_eq!(state.acknowledged(), self.size),
            Some(Err(error)) => errors.push(error.clone()),
            None => {}
        }
        errors
    }

    fn settings(&self) -> Settings {
        let by_token = self.token.is_some();
        Settings {
            size: Some(self.size),
            is_pushed: false,
            chunk_size: SMALLEST_CHUNK,
            parallel: 2,
            resume: !by_token,
            by_token,
            video_id: (!by_token).then(|| "vi1".to_owned()),
            has_key: !by_token,
        }
    }

    /// Does what is to be done next, and tells how many bytes may have been learned of at most.
    fn step(&self, state: &mut UploadState, now: &mut i64) -> Option<u64> {
        let at = Context {
            now: Now {
                wall_ms: *now,
                mono_ms: *now,
            },
            random: 0.5,
        };
        match state.next(*now) {
            Ask::Send(job) => {
                let chunk = job.chunk;
                assert!(chunk.from < chunk.to && chunk.to <= self.size, "{chunk}");
                let reply = received(self.receipt)?;
                let (limits, status) = (limits(&reply), reply.status);
                let video_id = state.video_id().map(str::to_owned);
                let outcome = self.read(self.door(), video_id, |reader| reader.receipt(reply));
                assert!(outcome.is_err() || self.had_all && (200..=299).contains(&status));
                // 400: it says that it has the chunk.
                let is_there = outcome.is_ok() || status == 400;
                state.on_chunk(chunk, 1, outcome, limits, at);
                Some(if is_there { chunk.len() } else { 0 })
            }
            Ask::Status(about) => {
                let reply = received(self.status)?;
                let read = |reader: &Reader| reader.ingest(reply);
                let outcome = self.read("/videos/vi1/status", None, read);
                let listed = outcome.as_ref().map_or(0, |ingest| self.listed(ingest));
                state.on_status(about, 1, outcome, at);
                Some(listed)
            }
            Ask::Video => {
                let reply = received(self.receipt)?;
                let outcome = self.read("/videos/vi1", None, |reader| reader.video(reply));
                state.on_video(1, outcome, at);
                Some(0)
            }
            Ask::Wait(until) => {
                *now = until?;
                Some(0)
            }
            Ask::End => None,
        }
    }

    fn door(&self) -> &'static str {
        match self.token {
            Some(_) => "/upload",
            None => "/videos/vi1/source",
        }
    }

    fn read<R>(&self, path: &str, video_id: Option<String>, read: impl FnOnce(&Reader) -> R) -> R {
        let secrets: Vec<&str> = self.token.into_iter().chain([self.access_token]).collect();
        read(&Reader {
            server: &Config::default().server(),
            request: &Checked::new("GET", path, None).expect("a path"),
            secrets: &secrets,
            prefix: "",
            by_upload_token: self.token.is_some(),
            had_all: self.had_all,
            video_id: video_id.as_deref(),
        })
    }

    /// How many of the file's bytes a status lists, counted one range after the other.
    fn listed(&self, ingest: &Ingest) -> u64 {
        let mut ranges = match &ingest.received {
            _ if ingest.is_complete => vec![Chunk::new(0, self.size)],
            Received::Nothing => Vec::new(),
            Received::Bytes { ranges, .. } => ranges.clone(),
            Received::Parts { numbers, .. } => {
                let part = |number: &u64| {
                    let to = number * SMALLEST_CHUNK;
                    Chunk::new(to - SMALLEST_CHUNK, to)
                };
                numbers.iter().map(part).collect()
            }
        };
        ranges.sort_unstable();
        let mut end = 0;
        let new = |range: Chunk| {
            let to = range.to.min(self.size);
            let new = to.saturating_sub(range.from.max(end));
            end = end.max(to);
            new
        };
        ranges.into_iter().map(new).sum()
    }
}

/// Making it takes longer than all that an upload does with it.
static HTTP: LazyLock<Http> = LazyLock::new(|| Config::default().http());

fn received(raw: &[u8]) -> Option<Reply> {
    http::reply_of(&HTTP, raw, false, 16 * 1024)
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
