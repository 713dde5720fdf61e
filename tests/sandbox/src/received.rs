//! What tests may know of a video that was uploaded.

use serde::Serialize;

use crate::ingest::Form;
use crate::stored::{self, Chunk};
use crate::videos::Video;

/// A video as its uploads have made it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReceivedVideo {
    /// Its id.
    pub video_id: String,
    /// Its title.
    pub title: String,
    /// Whether its source is complete.
    pub complete: bool,
    /// How many bytes have been received of it.
    pub length: u64,
    /// The CRC-32 of these, in the order of the video.
    pub crc32: u32,
    /// Their SHA-256 in hexadecimal, where it was asked for and bytes are kept.
    pub sha256: Option<String>,
    /// The chunks they came in, in the order of the video.
    pub chunks: Vec<ReceivedChunk>,
}

/// One chunk of a [`ReceivedVideo`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReceivedChunk {
    /// Its number, if it came as a part.
    pub part: Option<u64>,
    /// The position of its first byte, if it came as a range of bytes.
    pub from: Option<u64>,
    /// How many bytes it has.
    pub length: u64,
    /// Their CRC-32.
    pub crc32: u32,
}

impl ReceivedVideo {
    pub(crate) fn of(video: &Video) -> Self {
        let form = video.ingest.form();
        let chunk = |(key, chunk): (u64, &Chunk)| ReceivedChunk {
            part: (form == Some(Form::Parts)).then_some(key),
            from: (form == Some(Form::Bytes)).then_some(key),
            length: chunk.length,
            crc32: chunk.crc32,
        };
        Self {
            video_id: video.id.clone(),
            title: video.title().to_owned(),
            complete: video.ingest.is_complete(),
            length: video.ingest.length(),
            crc32: stored::crc32(video.ingest.chunks().map(|(_, chunk)| chunk)),
            sha256: None,
            chunks: video.ingest.chunks().map(chunk).collect(),
        }
    }
}
