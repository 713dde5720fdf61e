//! Every fault, at each endpoint, with and without a token: what a caller gets, when, and for how
//! many requests.
//!
//! A fault strikes the exchange with the API key, the one with the refresh token, or every one. It
//! strikes a client
//!
//! - that has no token (only the key can be sent then),
//! - whose token is due for renewal: the caller gets that token, at once and whatever happens, and
//!   the rest is the renewal's affair,
//! - whose token has expired: the caller waits for what becomes of the exchange.
//!
//! [`table`] says for each fault how an exchange that it strikes ends, and [`expect`] what follows
//! from that.

#![allow(clippy::unwrap_used)] // A test that panics has failed.

mod common;
#[path = "common/time_travel.rs"]
mod time_travel;

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, Instant};

use apivideo::{Client, Error, Status, Token};
use apivideo_sandbox::{Fault, FaultRule, On, Payload, Sandbox};
use serde_json::json;

use common::fault_proxy::{FaultProxy, Way};
use common::{assert_no_refresh_token_came_twice, client_with, config_for, eventually};
use time_travel::travel;

/// How an exchange goes wrong.
enum Trouble {
    /// The server answers, or fails to.
    Server(Fault),
    /// Nobody listens.
    Refused,
    /// The connection is closed before anything is read.
    Slammed,
    /// The client speaks TLS, and the server does not.
    HttpForTls,
}

/// How an exchange that is struck ends.
enum End {
    /// With a token of this life, in milliseconds.
    Token(i64),
    /// With this status, and that of the HTTP reply, or 0 where there is none.
    Fails(Status, u16),
}

/// What follows a refresh that is struck.
#[derive(Clone, Copy, PartialEq)]
enum Then {
    /// Nothing: it succeeds.
    Nothing,
    /// The API key, at once: the refresh token is rejected, or may be spent.
    Key,
    /// When it is time, the API key.
    LaterKey,
    /// When it is time, the same refresh token: the server has not acted on it.
    LaterRefresh,
}

struct Row {
    name: String,
    trouble: Trouble,
    end: End,
    /// When it is time for the next try, in milliseconds.
    retry: RangeInclusive<u64>,
    then: Then,
    /// How long an exchange takes, and at most a moment more.
    takes: Duration,
}

const AT_ONCE: Duration = Duration::ZERO;
/// The attempt timeout of the rows that wait for it. The others have the default of 10 s, so that
/// they are seen not to.
const TIMEOUT: Duration = Duration::from_millis(500);
/// A moment, on a machine that has other things to do.
const MOMENT: Duration = Duration::from_secs(2);
/// What the whole process may grow by, in KiB, the test's server included: that holds two copies of
/// its page of 1 MB. Replies of 200 MB and endless ones are far from it.
const MEMORY: u64 = 4 * 1024;

/// By then every next try is due, and the token that was due has expired.
const LONGEST_RETRY: Duration = Duration::from_secs(11 * 60);

const NEVER: RangeInclusive<u64> = 0..=0;
/// The first backoff.
const SOON: RangeInclusive<u64> = 100..=200;
/// What the sandbox tells with every reply: when its window of a minute ends.
const WINDOW: RangeInclusive<u64> = 1_000..=60_000;
/// The first probe of a rejected key.
const PROBE: RangeInclusive<u64> = 30_000..=37_500;

fn asked(seconds: u64) -> RangeInclusive<u64> {
    seconds * 1000..=seconds * 1000
}

const FAR_DATE: &str = "Fri, 31 Dec 9999 23:59:59 GMT";
/// And no Wednesday.
const FAR_DATE_IN_UTC: &str = "Wed, 31 Dec 9999 23:59:59 UTC";
const PAST_DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const TLS_ALERT: &str = "\x15\x03\x03\0\x02\x02\x16";
const CLOSED_AFTER_401: &str = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\n{}";

/// What firewalls, load balancers and sign-in pages answer with. Three of them are api.video's too.
const GATEWAY_STATUSES: [u16; 13] = [
    400, 401, 403, 404, 405, 407, 410, 413, 415, 418, 421, 425, 451,
];
const GATEWAY_JSON: &str = r#"{"message":"Forbidden"}"#;
const GATEWAY_PROBLEM: &str =
    r#"{"type":"https://developers.cloudflare.com/1020","title":"Error 1020","status":403}"#;

const BARE_TITLE: &str = r#"{"title":"This API key does not exist."}"#;
const PROBLEMS: &str =
    r#"{"status":400,"problems":[{"title":"This API key does not exist.","name":"apiKey"}]}"#;

const EARLY_HINTS: &str = "HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n";
const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n";

fn headers(count: usize) -> String {
    (0..count).map(|n| format!("X-{n}: y\r\n")).collect()
}

const BARE_429: &str = "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n";

fn long_header() -> String {
    format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(200_000))
}

#[rustfmt::skip]
fn table() -> Vec<Row> {
    use End::{Fails, Token};
    use Status::{KeyRejected, NetworkError, ProtocolError, RateLimited, ServerError, Timeout, TlsError};
    use Then::{Key, LaterKey, LaterRefresh, Nothing};
    use Trouble::{HttpForTls, Refused, Slammed};
    vec![
        // what goes wrong                                                                  ends
        // with                   next try    after refresh takes
        row("400",                              problem(400),                               Fails(KeyRejected, 400),    PROBE,      Key,          AT_ONCE),
        row("401",                              problem(401),                               Fails(KeyRejected, 401),    PROBE,      Key,          AT_ONCE),
        row("403",                              problem(403),                               Fails(KeyRejected, 403),    PROBE,      Key,          AT_ONCE),
        row("404 of api.video's",               problem(404),                               Fails(ProtocolError, 404),  SOON,       Key,          AT_ONCE),
        row("422",                              problem(422),                               Fails(ProtocolError, 422),  SOON,       Key,          AT_ONCE),
        row("400 with a title only",            reply(400, BARE_TITLE),                     Fails(KeyRejected, 400),    PROBE,      Key,          AT_ONCE),
        row("400 with a list of problems only", reply(400, PROBLEMS),                       Fails(KeyRejected, 400),    PROBE,      Key,          AT_ONCE),
        row("403 in a gateway's JSON",          reply(403, GATEWAY_JSON),                   Fails(ProtocolError, 403),  SOON,       Key,          AT_ONCE),
        row("403 in a gateway's problem",       reply(403, GATEWAY_PROBLEM),                Fails(ProtocolError, 403),  SOON,       Key,          AT_ONCE),
        row("401, then closed",                 raw(CLOSED_AFTER_401),                      Fails(KeyRejected, 401),    PROBE,      Key,          AT_ONCE),
        row("408",                              problem(408),                               Fails(ServerError, 408),    SOON,       Key,          AT_ONCE),
        row("429 as api.video sends it",        problem(429),                               Fails(RateLimited, 429),    WINDOW,     LaterRefresh, AT_ONCE),
        row("429 that says no more",            raw(BARE_429),                              Fails(RateLimited, 429),    SOON,       LaterRefresh, AT_ONCE),
        row("429 for 7 s",                      wait(429, "Retry-After", "7"),              Fails(RateLimited, 429),    asked(7),   LaterRefresh, AT_ONCE),
        row("429 for 9 s in api.video's way",   wait(429, "X-RateLimit-Retry-After", "9"),  Fails(RateLimited, 429),    asked(9),   LaterRefresh, AT_ONCE),
        row("429 for years",                    wait(429, "Retry-After", "999999999"),      Fails(RateLimited, 429),    asked(600), LaterRefresh, AT_ONCE),
        row("429 until a date",                 wait(429, "Retry-After", FAR_DATE),         Fails(RateLimited, 429),    asked(600), LaterRefresh, AT_ONCE),
        row("429 until a date in the past",     wait(429, "Retry-After", PAST_DATE),        Fails(RateLimited, 429),    asked(1),   LaterRefresh, AT_ONCE),
        row("429 with garbage",                 wait(429, "Retry-After", "soon"),           Fails(RateLimited, 429),    SOON,       LaterRefresh, AT_ONCE),
        row("429 for 9 s, and for 7",           both_ways(429, "9", "7"),                   Fails(RateLimited, 429),    asked(9),   LaterRefresh, AT_ONCE),
        row("429 for 7 s, and for none",        both_ways(429, "0", "7"),                   Fails(RateLimited, 429),    asked(7),   LaterRefresh, AT_ONCE),
        row("429 for 7.5 s",                    wait(429, "Retry-After", "7.5"),            Fails(RateLimited, 429),    asked(8), LaterRefresh, AT_ONCE),
        row("429 for 9.5 s, in its own way",    window(429, "9.5"),                         Fails(RateLimited, 429),    asked(10), LaterRefresh, AT_ONCE),
        row("503 for +7s",                      wait(503, "Retry-After", "+7s"),            Fails(ServerError, 503),    asked(7),   LaterKey,     AT_ONCE),
        row("503 until a date in UTC",          wait(503, "Retry-After", FAR_DATE_IN_UTC),  Fails(ServerError, 503),    asked(600), LaterKey,     AT_ONCE),
        row("503 for 7 s, in a window of 42",   both_ways(503, "42", "7"),                  Fails(ServerError, 503),    asked(7),   LaterKey,     AT_ONCE),
        row("500 with HTML",                    gateway(500, 500),                          Fails(ServerError, 500),    SOON,       Key,          AT_ONCE),
        row("502 without a body",               gateway(502, 0),                            Fails(ServerError, 502),    SOON,       Key,          AT_ONCE),
        row("503",                              problem(503),                               Fails(ServerError, 503),    SOON,       Key,          AT_ONCE),
        row("503 for 7 s",                      wait(503, "Retry-After", "7"),              Fails(ServerError, 503),    asked(7),   LaterKey,     AT_ONCE),
        row("503 with garbage",                 wait(503, "Retry-After", "soon"),           Fails(ServerError, 503),    SOON,       Key,          AT_ONCE),
        row("500, and the window ends in 42 s", window(500, "42"),                          Fails(ServerError, 500),    SOON,       Key,          AT_ONCE),
        row("502, and the window ends in 42 s", window(502, "42"),                          Fails(ServerError, 502),    SOON,       Key,          AT_ONCE),
        row("503, and the window ends in 42 s", window(503, "42"),                          Fails(ServerError, 503),    SOON,       Key,          AT_ONCE),
        row("408, and the window ends in 42 s", window(408, "42"),                          Fails(ServerError, 408),    SOON,       Key,          AT_ONCE),
        row("302, and the window ends in 42 s", window(302, "42"),                          Fails(ProtocolError, 302),  SOON,       Key,          AT_ONCE),
        row("a 200 of no use in such a window", window(200, "42"),                          Fails(ProtocolError, 200),  SOON,       Key,          AT_ONCE),
        row("a refusal in such a window",       window(401, "42"),                          Fails(KeyRejected, 401),    PROBE,      Key,          AT_ONCE),
        row("500 with Retry-After",             wait(500, "Retry-After", "42"),             Fails(ServerError, 500),    SOON,       Key,          AT_ONCE),
        row("404 with Retry-After",             wait(404, "Retry-After", "42"),             Fails(ProtocolError, 404),  SOON,       Key,          AT_ONCE),
        row("429 until a date, a clock behind", until(429, "08:40:00", "08:40:07"),         Fails(RateLimited, 429),    asked(7),   LaterRefresh, AT_ONCE),
        row("503 until a date, a clock behind", until(503, "08:40:00", "08:40:07"),         Fails(ServerError, 503),    asked(7),   LaterKey,     AT_ONCE),
        row("429 whose body hangs",             hanging(429, 9),                            Fails(RateLimited, 429),    asked(9),   LaterRefresh, TIMEOUT),
        row("500 whose body hangs",             hanging(500, 9),                            Fails(ServerError, 500),    SOON,       Key,          TIMEOUT),
        row("403 whose body hangs",             hanging(403, 9),                            Fails(ProtocolError, 403),  SOON,       Key,          TIMEOUT),
        row("a 200 whose body hangs",           hanging(200, 9),                            Fails(Timeout, 200),        SOON,       Key,          TIMEOUT),
        row("500 with 1 MB of HTML",            gateway(500, 1_000_000),                    Fails(ServerError, 500),    SOON,       Key,          AT_ONCE),
        row("204",                              reply(204, ""),                             Fails(ProtocolError, 204),  SOON,       Key,          AT_ONCE),
        row("redirect to another host",         redirect(302, "http://example.com/x"),      Fails(ProtocolError, 302),  SOON,       Key,          AT_ONCE),
        row("redirect that keeps the method",   redirect(307, "/auth/api-key"),             Fails(ProtocolError, 307),  SOON,       Key,          AT_ONCE),

        row("empty body",                       reply(200, ""),                             Fails(ProtocolError, 200),  SOON,       Key,          AT_ONCE),
        row("null",                             reply(200, "null"),                         Fails(ProtocolError, 200),  SOON,       Key,          AT_ONCE),
        row("array",                            reply(200, "[]"),                           Fails(ProtocolError, 200),  SOON,       Key,          AT_ONCE),
        row("no JSON",                          reply(200, "token=abc"),                    Fails(ProtocolError, 200),  SOON,       Key,          AT_ONCE),
        row("half of the JSON",                 reply(200, "{\"access_token\":\"a"),        Fails(ProtocolError, 200),  SOON,       Key,          AT_ONCE),
        row("deep JSON",                        reply(200, "[".repeat(60_000)),             Fails(ProtocolError, 200),  SOON,       Key,          AT_ONCE),
        row("no UTF-8",                         reply(200, vec![b'"', 0xff, b'"']),         Fails(ProtocolError, 200),  SOON,       Key,          AT_ONCE),
        row("no access_token",                  Fault::without("access_token"),             Fails(ProtocolError, 200),  SOON,       Key,          AT_ONCE),
        row("CRLF in the token",                set("access_token", "a\r\nX: y"),           Fails(ProtocolError, 200),  SOON,       Key,          AT_ONCE),
        row("NUL in the token",                 set("access_token", "a\0b"),                Fails(ProtocolError, 200),  SOON,       Key,          AT_ONCE),
        row("NUL in the refresh token",         set("refresh_token", "a\0b"),               Token(3_600_000),           NEVER,      Nothing,      AT_ONCE),
        row("a number for a refresh token",     set("refresh_token", 7),                    Token(3_600_000),           NEVER,      Nothing,      AT_ONCE),
        row("an object for a refresh token",    set("refresh_token", json!({"id": 7})),     Token(3_600_000),           NEVER,      Nothing,      AT_ONCE),
        row("token_type with blanks",           set("token_type", " bearer "),              Token(3_600_000),           NEVER,      Nothing,      AT_ONCE),
        row("token_type of another kind",       set("token_type", "mac"),                   Fails(ProtocolError, 200),  SOON,       Key,          AT_ONCE),
        row("expires_in 0",                     set("expires_in", 0),                       Fails(ProtocolError, 200),  SOON,       Key,          AT_ONCE),
        row("expires_in -1",                    set("expires_in", -1),                      Fails(ProtocolError, 200),  SOON,       Key,          AT_ONCE),
        row("expires_in 0.9",                   set("expires_in", 0.9),                     Fails(ProtocolError, 200),  SOON,       Key,          AT_ONCE),
        row("expires_in 3599.9",                set("expires_in", 3599.9),                  Token(3_599_000),           NEVER,      Nothing,      AT_ONCE),
        row("expires_in of letters",            set("expires_in", "soon"),                  Fails(ProtocolError, 200),  SOON,       Key,          AT_ONCE),
        row("expires_in 3599.0",                set("expires_in", 3599.0),                  Token(3_599_000),           NEVER,      Nothing,      AT_ONCE),
        row("expires_in in quotes",             set("expires_in", "3599"),                  Token(3_599_000),           NEVER,      Nothing,      AT_ONCE),
        row("expires_in 1e18",                  set("expires_in", 1e18),                    Token(86_400_000),          NEVER,      Nothing,      AT_ONCE),
        row("expires_in null",                  set("expires_in", ()),                      Token(3_600_000),           NEVER,      Nothing,      AT_ONCE),
        row("no expires_in",                    Fault::without("expires_in"),               Token(3_600_000),           NEVER,      Nothing,      AT_ONCE),

        row("103 before the reply",             before(EARLY_HINTS, "", ""),                Token(3_600_000),           NEVER,      Nothing,      AT_ONCE),
        row("100 and 102 before the reply",     before(CONTINUE, "", ""),                   Token(3_600_000),           NEVER,      Nothing,      AT_ONCE),
        row("100 headers more",                 before("", headers(100), ""),               Token(3_600_000),           NEVER,      Nothing,      AT_ONCE),
        row("200 headers more",                 before("", headers(200), ""),               Token(3_600_000),           NEVER,      Nothing,      AT_ONCE),
        row("a folded header",                  before("", "X-Folded: a\r\n b\r\n", ""),    Token(3_600_000),           NEVER,      Nothing,      AT_ONCE),
        row("an empty line before the reply",   before("\r\n", "X-Folded: a\r\n b\r\n", ""), Token(3_600_000),           NEVER,      Nothing,      AT_ONCE),
        row("a byte order mark",                before("", "", "\u{feff}"),                 Token(3_600_000),           NEVER,      Nothing,      AT_ONCE),

        row("no HTTP",                          raw("\u{1}garbage\r\n\r\n"),                 Fails(ProtocolError, 0),    SOON,       Key,          AT_ONCE),
        row("an HTTP/2 preface",                raw("PRI * HTTP/2.0\r\n\r\n"),               Fails(ProtocolError, 0),    SOON,       Key,          AT_ONCE),
        row("a header of 200 KB",               raw(long_header()),                          Fails(ProtocolError, 0),    SOON,       Key,          AT_ONCE),
        row("a body of 64 KiB",                 huge(65_536, true),                         Fails(ProtocolError, 200),  SOON,       Key,          AT_ONCE),
        row("a body of 64 KiB and a byte",      huge(65_537, true),                         Fails(ProtocolError, 200),  SOON,       Key,          AT_ONCE),
        row("a body of 200 MB",                 huge(200_000_000, true),                    Fails(ProtocolError, 200),  SOON,       Key,          AT_ONCE),
        row("a body without an end",            huge(u64::MAX, false),                      Fails(ProtocolError, 200),  SOON,       Key,          AT_ONCE),
        row("half of the reply",                Fault::Truncate { at: 1_000 },              Fails(NetworkError, 200),   SOON,       Key,          AT_ONCE),
        row("no reply",                         raw(""),                                     Fails(NetworkError, 0),     SOON,       Key,          AT_ONCE),
        row("closed before the reply",          Fault::Close { handled: false },            Fails(NetworkError, 0),     SOON,       Key,          AT_ONCE),
        row("closed, but carried out",          Fault::Close { handled: true },             Fails(NetworkError, 0),     SOON,       Key,          AT_ONCE),
        row("hangs",                            Fault::Hang { handled: false },             Fails(Timeout, 0),          SOON,       Key,          TIMEOUT),
        row("hangs, but carried out",           Fault::Hang { handled: true },              Fails(Timeout, 0),          SOON,       Key,          TIMEOUT),
        row("drips",                            Fault::Drip { interval_ms: 20 },            Fails(Timeout, 0),          SOON,       Key,          TIMEOUT),
        row("closed before the request",        Slammed,                                    Fails(NetworkError, 0),     SOON,       Key,          AT_ONCE),
        row("TLS where HTTP is expected",       raw(TLS_ALERT),                             Fails(ProtocolError, 0),    SOON,       Key,          AT_ONCE),
        row("HTTP where TLS is expected",       HttpForTls,                                 Fails(TlsError, 0),         SOON,       LaterRefresh, AT_ONCE),
        row("refused",                          Refused,                                    Fails(NetworkError, 0),     SOON,       LaterRefresh, AT_ONCE),
    ]
}

/// A status without a word of api.video's, with somebody else's or with none: it passes.
fn gateways() -> impl Iterator<Item = Row> {
    GATEWAY_STATUSES.into_iter().flat_map(|status| {
        let row = |what, bytes| {
            let trouble = gateway(status, bytes);
            let end = End::Fails(Status::ProtocolError, status);
            let name = format!("{status} {what}");
            row(name, trouble, end, SOON, Then::Key, AT_ONCE)
        };
        [row("with a page", 500), row("without a body", 0)]
    })
}

fn row(
    name: impl Into<String>,
    trouble: impl Into<Trouble>,
    end: End,
    retry: RangeInclusive<u64>,
    then: Then,
    takes: Duration,
) -> Row {
    Row {
        name: name.into(),
        trouble: trouble.into(),
        end,
        retry,
        then,
        takes,
    }
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Trouble {
        Trouble::Server(fault)
    }
}

fn reply(status: u16, body: impl Into<Payload>) -> Fault {
    Fault::reply(status, body)
}

fn raw(bytes: impl Into<Payload>) -> Fault {
    Fault::raw(bytes)
}

fn problem(status: u16) -> Fault {
    reply(
        status,
        r#"{"type":"https://docs.api.video/reference/x","title":"A title."}"#,
    )
}

fn wait(status: u16, header: &str, value: &str) -> Fault {
    problem(status).with_header(header, value)
}

/// A reply as api.video sends it: the window of requests ends in so many seconds.
fn window(status: u16, seconds: &str) -> Fault {
    wait(status, "X-RateLimit-Retry-After", seconds)
}

/// api.video's header and the standard one.
fn both_ways(status: u16, window_s: &str, retry_after_s: &str) -> Fault {
    window(status, window_s).with_header("Retry-After", retry_after_s)
}

/// A server that has an morning of 1994, and asks to wait until later in it.
fn until(status: u16, now: &str, then: &str) -> Fault {
    let date = |time| format!("Sun, 06 Nov 1994 {time} GMT");
    wait(status, "Retry-After", &date(then)).with_header("Date", &date(now))
}

/// What arrives is the head, with a delay in it, and no byte of the body.
fn hanging(status: u16, retry_after_s: u64) -> Fault {
    let head =
        format!("HTTP/1.1 {status} X\r\nRetry-After: {retry_after_s}\r\nContent-Length: 9\r\n\r\n");
    Fault::Raw {
        bytes: head.into(),
        hang: true,
    }
}

fn gateway(status: u16, bytes: u64) -> Fault {
    Fault::Gateway { status, bytes }
}

/// A good reply, with more before it, its headers and its body.
fn before(
    response: impl Into<Payload>,
    headers: impl Into<Payload>,
    body: impl Into<Payload>,
) -> Fault {
    Fault::Prepend {
        response: response.into(),
        headers: headers.into(),
        body: body.into(),
    }
}

fn redirect(status: u16, location: &str) -> Fault {
    Fault::Redirect {
        location: location.to_owned(),
        status,
    }
}

fn set(field: &str, value: impl Into<serde_json::Value>) -> Fault {
    Fault::patch(field, value)
}

fn huge(bytes: u64, content_length: bool) -> Fault {
    Fault::Huge {
        bytes,
        content_length,
    }
}

/// What the client has when it is struck.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Held {
    Nothing,
    DueToken,
    ExpiredToken,
}

/// Which exchanges are struck: the first, which is with the key or with the refresh token, or every
/// one.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Struck {
    Key,
    Refresh,
    Both,
}

const CELLS: [(Held, Struck); 7] = [
    (Held::Nothing, Struck::Key),
    (Held::DueToken, Struck::Key),
    (Held::DueToken, Struck::Refresh),
    (Held::DueToken, Struck::Both),
    (Held::ExpiredToken, Struck::Key),
    (Held::ExpiredToken, Struck::Refresh),
    (Held::ExpiredToken, Struck::Both),
];

/// Requests: with the refresh token, and with the key.
type Requests = (u64, u64);

struct Expected {
    /// There is a new token in spite of the fault.
    renewed: bool,
    requests: Requests,
    /// Those that follow when the fault is gone.
    later: Requests,
}

fn expect(row: &Row, struck: Struck) -> Expected {
    let (renewed, requests) = match (struck, row.then) {
        (Struck::Key, then) => (then == Then::Nothing, (0, 1)),
        (_, Then::Nothing) => (true, (1, 0)),
        (Struck::Refresh, Then::Key) => (true, (1, 1)),
        (Struck::Both, Then::Key) => (false, (1, 1)),
        (_, Then::LaterKey | Then::LaterRefresh) => (false, (1, 0)),
    };
    let later = match (renewed, struck, row.then) {
        (true, ..) => (0, 0),
        (_, Struck::Refresh | Struck::Both, Then::LaterRefresh) => (1, 0),
        _ => (0, 1),
    };
    Expected {
        renewed,
        requests,
        later,
    }
}

/// The servers, and the doors before them.
struct Stage {
    plain: Sandbox,
    secure: Sandbox,
    door_to_plain: FaultProxy,
    door_to_secure: FaultProxy,
}

impl Stage {
    fn new() -> Stage {
        let (plain, secure) = (common::sandbox(), common::tls_sandbox());
        Stage {
            door_to_plain: FaultProxy::before(plain.address()),
            door_to_secure: FaultProxy::before(secure.address()),
            plain,
            secure,
        }
    }

    fn server(&self, trouble: &Trouble) -> &Sandbox {
        match trouble {
            Trouble::HttpForTls => &self.secure,
            _ => &self.plain,
        }
    }

    fn client(&self, row: &Row) -> Client {
        let server = self.server(&row.trouble);
        let url = match row.trouble {
            Trouble::Server(_) | Trouble::Refused => server.base_url().to_owned(),
            Trouble::Slammed => format!("http://{}", self.door_to_plain.address()),
            Trouble::HttpForTls => format!("https://{}", self.door_to_secure.address()),
        };
        let mut config = config_for(&url, server);
        if !row.takes.is_zero() {
            let timeout = u32::try_from(row.takes.as_millis()).unwrap();
            config.set_attempt_timeout_ms(timeout).unwrap();
        }
        client_with(&config)
    }

    /// A token that is as the cell wants it. With one that cannot be refreshed, the first exchange
    /// is with the key.
    fn hold(&self, row: &Row, client: &Client, held: Held, struck: Struck) -> Option<Arc<Token>> {
        let age = match held {
            Held::Nothing => return None,
            Held::DueToken => Duration::from_secs(50 * 60),
            Held::ExpiredToken => Duration::from_secs(61 * 60),
        };
        if struck == Struck::Key {
            let alone = FaultRule::new(On::ApiKey, Fault::without("refresh_token"));
            self.server(&row.trouble).fault(alone);
        }
        let token = client.get_token().unwrap();
        travel(age);
        Some(token)
    }

    fn strike(&self, trouble: &Trouble, struck: Struck) {
        let times = if struck == Struck::Both { 2 } else { 1 };
        match trouble {
            Trouble::Server(fault) => {
                let rule = FaultRule::new(On::Auth, fault.clone());
                self.plain.fault(rule.times(times));
            }
            Trouble::Refused => self.plain.stop_listening().unwrap(),
            Trouble::Slammed => self.door_to_plain.strike(Way::CutRequest(0), times),
            Trouble::HttpForTls => {
                let way = Way::To(self.plain.address());
                self.door_to_secure.strike(way, times);
            }
        }
    }

    fn heal(&self) {
        self.plain.clear_faults();
        self.plain.start_listening().unwrap();
        self.door_to_plain.heal();
        self.door_to_secure.heal();
    }
}

/// One fault in one situation.
struct Cell<'a> {
    stage: &'a Stage,
    row: &'a Row,
    held: Held,
    struck: Struck,
}

impl fmt::Display for Cell<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, held, struck) = (&self.row.name, self.held, self.struck);
        write!(f, "«{name}» strikes {struck:?}, at hand: {held:?}")
    }
}

impl Cell<'_> {
    fn check(&self) {
        let server = self.stage.server(&self.row.trouble);
        server.reset();
        let client = self.stage.client(self.row);
        let held = self.stage.hold(self.row, &client, self.held, self.struck);
        let before = requests(&client);

        self.stage.strike(&self.row.trouble, self.struck);
        let answer = self.ask_under_watch(&client);
        self.check_answer(answer, held.as_deref(), &client);
        let expected = expect(self.row, self.struck);
        assert_eq!(since(before, &client), expected.requests, "{self}");

        let before = requests(&client);
        self.stage.heal();
        travel(LONGEST_RETRY);
        let recovered = client.get_token();
        assert!(recovered.is_ok(), "{self}, afterwards: {recovered:?}");
        assert_eq!(since(before, &client), expected.later, "{self}, afterwards");
        if self.row.then != Then::LaterRefresh {
            assert_no_refresh_token_came_twice(server);
        }
        assert_eq!(server.counters().refresh.replayed, 0, "{self}");
    }

    /// The answer, which comes in time; the renewal, if it goes on behind it, takes no more memory
    /// than it may.
    fn ask_under_watch(&self, client: &Client) -> Result<Arc<Token>, Error> {
        let memory = Memory::watch();
        let start = Instant::now();
        let answer = client.get_token();
        let waited = start.elapsed();
        eventually("the end of the flight", || {
            client.statistics().exchanges_in_flight == 0
        });
        let allowed = match self.held {
            // It does not wait for the exchange.
            Held::DueToken if self.row.takes > AT_ONCE => self.row.takes,
            Held::DueToken => MOMENT,
            Held::Nothing | Held::ExpiredToken => 2 * self.row.takes + MOMENT,
        };
        assert!(waited < allowed, "{self}: waited {waited:?}");
        let grown = memory.grown_by_kib();
        assert!(grown <= MEMORY, "{self}: memory grew by {grown} KiB");
        answer
    }

    fn check_answer(
        &self,
        answer: Result<Arc<Token>, Error>,
        held: Option<&Token>,
        client: &Client,
    ) {
        let renewed = expect(self.row, self.struck).renewed;
        let now = client.token_id();
        match (self.held, held, answer) {
            (Held::DueToken, Some(held), Ok(token)) => {
                assert_eq!(token.id(), held.id(), "{self}");
                assert_eq!(now != Some(held.id()), renewed, "{self}");
                let retry = client.statistics().retry_in_ms;
                assert!(renewed || retry <= *self.row.retry.end(), "{self}: {retry}");
            }
            (_, _, Ok(token)) if renewed => {
                assert_eq!(now, Some(token.id()), "{self}");
                self.check_token(&token);
            }
            (_, _, Err(error)) if !renewed => {
                assert_eq!(now, None, "{self}: nothing is published");
                self.check_error(&error);
            }
            (_, _, answer) => panic!("{self}: {answer:?}"),
        }
    }

    fn check_token(&self, token: &Token) {
        if let End::Token(lifetime_ms) = self.row.end {
            assert_eq!(token.lifetime_ms(), lifetime_ms, "{self}");
        }
    }

    fn check_error(&self, error: &Error) {
        let End::Fails(status, http) = self.row.end else {
            panic!("{self}: {error}");
        };
        let ended = (error.status, error.http_status.unwrap_or(0));
        assert_eq!(ended, (status, http), "{self}: {error}");
        let retry = error.retry_after_ms.unwrap_or(0);
        assert!(self.row.retry.contains(&retry), "{self}: {retry} ms");
        let mends = status != Status::KeyRejected;
        assert_eq!(error.is_retryable(), mends, "{self}");
    }
}

fn requests(client: &Client) -> Requests {
    let statistics = client.statistics();
    let (refreshes, keys) = (
        statistics.refresh_requests,
        statistics.authenticate_requests,
    );
    (refreshes, keys)
}

fn since(before: Requests, client: &Client) -> Requests {
    let now = requests(client);
    (now.0 - before.0, now.1 - before.1)
}

/// The peak of this process's resident memory, servers and all, where the system can tell.
struct Memory {
    before_kib: Option<u64>,
}

impl Memory {
    fn watch() -> Memory {
        // Linux: forgets the peak.
        let reset = std::fs::write("/proc/self/clear_refs", "5");
        Memory {
            before_kib: reset.ok().and_then(|()| peak_kib()),
        }
    }

    fn grown_by_kib(&self) -> u64 {
        let now = self
            .before_kib
            .and_then(|before| Some((before, peak_kib()?)));
        now.map_or(0, |(before, peak)| peak.saturating_sub(before))
    }
}

fn peak_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let peak = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    peak.split_whitespace().nth(1)?.parse().ok()
}

/// One test: they share a clock.
#[test]
fn every_fault_ends_as_the_table_says_and_is_recovered_from() {
    let stage = Stage::new();
    let rows: Vec<Row> = table().into_iter().chain(gateways()).collect();
    let start = Instant::now();
    for row in &rows {
        for (held, struck) in CELLS {
            let cell = Cell {
                stage: &stage,
                row,
                held,
                struck,
            };
            cell.check();
        }
    }
    println!(
        "{} faults, {} situations each, in {:?}",
        rows.len(),
        CELLS.len(),
        start.elapsed()
    );
}
