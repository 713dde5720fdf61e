//! What api.video's replies mean to an upload.

use std::sync::Arc;

use serde_json::Value;

use super::chunks::Chunk;
use super::exchange::{Failure, Ingest, Receipt, Received, Refusal};
use super::options::is_video_id;
use super::pace::Limits;
use super::policy::{LARGEST_SOURCE, MOST_PARTS};
use crate::config::Server;
use crate::error::{Error, Status};
use crate::http::{self, Reply};
use crate::problem::{is_api_videos, text, without_bom};
use crate::request::checks::Checked;
use crate::request::refusal;
use crate::request::response::Response;

/// What an exchange gave, if it gave something.
pub(crate) type Outcome<T> = Result<T, Box<Failure>>;

/// Who reads a reply: to what it was, and what no message may repeat.
pub(crate) struct Reader<'a> {
    pub(crate) server: &'a Server,
    pub(crate) request: &'a Checked,
    pub(crate) secrets: &'a [&'a str],
    /// The base URL's path.
    pub(crate) prefix: &'a str,
    /// Sent with an upload token, which nothing can renew.
    pub(crate) by_upload_token: bool,
    /// The server had the whole request before it answered.
    pub(crate) had_all: bool,
    /// The video, if it is known.
    pub(crate) video_id: Option<&'a str>,
}

impl Reader<'_> {
    /// The reply to a chunk. Who says that it arrived before all of it was sent, or names no video
    /// or another one, does not speak for api.video.
    pub(crate) fn receipt(&self, reply: Reply) -> Outcome<Receipt<Arc<Response>>> {
        let status = reply.status;
        let (body, response) = self.success(reply)?;
        let is_ours = |id: &str| is_video_id(id) && self.video_id.is_none_or(|ours| ours == id);
        let video_id = body["videoId"].as_str().filter(|id| is_ours(id));
        let Some(video_id) = video_id.filter(|_| self.had_all) else {
            return Err(self.not_api_videos(status));
        };
        Ok(Receipt {
            video_id: Some(video_id.to_owned()),
            is_video: body["assets"].is_object(),
            reply: response,
        })
    }

    /// The reply to `GET /videos/ID/status`.
    pub(crate) fn ingest(&self, reply: Reply) -> Outcome<Ingest> {
        self.success(reply).map(|(body, _)| ingest(&body["ingest"]))
    }

    /// The reply to `GET /videos/ID`.
    pub(crate) fn video(&self, reply: Reply) -> Outcome<Arc<Response>> {
        self.success(reply).map(|(_, response)| response)
    }

    /// A success that is api.video's: an object in JSON. A sign-in page says 200 as well.
    fn success(&self, reply: Reply) -> Outcome<(Value, Arc<Response>)> {
        if !(200..=299).contains(&reply.status) || reply.body.is_err() {
            return Err(self.refused(&reply));
        }
        let body = json(reply.bytes());
        if !body.is_object() {
            return Err(self.not_api_videos(reply.status));
        }
        let Reply {
            status,
            headers,
            body: bytes,
            ..
        } = reply;
        let bytes = bytes.unwrap_or_default();
        let response = Response::new(status, headers, bytes, self.prefix);
        Ok((body, Arc::new(response)))
    }

    fn not_api_videos(&self, status: u16) -> Box<Failure> {
        let mut error = Error::new(
            Status::ProtocolError,
            format!(
                "The reply of {} (HTTP {status}) is not api.video's; check the base URL and what stands \
                 in between, such as a sign-in page.",
                self.server
            ),
        );
        error.http_status = Some(status);
        self.failure(Refusal::Passing, error)
    }

    fn refused(&self, reply: &Reply) -> Box<Failure> {
        let error = refusal::of_harmless(reply, self.server, self.request, self.secrets);
        self.failure(self.refusal(reply), error)
    }

    fn failure(&self, refusal: Refusal, error: Error) -> Box<Failure> {
        let passes = refusal == Refusal::Passing;
        Box::new(Failure {
            refusal,
            error,
            may_have_arrived: passes && self.had_all,
        })
    }

    fn refusal(&self, reply: &Reply) -> Refusal {
        let problem = json(reply.bytes());
        match reply.status {
            // Whoever says so: another token costs one exchange, and the rest of an upload hangs
            // on it.
            401 if !self.by_upload_token => Refusal::Unauthorized,
            429 => Refusal::Limited,
            400 => match text(&problem, "type") {
                slug if slug.ends_with("-part-already-sent") => Refusal::AlreadySent,
                slug if slug.ends_with("-range-overlap") => Refusal::AlreadySent,
                slug if slug.ends_with("/video-source-already-uploaded") => {
                    Refusal::AlreadyUploaded
                }
                _ => final_if(is_api_videos(&problem)),
            },
            // Whoever says so, it will be said again.
            407 | 411 | 413 | 414 | 431 => Refusal::Final,
            // 417: it does not want to be asked before the body, and will not be again.
            408 | 417 => Refusal::Passing,
            401..=499 => final_if(is_api_videos(&problem)),
            _ => Refusal::Passing,
        }
    }

    /// No reply.
    pub(crate) fn lost(&self, failure: http::Failure, had_contact: bool) -> Box<Failure> {
        // Who cannot be trusted from the start will not be; later it may be a sign-in page.
        let refusal = match failure.error.status {
            Status::TlsError if !had_contact && !failure.sent => Refusal::Final,
            _ => Refusal::Passing,
        };
        self.failure(refusal, failure.error)
    }
}

fn final_if(is_api_videos: bool) -> Refusal {
    match is_api_videos {
        true => Refusal::Final,
        false => Refusal::Passing,
    }
}

/// There is no access token to send.
pub(crate) fn no_token(error: Error) -> Box<Failure> {
    let passes = error.is_retryable() && error.status != Status::TokenRejected;
    Box::new(Failure {
        refusal: match passes {
            true => Refusal::Passing,
            false => Refusal::Final,
        },
        error,
        may_have_arrived: false,
    })
}

/// The source cannot be sent.
pub(crate) fn unreadable(error: Error) -> Box<Failure> {
    Box::new(Failure {
        refusal: Refusal::Final,
        error,
        may_have_arrived: false,
    })
}

/// What a reply says of the limit of uploads.
pub(crate) fn limits(reply: &Reply) -> Option<Limits> {
    let mut remaining = reply.headers.all("x-ratelimit-remaining");
    let resets_in_ms = reply.waits.rate_limit_ms?;
    Some(Limits {
        remaining: remaining.next()?.parse().ok()?,
        resets_in_ms: i64::try_from(resets_in_ms).unwrap_or(i64::MAX),
    })
}

fn json(body: &[u8]) -> Value {
    serde_json::from_slice(without_bom(body)).unwrap_or_default()
}

/// `ingest` of a status. What is missing, or is no number that can be, has not been received.
fn ingest(ingest: &Value) -> Ingest {
    let status = text(ingest, "status");
    let parts = &ingest["receivedParts"];
    let ranges = list(&ingest["receivedBytes"]);
    let numbers: Vec<u64> = list(&parts["parts"])
        .filter_map(Value::as_u64)
        .filter(|number| (1..=MOST_PARTS).contains(number))
        .collect();
    let received = if numbers.is_empty() {
        bytes(ranges)
    } else {
        Received::Parts {
            numbers,
            total: parts["total"].as_u64(),
        }
    };
    Ingest {
        is_complete: matches!(status, "uploaded" | "ingesting" | "ingested"),
        size: ingest["filesize"]
            .as_u64()
            .filter(|size| *size <= LARGEST_SOURCE),
        received,
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> + Clone {
    value.as_array().into_iter().flatten()
}

fn bytes<'a>(ranges: impl Iterator<Item = &'a Value> + Clone) -> Received {
    let chunk = |range: &Value| {
        let (from, last) = (range["from"].as_u64()?, range["to"].as_u64()?);
        (from <= last && last < LARGEST_SOURCE).then(|| Chunk::new(from, last + 1))
    };
    let total = ranges.clone().find_map(|range| range["total"].as_u64());
    let ranges: Vec<Chunk> = ranges.filter_map(chunk).collect();
    match ranges.is_empty() {
        true => Received::Nothing,
        false => Received::Bytes { ranges, total },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::Config;
    use crate::http::{Headers, Waits};

    fn reply(status: u16, body: &str) -> Reply {
        Reply {
            status,
            headers: Headers::default(),
            waits: Waits::default(),
            body: Ok(body.as_bytes().to_vec()),
            kept: false,
            kept_silent: false,
        }
    }

    fn with_reader<R>(by_upload_token: bool, read: impl FnOnce(&Reader) -> R) -> R {
        read(&Reader {
            server: &Config::default().server(),
            request: &Checked::new("POST", "/upload?token=to1secret", None).unwrap(),
            secrets: &["to1secret"],
            prefix: "",
            by_upload_token,
            had_all: true,
            video_id: None,
        })
    }

    fn failure(status: u16, body: &str, by_upload_token: bool) -> Failure {
        with_reader(by_upload_token, |reader| {
            *reader.receipt(reply(status, body)).unwrap_err()
        })
    }

    fn problem(slug: &str) -> String {
        json!({
            "type": format!("https://docs.api.video/reference/{slug}"),
            "title": "No to1secret.", "status": 400,
        })
        .to_string()
    }

    #[test]
    fn a_receipt_is_of_the_whole_chunk_and_of_this_video() {
        let ours = r#"{"videoId":"vi1"}"#;
        let is_receipt = |had_all, video_id: Option<&str>, body: &str| {
            with_reader(true, |reader| {
                let reader = Reader {
                    had_all,
                    video_id,
                    ..*reader
                };
                reader.receipt(reply(201, body)).is_ok()
            })
        };
        assert!(is_receipt(true, None, ours) && is_receipt(true, Some("vi1"), ours));
        assert!(!is_receipt(false, Some("vi1"), ours), "it was not sent");
        assert!(!is_receipt(true, Some("vi2"), ours), "of another video");
        for body in [
            "{}",
            r#"{"videoId":null}"#,
            r#"{"videoId":""}"#,
            r#"{"videoId":"a\r\nB: c"}"#,
        ] {
            assert!(!is_receipt(true, None, body), "{body}");
        }
    }

    #[test]
    fn what_a_refusal_means() {
        use Refusal::{AlreadySent, AlreadyUploaded, Final, Limited, Passing, Unauthorized};
        for (status, body, refusal) in [
            (
                400,
                problem("video-content-range-by-part-part-already-sent"),
                AlreadySent,
            ),
            (
                400,
                problem("video-content-range-by-bytes-range-overlap"),
                AlreadySent,
            ),
            (
                400,
                problem("video-source-already-uploaded"),
                AlreadyUploaded,
            ),
            (400, problem("video-source-already-copied"), Final),
            (400, problem("uploaded-file-empty"), Final),
            (400, "<html>".to_owned(), Passing),
            (401, "<html>".to_owned(), Unauthorized),
            (403, problem("x"), Final),
            (403, "<html>".to_owned(), Passing),
            (404, problem("resource-not-found"), Final),
            (413, "<html>".to_owned(), Final),
            (408, problem("x"), Passing),
            (429, String::new(), Limited),
            (500, problem("x"), Passing),
            (502, "<html>".to_owned(), Passing),
            (302, String::new(), Passing),
            (200, "<html>sign in</html>".to_owned(), Passing),
        ] {
            let failure = failure(status, &body, false);
            assert_eq!(failure.refusal, refusal, "{status} {body}");
            assert_eq!(failure.may_have_arrived, refusal == Passing, "{status}");
            assert!(
                !failure.error.message.contains("secret"),
                "{}",
                failure.error
            );
        }
    }

    #[test]
    fn a_refused_upload_token_is_final_unless_a_gateway_says_so() {
        let slug = problem("authentication-invalid-upload-token");
        assert_eq!(failure(401, &slug, true).refusal, Refusal::Final);
        assert_eq!(failure(401, "<html>", true).refusal, Refusal::Passing);
    }

    #[test]
    fn a_receipt_names_the_video_and_may_be_its_last() {
        let receipt = |body| with_reader(false, |reader| reader.receipt(reply(201, body)).unwrap());
        let first = receipt(r#"{"videoId":"vi1"}"#);
        assert_eq!(
            (first.video_id.as_deref(), first.is_video),
            (Some("vi1"), false)
        );
        assert!(receipt(r#"{"videoId":"vi1","assets":{}}"#).is_video);
    }

    #[test]
    fn what_has_been_received_is_read_with_tolerance() {
        let uploading = |received| Ingest {
            is_complete: false,
            size: None,
            received,
        };
        for (body, expected) in [
            (json!(null), uploading(Received::Nothing)),
            (json!({"status": "uploading"}), uploading(Received::Nothing)),
            (
                json!({"status": "uploading", "receivedParts": {"parts": [1, 3], "total": null}}),
                uploading(Received::Parts {
                    numbers: vec![1, 3],
                    total: None,
                }),
            ),
            (
                json!({"receivedParts": {"parts": [1], "total": 2}, "receivedBytes": null}),
                uploading(Received::Parts {
                    numbers: vec![1],
                    total: Some(2),
                }),
            ),
            (
                json!({"receivedBytes": [{"from": 0, "to": 9, "total": 20}, {"from": "x"}]}),
                uploading(Received::Bytes {
                    ranges: vec![Chunk::new(0, 10)],
                    total: Some(20),
                }),
            ),
            (
                json!({"status": "ingesting", "filesize": 20, "receivedBytes": []}),
                Ingest {
                    is_complete: true,
                    size: Some(20),
                    received: Received::Nothing,
                },
            ),
        ] {
            assert_eq!(ingest(&body), expected, "{body}");
        }
    }

    #[test]
    fn numbers_that_cannot_be_are_not_received() {
        let most = u64::MAX;
        for body in [
            json!({"receivedParts": {"parts": [0, MOST_PARTS + 1, most, -1, 1.5], "total": most}}),
            json!({"receivedBytes": [{"from": 0, "to": most, "total": most}]}),
            json!({"receivedBytes": [{"from": 0, "to": LARGEST_SOURCE}, {"from": 9, "to": 8}]}),
            json!({"filesize": LARGEST_SOURCE + 1}),
        ] {
            let nothing = Ingest {
                is_complete: false,
                size: None,
                received: Received::Nothing,
            };
            assert_eq!(ingest(&body), nothing, "{body}");
        }
        let last = ingest(&json!({"receivedBytes": [{"from": 7, "to": LARGEST_SOURCE - 1}]}));
        let expected = Received::Bytes {
            ranges: vec![Chunk::new(7, LARGEST_SOURCE)],
            total: None,
        };
        assert_eq!(last.received, expected);
    }

    #[test]
    fn the_limit_is_told_by_two_headers() {
        let mut reply = reply(201, "{}");
        assert_eq!(limits(&reply), None);
        let header = ("x-ratelimit-remaining".to_owned(), "7".to_owned());
        reply.headers = [header].into_iter().collect();
        assert_eq!(limits(&reply), None);
        reply.waits.rate_limit_ms = Some(42_000);
        let expected = Limits {
            remaining: 7,
            resets_in_ms: 42_000,
        };
        assert_eq!(limits(&reply), Some(expected));
    }

    #[test]
    fn who_cannot_be_trusted_from_the_start_is_not_asked_for_minutes() {
        let lost = |status, had_contact| {
            let failure = http::Failure {
                error: Error::new(status, "no"),
                sent: false,
                kept: false,
            };
            with_reader(false, |reader| reader.lost(failure, had_contact).refusal)
        };
        assert_eq!(lost(Status::TlsError, false), Refusal::Final);
        assert_eq!(lost(Status::TlsError, true), Refusal::Passing);
        assert_eq!(lost(Status::NetworkError, false), Refusal::Passing);
    }
}
