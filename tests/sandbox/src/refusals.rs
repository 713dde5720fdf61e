//! Why an upload is refused: every problem that api.video has a page for.

use hyper::StatusCode;

use crate::reply::Reply;

/// A problem with status 400.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) slug: &'static str,
    title: &'static str,
    detail: Option<String>,
}

const fn refusal(slug: &'static str, title: &'static str) -> Refusal {
    Refusal {
        slug,
        title,
        detail: None,
    }
}

impl Refusal {
    pub(crate) fn detailed(mut self, detail: String) -> Self {
        self.detail = Some(detail);
        self
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        let name = match refusal.slug.starts_with("video-content-range-") {
            true => "Content-Range",
            false => "file",
        };
        let mut reply = Self::problem(StatusCode::BAD_REQUEST, refusal.slug, refusal.title);
        if let Some(detail) = refusal.detail {
            reply.json["detail"] = detail.into();
        }
        reply.about(name)
    }
}

pub(crate) const FILE_EMPTY: Refusal = refusal("uploaded-file-empty", "The file is empty.");
pub(crate) const FILE_INVALID: Refusal =
    refusal("uploaded-file-invalid-file", "The form cannot be read.");
pub(crate) const NO_FILE: Refusal =
    refusal("uploaded-file-no-file", "There is no file in the form.");
pub(crate) const MULTIPLE_FILES: Refusal = refusal(
    "uploaded-file-multiple-files",
    "There is more than one file in the form.",
);
pub(crate) const FILE_TOO_LARGE: Refusal = refusal(
    "uploaded-file-too-large",
    "The file is too large for one request.",
);

pub(crate) const ALREADY_UPLOADED: Refusal = refusal(
    "video-source-already-uploaded",
    "The video has its source already: it was uploaded.",
);
pub(crate) const ALREADY_COPIED: Refusal = refusal(
    "video-source-already-copied",
    "The video has its source already: that of another video.",
);
pub(crate) const ALREADY_DOWNLOADED: Refusal = refusal(
    "video-source-already-downloaded",
    "The video has its source already: it was fetched from a URL.",
);

pub(crate) const MALFORMED: Refusal = refusal(
    "video-content-range-malformed",
    "The range is neither part NUMBER/TOTAL nor bytes FROM-TO/TOTAL.",
);
pub(crate) const ALREADY_INITIATED: Refusal = refusal(
    "video-content-range-already-initiated",
    "The upload was begun in chunks, so each needs its range.",
);
pub(crate) const STARTED_WITH_BYTES: Refusal = refusal(
    "video-content-range-started-with-bytes",
    "The upload was begun in bytes, and cannot go on in parts.",
);
pub(crate) const STARTED_WITH_PART: Refusal = refusal(
    "video-content-range-started-with-part",
    "The upload was begun in parts, and cannot go on in bytes.",
);

pub(crate) const RANGE_OVERLAP: Refusal = refusal(
    "video-content-range-by-bytes-range-overlap",
    "The range overlaps one that was sent already.",
);
pub(crate) const RANGE_MISMATCH: Refusal = refusal(
    "video-content-range-by-bytes-range-mismatch",
    "The file has not the size of its range.",
);
pub(crate) const RANGE_TOO_SMALL: Refusal = refusal(
    "video-content-range-by-bytes-range-too-small",
    "The range is too small for one that is not the last.",
);
pub(crate) const RANGE_TOO_LARGE: Refusal = refusal(
    "video-content-range-by-bytes-range-too-large",
    "The range is too large for one request.",
);
pub(crate) const FROM_TOO_HIGH: Refusal = refusal(
    "video-content-range-by-bytes-from-byte-too-high",
    "The range begins after its end.",
);
pub(crate) const TO_TOO_HIGH_TOTAL: Refusal = refusal(
    "video-content-range-by-bytes-to-byte-too-high-total",
    "The range ends after the end of the video.",
);
pub(crate) const TO_TOO_HIGH_ALLOWED: Refusal = refusal(
    "video-content-range-by-bytes-to-byte-too-high-allowed",
    "The range ends after the largest size of a video.",
);
pub(crate) const TOTAL_BYTES_ZERO: Refusal = refusal(
    "video-content-range-by-bytes-total-bytes-zero",
    "The video has no bytes.",
);
pub(crate) const TOTAL_BYTES_TOO_LOW: Refusal = refusal(
    "video-content-range-by-bytes-total-bytes-too-low",
    "There are bytes already behind the end of the video.",
);
pub(crate) const TOTAL_BYTES_TOO_HIGH: Refusal = refusal(
    "video-content-range-by-bytes-total-bytes-too-high",
    "The video is larger than the largest size.",
);
pub(crate) const DIFFERENT_TOTAL_BYTES: Refusal = refusal(
    "video-content-range-by-bytes-different-total-bytes",
    "Another range gave the video another size.",
);

pub(crate) const PART_ALREADY_SENT: Refusal = refusal(
    "video-content-range-by-part-part-already-sent",
    "This part was sent already.",
);
pub(crate) const PART_ZERO: Refusal = refusal(
    "video-content-range-by-part-part-zero",
    "Parts are counted from 1.",
);
pub(crate) const PART_TOO_HIGH_TOTAL: Refusal = refusal(
    "video-content-range-by-part-part-too-high-total",
    "The part has a higher number than there are parts.",
);
pub(crate) const PART_TOO_HIGH_ALLOWED: Refusal = refusal(
    "video-content-range-by-part-part-too-high-allowed",
    "The part has a higher number than any may have.",
);
pub(crate) const TOTAL_PARTS_ZERO: Refusal = refusal(
    "video-content-range-by-part-total-parts-zero",
    "The video has no parts.",
);
pub(crate) const TOTAL_PARTS_TOO_LOW: Refusal = refusal(
    "video-content-range-by-part-total-parts-too-low",
    "A part with a higher number was sent already.",
);
pub(crate) const TOTAL_PARTS_TOO_HIGH: Refusal = refusal(
    "video-content-range-by-part-total-parts-too-high",
    "The video has more parts than any may have.",
);
pub(crate) const DIFFERENT_TOTAL_PARTS: Refusal = refusal(
    "video-content-range-by-part-different-total-parts",
    "Another part gave another number of parts.",
);
pub(crate) const FILE_TOO_SMALL: Refusal = refusal(
    "video-content-range-by-part-uploaded-file-too-small",
    "The part is too small for one that is not the last.",
);
