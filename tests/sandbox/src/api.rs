//! The imitated endpoints of api.video.

use bytes::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{HeaderMap, Method, StatusCode};
use serde_json::{Value, json};

use crate::reply::Reply;
use crate::state::State;
use crate::tokens::Pair;
use crate::videos;

/// What a request is addressed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    ApiKey,
    Refresh,
    Videos,
    Other,
}

/// A request, read to its end.
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Request {
    pub(crate) fn endpoint(&self) -> Endpoint {
        match self.path.as_str() {
            "/auth/api-key" => Endpoint::ApiKey,
            "/auth/refresh" => Endpoint::Refresh,
            "/videos" => Endpoint::Videos,
            _ => Endpoint::Other,
        }
    }

    /// The refresh token in the body, if this request is to present one.
    pub(crate) fn refresh_token(&self) -> Option<String> {
        match self.endpoint() {
            Endpoint::Refresh => self.field(REFRESH_TOKEN).ok(),
            _ => None,
        }
    }

    pub(crate) fn access_token(&self) -> Option<&str> {
        let (scheme, token) = self.header(AUTHORIZATION.as_str())?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token)
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// A parameter of the query, as it is written there.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        let parameters = self
            .query
            .split('&')
            .filter_map(|text| text.split_once('='));
        parameters
            .into_iter()
            .find_map(|(n, value)| (n == name).then_some(value))
    }

    /// A string in the JSON body, or what is wrong with it.
    fn field(&self, name: &str) -> Result<String, &'static str> {
        let body: Value =
            serde_json::from_slice(&self.body).map_err(|_| "The body is not valid JSON.")?;
        match body.get(name) {
            None => Err("This attribute is required."),
            Some(Value::String(text)) => Ok(text.clone()),
            Some(_) => Err("This attribute must be a string."),
        }
    }
}

const API_KEY: &str = "apiKey";
const REFRESH_TOKEN: &str = "refreshToken";

/// What came of a request.
pub(crate) struct Outcome {
    pub(crate) reply: Reply,
    /// The number of the pair of tokens that was issued.
    pub(crate) granted: Option<u64>,
}

impl From<Reply> for Outcome {
    fn from(reply: Reply) -> Self {
        Self {
            reply,
            granted: None,
        }
    }
}

/// Handles a request the way api.video does when nothing is wrong with it.
pub(crate) fn handle(state: &mut State, request: &Request) -> Outcome {
    let handled = match request.endpoint() {
        Endpoint::ApiKey => api_key(state, request),
        Endpoint::Refresh => refresh(state, request),
        Endpoint::Videos => videos(state, request).map(Outcome::from),
        Endpoint::Other => Err(Reply::problem(
            StatusCode::NOT_FOUND,
            "not-found",
            "There is nothing at this path.",
        )),
    };
    handled.unwrap_or_else(Outcome::from)
}

fn api_key(state: &mut State, request: &Request) -> Result<Outcome, Reply> {
    let key = posted_field(state, request, API_KEY)?;
    if key != state.settings.key {
        return Err(credential_problem(
            state,
            "invalid-api-key",
            "This API key is not valid.",
            API_KEY,
        ));
    }
    let pair = state.tokens.authenticate(&key, state.lifetime());
    Ok(granted(state, pair))
}

fn refresh(state: &mut State, request: &Request) -> Result<Outcome, Reply> {
    let token = posted_field(state, request, REFRESH_TOKEN)?;
    match state.tokens.refresh(&token, state.lifetime()) {
        Ok(pair) => Ok(granted(state, pair)),
        Err(_) => Err(credential_problem(
            state,
            "invalid-refresh-token",
            "This refresh token is not valid.",
            REFRESH_TOKEN,
        )),
    }
}

fn granted(state: &State, pair: Pair) -> Outcome {
    Outcome {
        reply: Reply::ok(json!({
            "token_type": "Bearer",
            "expires_in": state.settings.expires_in,
            "access_token": pair.access,
            "refresh_token": pair.refresh,
        })),
        granted: Some(pair.id),
    }
}

fn credential_problem(state: &State, slug: &str, title: &str, name: &str) -> Reply {
    let status = state.settings.auth_error_status;
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    Reply::problem(status, slug, title).about(name)
}

fn videos(state: &State, request: &Request) -> Result<Reply, Reply> {
    check_method(request, "GET")?;
    check_origin(state, request)?;
    let known = request
        .access_token()
        .is_some_and(|token| state.tokens.accepts_access(token, state.now()));
    if !known {
        return Err(Reply::problem(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "The access token is missing, unknown, expired or revoked.",
        ));
    }
    let host = request.header(HOST.as_str()).unwrap_or("localhost");
    let base_url = format!("{}://{host}", state.scheme);
    videos::page(request, &base_url).map(Reply::ok)
}

/// Does the checks that both endpoints of authentication share.
fn posted_field(state: &State, request: &Request, name: &str) -> Result<String, Reply> {
    check_method(request, "POST")?;
    check_origin(state, request)?;
    check_content_type(request)?;
    request.field(name).map_err(|title| {
        Reply::problem(StatusCode::BAD_REQUEST, "invalid-attribute", title).about(name)
    })
}

fn check_method(request: &Request, allowed: &'static str) -> Result<(), Reply> {
    if request.method == allowed {
        return Ok(());
    }
    let problem = Reply::problem(
        StatusCode::METHOD_NOT_ALLOWED,
        "method-not-allowed",
        "This path does not take this method.",
    );
    Err(problem.allowing(allowed))
}

fn check_content_type(request: &Request) -> Result<(), Reply> {
    let content_type = request.header(CONTENT_TYPE.as_str()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(Reply::problem(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported-media-type",
        "The body must be application/json.",
    )
    .about("Content-Type"))
}

/// Checks the headers by which clients of api.video name themselves.
fn check_origin(state: &State, request: &Request) -> Result<(), Reply> {
    if !state.strict_origin {
        return Ok(());
    }
    let rules = [
        ("AV-Origin-Client", true),
        ("AV-Origin-App", false),
        ("AV-Origin-Sdk", false),
    ];
    for (name, required) in rules {
        let good = match request.headers.get(name) {
            None => !required,
            Some(value) => value.to_str().is_ok_and(is_origin),
        };
        if !good {
            let title = "This header must have the form name:version.";
            let problem = Reply::problem(StatusCode::BAD_REQUEST, "invalid-header", title);
            return Err(problem.about(name));
        }
    }
    Ok(())
}

/// Whether a text has the form `name:version`.
fn is_origin(text: &str) -> bool {
    text.split_once(':')
        .is_some_and(|(name, version)| is_origin_name(name) && is_origin_version(version))
}

fn is_origin_name(name: &str) -> bool {
    (1..=50).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// One to three numbers of up to three digits, with dots between them.
fn is_origin_version(version: &str) -> bool {
    version.split('.').count() <= 3
        && version.split('.').all(|number| {
            (1..=3).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_a_name_and_a_version() {
        let longest = format!("{}:123.123.123", "a".repeat(50));
        for good in ["rust:1", "my_app-2:0.10", longest.as_str()] {
            assert!(is_origin(good), "{good}");
        }
    }

    #[test]
    fn other_origins_are_refused() {
        let too_long = format!("{}:1", "a".repeat(51));
        let bad = [
            "",
            "rust",
            "rust:",
            ":1",
            "a b:1",
            "rust:1.",
            "rust:.1",
            "rust:1.2.3.4",
            "rust:1234",
            "rust:1:2",
            "rust:1a",
            "é:1",
            "rust:1 ",
        ];
        for bad in bad.into_iter().chain([too_long.as_str()]) {
            assert!(!is_origin(bad), "{bad}");
        }
    }
}
