//! How large, how many, how often: every number that decides how an upload goes.

use crate::cache::policy::backoff;

const MIB: u64 = 1024 * 1024;

/// api.video takes no smaller chunk but the last.
pub(crate) const SMALLEST_CHUNK: u64 = 5 * MIB;
/// api.video takes no larger chunk.
pub(crate) const LARGEST_CHUNK: u64 = 200 * MIB;
/// api.video takes no larger video.
pub(crate) const LARGEST_SOURCE: u64 = 52_428_800_000;
/// api.video takes no more parts.
pub(crate) const MOST_PARTS: u64 = 10_000;
/// As many chunks at the same time as an upload may have.
pub(crate) const MOST_PARALLEL: u32 = 8;

/// A file of up to 1,000 MiB has this many chunks at most: half of what the sandbox lets through in
/// a minute, so that no line is too fast for the limit.
const CHUNKS_OF_A_FILE: u64 = 20;
/// From there on a chunk grows no more: it is what is sent again after a fault. 40 of them in a
/// minute are 33 MiB/s, and 50 GB have 1,000, where 10,000 are allowed.
const LARGEST_DEFAULT: u64 = 50 * MIB;
/// Each chunk of a stream is held in memory. 40 in a minute are 10 MiB/s.
const CHUNK_OF_A_STREAM: u64 = 16 * MIB;

/// So often in a row a chunk may fail: for some five minutes.
const MOST_FAILURES: u32 = 20;
/// So often in a row a chunk may be told to come later, each time for up to a minute as a rule.
const MOST_LIMITED: u32 = 60;
/// So often in a row a chunk may be sent in vain where no access token was ever taken.
const MOST_UNAUTHORIZED: u32 = 4;
const BACKOFF_CAP: i64 = 30_000;

/// A window's end is told in whole seconds.
pub(crate) const PACE_MARGIN: i64 = 1_000;
/// So far apart are two replies' words for the end of one window, at most.
pub(crate) const SAME_WINDOW: u64 = 2_000;

/// The size of a file's chunks, unless the program names one. It depends on the file's size alone,
/// so that another process finds the same chunks.
pub(crate) fn chunk_of_a_file(size: u64) -> u64 {
    size.div_ceil(CHUNKS_OF_A_FILE)
        .next_multiple_of(MIB)
        .clamp(SMALLEST_CHUNK, LARGEST_DEFAULT)
}

/// The size of a stream's chunks, unless the program names one.
pub(crate) fn chunk_of_a_stream() -> u64 {
    CHUNK_OF_A_STREAM
}

/// How often an exchange failed in a row, by the reason.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Failures {
    passing: u32,
    limited: u32,
    unauthorized: u32,
}

impl Failures {
    /// The delay to the next try after a failure that passes, unless it was one too many.
    pub(crate) fn passing(&mut self, random: f64) -> Option<i64> {
        self.unauthorized = 0;
        self.passing += 1;
        (self.passing < MOST_FAILURES).then(|| backoff(self.passing, BACKOFF_CAP, random))
    }

    /// The same after a 429 that names no time.
    pub(crate) fn limited(&mut self, random: f64) -> Option<i64> {
        self.unauthorized = 0;
        self.limited += 1;
        (self.limited < MOST_LIMITED).then(|| backoff(self.limited, BACKOFF_CAP, random))
    }

    /// The same after a 401, where no token was ever taken.
    pub(crate) fn unauthorized(&mut self, random: f64) -> Option<i64> {
        self.unauthorized += 1;
        let delay = backoff(self.unauthorized, BACKOFF_CAP, random);
        (self.unauthorized < MOST_UNAUTHORIZED).then_some(delay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_s_chunks_keep_to_the_limits() {
        let of = |mib: u64| chunk_of_a_file(mib * MIB) / MIB;
        assert_eq!([1, 100, 101, 300].map(of), [5, 5, 6, 15]);
        assert_eq!([1_000, 1_001, 30 * 1024].map(of), [50, 50, 50]);
        assert_eq!(chunk_of_a_file(1), SMALLEST_CHUNK);
        for size in [100 * MIB, 999 * MIB, 1_000 * MIB] {
            assert!(size.div_ceil(chunk_of_a_file(size)) <= 20, "{size}");
        }
        let parts = |chunk| LARGEST_SOURCE.div_ceil(chunk);
        assert!(parts(chunk_of_a_file(LARGEST_SOURCE)) <= 1_000);
        assert!(parts(chunk_of_a_stream()) <= MOST_PARTS);
        assert!(
            parts(SMALLEST_CHUNK) <= MOST_PARTS,
            "a program may name the smallest"
        );
    }

    #[test]
    fn failures_that_pass_are_ridden_out_for_minutes_and_end() {
        let mut failures = Failures::default();
        let delays: Vec<i64> = std::iter::from_fn(|| failures.passing(0.5)).collect();
        assert_eq!(delays[..3], [150, 300, 600]);
        assert_eq!(*delays.last().unwrap(), 22_500);
        let all: i64 = delays.iter().sum();
        assert!((240_000..360_000).contains(&all), "{all}");
        assert_eq!(failures.passing(0.5), None);
    }

    #[test]
    fn each_reason_has_its_own_count_and_only_rejections_in_a_row_count() {
        let mut failures = Failures::default();
        for _ in 1..MOST_UNAUTHORIZED {
            assert!(failures.unauthorized(0.5).is_some());
        }
        failures.passing(0.5);
        assert_eq!(failures.unauthorized(0.0), Some(100));
        failures.limited(0.5);
        assert_eq!(failures.limited(0.0), Some(200));
        for _ in 1..MOST_UNAUTHORIZED {
            assert!(failures.unauthorized(0.5).is_some());
        }
        assert_eq!(failures.unauthorized(0.5), None);
    }
}
