//! A file as an upload's source: any part of it, as long as it stays what it was.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::chunks::Chunk;
use crate::error::{Error, Status};
use crate::ffi::sys;

/// A file that is being sent.
#[derive(Debug)]
pub(crate) struct SourceFile {
    file: File,
    path: PathBuf,
    size: u64,
    /// None where the system does not tell.
    modified: Option<SystemTime>,
}

impl SourceFile {
    pub(crate) fn open(path: &Path) -> Result<SourceFile, Error> {
        let failed = |why: io::Error| failed(path, &why);
        // Looked at first: to open a pipe waits until somebody writes to it.
        if !fs::metadata(path).map_err(failed)?.is_file() {
            return Err(cannot(
                path,
                "it is no regular file. A program can hand the bytes of a pipe or a device over itself",
            ));
        }
        let file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if metadata.len() == 0 {
            return Err(cannot(path, "it is empty"));
        }
        Ok(SourceFile {
            file,
            path: path.to_owned(),
            size: metadata.len(),
            modified: metadata.modified().ok(),
        })
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// The bytes of a chunk. Its last ones come only if the file is still what it was.
    pub(crate) fn read(&self, chunk: Chunk) -> ChunkReader<'_> {
        ChunkReader {
            source: self,
            left: chunk,
        }
    }

    fn check(&self) -> io::Result<()> {
        let is_same =
            |now: Metadata| now.len() == self.size && now.modified().ok() == self.modified;
        match is_same(self.file.metadata()?) {
            true => Ok(()),
            false => Err(changed()),
        }
    }

    /// An error of a read, in a user's words.
    pub(crate) fn explain(&self, why: &io::Error) -> Error {
        match is_changed(why) {
            true => Error::new(
                Status::FileError,
                format!(
                    "The file {:?} changed while it was being uploaded. Make a new video, and upload \
                     it when nothing writes to it any more.",
                    self.path
                ),
            ),
            false => failed(&self.path, why),
        }
    }
}

/// Reads a chunk of a file.
pub(crate) struct ChunkReader<'a> {
    source: &'a SourceFile,
    left: Chunk,
}

impl Read for ChunkReader<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let wanted = usize::try_from(self.left.len()).unwrap_or(usize::MAX);
        let wanted = wanted.min(into.len());
        if wanted == 0 {
            return Ok(0);
        }
        let count = sys::read_at(&self.source.file, &mut into[..wanted], self.left.from)?;
        if count == 0 {
            return Err(changed());
        }
        self.left.from += count as u64;
        if self.left.len() == 0 {
            self.source.check()?;
        }
        Ok(count)
    }
}

/// The file is not what it was.
fn changed() -> io::Error {
    io::ErrorKind::InvalidData.into()
}

fn is_changed(why: &io::Error) -> bool {
    why.kind() == io::ErrorKind::InvalidData && why.raw_os_error().is_none()
}

fn cannot(path: &Path, why: &str) -> Error {
    Error::new(
        Status::FileError,
        format!("The file {path:?} cannot be uploaded: {why}."),
    )
}

/// What the system says of a file. Where it lacks something, the file is not at fault.
fn failed(path: &Path, why: &io::Error) -> Error {
    let mut error = cannot(path, &sys::words_of(why));
    if sys::is_lack_of_resources(why) {
        error.status = Status::SystemError;
    }
    error
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;

    struct Temporary(PathBuf);

    impl Temporary {
        fn new(name: &str, bytes: &[u8]) -> Temporary {
            let name = format!("apivideo-{}-{name}", std::process::id());
            let path = std::env::temp_dir().join(name);
            fs::write(&path, bytes).unwrap();
            Temporary(path)
        }
    }

    impl Drop for Temporary {
        fn drop(&mut self) {
            let _ = fs::remove_file(&self.0);
        }
    }

    fn read(source: &SourceFile, from: u64, to: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut reader = source.read(Chunk::new(from, to));
        reader.read_to_end(&mut bytes).map(|_| bytes)
    }

    #[test]
    fn any_part_is_read_in_any_order() {
        let file = Temporary::new("parts", b"0123456789");
        let source = SourceFile::open(&file.0).unwrap();
        assert_eq!(source.size(), 10);
        assert_eq!(read(&source, 4, 7).unwrap(), b"456");
        assert_eq!(read(&source, 0, 10).unwrap(), b"0123456789");
        assert_eq!(read(&source, 9, 10).unwrap(), b"9");
    }

    #[test]
    fn a_file_that_grew_shrank_or_was_written_to_is_noticed() {
        type Change = fn(&File);
        let changes: [(&str, Change); 3] = [
            ("grown", |file| file.set_len(11).unwrap()),
            ("shrunk", |file| file.set_len(5).unwrap()),
            ("touched", |file| {
                let later = SystemTime::now() + Duration::from_secs(7);
                file.set_modified(later).unwrap();
            }),
        ];
        for (name, change) in changes {
            let file = Temporary::new(name, b"0123456789");
            let source = SourceFile::open(&file.0).unwrap();
            change(&File::options().write(true).open(&file.0).unwrap());
            let why = read(&source, 2, 8).unwrap_err();
            let error = source.explain(&why);
            assert_eq!(error.status, Status::FileError);
            assert!(error.message.contains("changed"), "{name}: {error}");
        }
    }

    #[test]
    fn a_lack_of_descriptors_is_no_fault_of_the_file() {
        let too_many = if cfg!(windows) { 4 } else { 24 };
        for (number, status) in [(too_many, Status::SystemError), (13, Status::FileError)] {
            let why = io::Error::from_raw_os_error(number);
            assert_eq!(failed(Path::new("a"), &why).status, status);
        }
    }

    #[test]
    fn what_is_no_file_with_bytes_is_refused() {
        let empty = Temporary::new("empty", b"");
        for (path, why) in [
            (empty.0.as_path(), "is empty"),
            (Path::new("src"), ""),
            (Path::new("/nonexistent"), ""),
        ] {
            let error = SourceFile::open(path).unwrap_err();
            assert_eq!(error.status, Status::FileError);
            assert!(error.message.contains(why), "{error}");
        }
    }
}
