//! Which function answers which request.

use hyper::{Method, StatusCode};

use crate::auth;
use crate::checks;
use crate::reply::Reply;
use crate::request::{Endpoint, Request};
use crate::state::State;

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

/// What needs an access token.
fn with_authorization(state: &mut State, request: &Request) -> Result<Reply, Reply> {
    let allowed = methods(request.endpoint()).ok_or_else(unrecognized)?;
    if !allowed.split(", ").any(|method| request.method == method) {
        return Err(checks::method_not_allowed(allowed));
    }
    checks::origin(state, request)?;
    checks::authorization(state, request)?;
    let now = state.unix_now();
    let videos = &mut state.videos;
    match (request.endpoint(), &request.method) {
        (Endpoint::Videos, &Method::POST) => videos.create(request, now),
        (Endpoint::Videos, _) => videos.list(request),
        (Endpoint::Video, &Method::PATCH) => videos.change(request, now),
        (Endpoint::Video, &Method::DELETE) => videos.delete(request),
        (Endpoint::Video, _) => videos.show(request),
        _ => Err(unrecognized()),
    }
}

fn methods(endpoint: Endpoint) -> Option<&'static str> {
    match endpoint {
        Endpoint::Videos => Some("GET, POST"),
        Endpoint::Video => Some("GET, PATCH, DELETE"),
        _ => None,
    }
}

fn unrecognized() -> Reply {
    Reply::problem(
        StatusCode::NOT_FOUND,
        "unrecognized-request-url",
        "There is nothing at this path.",
    )
}
