//! Which function answers which request.

use std::time::Duration;

use hyper::{Method, StatusCode};

use crate::auth;
use crate::checks;
use crate::reply::Reply;
use crate::request::{Endpoint, Request};
use crate::state::State;
use crate::uploads;

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
        Endpoint::ApiKey => auth::api_key(state, request),
        Endpoint::Refresh => auth::refresh(state, request),
        _ => with_authorization(state, request).map(Outcome::from),
    };
    handled.unwrap_or_else(Outcome::from)
}

/// Refuses what can be refused before the body of an upload is read.
pub(crate) fn admit(state: &State, request: &Request) -> Result<(), Reply> {
    let endpoint = request.endpoint();
    let allowed = methods(endpoint).ok_or_else(unrecognized)?;
    if !allowed.split(", ").any(|method| request.method == method) {
        return Err(checks::method_not_allowed(allowed));
    }
    checks::origin(state, request)?;
    if endpoint == Endpoint::Upload {
        return uploads::admit_by_token(state, request);
    }
    checks::authorization(state, request)?;
    match endpoint {
        Endpoint::Source => uploads::admit_source(state, request),
        _ => Ok(()),
    }
}

fn methods(endpoint: Endpoint) -> Option<&'static str> {
    match endpoint {
        Endpoint::Videos | Endpoint::UploadTokens | Endpoint::Webhooks => Some("GET, POST"),
        Endpoint::Video => Some("GET, PATCH, DELETE"),
        Endpoint::UploadToken | Endpoint::Webhook => Some("GET, DELETE"),
        Endpoint::Source | Endpoint::Upload => Some("POST"),
        Endpoint::Status => Some("GET"),
        Endpoint::ApiKey | Endpoint::Refresh | Endpoint::Other => None,
    }
}

/// What needs an access token or an upload token.
fn with_authorization(state: &mut State, request: &Request) -> Result<Reply, Reply> {
    admit(state, request)?;
    match request.endpoint() {
        Endpoint::Source => uploads::source(state, request),
        Endpoint::Upload => uploads::by_token(state, request),
        Endpoint::UploadTokens | Endpoint::UploadToken => upload_tokens(state, request),
        Endpoint::Webhooks | Endpoint::Webhook => webhooks(state, request),
        _ => videos(state, request),
    }
}

fn videos(state: &mut State, request: &Request) -> Result<Reply, Reply> {
    let (now, unix_now) = (state.now(), state.unix_now());
    let encoding = Duration::from_millis(state.settings.encoding_ms);
    let videos = &mut state.videos;
    match (request.endpoint(), &request.method) {
        (Endpoint::Videos, &Method::POST) => videos.create(request, unix_now),
        (Endpoint::Videos, _) => videos.list(request),
        (Endpoint::Video, &Method::PATCH) => videos.change(request, unix_now),
        (Endpoint::Video, &Method::DELETE) => videos.delete(request),
        (Endpoint::Video, _) => videos.show(request),
        _ => videos.status(request, now, encoding),
    }
}

fn upload_tokens(state: &mut State, request: &Request) -> Result<Reply, Reply> {
    let now = state.lifetime();
    let tokens = &mut state.upload_tokens;
    match (request.endpoint(), &request.method) {
        (Endpoint::UploadTokens, &Method::POST) => tokens.create(request, now),
        (Endpoint::UploadTokens, _) => tokens.list(request),
        (_, &Method::DELETE) => tokens.delete(request),
        _ => tokens.show(request),
    }
}

fn webhooks(state: &mut State, request: &Request) -> Result<Reply, Reply> {
    let now = state.unix_now();
    let webhooks = &mut state.webhooks;
    match (request.endpoint(), &request.method) {
        (Endpoint::Webhooks, &Method::POST) => webhooks.create(request, now),
        (Endpoint::Webhooks, _) => webhooks.list(request),
        (_, &Method::DELETE) => webhooks.delete(request),
        _ => webhooks.show(request),
    }
}

fn unrecognized() -> Reply {
    Reply::problem(
        StatusCode::NOT_FOUND,
        "unrecognized-request-url",
        "There is nothing at this path.",
    )
}
