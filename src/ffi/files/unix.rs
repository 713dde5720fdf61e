//! Unix: everything is opened relative to the directory, and no symbolic link is followed there, so
//! whoever changes the path meanwhile changes nothing.

#![allow(unsafe_code)]

use std::ffi::{CStr, CString, OsStr};
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use once_cell::race::OnceBox;

use super::{Place, Unfit, no_file};
use crate::ffi::sys;

/// A directory of this user's own, open.
pub(crate) struct OwnDirectory {
    directory: File,
    place: Place,
}

impl OwnDirectory {
    /// Opens it, and makes it first if it is not there.
    pub(crate) fn open(path: &Path) -> Result<OwnDirectory, Unfit> {
        let directory = match open_directory(path) {
            Err(why) if why.kind() == io::ErrorKind::NotFound => {
                let mut builder = std::fs::DirBuilder::new();
                builder.recursive(true).mode(0o700).create(path)?;
                open_directory(path)
            }
            other => other,
        };
        let directory = directory.map_err(|why| match is_link(path) {
            true => Unfit::Link,
            false => Unfit::System(why),
        })?;
        let facts = directory.metadata()?;
        if facts.uid() != own_user() {
            return Err(Unfit::AnothersOwn);
        }
        if facts.mode() & 0o077 != 0 {
            return Err(Unfit::OpenToOthers);
        }
        match place(&directory) {
            Place::Elsewhere(kind) => Err(Unfit::Network(kind)),
            place => Ok(OwnDirectory { directory, place }),
        }
    }

    /// Whether it is known not to hang.
    pub(crate) fn is_local(&self) -> bool {
        self.place == Place::Here
    }

    /// A regular file in it, to read.
    pub(crate) fn file_to_read(&self, name: &str) -> io::Result<File> {
        self.open_file(name, libc::O_RDONLY)
    }

    /// An empty file in it, to write.
    pub(crate) fn file_to_write(&self, name: &str) -> io::Result<File> {
        self.open_file(name, libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC)
    }

    /// A file in it that is there to be locked, and stays empty.
    pub(crate) fn lock_file(&self, name: &str) -> io::Result<LockFile> {
        let file = self.open_file(name, libc::O_RDWR | libc::O_CREAT)?;
        Ok(LockFile::new(file))
    }

    fn open_file(&self, name: &str, flags: libc::c_int) -> io::Result<File> {
        let name = CString::new(name)?;
        // Nobody waits for the other end of what is no file.
        let flags = flags | libc::O_CLOEXEC | libc::O_NOFOLLOW | libc::O_NONBLOCK;
        let mode: libc::c_uint = 0o600;
        // SAFETY: the name is NUL-terminated and lives during the call; the descriptor is this
        // directory's, which is open.
        let fd = unsafe { libc::openat(self.directory.as_raw_fd(), name.as_ptr(), flags, mode) };
        let file = owned(fd)?;
        match file.metadata()?.is_file() {
            true => Ok(file),
            false => Err(no_file()),
        }
    }

    /// Puts one file in the place of another.
    pub(crate) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let (from, to) = (CString::new(from)?, CString::new(to)?);
        let fd = self.directory.as_raw_fd();
        // SAFETY: both names are NUL-terminated and live during the call; the descriptor is open.
        match unsafe { libc::renameat(fd, from.as_ptr(), fd, to.as_ptr()) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Whether that is the name of this file still: who tidies up may have removed it, and somebody
    /// else made and locked another.
    pub(crate) fn has(&self, file: &LockFile, name: &str) -> io::Result<bool> {
        let name = CString::new(name)?;
        let (mut named, mut held) = (MaybeUninit::uninit(), MaybeUninit::uninit());
        // SAFETY: the name is NUL-terminated and lives during the call; both descriptors are open,
        // and both pointers valid for writes, which are complete where the calls return 0.
        let (named, held): (libc::stat, libc::stat) = unsafe {
            let (fd, follow) = (self.directory.as_raw_fd(), libc::AT_SYMLINK_NOFOLLOW);
            if libc::fstatat(fd, name.as_ptr(), named.as_mut_ptr(), follow) != 0 {
                let why = io::Error::last_os_error();
                return if is_none(&why) { Ok(false) } else { Err(why) };
            }
            if libc::fstat(file.fd, held.as_mut_ptr()) != 0 {
                return Err(io::Error::last_os_error());
            }
            (named.assume_init(), held.assume_init())
        };
        Ok((named.st_dev, named.st_ino) == (held.st_dev, held.st_ino))
    }

    pub(crate) fn remove(&self, name: &str) {
        if let Ok(name) = CString::new(name) {
            // SAFETY: as above. Whether it succeeds is of no consequence.
            unsafe { libc::unlinkat(self.directory.as_raw_fd(), name.as_ptr(), 0) };
        }
    }
}

fn open_directory(path: &Path) -> io::Result<File> {
    // Without the slash at its end, which would have a link followed.
    let path: PathBuf = path.components().collect();
    let path = CString::new(path.as_os_str().as_bytes())?;
    let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_NOFOLLOW | libc::O_CLOEXEC;
    // SAFETY: the path is NUL-terminated and lives during the call.
    owned(unsafe { libc::open(path.as_ptr(), flags) })
}

/// The kernel's errors for a link differ.
fn is_link(path: &Path) -> bool {
    let path: PathBuf = path.components().collect();
    std::fs::symlink_metadata(path).is_ok_and(|facts| facts.is_symlink())
}

fn owned(fd: libc::c_int) -> io::Result<File> {
    match fd {
        -1 => Err(io::Error::last_os_error()),
        // SAFETY: the system has just given this descriptor to us, and to nobody else.
        fd => Ok(unsafe { File::from_raw_fd(fd) }),
    }
}

fn own_user() -> u32 {
    // SAFETY: it has no arguments, and always succeeds.
    unsafe { libc::geteuid() }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn place(directory: &File) -> Place {
    // The field is of another type with each C library.
    facts_of(directory).map_or(Place::Unknown, |facts| place_of(facts.f_type as u32))
}

/// As the kernel's magic.h has them, and what is not in it the file systems' own headers.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn place_of(kind: u32) -> Place {
    match kind {
        0xEF53 => Place::Here,                    // ext2, ext3, ext4
        0x5846_5342 => Place::Here,               // XFS
        0x9123_683E => Place::Here,               // Btrfs
        0xF2F5_2010 => Place::Here,               // F2FS
        0x2FC1_2FC1 => Place::Here,               // ZFS
        0xCA45_1A4E => Place::Here,               // bcachefs
        0x0102_1994 | 0x8584_58F6 => Place::Here, // in memory
        0x794C_7630 => Place::Here,               // overlay, as in a container
        0x6969 => Place::Elsewhere("NFS"),
        0x517B | 0xFF53_4D42 | 0xFE53_4D42 => Place::Elsewhere("SMB"),
        0x5346_414F | 0x6B41_4653 => Place::Elsewhere("AFS"),
        0x00C3_6400 => Place::Elsewhere("Ceph"),
        0x0102_1997 => Place::Elsewhere("9P"),
        0x0BD0_0BD0 => Place::Elsewhere("Lustre"),
        0x4750_4653 => Place::Elsewhere("GPFS"),
        0x1983_0326 => Place::Elsewhere("BeeGFS"),
        0x2003_0528 => Place::Elsewhere("OrangeFS"),
        0x7375_7245 => Place::Elsewhere("Coda"),
        _ => Place::Unknown,
    }
}

/// The system knows what is mounted from another machine.
#[cfg(target_vendor = "apple")]
fn place(directory: &File) -> Place {
    let Some(facts) = facts_of(directory) else {
        return Place::Unknown;
    };
    if facts.f_flags & libc::MNT_LOCAL as u32 == 0 {
        return Place::Elsewhere("a network volume");
    }
    let name = facts.f_fstypename.iter().take_while(|c| **c != 0);
    let name: Vec<u8> = name.map(|c| c.cast_unsigned()).collect();
    match name.as_slice() {
        b"apfs" | b"hfs" => Place::Here,
        _ => Place::Unknown,
    }
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn facts_of(directory: &File) -> Option<libc::statfs> {
    let mut facts = MaybeUninit::<libc::statfs>::uninit();
    // SAFETY: the descriptor is open, and the pointer valid for a write, which is complete when the
    // call returns 0.
    unsafe {
        match libc::fstatfs(directory.as_raw_fd(), facts.as_mut_ptr()) {
            0 => Some(facts.assume_init()),
            _ => None,
        }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn place(_: &File) -> Place {
    Place::Unknown
}

/// Below the home directory that the system has for the user, the same from cron as after a login;
/// below /tmp for who has none. An error where that cannot be told: processes that took another
/// directory each would share nothing, and not know.
pub(crate) fn default_directory() -> io::Result<PathBuf> {
    let below = match cfg!(target_vendor = "apple") {
        true => "Library/Caches/libapivideo",
        false => ".cache/libapivideo",
    };
    let user = own_user();
    let Some(home) = home_of(user, 4096)? else {
        return Ok(without_home(user));
    };
    match std::fs::metadata(&home) {
        Ok(facts) if facts.uid() == user => Ok(home.join(below)),
        // As services have them: another's, or none.
        Ok(_) => Ok(without_home(user)),
        Err(why) if is_none(&why) => Ok(without_home(user)),
        Err(why) => Err(why),
    }
}

fn without_home(user: u32) -> PathBuf {
    PathBuf::from(format!("/tmp/libapivideo-{user}"))
}

fn is_none(why: &io::Error) -> bool {
    let kinds = [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory];
    kinds.contains(&why.kind())
}

/// More than any entry has.
const LONGEST_ENTRY: usize = 1024 * 1024;

/// The home directory that the system has for a user, whatever the environment says. `room`: for
/// the entry's texts, at first.
fn home_of(user: u32, room: usize) -> io::Result<Option<PathBuf>> {
    let mut texts = vec![0; room];
    loop {
        let mut entry = MaybeUninit::<libc::passwd>::uninit();
        let mut found = std::ptr::null_mut();
        let (start, len) = (texts.as_mut_ptr(), texts.len());
        // SAFETY: the pointers are valid for writes of what they point to, and the length is that
        // of the buffer. What the entry points to is in the buffer, which outlives its use.
        let result = unsafe {
            match libc::getpwuid_r(user, entry.as_mut_ptr(), start, len, &mut found) {
                0 if !found.is_null() => {
                    let home = CStr::from_ptr((*found).pw_dir).to_bytes();
                    return Ok(Some(PathBuf::from(OsStr::from_bytes(home))));
                }
                result => result,
            }
        };
        match result {
            // All of these say that there is no such user.
            0 | libc::ENOENT | libc::ESRCH => return Ok(None),
            libc::ERANGE if len < LONGEST_ENTRY => texts.resize(2 * len, 0),
            libc::EINTR => {}
            why => return Err(io::Error::from_raw_os_error(why)),
        }
    }
}

/// Descriptors of locks, which a forked child must close: they are the parent's. -1 where there is
/// none. A list that only grows, by one atomic step, so a fork in the middle does no harm.
struct Open {
    descriptors: [AtomicI32; 64],
    more: OnceBox<Open>,
}

static OPEN: Open = Open::new();

impl Open {
    const fn new() -> Open {
        Open {
            descriptors: [const { AtomicI32::new(-1) }; 64],
            more: OnceBox::new(),
        }
    }

    /// A place with this descriptor in it.
    fn keep(&'static self, fd: RawFd) -> &'static AtomicI32 {
        let free = |place: &&AtomicI32| {
            let taken = place.compare_exchange(-1, fd, Ordering::SeqCst, Ordering::SeqCst);
            taken.is_ok()
        };
        let mut part = self;
        loop {
            if let Some(place) = part.descriptors.iter().find(free) {
                return place;
            }
            part = part.more.get_or_init(|| Box::new(Open::new()));
        }
    }
}

/// Has descriptors of locks closed in every forked child.
fn close_in_children() {
    static REGISTERED: AtomicBool = AtomicBool::new(false);
    if !REGISTERED.swap(true, Ordering::SeqCst) {
        sys::at_fork_in_child(close_inherited);
    }
}

extern "C" fn close_inherited() {
    let mut part = Some(&OPEN);
    while let Some(Open { descriptors, more }) = part {
        for place in descriptors {
            let fd = place.swap(-1, Ordering::SeqCst);
            if fd >= 0 {
                // SAFETY: it is in the list, so it is a lock's, and nobody else closes it: in the
                // child there is no other thread. Closing is allowed there.
                unsafe { libc::close(fd) };
            }
        }
        part = more.get();
    }
}

/// A file whose lock is a process's: when that ends, the kernel lets go of it.
pub(crate) struct LockFile {
    fd: RawFd,
    /// Holds another than `fd` in a child, where that is closed.
    place: &'static AtomicI32,
}

impl LockFile {
    pub(super) fn new(file: File) -> LockFile {
        close_in_children();
        let fd = file.into_raw_fd();
        LockFile {
            fd,
            place: OPEN.keep(fd),
        }
    }

    /// Takes the lock, if nobody has it.
    pub(crate) fn try_lock(&self) -> io::Result<bool> {
        self.flock(libc::LOCK_EX | libc::LOCK_NB)
    }

    /// Whether nobody has the lock.
    pub(crate) fn is_free(&self) -> io::Result<bool> {
        let free = self.flock(libc::LOCK_SH | libc::LOCK_NB)?;
        if free {
            self.flock(libc::LOCK_UN)?;
        }
        Ok(free)
    }

    fn flock(&self, how: libc::c_int) -> io::Result<bool> {
        loop {
            // SAFETY: the descriptor is ours and open.
            if unsafe { libc::flock(self.fd, how) } == 0 {
                return Ok(true);
            }
            let why = io::Error::last_os_error();
            match why.kind() {
                io::ErrorKind::WouldBlock => return Ok(false),
                io::ErrorKind::Interrupted => {}
                _ => return Err(why),
            }
        }
    }
}

impl Drop for LockFile {
    fn drop(&mut self) {
        if self.place.load(Ordering::SeqCst) != self.fd {
            return; // In a child: it is closed, and the number may be another file's.
        }
        // First of all: a child that was forked in the meantime has the lock too, as long as it is
        // not let go of.
        let _ = self.flock(libc::LOCK_UN);
        self.place.store(-1, Ordering::SeqCst);
        // SAFETY: the descriptor is ours, and is used no more.
        unsafe { libc::close(self.fd) };
    }
}

#[cfg(all(test, any(target_os = "linux", target_os = "android")))]
mod tests {
    use super::*;

    #[test]
    fn a_users_home_is_found_however_long_its_entry_and_no_user_has_none() {
        let home = home_of(own_user(), 4096).unwrap();
        assert!(home.is_some(), "the tests' user");
        assert_eq!(home_of(own_user(), 1).unwrap(), home);
        assert_eq!(home_of(4_123_456_789, 1).unwrap(), None);
        assert!(default_directory().is_ok());
    }

    #[test]
    fn only_what_is_not_there_is_no_home() {
        let error = io::Error::from_raw_os_error;
        assert!(is_none(&error(libc::ENOENT)) && is_none(&error(libc::ENOTDIR)));
        assert!(!is_none(&error(libc::EACCES)) && !is_none(&error(libc::EIO)));
    }

    #[test]
    fn a_link_is_not_followed_however_its_name_ends() {
        let folder = std::env::temp_dir().join(format!("apivideo-link-{}", std::process::id()));
        drop(OwnDirectory::open(&folder).unwrap());
        std::os::unix::fs::symlink(&folder, folder.join("link")).unwrap();
        for name in ["link", "link/", "link/.", "link//"] {
            let opened = OwnDirectory::open(&folder.join(name));
            assert!(matches!(opened, Err(Unfit::Link)), "{name}");
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_pipe_holds_nobody_up() {
        let folder = std::env::temp_dir().join(format!("apivideo-pipe-{}", std::process::id()));
        let directory = OwnDirectory::open(&folder).unwrap();
        let path = CString::new(folder.join("pipe").as_os_str().as_bytes()).unwrap();
        // SAFETY: the path is NUL-terminated and lives during the call.
        assert_eq!(unsafe { libc::mkfifo(path.as_ptr(), 0o600) }, 0);
        assert!(directory.file_to_read("pipe").is_err());
        assert!(directory.file_to_write("pipe").is_err());
        assert!(directory.lock_file("pipe").is_err());
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_lock_whose_file_was_removed_is_not_the_names_any_more() {
        let path = std::env::temp_dir().join(format!("apivideo-has-{}", std::process::id()));
        let directory = OwnDirectory::open(&path).unwrap();
        let old = directory.lock_file("lock").unwrap();
        assert!(directory.has(&old, "lock").unwrap());
        directory.remove("lock");
        assert!(!directory.has(&old, "lock").unwrap());
        let new = directory.lock_file("lock").unwrap();
        assert!(directory.has(&new, "lock").unwrap());
        assert!(!directory.has(&old, "lock").unwrap());
        std::fs::remove_dir_all(&path).unwrap();
    }

    #[test]
    fn what_may_hang_is_not_taken_for_a_disk() {
        let fuse = 0x6573_5546;
        assert_eq!(place_of(fuse), Place::Unknown);
        assert_eq!(place_of(0), Place::Unknown);
        assert_eq!(place_of(0xEF53), Place::Here);
        assert_eq!(place_of(0x6969), Place::Elsewhere("NFS"));
        assert_eq!(place_of(0x0102_1997), Place::Elsewhere("9P"));
    }
}
