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

use super::{Unfit, no_file};
use crate::ffi::sys;

/// A directory of this user's own, open.
pub(crate) struct OwnDirectory(File);

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
        match network(&directory) {
            Some(kind) => Err(Unfit::Network(kind)),
            None => Ok(OwnDirectory(directory)),
        }
    }

    /// A regular file in it, to read.
    pub(crate) fn file_to_read(&self, name: &str) -> io::Result<File> {
        self.open_file(name, libc::O_RDONLY | libc::O_NONBLOCK)
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
        let flags = flags | libc::O_CLOEXEC | libc::O_NOFOLLOW;
        let mode: libc::c_uint = 0o600;
        // SAFETY: the name is NUL-terminated and lives during the call; the descriptor is this
        // directory's, which is open.
        let fd = unsafe { libc::openat(self.0.as_raw_fd(), name.as_ptr(), flags, mode) };
        let file = owned(fd)?;
        match file.metadata()?.is_file() {
            true => Ok(file),
            false => Err(no_file()),
        }
    }

    /// Puts one file in the place of another.
    pub(crate) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let (from, to) = (CString::new(from)?, CString::new(to)?);
        let fd = self.0.as_raw_fd();
        // SAFETY: both names are NUL-terminated and live during the call; the descriptor is open.
        match unsafe { libc::renameat(fd, from.as_ptr(), fd, to.as_ptr()) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    pub(crate) fn remove(&self, name: &str) {
        if let Ok(name) = CString::new(name) {
            // SAFETY: as above. Whether it succeeds is of no consequence.
            unsafe { libc::unlinkat(self.0.as_raw_fd(), name.as_ptr(), 0) };
        }
    }
}

fn open_directory(path: &Path) -> io::Result<File> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_NOFOLLOW | libc::O_CLOEXEC;
    // SAFETY: the path is NUL-terminated and lives during the call.
    owned(unsafe { libc::open(path.as_ptr(), flags) })
}

/// The kernel's errors for a link differ.
fn is_link(path: &Path) -> bool {
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

/// The kind of file system, if that is another machine's: locks may not hold there.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn network(directory: &File) -> Option<&'static str> {
    let mut facts = MaybeUninit::<libc::statfs>::uninit();
    // SAFETY: the descriptor is open, and the pointer valid for a write, which is complete when the
    // call returns 0.
    let kind = unsafe {
        match libc::fstatfs(directory.as_raw_fd(), facts.as_mut_ptr()) {
            0 => facts.assume_init().f_type,
            _ => return None,
        }
    };
    // As the kernel's magic.h has them. The field is of another type with each C library.
    match kind as u32 {
        0x6969 => Some("NFS"),
        0x517B | 0xFF53_4D42 | 0xFE53_4D42 => Some("SMB"),
        0x5346_414F | 0x6B41_4653 => Some("AFS"),
        0x00C3_6400 => Some("Ceph"),
        _ => None,
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn network(_: &File) -> Option<&'static str> {
    None
}

/// Below the home directory that the system has for the user, the same from cron as after a login;
/// below /tmp for who has none.
pub(crate) fn default_directory() -> PathBuf {
    let below = match cfg!(target_vendor = "apple") {
        true => "Library/Caches/libapivideo",
        false => ".cache/libapivideo",
    };
    home().map_or_else(
        || PathBuf::from(format!("/tmp/libapivideo-{}", own_user())),
        |home| home.join(below),
    )
}

/// The home directory that the system has for this user: the same for every program, whatever its
/// environment.
fn home() -> Option<PathBuf> {
    let mut entry = MaybeUninit::<libc::passwd>::uninit();
    let mut found = std::ptr::null_mut();
    let mut texts = vec![0; 16 * 1024];
    // SAFETY: the pointers are valid for writes of what they point to, and the length is that of
    // the buffer. What the entry points to is in the buffer, which outlives its use.
    unsafe {
        let texts_out = texts.as_mut_ptr();
        libc::getpwuid_r(
            own_user(),
            entry.as_mut_ptr(),
            texts_out,
            texts.len(),
            &mut found,
        );
        if found.is_null() {
            return None;
        }
        let home = CStr::from_ptr((*found).pw_dir);
        let home = Path::new(OsStr::from_bytes(home.to_bytes()));
        let own = std::fs::metadata(home).is_ok_and(|facts| facts.uid() == own_user());
        own.then(|| home.to_owned())
    }
}

/// Locks that a forked child must let go of, which are the parent's. More than these are not held
/// at once: whoever comes then does without.
static HELD: [AtomicI32; 64] = [const { AtomicI32::new(-1) }; 64];

/// Has descriptors of locks closed in every forked child.
fn close_in_children() {
    static REGISTERED: AtomicBool = AtomicBool::new(false);
    if !REGISTERED.swap(true, Ordering::SeqCst) {
        sys::at_fork_in_child(close_inherited);
    }
}

extern "C" fn close_inherited() {
    for held in &HELD {
        let fd = held.swap(-1, Ordering::SeqCst);
        if fd >= 0 {
            // SAFETY: it is in the table, so it is a lock's, and nobody else closes it: in the
            // child there is no other thread. Closing is allowed there.
            unsafe { libc::close(fd) };
        }
    }
}

/// A file whose lock is a process's: when that ends, the kernel lets go of it.
pub(crate) struct LockFile {
    fd: RawFd,
    slot: Option<&'static AtomicI32>,
}

impl LockFile {
    fn new(file: File) -> LockFile {
        close_in_children();
        let fd = file.into_raw_fd();
        let free = |slot: &&AtomicI32| {
            let taken = slot.compare_exchange(-1, fd, Ordering::SeqCst, Ordering::SeqCst);
            taken.is_ok()
        };
        LockFile {
            fd,
            slot: HELD.iter().find(free),
        }
    }

    /// Takes the lock, if nobody has it and a child would let go of it.
    pub(crate) fn try_lock(&self) -> io::Result<bool> {
        match self.slot {
            Some(_) => self.flock(libc::LOCK_EX | libc::LOCK_NB),
            None => Ok(false),
        }
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
        // First of all: a child that was forked in the meantime has the lock too, as long as it is
        // not let go of.
        let _ = self.flock(libc::LOCK_UN);
        let is_ours = self.slot.is_none_or(|slot| {
            let ours = slot.compare_exchange(self.fd, -1, Ordering::SeqCst, Ordering::SeqCst);
            ours.is_ok()
        });
        if is_ours {
            // SAFETY: the descriptor is ours, and is used no more. A child has closed it already.
            unsafe { libc::close(self.fd) };
        }
    }
}
