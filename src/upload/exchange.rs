//! One exchange of an upload, as its state sees it.

use super::chunks::Chunk;
use crate::error::Error;

/// A chunk to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Job {
    pub(crate) chunk: Chunk,
    /// None where the chunk is the whole source.
    pub(crate) content_range: Option<String>,
    /// The form's field `videoId`: by an upload token each chunk but the first must name the video.
    pub(crate) video_id: Option<String>,
}

/// What an upload has to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// Send it, and report to `State::on_chunk`.
    Send(Job),
    /// `GET /videos/ID/status`, and report to `State::on_status`: whether this chunk arrived, or
    /// what did at all.
    Status(Option<Chunk>),
    /// `GET /videos/ID`, and report to `State::on_video`.
    Video,
    /// Nothing, until this time of the monotonic clock or until something changes.
    Wait(Option<i64>),
    /// It is over.
    End,
}

/// What a reply that refuses means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The access token was not taken.
    Unauthorized,
    /// 429.
    Limited,
    /// api.video has this part, or bytes of it.
    AlreadySent,
    /// api.video has the whole video.
    AlreadyUploaded,
    /// It may pass: a server's or a gateway's trouble, or no reply at all.
    Passing,
    /// The same request would be refused again.
    Final,
}

/// An exchange that gave nothing.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) refusal: Refusal,
    pub(crate) error: Error,
    /// The server may have all of the request, and may have acted on it.
    pub(crate) may_have_arrived: bool,
}

/// The reply to a chunk that arrived.
#[derive(Clone, Debug)]
pub(crate) struct Receipt<R> {
    pub(crate) video_id: Option<String>,
    pub(crate) reply: R,
    /// The reply has the whole video: this chunk completed it.
    pub(crate) is_video: bool,
}

/// What api.video has, by `GET /videos/ID/status`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ingest {
    /// All has been received.
    pub(crate) is_complete: bool,
    /// The size of all, where it is told.
    pub(crate) size: Option<u64>,
    pub(crate) received: Received,
}

/// Which chunks api.video has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    Nothing,
    Bytes {
        ranges: Vec<Chunk>,
        total: Option<u64>,
    },
    Parts {
        numbers: Vec<u64>,
        total: Option<u64>,
    },
}

/// A token that api.video did not take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rejected {
    /// Its number.
    pub(crate) token: u64,
    /// It was taken before. So it came to its end, and another will help.
    pub(crate) has_worked: bool,
}
