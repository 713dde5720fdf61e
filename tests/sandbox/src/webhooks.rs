//! Webhooks: made, listed and deleted, and what is sent to them.

use hyper::StatusCode;
use ring::hmac;
use serde_json::{Value, json};

use crate::attributes::{self, Attribute, text};
use crate::dates;
use crate::pages;
use crate::reply::Reply;
use crate::request::Request;
use crate::stored::hex;

const EVENTS: [&str; 6] = [
    "live-stream.broadcast.started",
    "live-stream.broadcast.ended",
    "video.source.recorded",
    ENCODED,
    "video.caption.generated",
    "video.summary.generated",
];
pub(crate) const ENCODED: &str = "video.encoding.quality.completed";

const ATTRIBUTES: [Attribute; 2] = [
    text("url"),
    Attribute {
        name: "events",
        is_good: |value| {
            value
                .as_array()
                .is_some_and(|list| list.iter().all(is_event))
        },
        title: "This attribute must be a list of the names of events.",
    },
];

fn is_event(name: &Value) -> bool {
    name.as_str().is_some_and(|name| EVENTS.contains(&name))
}

struct Webhook {
    id: String,
    url: String,
    events: Vec<Value>,
    created: String,
    secret: String,
}

impl Webhook {
    fn to_json(&self) -> Value {
        json!({
            "webhookId": self.id,
            "createdAt": self.created,
            "events": self.events,
            "url": self.url,
            "signatureSecret": self.secret,
        })
    }
}

/// A message to one webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) webhook_id: String,
    pub(crate) url: String,
    /// The type of the event.
    pub(crate) event: String,
    pub(crate) body: String,
    pub(crate) signature: String,
}

/// All webhooks, oldest first.
#[derive(Default)]
pub(crate) struct Webhooks(Vec<Webhook>);

impl Webhooks {
    pub(crate) fn create(&mut self, request: &Request, now: u64) -> Result<Reply, Reply> {
        let attributes = attributes::read(request, &ATTRIBUTES, &["events", "url"])?;
        let webhook = Webhook {
            id: attributes::random_id("webhook_"),
            url: attributes["url"].as_str().unwrap_or_default().to_owned(),
            events: attributes["events"].as_array().cloned().unwrap_or_default(),
            created: dates::atom(now),
            secret: attributes::random_id("sig_sec_"),
        };
        let json = webhook.to_json();
        self.0.push(webhook);
        Ok(Reply::new(StatusCode::CREATED, json))
    }

    pub(crate) fn list(&self, request: &Request) -> Result<Reply, Reply> {
        pages::page(request, &self.0, Webhook::to_json)
    }

    pub(crate) fn show(&self, request: &Request) -> Result<Reply, Reply> {
        self.find(request.id())
            .map(|webhook| Reply::ok(webhook.to_json()))
            .ok_or_else(not_found)
    }

    pub(crate) fn delete(&mut self, request: &Request) -> Result<Reply, Reply> {
        self.find(request.id()).ok_or_else(not_found)?;
        self.0.retain(|webhook| webhook.id != request.id());
        Ok(Reply::no_content())
    }

    pub(crate) fn has(&self, id: &str) -> bool {
        self.find(id).is_some()
    }

    /// One message for each webhook that wants to know of such an event.
    pub(crate) fn messages(&self, event: &Value) -> Vec<Message> {
        let wants = |webhook: &&Webhook| webhook.events.contains(&event["type"]);
        let body = event.to_string();
        let message = |webhook: &Webhook| Message {
            webhook_id: webhook.id.clone(),
            url: webhook.url.clone(),
            event: event["type"].as_str().unwrap_or_default().to_owned(),
            signature: signature(&webhook.secret, body.as_bytes()),
            body: body.clone(),
        };
        self.0.iter().filter(wants).map(message).collect()
    }

    fn find(&self, id: &str) -> Option<&Webhook> {
        self.0.iter().find(|webhook| webhook.id == id)
    }
}

fn not_found() -> Reply {
    Reply::not_found().about("webhookId")
}

/// Lower-case hexadecimal, over the body as it is sent.
fn signature(secret: &str, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    hex(hmac::sign(&key, body).as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_rfc_4231() {
        assert_eq!(
            signature("Jefe", b"what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }
}
