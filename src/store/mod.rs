//! Where processes share a token: a file, Redis, or a program's own.
//!
//! The cache reads and swaps records. [`seal`] makes of each a text that only holders of the API
//! key can open, under a name that only they can tell. A [`Backend`] keeps such texts, and knows
//! nothing of what is in them: [`file`], [`redis`] over [`resp`], or [`own`] by a program's
//! callbacks. Its operations that nobody can interrupt are done [`in_turn`].

pub(crate) mod file;
mod in_turn;
#[cfg(feature = "capi")]
pub(crate) mod own;
pub(crate) mod redis;
mod resp;
pub(crate) mod seal;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::cache::record::{self, Loaded, Session, StoreNow, Swap};
use crate::config;
use crate::error::{Error, Status};
use seal::Seal;

/// The largest text that is kept.
pub(crate) const LARGEST: usize = 64 * 1024;

/// A place where the processes that use one API key share its token: see
/// [`Config::set_store`](crate::Config::set_store). Any number of clients, with any keys, may use
/// one.
#[derive(Clone)]
pub struct Store {
    backend: Arc<dyn Backend>,
}

impl Store {
    /// Files in `directory`, or in the user's usual place for such: for the processes that one user
    /// has on one machine.
    ///
    /// The directory is made if need be, with the mode 0700, which takes as long as its file system
    /// takes. An error if it is another user's, can
    /// be used by others, is a symbolic link, or is on a network.
    pub fn file(directory: Option<&Path>) -> Result<Store, Error> {
        let files = file::FileStore::new("directory", directory)?;
        files.check()?;
        Ok(Store::of(files))
    }

    /// The store that a text names, as APIVIDEO_STORE does. It may hold a password, so no message
    /// repeats it. A place that cannot be used is no error: clients go on as without a store.
    ///
    /// `ca_path`: a file of certificates, which is read for TLS only. `setting`, `ca_setting`: what
    /// messages call the two.
    pub(crate) fn named(
        setting: &str,
        name: &str,
        ca_setting: &str,
        ca_path: Option<&Path>,
    ) -> Result<Store, Error> {
        let files = |directory| file::FileStore::new(setting, directory).map(Store::of);
        match name.split_once(':') {
            None if name == "file" => files(None),
            Some(("file", directory)) => files(Some(Path::new(directory))),
            Some((scheme, _)) if scheme.starts_with("redis") => {
                let ca_path = ca_path.filter(|_| scheme.starts_with("rediss"));
                let ca_file = ca_path.map(|path| config::ca_file(ca_setting, path));
                let servers = redis::RedisStore::new(setting, name, ca_file.transpose()?)?;
                Ok(Store::of(servers))
            }
            _ => Err(Error::invalid(format!(
                "`{setting}` must be file, file:DIRECTORY, or a URL that begins with redis:// or rediss://."
            ))),
        }
    }

    /// Redis or Valkey, for the processes of many machines:
    /// `redis://[user:password@]host[:port][/database]`, or `rediss://…` for TLS, or with
    /// `+sentinel`: `redis+sentinel://[user:password@]host[:port],…/name[/database]`, where user
    /// and password are those of the server, and Sentinels are asked without. A cluster is named by
    /// any of its nodes, or by several. `redis://` sends the password in clear. No proxy is used.
    ///
    /// `ca_file`: as for [`Config::set_ca_file`](crate::Config::set_ca_file). Sends nothing yet.
    pub fn redis(url: &str, ca_file: Option<&Path>) -> Result<Store, Error> {
        let ca_file = ca_file.map(|path| config::ca_file("ca_file", path));
        let servers = redis::RedisStore::new("url", url, ca_file.transpose()?)?;
        Ok(Store::of(servers))
    }

    pub(crate) fn of(backend: impl Backend + 'static) -> Store {
        Store {
            backend: Arc::new(backend),
        }
    }

    /// The records of one key and server.
    pub(crate) fn for_key(&self, api_key: &str, base_url: &str) -> SealedStore {
        SealedStore {
            backend: Arc::clone(&self.backend),
            seal: Arc::new(Seal::new(api_key, base_url)),
        }
    }
}

/// What keeps sealed records.
pub(crate) trait Backend: Send + Sync {
    /// For the operations of one flight.
    fn open(&self) -> Box<dyn Connection>;
    /// Whether loading takes less time than starting a thread for it.
    fn is_quick(&self) -> bool;
    /// Whether it may be asked when the client was freed. A program's own may not: what it needs
    /// may be gone by then.
    fn outlives_client(&self) -> bool {
        true
    }
}

/// A backend during one flight. What it holds is given back when it is dropped.
pub(crate) trait Connection: Send {
    /// What is kept under a name.
    fn load(&mut self, name: &str, limit: Duration) -> Result<Stored, Error>;
    /// Puts a text in the place of the one whose version is expected. `false`: another is there.
    fn swap(&mut self, change: &Change, limit: Duration) -> Result<bool, Error>;
}

/// A sealed record.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    /// 0 if there is none.
    pub(crate) version: u64,
    pub(crate) sealed: Vec<u8>,
    pub(crate) now: StoreNow,
    /// The system says that whoever wrote a lease into it has ended.
    pub(crate) holder_is_gone: bool,
}

/// A sealed record to keep.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) name: String,
    /// The version that it takes the place of; 0: of none.
    pub(crate) expected: u64,
    pub(crate) version: u64,
    pub(crate) sealed: Vec<u8>,
    /// For how long it is of use.
    pub(crate) keep: Duration,
    /// It has a lease of ours in it.
    pub(crate) is_lease: bool,
}

/// A record is kept for longer than it is of use: rejections and fences are told by it.
const KEPT_LONGER: Duration = Duration::from_secs(600);
/// Nothing is of use for longer; a number of a store's may be any.
const LONGEST_USE_MS: i64 = 7 * 24 * 3_600_000;

/// The records of one API key in a backend.
pub(crate) struct SealedStore {
    backend: Arc<dyn Backend>,
    seal: Arc<Seal>,
}

impl record::Store for SealedStore {
    fn session(&self) -> Box<dyn Session> {
        Box::new(SealedSession {
            connection: self.backend.open(),
            seal: Arc::clone(&self.seal),
        })
    }

    fn is_quick(&self) -> bool {
        self.backend.is_quick()
    }

    fn outlives_client(&self) -> bool {
        self.backend.outlives_client()
    }
}

struct SealedSession {
    connection: Box<dyn Connection>,
    seal: Arc<Seal>,
}

impl Session for SealedSession {
    fn load(&mut self, limit: Duration) -> Result<Loaded, Error> {
        let stored = self.connection.load(self.seal.name(), limit)?;
        Ok(Loaded {
            version: stored.version,
            record: self.seal.open(stored.version, stored.sealed),
            now: stored.now,
            holder_is_gone: stored.holder_is_gone,
        })
    }

    fn swap(&mut self, swap: &Swap, limit: Duration) -> Result<bool, Error> {
        let sealed = self.seal.close(swap.version, &swap.record)?;
        if sealed.len() > LARGEST {
            return Err(Error::new(
                Status::SystemError,
                "The token was not put into the store: it is too long.",
            ));
        }
        let use_ms = swap.keep_ms.clamp(0, LONGEST_USE_MS).unsigned_abs();
        let change = Change {
            name: self.seal.name().to_owned(),
            expected: swap.expected,
            version: swap.version,
            sealed,
            keep: Duration::from_millis(use_ms) + KEPT_LONGER,
            is_lease: swap.is_lease,
        };
        self.connection.swap(&change, limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::record::{Record, SharedToken};
    use crate::clock::Now;
    use crate::ffi::secret::Secret;

    /// Says of each change for how long it is kept.
    struct Keeps;

    impl Connection for Keeps {
        fn load(&mut self, _: &str, _: Duration) -> Result<Stored, Error> {
            unreachable!("not asked for")
        }

        fn swap(&mut self, change: &Change, _: Duration) -> Result<bool, Error> {
            Err(Error::invalid(change.keep.as_secs().to_string()))
        }
    }

    /// The message for a token of that length, of use for so long.
    fn swapped(length: usize, keep_ms: i64) -> String {
        let at = Now {
            wall_ms: 0,
            mono_ms: 0,
        };
        let token = SharedToken {
            fence: 1,
            access_token: Secret::new(&"x".repeat(length)),
            lifetime_ms: 1,
            renew_at: at,
            expires: at,
        };
        let record = Record {
            token: Some(Arc::new(token)),
            ..Record::default()
        };
        let mut session = SealedSession {
            connection: Box::new(Keeps),
            seal: Arc::new(Seal::new("key", "https://ws.api.video")),
        };
        let swap = Swap {
            expected: 0,
            version: 1,
            record,
            keep_ms,
            is_lease: false,
        };
        session.swap(&swap, Duration::ZERO).unwrap_err().message
    }

    #[test]
    fn a_record_is_kept_for_longer_than_it_is_of_use_but_not_for_ever() {
        assert_eq!(swapped(9, 60_000), "660");
        assert_eq!(swapped(9, -1), "600");
        assert_eq!(swapped(9, i64::MAX), "605400");
    }

    #[test]
    fn what_would_not_be_read_is_not_written() {
        assert!(swapped(LARGEST, 0).contains("too long"));
        assert_eq!(swapped(LARGEST - 1_000, 0), "600");
    }
}
