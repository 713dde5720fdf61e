//! api.video's two authentication endpoints: what goes over the wire, and what comes back.
//!
//! The facts are those of api.video's API reference for `POST /auth/api-key` and `POST /auth/refresh`.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};

use crate::error::{Error, Problem, Status};
use crate::ffi::secret::Secret;
use crate::http::{Http, Reply, Waits};
use crate::keeper::Endpoint;
use crate::keeper::policy;
use crate::keeper::state::{Outcome, Request};
use crate::text::one_line;

/// The longest text of a server's that is passed on.
const LONGEST_TEXT: usize = 300;
/// A longer word in such a text may be a key or a token that we no longer know.
const LONGEST_WORD: usize = 40;
const REDACTED: &str = "[redacted]";

/// The endpoints, for one API key.
pub(crate) struct Auth {
    http: Http,
    api_key: Secret,
}

impl Auth {
    pub(crate) fn new(http: Http, api_key: &str) -> Auth {
        Auth {
            http,
            api_key: Secret::new(api_key),
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
            Request::Refresh(grant) => {
                Body::RefreshToken(grant.refresh_token().map_or("", Secret::as_str))
            }
        };
        serde_json::to_string(&body).unwrap_or_default()
    }

    /// The secrets that a hostile server could send back for us to log.
    fn secrets<'a>(&'a self, request: &'a Request) -> Vec<&'a str> {
        let mut secrets = vec![self.api_key.as_str()];
        if let Some(grant) = request.grant() {
            secrets.push(grant.access_token());
            secrets.extend(grant.refresh_token().map(Secret::as_str));
        }
        secrets
    }
}

impl Endpoint for Auth {
    fn send(&self, request: &Request, limit: Option<Duration>) -> Outcome {
        match self.http.post(request.path(), &self.body(request), limit) {
            Ok(reply) => read(request, &reply, &self.secrets(request)),
            Err(failure) => Outcome::Failed {
                error: failure.error,
                spent: failure.sent,
            },
        }
    }
}

/// What a reply means.
pub(crate) fn read(request: &Request, reply: &Reply, secrets: &[&str]) -> Outcome {
    let body = match (&reply.body, reply.status) {
        (Ok(body), _) => body,
        // What these mean is known without the body.
        (Err(_), 408 | 429 | 500..=599) => &Vec::new(),
        (Err(why), _) => {
            return Outcome::Failed {
                error: why.clone(),
                spent: true,
            };
        }
    };
    let problem = || problem(body, secrets);
    match reply.status {
        200..=299 => match grant(body) {
            Ok(granted) => granted,
            Err(why) => Outcome::Failed {
                error: broken(reply, why),
                spent: true,
            },
        },
        429 => Outcome::Failed {
            error: refusal(Status::RateLimited, reply, request, problem()),
            spent: false,
        },
        400..=499 if reply.status != 408 => {
            let status = match request {
                Request::ApiKey { .. } => Status::KeyRejected,
                Request::Refresh(_) => Status::RefreshRejected,
            };
            Outcome::Rejected(refusal(status, reply, request, problem()))
        }
        408 | 500..=599 => Outcome::Failed {
            error: refusal(Status::ServerError, reply, request, problem()),
            spent: true,
        },
        _ => Outcome::Failed {
            error: broken(
                reply,
                "a status that the endpoint does not document (redirects are not followed)",
            ),
            spent: true,
        },
    }
}

/// api.video's AccessToken.
#[derive(Deserialize)]
struct AccessToken {
    access_token: Option<String>,
    refresh_token: Option<String>,
    token_type: Option<String>,
    #[serde(default, deserialize_with = "seconds")]
    expires_in: Option<Seconds>,
}

/// A number of seconds, however it was written, or that it is none.
enum Seconds {
    Whole(i64),
    Unusable,
}

/// Understands an integer, an integral float and a numeric string; `null` is as good as missing.
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Seconds>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    if value.is_null() {
        return Ok(None);
    }
    let number = match &value {
        serde_json::Value::Number(number) => number.as_f64(),
        serde_json::Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    Ok(Some(match number {
        // A cast of a float that is too large gives the largest integer, which is clamped later.
        Some(n) if n.is_finite() && n.fract() == 0.0 => Seconds::Whole(n as i64),
        _ => Seconds::Unusable,
    }))
}

fn grant(body: &[u8]) -> Result<Outcome, &'static str> {
    let reply: AccessToken =
        serde_json::from_slice(body).map_err(|_| "its body is not the JSON of an access token")?;
    let access_token = reply
        .access_token
        .as_deref()
        .ok_or("it has no access_token")?;
    let lifetime = match reply.expires_in {
        None => policy::DEFAULT_LIFETIME,
        Some(Seconds::Whole(s)) if s > 0 => s.saturating_mul(1000).min(policy::MAX_LIFETIME),
        Some(_) => return Err("its expires_in is not a positive number of seconds"),
    };
    let kind = reply.token_type.as_deref().unwrap_or("bearer");
    if !kind.eq_ignore_ascii_case("bearer") {
        return Err("its token_type is not Bearer");
    }
    let refresh_token = reply.refresh_token.as_deref().filter(|t| !t.is_empty());
    if !is_header_safe(access_token) || !refresh_token.is_none_or(is_header_safe) {
        return Err("a token is empty or has characters that no header may carry");
    }
    let granted = Outcome::Granted {
        access_token: Secret::new(access_token),
        refresh_token: refresh_token.map(Secret::new),
        lifetime_ms: lifetime,
    };
    Ok(granted)
}

/// Visible ASCII, and some of it: what can stand in a header without ending it.
fn is_header_safe(token: &str) -> bool {
    !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic())
}

fn broken(reply: &Reply, why: &str) -> Error {
    let mut error = Error::new(
        Status::ProtocolError,
        format!(
            "The reply of api.video (HTTP {}) cannot be used: {why}.",
            reply.status
        ),
    );
    error.http_status = Some(reply.status);
    error
}

/// What the server asks to wait. api.video sends its own header with every reply, and asks for a wait with a 429 only.
fn retry_after_ms(reply: &Reply) -> Option<u64> {
    let Waits {
        rate_limit_ms,
        retry_after_ms,
    } = reply.waits;
    match reply.status {
        429 => rate_limit_ms.or(retry_after_ms),
        503 => retry_after_ms,
        _ => None,
    }
}

fn refusal(status: Status, reply: &Reply, request: &Request, problem: Problem) -> Error {
    let what = match status {
        Status::KeyRejected => {
            "api.video refused the API key; check it, and that it belongs to this environment"
        }
        Status::RefreshRejected => "api.video refused the refresh token; authenticate again",
        Status::RateLimited => "api.video asks to slow down",
        _ => "api.video has a problem",
    };
    let title = match problem.title.as_str() {
        "" => String::new(),
        title => format!(": {title}"),
    };
    let http = reply.status;
    Error {
        status,
        message: format!("{what} (POST {}, HTTP {http}{title}).", request.path()),
        http_status: Some(http),
        problem,
        retry_after_ms: retry_after_ms(reply),
    }
}

/// A problem object, whatever its content type; all empty if the body is none.
fn problem(body: &[u8], secrets: &[&str]) -> Problem {
    let value: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |name: &str| presentable(value[name].as_str().unwrap_or_default(), secrets);
    Problem {
        kind: text("type"),
        title: text("title"),
        name: text("name"),
    }
}

/// A server's text as one short line without secrets: those that are known, and any word that is as long as one.
fn presentable(text: &str, secrets: &[&str]) -> String {
    // First of all: a line break in place of a key's space must not hide the key.
    let mut text = one_line(text);
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        text = text.replace(secret, REDACTED);
    }
    let words: Vec<&str> = text
        .split_inclusive(|c: char| c.is_whitespace() || c == '/')
        .map(|word| {
            if word.len() > LONGEST_WORD {
                REDACTED
            } else {
                word
            }
        })
        .collect();
    words.concat().chars().take(LONGEST_TEXT).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::clock::Now;
    use crate::config::Config;
    use crate::token::Grant;

    fn auth() -> Auth {
        Auth::new(Config::default().http(), "the key")
    }

    fn reply(status: u16, body: &str) -> Reply {
        Reply {
            status,
            waits: Waits::default(),
            body: Ok(body.as_bytes().to_vec()),
        }
    }

    fn key_request() -> Request {
        Request::ApiKey { held: None }
    }

    fn refresh_request() -> Request {
        let sent = Now {
            wall_ms: 0,
            mono_ms: 0,
        };
        let grant = Grant::new("access", Some("refresh"), 3_600_000, sent, 0.5);
        Request::Refresh(Arc::new(grant))
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
        for clamped in [
            "1e18",
            "86401",
            "9223372036854775807",
            "99999999999999999999",
        ] {
            assert_eq!(with(clamped), Some(86_400_000), "{clamped}");
        }
        for refused in [
            "0", "-1", "-1e18", "1.5", "\"\"", "\"soon\"", "true", "[]", "{}", "\"NaN\"", "\"inf\"",
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
            r#"{"access_token":"a","refresh_token":"b\n"}"#,
            r#"{"access_token":"a","refresh_token":7}"#,
            r#"{"access_token":"a","token_type":"mac"}"#,
            r#"{"access_token":"a","token_type":"bearer\r\nX: y"}"#,
        ] {
            assert!(grant(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn missing_and_null_fields_have_defaults() {
        for body in [
            r#"{"access_token":"a"}"#,
            r#"{"access_token":"a","refresh_token":null,"token_type":null,"extra":[1]}"#,
            r#"{"access_token":"a","refresh_token":"","token_type":"Bearer"}"#,
        ] {
            match grant(body.as_bytes()) {
                Ok(Outcome::Granted { refresh_token, .. }) => assert!(refresh_token.is_none()),
                _ => panic!("{body}"),
            }
        }
    }

    #[test]
    fn a_token_in_a_200_is_granted() {
        let reply = reply(200, r#"{"access_token":"a"}"#);
        let outcome = read(&key_request(), &reply, &[]);
        assert!(matches!(outcome, Outcome::Granted { .. }), "{outcome:?}");
    }

    #[test]
    fn each_status_has_its_meaning() {
        for (code, status, spent) in [
            (200, Status::ProtocolError, true),
            (302, Status::ProtocolError, true),
            (400, Status::KeyRejected, false),
            (401, Status::KeyRejected, false),
            (403, Status::KeyRejected, false),
            (404, Status::KeyRejected, false),
            (408, Status::ServerError, true),
            (429, Status::RateLimited, false),
            (500, Status::ServerError, true),
            (503, Status::ServerError, true),
        ] {
            let (error, s) = match read(&key_request(), &reply(code, "{}"), &[]) {
                Outcome::Rejected(error) => (error, false),
                Outcome::Failed { error, spent } => (error, spent),
                Outcome::Granted { .. } => panic!("{code}"),
            };
            assert_eq!((error.status, s), (status, spent), "{code}");
            assert_eq!(error.http_status, Some(code));
        }
    }

    #[test]
    fn each_refusal_says_what_it_is_and_what_to_do() {
        for (status, says) in [
            (Status::KeyRejected, "refused the API key; check it"),
            (Status::RefreshRejected, "refresh token; authenticate again"),
            (Status::RateLimited, "asks to slow down"),
            (Status::ServerError, "has a problem"),
        ] {
            let error = refusal(
                status,
                &reply(400, "{}"),
                &key_request(),
                Problem::default(),
            );
            assert!(error.message.contains(says), "{error}");
        }
    }

    #[test]
    fn a_problem_is_passed_on_as_one_line_without_the_key() {
        let body =
            r#"{"type":"https://x","title":"No\r\nkey s3cret here","name":null,"status":400}"#;
        let Outcome::Rejected(error) = read(&key_request(), &reply(400, body), &["s3cret"]) else {
            panic!("a 400 is a rejection");
        };
        assert_eq!(error.problem.kind, "https://x");
        assert_eq!(error.problem.title, "No  key [redacted] here");
        assert_eq!(error.problem.name, "");
        assert!(!format!("{error:?}").contains("s3cret"));
    }

    #[test]
    fn a_word_as_long_as_a_token_is_not_passed_on() {
        let word = "x".repeat(40);
        assert_eq!(presentable(&word, &[]), word);
        let token = "x".repeat(41);
        assert_eq!(
            presentable(&format!("is {token} yours"), &[]),
            "is [redacted]yours"
        );
        let url = "https://docs.api.video/reference/authentication-errors";
        assert_eq!(presentable(url, &[]), url);
    }

    #[test]
    fn a_wait_counts_where_it_is_asked_for() {
        for (status, own, standard, expected) in [
            (429, Some(7), Some(9), Some(7)),
            (429, None, Some(9), Some(9)),
            (503, Some(7), Some(9), Some(9)),
            (503, Some(7), None, None),
            (500, Some(7), Some(9), None),
            (408, Some(7), Some(9), None),
            (400, Some(7), Some(9), None),
            (302, Some(7), Some(9), None),
            (200, Some(7), Some(9), None),
        ] {
            let mut reply = reply(status, "");
            reply.waits = Waits {
                rate_limit_ms: own,
                retry_after_ms: standard,
            };
            let error = match read(&key_request(), &reply, &[]) {
                Outcome::Rejected(error) | Outcome::Failed { error, .. } => error,
                Outcome::Granted { .. } => panic!("{status}"),
            };
            assert_eq!(error.retry_after_ms, expected, "{status}");
        }
    }

    #[test]
    fn without_its_body_a_reply_means_what_its_status_alone_can_say() {
        for (code, status, spent) in [
            (429, Status::RateLimited, false),
            (500, Status::ServerError, true),
            (408, Status::ServerError, true),
            (200, Status::Timeout, true),
            (400, Status::Timeout, true),
        ] {
            let mut reply = reply(code, "");
            reply.body = Err(Error::new(Status::Timeout, "No complete reply."));
            match read(&key_request(), &reply, &[]) {
                Outcome::Failed { error, spent: s } => {
                    assert_eq!((error.status, s), (status, spent), "{code}");
                }
                _ => panic!("{code}"),
            }
        }
    }
}
