//! The bytes of the chunks that were taken: kept in a file, or only summed up.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::Arc;

use parking_lot::Mutex;
use ring::digest::{Context, SHA256};

/// One file for all bytes, which no directory shows and which is gone with the
/// process, however that ends.
#[derive(Default)]
pub(crate) struct Spool(Mutex<Contents>);

#[derive(Default)]
struct Contents {
    file: Option<File>,
    end: u64,
    regions: usize,
}

impl Spool {
    /// Room for so many bytes. What is not written takes no space.
    pub(crate) fn reserve(self: &Arc<Self>, size: u64) -> io::Result<Region> {
        let mut contents = self.0.lock();
        if contents.file.is_none() {
            contents.file = Some(tempfile::tempfile()?);
        }
        let start = contents.end;
        contents.end += size;
        contents.regions += 1;
        Ok(Region {
            spool: Arc::clone(self),
            start,
            size,
            length: 0,
        })
    }

    fn at(&self, position: u64, work: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
        match &mut self.0.lock().file {
            Some(file) => {
                file.seek(SeekFrom::Start(position))?;
                work(file)
            }
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

/// A part of the spool.
pub(crate) struct Region {
    spool: Arc<Spool>,
    start: u64,
    size: u64,
    length: u64,
}

impl Region {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let length = self.length + bytes.len() as u64;
        if length > self.size {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let end = self.start + self.length;
        self.spool.at(end, |file| file.write_all(bytes))?;
        self.length = length;
        Ok(())
    }

    fn hash(&self, context: &mut Context) -> io::Result<()> {
        let mut buffer = vec![0; 1024 * 1024];
        let mut done = 0;
        while done < self.length {
            let size = (self.length - done).min(buffer.len() as u64);
            let piece = &mut buffer[..usize::try_from(size).unwrap_or(0)];
            self.spool
                .at(self.start + done, |file| file.read_exact(piece))?;
            context.update(piece);
            done += size;
        }
        Ok(())
    }
}

impl Drop for Region {
    /// The space is given back when nobody has any of it.
    fn drop(&mut self) {
        let mut contents = self.spool.0.lock();
        contents.regions -= 1;
        if contents.regions == 0 {
            contents.end = 0;
            contents.file = None;
        }
    }
}

/// What is left of the file of one request.
#[derive(Clone)]
pub(crate) struct Chunk {
    pub(crate) length: u64,
    pub(crate) crc32: u32,
    region: Option<Arc<Region>>,
}

impl Chunk {
    #[cfg(test)]
    pub(crate) fn of_length(length: u64) -> Self {
        Self {
            length,
            crc32: 0,
            region: None,
        }
    }
}

/// A chunk that is still being received.
pub(crate) struct Receiving {
    sum: crc32fast::Hasher,
    length: u64,
    region: Option<Region>,
}

impl Receiving {
    /// Without a region, bytes are only summed up.
    pub(crate) fn new(region: Option<Region>) -> Self {
        Self {
            sum: crc32fast::Hasher::new(),
            length: 0,
            region,
        }
    }

    pub(crate) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.sum.update(bytes);
        self.length += bytes.len() as u64;
        match &mut self.region {
            Some(region) => region.append(bytes),
            None => Ok(()),
        }
    }

    pub(crate) fn finish(self) -> Chunk {
        Chunk {
            length: self.length,
            crc32: self.sum.finalize(),
            region: self.region.map(Arc::new),
        }
    }
}

/// The CRC-32 of all chunks as one.
pub(crate) fn crc32<'a>(chunks: impl IntoIterator<Item = &'a Chunk>) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    for chunk in chunks {
        sum.combine(&crc32fast::Hasher::new_with_initial_len(
            chunk.crc32,
            chunk.length,
        ));
    }
    sum.finalize()
}

/// The SHA-256 of all chunks as one, in hexadecimal, if their bytes were kept.
pub(crate) fn sha256<'a>(chunks: impl IntoIterator<Item = &'a Chunk>) -> Option<String> {
    let mut context = Context::new(&SHA256);
    for chunk in chunks {
        chunk.region.as_ref()?.hash(&mut context).ok()?;
    }
    Some(hex(context.finish().as_ref()))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(region: Option<Region>, pieces: &[&str]) -> Chunk {
        let mut receiving = Receiving::new(region);
        for piece in pieces {
            receiving.append(piece.as_bytes()).unwrap();
        }
        receiving.finish()
    }

    #[test]
    fn chunks_add_up_to_the_sums_of_the_whole() {
        let spool = Arc::new(Spool::default());
        // The second has more room than it needs, and the third comes between.
        let mut third = Receiving::new(Some(spool.reserve(3).unwrap()));
        third.append(b"6").unwrap();
        let second = chunk(Some(spool.reserve(100).unwrap()), &["4", "5"]);
        third.append(b"789"[..2].as_ref()).unwrap();
        let first = chunk(Some(spool.reserve(3).unwrap()), &["123"]);
        let chunks = [first, second, third.finish()];
        assert_eq!(crc32(&chunks), crc32fast::hash(b"12345678"));
        let expected = "ef797c8118f02dfb649607dd5d3f8c7623048c9c063d532cc95c5ed7a898a64f";
        assert_eq!(sha256(&chunks).as_deref(), Some(expected));
    }

    #[test]
    fn bytes_that_are_not_kept_have_no_sha256() {
        let discarded = chunk(None, &["1234"]);
        assert_eq!(crc32([&discarded]), crc32fast::hash(b"1234"));
        assert_eq!(sha256([&discarded]), None);
    }

    #[test]
    fn a_chunk_stays_within_its_room() {
        let spool = Arc::new(Spool::default());
        let mut receiving = Receiving::new(Some(spool.reserve(3).unwrap()));
        let refused = receiving.append(b"1234").unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::FileTooLarge);
    }

    #[test]
    fn space_is_given_back_with_the_last_chunk() {
        let spool = Arc::new(Spool::default());
        let first = chunk(Some(spool.reserve(3).unwrap()), &["123"]);
        let second = chunk(Some(spool.reserve(3).unwrap()), &["456"]);
        drop(first);
        assert_eq!(spool.0.lock().end, 6);
        drop(second);
        assert_eq!(spool.0.lock().end, 0);
    }
}
