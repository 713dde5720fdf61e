//! The attributes in a JSON body, and what is wrong with them.

use hyper::StatusCode;
use serde_json::{Map, Value, json};

use crate::checks;
use crate::reply::Reply;
use crate::request::Request;

/// An attribute that is known, and what its value must be.
pub(crate) struct Attribute {
    pub(crate) name: &'static str,
    pub(crate) is_good: fn(&Value) -> bool,
    pub(crate) title: &'static str,
}

pub(crate) const fn text(name: &'static str) -> Attribute {
    Attribute {
        name,
        is_good: Value::is_string,
        title: "This attribute must be a string.",
    }
}

pub(crate) const fn flag(name: &'static str) -> Attribute {
    Attribute {
        name,
        is_good: Value::is_boolean,
        title: "This attribute must be a boolean.",
    }
}

/// The attributes of the body that are known, or a problem that names each
/// that is wrong. Others are passed over, as api.video does.
pub(crate) fn read(
    request: &Request,
    known: &[Attribute],
    required: &[&'static str],
) -> Result<Map<String, Value>, Reply> {
    checks::content_type(request, "application/json")?;
    let mut body = object(request)?;
    let missing = required
        .iter()
        .filter(|name| !body.contains_key(**name))
        .map(|name| problem("attribute-required", name, "This attribute is required."));
    let wrong = known
        .iter()
        .filter(|attribute| {
            body.get(attribute.name)
                .is_some_and(|value| !(attribute.is_good)(value))
        })
        .map(|attribute| problem("invalid-attribute", attribute.name, attribute.title));
    let problems: Vec<Value> = missing.chain(wrong).collect();
    if !problems.is_empty() {
        return Err(refusal(problems));
    }
    body.retain(|name, _| known.iter().any(|attribute| attribute.name == name));
    Ok(body)
}

/// An id that is not in use, since there are so many.
pub(crate) fn random_id(prefix: &str) -> String {
    let random = (0..22).map(|_| fastrand::alphanumeric());
    prefix.chars().chain(random).collect()
}

fn object(request: &Request) -> Result<Map<String, Value>, Reply> {
    serde_json::from_slice(&request.body).map_err(|_| {
        Reply::problem(
            StatusCode::BAD_REQUEST,
            "invalid-payload",
            "The body is no JSON object.",
        )
    })
}

fn problem(slug: &str, name: &str, title: &str) -> Value {
    json!({ "type": Reply::type_url(slug), "title": title, "name": name })
}

/// The first problem, with all of them inside.
fn refusal(problems: Vec<Value>) -> Reply {
    let mut reply = Reply::problem(
        StatusCode::BAD_REQUEST,
        "invalid-attribute",
        "An attribute is invalid.",
    );
    if let (Some(object), Some(Value::Object(first))) =
        (reply.json.as_object_mut(), problems.first())
    {
        object.extend(first.clone());
    }
    reply.json["problems"] = problems.into();
    reply
}
