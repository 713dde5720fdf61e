//! The `/_sandbox/` endpoint, through which the sandbox is told what to do.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::{Either, Full};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, StatusCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::faults::{FaultRule, OutageMode, Revoke};
use crate::log::LogEntry;
use crate::options::SettingsChange;
use crate::reply::Response;
use crate::request::Request;
use crate::state::Shared;

const PREFIX: &str = "/_sandbox/";
const VIDEO: &str = "videos/";

/// A refused control request: a status, and what was wrong.
struct Refusal(StatusCode, String);

impl From<String> for Refusal {
    fn from(message: String) -> Self {
        Self(StatusCode::BAD_REQUEST, message)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OutageRequest {
    seconds: f64,
    #[serde(default)]
    mode: OutageMode,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RevokeRequest {
    what: Revoke,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClockRequest {
    advance_seconds: f64,
}

pub(crate) fn is_control(request: &Request) -> bool {
    request.path.starts_with(PREFIX)
}

pub(crate) fn handle(shared: &Arc<Shared>, request: &Request) -> Response {
    let (status, json) = match route(shared, request) {
        Ok(json) => (StatusCode::OK, json),
        Err(Refusal(status, message)) => (status, json!({ "error": message })),
    };
    let body = Full::from(format!("{json}\n"));
    let mut response = hyper::Response::new(Either::Left(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn route(shared: &Arc<Shared>, request: &Request) -> Result<Value, Refusal> {
    let name = request.path.strip_prefix(PREFIX).unwrap_or_default();
    let body = request.body.as_ref();
    match (name, &request.method) {
        ("faults", &Method::GET) => return to_json(shared.lock().faults.rules()),
        ("faults", &Method::POST) => return add_faults(shared, body),
        ("faults", &Method::DELETE) => shared.lock().faults.clear(),
        ("outage", &Method::POST) => begin_outage(shared, body)?,
        ("revoke", &Method::POST) => revoke(shared, body)?,
        ("settings", &Method::GET) => return to_json(&shared.lock().settings),
        ("settings", &Method::POST) => return change_settings(shared, body),
        ("clock", &Method::POST) => advance_clock(shared, body)?,
        // Copied first: a long log takes a while to write out.
        ("log", &Method::GET) => return to_json(&copied_log(shared)),
        ("log", &Method::DELETE) => shared.lock().log.clear(),
        ("videos", &Method::GET) => return to_json(&shared.received_videos()),
        (name, &Method::GET) if name.starts_with(VIDEO) => return video(shared, name),
        ("deliveries", &Method::GET) => return to_json(&shared.lock().deliveries),
        ("event", &Method::POST) => emit(shared, body)?,
        ("counters", &Method::GET) => return to_json(&shared.lock().counters),
        ("reset", &Method::POST) => shared.lock().reset(),
        _ => return Err(unroutable(name, &request.method)),
    }
    // The request asked for nothing but to be carried out.
    Ok(json!({ "ok": true }))
}

fn video(shared: &Shared, name: &str) -> Result<Value, Refusal> {
    let id = name.strip_prefix(VIDEO).unwrap_or_default();
    // The sum of a long video takes a while.
    let found = tokio::task::block_in_place(|| shared.received_video(id));
    match found {
        Some(video) => to_json(&video),
        None => Err(Refusal(
            StatusCode::NOT_FOUND,
            format!("there is no video {id:?}"),
        )),
    }
}

fn copied_log(shared: &Shared) -> Vec<LogEntry> {
    shared.lock().log.entries()
}

fn unroutable(name: &str, method: &Method) -> Refusal {
    let known = [
        "faults",
        "outage",
        "revoke",
        "settings",
        "clock",
        "log",
        "counters",
        "videos",
        "deliveries",
        "event",
        "reset",
    ];
    if known.contains(&name) {
        let message = format!("{PREFIX}{name} does not take {method}");
        return Refusal(StatusCode::METHOD_NOT_ALLOWED, message);
    }
    let known = known.join(", ");
    let message = format!("there is no {PREFIX}{name}; there are: {known}");
    Refusal(StatusCode::NOT_FOUND, message)
}

fn add_faults(shared: &Shared, body: &[u8]) -> Result<Value, Refusal> {
    let rules = match parse(body)? {
        Value::Array(rules) => rules,
        rule => vec![rule],
    };
    let rules: Result<Vec<FaultRule>, _> = rules.into_iter().map(serde_json::from_value).collect();
    let rules = rules.map_err(|error| error.to_string())?;
    let mut state = shared.lock();
    state.faults.append(rules)?;
    Ok(json!({ "queued": state.faults.rules().len() }))
}

fn begin_outage(shared: &Shared, body: &[u8]) -> Result<(), Refusal> {
    let request: OutageRequest = parse(body)?;
    let duration = seconds(request.seconds)?;
    shared.lock().set_outage(duration, request.mode);
    Ok(())
}

fn revoke(shared: &Shared, body: &[u8]) -> Result<(), Refusal> {
    let request: RevokeRequest = parse(body)?;
    shared.lock().revoke(request.what);
    Ok(())
}

fn emit(shared: &Arc<Shared>, body: &[u8]) -> Result<(), Refusal> {
    let event: Value = parse(body)?;
    if !event["type"].is_string() {
        return Err("an event has a `type`, which is a string".to_owned().into());
    }
    shared.lock().emit(event);
    shared.send_messages(Duration::ZERO);
    Ok(())
}

fn advance_clock(shared: &Shared, body: &[u8]) -> Result<(), Refusal> {
    let request: ClockRequest = parse(body)?;
    let duration = seconds(request.advance_seconds)?;
    shared.lock().advance(duration);
    Ok(())
}

fn change_settings(shared: &Shared, body: &[u8]) -> Result<Value, Refusal> {
    let change: SettingsChange = parse(body)?;
    let mut state = shared.lock();
    state.settings.apply(change)?;
    to_json(&state.settings)
}

fn seconds(number: f64) -> Result<Duration, String> {
    Duration::try_from_secs_f64(number).map_err(|_| format!("{number} is no number of seconds"))
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| Refusal::from(error.to_string()))
}

fn to_json(value: &impl Serialize) -> Result<Value, Refusal> {
    serde_json::to_value(value)
        .map_err(|error| Refusal(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
}
