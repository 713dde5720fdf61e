//! Windows: the directory is held open, so that nobody puts another in its place meanwhile, and
//! what is in it is opened by its path. Who may use it is as its parent says: below %LOCALAPPDATA%
//! that is this user.

#![allow(unsafe_code)]

use std::fs::{self, File, OpenOptions};
use std::io;
use std::mem::MaybeUninit;
use std::os::windows::fs::{MetadataExt, OpenOptionsExt};
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::path::{Component, Path, PathBuf, Prefix};
use std::thread;
use std::time::Duration;

use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_LOCK_VIOLATION, ERROR_SHARING_VIOLATION, ERROR_SUCCESS, HANDLE,
    LocalFree,
};
use windows_sys::Win32::Security::Authorization::{GetSecurityInfo, SE_FILE_OBJECT};
use windows_sys::Win32::Security::{
    EqualSid, GetTokenInformation, OWNER_SECURITY_INFORMATION, PSID, TOKEN_INFORMATION_CLASS,
    TOKEN_QUERY, TokenOwner, TokenUser,
};
use windows_sys::Win32::Storage::FileSystem::{
    FILE_ATTRIBUTE_REPARSE_POINT, FILE_FLAG_BACKUP_SEMANTICS, FILE_FLAG_OPEN_REPARSE_POINT,
    FILE_SHARE_READ, FILE_SHARE_WRITE, LOCKFILE_EXCLUSIVE_LOCK, LOCKFILE_FAIL_IMMEDIATELY,
    LockFileEx, UnlockFileEx,
};
use windows_sys::Win32::System::IO::OVERLAPPED;
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};

use super::{Unfit, no_file};
use crate::environment;

/// What another process does to a file for a moment may be in the way: it reads it, or looks for a
/// virus in it.
const TRIES: u32 = 50;
const BETWEEN_TRIES: Duration = Duration::from_millis(1);

/// A directory of this user's own, open.
pub(crate) struct OwnDirectory {
    path: PathBuf,
    /// Shared with nobody who would rename or remove it.
    _held: File,
}

impl OwnDirectory {
    /// Opens it, and makes it first if it is not there.
    pub(crate) fn open(path: &Path) -> Result<OwnDirectory, Unfit> {
        fs::create_dir_all(path)?;
        let held = OpenOptions::new()
            .read(true)
            .share_mode(FILE_SHARE_READ | FILE_SHARE_WRITE)
            .custom_flags(FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT)
            .open(path)?;
        let facts = held.metadata()?;
        if is_elsewhere(&facts) {
            return Err(Unfit::Link);
        }
        if !facts.is_dir() {
            return Err(io::Error::from(io::ErrorKind::NotADirectory).into());
        }
        if !is_own(&held)? {
            return Err(Unfit::AnothersOwn);
        }
        if is_remote(path)? {
            return Err(Unfit::Network("a network drive"));
        }
        Ok(OwnDirectory {
            path: path.to_owned(),
            _held: held,
        })
    }

    /// Whether it is known not to hang.
    pub(crate) fn is_local(&self) -> bool {
        true
    }

    /// A regular file in it, to read.
    pub(crate) fn file_to_read(&self, name: &str) -> io::Result<File> {
        patiently(|| self.open_file(name, OpenOptions::new().read(true)))
    }

    /// An empty file in it, to write.
    pub(crate) fn file_to_write(&self, name: &str) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        patiently(|| self.open_file(name, &mut options))
    }

    /// A file in it that is there to be locked, and stays empty.
    pub(crate) fn lock_file(&self, name: &str) -> io::Result<LockFile> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        self.open_file(name, &mut options).map(LockFile::new)
    }

    fn open_file(&self, name: &str, options: &mut OpenOptions) -> io::Result<File> {
        let options = options.custom_flags(FILE_FLAG_OPEN_REPARSE_POINT);
        let file = options.open(self.path.join(name))?;
        let facts = file.metadata()?;
        match facts.is_file() && !is_elsewhere(&facts) {
            true => Ok(file),
            false => Err(no_file()),
        }
    }

    /// Puts one file in the place of another.
    pub(crate) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        patiently(|| fs::rename(self.path.join(from), self.path.join(to)))
    }

    /// Whether that is the name of this file still: here a file that is open keeps its name.
    pub(crate) fn has(&self, _: &LockFile, _: &str) -> io::Result<bool> {
        Ok(true)
    }

    pub(crate) fn remove(&self, name: &str) {
        // Whether it succeeds is of no consequence.
        let _ = fs::remove_file(self.path.join(name));
    }
}

fn is_elsewhere(facts: &fs::Metadata) -> bool {
    facts.file_attributes() & FILE_ATTRIBUTE_REPARSE_POINT != 0
}

/// Tries again what another process is in the way of.
fn patiently<T>(mut operation: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let in_the_way = [ERROR_ACCESS_DENIED, ERROR_SHARING_VIOLATION].map(u32::cast_signed);
    for _ in 1..TRIES {
        match operation() {
            Err(why) if why.raw_os_error().is_some_and(|e| in_the_way.contains(&e)) => {}
            other => return other,
        }
        thread::sleep(BETWEEN_TRIES);
    }
    operation()
}

/// Drives that stand for another machine's folder are seen too.
fn is_remote(path: &Path) -> io::Result<bool> {
    let real = fs::canonicalize(path)?;
    Ok(match real.components().next() {
        Some(Component::Prefix(prefix)) => {
            matches!(prefix.kind(), Prefix::UNC(..) | Prefix::VerbatimUNC(..))
        }
        _ => false,
    })
}

/// Whether it belongs to this user, or to whom the system gives what this user makes: of an
/// administrator's program that may be the administrators.
fn is_own(directory: &File) -> io::Result<bool> {
    let token = own_token()?;
    let (user, maker) = (told(&token, TokenUser)?, told(&token, TokenOwner)?);
    let mut owner: PSID = std::ptr::null_mut();
    let mut descriptor = std::ptr::null_mut();
    let none = std::ptr::null_mut();
    // SAFETY: the handle is open; both pointers are valid for writes, and nothing else is asked
    // for.
    let result = unsafe {
        GetSecurityInfo(
            directory.as_raw_handle(),
            SE_FILE_OBJECT,
            OWNER_SECURITY_INFORMATION,
            &mut owner,
            std::ptr::null_mut(),
            none,
            std::ptr::null_mut(),
            &mut descriptor,
        )
    };
    if result != ERROR_SUCCESS {
        return Err(io::Error::from_raw_os_error(result.cast_signed()));
    }
    // SAFETY: `owner` points into the descriptor, which is freed afterwards; what the token told
    // begins with a pointer to an identity that is in the same buffer, which lives on.
    unsafe {
        let is = |told: &[u64]| EqualSid(told.as_ptr().cast::<PSID>().read(), owner) != 0;
        let own = is(&user) || is(&maker);
        LocalFree(descriptor);
        Ok(own)
    }
}

fn own_token() -> io::Result<OwnedHandle> {
    let mut token = MaybeUninit::<HANDLE>::uninit();
    // SAFETY: the process's own handle is always good, and the pointer valid for a write, which is
    // complete when the call succeeds. Then the handle is ours, and nobody else's.
    unsafe {
        match OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, token.as_mut_ptr()) {
            0 => Err(io::Error::last_os_error()),
            _ => Ok(OwnedHandle::from_raw_handle(token.assume_init())),
        }
    }
}

/// What a token says, aligned for pointers. That begins with a pointer to an identity.
fn told(token: &OwnedHandle, what: TOKEN_INFORMATION_CLASS) -> io::Result<Vec<u64>> {
    // An identity has 68 bytes at most.
    let mut told = vec![0_u64; 32];
    let size = size_of_val(&*told) as u32;
    let mut length = 0;
    let out = told.as_mut_ptr().cast();
    // SAFETY: the handle is open; the pointers are valid for writes of `size` bytes and of a
    // number.
    match unsafe { GetTokenInformation(token.as_raw_handle(), what, out, size, &mut length) } {
        0 => Err(io::Error::last_os_error()),
        _ => Ok(told),
    }
}

/// Where this user's programs keep such things: the same for services and after a login. An error
/// where that cannot be told: processes that took another directory each would share nothing, and
/// not know.
pub(crate) fn default_directory() -> io::Result<PathBuf> {
    let data = environment::variable("LOCALAPPDATA");
    let data = data.ok_or_else(|| io::Error::other("LOCALAPPDATA is not set"))?;
    Ok(PathBuf::from(data).join("libapivideo"))
}

/// A file whose lock is a process's: when that ends, the system lets go of it.
pub(crate) struct LockFile(File);

impl LockFile {
    pub(super) fn new(file: File) -> LockFile {
        LockFile(file)
    }

    /// Takes the lock, if nobody has it.
    pub(crate) fn try_lock(&self) -> io::Result<bool> {
        self.lock(LOCKFILE_EXCLUSIVE_LOCK)
    }

    /// Whether nobody has the lock.
    pub(crate) fn is_free(&self) -> io::Result<bool> {
        let free = self.lock(0)?;
        if free {
            self.unlock();
        }
        Ok(free)
    }

    fn lock(&self, how: u32) -> io::Result<bool> {
        let (how, mut from) = (how | LOCKFILE_FAIL_IMMEDIATELY, OVERLAPPED::default());
        // SAFETY: the handle is open, and the pointer valid; the call returns when it is done,
        // since the file was not opened for overlapped operations.
        if unsafe { LockFileEx(self.0.as_raw_handle(), how, 0, 1, 0, &mut from) } != 0 {
            return Ok(true);
        }
        let why = io::Error::last_os_error();
        match why.raw_os_error() == Some(ERROR_LOCK_VIOLATION.cast_signed()) {
            true => Ok(false),
            false => Err(why),
        }
    }

    fn unlock(&self) {
        let mut from = OVERLAPPED::default();
        // SAFETY: as above. It can only fail if there is no lock.
        unsafe { UnlockFileEx(self.0.as_raw_handle(), 0, 1, 0, &mut from) };
    }
}

impl Drop for LockFile {
    fn drop(&mut self) {
        // The system would do it when the file is closed, but perhaps not at once.
        self.unlock();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_own_directory_is_another_users() {
        let windows = std::env::var_os("SystemRoot").unwrap();
        match OwnDirectory::open(Path::new(&windows)) {
            Err(Unfit::AnothersOwn) => {}
            // Under Wine all is one user's.
            Ok(_) if std::env::var_os("WINEPREFIX").is_some() => {}
            other => panic!("{:?}", other.map(|_| ())),
        }
    }

    #[test]
    fn a_directory_in_use_stays_where_it_is() {
        let name = format!("apivideo-held-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let held = OwnDirectory::open(&path).unwrap();
        assert!(fs::rename(&path, path.with_extension("moved")).is_err());
        drop(held);
        fs::remove_dir(&path).unwrap();
    }
}
