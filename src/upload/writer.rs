//! The bytes that a program hands over, put together into chunks.

use super::chunks::Chunk;
use super::policy::LARGEST_SOURCE;
use super::state::Fill;
use crate::error::{Error, Status};

/// Where chunks come from, and where they go when they are full. The first waits until there is
/// room for one more.
pub(crate) trait Chunks {
    fn fill(&self) -> Result<Fill, Error>;
    fn filled(&self, chunk: Chunk, bytes: Vec<u8>);
    /// The source has ended, with these bytes as its last chunk, if there are any.
    fn end(&self, size: u64, last: Option<(Chunk, Vec<u8>)>);
}

/// One stream of bytes.
#[derive(Debug)]
pub(crate) struct Writer {
    /// How long it will be, if that was said.
    size: Option<u64>,
    position: u64,
    filling: Option<(Chunk, Vec<u8>)>,
    has_ended: bool,
}

impl Writer {
    pub(crate) fn new(size: Option<u64>) -> Writer {
        Writer {
            size,
            position: 0,
            filling: None,
            has_ended: false,
        }
    }

    pub(crate) fn write(&mut self, mut bytes: &[u8], to: &impl Chunks) -> Result<(), Error> {
        if self.has_ended {
            return Err(Error::invalid(
                "The upload was finished: it takes no more bytes.",
            ));
        }
        let most = self.size.unwrap_or(LARGEST_SOURCE);
        if bytes.len() as u64 > most - self.position {
            return Err(Error::invalid(match self.size {
                Some(size) => format!("More bytes are written than `size` says: {size}."),
                None => format!("api.video takes no video of more than {most} bytes."),
            }));
        }
        while !bytes.is_empty() {
            let taken = self.take(bytes, to)?;
            self.position += taken as u64;
            bytes = &bytes[taken..];
        }
        Ok(())
    }

    /// Takes some of the bytes, or hands a chunk over.
    fn take(&mut self, bytes: &[u8], to: &impl Chunks) -> Result<usize, Error> {
        let Some((chunk, filling)) = &mut self.filling else {
            return match to.fill()? {
                Fill::Chunk(chunk) => {
                    self.filling = Some((chunk, Vec::new()));
                    Ok(0)
                }
                // api.video has them.
                Fill::Nothing | Fill::NotYet => Ok(bytes.len()),
            };
        };
        if self.position < chunk.from {
            return Ok(at_most(bytes, chunk.from - self.position));
        }
        let room = chunk.to - self.position;
        if room > 0 {
            if filling.capacity() == 0 {
                make_room(filling, room)?;
            }
            let taken = at_most(bytes, room);
            filling.extend_from_slice(&bytes[..taken]);
            // But not the last: it completes the video, and more than was announced may still come.
            if taken as u64 == room && self.size.is_some_and(|size| chunk.to < size) {
                self.hand_over(to);
            }
            return Ok(taken);
        }
        // It is not the last: there is more. The last must say that it is.
        self.hand_over(to);
        Ok(0)
    }

    fn hand_over(&mut self, to: &impl Chunks) {
        if let Some((chunk, bytes)) = self.filling.take() {
            to.filled(chunk, bytes);
        }
    }

    /// No more bytes will come.
    pub(crate) fn finish(&mut self, to: &impl Chunks) -> Result<(), Error> {
        if std::mem::replace(&mut self.has_ended, true) {
            return Ok(());
        }
        if let Some(size) = self.size.filter(|size| *size != self.position) {
            return Err(Error::invalid(format!(
                "Only {} bytes were written, where `size` says {size}.",
                self.position
            )));
        }
        if self.position == 0 {
            return Err(Error::invalid(
                "Nothing was written: api.video takes no empty video.",
            ));
        }
        match self.filling.take() {
            Some((chunk, _)) if self.position <= chunk.from => return Err(too_short(chunk.from)),
            Some((chunk, bytes)) if self.size.is_some() => to.filled(chunk, bytes),
            Some((chunk, bytes)) => {
                let last = Chunk::new(chunk.from, self.position);
                to.end(self.position, Some((last, bytes)));
            }
            None if self.size.is_none() => to.end(self.position, None),
            None => {}
        }
        Ok(())
    }
}

fn at_most(bytes: &[u8], count: u64) -> usize {
    bytes
        .len()
        .min(usize::try_from(count).unwrap_or(usize::MAX))
}

/// A chunk may be as large as all the memory that there is.
fn make_room(filling: &mut Vec<u8>, room: u64) -> Result<(), Error> {
    let reserved = usize::try_from(room).map(|room| filling.try_reserve_exact(room));
    match reserved {
        Ok(Ok(())) => Ok(()),
        _ => Err(Error::new(
            Status::SystemError,
            format!(
                "There is no memory for a chunk of {room} bytes. Resume with a smaller `chunk_size`."
            ),
        )),
    }
}

fn too_short(received: u64) -> Error {
    Error::new(
        Status::FileError,
        format!(
            "The upload was begun with a longer video: api.video has {received} bytes of it. Make a \
             new video for this one."
        ),
    )
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::VecDeque;

    use super::*;

    #[derive(Default)]
    struct Recorded {
        fills: RefCell<VecDeque<Fill>>,
        filled: RefCell<Vec<(u64, String)>>,
        ended: RefCell<Option<u64>>,
    }

    impl Recorded {
        /// Asks for chunks with these ends.
        fn new(chunks: &[(u64, u64)]) -> Recorded {
            let recorded = Recorded::default();
            let fills = chunks.iter().map(|(a, b)| Fill::Chunk(Chunk::new(*a, *b)));
            recorded.fills.borrow_mut().extend(fills);
            recorded
        }

        fn filled(&self) -> Vec<(u64, String)> {
            self.filled.borrow().clone()
        }
    }

    impl Chunks for Recorded {
        fn fill(&self) -> Result<Fill, Error> {
            Ok(self.fills.borrow_mut().pop_front().unwrap_or(Fill::Nothing))
        }

        fn filled(&self, chunk: Chunk, bytes: Vec<u8>) {
            let text = String::from_utf8(bytes).unwrap();
            self.filled.borrow_mut().push((chunk.from, text));
        }

        fn end(&self, size: u64, last: Option<(Chunk, Vec<u8>)>) {
            *self.ended.borrow_mut() = Some(size);
            if let Some((chunk, bytes)) = last {
                assert_eq!(chunk.len(), bytes.len() as u64);
                Chunks::filled(self, chunk, bytes);
            }
        }
    }

    fn text(chunks: &[(u64, &str)]) -> Vec<(u64, String)> {
        let owned = |(at, text): &(u64, &str)| (*at, (*text).to_owned());
        chunks.iter().map(owned).collect()
    }

    #[test]
    fn bytes_become_chunks_however_they_come() {
        for step in [1, 3, 4, 5, 100] {
            for size in [None, Some(10)] {
                let to = Recorded::new(&[(0, 4), (4, 8), (8, 12)]);
                if size.is_some() {
                    to.fills.borrow_mut()[2] = Fill::Chunk(Chunk::new(8, 10));
                }
                let mut writer = Writer::new(size);
                for bytes in b"0123456789".chunks(step) {
                    writer.write(bytes, &to).unwrap();
                }
                writer.finish(&to).unwrap();
                writer.finish(&to).unwrap();
                assert_eq!(to.filled(), text(&[(0, "0123"), (4, "4567"), (8, "89")]));
                assert_eq!(*to.ended.borrow(), size.is_none().then_some(10));
            }
        }
    }

    #[test]
    fn a_full_chunk_that_may_be_the_last_waits_for_what_comes() {
        let to = Recorded::new(&[(0, 4), (4, 8)]);
        let mut writer = Writer::new(None);
        writer.write(b"0123", &to).unwrap();
        assert_eq!(to.filled(), []);
        writer.finish(&to).unwrap();
        assert_eq!(to.filled(), text(&[(0, "0123")]));
        assert_eq!(*to.ended.borrow(), Some(4));
        let known = Recorded::new(&[(0, 4), (4, 8)]);
        let mut writer = Writer::new(Some(8));
        writer.write(b"0123", &known).unwrap();
        let first = text(&[(0, "0123")]);
        assert_eq!(known.filled(), first, "where the end is known");
        writer.write(b"4567", &known).unwrap();
        assert_eq!(known.filled(), first, "the last");
        assert!(writer.write(b"8", &known).is_err());
        writer.finish(&known).unwrap();
        assert_eq!(known.filled(), text(&[(0, "0123"), (4, "4567")]));
    }

    #[test]
    fn what_api_video_has_is_passed_over() {
        let to = Recorded::new(&[(2, 4), (6, 8)]);
        let mut writer = Writer::new(Some(10));
        writer.write(b"01234", &to).unwrap();
        writer.write(b"56789", &to).unwrap();
        writer.finish(&to).unwrap();
        assert_eq!(to.filled(), text(&[(2, "23"), (6, "67")]));
    }

    #[test]
    fn a_chunk_that_no_memory_is_left_for_is_an_error() {
        let to = Recorded::new(&[(0, 1 << 60)]);
        let error = Writer::new(None).write(b"0", &to).unwrap_err();
        assert_eq!(error.status, Status::SystemError, "{}", error.message);
    }

    #[test]
    fn too_many_and_too_few_bytes_are_errors() {
        let to = Recorded::new(&[(0, 4)]);
        let mut writer = Writer::new(Some(4));
        assert!(writer.write(b"01234", &to).is_err());
        writer.write(b"012", &to).unwrap();
        assert!(writer.finish(&to).unwrap_err().message.contains("Only 3"));
        assert!(writer.write(b"3", &to).is_err(), "after the end");
        assert!(Writer::new(None).finish(&to).is_err(), "nothing");
        let longer = Recorded::new(&[(8, 12)]);
        let mut writer = Writer::new(None);
        writer.write(b"0123", &longer).unwrap();
        let error = writer.finish(&longer).unwrap_err();
        assert_eq!(error.status, Status::FileError);
    }
}
