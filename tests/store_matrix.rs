//! Every fault of a store: what it costs, and that no read fails for it.
//!
//! Two clients share a token, as two processes would. The fault strikes
//!
//! - before either has a token: each gets one, and [`Row`] says how soon, for how many exchanges,
//!   and what the log says, once;
//! - while both have one, of 3 s, and are read all the time until it has been renewed twice;
//! - and then it goes: new clients share a token again.
//!
//! Each row is a process of its own: this test again, told by the environment which row.

#![cfg(target_os = "linux")] // It stands in for the system, and mounts file systems.
#![allow(unsafe_code)] // As the C library's functions are.
#![allow(clippy::unwrap_used)] // A test that panics has failed.

mod common;
#[path = "common/lying_proxy.rs"]
mod lying_proxy;
#[path = "common/stores.rs"]
mod stores;
#[path = "common/time_travel.rs"]
mod time_travel;

use std::fs::{self, File};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use apivideo::{Client, Store};
use apivideo_sandbox::{Options, Sandbox};

use common::{client_with, config_for, eventually};
use lying_proxy::{Lie, LyingProxy};
use stores::{Directory, Lines, Redis, exchanges, redis_is_there};
use time_travel::set_wall_clock;

/// Where a row's record is, and what is needed to harm it.
struct Place {
    directory: Directory,
    redis: Option<Redis>,
    proxy: Option<LyingProxy>,
    /// Of the record.
    name: String,
    /// The record's file, as it was once.
    past: Vec<u8>,
    lock: Option<File>,
}

impl Place {
    fn new(kind: Kind) -> Place {
        let directory = Directory::new();
        if kind == Kind::SmallDisk {
            fs::create_dir_all(&directory.0).unwrap();
            mount(
                &["-t", "tmpfs", "-o", "size=16k,mode=700", "none"],
                &directory,
            );
        }
        let has_redis = matches!(kind, Kind::Redis | Kind::Proxied);
        let redis = has_redis.then(|| Redis::start(&[]));
        let port = redis.as_ref().map(|redis| redis.port);
        Place {
            proxy: port
                .filter(|_| kind == Kind::Proxied)
                .map(LyingProxy::before),
            redis,
            directory,
            name: String::new(),
            past: Vec::new(),
            lock: None,
        }
    }

    fn store(&self) -> Store {
        match (&self.redis, &self.proxy) {
            (None, _) => self.directory.store(),
            (Some(redis), None) => Store::redis(&redis.url(), None).unwrap(),
            (Some(_), Some(proxy)) => Store::redis(&proxy.url(), None).unwrap(),
        }
    }

    /// Learns the record's name, and leaves nothing but that.
    fn take_record(&mut self) {
        if let Some(redis) = &self.redis {
            self.name = redis.record();
            self.cli(&["FLUSHALL"]);
        } else {
            let record = self.directory.record();
            self.past = fs::read(&record).unwrap();
            fs::remove_file(&record).unwrap();
            self.name = record.file_name().unwrap().to_str().unwrap().to_owned();
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.0.join(name)
    }

    fn record(&self) -> PathBuf {
        self.path(&self.name)
    }

    /// Writes the record of the past, changed.
    fn put(&self, change: fn(&mut Vec<u8>)) {
        let mut bytes = self.past.clone();
        change(&mut bytes);
        fs::write(self.record(), bytes).unwrap();
    }

    fn fill(&self) {
        let mut file = File::create(self.path("filling.x")).unwrap();
        while file.write_all(&[0]).is_ok() {}
    }

    fn remount(&self, how: &str) {
        mount(&["-o", &format!("remount,{how}")], &self.directory);
    }

    fn give_to(&self, user: u32) {
        std::os::unix::fs::chown(&self.directory.0, Some(user), None).unwrap();
    }

    fn elsewhere(&self) -> PathBuf {
        self.directory.0.with_extension("elsewhere")
    }

    fn link(&self) {
        fs::rename(&self.directory.0, self.elsewhere()).unwrap();
        symlink(self.elsewhere(), &self.directory.0).unwrap();
    }

    fn unlink(&self) {
        fs::remove_file(&self.directory.0).unwrap();
        fs::rename(self.elsewhere(), &self.directory.0).unwrap();
    }

    fn link_record(&self) {
        fs::write(self.path("elsewhere.x"), &self.past).unwrap();
        let _ = fs::remove_file(self.record());
        symlink(self.path("elsewhere.x"), self.record()).unwrap();
    }

    fn replace_record(&self) {
        let _ = fs::remove_file(self.record());
        fs::create_dir(self.record()).unwrap();
    }

    /// As somebody who was stopped while he had the lock.
    fn lock(&mut self) {
        let file = File::create(self.path(&format!("{}.lock", self.name))).unwrap();
        // SAFETY: the descriptor is open.
        assert_eq!(unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX) }, 0);
        self.lock = Some(file);
    }

    fn redis(&mut self) -> &mut Redis {
        self.redis.as_mut().unwrap()
    }

    fn cli(&self, arguments: &[&str]) {
        let said = self.redis.as_ref().unwrap().cli(arguments);
        assert!(!said.contains("ERR"), "{said}");
    }

    fn lie(&self, lie: Lie) {
        self.proxy.as_ref().unwrap().set(lie);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = Command::new("umount")
            .arg(&self.directory.0)
            .stderr(Stdio::null())
            .status();
    }
}

fn mount(options: &[&str], directory: &Directory) {
    let done = Command::new("mount")
        .args(options)
        .arg(&directory.0)
        .status()
        .unwrap();
    assert!(done.success());
}

/// What the system says of each file system, unless it is 0.
static KIND_OF_ALL: AtomicU32 = AtomicU32::new(0);

fn answer_statfs(kind: u32) {
    KIND_OF_ALL.store(kind, Ordering::SeqCst);
}

type Fstatfs = unsafe extern "C" fn(libc::c_int, *mut libc::statfs) -> libc::c_int;

// SAFETY: it has the type and the meaning of the C library's, whose callers' promises it passes on.
#[unsafe(no_mangle)]
unsafe extern "C" fn fstatfs(fd: libc::c_int, facts: *mut libc::statfs) -> libc::c_int {
    // SAFETY: the C library has a function of that name and type; `facts` is valid for a write.
    unsafe {
        let found = libc::dlsym(libc::RTLD_NEXT, c"fstatfs".as_ptr());
        let result = std::mem::transmute::<*mut libc::c_void, Fstatfs>(found)(fd, facts);
        let kind = KIND_OF_ALL.load(Ordering::SeqCst);
        if result == 0 && kind != 0 {
            (*facts).f_type = kind.into();
        }
        result
    }
}

/// A file system that is frozen, as for a snapshot: whoever writes waits.
static IS_FROZEN: AtomicBool = AtomicBool::new(false);

type Renameat = unsafe extern "C" fn(
    libc::c_int,
    *const libc::c_char,
    libc::c_int,
    *const libc::c_char,
) -> libc::c_int;

// SAFETY: as above.
#[unsafe(no_mangle)]
unsafe extern "C" fn renameat(
    from: libc::c_int,
    old: *const libc::c_char,
    to: libc::c_int,
    new: *const libc::c_char,
) -> libc::c_int {
    while IS_FROZEN.load(Ordering::SeqCst) {
        thread::sleep(Duration::from_millis(1));
    }
    // SAFETY: the C library has a function of that name and type.
    unsafe {
        let found = libc::dlsym(libc::RTLD_NEXT, c"renameat".as_ptr());
        std::mem::transmute::<*mut libc::c_void, Renameat>(found)(from, old, to, new)
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Files,
    /// On a file system of its own, which is small.
    SmallDisk,
    Redis,
    /// Redis behind a proxy that lies.
    Proxied,
}

/// How many exchanges the two clients make.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Made {
    /// None, at first: what is there is good.
    Fewer,
    /// As without the fault.
    Shared,
    /// As without a store.
    Each,
}

struct Row {
    name: &'static str,
    kind: Kind,
    strike: fn(&mut Place),
    heal: fn(&mut Place),
    made: Made,
    /// When a client has its token at the latest, in milliseconds, and a moment more.
    within_ms: u64,
    /// What the log says of it, if anything.
    words: &'static str,
}

const MOMENT: Duration = Duration::from_secs(1);
const LIFE_S: u64 = 3;
/// Two renewals, at 70 to 80 % of each life.
const WATCHED: Duration = Duration::from_millis(5_500);
/// By then the token has been renewed at most so often, and once more for the fault.
const MOST_RENEWALS: u64 = 3;
/// They wait for most of the time.
const ROWS_AT_ONCE: usize = 8;

#[rustfmt::skip]
fn table() -> Vec<Row> {
    use Kind::{Files, Proxied, Redis, SmallDisk};
    use Made::{Each, Fewer, Shared};
    let row = |name, kind, strike: fn(&mut Place), heal: fn(&mut Place), made, within_ms, words| {
        Row { name, kind, strike, heal, made, within_ms, words }
    };
    let nothing: fn(&mut Place) = |_| {};
    let honest: fn(&mut Place) = |p| p.lie(Lie::None);
    vec![
        row("files", Files, nothing, nothing, Shared, 0, ""),
        row("disk full", SmallDisk, |p| p.fill(), |p| fs::remove_file(p.path("filling.x")).unwrap(), Each, 0, "No space left"),
        row("read-only", SmallDisk, |p| p.remount("ro"), |p| p.remount("rw"), Each, 0, "Read-only file system"),
        row("removed", Files, |p| fs::remove_dir_all(&p.directory.0).unwrap(), nothing, Shared, 0, ""),
        row("cut", Files, |p| p.put(|bytes| bytes.truncate(40)), nothing, Shared, 0, ""),
        row("zeros", Files, |p| p.put(|bytes| bytes.fill(0)), nothing, Shared, 0, ""),
        row("a bit flipped", Files, |p| p.put(|bytes| bytes[60] ^= 1), nothing, Shared, 0, ""),
        row("its version's bit", Files, |p| p.put(|bytes| bytes[12] ^= 1), nothing, Shared, 0, ""),
        row("rolled back", Files, |p| p.put(|_| ()), nothing, Fewer, 0, ""),
        row("another user's", Files, |p| p.give_to(12_345), |p| p.give_to(0), Each, 0, "is another user's"),
        row("open to others", Files, |p| p.directory.set_mode(0o755), |p| p.directory.set_mode(0o700), Each, 0, "0700"),
        row("a link", Files, |p| p.link(), |p| p.unlink(), Each, 0, "is a symbolic link"),
        row("record a link", Files, |p| p.link_record(), |p| fs::remove_file(p.record()).unwrap(), Each, 0, "symbolic links"),
        row("record a directory", Files, |p| p.replace_record(), |p| fs::remove_dir(p.record()).unwrap(), Each, 0,
            "cannot be used"),
        row("on NFS", Files, |_| answer_statfs(0x6969), |_| answer_statfs(0), Each, 0, "is on NFS"),
        row("on SMB", Files, |_| answer_statfs(0xFF53_4D42), |_| answer_statfs(0), Each, 0, "is on SMB"),
        row("frozen", Files, |_| IS_FROZEN.store(true, Ordering::SeqCst), |_| IS_FROZEN.store(false, Ordering::SeqCst),
            Each, 1_000, "The store"), // One does not answer, and has the lock that another waits for.
        row("locked for ever", Files, Place::lock, |p| p.lock = None, Each, 1_000, "has been locked by another process"),
        row("clock a day ahead", Files, |_| set_wall_clock(86_400), nothing, Shared, 0, ""),
        row("clock a day behind", Files, |_| set_wall_clock(-86_400), nothing, Shared, 0, ""),

        row("redis", Redis, nothing, nothing, Shared, 0, ""),
        row("down", Redis, |p| p.redis().kill(), |p| p.redis().restart(), Each, 0, "No connection to the store's server"),
        row("stopped", Redis, |p| p.redis().signal("-STOP"), |p| p.redis().signal("-CONT"), Each, 1_000, "did not answer in time"),
        row("restarted empty", Redis, |p| { p.redis().kill(); p.redis().restart() }, nothing, Shared, 0, ""),
        row("evicted", Redis, |p| p.cli(&["FLUSHALL"]), nothing, Shared, 0, ""),
        row("login wanted", Redis, |p| p.cli(&["CONFIG", "SET", "requirepass", "x"]),
            |p| p.cli(&["-a", "x", "CONFIG", "SET", "requirepass", ""]), Each, 0, "NOAUTH"),
        row("EVAL forbidden", Redis, |p| p.cli(&["ACL", "SETUSER", "default", "-eval"]),
            |p| p.cli(&["ACL", "SETUSER", "default", "+eval"]), Each, 0, "NOPERM"),
        row("memory full", Redis, |p| p.cli(&["CONFIG", "SET", "maxmemory", "1"]),
            |p| p.cli(&["CONFIG", "SET", "maxmemory", "0"]), Each, 0, "OOM"),
        row("a replica", Redis, |p| p.cli(&["REPLICAOF", "127.0.0.1", "1"]),
            |p| p.cli(&["REPLICAOF", "NO", "ONE"]), Each, 0, "READONLY"),
        row("few replicas", Redis, |p| p.cli(&["CONFIG", "SET", "min-replicas-to-write", "1"]),
            |p| p.cli(&["CONFIG", "SET", "min-replicas-to-write", "0"]), Each, 0, "NOREPLICAS"),
        row("another type", Redis, |p| { p.cli(&["FLUSHALL"]); p.cli(&["RPUSH", &p.name, "x"]) }, |p| p.cli(&["FLUSHALL"]),
            Each, 0, "WRONGTYPE"),
        row("another's value", Redis, |p| p.cli(&["SET", &p.name, "something else"]), nothing, Shared, 0, ""),

        row("behind a proxy", Proxied, nothing, nothing, Shared, 0, ""),
        row("closes", Proxied, |p| p.lie(Lie::Cut(0)), honest, Each, 0, "was lost"),
        row("cuts replies", Proxied, |p| p.lie(Lie::Cut(30)), honest, Each, 0, "was lost"),
        row("hangs", Proxied, |p| p.lie(Lie::Delay(60_000)), honest, Each, 1_000, "did not answer in time"),
        row("takes 20 ms", Proxied, |p| p.lie(Lie::Delay(20)), honest, Shared, 1_000, ""),
        row("loses swaps' answers", Proxied, |p| p.lie(Lie::LoseSwaps), honest, Shared, 0, "was lost"),
        row("swaps nothing", Proxied, |p| p.lie(Lie::SwapNothing), honest, Each, 0, ""),
        row("flips bits", Proxied, |p| p.lie(Lie::FlipBits), honest, Each, 0, ""),
        row("is no Redis", Proxied, |p| p.lie(Lie::Babble), honest, Each, 0, "is no Redis"),
        row("a day ahead", Proxied, |p| p.lie(Lie::Clock(86_400)), honest, Shared, 0, ""),
        row("a day behind", Proxied, |p| p.lie(Lie::Clock(-86_400)), honest, Shared, 0, ""),
    ]
}

// --- One row ---

/// A client of one process among those that share.
fn client(place: &Place, sandbox: &Sandbox) -> (Client, Lines) {
    let mut config = config_for(sandbox.base_url(), sandbox);
    config.set_store(Some(place.store()));
    let lines = Lines::of(&mut config);
    (client_with(&config), lines)
}

/// How long its token takes.
fn timed(client: &Client) -> Duration {
    let start = Instant::now();
    client.get_token().unwrap();
    start.elapsed()
}

/// What a row came to.
struct Came {
    exchanges: u64,
    slowest: Duration,
}

/// Neither client has a token when the fault is there.
fn cold(row: &Row, place: &mut Place, sandbox: &Sandbox) -> Came {
    timed(&client(place, sandbox).0);
    place.take_record();
    let clients = [client(place, sandbox), client(place, sandbox)];
    (row.strike)(place);
    let before = exchanges(sandbox);
    let slowest = clients
        .iter()
        .map(|(client, _)| timed(client))
        .max()
        .unwrap();
    let came = Came {
        exchanges: exchanges(sandbox) - before,
        slowest,
    };
    let made = match row.made {
        Made::Fewer => 0,
        Made::Shared => 1,
        Made::Each => 2,
    };
    assert_eq!(came.exchanges, made, "exchanges");
    assert!(
        slowest <= Duration::from_millis(row.within_ms) + MOMENT,
        "{slowest:?}"
    );
    told_once(row, &clients[0].1, true);
    told_once(row, &clients[1].1, row.made == Made::Each);
    (row.heal)(place);
    came
}

/// What is wrong is said once, if anybody can know. That may come a little after the token.
fn told_once(row: &Row, lines: &Lines, is_certain: bool) {
    if is_certain && !row.words.is_empty() {
        eventually("a line", || !lines.all().is_empty());
    }
    let lines = lines.all();
    assert!(lines.len() <= 1, "{lines:?}");
    for line in lines {
        assert!(line.starts_with("The token store fails."), "{line}");
        assert!(!row.words.is_empty() && line.contains(row.words), "{line}");
    }
}

/// Both have a token when the fault comes, and are read all the time.
fn warm(row: &Row, place: &mut Place, sandbox: &Sandbox) -> Came {
    let clients = [client(place, sandbox), client(place, sandbox)];
    for (client, _) in &clients {
        timed(client);
    }
    let (before, start) = (exchanges(sandbox), Instant::now());
    (row.strike)(place);
    let read = |client: &Client| {
        let mut slowest = Duration::ZERO;
        while start.elapsed() < WATCHED {
            slowest = slowest.max(timed(client));
            thread::sleep(Duration::from_millis(1));
        }
        slowest
    };
    let slowest = thread::scope(|scope| {
        let readers = clients
            .each_ref()
            .map(|(client, _)| scope.spawn(|| read(client)));
        readers
            .map(|reader| reader.join().unwrap())
            .into_iter()
            .max()
            .unwrap()
    });
    let came = Came {
        exchanges: exchanges(sandbox) - before,
        slowest,
    };
    // Whose store fails leaves it alone for a while.
    let renewals = match row.made != Made::Each && row.words.is_empty() {
        true => MOST_RENEWALS,
        false => 2 * MOST_RENEWALS,
    };
    assert!(came.exchanges <= renewals, "{} renewals", came.exchanges);
    assert!(slowest <= MOMENT, "a read took {slowest:?}");
    (row.heal)(place);
    came
}

/// The fault is gone: new clients share a token.
fn healed(place: &Place, sandbox: &Sandbox) {
    let clients = [client(place, sandbox), client(place, sandbox)];
    let before = exchanges(sandbox);
    let tokens = clients
        .each_ref()
        .map(|(client, _)| client.get_token().unwrap());
    assert_eq!(tokens[0].access_token(), tokens[1].access_token());
    assert!(exchanges(sandbox) - before <= 1);
    assert!(
        clients
            .iter()
            .all(|(client, _)| client.statistics().store_failures == 0)
    );
}

const ROW: &str = "APIVIDEO_TEST_ROW";

/// In a process of its own.
#[test]
fn row() {
    let Ok(name) = std::env::var(ROW) else { return };
    let table = table();
    let row = table.iter().find(|row| row.name == name).unwrap();
    let lives = Options {
        expires_in: LIFE_S,
        ..Options::default()
    };
    let (sandbox, mut place) = (Sandbox::start(lives).unwrap(), Place::new(row.kind));
    let first = cold(row, &mut place, &sandbox);
    healed(&place, &sandbox);
    let later = warm(row, &mut place, &sandbox);
    healed(&place, &sandbox);
    println!(
        "came {} exchanges, {} ms; then {} exchanges, {} ms, no read failed",
        first.exchanges,
        first.slowest.as_millis(),
        later.exchanges,
        later.slowest.as_millis()
    );
}

// --- All of them ---

/// What a row needs and this machine does not allow.
fn lacks(row: &Row) -> Option<&'static str> {
    let can = |command: &mut Command| {
        let done = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        done.is_ok_and(|status| status.success())
    };
    match row.kind {
        Kind::SmallDisk if !can(Command::new("unshare").args(["--mount", "true"])) => {
            Some("a file system of its own")
        }
        Kind::Files if row.name == "another user's" && !is_root() => Some("root"),
        _ => None,
    }
}

fn is_root() -> bool {
    // SAFETY: it takes nothing and cannot fail.
    unsafe { libc::geteuid() == 0 }
}

fn run(row: &Row) -> Result<String, String> {
    let test = std::env::current_exe().unwrap();
    let mut command = match row.kind {
        Kind::SmallDisk => Command::new("unshare"),
        _ => Command::new(&test),
    };
    if row.kind == Kind::SmallDisk {
        command.arg("--mount").arg(&test);
    }
    command
        .args(["--exact", "row", "--nocapture"])
        .env(ROW, row.name);
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    match (output.status.success(), text.find("came ")) {
        (true, Some(at)) => Ok(text[at + 5..].lines().next().unwrap_or_default().to_owned()),
        _ => Err(text),
    }
}

#[test]
fn every_fault_of_a_store_ends_as_the_table_says_and_fails_no_read() {
    let (table, next, failed) = (table(), AtomicUsize::new(0), AtomicUsize::new(0));
    let has_redis = redis_is_there();
    let work = || {
        while let Some(row) = table.get(next.fetch_add(1, Ordering::SeqCst)) {
            let needs_redis = matches!(row.kind, Kind::Redis | Kind::Proxied);
            if let Some(what) = lacks(row).or((needs_redis && !has_redis).then_some("redis-server"))
            {
                println!("*** SKIPPED: {} needs {what} ***", row.name);
                continue;
            }
            match run(row) {
                Ok(came) => println!("{:22} {came}", row.name),
                Err(text) => {
                    failed.fetch_add(1, Ordering::SeqCst);
                    println!("FAILED {}\n{text}", row.name);
                }
            }
        }
    };
    thread::scope(|scope| (0..ROWS_AT_ONCE).for_each(|_| drop(scope.spawn(work))));
    assert_eq!(failed.into_inner(), 0);
}
