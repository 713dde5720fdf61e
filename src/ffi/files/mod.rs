//! Files of a directory that is this user's alone, and the kernel's locks on them: the same for
//! each system, in a file of its own.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::io;

#[cfg(unix)]
pub(crate) use unix::{LockFile, OwnDirectory, default_directory};
#[cfg(windows)]
pub(crate) use windows::{LockFile, OwnDirectory, default_directory};

/// Why a directory is not used.
#[derive(Debug)]
pub(crate) enum Unfit {
    System(io::Error),
    /// There is none: this user's usual one cannot be told.
    NoDefault(io::Error),
    /// It is another user's.
    AnothersOwn,
    /// Others may read or change it.
    #[cfg_attr(windows, expect(dead_code))] // There it is as its parent is.
    OpenToOthers,
    /// It is somewhere else.
    Link,
    /// It is on another machine.
    Network(&'static str),
}

impl From<io::Error> for Unfit {
    fn from(why: io::Error) -> Unfit {
        Unfit::System(why)
    }
}

/// Where a file system is, as its type tells.
#[cfg(unix)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// On this machine: it never hangs.
    Here,
    /// On another one: locks may not hold there.
    Elsewhere(&'static str),
    /// A program's own (FUSE), or one that is not known: it may hang.
    Unknown,
}

impl OwnDirectory {
    /// Whether nobody has the lock of that name. The file is opened to be read, and not made: that
    /// hangs on no file system that is frozen, and fails on none that is read-only.
    pub(crate) fn is_free(&self, name: &str) -> io::Result<bool> {
        match self.file_to_read(name) {
            Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(true),
            file => LockFile::new(file?).is_free(),
        }
    }
}

/// For what is no regular file, under the name of one.
fn no_file() -> io::Error {
    io::Error::other("there is something that is no file")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::path::{Path, PathBuf};

    /// Gone with the test.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let name = format!("apivideo-files-{name}-{}", std::process::id());
            Folder(std::env::temp_dir().join(name))
        }

        fn open(&self) -> OwnDirectory {
            OwnDirectory::open(&self.0).unwrap()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn text_of(directory: &OwnDirectory, name: &str) -> String {
        let mut text = String::new();
        let mut file = directory.file_to_read(name).unwrap();
        file.read_to_string(&mut text).unwrap();
        text
    }

    fn write(directory: &OwnDirectory, name: &str, text: &str) {
        let mut file = directory.file_to_write(name).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    #[test]
    fn a_file_takes_the_place_of_another() {
        let folder = Folder::new("rename");
        let directory = folder.open();
        let missing = directory.file_to_read("a").expect_err("none is there");
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
        write(&directory, "a", "longer than the new one");
        write(&directory, "b", "new");
        directory.rename("b", "a").unwrap();
        assert_eq!(text_of(&directory, "a"), "new");
        directory.remove("a");
        assert!(directory.file_to_read("a").is_err());
    }

    #[test]
    fn a_file_that_is_being_read_can_be_replaced() {
        let folder = Folder::new("open");
        let directory = folder.open();
        write(&directory, "a", "old");
        let mut before = directory.file_to_read("a").unwrap();
        write(&directory, "b", "new");
        std::thread::scope(|scope| {
            let renamed = scope.spawn(|| directory.rename("b", "a"));
            let mut old = String::new();
            before.read_to_string(&mut old).unwrap();
            assert_eq!(old, "old");
            drop(before);
            renamed.join().unwrap().unwrap();
        });
        assert_eq!(text_of(&directory, "a"), "new");
    }

    #[test]
    fn a_lock_is_one_opening_s_alone_and_ends_with_it() {
        let folder = Folder::new("lock");
        let directory = folder.open();
        let [one, other] = [(), ()].map(|()| directory.lock_file("lock").unwrap());
        assert!(other.is_free().unwrap());
        assert!(one.try_lock().unwrap());
        assert!(!other.is_free().unwrap());
        assert!(!other.try_lock().unwrap());
        drop(one);
        assert!(other.is_free().unwrap());
        assert!(other.try_lock().unwrap());
    }

    #[test]
    fn a_lock_is_looked_at_without_making_it() {
        let folder = Folder::new("look");
        let directory = folder.open();
        assert!(directory.is_free("lock").unwrap());
        assert!(directory.file_to_read("lock").is_err());
        let lock = directory.lock_file("lock").unwrap();
        assert!(directory.is_free("lock").unwrap());
        assert!(lock.try_lock().unwrap());
        assert!(!directory.is_free("lock").unwrap());
    }

    #[test]
    fn any_number_of_locks_can_be_held() {
        let folder = Folder::new("locks");
        let directory = folder.open();
        let lock = |number: usize| {
            let lock = directory.lock_file(&number.to_string()).unwrap();
            assert!(lock.try_lock().unwrap(), "{number}");
            lock
        };
        let held: Vec<LockFile> = (0..150).map(lock).collect();
        assert_eq!(held.len(), 150);
    }

    #[test]
    fn what_is_no_directory_or_no_file_is_not_used() {
        let folder = Folder::new("kind");
        let directory = folder.open();
        write(&directory, "a", "");
        assert!(OwnDirectory::open(&folder.0.join("a")).is_err());
        std::fs::create_dir(folder.0.join("d")).unwrap();
        assert!(directory.file_to_read("d").is_err());
        assert!(directory.file_to_write("d").is_err());
        assert!(directory.lock_file("d").is_err());
    }

    #[test]
    fn the_usual_directory_is_the_users_own() {
        let usual = default_directory().unwrap();
        assert!(usual.is_absolute(), "{usual:?}");
        assert!(usual.ends_with(Path::new("libapivideo")) || usual.starts_with("/tmp"));
    }
}
