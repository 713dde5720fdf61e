//! The endpoints that hand out tokens.

use hyper::{Method, StatusCode};
use serde_json::json;

use crate::api::Outcome;
use crate::checks;
use crate::reply::Reply;
use crate::request::{API_KEY, REFRESH_TOKEN, Request};
use crate::state::State;
use crate::tokens::Pair;

pub(crate) fn api_key(state: &mut State, request: &Request) -> Result<Outcome, Reply> {
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

pub(crate) fn refresh(state: &mut State, request: &Request) -> Result<Outcome, Reply> {
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

/// Does the checks that both endpoints share.
fn posted_field(state: &State, request: &Request, name: &str) -> Result<String, Reply> {
    if request.method != Method::POST {
        return Err(checks::method_not_allowed("POST"));
    }
    checks::origin(state, request)?;
    checks::content_type(request, "application/json")?;
    request.field(name).map_err(|title| {
        Reply::problem(StatusCode::BAD_REQUEST, "invalid-attribute", title).about(name)
    })
}
