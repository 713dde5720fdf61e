//! Tokens that open `POST /upload`, and nothing else.

use std::time::Duration;

use hyper::StatusCode;
use serde_json::{Value, json};

use crate::attributes::{self, Attribute};
use crate::dates;
use crate::pages;
use crate::reply::Reply;
use crate::request::Request;
use crate::tokens::Lifetime;

const LONGEST_TTL: u64 = 2_147_483_647;

const ATTRIBUTES: [Attribute; 1] = [Attribute {
    name: "ttl",
    is_good: |value| value.as_u64().is_some_and(|ttl| ttl <= LONGEST_TTL),
    title: "This attribute must be a number of seconds from 0 to 2147483647.",
}];

struct UploadToken {
    token: String,
    /// In seconds; 0 is for ever.
    ttl: u64,
    created_unix: u64,
    /// By the sandbox's clock.
    created: Duration,
}

impl UploadToken {
    fn is_live(&self, now: Duration) -> bool {
        let end = self.created.saturating_add(Duration::from_secs(self.ttl));
        self.ttl == 0 || now < end
    }

    fn to_json(&self) -> Value {
        let end = (self.ttl > 0).then(|| dates::atom(self.created_unix + self.ttl));
        json!({
            "token": self.token,
            "ttl": self.ttl,
            "createdAt": dates::atom(self.created_unix),
            "expiresAt": end,
        })
    }
}

/// All that were made and not deleted, oldest first.
#[derive(Default)]
pub(crate) struct UploadTokens(Vec<UploadToken>);

impl UploadTokens {
    pub(crate) fn create(&mut self, request: &Request, now: Lifetime) -> Result<Reply, Reply> {
        let attributes = attributes::read(request, &ATTRIBUTES, &[])?;
        let token = UploadToken {
            token: attributes::random_id("to"),
            ttl: attributes.get("ttl").and_then(Value::as_u64).unwrap_or(0),
            created_unix: now.unix_now,
            created: now.now,
        };
        let reply = Reply::ok(token.to_json());
        self.0.push(token);
        Ok(reply)
    }

    /// In the order that the query asks for.
    pub(crate) fn list(&self, request: &Request) -> Result<Reply, Reply> {
        let mut tokens: Vec<&UploadToken> = self.0.iter().collect();
        if request.query("sortBy") == Some("ttl") {
            tokens.sort_by_key(|token| token.ttl);
        }
        if request.query("sortOrder") == Some("desc") {
            tokens.reverse();
        }
        pages::page(request, &tokens, |token| token.to_json())
    }

    pub(crate) fn show(&self, request: &Request) -> Result<Reply, Reply> {
        self.find(request.id())
            .map(|token| Reply::ok(token.to_json()))
            .ok_or_else(not_found)
    }

    pub(crate) fn delete(&mut self, request: &Request) -> Result<Reply, Reply> {
        self.find(request.id()).ok_or_else(not_found)?;
        self.0.retain(|token| token.token != request.id());
        Ok(Reply::no_content())
    }

    /// Takes the token in the query of an upload.
    pub(crate) fn authorize(&self, request: &Request, now: Duration) -> Result<(), Reply> {
        let problem = |slug, title| Reply::problem(StatusCode::UNAUTHORIZED, slug, title);
        let token = request.query("token").ok_or_else(|| {
            problem(
                "authentication-missing-upload-token",
                "The upload token is missing.",
            )
        })?;
        match self.find(token).is_some_and(|token| token.is_live(now)) {
            true => Ok(()),
            false => Err(problem(
                "authentication-invalid-upload-token",
                "The upload token is unknown, expired or deleted.",
            )),
        }
    }

    fn find(&self, token: &str) -> Option<&UploadToken> {
        self.0.iter().find(|known| known.token == token)
    }
}

fn not_found() -> Reply {
    Reply::not_found().about("uploadToken")
}
