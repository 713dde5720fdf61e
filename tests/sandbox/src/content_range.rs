//! Which piece of a video a request brings, and what is wrong with that alone.

use crate::refusals::{self, Refusal};

/// The largest file of one request.
pub(crate) const LARGEST_FILE: u64 = 209_715_200;
const MOST_PARTS: u64 = 10_000;
const MOST_BYTES: u64 = 52_428_800_000;

/// The `Content-Range` of an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ContentRange {
    /// There is none: the request brings all of the video.
    Whole,
    /// Parts are counted from 1.
    Part { number: u64, total: Option<u64> },
    /// Both ends belong to it.
    Bytes {
        from: u64,
        to: u64,
        total: Option<u64>,
    },
}

impl ContentRange {
    pub(crate) fn parse(header: Option<&str>) -> Result<Self, Refusal> {
        let Some(text) = header else {
            return Ok(Self::Whole);
        };
        parse_text(text.trim()).ok_or(refusals::MALFORMED)
    }

    /// Checks what can be known without the video and without the file.
    pub(crate) fn check(&self, smallest: u64) -> Result<(), Refusal> {
        match *self {
            Self::Whole => Ok(()),
            Self::Part { number, total } => check_part(number, total),
            Self::Bytes { from, to, total } => check_bytes(from, to, total, smallest),
        }
    }

    /// Checks the size of the file that came with it.
    pub(crate) fn check_size(&self, size: u64, smallest: u64) -> Result<(), Refusal> {
        if size == 0 {
            return Err(refusals::FILE_EMPTY);
        }
        if size > LARGEST_FILE {
            return Err(refusals::FILE_TOO_LARGE);
        }
        match *self {
            Self::Part { number, total } if size < smallest && total != Some(number) => {
                Err(refusals::FILE_TOO_SMALL)
            }
            Self::Bytes { from, to, .. } if to - from + 1 != size => Err(refusals::RANGE_MISMATCH),
            _ => Ok(()),
        }
    }
}

fn parse_text(text: &str) -> Option<ContentRange> {
    let (unit, rest) = text.split_once(' ')?;
    let (piece, total) = rest.split_once('/')?;
    let total = match total {
        "*" => None,
        number => Some(digits(number)?),
    };
    match unit {
        "part" => Some(ContentRange::Part {
            number: digits(piece)?,
            total,
        }),
        "bytes" => {
            let (from, to) = piece.split_once('-')?;
            let (from, to) = (digits(from)?, digits(to)?);
            Some(ContentRange::Bytes { from, to, total })
        }
        _ => None,
    }
}

/// A number without a sign, which `parse` alone would take.
fn digits(text: &str) -> Option<u64> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

fn check_part(number: u64, total: Option<u64>) -> Result<(), Refusal> {
    let highest = total.unwrap_or(MOST_PARTS);
    let rules = [
        (number == 0, refusals::PART_ZERO),
        (total == Some(0), refusals::TOTAL_PARTS_ZERO),
        (number > MOST_PARTS, refusals::PART_TOO_HIGH_ALLOWED),
        (highest > MOST_PARTS, refusals::TOTAL_PARTS_TOO_HIGH),
        (number > highest, refusals::PART_TOO_HIGH_TOTAL),
    ];
    first_broken(rules)
}

fn check_bytes(from: u64, to: u64, total: Option<u64>, smallest: u64) -> Result<(), Refusal> {
    let end = total.unwrap_or(MOST_BYTES);
    let size = to.saturating_sub(from).saturating_add(1);
    let is_last = total == Some(to.saturating_add(1));
    let rules = [
        (total == Some(0), refusals::TOTAL_BYTES_ZERO),
        (end > MOST_BYTES, refusals::TOTAL_BYTES_TOO_HIGH),
        (from > to, refusals::FROM_TOO_HIGH),
        (to >= MOST_BYTES, refusals::TO_TOO_HIGH_ALLOWED),
        (to >= end, refusals::TO_TOO_HIGH_TOTAL),
        (size > LARGEST_FILE, refusals::RANGE_TOO_LARGE),
        (size < smallest && !is_last, refusals::RANGE_TOO_SMALL),
    ];
    first_broken(rules)
}

fn first_broken<const N: usize>(rules: [(bool, Refusal); N]) -> Result<(), Refusal> {
    let broken = rules.into_iter().find(|(is_broken, _)| *is_broken);
    broken.map_or(Ok(()), |(_, refusal)| Err(refusal))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALLEST: u64 = 10;

    /// The slug of what is wrong with a range, or nothing.
    fn verdict(text: &str) -> &'static str {
        let checked = ContentRange::parse(Some(text)).and_then(|range| range.check(SMALLEST));
        checked.map_or_else(|refusal| refusal.slug, |()| "")
    }

    fn verdict_of_size(text: &str, size: u64) -> &'static str {
        let range = ContentRange::parse(Some(text)).unwrap();
        let checked = range.check_size(size, SMALLEST);
        checked.map_or_else(|refusal| refusal.slug, |()| "")
    }

    #[test]
    fn both_forms_are_read() {
        let part = |number, total| ContentRange::Part { number, total };
        let bytes = |from, to, total| ContentRange::Bytes { from, to, total };
        for (text, range) in [
            ("part 3/7", part(3, Some(7))),
            (" part 1/* ", part(1, None)),
            ("bytes 0-99/100", bytes(0, 99, Some(100))),
            ("bytes 10-19/*", bytes(10, 19, None)),
        ] {
            assert_eq!(ContentRange::parse(Some(text)), Ok(range));
        }
        assert_eq!(ContentRange::parse(None), Ok(ContentRange::Whole));
    }

    #[test]
    fn anything_else_is_malformed() {
        for text in [
            "",
            "part",
            "part 1",
            "part /1",
            "part 1/",
            "part +1/2",
            "part -1/2",
            "part 1/2/3",
            "part  1/2",
            "Part 1/2",
            "bytes 1/2",
            "bytes 0-/2",
            "bytes -5/9",
            "bytes 0-1-2/9",
            "bytes */9",
            "bytes 0-99999999999999999999/*",
        ] {
            assert_eq!(verdict(text), "video-content-range-malformed", "{text}");
        }
    }

    #[test]
    fn each_rule_of_a_range_has_its_refusal() {
        let by_part = |slug: &str| format!("video-content-range-by-part-{slug}");
        let by_bytes = |slug: &str| format!("video-content-range-by-bytes-{slug}");
        for (text, slug) in [
            ("part 0/2", by_part("part-zero")),
            ("part 1/0", by_part("total-parts-zero")),
            ("part 10001/*", by_part("part-too-high-allowed")),
            ("part 1/10001", by_part("total-parts-too-high")),
            ("part 3/2", by_part("part-too-high-total")),
            ("bytes 0-9/0", by_bytes("total-bytes-zero")),
            ("bytes 0-9/52428800001", by_bytes("total-bytes-too-high")),
            ("bytes 9-8/20", by_bytes("from-byte-too-high")),
            (
                "bytes 52428799990-52428800000/*",
                by_bytes("to-byte-too-high-allowed"),
            ),
            ("bytes 0-20/20", by_bytes("to-byte-too-high-total")),
            ("bytes 0-209715200/*", by_bytes("range-too-large")),
            ("bytes 0-8/20", by_bytes("range-too-small")),
            ("bytes 0-8/*", by_bytes("range-too-small")),
        ] {
            assert_eq!(verdict(text), slug, "{text}");
        }
    }

    #[test]
    fn what_lies_within_the_rules_is_good() {
        for text in [
            "part 1/1",
            "part 10000/10000",
            "part 10000/*",
            "bytes 0-9/20",
            "bytes 18-19/20",
            "bytes 0-209715199/*",
            "bytes 52428799999-52428799999/52428800000",
        ] {
            assert_eq!(verdict(text), "", "{text}");
        }
    }

    #[test]
    fn a_file_has_the_size_that_its_range_asks_for() {
        for (text, size, slug) in [
            ("part 1/2", 10, ""),
            (
                "part 1/2",
                9,
                "video-content-range-by-part-uploaded-file-too-small",
            ),
            (
                "part 1/*",
                9,
                "video-content-range-by-part-uploaded-file-too-small",
            ),
            ("part 2/2", 1, ""),
            ("part 2/2", 0, "uploaded-file-empty"),
            ("part 1/2", LARGEST_FILE, ""),
            ("part 1/2", LARGEST_FILE + 1, "uploaded-file-too-large"),
            ("bytes 0-9/20", 10, ""),
            (
                "bytes 0-9/20",
                11,
                "video-content-range-by-bytes-range-mismatch",
            ),
            (
                "bytes 0-9/20",
                9,
                "video-content-range-by-bytes-range-mismatch",
            ),
        ] {
            assert_eq!(verdict_of_size(text, size), slug, "{text} {size}");
        }
    }
}
