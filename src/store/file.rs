//! Records in files of a directory that is the user's own.
//!
//! For a record named NAME there are
//! - `NAME`: the record, which only ever is put in the place of another as a whole;
//! - `NAME.lock`: locked for a moment by whoever does that;
//! - `NAME.lease`: locked by whoever gets a token for all: when that process ends, the kernel lets
//!   go of it, and everybody sees at once that the lease is void.
//!
//! The locks' files are never removed: two processes might lock two files of the same name. Nothing
//! is written through to the disk: a file that was torn by a crash of the machine does not open.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::{Backend, Change, Connection, LARGEST, Stored};
use crate::cache::record::StoreNow;
use crate::clock::{Clock, Now, SystemClock};
use crate::error::{Error, Status};
use crate::ffi::files::{self, LockFile, OwnDirectory, Unfit};
use crate::ffi::sys;

/// At the beginning of each file: what it is, whether a lock tells that its lease is alive, and its
/// version.
const MAGIC: &[u8; 7] = b"apivid1";
const HEAD: usize = MAGIC.len() + 1 + 8;
/// How long to wait before a lock is tried again.
const LOCK_RETRY: Duration = Duration::from_micros(200);
/// Records of keys that are used no more are removed after this time.
const FORGOTTEN: Duration = Duration::from_secs(48 * 3600);

/// The file store.
pub(crate) struct FileStore {
    directory: Arc<Path>,
}

impl FileStore {
    /// In that directory, or in this user's usual one. Whether it is fit is seen when it is used.
    pub(crate) fn new(setting: &str, directory: Option<&Path>) -> Result<FileStore, Error> {
        let directory: PathBuf = match directory {
            Some(directory) => std::path::absolute(directory).map_err(|why| {
                Error::invalid(format!("`{setting}` is no path: {}.", sys::words_of(&why)))
            })?,
            None => files::default_directory(),
        };
        // It takes as long as all else that a load does: rather now.
        boot();
        Ok(FileStore {
            directory: directory.into(),
        })
    }

    /// Makes the directory if need be, and says why it is not fit.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let open = OwnDirectory::open(&self.directory);
        open.map(drop).map_err(|unfit| Error {
            status: Status::InvalidArgument,
            ..explain(&self.directory, &unfit)
        })
    }
}

impl Backend for FileStore {
    fn open(&self) -> Box<dyn Connection> {
        Box::new(Files {
            path: Arc::clone(&self.directory),
            directory: None,
            lease: None,
        })
    }

    fn is_quick(&self) -> bool {
        true
    }
}

/// The directory during one flight.
struct Files {
    path: Arc<Path>,
    directory: Option<OwnDirectory>,
    /// Held while this process gets a token for all.
    lease: Option<LockFile>,
}

struct Head {
    is_watched: bool,
    version: u64,
}

impl Connection for Files {
    fn load(&mut self, name: &str, _limit: Duration) -> Result<Stored, Error> {
        let path = Arc::clone(&self.path);
        let result = self.read(name);
        result.map_err(|unfit| explain(&path, &unfit))
    }

    fn swap(&mut self, change: &Change, limit: Duration) -> Result<bool, Error> {
        let path = Arc::clone(&self.path);
        let result = self.replace(change, Instant::now() + limit);
        result.map_err(|unfit| explain(&path, &unfit))
    }
}

impl Files {
    fn directory(&mut self) -> Result<&OwnDirectory, Unfit> {
        match &mut self.directory {
            Some(directory) => Ok(directory),
            none => Ok(none.insert(OwnDirectory::open(&self.path)?)),
        }
    }

    fn read(&mut self, name: &str) -> Result<Stored, Unfit> {
        let holds_lease = self.lease.is_some();
        let directory = self.directory()?;
        let (head, sealed) = read_record(directory, name)?;
        let watched = head.is_watched && !holds_lease;
        Ok(Stored {
            version: head.version,
            sealed,
            now: store_now(),
            holder_is_gone: watched && directory.lock_file(&lease_name(name))?.is_free()?,
        })
    }

    fn replace(&mut self, change: &Change, until: Instant) -> Result<bool, Unfit> {
        let (name, path) = (&change.name, Arc::clone(&self.path));
        let directory = self.directory()?;
        let lock = directory.lock_file(&format!("{name}.lock"))?;
        while !lock.try_lock()? {
            if Instant::now() >= until {
                return Err(io::Error::from(io::ErrorKind::TimedOut).into());
            }
            std::thread::sleep(LOCK_RETRY);
        }
        let (head, _) = read_record(directory, name)?;
        if head.version != change.expected {
            return Ok(false);
        }
        let lease = match change.is_lease {
            true => Some(directory.lock_file(&lease_name(name))?),
            false => None,
        };
        // Somebody who is just looking may have it: then the lease's time alone counts.
        let lease = lease.filter(|lease| lease.try_lock().unwrap_or(false));
        write_record(directory, change, lease.is_some())?;
        if head.version == 0 {
            remove_forgotten(&path, directory);
        }
        self.lease = lease;
        Ok(true)
    }
}

fn lease_name(name: &str) -> String {
    format!("{name}.lease")
}

/// What is there: version 0 if nothing is, or nothing of ours.
fn read_record(directory: &OwnDirectory, name: &str) -> Result<(Head, Vec<u8>), Unfit> {
    let none = Head {
        is_watched: false,
        version: 0,
    };
    let file = match directory.file_to_read(name) {
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok((none, Vec::new())),
        file => file?,
    };
    let mut bytes = Vec::with_capacity(2048);
    file.take(LARGEST as u64).read_to_end(&mut bytes)?;
    Ok(split(&bytes).unwrap_or((none, Vec::new())))
}

fn split(bytes: &[u8]) -> Option<(Head, Vec<u8>)> {
    let (watched, rest) = bytes.strip_prefix(MAGIC)?.split_first()?;
    let (version, sealed) = rest.split_first_chunk::<8>()?;
    let head = Head {
        is_watched: *watched == 1,
        version: u64::from_le_bytes(*version),
    };
    Some((head, sealed.to_vec()))
}

fn write_record(directory: &OwnDirectory, change: &Change, is_watched: bool) -> Result<(), Unfit> {
    // Whoever has the lock is alone with it.
    let new = format!("{}.new", change.name);
    let mut bytes = Vec::with_capacity(HEAD + change.sealed.len());
    bytes.extend(MAGIC);
    bytes.push(is_watched.into());
    bytes.extend(change.version.to_le_bytes());
    bytes.extend(&change.sealed);
    let written = directory
        .file_to_write(&new)
        .and_then(|mut file| file.write_all(&bytes))
        .and_then(|()| directory.rename(&new, &change.name));
    if written.is_err() {
        directory.remove(&new);
    }
    Ok(written?)
}

/// Removes records that nobody has written for long. Their locks' files, which are empty, stay.
fn remove_forgotten(path: &Path, directory: &OwnDirectory) {
    let Ok(entries) = std::fs::read_dir(path) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let is_record = name.starts_with("apivideo-") && !name.contains('.');
        let written = entry.metadata().and_then(|facts| facts.modified());
        let age = written
            .ok()
            .and_then(|at| SystemTime::now().duration_since(at).ok());
        if is_record && age.is_some_and(|age| age > FORGOTTEN) {
            directory.remove(name);
        }
    }
}

/// This machine's clocks. Where the start of the machine has no name, the wall clock alone.
fn store_now() -> StoreNow {
    let now = SystemClock.now();
    match boot() {
        0 => StoreNow {
            now: Now {
                mono_ms: now.wall_ms,
                ..now
            },
            boot: 0,
        },
        boot => StoreNow { now, boot },
    }
}

/// A number for this start of the machine; 0 if there is none.
fn boot() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static BOOT: AtomicU64 = AtomicU64::new(u64::MAX);
    match BOOT.load(Ordering::Relaxed) {
        u64::MAX => {
            let boot = sys::boot_id().filter(|boot| *boot != u64::MAX).unwrap_or(0);
            BOOT.store(boot, Ordering::Relaxed);
            boot
        }
        boot => boot,
    }
}

fn explain(path: &Path, unfit: &Unfit) -> Error {
    let why = match unfit {
        Unfit::AnothersOwn => "is another user's; name one of your own".to_owned(),
        Unfit::OpenToOthers => "can be used by others; give it the mode 0700".to_owned(),
        Unfit::Network(kind) => format!(
            "is on {kind}, where locks may not hold; use a local one, or Redis for many machines"
        ),
        Unfit::Link => "is a symbolic link, which is not followed".to_owned(),
        Unfit::System(why) if why.kind() == io::ErrorKind::TimedOut => {
            "has been locked by another process for too long".to_owned()
        }
        Unfit::System(why) => format!("cannot be used: {}", sys::words_of(why)),
    };
    Error::new(
        Status::SystemError,
        format!("The store's directory {path:?} {why}."),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(5);

    fn change(expected: u64, version: u64, is_lease: bool) -> Change {
        Change {
            name: "apivideo-test".to_owned(),
            expected,
            version,
            sealed: version.to_le_bytes().to_vec(),
            keep: LIMIT,
            is_lease,
        }
    }

    /// A store in a directory of a test's own, which is gone with it.
    struct Own(FileStore);

    impl Own {
        fn new(test: &str) -> Own {
            let name = format!("apivideo-store-{test}-{}", std::process::id());
            let path = std::env::temp_dir().join(name);
            Own(FileStore::new("directory", Some(&path)).unwrap())
        }
    }

    impl Drop for Own {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0.directory);
        }
    }

    #[test]
    fn a_record_takes_the_place_of_the_expected_one_only() {
        let own = Own::new("swap");
        let (mut one, mut other) = (own.0.open(), own.0.open());
        assert_eq!(one.load("apivideo-test", LIMIT).unwrap().version, 0);
        assert!(one.swap(&change(0, 7, false), LIMIT).unwrap());
        assert!(!other.swap(&change(0, 8, false), LIMIT).unwrap());
        let stored = other.load("apivideo-test", LIMIT).unwrap();
        assert_eq!(
            (stored.version, stored.sealed),
            (7, 7_u64.to_le_bytes().to_vec())
        );
        assert!(other.swap(&change(7, 9, false), LIMIT).unwrap());
        assert_eq!(one.load("apivideo-test", LIMIT).unwrap().version, 9);
    }

    #[test]
    fn who_has_ended_holds_no_lease_and_who_lives_does() {
        let own = Own::new("lease");
        let (mut holder, mut other) = (own.0.open(), own.0.open());
        assert!(holder.swap(&change(0, 7, true), LIMIT).unwrap());
        let gone = |connection: &mut Box<dyn Connection>| {
            let stored = connection.load("apivideo-test", LIMIT);
            stored.unwrap().holder_is_gone
        };
        assert!(!gone(&mut other));
        assert!(!gone(&mut holder));
        drop(holder);
        assert!(gone(&mut other));
    }
}
