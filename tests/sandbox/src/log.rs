//! The record of requests, and the counters.

use std::collections::{BTreeMap, VecDeque};

use hyper::HeaderMap;
use serde::Serialize;

use crate::reply::Reply;

/// One request as the sandbox saw it. No token is ever part of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LogEntry {
    /// Grows by one with each request, and never starts over.
    pub seq: u64,
    /// When the request had arrived, in milliseconds since the start.
    pub at_ms: u64,
    /// The method.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The number of the connection it came on.
    pub connection: u64,
    /// The `Content-Range` of the request.
    pub range: Option<String>,
    /// How many bytes of its body have been received.
    pub received: u64,
    /// What came of it, if it was handled: `done` or `refused`. Whether the
    /// client has learned of it is another matter.
    pub outcome: Option<&'static str>,
    /// Which problem it was refused with: the last part of the `type`.
    pub problem: Option<String>,
    /// The video that a chunk of an upload was added to.
    pub video_id: Option<String>,
    /// The status that was sent, if one was. Nothing of a `raw` fault is read,
    /// so it has none.
    pub status: Option<u16>,
    /// The kind of fault that struck, or `outage`.
    pub fault: Option<&'static str>,
    /// The headers that say who is asking. The value of `authorization` is
    /// only ever `present`.
    pub headers: BTreeMap<String, String>,
    /// The number of the refresh token that was presented, if it is known.
    pub refresh_token_id: Option<u64>,
    /// The number of the access token that was presented, if it is known.
    pub access_token_id: Option<u64>,
    /// The number of the pair of tokens that the request was granted.
    pub granted_refresh_token_id: Option<u64>,
}

impl LogEntry {
    /// Records what came of the request.
    pub(crate) fn handled(&mut self, reply: &Reply) {
        self.outcome = Some(match reply.is_success() {
            true => "done",
            false => "refused",
        });
        self.problem = reply.slug().map(str::to_owned);
        self.video_id = reply.json["videoId"].as_str().map(str::to_owned);
    }
}

/// How many entries are kept, so that a sandbox can run for weeks.
const CAPACITY: usize = 100_000;

/// The latest requests, oldest first.
#[derive(Default)]
pub(crate) struct Log {
    last_seq: u64,
    entries: VecDeque<LogEntry>,
}

impl Log {
    /// Adds an entry and gives it its number, which is returned.
    pub(crate) fn push(&mut self, mut entry: LogEntry) -> u64 {
        if self.entries.len() == CAPACITY {
            self.entries.pop_front();
        }
        self.last_seq += 1;
        entry.seq = self.last_seq;
        self.entries.push_back(entry);
        self.last_seq
    }

    /// The entry with this number, unless it is gone. Numbers are consecutive.
    pub(crate) fn get_mut(&mut self, seq: u64) -> Option<&mut LogEntry> {
        let first = self.entries.front()?.seq;
        let index = usize::try_from(seq.checked_sub(first)?).ok()?;
        self.entries.get_mut(index)
    }

    pub(crate) fn entries(&self) -> Vec<LogEntry> {
        self.entries.iter().cloned().collect()
    }

    /// Empties the log. Numbers go on, so that a request that is still in
    /// progress cannot be mistaken for a later one.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }
}

/// The headers worth recording, without any secret.
pub(crate) fn selected_headers(headers: &HeaderMap) -> BTreeMap<String, String> {
    headers
        .iter()
        .filter_map(|(name, value)| {
            let name = name.as_str();
            let shown = match name {
                "authorization" => "present".to_owned(),
                _ if is_recorded(name) => String::from_utf8_lossy(value.as_bytes()).into_owned(),
                _ => return None,
            };
            Some((name.to_owned(), shown))
        })
        .collect()
}

fn is_recorded(name: &str) -> bool {
    matches!(name, "content-type" | "expect" | "user-agent") || name.starts_with("av-origin-")
}

/// How many requests there were, and what became of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// All requests but those to the control endpoint.
    pub requests: u64,
    /// Those to `/auth/api-key`.
    pub api_key: EndpointCounters,
    /// Those to `/auth/refresh`.
    pub refresh: RefreshCounters,
    /// Those to `/videos`.
    pub videos: EndpointCounters,
    /// Those that brought a chunk of a video, by either door.
    pub uploads: EndpointCounters,
    /// How many connections carried at least one of them.
    pub connections: u64,
    /// How many of them were struck by a fault or an outage.
    pub faults: u64,
}

/// The requests to one endpoint.
///
/// A request that a fault kept from being handled is neither `ok` nor
/// `rejected`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct EndpointCounters {
    /// All of them.
    pub requests: u64,
    /// Those that were handled and succeeded.
    pub ok: u64,
    /// Those that were handled and failed.
    pub rejected: u64,
}

/// The requests to `/auth/refresh`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RefreshCounters {
    /// All of them.
    pub requests: u64,
    /// Those that were handled and succeeded.
    pub ok: u64,
    /// Those that were handled and failed.
    pub rejected: u64,
    /// Those that presented a refresh token that had been used before.
    pub replayed: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_recorded() {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", "Bearer secret".parse().unwrap());
        headers.insert("cookie", "secret".parse().unwrap());
        headers.insert("av-origin-client", "test:1.0".parse().unwrap());
        let selected = selected_headers(&headers);
        assert_eq!(selected["authorization"], "present");
        assert_eq!(selected["av-origin-client"], "test:1.0");
        assert_eq!(selected.len(), 2);
    }
}
