//! What a video has received of its source. Pure: no clock, no lock, no I/O.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::content_range::ContentRange;
use crate::refusals::{self, Refusal};
use crate::stored::Chunk;

/// Where a complete source has come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Uploaded,
    Copied,
    Downloaded,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Whole,
    Parts,
    Bytes,
}

/// The source of one video, chunk by chunk.
#[derive(Default)]
pub(crate) struct Ingest {
    complete: Option<Origin>,
    form: Option<Form>,
    total: Option<u64>,
    /// By the number of the part, or the position of its first byte.
    chunks: BTreeMap<u64, Chunk>,
}

impl Ingest {
    /// A source that is there without an upload to the sandbox.
    pub(crate) fn complete(origin: Origin) -> Self {
        Self {
            complete: Some(origin),
            ..Self::default()
        }
    }

    /// Whether a chunk with this range may come now.
    pub(crate) fn check(&self, range: ContentRange) -> Result<(), Refusal> {
        self.check_incomplete()?;
        match range {
            ContentRange::Whole if self.form.is_some() => Err(refusals::ALREADY_INITIATED),
            ContentRange::Whole => Ok(()),
            ContentRange::Part { number, total } => self.check_part(number, total),
            ContentRange::Bytes { from, to, total } => self.check_bytes(from, to, total),
        }
    }

    fn check_incomplete(&self) -> Result<(), Refusal> {
        match self.complete {
            None => Ok(()),
            Some(Origin::Uploaded) => Err(refusals::ALREADY_UPLOADED),
            Some(Origin::Copied) => Err(refusals::ALREADY_COPIED),
            Some(Origin::Downloaded) => Err(refusals::ALREADY_DOWNLOADED),
        }
    }

    fn check_part(&self, number: u64, total: Option<u64>) -> Result<(), Refusal> {
        if self.form == Some(Form::Bytes) {
            return Err(refusals::STARTED_WITH_BYTES);
        }
        if self.has_another(total) {
            return Err(refusals::DIFFERENT_TOTAL_PARTS);
        }
        if self.chunks.contains_key(&number) {
            let detail = format!("The part number {number} has already been sent.");
            return Err(refusals::PART_ALREADY_SENT.detailed(detail));
        }
        let highest = self.chunks.keys().next_back();
        if highest.is_some_and(|&highest| total.is_some_and(|total| total < highest)) {
            return Err(refusals::TOTAL_PARTS_TOO_LOW);
        }
        match self.total {
            Some(total) if number > total => Err(refusals::PART_TOO_HIGH_TOTAL),
            _ => Ok(()),
        }
    }

    fn check_bytes(&self, from: u64, to: u64, total: Option<u64>) -> Result<(), Refusal> {
        if self.form == Some(Form::Parts) {
            return Err(refusals::STARTED_WITH_PART);
        }
        if self.has_another(total) {
            return Err(refusals::DIFFERENT_TOTAL_BYTES);
        }
        let before = self.chunks.range(..=to).next_back();
        if before.is_some_and(|(start, chunk)| start + chunk.length > from) {
            return Err(refusals::RANGE_OVERLAP);
        }
        let last = self.chunks.iter().next_back();
        let end = last.map_or(0, |(start, chunk)| start + chunk.length);
        if total.is_some_and(|total| total < end) {
            return Err(refusals::TOTAL_BYTES_TOO_LOW);
        }
        match self.total {
            Some(total) if to >= total => Err(refusals::TO_TOO_HIGH_TOTAL),
            _ => Ok(()),
        }
    }

    fn has_another(&self, total: Option<u64>) -> bool {
        total.is_some() && self.total.is_some() && total != self.total
    }

    /// Takes a chunk. Another may have come since its range was checked.
    pub(crate) fn take(&mut self, range: ContentRange, chunk: Chunk) -> Result<(), Refusal> {
        self.check(range)?;
        let (form, key, total) = match range {
            ContentRange::Whole => (Form::Whole, 0, Some(chunk.length)),
            ContentRange::Part { number, total } => (Form::Parts, number, total),
            ContentRange::Bytes { from, total, .. } => (Form::Bytes, from, total),
        };
        self.form = Some(form);
        self.total = self.total.or(total);
        self.chunks.insert(key, chunk);
        if self.has_all(form) {
            self.complete = Some(Origin::Uploaded);
        }
        Ok(())
    }

    /// Chunks do not overlap and lie within the total, so it is enough to count.
    fn has_all(&self, form: Form) -> bool {
        let received = match form {
            Form::Parts => self.chunks.len() as u64,
            Form::Whole | Form::Bytes => self.length(),
        };
        self.total == Some(received)
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.complete.is_some()
    }

    /// How many bytes have come.
    pub(crate) fn length(&self) -> u64 {
        self.chunks.values().map(|chunk| chunk.length).sum()
    }

    /// The chunks in the order of the video, each with its number, or the
    /// position of its first byte.
    pub(crate) fn chunks(&self) -> impl Iterator<Item = (u64, &Chunk)> {
        self.chunks.iter().map(|(key, chunk)| (*key, chunk))
    }

    pub(crate) fn form(&self) -> Option<Form> {
        self.form
    }

    /// What the status of a video tells of it.
    pub(crate) fn to_json(&self, is_encoded: bool) -> Value {
        let status = match (self.complete, self.form) {
            (Some(_), _) if is_encoded => "ingested",
            (Some(_), _) => "ingesting",
            (None, Some(_)) => "uploading",
            (None, None) => "missing",
        };
        let size = self.is_complete().then(|| self.length());
        let mut json = Map::from_iter([
            ("status".to_owned(), status.into()),
            ("filesize".to_owned(), size.into()),
        ]);
        match self.form {
            Some(Form::Parts) => json.insert("receivedParts".to_owned(), self.parts()),
            Some(Form::Bytes) => json.insert("receivedBytes".to_owned(), self.ranges()),
            _ => None,
        };
        json.into()
    }

    fn parts(&self) -> Value {
        let numbers: Vec<u64> = self.chunks.keys().copied().collect();
        json!({ "parts": numbers, "total": self.total })
    }

    fn ranges(&self) -> Value {
        let range = |(from, chunk): (&u64, &Chunk)| json!({ "from": from, "to": from + chunk.length - 1, "total": self.total });
        self.chunks.iter().map(range).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes a chunk of 10 bytes, or as many as its range has.
    fn take(ingest: &mut Ingest, text: &str) -> &'static str {
        let range = ContentRange::parse(Some(text)).unwrap();
        let length = match range {
            ContentRange::Bytes { from, to, .. } => to - from + 1,
            _ => 10,
        };
        let taken = ingest.take(range, Chunk::of_length(length));
        taken.map_or_else(|refusal| refusal.slug, |()| "")
    }

    fn take_whole(ingest: &mut Ingest) -> &'static str {
        let taken = ingest.take(ContentRange::Whole, Chunk::of_length(10));
        taken.map_or_else(|refusal| refusal.slug, |()| "")
    }

    /// Plays a list of chunks, each with what becomes of it.
    fn play(steps: &[(&str, &str)]) -> Ingest {
        let mut ingest = Ingest::default();
        for (text, verdict) in steps {
            assert_eq!(take(&mut ingest, text), *verdict, "{text}");
        }
        ingest
    }

    const UPLOADED: &str = "video-source-already-uploaded";

    #[test]
    fn parts_come_in_any_order_and_the_set_completes() {
        let mut ingest = play(&[("part 3/3", ""), ("part 1/3", "")]);
        assert!(!ingest.is_complete());
        let status = ingest.to_json(true);
        let expected = json!({
            "status": "uploading", "filesize": null,
            "receivedParts": { "parts": [1, 3], "total": 3 },
        });
        assert_eq!(status, expected);
        assert_eq!(take(&mut ingest, "part 2/3"), "");
        assert_eq!(ingest.length(), 30);
        assert_eq!(ingest.to_json(false)["status"], "ingesting");
        assert_eq!(ingest.to_json(true)["status"], "ingested");
        assert_eq!(ingest.to_json(true)["filesize"], 30);
    }

    #[test]
    fn the_number_of_parts_may_be_told_last() {
        let mut ingest = play(&[("part 1/*", ""), ("part 2/*", "")]);
        assert_eq!(ingest.to_json(true)["receivedParts"]["total"], Value::Null);
        assert_eq!(take(&mut ingest, "part 3/3"), "");
        assert!(ingest.is_complete());
    }

    #[test]
    fn the_last_part_may_overtake_the_others() {
        let ingest = play(&[("part 2/2", ""), ("part 1/*", "")]);
        assert!(ingest.is_complete());
    }

    #[test]
    fn ranges_come_in_any_order_and_the_set_completes() {
        let mut ingest = play(&[("bytes 10-19/25", ""), ("bytes 20-24/25", "")]);
        let expected = json!({
            "status": "uploading", "filesize": null,
            "receivedBytes": [
                { "from": 10, "to": 19, "total": 25 },
                { "from": 20, "to": 24, "total": 25 },
            ],
        });
        assert_eq!(ingest.to_json(true), expected);
        assert_eq!(take(&mut ingest, "bytes 0-9/*"), "");
        assert_eq!((ingest.is_complete(), ingest.length()), (true, 25));
    }

    #[test]
    fn each_rule_of_parts_has_its_refusal() {
        let by_part = "video-content-range-by-part-";
        let steps = [
            ("part 3/*", String::new()),
            ("part 3/*", format!("{by_part}part-already-sent")),
            ("part 2/2", format!("{by_part}total-parts-too-low")),
            ("part 2/4", String::new()),
            ("part 2/4", format!("{by_part}part-already-sent")),
            ("part 1/5", format!("{by_part}different-total-parts")),
            ("part 5/*", format!("{by_part}part-too-high-total")),
            (
                "bytes 0-9/*",
                "video-content-range-started-with-part".into(),
            ),
            ("part 1/4", String::new()),
            ("part 4/4", String::new()),
            ("part 4/4", UPLOADED.into()),
            ("bytes 0-9/*", UPLOADED.into()),
        ];
        play(&steps.each_ref().map(|(text, slug)| (*text, slug.as_str())));
    }

    #[test]
    fn each_rule_of_bytes_has_its_refusal() {
        let by_bytes = "video-content-range-by-bytes-";
        let overlap = format!("{by_bytes}range-overlap");
        let steps = [
            ("bytes 10-19/*", String::new()),
            ("bytes 10-19/*", overlap.clone()),
            ("bytes 19-28/*", overlap.clone()),
            ("bytes 5-10/*", overlap.clone()),
            ("bytes 0-99/*", overlap),
            ("bytes 0-9/15", format!("{by_bytes}total-bytes-too-low")),
            ("bytes 20-29/40", String::new()),
            ("bytes 0-9/41", format!("{by_bytes}different-total-bytes")),
            ("bytes 40-49/*", format!("{by_bytes}to-byte-too-high-total")),
            ("part 1/2", "video-content-range-started-with-bytes".into()),
            ("bytes 0-9/40", String::new()),
            ("bytes 30-39/40", String::new()),
            ("bytes 30-39/40", UPLOADED.into()),
            ("part 1/2", UPLOADED.into()),
        ];
        play(&steps.each_ref().map(|(text, slug)| (*text, slug.as_str())));
    }

    #[test]
    fn a_whole_video_comes_once_and_not_after_a_chunk() {
        let mut ingest = Ingest::default();
        assert_eq!(take_whole(&mut ingest), "");
        assert_eq!((ingest.is_complete(), ingest.length()), (true, 10));
        assert_eq!(ingest.to_json(true).as_object().unwrap().len(), 2);
        assert_eq!(take_whole(&mut ingest), UPLOADED);

        let mut begun = play(&[("part 1/2", "")]);
        assert_eq!(
            take_whole(&mut begun),
            "video-content-range-already-initiated"
        );
    }

    #[test]
    fn a_source_from_elsewhere_takes_no_chunk() {
        for (origin, slug) in [
            (Origin::Copied, "video-source-already-copied"),
            (Origin::Downloaded, "video-source-already-downloaded"),
        ] {
            assert_eq!(take(&mut Ingest::complete(origin), "part 1/1"), slug);
        }
    }

    #[test]
    fn nothing_received_is_missing() {
        let status = Ingest::default().to_json(true);
        assert_eq!(status, json!({ "status": "missing", "filesize": null }));
    }
}
