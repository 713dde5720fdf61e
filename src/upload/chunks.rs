//! Chunks: how a source is cut, and how api.video calls what was cut.

use std::collections::VecDeque;
use std::fmt;

use super::policy::SMALLEST_CHUNK;

/// A piece of the source: its bytes from `from`, and before `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Chunk {
    pub(crate) from: u64,
    pub(crate) to: u64,
}

impl Chunk {
    pub(crate) fn new(from: u64, to: u64) -> Chunk {
        Chunk { from, to }
    }

    pub(crate) fn len(self) -> u64 {
        self.to.saturating_sub(self.from)
    }
}

impl fmt::Display for Chunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.from, self.to.saturating_sub(1))
    }
}

/// How chunks are told apart: as the video was begun. A video takes one form only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// `bytes FROM-TO/TOTAL`. Says all: api.video itself refuses what has another size than it
    /// should, and tells exactly what it has.
    Bytes,
    /// `part N/TOTAL`: the form of a stream whose end is not known.
    Parts,
}

impl Form {
    /// The value of Content-Range. `total` is the source's size, once it is known.
    pub(crate) fn content_range(self, chunk: Chunk, total: Option<u64>, chunk_size: u64) -> String {
        let known = |total: Option<u64>| total.map_or("*".to_owned(), |total| total.to_string());
        match self {
            Form::Bytes => format!("bytes {chunk}/{}", known(total)),
            Form::Parts => {
                let number = chunk.from / chunk_size + 1;
                let parts = total.map(|total| total.div_ceil(chunk_size));
                format!("part {number}/{}", known(parts))
            }
        }
    }
}

/// What of the source api.video does not have, and nobody is sending: gaps in ascending order.
#[derive(Debug)]
pub(crate) struct Missing {
    gaps: VecDeque<Chunk>,
    /// Where the source ends; as far away as can be while that is not known.
    end: u64,
}

impl Missing {
    /// All of a source of this size, or of one whose end is not known.
    pub(crate) fn all(size: Option<u64>) -> Missing {
        let end = size.unwrap_or(u64::MAX);
        let all = Some(Chunk::new(0, end)).filter(|all| all.len() > 0);
        Missing {
            gaps: all.into_iter().collect(),
            end,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.gaps.is_empty()
    }

    /// What api.video has is not missing. Ranges may overlap, and be in any order.
    pub(crate) fn remove(&mut self, received: &[Chunk]) {
        for chunk in received {
            let gaps = std::mem::take(&mut self.gaps);
            self.gaps = gaps.into_iter().flat_map(|gap| rest(gap, *chunk)).collect();
        }
    }

    /// The source ends here.
    pub(crate) fn end_at(&mut self, size: u64) {
        self.remove(&[Chunk::new(size, u64::MAX)]);
        self.end = size;
    }

    /// How many bytes are missing; of a stream, as many as it may still have.
    pub(crate) fn len(&self) -> u64 {
        self.gaps.iter().map(|gap| gap.len()).sum()
    }

    /// Cuts the next chunk off: of this size, or what is left of a gap. No smaller gap is left than
    /// api.video takes, unless the source ends there.
    pub(crate) fn take(&mut self, size: u64) -> Option<Chunk> {
        let gap = self.gaps.front_mut()?;
        let left = gap.len().saturating_sub(size);
        let size = match left < SMALLEST_CHUNK && gap.to != self.end && left > 0 {
            true if gap.len() >= 2 * SMALLEST_CHUNK => gap.len() - SMALLEST_CHUNK,
            true => gap.len(),
            false => size.min(gap.len()),
        };
        let chunk = Chunk::new(gap.from, gap.from + size);
        gap.from = chunk.to;
        if gap.len() == 0 {
            self.gaps.pop_front();
        }
        Some(chunk)
    }
}

/// What is left of a gap without a range.
fn rest(gap: Chunk, range: Chunk) -> impl Iterator<Item = Chunk> {
    let before = Chunk::new(gap.from, gap.to.min(range.from));
    let behind = Chunk::new(gap.from.max(range.to), gap.to);
    let apart = range.to <= gap.from || range.from >= gap.to || range.len() == 0;
    let left = match apart {
        true => [gap, Chunk::new(0, 0)],
        false => [before, behind],
    };
    left.into_iter().filter(|chunk| chunk.len() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const C: u64 = SMALLEST_CHUNK;

    fn taken(mut missing: Missing, size: u64) -> Vec<(u64, u64)> {
        let chunks = std::iter::from_fn(|| missing.take(size));
        chunks.map(|chunk| (chunk.from, chunk.to)).collect()
    }

    #[test]
    fn a_source_is_cut_from_end_to_end() {
        assert_eq!(
            taken(Missing::all(Some(2 * C + 1)), C),
            [(0, C), (C, 2 * C), (2 * C, 2 * C + 1)]
        );
        assert_eq!(
            taken(Missing::all(Some(2 * C)), C),
            [(0, C), (C, 2 * C)],
            "no empty chunk at the end"
        );
        assert_eq!(taken(Missing::all(Some(1)), C), [(0, 1)]);
        assert_eq!(taken(Missing::all(Some(0)), C), [], "nothing");
    }

    #[test]
    fn what_was_received_is_not_cut_again() {
        let mut missing = Missing::all(Some(10 * C));
        missing.remove(&[
            Chunk::new(7 * C, 8 * C),
            Chunk::new(0, C),
            Chunk::new(C, 2 * C),
            Chunk::new(C, 3 * C),
            Chunk::new(5, 5),
        ]);
        assert_eq!(missing.len(), 6 * C);
        assert_eq!(
            taken(missing, 3 * C),
            [(3 * C, 6 * C), (6 * C, 7 * C), (8 * C, 10 * C)]
        );
        let mut missing = Missing::all(Some(C));
        missing.remove(&[Chunk::new(0, C)]);
        assert!(missing.is_empty());
    }

    #[test]
    fn no_gap_is_left_that_api_video_would_not_take() {
        for (gap, size, expected) in [
            (C + 1, C, vec![C + 1]),
            (2 * C - 1, C, vec![2 * C - 1]),
            (2 * C, C, vec![C, C]),
            (2 * C + 1, C, vec![C, C + 1]),
            (3 * C - 1, 2 * C, vec![2 * C - 1, C]),
            (3 * C + 1, 2 * C, vec![2 * C, C + 1]),
            (C - 1, C, vec![C - 1]),
        ] {
            let mut missing = Missing::all(Some(gap + 1));
            missing.remove(&[Chunk::new(gap, gap + 1)]);
            let sizes: Vec<u64> = taken(missing, size).iter().map(|(a, b)| b - a).collect();
            assert_eq!(sizes, expected, "{gap} in {size}");
        }
    }

    #[test]
    fn a_stream_ends_when_it_ends() {
        let mut missing = Missing::all(None);
        assert_eq!(missing.take(C), Some(Chunk::new(0, C)));
        assert_eq!(missing.take(C), Some(Chunk::new(C, 2 * C)));
        missing.end_at(2 * C);
        assert_eq!(missing.take(C), None);
        let mut missing = Missing::all(None);
        missing.remove(&[Chunk::new(0, C)]);
        missing.end_at(C + 7);
        assert_eq!(taken(missing, C), [(C, C + 7)]);
    }

    #[test]
    fn both_forms_are_api_video_s() {
        let chunk = Chunk::new(2 * C, 2 * C + 10);
        let range = |form: Form, total| form.content_range(chunk, total, C);
        let total = Some(2 * C + 10);
        assert_eq!(
            range(Form::Bytes, total),
            "bytes 10485760-10485769/10485770"
        );
        assert_eq!(range(Form::Bytes, None), "bytes 10485760-10485769/*");
        assert_eq!(range(Form::Parts, total), "part 3/3");
        assert_eq!(range(Form::Parts, None), "part 3/*");
    }
}
