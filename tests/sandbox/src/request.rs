//! A request, and what it is addressed to.

use bytes::Bytes;
use hyper::header::{AUTHORIZATION, EXPECT};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method};
use serde_json::Value;

use crate::content_range::ContentRange;
use crate::form::Form;
use crate::refusals::Refusal;

/// What a request is addressed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    ApiKey,
    Refresh,
    /// All of the videos.
    Videos,
    /// One of them, as all that follow.
    Video,
    Source,
    Status,
    /// An upload with a token of its own.
    Upload,
    /// All tokens for uploads.
    UploadTokens,
    /// One of them.
    UploadToken,
    /// All webhooks.
    Webhooks,
    /// One of them.
    Webhook,
    Other,
}

/// A request, read to its end unless it is an upload.
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// What came instead of a body, if this is an upload.
    pub(crate) form: Option<Form>,
}

impl Request {
    /// Of a request whose body is still to come.
    pub(crate) fn new(head: &Parts) -> Self {
        Self {
            method: head.method.clone(),
            path: head.uri.path().to_owned(),
            query: head.uri.query().unwrap_or_default().to_owned(),
            headers: head.headers.clone(),
            body: Bytes::new(),
            form: None,
        }
    }

    /// Whether its body is a file to be received as it comes.
    pub(crate) fn is_upload(&self) -> bool {
        let takes_one = matches!(self.endpoint(), Endpoint::Source | Endpoint::Upload);
        takes_one && self.method == Method::POST
    }

    /// The path without the secrets that may be part of it.
    pub(crate) fn path_to_log(&self) -> String {
        match self.endpoint() {
            Endpoint::UploadToken => "/upload-tokens/…".to_owned(),
            _ => self.path.clone(),
        }
    }

    pub(crate) fn expects_continue(&self) -> bool {
        let expected = self.header(EXPECT.as_str()).unwrap_or_default();
        expected.eq_ignore_ascii_case("100-continue")
    }

    pub(crate) fn endpoint(&self) -> Endpoint {
        let mut segments = self.path.split('/').skip(1);
        let segments = std::array::from_fn(|_| segments.next().unwrap_or_default());
        match segments {
            _ if self.path.ends_with('/') => Endpoint::Other,
            ["auth", "api-key", "", ""] => Endpoint::ApiKey,
            ["auth", "refresh", "", ""] => Endpoint::Refresh,
            ["videos", "", "", ""] => Endpoint::Videos,
            ["videos", _, "", ""] => Endpoint::Video,
            ["videos", _, "source", ""] => Endpoint::Source,
            ["videos", _, "status", ""] => Endpoint::Status,
            ["upload", "", "", ""] => Endpoint::Upload,
            ["upload-tokens", "", "", ""] => Endpoint::UploadTokens,
            ["upload-tokens", _, "", ""] => Endpoint::UploadToken,
            ["webhooks", "", "", ""] => Endpoint::Webhooks,
            ["webhooks", _, "", ""] => Endpoint::Webhook,
            _ => Endpoint::Other,
        }
    }

    /// The name of the one thing that the path is about, such as a video's.
    pub(crate) fn id(&self) -> &str {
        self.path.split('/').nth(2).unwrap_or_default()
    }

    /// The refresh token in the body, if this request is to present one.
    pub(crate) fn refresh_token(&self) -> Option<String> {
        match self.endpoint() {
            Endpoint::Refresh => self.field(REFRESH_TOKEN).ok(),
            _ => None,
        }
    }

    pub(crate) fn access_token(&self) -> Option<&str> {
        self.credentials("bearer")
    }

    /// What the `Authorization` header has of this scheme.
    pub(crate) fn credentials(&self, scheme: &str) -> Option<&str> {
        let (found, credentials) = self.header(AUTHORIZATION.as_str())?.split_once(' ')?;
        found.eq_ignore_ascii_case(scheme).then_some(credentials)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Which piece of a video it brings.
    pub(crate) fn range(&self) -> Result<ContentRange, Refusal> {
        ContentRange::parse(self.header("content-range"))
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
    pub(crate) fn field(&self, name: &str) -> Result<String, &'static str> {
        let body: Value =
            serde_json::from_slice(&self.body).map_err(|_| "The body is not valid JSON.")?;
        match body.get(name) {
            None => Err("This attribute is required."),
            Some(Value::String(text)) => Ok(text.clone()),
            Some(_) => Err("This attribute must be a string."),
        }
    }
}

pub(crate) const API_KEY: &str = "apiKey";
pub(crate) const REFRESH_TOKEN: &str = "refreshToken";

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn request(method: Method, target: &str, body: &str) -> Request {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Request {
            method,
            path: path.to_owned(),
            query: query.to_owned(),
            headers: HeaderMap::new(),
            body: Bytes::copy_from_slice(body.as_bytes()),
            form: None,
        }
    }

    #[test]
    fn a_path_leads_to_an_endpoint_and_to_an_id() {
        let cases = [
            ("/auth/api-key", Endpoint::ApiKey),
            ("/auth/refresh", Endpoint::Refresh),
            ("/videos", Endpoint::Videos),
            ("/videos/vi1", Endpoint::Video),
            ("/videos/vi1/source", Endpoint::Source),
            ("/videos/vi1/status", Endpoint::Status),
            ("/upload", Endpoint::Upload),
            ("/upload-tokens", Endpoint::UploadTokens),
            ("/upload-tokens/to1", Endpoint::UploadToken),
            ("/webhooks", Endpoint::Webhooks),
            ("/webhooks/vi1", Endpoint::Webhook),
            ("/videos/", Endpoint::Other),
            ("/auth/api-key/", Endpoint::Other),
            ("/videos/vi1/source/x", Endpoint::Other),
            ("/videos/vi1/other", Endpoint::Other),
            ("/", Endpoint::Other),
        ];
        for (path, endpoint) in cases {
            let request = request(Method::GET, path, "");
            assert_eq!(request.endpoint(), endpoint, "{path}");
            assert_eq!(request.id() == "vi1", path.contains("vi1"), "{path}");
        }
    }
}
