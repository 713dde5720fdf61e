//! What can go wrong, and the queue of rules that say when.

use std::collections::{BTreeMap, VecDeque};

use hyper::StatusCode;
use hyper::header::{CONNECTION, CONTENT_LENGTH, HeaderName, HeaderValue, TRANSFER_ENCODING};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::content_range::ContentRange;
use crate::reply::{HugeBody, LARGEST_PAGE};
use crate::request::{Endpoint, Request};

/// Which requests a rule is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum On {
    /// `/auth/api-key`
    ApiKey,
    /// `/auth/refresh`
    Refresh,
    /// Both of the above.
    Auth,
    /// `/videos`
    Videos,
    /// `/videos/{id}`
    Video,
    /// `/videos/{id}/status`
    Status,
    /// Chunks of a video: `/videos/{id}/source` and `/upload`.
    Uploads,
    /// `/upload-tokens`, and each of them.
    UploadTokens,
    /// `/webhooks`, and each of them.
    Webhooks,
    /// Every request but those to the control endpoint.
    #[default]
    Any,
}

impl On {
    fn covers(self, endpoint: Endpoint) -> bool {
        match self {
            Self::ApiKey => endpoint == Endpoint::ApiKey,
            Self::Refresh => endpoint == Endpoint::Refresh,
            Self::Auth => matches!(endpoint, Endpoint::ApiKey | Endpoint::Refresh),
            Self::Videos => endpoint == Endpoint::Videos,
            Self::Video => endpoint == Endpoint::Video,
            Self::Status => endpoint == Endpoint::Status,
            Self::Uploads => matches!(endpoint, Endpoint::Source | Endpoint::Upload),
            Self::UploadTokens => {
                matches!(endpoint, Endpoint::UploadTokens | Endpoint::UploadToken)
            }
            Self::Webhooks => matches!(endpoint, Endpoint::Webhooks | Endpoint::Webhook),
            Self::Any => true,
        }
    }
}

/// Text or arbitrary bytes. In JSON: a string, or an array of numbers 0 to 255.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a string or an array of bytes")]
pub enum Payload {
    /// Sent as UTF-8.
    Text(String),
    /// Sent as they are.
    Bytes(Vec<u8>),
}

impl Payload {
    pub(crate) fn into_bytes(self) -> bytes::Bytes {
        match self {
            Self::Text(text) => text.into(),
            Self::Bytes(bytes) => bytes.into(),
        }
    }
}

impl Default for Payload {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

impl From<&str> for Payload {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Payload {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

/// What happens to a request instead of, or on top of, its ordinary handling.
///
/// "Handled" means that the request took effect: a refresh token is used up
/// and a new pair exists, whether or not the client learns of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
#[non_exhaustive]
pub enum Fault {
    /// A given reply, without handling the request.
    Reply {
        /// The status, 200 to 999.
        status: u16,
        /// Headers by name. `Content-Type` is `application/json` if not given.
        #[serde(default)]
        headers: BTreeMap<String, String>,
        /// The body, sent as it is.
        #[serde(default)]
        body: Payload,
    },
    /// The request is handled; if that succeeds, its JSON reply is altered.
    Patch {
        /// Values that replace or join those of the reply.
        #[serde(default)]
        fields: Map<String, Value>,
        /// Names that are taken out of the reply.
        #[serde(default)]
        remove: Vec<String>,
    },
    /// These bytes in place of the whole HTTP response.
    Raw {
        /// What is sent, status line and all.
        bytes: Payload,
        /// Whether the connection then stays open, instead of an orderly close.
        #[serde(default)]
        hang: bool,
    },
    /// The request is handled; its reply has more in it than it should.
    Prepend {
        /// What comes before the status line, such as a response with a status
        /// from 100 to 199.
        #[serde(default)]
        response: Payload,
        /// What comes before the headers: lines, each with its end.
        #[serde(default)]
        headers: Payload,
        /// What comes before the body, such as a byte order mark.
        #[serde(default)]
        body: Payload,
    },
    /// A page in HTML, as a firewall, a load balancer or a sign-in page sends
    /// it in place of api.video, without handling the request.
    Gateway {
        /// The status, 200 to 999; 403 if it is not given.
        #[serde(default = "forbidden")]
        status: u16,
        /// The size of the page, up to 16 MiB; 0 for no body at all.
        #[serde(default = "page_size")]
        bytes: u64,
    },
    /// The request is handled; the connection breaks in the middle of the reply.
    Truncate {
        /// How many bytes of the response are sent, counting from the status
        /// line. The connection is closed after them even if they were all of
        /// it, but not if it has fewer.
        at: u64,
    },
    /// The connection breaks before any byte of a reply.
    Close {
        /// Whether the request is handled first, so that the reply is lost.
        #[serde(default)]
        handled: bool,
    },
    /// The connection is reset, which no peer takes for an orderly end.
    Reset {
        /// Whether the request is handled first.
        #[serde(default)]
        handled: bool,
    },
    /// The request is handled; its reply stops in the middle, and the
    /// connection stays open.
    Stall {
        /// How many bytes of the response are sent.
        at: u64,
    },
    /// The body of an upload is read no faster than this; then it is handled.
    Throttle {
        /// How many bytes in a second, 1 at least.
        bytes_per_second: u64,
    },
    /// Nothing is ever sent; the connection stays open until the client closes.
    Hang {
        /// Whether the request is handled, which it is unless told otherwise.
        #[serde(default = "yes")]
        handled: bool,
    },
    /// The request is handled; its reply comes byte by byte.
    Drip {
        /// The pause after each byte.
        interval_ms: u64,
    },
    /// The request is handled, but only after a pause.
    Delay {
        /// How long the pause is.
        ms: u64,
    },
    /// A JSON reply of a given size, without handling the request.
    Huge {
        /// The size of the body.
        bytes: u64,
        /// Whether the size is announced; otherwise the body comes in chunks.
        #[serde(default = "yes")]
        content_length: bool,
    },
    /// A redirection, without handling the request.
    Redirect {
        /// The value of the `Location` header.
        location: String,
        /// The status, 300 to 399.
        #[serde(default = "found")]
        status: u16,
    },
}

fn yes() -> bool {
    true
}

fn forbidden() -> u16 {
    StatusCode::FORBIDDEN.as_u16()
}

fn page_size() -> u64 {
    500
}

fn found() -> u16 {
    StatusCode::FOUND.as_u16()
}

impl Fault {
    /// A [`Fault::Reply`] without headers of its own.
    pub fn reply(status: u16, body: impl Into<Payload>) -> Self {
        Self::Reply {
            status,
            headers: BTreeMap::new(),
            body: body.into(),
        }
    }

    /// Adds a header to a [`Fault::Reply`]; leaves any other fault as it is.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        if let Self::Reply { headers, .. } = &mut self {
            headers.insert(name.to_owned(), value.to_owned());
        }
        self
    }

    /// A [`Fault::Patch`] that sets one field of the reply.
    pub fn patch(name: &str, value: impl Into<Value>) -> Self {
        Self::Patch {
            fields: Map::from_iter([(name.to_owned(), value.into())]),
            remove: Vec::new(),
        }
    }

    /// A [`Fault::Patch`] that takes one field out of the reply.
    #[must_use]
    pub fn without(name: &str) -> Self {
        Self::Patch {
            fields: Map::new(),
            remove: vec![name.to_owned()],
        }
    }

    /// A [`Fault::Raw`] with these bytes, and an orderly close.
    pub fn raw(bytes: impl Into<Payload>) -> Self {
        Self::Raw {
            bytes: bytes.into(),
            hang: false,
        }
    }

    /// The name of this kind of fault, as in JSON.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Reply { .. } => "reply",
            Self::Patch { .. } => "patch",
            Self::Raw { .. } => "raw",
            Self::Prepend { .. } => "prepend",
            Self::Gateway { .. } => "gateway",
            Self::Truncate { .. } => "truncate",
            Self::Close { .. } => "close",
            Self::Reset { .. } => "reset",
            Self::Stall { .. } => "stall",
            Self::Throttle { .. } => "throttle",
            Self::Hang { .. } => "hang",
            Self::Drip { .. } => "drip",
            Self::Delay { .. } => "delay",
            Self::Huge { .. } => "huge",
            Self::Redirect { .. } => "redirect",
        }
    }

    /// Refuses what could not be carried out as it says.
    fn check(&self) -> Result<(), String> {
        match self {
            Self::Reply {
                status, headers, ..
            } => check_reply(*status, headers),
            Self::Gateway { status, bytes } => check_page(*status, *bytes),
            Self::Huge { bytes, .. } => HugeBody::check_size(*bytes),
            Self::Redirect { location, status } => check_redirect(*status, location),
            Self::Throttle {
                bytes_per_second: 0,
            } => Err("a throttled body has at least 1 byte per second".to_owned()),
            _ => Ok(()),
        }
    }

    /// Whether it can strike before the body of a request has been read.
    fn can_come_early(&self) -> bool {
        match self {
            Self::Reply { .. }
            | Self::Raw { .. }
            | Self::Gateway { .. }
            | Self::Delay { .. }
            | Self::Huge { .. }
            | Self::Redirect { .. } => true,
            Self::Close { handled } | Self::Reset { handled } | Self::Hang { handled } => !handled,
            Self::Patch { .. }
            | Self::Prepend { .. }
            | Self::Truncate { .. }
            | Self::Stall { .. }
            | Self::Throttle { .. }
            | Self::Drip { .. } => false,
        }
    }
}

fn check_status(status: u16) -> Result<(), String> {
    if !(200..=999).contains(&status) {
        return Err(format!(
            "a reply's status must be 200 to 999, not {status} (use `raw` for others)"
        ));
    }
    Ok(())
}

fn check_page(status: u16, bytes: u64) -> Result<(), String> {
    if bytes > LARGEST_PAGE {
        return Err(format!("a page has at most {LARGEST_PAGE} bytes"));
    }
    check_status(status)
}

fn check_reply(status: u16, headers: &BTreeMap<String, String>) -> Result<(), String> {
    check_status(status)?;
    for (name, value) in headers {
        check_header(name, value)?;
    }
    Ok(())
}

fn check_header(name: &str, value: &str) -> Result<(), String> {
    let parsed = HeaderName::try_from(name).map_err(|_| format!("bad header name: {name:?}"))?;
    HeaderValue::try_from(value).map_err(|_| format!("bad value of header {name}: {value:?}"))?;
    // The HTTP library frames the body itself, and would trip over a wrong frame.
    if [CONTENT_LENGTH, TRANSFER_ENCODING, CONNECTION].contains(&parsed) {
        return Err(format!("header {name} cannot be set here (use `raw`)"));
    }
    Ok(())
}

fn check_redirect(status: u16, location: &str) -> Result<(), String> {
    if !(300..=399).contains(&status) {
        return Err(format!(
            "a redirect's status must be 300 to 399, not {status}"
        ));
    }
    check_header("location", location)
}

/// A fault, and the requests it strikes.
///
/// Rules stand in a queue. The first one that covers a request and has nothing
/// left to skip strikes it, and at most one does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// Which requests the rule is about.
    #[serde(default)]
    pub on: On,
    /// How many requests it strikes; 0 means all until the rule is cleared.
    #[serde(default = "once")]
    pub times: u64,
    /// How many of those requests it lets pass first.
    #[serde(default)]
    pub skip: u64,
    /// Only requests with this method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Only requests to exactly this path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Only uploads of the part with this number. A video in one request is
    /// part 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chunk: Option<u64>,
    /// Only uploads of the range that begins with this byte.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<u64>,
    /// Of an upload: after how many bytes of its body it strikes, instead of
    /// after all of them. For faults that keep a request from being handled,
    /// and for a delay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// With `after`: whether the rest of the body is read, so that the
    /// connection lives on. Otherwise it is closed behind the reply, and a
    /// client that is still sending may see it reset.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub drain: bool,
    /// What happens to the requests it strikes.
    pub fault: Fault,
}

fn once() -> u64 {
    1
}

impl FaultRule {
    /// A rule that strikes the next such request, once.
    #[must_use]
    pub fn new(on: On, fault: Fault) -> Self {
        Self {
            on,
            times: 1,
            skip: 0,
            method: None,
            path: None,
            chunk: None,
            from: None,
            after: None,
            drain: false,
            fault,
        }
    }

    /// Limits the rule to uploads of the part with this number.
    #[must_use]
    pub fn chunk(mut self, number: u64) -> Self {
        self.chunk = Some(number);
        self
    }

    /// Lets the rule strike after so many bytes of an upload's body.
    #[must_use]
    pub fn after(mut self, bytes: u64) -> Self {
        self.after = Some(bytes);
        self
    }

    /// Lets the rest of the body be read after that.
    #[must_use]
    pub fn drain(mut self) -> Self {
        self.drain = true;
        self
    }

    /// Sets how many requests the rule strikes; 0 means all.
    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.times = times;
        self
    }

    /// Sets how many requests the rule lets pass first.
    #[must_use]
    pub fn skip(mut self, skip: u64) -> Self {
        self.skip = skip;
        self
    }

    /// Whether the rule strikes this request; counts it if it is let pass.
    fn strikes(&mut self, request: &Request) -> bool {
        if !self.covers(request) {
            return false;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        true
    }

    fn covers(&self, request: &Request) -> bool {
        let has = |wanted: &Option<String>, found: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted == found)
        };
        self.on.covers(request.endpoint())
            && has(&self.method, request.method.as_str())
            && has(&self.path, &request.path)
            && self.covers_range(request)
    }

    fn covers_range(&self, request: &Request) -> bool {
        if self.chunk.is_none() && self.from.is_none() {
            return true;
        }
        let (chunk, from) = match request.range() {
            _ if !request.is_upload() => return false,
            Ok(ContentRange::Whole) => (Some(1), Some(0)),
            Ok(ContentRange::Part { number, .. }) => (Some(number), None),
            Ok(ContentRange::Bytes { from, .. }) => (None, Some(from)),
            Err(_) => return false,
        };
        self.chunk.is_none_or(|_| self.chunk == chunk)
            && self.from.is_none_or(|_| self.from == from)
    }

    fn check(&self) -> Result<(), String> {
        self.fault.check()?;
        match self.after {
            Some(_) if !self.fault.can_come_early() => Err(format!(
                "`after` cannot be with {}, which strikes after all of the body",
                self.fault.kind()
            )),
            None if self.drain => Err("`drain` needs `after`".to_owned()),
            _ => Ok(()),
        }
    }

    fn strike(&self) -> Strike {
        Strike {
            fault: self.fault.clone(),
            after: self.after,
            drain: self.drain,
        }
    }
}

/// What strikes one request.
pub(crate) struct Strike {
    pub(crate) fault: Fault,
    pub(crate) after: Option<u64>,
    pub(crate) drain: bool,
}

impl From<Fault> for Strike {
    fn from(fault: Fault) -> Self {
        FaultRule::new(On::Any, fault).strike()
    }
}

/// The rules that are still to strike, oldest first.
#[derive(Default)]
pub(crate) struct FaultQueue {
    rules: VecDeque<FaultRule>,
}

impl FaultQueue {
    /// Appends the rules, or none of them if one is wrong.
    pub(crate) fn append(&mut self, rules: Vec<FaultRule>) -> Result<(), String> {
        for rule in &rules {
            rule.check()?;
        }
        self.rules.extend(rules);
        Ok(())
    }

    pub(crate) fn clear(&mut self) {
        self.rules.clear();
    }

    pub(crate) fn rules(&self) -> &VecDeque<FaultRule> {
        &self.rules
    }

    /// The fault that strikes this request, if one does.
    pub(crate) fn next(&mut self, request: &Request) -> Option<Strike> {
        let index = self
            .rules
            .iter_mut()
            .position(|rule| rule.strikes(request))?;
        let rule = self.rules.get_mut(index)?;
        let strike = rule.strike();
        match rule.times {
            0 => {}
            1 => drop(self.rules.remove(index)),
            _ => rule.times -= 1,
        }
        Some(strike)
    }
}

/// What every request meets during an outage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OutageMode {
    /// The connection is closed without a reply.
    #[serde(rename = "close")]
    Close,
    /// A reply with status 503.
    #[default]
    #[serde(rename = "503")]
    Unavailable,
    /// Nothing is ever sent.
    #[serde(rename = "hang")]
    Hang,
}

impl OutageMode {
    pub(crate) fn fault(self) -> Fault {
        match self {
            Self::Close => Fault::Close { handled: false },
            Self::Hang => Fault::Hang { handled: false },
            Self::Unavailable => {
                let problem = crate::reply::Reply::problem(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "service-unavailable",
                    "The service is unavailable.",
                );
                Fault::reply(503, problem.json.to_string())
                    .with_header("content-type", "application/problem+json")
            }
        }
    }
}

/// Which issued tokens die.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Revoke {
    /// Every access token.
    Access,
    /// Every refresh token.
    Refresh,
    /// Both.
    All,
}

#[cfg(test)]
mod tests {
    use hyper::Method;

    use super::*;
    use crate::request::tests::request;

    fn queue(rules: Vec<FaultRule>) -> FaultQueue {
        let mut queue = FaultQueue::default();
        queue.append(rules).unwrap();
        queue
    }

    fn kind(queue: &mut FaultQueue, request: &Request) -> &'static str {
        let strike = queue.next(request);
        strike.map_or("-", |strike| strike.fault.kind())
    }

    fn kinds(queue: &mut FaultQueue, path: &str, requests: usize) -> Vec<&'static str> {
        let request = request(Method::GET, path, "");
        (0..requests).map(|_| kind(queue, &request)).collect()
    }

    fn upload(range: Option<&str>) -> Request {
        let mut request = request(Method::POST, "/videos/vi1/source", "");
        if let Some(range) = range {
            request
                .headers
                .insert("content-range", range.parse().unwrap());
        }
        request
    }

    #[test]
    fn rules_strike_in_order_and_as_often_as_they_say() {
        let mut queue = queue(vec![
            FaultRule::new(On::Any, Fault::Close { handled: false }).times(2),
            FaultRule::new(On::Any, Fault::Delay { ms: 1 }),
        ]);
        assert_eq!(
            kinds(&mut queue, "/videos", 4),
            ["close", "close", "delay", "-"]
        );
    }

    #[test]
    fn a_rule_lets_the_first_requests_pass() {
        let rule = FaultRule::new(On::Any, Fault::Close { handled: false });
        let mut queue = queue(vec![rule.skip(2).times(0)]);
        assert_eq!(kinds(&mut queue, "/other", 4), ["-", "-", "close", "close"]);
    }

    #[test]
    fn a_rule_is_about_some_endpoints_only() {
        let close = Fault::Close { handled: false };
        let mut queue = queue(vec![FaultRule::new(On::Auth, close).times(0)]);
        assert_eq!(kinds(&mut queue, "/videos", 1), ["-"]);
        assert_eq!(kinds(&mut queue, "/auth/api-key", 1), ["close"]);
        assert_eq!(kinds(&mut queue, "/auth/refresh", 1), ["close"]);
    }

    #[test]
    fn each_group_of_endpoints_has_its_name() {
        let groups = [
            (On::Videos, vec!["/videos"]),
            (On::Video, vec!["/videos/vi1"]),
            (On::Status, vec!["/videos/vi1/status"]),
            (On::Uploads, vec!["/videos/vi1/source", "/upload"]),
            (
                On::UploadTokens,
                vec!["/upload-tokens", "/upload-tokens/to1"],
            ),
            (On::Webhooks, vec!["/webhooks", "/webhooks/webhook_1"]),
        ];
        let all: Vec<&str> = groups.iter().flat_map(|(_, paths)| paths.clone()).collect();
        for (on, paths) in &groups {
            for path in &all {
                let close = Fault::Close { handled: false };
                let mut queue = queue(vec![FaultRule::new(*on, close)]);
                let struck = kinds(&mut queue, path, 1) == ["close"];
                assert_eq!(struck, paths.contains(path), "{on:?} {path}");
            }
        }
    }

    #[test]
    fn a_rule_may_be_about_one_method_and_one_path() {
        let mut rule = FaultRule::new(On::Any, Fault::Close { handled: false }).times(0);
        rule.method = Some("POST".into());
        rule.path = Some("/videos".into());
        let mut queue = queue(vec![rule]);
        for (method, path, struck) in [
            (Method::POST, "/videos", "close"),
            (Method::GET, "/videos", "-"),
            (Method::POST, "/videos/", "-"),
        ] {
            let request = request(method, path, "");
            assert_eq!(kind(&mut queue, &request), struck, "{path}");
        }
    }

    #[test]
    fn a_rule_may_be_about_one_chunk() {
        let close = Fault::Close { handled: false };
        let by_part = FaultRule::new(On::Any, close.clone()).chunk(2).times(0);
        let mut by_byte = FaultRule::new(On::Any, close).times(0);
        by_byte.from = Some(10);
        let (mut parts, mut bytes) = (queue(vec![by_part]), queue(vec![by_byte]));
        for (range, part, byte) in [
            (Some("part 2/3"), "close", "-"),
            (Some("part 2/*"), "close", "-"),
            (Some("part 1/3"), "-", "-"),
            (Some("bytes 10-19/20"), "-", "close"),
            (Some("bytes 2-19/20"), "-", "-"),
            (Some("nonsense"), "-", "-"),
            (None, "-", "-"),
        ] {
            assert_eq!(kind(&mut parts, &upload(range)), part, "{range:?}");
            assert_eq!(kind(&mut bytes, &upload(range)), byte, "{range:?}");
        }
        assert_eq!(kinds(&mut parts, "/videos", 1), ["-"]);
        let first = FaultRule::new(On::Any, Fault::Delay { ms: 1 }).chunk(1);
        assert_eq!(kind(&mut queue(vec![first]), &upload(None)), "delay");
    }

    #[test]
    fn only_some_faults_can_come_early() {
        let check = |fault: Fault| FaultRule::new(On::Any, fault).after(0).check();
        assert_eq!(check(Fault::reply(503, "")), Ok(()));
        assert_eq!(check(Fault::Reset { handled: false }), Ok(()));
        for late in [
            Fault::Reset { handled: true },
            Fault::Truncate { at: 1 },
            Fault::patch("a", 1),
        ] {
            assert!(check(late).is_err());
        }
        let undrained = FaultRule::new(On::Any, Fault::reply(503, "")).drain();
        assert!(undrained.check().is_err());
    }

    #[test]
    fn one_bad_rule_refuses_the_lot() {
        let mut queue = FaultQueue::default();
        let good = FaultRule::new(On::Any, Fault::Delay { ms: 1 });
        let bad = FaultRule::new(On::Any, Fault::reply(99, ""));
        assert!(queue.append(vec![good, bad]).is_err());
        assert!(queue.rules().is_empty());
    }
}
