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
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use once_cell::race::OnceBox;

use super::in_turn::InTurn;
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
/// How long to wait before a lock is tried again: at first, and at most.
const LOCK_RETRY: Duration = Duration::from_micros(200);
const LONGEST_RETRY: Duration = Duration::from_millis(10);
/// Records of keys that are used no more are removed after this time.
const FORGOTTEN: Duration = Duration::from_secs(48 * 3600);

/// Letting go of a lock takes longer only where the file system hangs.
const LETTING_GO: Duration = Duration::from_secs(1);

/// The file store.
pub(crate) struct FileStore(Arc<Place>);

/// A directory, by its name.
struct Place {
    /// This user's usual one is looked up when it is first needed: that may take time.
    path: OnceBox<PathBuf>,
    /// Seen on a file system that does not hang.
    is_local: AtomicBool,
    in_turn: Arc<InTurn>,
}

impl FileStore {
    /// In that directory, or in this user's usual one. Whether it is fit is seen when it is used.
    pub(crate) fn new(setting: &str, directory: Option<&Path>) -> Result<FileStore, Error> {
        let named = directory.map(std::path::absolute).transpose();
        let named = named.map_err(|why| {
            Error::invalid(format!("`{setting}` is no path: {}.", sys::words_of(&why)))
        })?;
        // It takes as long as all else that a load does: rather now.
        boot();
        Ok(FileStore(Arc::new(Place {
            path: named.map_or_else(OnceBox::new, |path| OnceBox::with_value(Box::new(path))),
            is_local: AtomicBool::new(false),
            in_turn: InTurn::new(),
        })))
    }

    /// Makes the directory if need be, and says why it is not fit. Takes as long as its file system
    /// takes.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let open = self.0.open();
        open.map(drop).map_err(|unfit| Error {
            status: Status::InvalidArgument,
            ..self.0.explain(&unfit)
        })
    }

    fn files(&self) -> Files {
        Files {
            place: Arc::clone(&self.0),
            held: Held::default(),
        }
    }
}

impl Backend for FileStore {
    fn open(&self) -> Box<dyn Connection> {
        Box::new(self.files())
    }

    /// On a disk. FUSE or a file system that is not known may hang: there a caller would.
    fn is_quick(&self) -> bool {
        self.0.is_local.load(Ordering::Relaxed)
    }
}

impl Place {
    fn open(&self) -> Result<OwnDirectory, Unfit> {
        let directory = OwnDirectory::open(self.path()?)?;
        self.is_local.store(directory.is_local(), Ordering::Relaxed);
        Ok(directory)
    }

    fn path(&self) -> Result<&Path, Unfit> {
        let usual = || files::default_directory().map(Box::new);
        let path = self.path.get_or_try_init(usual);
        path.map(PathBuf::as_path).map_err(Unfit::NoDefault)
    }

    fn explain(&self, unfit: &Unfit) -> Error {
        let message = match self.path() {
            Ok(path) => format!("The store's directory {path:?} {}.", explain(unfit)),
            Err(_) => format!("The store's directory {}.", explain(unfit)),
        };
        Error::new(Status::SystemError, message)
    }
}

/// The directory during one flight.
struct Files {
    place: Arc<Place>,
    held: Held,
}

/// What is open.
#[derive(Default)]
struct Held {
    directory: Option<OwnDirectory>,
    /// Held while this process gets a token for all.
    lease: Option<LockFile>,
}

struct Head {
    is_watched: bool,
    version: u64,
}

impl Connection for Files {
    fn load(&mut self, name: &str, limit: Duration) -> Result<Stored, Error> {
        let place = &self.place;
        if place.is_local.load(Ordering::Relaxed) {
            let stored = self.held.read(place, name);
            return stored.map_err(|unfit| place.explain(&unfit));
        }
        let name = name.to_owned();
        self.carry_out(limit, move |held, place, _| held.read(place, &name))
    }

    /// Writing hangs on any file system while it is frozen, as for a snapshot.
    fn swap(&mut self, change: &Change, limit: Duration) -> Result<bool, Error> {
        let change = change.clone();
        self.carry_out(limit, move |held, place, left| {
            held.replace(place, &change, Instant::now() + left)
        })
    }
}

impl Files {
    /// Does what may hang, within its time. If it never returns, what it held is lost with it.
    fn carry_out<R: Send + 'static>(
        &mut self,
        limit: Duration,
        operation: impl FnOnce(&mut Held, &Place, Duration) -> Result<R, Unfit> + Send + 'static,
    ) -> Result<R, Error> {
        let place = Arc::clone(&self.place);
        let mut held = std::mem::take(&mut self.held);
        let in_turn = Arc::clone(&place.in_turn);
        let (held, result) = in_turn.result(limit, move |left| {
            let result = operation(&mut held, &place, left);
            Ok((held, result.map_err(|unfit| place.explain(&unfit))))
        })?;
        self.held = held;
        result
    }
}

impl Drop for Files {
    /// A lock is let go of within its time, too.
    fn drop(&mut self) {
        let place = &self.place;
        if self.held.lease.is_some() && !place.is_local.load(Ordering::Relaxed) {
            let held = std::mem::take(&mut self.held);
            let let_go = place.in_turn.result(LETTING_GO, move |_| {
                drop(held);
                Ok(())
            });
            // Who waits for the lease waits until its end, at most.
            let _ = let_go;
        }
    }
}

impl Held {
    fn directory(&mut self, place: &Place) -> Result<&OwnDirectory, Unfit> {
        match &mut self.directory {
            Some(directory) => Ok(directory),
            none => Ok(none.insert(place.open()?)),
        }
    }

    fn read(&mut self, place: &Place, name: &str) -> Result<Stored, Unfit> {
        let holds_lease = self.lease.is_some();
        let directory = self.directory(place)?;
        let (head, sealed) = read_record(directory, name)?;
        let watched = head.is_watched && !holds_lease;
        Ok(Stored {
            version: head.version,
            sealed,
            now: store_now(),
            holder_is_gone: watched && directory.is_free(&lease_name(name))?,
        })
    }

    fn replace(&mut self, place: &Place, change: &Change, until: Instant) -> Result<bool, Unfit> {
        let name = &change.name;
        let directory = self.directory(place)?;
        let Some(lock) = lock_what_is_expected(directory, change, until)? else {
            return Ok(false);
        };
        let lease = match change.is_lease {
            true => Some(directory.lock_file(&lease_name(name))?),
            false => None,
        };
        // Somebody who is just looking may have it: then the lease's time alone counts.
        let lease = lease.filter(|lease| lease.try_lock().unwrap_or(false));
        write_record(directory, change, lease.is_some())?;
        drop(lock);
        if change.expected == 0 {
            remove_forgotten(place.path()?, directory);
        }
        self.lease = lease;
        Ok(true)
    }
}

/// The record's lock, with the expected version under it; `None` where there is another.
fn lock_what_is_expected(
    directory: &OwnDirectory,
    change: &Change,
    until: Instant,
) -> Result<Option<LockFile>, Unfit> {
    let name = format!("{}.lock", change.name);
    let mut pause = LOCK_RETRY;
    loop {
        let lock = directory.lock_file(&name)?;
        let is_locked = lock.try_lock()?;
        // Without the lock too: a thousand processes that wait for what they will not get would
        // hinder the one that has it.
        if read_record(directory, &change.name)?.0.version != change.expected {
            return Ok(None);
        }
        if is_locked && directory.has(&lock, &name)? {
            return Ok(Some(lock));
        }
        // A little early: who waits for this is to hear why it failed.
        if Instant::now() + pause >= until {
            return Err(io::Error::from(io::ErrorKind::TimedOut).into());
        }
        std::thread::sleep(pause);
        pause = (2 * pause).min(LONGEST_RETRY);
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
    file.take((HEAD + LARGEST) as u64).read_to_end(&mut bytes)?;
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
        let name = name.to_str().unwrap_or_default();
        if name.starts_with("apivideo-") && !name.contains('.') && is_forgotten(directory, name) {
            remove_if_forgotten(directory, name);
        }
    }
}

/// Under its lock: somebody may just be writing it anew.
fn remove_if_forgotten(directory: &OwnDirectory, name: &str) {
    let Ok(lock) = directory.lock_file(&format!("{name}.lock")) else {
        return;
    };
    if lock.try_lock().unwrap_or(false) && is_forgotten(directory, name) {
        directory.remove(name);
    }
}

fn is_forgotten(directory: &OwnDirectory, name: &str) -> bool {
    let written = directory
        .file_to_read(name)
        .and_then(|file| file.metadata()?.modified());
    let age = written
        .ok()
        .and_then(|at| SystemTime::now().duration_since(at).ok());
    age.is_some_and(|age| age > FORGOTTEN)
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
    use std::sync::atomic::AtomicU64;
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

fn explain(unfit: &Unfit) -> String {
    match unfit {
        Unfit::AnothersOwn => "is another user's; name one of your own".to_owned(),
        Unfit::OpenToOthers => "can be used by others; give it the mode 0700".to_owned(),
        Unfit::Network(kind) => format!(
            "is on {kind}, where locks may not hold; use a local one, or Redis for many machines"
        ),
        Unfit::Link => "is a symbolic link, which is not followed".to_owned(),
        Unfit::NoDefault(why) => format!(
            "is not known: this user's home directory cannot be looked up ({}); name one",
            sys::words_of(why)
        ),
        Unfit::System(why) if why.kind() == io::ErrorKind::TimedOut => {
            "has been locked by another process for too long".to_owned()
        }
        Unfit::System(why) => format!("cannot be used: {}", sys::words_of(why)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    const LONG: Duration = Duration::from_secs(20);
    const NAME: &str = "apivideo-name";

    /// A store in a folder that is gone with the test.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let name = format!("apivideo-store-{name}-{}", std::process::id());
            Folder(std::env::temp_dir().join(name))
        }

        fn store(&self) -> FileStore {
            FileStore::new("directory", Some(&self.0)).unwrap()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn change(expected: u64, version: u64) -> Change {
        Change {
            name: NAME.to_owned(),
            expected,
            version,
            sealed: version.to_le_bytes().to_vec(),
            keep: LONG,
            is_lease: true,
        }
    }

    #[test]
    fn a_file_system_that_hangs_costs_no_more_than_the_time_for_it() {
        let folder = Folder::new("hang");
        let (store, limit) = (folder.store(), Duration::from_millis(10));
        let (end, ended) = channel();
        let hung = store.files().carry_out(limit, move |_, _, _| {
            let _ = ended.recv();
            Ok(())
        });
        assert_eq!(hung.unwrap_err().status, Status::Timeout);
        let start = Instant::now();
        let next = store.files().load(NAME, LONG);
        assert_eq!(next.unwrap_err().status, Status::Timeout);
        assert!(start.elapsed() < LONG, "nor is another thread hung up");
        end.send(()).unwrap();
        while store.files().load(NAME, LONG).is_err() {
            assert!(start.elapsed() < LONG, "it goes on when that has returned");
            std::thread::yield_now();
        }
    }

    #[test]
    fn writing_may_hang_on_a_local_file_system_too() {
        let folder = Folder::new("frozen");
        let (store, limit) = (folder.store(), Duration::from_millis(10));
        let (end, ended) = channel();
        store.files().load(NAME, LONG).unwrap();
        store.0.is_local.store(true, Ordering::Relaxed);
        let hung = store.files().carry_out(limit, move |_, _, _| {
            let _ = ended.recv();
            Ok(())
        });
        assert_eq!(hung.unwrap_err().status, Status::Timeout);
        let refused = store.files().swap(&change(0, 1), LONG).unwrap_err();
        assert_eq!(refused.status, Status::Timeout, "it is not even tried");
        assert_eq!(store.files().load(NAME, LONG).unwrap().version, 0);
        end.send(()).unwrap();
    }

    #[test]
    fn a_caller_looks_itself_only_where_that_is_known_not_to_hang() {
        let folder = Folder::new("quick");
        let store = folder.store();
        assert!(!store.is_quick(), "not known yet");
        store.files().load(NAME, LONG).unwrap();
        let is_local = OwnDirectory::open(&folder.0).unwrap().is_local();
        assert_eq!(store.is_quick(), is_local);
    }

    #[test]
    fn what_is_held_goes_from_one_operation_to_the_next_where_it_may_hang() {
        let folder = Folder::new("held");
        let (one, other) = (folder.store(), folder.store());
        let mut files = one.files();
        let forget = || one.0.is_local.store(false, Ordering::Relaxed);
        assert!(files.swap(&change(0, 1), LONG).unwrap());
        forget();
        assert_eq!(files.load(NAME, LONG).unwrap().version, 1);
        let seen = |files: &mut Files| files.load(NAME, LONG).unwrap();
        assert!(!seen(&mut other.files()).holder_is_gone);
        forget();
        drop(files);
        assert!(seen(&mut other.files()).holder_is_gone);
    }

    #[test]
    fn who_expects_another_version_does_not_wait_for_the_lock() {
        let folder = Folder::new("expected");
        let store = folder.store();
        assert!(store.files().swap(&change(0, 1), LONG).unwrap());
        let directory = store.0.open().unwrap();
        let lock = directory.lock_file("apivideo-name.lock").unwrap();
        assert!(lock.try_lock().unwrap());
        let swap = |expected| {
            let mut held = Held::default();
            held.replace(&store.0, &change(expected, 8), Instant::now())
        };
        assert!(!swap(7).unwrap());
        let words = explain(&swap(1).unwrap_err());
        assert!(words.contains("too long"), "{words}");
    }

    #[test]
    fn where_the_usual_directory_is_not_known_the_error_says_what_to_do() {
        let why = io::Error::from(io::ErrorKind::PermissionDenied);
        let words = explain(&Unfit::NoDefault(why));
        assert!(words.starts_with("is not known") && words.ends_with("name one"));
    }

    #[test]
    fn only_forgotten_records_are_removed_and_none_that_is_being_written() {
        let folder = Folder::new("forgotten");
        let store = folder.store();
        let directory = store.0.open().unwrap();
        let long_ago = SystemTime::now() - FORGOTTEN - LONG;
        for name in ["apivideo-old", "apivideo-busy", "apivideo-new", "other"] {
            let file = directory.file_to_write(name).unwrap();
            if name != "apivideo-new" {
                file.set_modified(long_ago).unwrap();
            }
        }
        let busy = directory.lock_file("apivideo-busy.lock").unwrap();
        assert!(busy.try_lock().unwrap());
        remove_forgotten(&folder.0, &directory);
        let left = |name: &str| directory.file_to_read(name).is_ok();
        assert!(!left("apivideo-old"));
        assert!(left("apivideo-busy") && left("apivideo-new") && left("other"));
    }

    #[test]
    fn the_largest_record_that_is_written_is_read() {
        let folder = Folder::new("largest");
        let store = folder.store();
        let sealed = vec![7; LARGEST];
        let largest = Change {
            sealed: sealed.clone(),
            ..change(0, 1)
        };
        assert!(store.files().swap(&largest, LONG).unwrap());
        let stored = store.files().load(NAME, LONG).unwrap();
        assert!(stored.sealed == sealed);
    }

    #[test]
    fn a_record_takes_the_place_of_the_expected_one_only() {
        let folder = Folder::new("swap");
        let store = folder.store();
        let (mut one, mut other) = (store.open(), store.open());
        assert_eq!(one.load(NAME, LONG).unwrap().version, 0);
        assert!(one.swap(&change(0, 7), LONG).unwrap());
        assert!(!other.swap(&change(0, 8), LONG).unwrap());
        let stored = other.load(NAME, LONG).unwrap();
        assert_eq!(
            (stored.version, stored.sealed),
            (7, 7_u64.to_le_bytes().to_vec())
        );
        assert!(other.swap(&change(7, 9), LONG).unwrap());
        assert_eq!(one.load(NAME, LONG).unwrap().version, 9);
    }

    #[test]
    fn who_has_ended_holds_no_lease_and_who_lives_does() {
        let folder = Folder::new("lease");
        let store = folder.store();
        let (mut holder, mut other) = (store.open(), store.open());
        assert!(holder.swap(&change(0, 7), LONG).unwrap());
        let gone = |connection: &mut Box<dyn Connection>| {
            let stored = connection.load(NAME, LONG);
            stored.unwrap().holder_is_gone
        };
        assert!(!gone(&mut other));
        assert!(!gone(&mut holder));
        drop(holder);
        assert!(gone(&mut other));
    }
}
