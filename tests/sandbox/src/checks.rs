//! What api.video checks of every request.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE};

use crate::reply::Reply;
use crate::request::Request;
use crate::state::State;

/// Takes an access token, or the API key by basic authentication.
pub(crate) fn authorization(state: &State, request: &Request) -> Result<(), Reply> {
    let has_token = request
        .access_token()
        .is_some_and(|token| state.tokens.accepts_access(token, state.now()));
    let has_key = request
        .credentials("basic")
        .is_some_and(|text| is_key(text, &state.settings.key));
    if has_token || has_key {
        return Ok(());
    }
    let (slug, title) = match request.headers.contains_key(AUTHORIZATION) {
        true => (
            "authentication-invalid-access-token",
            "The access token is unknown, expired or revoked.",
        ),
        false => (
            "authentication-missing-authorization-header",
            "The Authorization header is missing.",
        ),
    };
    Err(Reply::problem(StatusCode::UNAUTHORIZED, slug, title))
}

/// Whether these are the credentials of a user with the key's name.
fn is_key(credentials: &str, key: &str) -> bool {
    STANDARD
        .decode(credentials)
        .is_ok_and(|text| text == format!("{key}:").as_bytes())
}

pub(crate) fn method_not_allowed(allowed: &'static str) -> Reply {
    let problem = Reply::problem(
        StatusCode::METHOD_NOT_ALLOWED,
        "method-not-allowed",
        "This path does not take this method.",
    );
    problem.allowing(allowed)
}

pub(crate) fn content_type(request: &Request, wanted: &str) -> Result<(), Reply> {
    let content_type = request.header(CONTENT_TYPE.as_str()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case(wanted) {
        return Ok(());
    }
    Err(Reply::problem(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported-media-type",
        &format!("The body must be {wanted}."),
    )
    .about("Content-Type"))
}

/// Checks the headers by which clients of api.video name themselves.
pub(crate) fn origin(state: &State, request: &Request) -> Result<(), Reply> {
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
    fn a_key_is_a_name_without_a_password() {
        assert!(is_key("a2V5Og==", "key"));
        for bad in ["a2V5", "a2V5OnB3", "b3RoZXI6", "key:", ""] {
            assert!(!is_key(bad, "key"), "{bad}");
        }
    }

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
