//! api.video's two authentication endpoints: what goes over the wire, and what comes back.
//!
//! The facts are those of api.video's API reference for `POST /auth/api-key` and `POST
//! /auth/refresh`.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::cache::exchange::{Endpoint, Outcome, Request};
use crate::cache::policy;
use crate::config::Server;
use crate::error::{Error, Status};
use crate::ffi::secret::Secret;
use crate::http::{Http, Reply};
use crate::problem::{self, is_api_videos, json, without_bom};
use crate::text::is_visible;

/// The endpoints, for one API key.
pub(crate) struct Auth {
    http: Arc<Http>,
    server: Server,
    api_key: Arc<Secret>,
}

impl Auth {
    pub(crate) fn new(http: Arc<Http>, server: Server, api_key: Arc<Secret>) -> Auth {
        Auth {
            http,
            server,
            api_key,
        }
    }

    fn body(&self, request: &Request) -> String {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        enum Body<'a> {
            ApiKey(&'a str),
            RefreshToken(&'a str),
        }
        let body = match request {
            Request::ApiKey { .. } => Body::ApiKey(self.api_key.as_str()),
            Request::Refresh(set) => {
                Body::RefreshToken(set.refresh_token().map_or("", Secret::as_str))
            }
        };
        serde_json::to_string(&body).unwrap_or_default()
    }

    /// The secrets that a hostile server could send back for us to log.
    fn secrets<'a>(&'a self, request: &'a Request) -> Vec<&'a str> {
        let mut secrets = vec![self.api_key.as_str()];
        if let Some(set) = request.token_set() {
            secrets.push(set.access_token());
            secrets.extend(set.refresh_token().map(Secret::as_str));
        }
        secrets
    }
}

impl Endpoint for Auth {
    fn send(&self, request: &Request, limit: Option<Duration>) -> Outcome {
        match self.http.post(request.path(), &self.body(request), limit) {
            Ok(reply) => read(request, &self.server, &reply, &self.secrets(request)),
            Err(failure) => Outcome::Failed {
                error: failure.error,
                spent: failure.sent,
                own_words: false,
            },
        }
    }
}

/// The endpoints of a client that has no API key.
pub(crate) struct NoKey;

impl Endpoint for NoKey {
    fn send(&self, _request: &Request, _limit: Option<Duration>) -> Outcome {
        Outcome::Rejected(Error::new(
            Status::KeyRejected,
            "The client was made without an API key, so it has no access token: it can upload by \
             upload token, and nothing else.",
        ))
    }
}

/// What a reply means.
///
/// A status alone proves nothing: firewalls, load balancers and sign-in pages answer with any of
/// them, in HTML or in words of their own. So a credential is refused only by 400, 401 or 403 with
/// a body of api.video's. Every other failure passes.
///
/// Who answers with a status may have passed the request on before, so all of them spend a refresh
/// token but 429, which says that the request was not dealt with.
pub(crate) fn read(request: &Request, server: &Server, reply: &Reply, secrets: &[&str]) -> Outcome {
    let failure = |status| failure_of(status, request, server, reply, secrets);
    let passing = |status| Outcome::Failed {
        error: failure(status),
        spent: status != Status::RateLimited,
        own_words: is_api_videos(&json(reply.bytes())),
    };
    match reply.status {
        200..=299 => granted(server, reply),
        400 | 401 | 403 if is_api_videos(&json(reply.bytes())) => {
            let status = match request {
                Request::ApiKey { .. } => Status::KeyRejected,
                Request::Refresh(_) => Status::RefreshRejected,
            };
            Outcome::Rejected(failure(status))
        }
        429 => passing(Status::RateLimited),
        408 | 500..=599 => passing(Status::ServerError),
        400..=499 => passing(Status::ProtocolError),
        _ => broken(
            server,
            reply,
            "a status that the endpoint does not document (redirects are not followed)",
        ),
    }
}

fn granted(server: &Server, reply: &Reply) -> Outcome {
    match &reply.body {
        Ok(body) => grant(body).unwrap_or_else(|why| broken(server, reply, why)),
        Err(why) => Outcome::Failed {
            error: Error {
                http_status: Some(reply.status),
                ..why.clone()
            },
            spent: true,
            own_words: false,
        },
    }
}

/// api.video's AccessToken.
#[derive(Deserialize)]
struct AccessToken {
    access_token: Option<String>,
    /// A string. Anything else is as good as none: an access token does without.
    refresh_token: Option<Value>,
    token_type: Option<String>,
    #[serde(default, deserialize_with = "seconds")]
    expires_in: Option<Seconds>,
}

/// A number of seconds, however it was written, or that it is none.
enum Seconds {
    Whole(i64),
    Unusable,
}

/// Understands a number and a numeric string, rounded down; `null` is as good as missing.
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Seconds>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    if value.is_null() {
        return Ok(None);
    }
    let number = match &value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    Ok(Some(match number {
        // A cast of a float that is too large gives the largest integer, which is clamped later.
        Some(n) if n.is_finite() => Seconds::Whole(n.floor() as i64),
        _ => Seconds::Unusable,
    }))
}

fn grant(body: &[u8]) -> Result<Outcome, &'static str> {
    let reply: AccessToken = serde_json::from_slice(without_bom(body))
        .map_err(|_| "its body is not the JSON of an access token")?;
    let access_token = reply
        .access_token
        .as_deref()
        .ok_or("it has no access_token")?;
    let lifetime = match reply.expires_in {
        None => policy::DEFAULT_LIFETIME,
        Some(Seconds::Whole(s)) if s > 0 => s.saturating_mul(1000).min(policy::MAX_LIFETIME),
        Some(_) => return Err("its expires_in is not a positive number of seconds"),
    };
    let kind = reply.token_type.as_deref().unwrap_or_default().trim();
    if !kind.is_empty() && !kind.eq_ignore_ascii_case("bearer") {
        return Err("its token_type is not Bearer");
    }
    if !is_visible(access_token) {
        return Err("its access_token is empty or has characters that no header may carry");
    }
    let refresh_token = reply
        .refresh_token
        .as_ref()
        .and_then(|token| token.as_str());
    let refresh_token = refresh_token.filter(|token| is_visible(token));
    let granted = Outcome::Granted {
        access_token: Secret::new(access_token),
        refresh_token: refresh_token.map(Secret::new),
        lifetime_ms: lifetime,
    };
    Ok(granted)
}

fn broken(server: &Server, reply: &Reply, why: &str) -> Outcome {
    let mut error = Error::new(
        Status::ProtocolError,
        format!(
            "The reply of {server} (HTTP {}) cannot be used: {why}.",
            reply.status
        ),
    );
    error.http_status = Some(reply.status);
    Outcome::Failed {
        error,
        spent: true,
        own_words: false,
    }
}

fn failure_of(
    status: Status,
    request: &Request,
    server: &Server,
    reply: &Reply,
    secrets: &[&str],
) -> Error {
    let problem = problem::of(reply, secrets);
    let (http, path) = (reply.status, request.path());
    let what = match (status, http) {
        (Status::KeyRejected, _) => {
            format!("{server} refused the API key; {}", server.key_advice())
        }
        (Status::RefreshRejected, _) => {
            format!("{server} refused the refresh token; authenticate again")
        }
        (Status::RateLimited, _) => format!("{server} asks to slow down"),
        (Status::ServerError, _) => format!("{server}, or a gateway before it, has a problem"),
        (_, 407) => format!(
            "A proxy before {server} asks who you are; put user and password into the proxy's URL"
        ),
        _ => format!(
            "The answer from {server} is none of api.video's to an authentication; check the base \
             URL and what stands in between, such as a proxy, a firewall or a sign-in page"
        ),
    };
    let title = match (problem.title.as_str(), &reply.body) {
        (_, Err(why)) => format!(": {}", why.message.trim_end_matches('.')),
        ("", _) => String::new(),
        (title, _) => format!(": {title}"),
    };
    Error {
        status,
        message: format!("{what} (POST {path}, HTTP {http}{title})."),
        http_status: Some(http),
        problem: Box::new(problem),
        retry_after_ms: reply.asked_ms(),
        may_be_done: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Environment};
    use crate::http::{Headers, Waits};
    use crate::token::TokenSet;

    fn server() -> Server {
        Config::default().server()
    }

    fn auth() -> Auth {
        Auth::new(
            Arc::new(Config::default().http()),
            server(),
            Arc::new(Secret::new("the key")),
        )
    }

    fn reply(status: u16, body: &str) -> Reply {
        Reply {
            status,
            headers: Headers::default(),
            waits: Waits::default(),
            kept: false,
            kept_silent: false,
            body: Ok(body.as_bytes().to_vec()),
        }
    }

    /// A reply whose head arrived and whose body did not.
    fn half_a_reply(status: u16) -> Reply {
        let why = Error::new(Status::Timeout, "No complete reply.");
        Reply {
            body: Err(why),
            ..reply(status, "")
        }
    }

    fn key_request() -> Request {
        Request::ApiKey { held: None }
    }

    fn refresh_request() -> Request {
        Request::Refresh(Arc::new(TokenSet::for_an_hour("access", Some("refresh"))))
    }

    /// How a request fails, and whether its refresh token is spent; `None` for what was rejected.
    fn failure(request: &Request, reply: &Reply) -> (Error, Option<bool>) {
        match read(request, &server(), reply, &[]) {
            Outcome::Rejected(error) => (error, None),
            Outcome::Failed { error, spent, .. } => (error, Some(spent)),
            Outcome::Granted { .. } => panic!("{} is granted", reply.status),
        }
    }

    fn lifetime(body: &str) -> Option<i64> {
        match grant(body.as_bytes()) {
            Ok(Outcome::Granted { lifetime_ms, .. }) => Some(lifetime_ms),
            _ => None,
        }
    }

    #[test]
    fn each_request_has_the_documented_path_and_body() {
        let (key, refresh) = (key_request(), refresh_request());
        assert_eq!(key.path(), "/auth/api-key");
        assert_eq!(auth().body(&key), r#"{"apiKey":"the key"}"#);
        assert_eq!(refresh.path(), "/auth/refresh");
        assert_eq!(auth().body(&refresh), r#"{"refreshToken":"refresh"}"#);
    }

    #[test]
    fn the_key_and_both_tokens_are_kept_out_of_messages() {
        let (auth, request) = (auth(), refresh_request());
        assert_eq!(auth.secrets(&request), ["the key", "access", "refresh"]);
    }

    #[test]
    fn every_documented_and_sloppy_expires_in_is_understood() {
        let with = |v: &str| lifetime(&format!(r#"{{"access_token":"a","expires_in":{v}}}"#));
        assert_eq!(lifetime(r#"{"access_token":"a"}"#), Some(3_600_000));
        assert_eq!(with("null"), Some(3_600_000));
        assert_eq!(with("3599"), Some(3_599_000));
        assert_eq!(with("3600.0"), Some(3_600_000));
        assert_eq!(with("\"3600\""), Some(3_600_000));
        assert_eq!(with("1"), Some(1_000));
        assert_eq!(with("3599.9"), Some(3_599_000), "rounded down");
        assert_eq!(with("\" 3599.9 \""), Some(3_599_000));
        for clamped in [
            "1e18",
            "86401",
            "9223372036854775807",
            "99999999999999999999",
        ] {
            assert_eq!(with(clamped), Some(86_400_000), "{clamped}");
        }
        for refused in [
            "0",
            "0.9",
            "-0.5",
            "-1",
            "-1e18",
            "\"\"",
            "\"soon\"",
            "\"3600s\"",
            "true",
            "[]",
            "{}",
            "\"NaN\"",
            "\"inf\"",
        ] {
            assert_eq!(with(refused), None, "{refused}");
        }
    }

    #[test]
    fn only_a_usable_access_token_is_taken() {
        for body in [
            "",
            "null",
            "[]",
            "{}",
            "{\"access_token\":",
            r#"{"access_token":null}"#,
            r#"{"access_token":1}"#,
            r#"{"access_token":""}"#,
            r#"{"access_token":"a b"}"#,
            r#"{"access_token":"a\r\nX: y"}"#,
            r#"{"access_token":"a\u0000"}"#,
            r#"{"access_token":"é"}"#,
            r#"{"access_token":"a","token_type":"mac"}"#,
            r#"{"access_token":"a","token_type":"bearer\r\nX: y"}"#,
            r#"{"access_token":"a","token_type":7}"#,
            "\u{feff}\u{feff}{\"access_token\":\"a\"}",
        ] {
            assert!(grant(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn what_is_odd_beside_a_good_access_token_does_not_cost_it() {
        for fields in [
            "",
            r#","refresh_token":null,"token_type":null,"extra":[1]"#,
            r#","refresh_token":"","token_type":"Bearer""#,
            r#","refresh_token":7"#,
            r#","refresh_token":true"#,
            r#","refresh_token":{"a":["b"]}"#,
            r#","refresh_token":"b\n""#,
            r#","token_type":" bearer\t""#,
            r#","token_type":"""#,
        ] {
            match grant(format!(r#"{{"access_token":"a"{fields}}}"#).as_bytes()) {
                Ok(Outcome::Granted { refresh_token, .. }) => assert!(refresh_token.is_none()),
                _ => panic!("{fields}"),
            }
        }
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_json() {
        let token = "\u{feff}{\"access_token\":\"a\"}";
        assert_eq!(lifetime(token), Some(3_600_000));
        let problem = reply(401, "\u{feff}{\"title\":\"No such key.\"}");
        let (error, _) = failure(&key_request(), &problem);
        assert_eq!(error.status, Status::KeyRejected);
        assert_eq!(error.problem.title, "No such key.");
    }

    #[test]
    fn a_token_in_a_200_is_granted() {
        let reply = reply(200, r#"{"access_token":"a"}"#);
        let outcome = read(&key_request(), &server(), &reply, &[]);
        assert!(matches!(outcome, Outcome::Granted { .. }), "{outcome:?}");
    }

    const PROBLEM: &str = r#"{"title":"A title."}"#;

    #[test]
    fn each_status_has_its_meaning() {
        for (code, status, spent) in [
            (200, Status::ProtocolError, Some(true)),
            (302, Status::ProtocolError, Some(true)),
            (400, Status::KeyRejected, None),
            (401, Status::KeyRejected, None),
            (403, Status::KeyRejected, None),
            (404, Status::ProtocolError, Some(true)),
            (407, Status::ProtocolError, Some(true)),
            (408, Status::ServerError, Some(true)),
            (422, Status::ProtocolError, Some(true)),
            (429, Status::RateLimited, Some(false)),
            (499, Status::ProtocolError, Some(true)),
            (500, Status::ServerError, Some(true)),
            (503, Status::ServerError, Some(true)),
            (599, Status::ServerError, Some(true)),
            (600, Status::ProtocolError, Some(true)),
        ] {
            let (error, s) = failure(&key_request(), &reply(code, PROBLEM));
            assert_eq!((error.status, s), (status, spent), "{code}");
            assert_eq!(error.http_status, Some(code));
        }
    }

    #[test]
    fn a_credential_is_refused_in_api_videos_words_only() {
        let refused = |body: &str| {
            let (key, refresh) = (key_request(), refresh_request());
            for status in [400, 401, 403] {
                let reply = reply(status, body);
                let told = (failure(&key, &reply), failure(&refresh, &reply));
                match (told.0.0.status, told.1.0.status) {
                    (Status::KeyRejected, Status::RefreshRejected) => {}
                    (Status::ProtocolError, Status::ProtocolError) => {
                        assert_eq!(told.1.1, Some(true), "it may have been passed on");
                        return false;
                    }
                    other => panic!("{status} {body}: {other:?}"),
                }
            }
            true
        };
        for problem in [
            PROBLEM,
            "\r\n {\"title\":\"A title.\"} ",
            r#"{"title":"A title.","status":403}"#,
            r#"{"title":"Invalid API key","status":403,"name":null,"detail":""}"#,
            r#"{"title":"Forbidden","name":"apiKey","status":403}"#,
            r#"{"type":"https://docs.api.video/reference/x","title":null,"name":"apiKey"}"#,
            r#"{"type":"https://docs.api.video/reference/x"}"#,
            r#"{"type":"https://api.video/x","title":"Forbidden","hint":"of tomorrow"}"#,
            r#"{"type":"about:blank","title":"A title."}"#,
            r#"{"type":"","title":"A title."}"#,
            r#"{"name":"apiKey"}"#,
            r#"{"name":"refreshToken","message":"No."}"#,
            r#"{"status":400,"name":"api-key"}"#,
            r#"{"status":400,"name":"x","detail":"No such key."}"#,
            r#"{"status":400,"name":null,"detail":"No such key."}"#,
            r#"{"problems":[{"title":"A title.","name":"apiKey"}]}"#,
            "{}",
            r#"{"title":"Access denied","hint":"of tomorrow"}"#,
            r#"{"type":"about:blank","title":"Forbidden","status":403,"detail":"Not you."}"#,
            r#"{"problems":[{},{"type":"https://docs.api.video/x"}],"status":400}"#,
        ] {
            assert!(refused(problem), "{problem}");
        }
        for other in [
            "",
            "<html><title>Forbidden</title></html>",
            "null",
            "[]",
            "\"title\"",
            "[{\"title\":\"A title.\"}]",
            r#"{"title":"half"#,
            r#"{"message":"Forbidden"}"#,
            r#"{"title":1,"type":null}"#,
            r#"{"type":"error","code":403}"#,
            r#"{"type":"https://developers.cloudflare.com/1020","title":"Error 1020","status":403}"#,
            r#"{"type":"https://api.video.example.com/x","title":"A title."}"#,
            r#"{"type":"https://notapi.video/x","title":"A title."}"#,
            r#"{"code":403,"message":"Forbidden"}"#,
            r#"{"status":403,"message":"Forbidden"}"#,
            r#"{"error":"Forbidden","name":"x","problems":"none"}"#,
            r#"{"status":403,"error":"Forbidden","path":"/auth/api-key"}"#,
            r#"{"type":"error"}"#,
            r#"{"type":"error","error":{"type":"forbidden"}}"#,
            r#"{"type":"https://docs.api.video.example.com/x","title":"A title."}"#,
            r#"{"type":"https://example.com/docs.api.video","title":"A title."}"#,
            r#"{"type":"https://example.com?x=.api.video","title":"A title."}"#,
            r#"{"title":"","status":403}"#,
            r#"{"detail":"No entry."}"#,
            r#"{"status":403}"#,
            r#"{"problems":[]}"#,
            r#"{"problems":[{"title":"A title."}]}"#,
            r#"{"error":"Forbidden","problems":[{}]}"#,
            r#"{"type":"https://waf.example.com/403","title":"Blocked","problems":[{"name":"apiKey"}]}"#,
            r#"{"type":"https://waf.example.com/403","name":"apiKey"}"#,
            r#"{"__type":"AccessDeniedException","message":"No."}"#,
            r#"{"Message":"User is not authorized","Type":"User"}"#,
            r#"{"fault":{"faultstring":"Invalid ApiKey"}}"#,
            r#"{"statusCode":401,"message":"Access denied due to missing subscription key."}"#,
            r#"{"error":{"code":403,"message":"No.","status":"PERMISSION_DENIED"}}"#,
        ] {
            assert!(!refused(other), "{other}");
        }
    }

    #[test]
    fn who_asks_to_wait_is_told_by_the_body() {
        let own_words =
            |code, body: &str| match read(&key_request(), &server(), &reply(code, body), &[]) {
                Outcome::Failed { own_words, .. } => own_words,
                other => panic!("{other:?}"),
            };
        for code in [429, 503] {
            assert!(own_words(code, PROBLEM), "{code}");
            assert!(!own_words(code, "<html>Busy</html>"), "{code}");
        }
        let half = read(&key_request(), &server(), &half_a_reply(429), &[]);
        assert!(matches!(
            half,
            Outcome::Failed {
                own_words: false,
                ..
            }
        ));
    }

    #[test]
    fn the_head_tells_the_status_whatever_becomes_of_the_body() {
        for (code, status, spent) in [
            (401, Status::ProtocolError, Some(true)),
            (403, Status::ProtocolError, Some(true)),
            (429, Status::RateLimited, Some(false)),
            (500, Status::ServerError, Some(true)),
            (302, Status::ProtocolError, Some(true)),
        ] {
            let (error, s) = failure(&refresh_request(), &half_a_reply(code));
            assert_eq!((error.status, s), (status, spent), "{code}");
            assert_eq!(error.http_status, Some(code));
        }
        let (error, _) = failure(&refresh_request(), &half_a_reply(500));
        let told = "(POST /auth/refresh, HTTP 500: No complete reply).";
        assert!(error.message.ends_with(told), "{error}");
        let (error, spent) = failure(&refresh_request(), &half_a_reply(200));
        assert_eq!((error.status, spent), (Status::Timeout, Some(true)));
        assert_eq!(error.http_status, Some(200));
    }

    #[test]
    fn each_refusal_says_what_it_is_and_what_to_do() {
        for (status, http, says) in [
            (Status::KeyRejected, 400, "refused the API key; check it"),
            (
                Status::RefreshRejected,
                400,
                "refresh token; authenticate again",
            ),
            (Status::RateLimited, 429, "asks to slow down"),
            (Status::ServerError, 500, "has a problem"),
            (
                Status::ProtocolError,
                403,
                "check the base URL and what stands",
            ),
            (Status::ProtocolError, 407, "into the proxy's URL"),
        ] {
            let reply = reply(http, "{}");
            let error = failure_of(status, &key_request(), &server(), &reply, &[]);
            assert!(error.message.contains(says), "{error}");
        }
    }

    #[test]
    fn every_failure_names_the_server() {
        let mut config = Config::default();
        let mut names = vec![(config.server(), "api.video's production (ws.api.video)")];
        config.set_environment(Environment::Sandbox);
        names.push((config.server(), "api.video's sandbox (sandbox.api.video)"));
        for (url, name) in [
            ("http://127.0.0.1:8790", "127.0.0.1:8790"),
            ("https://[::1]/api", "[::1]:443"),
            ("https://example.com", "example.com:443"),
        ] {
            config.set_base_url(url).unwrap();
            names.push((config.server(), name));
        }
        for (server, name) in names {
            for (status, body) in [
                (200, "{}"),
                (302, ""),
                (400, "{}"),
                (404, ""),
                (407, ""),
                (429, ""),
                (500, ""),
            ] {
                for request in [key_request(), refresh_request()] {
                    let (Outcome::Rejected(error) | Outcome::Failed { error, .. }) =
                        read(&request, &server, &reply(status, body), &[])
                    else {
                        panic!("{status} is granted");
                    };
                    assert!(error.message.contains(name), "{status}: {error}");
                }
            }
        }
    }

    #[test]
    fn a_problem_is_passed_on_as_one_line_without_the_key() {
        let body =
            r#"{"type":"https://x","title":"No\r\nkey s3\u200bcret \u202ehere","name":null}"#;
        let Outcome::Rejected(error) =
            read(&key_request(), &server(), &reply(400, body), &["s3cret"])
        else {
            panic!("a 400 is a rejection");
        };
        assert_eq!(error.problem.kind, "https://x");
        assert_eq!(error.problem.title, "No  key [redacted] here");
        assert_eq!(error.problem.name, "");
        assert!(!format!("{error:?}").contains("s3cret"));
    }

    #[test]
    fn the_first_of_the_problems_speaks_for_an_object_that_says_nothing() {
        let first = |more: &str| {
            let body = format!(r#"{{{more}"problems":[{{"title":"A.","name":"apiKey"}},{{}}]}}"#);
            let problem = failure(&key_request(), &reply(400, &body)).0.problem;
            format!("{}|{}|{}", problem.kind, problem.title, problem.name)
        };
        assert_eq!(first(""), "|A.|apiKey");
        assert_eq!(first(r#""status":400,"title":null,"#), "|A.|apiKey");
        assert_eq!(first(r#""title":"B.","#), "|B.|");
    }

    #[test]
    fn api_videos_header_counts_with_429_and_the_standard_one_with_503_too() {
        let wait = |status, rate_limit_ms, retry_after_ms| {
            let waits = Waits {
                rate_limit_ms,
                retry_after_ms,
            };
            let reply = Reply {
                waits,
                ..reply(status, PROBLEM)
            };
            failure(&key_request(), &reply).0.retry_after_ms
        };
        assert_eq!(wait(429, Some(4_000), Some(9_000)), Some(9_000));
        assert_eq!(wait(429, Some(4_000), Some(0)), Some(4_000));
        assert_eq!(wait(429, None, Some(9_000)), Some(9_000));
        assert_eq!(wait(429, None, None), None);
        assert_eq!(wait(503, Some(4_000), Some(9_000)), Some(9_000));
        assert_eq!(wait(503, Some(4_000), None), None);
        for status in [200, 302, 400, 401, 404, 408, 500, 502] {
            assert_eq!(wait(status, Some(4_000), Some(9_000)), None, "{status}");
        }
    }
}
