//! HTTP replies and their bodies.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::StatusCode;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use serde_json::{Map, Value, json};

use crate::faults::Payload;

pub(crate) type Response = hyper::Response<Either<Full<Bytes>, HugeBody>>;

/// A reply of the imitated API, always with a JSON body.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    /// The method that would have been right, if that is what was wrong.
    allow: Option<&'static str>,
    pub(crate) json: Value,
}

impl Reply {
    pub(crate) fn ok(json: Value) -> Self {
        Self::new(StatusCode::OK, json)
    }

    /// A problem object, the form of every error of api.video.
    pub(crate) fn problem(status: StatusCode, slug: &str, title: &str) -> Self {
        let json = json!({
            "type": format!("https://docs.api.video/reference/{slug}"),
            "title": title,
            "status": status.as_u16(),
        });
        Self::new(status, json)
    }

    /// Names the field or header that a problem is about.
    pub(crate) fn about(mut self, name: &str) -> Self {
        self.json["name"] = name.into();
        self
    }

    pub(crate) fn allowing(mut self, method: &'static str) -> Self {
        self.allow = Some(method);
        self
    }

    pub(crate) fn is_success(&self) -> bool {
        self.status.is_success()
    }

    /// Alters the body the way a `patch` fault says.
    pub(crate) fn patch(&mut self, fields: Map<String, Value>, remove: &[String]) {
        if let Some(object) = self.json.as_object_mut() {
            object.extend(fields);
            object.retain(|name, _| !remove.contains(name));
        }
    }

    pub(crate) fn into_response(self) -> Response {
        self.into_response_after(b"")
    }

    /// The same, with something before its body.
    pub(crate) fn into_response_after(self, prefix: &[u8]) -> Response {
        let body = Bytes::from([prefix, self.json.to_string().as_bytes()].concat());
        let mut response = hyper::Response::new(Either::Left(Full::new(body)));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        // Problems too: that is the type of api.video's description.
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(method) = self.allow {
            headers.insert(ALLOW, HeaderValue::from_static(method));
        }
        response
    }

    fn new(status: StatusCode, json: Value) -> Self {
        Self {
            status,
            allow: None,
            json,
        }
    }
}

/// A reply of any status, headers and body. `Content-Type` is
/// `application/json` if it is not among the headers.
pub(crate) fn custom<'a>(
    status: u16,
    headers: impl IntoIterator<Item = (&'a str, &'a str)>,
    body: Payload,
) -> Response {
    let mut builder = hyper::Response::builder().status(status);
    for (name, value) in headers {
        builder = builder.header(name, value);
    }
    let built = builder.body(Either::Left(Full::new(body.into_bytes())));
    // Rules are checked when they are queued, so this is never an error.
    let mut response = built.unwrap_or_else(|_| empty(StatusCode::INTERNAL_SERVER_ERROR));
    response
        .headers_mut()
        .entry(CONTENT_TYPE)
        .or_insert(HeaderValue::from_static("application/json"));
    response
}

/// A page of that size, as something between client and server answers with.
pub(crate) fn gateway(status: u16, size: u64) -> Response {
    let page = PAGE.bytes().chain(std::iter::repeat(b'.'));
    let page: Vec<u8> = page.take(usize_or_max(size.min(LARGEST_PAGE))).collect();
    let headers = [("content-type", "text/html"), ("server", "gateway")];
    custom(status, headers, page.into())
}

pub(crate) fn huge(size: u64, content_length: bool) -> Response {
    let body = HugeBody::new(size, content_length);
    let mut response = hyper::Response::new(Either::Right(body));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

pub(crate) fn empty(status: StatusCode) -> Response {
    let mut response = hyper::Response::new(Either::Left(Full::default()));
    *response.status_mut() = status;
    response
}

const PAGE: &str = "<!DOCTYPE html><html><head><title>Access denied</title></head><body>";
/// A page is made in memory.
pub(crate) const LARGEST_PAGE: u64 = 16 * 1024 * 1024;

const PREFIX: &[u8] = br#"{"padding":""#;
const SUFFIX: &[u8] = br#""}"#;
const FILLER: &[u8] = &[b'a'; 64 * 1024];

/// A JSON object of any size, made while it is sent.
pub(crate) struct HugeBody {
    prefix_sent: bool,
    filler_left: u64,
    suffix_sent: bool,
    announced: bool,
}

impl HugeBody {
    const FRAME: u64 = (PREFIX.len() + SUFFIX.len()) as u64;

    pub(crate) fn check_size(size: u64) -> Result<(), String> {
        if size < Self::FRAME {
            return Err(format!("a huge reply has at least {} bytes", Self::FRAME));
        }
        Ok(())
    }

    fn new(size: u64, announced: bool) -> Self {
        Self {
            prefix_sent: false,
            filler_left: size.saturating_sub(Self::FRAME),
            suffix_sent: false,
            announced,
        }
    }

    fn next_chunk(&mut self) -> Option<&'static [u8]> {
        if !self.prefix_sent {
            self.prefix_sent = true;
            return Some(PREFIX);
        }
        if self.filler_left > 0 {
            let length = FILLER.len().min(usize_or_max(self.filler_left));
            self.filler_left -= length as u64;
            return Some(&FILLER[..length]);
        }
        if !self.suffix_sent {
            self.suffix_sent = true;
            return Some(SUFFIX);
        }
        None
    }

    fn left(&self) -> u64 {
        let prefix = if self.prefix_sent { 0 } else { PREFIX.len() };
        let suffix = if self.suffix_sent { 0 } else { SUFFIX.len() };
        self.filler_left + (prefix + suffix) as u64
    }
}

fn usize_or_max(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

impl Body for HugeBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let chunk = self.next_chunk().map(Bytes::from_static);
        Poll::Ready(chunk.map(|chunk| Ok(Frame::data(chunk))))
    }

    fn size_hint(&self) -> SizeHint {
        if self.announced {
            SizeHint::with_exact(self.left())
        } else {
            SizeHint::default()
        }
    }
}
