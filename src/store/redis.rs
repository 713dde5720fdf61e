//! Records in Redis or Valkey: alone, behind Sentinel, or in a cluster.
//!
//! Written by hand: a few commands are needed, over a connection that we dial ourselves, within one
//! deadline that counts the name's lookup too.
//!
//! A value is its version as 16 hexadecimal digits, and then the sealed record. One script compares
//! and swaps. The clock is the server's.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use percent_encoding::percent_decode_str;

use super::resp::{Reply, Wire};
use super::{Backend, Change, Connection, Stored};
use crate::cache::record::StoreNow;
use crate::clock::Now;
use crate::error::{Error, Status};
use crate::ffi::secret::Secret;
use crate::http::{CaFile, Line, Sources, host_and_port};

const DIGITS: usize = 16;
/// What it takes for a value of ours is just what [`split`] does: where they differed, no swap
/// would ever succeed.
const SWAP: &str = "local v = redis.call('GET', KEYS[1]) \
    local h = v and string.match(v, '^[0-7]' .. string.rep('[0-9a-f]', 15)) or '0000000000000000' \
    if h ~= ARGV[1] then return 0 end \
    redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) return 1";
/// A cluster sends whoever asks the wrong node to another, which may do so too while it changes.
const MOST_HOPS: usize = 4;
const PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26_379;

pub(crate) type Address = (String, u16);

/// The store that a URL names.
pub(crate) struct RedisStore(Arc<Server>);

struct Server {
    /// The server, or nodes of a cluster, or the Sentinels to ask.
    addresses: Vec<Address>,
    /// Which of them to begin with: the one that answered last.
    answered: AtomicUsize,
    /// The name by which Sentinels know the server.
    sentinel_name: Option<String>,
    login: Option<Login>,
    database: u32,
    line: Line,
}

struct Login {
    /// Empty: the server's default user.
    user: String,
    password: Secret,
}

impl RedisStore {
    pub(crate) fn new(
        setting: &str,
        url: &str,
        ca_file: Option<CaFile>,
    ) -> Result<RedisStore, Error> {
        let server = parse(url, ca_file).ok_or_else(|| {
            // It may hold a password, so no message repeats it.
            Error::invalid(format!(
                "`{setting}` must be redis://[user:password@]host[:port],…[/database], or with rediss:// \
                 for TLS, or redis+sentinel://[user:password@]host[:port],…/name[/database], \
                 percent-encoded."
            ))
        })?;
        Ok(RedisStore(Arc::new(server)))
    }
}

fn parse(url: &str, ca_file: Option<CaFile>) -> Option<Server> {
    let (scheme, rest) = url.split_once("://")?;
    let (is_tls, is_sentinel) = match scheme {
        "redis" => (false, false),
        "rediss" => (true, false),
        "redis+sentinel" => (false, true),
        "rediss+sentinel" => (true, true),
        _ => return None,
    };
    let (login, place) = rest.rsplit_once('@').unwrap_or(("", rest));
    let mut parts = place.split('/');
    let hosts = parts.next()?.split(',');
    let port = if is_sentinel { SENTINEL_PORT } else { PORT };
    let addresses: Option<Vec<Address>> = hosts.map(|host| address(host, port)).collect();
    let sentinel_name = match is_sentinel {
        true => Some(decoded(parts.next()?).filter(|name| !name.is_empty())?),
        false => None,
    };
    let database = match parts.next() {
        None | Some("") => 0,
        Some(number) => number.parse().ok()?,
    };
    parts.next().is_none().then_some(())?;
    Some(Server {
        addresses: addresses?,
        answered: AtomicUsize::new(0),
        sentinel_name,
        login: parse_login(login)?,
        database,
        line: Line::new(is_tls.then(Sources::of_environment), ca_file),
    })
}

/// `user:password`, either of which may be empty, or nothing at all. A user alone is no login.
fn parse_login(login: &str) -> Option<Option<Login>> {
    if login.is_empty() {
        return Some(None);
    }
    let (user, password) = login.split_once(':').filter(|both| *both != ("", ""))?;
    Some(Some(Login {
        user: decoded(user)?,
        password: Secret::new(&decoded(password)?),
    }))
}

fn address(authority: &str, port: u16) -> Option<Address> {
    let (host, own_port) = host_and_port(authority)?;
    Some((host.to_owned(), own_port.unwrap_or(port)))
}

/// Nothing that is named has a NUL in it.
fn decoded(text: &str) -> Option<String> {
    let text = percent_decode_str(text).decode_utf8().ok()?;
    (!text.contains('\0')).then(|| text.into_owned())
}

impl Backend for RedisStore {
    fn open(&self) -> Box<dyn Connection> {
        Box::new(Talk {
            server: Arc::clone(&self.0),
            node: None,
        })
    }

    fn is_quick(&self) -> bool {
        false
    }
}

/// One connection, for one flight.
struct Talk {
    server: Arc<Server>,
    node: Option<Node>,
}

/// A connection, and the host that it leads to.
struct Node {
    wire: Wire,
    host: String,
}

impl Connection for Talk {
    fn load(&mut self, name: &str, limit: Duration) -> Result<Stored, Error> {
        // In this order: what a cluster allows just this once is the first command.
        let commands: [&[&[u8]]; 2] = [&[b"GET", name.as_bytes()], &[b"TIME"]];
        self.ask(commands, Instant::now() + limit, |[value, time]| {
            stored(&value, &time)
        })
    }

    fn swap(&mut self, change: &Change, limit: Duration) -> Result<bool, Error> {
        let expected = format!("{:016x}", change.expected);
        let value = [
            format!("{:016x}", change.version).as_bytes(),
            &change.sealed,
        ]
        .concat();
        let keep = change.keep.as_millis().to_string();
        let command: &[&[u8]] = &[
            b"EVAL",
            SWAP.as_bytes(),
            b"1",
            change.name.as_bytes(),
            expected.as_bytes(),
            &value,
            keep.as_bytes(),
        ];
        let until = Instant::now() + limit;
        self.ask([command], until, |[swapped]| match swapped {
            Reply::Number(0) => Ok(false),
            Reply::Number(1) => Ok(true),
            other => Err(other.unexpected()),
        })
    }
}

fn stored(value: &Reply, time: &Reply) -> Result<Stored, Error> {
    let (version, sealed) = match value {
        Reply::Bulk(value) => split(value),
        Reply::Nil => (0, Vec::new()),
        other => return Err(other.unexpected()),
    };
    Ok(Stored {
        version,
        sealed,
        now: clock(time).ok_or_else(|| time.unexpected())?,
        holder_is_gone: false,
    })
}

/// What becomes of a server's words, whatever they are: a version and a record's length, or an
/// error; and a node to ask instead.
#[cfg(fuzzing)]
pub(crate) fn loaded(words: &[u8]) -> (Result<(u64, usize), Error>, Option<Address>) {
    let stream = super::resp::canned::Canned(std::io::Cursor::new(words.to_vec()));
    let replies = Wire::new(Box::new(stream)).ask(&[&[b"GET"], &[b"TIME"]], Instant::now());
    let replies = match replies {
        Ok(replies) => replies,
        Err(error) => return (Err(error), None),
    };
    let named = replies.iter().find_map(|reply| match reply.redirection() {
        Some((named, _)) => named_by_node(named, "localhost"),
        None => named_by_sentinel(reply),
    });
    let loaded = stored(&replies[0], &replies[1]);
    let facts = loaded.map(|stored| (stored.version, stored.sealed.len()));
    (facts, named)
}

/// A value that is none of ours is as good as none.
fn split(value: &[u8]) -> (u64, Vec<u8>) {
    let version = value.get(..DIGITS).and_then(|digits| {
        let is_digit = |digit: &u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
        let ours = digits[0] <= b'7' && digits.iter().all(is_digit);
        let digits = std::str::from_utf8(digits).ok().filter(|_| ours)?;
        u64::from_str_radix(digits, 16).ok()
    });
    match version {
        Some(version) => (version, value[DIGITS..].to_vec()),
        None => (0, Vec::new()),
    }
}

fn clock(time: &Reply) -> Option<StoreNow> {
    let Reply::Array(parts) = time else {
        return None;
    };
    let number = |part: &Reply| match part {
        Reply::Bulk(text) => std::str::from_utf8(text).ok()?.parse::<i64>().ok(),
        _ => None,
    };
    let (seconds, micros) = (number(parts.first()?)?, number(parts.get(1)?)?);
    let ms = seconds.checked_mul(1_000)?.checked_add(micros / 1_000)?;
    let now = Now {
        wall_ms: ms,
        mono_ms: ms,
    };
    Some(StoreNow { now, boot: 0 })
}

impl Talk {
    /// Sends commands, follows a cluster to the node that has the key, and reads the replies.
    fn ask<const N: usize, R>(
        &mut self,
        commands: [&[&[u8]]; N],
        until: Instant,
        read: impl FnOnce([Reply; N]) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let replies = self.ask_node(&commands, until);
        let replies = replies.and_then(|all| all.try_into().map_err(|_| Reply::Nil.unexpected()));
        let result = replies.and_then(read);
        if result.is_err() {
            // Whatever is still on its way must not be taken for a later answer. And a server that
            // refuses may be a replica now, or be starting: the next operation finds out anew who
            // is to be asked.
            self.node = None;
            self.server.begin_with_the_next();
        }
        result
    }

    fn ask_node(&mut self, commands: &[&[&[u8]]], until: Instant) -> Result<Vec<Reply>, Error> {
        let kept = self.node.take();
        let mut node = match kept.and_then(Node::if_quiet) {
            Some(node) => node,
            None => self.server.connect(until)?,
        };
        for _ in 0..MOST_HOPS {
            let replies = node.wire.ask(commands, until)?;
            let Some((named, is_once)) = replies.iter().find_map(Reply::redirection) else {
                self.node = Some(node);
                return Ok(replies);
            };
            let other = named_by_node(named, &node.host).ok_or_else(|| Reply::Nil.unexpected())?;
            node = self.server.connect_to(&other, until)?;
            if is_once {
                node.wire.ask(&[&[b"ASKING"]], until)?;
            }
        }
        Err(Error::new(
            Status::NetworkError,
            "The store's cluster sends from node to node.",
        ))
    }
}

impl Node {
    /// It may have been closed since it was asked last.
    fn if_quiet(mut self) -> Option<Node> {
        self.wire.is_quiet().then_some(self)
    }

    /// A Sentinel that has been cut off names the server of before. One that may not say its role
    /// is believed.
    fn must_be_master(&mut self, until: Instant) -> Result<(), Error> {
        let replies = self.wire.ask(&[&[b"ROLE"]], until)?;
        match replies.first() {
            Some(Reply::Error(_)) => Ok(()),
            Some(Reply::Array(parts)) if parts.first() == Some(&Reply::Bulk(b"master".into())) => {
                Ok(())
            }
            _ => Err(Error::new(
                Status::NetworkError,
                "The store's server that Sentinel names is a replica.",
            )),
        }
    }
}

impl Login {
    fn command(&self) -> Vec<&[u8]> {
        let mut command = vec![b"AUTH".as_slice()];
        if !self.user.is_empty() {
            command.push(self.user.as_bytes());
        }
        command.push(self.password.as_str().as_bytes());
        command
    }
}

impl Server {
    fn connect(&self, until: Instant) -> Result<Node, Error> {
        self.first_that(until, |address, until| match &self.sentinel_name {
            None => self.connect_to(address, until),
            Some(name) => {
                let named = self.ask_sentinel(address, name, until)?;
                let mut node = self.connect_to(&named, until)?;
                node.must_be_master(until)?;
                Ok(node)
            }
        })
    }

    /// Tries the addresses until it works with one. Each has its share of the time that is left.
    fn first_that<R>(
        &self,
        until: Instant,
        works: impl Fn(&Address, Instant) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let first = self.answered.load(Ordering::Relaxed);
        let mut last = Reply::Nil.unexpected();
        for (tried, untried) in (1..=self.addresses.len()).rev().enumerate() {
            let at = (first + tried) % self.addresses.len();
            let now = Instant::now();
            let share = until.saturating_duration_since(now) / untried as u32;
            match works(&self.addresses[at], now + share) {
                Ok(result) => {
                    self.answered.store(at, Ordering::Relaxed);
                    return Ok(result);
                }
                Err(why) => last = why,
            }
        }
        Err(last)
    }

    fn begin_with_the_next(&self) {
        let next = (self.answered.load(Ordering::Relaxed) + 1) % self.addresses.len();
        self.answered.store(next, Ordering::Relaxed);
    }

    /// Says who we are, and which database is meant.
    fn connect_to(&self, address: &Address, until: Instant) -> Result<Node, Error> {
        let mut wire = Wire::new(self.line.connect(&address.0, address.1, until)?);
        let database = self.database.to_string();
        let mut commands: Vec<&[&[u8]]> = Vec::new();
        let auth: Option<Vec<&[u8]>> = self.login.as_ref().map(Login::command);
        commands.extend(auth.as_deref());
        let select: &[&[u8]] = &[b"SELECT", database.as_bytes()];
        if self.database != 0 {
            commands.push(select);
        }
        if !commands.is_empty() {
            let replies = wire.ask(&commands, until)?;
            if let Some(refusal) = replies.into_iter().find(Reply::is_error) {
                return Err(refusal.unexpected());
            }
        }
        let host = address.0.clone();
        Ok(Node { wire, host })
    }

    /// The server that a Sentinel names.
    fn ask_sentinel(
        &self,
        (host, port): &Address,
        name: &str,
        until: Instant,
    ) -> Result<Address, Error> {
        let mut wire = Wire::new(self.line.connect(host, *port, until)?);
        let ask: &[&[u8]] = &[b"SENTINEL", b"get-master-addr-by-name", name.as_bytes()];
        let replies = wire.ask(&[ask], until)?;
        replies.first().and_then(named_by_sentinel).ok_or_else(|| {
            Error::new(
                Status::NetworkError,
                "Sentinel knows no server of the store's name.",
            )
        })
    }
}

/// A node of a cluster by another's word: without a host it is on the same one.
fn named_by_node(named: &str, same: &str) -> Option<Address> {
    let (host, port) = named.rsplit_once(':')?;
    match host {
        "" | "?" => named_address(same, port),
        host => named_address(host, port),
    }
}

fn named_by_sentinel(reply: &Reply) -> Option<Address> {
    let Reply::Array(parts) = reply else {
        return None;
    };
    let text = |part: &Reply| match part {
        Reply::Bulk(text) => String::from_utf8(text.clone()).ok(),
        _ => None,
    };
    named_address(&text(parts.first()?)?, &text(parts.get(1)?)?)
}

/// What servers name is looked at like what a URL names, but that an IPv6 address needs no
/// brackets.
fn named_address(host: &str, port: &str) -> Option<Address> {
    match host.contains(':') && !host.starts_with('[') {
        true => address(&format!("[{host}]:{port}"), PORT),
        false => address(&format!("{host}:{port}"), PORT),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread::{self, JoinHandle};

    const LIMIT: Duration = Duration::from_secs(20);
    const TIME: &str = "*2\r\n$1\r\n5\r\n$6\r\n200000\r\n";

    /// A server whose connections answer with these texts in turn, one for all that is asked at
    /// once, and then end. In the end: what each connection was asked.
    fn server(connections: Vec<Vec<String>>) -> (u16, JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let serve = move |answers: Vec<String>| {
            let mut peer = listener.accept().unwrap().0;
            let mut asked = String::new();
            for answer in answers {
                let mut chunk = [0; 1_000];
                let count = peer.read(&mut chunk).unwrap();
                asked += &String::from_utf8_lossy(&chunk[..count]);
                peer.write_all(answer.as_bytes()).unwrap();
            }
            asked
        };
        let served = thread::spawn(move || connections.into_iter().map(serve).collect());
        (port, served)
    }

    fn store(url: &str) -> RedisStore {
        RedisStore::new("url", url, None).unwrap()
    }

    fn nothing_there() -> String {
        format!("$-1\r\n{TIME}")
    }

    #[test]
    fn after_a_refusal_the_connection_is_used_no_more() {
        let refusal = "-LOADING it starts\r\n-LOADING it starts\r\n".to_owned();
        let (port, served) = server(vec![vec![refusal], vec![nothing_there()]]);
        let mut talk = store(&format!("redis://127.0.0.1:{port}")).open();
        assert!(talk.load("name", LIMIT).is_err());
        assert_eq!(talk.load("name", LIMIT).unwrap().now.now.wall_ms, 5_200);
        served.join().unwrap();
    }

    #[test]
    fn a_connection_that_says_more_than_was_asked_or_has_ended_is_used_no_more() {
        for more in ["", ":0\r\n", &nothing_there(), ">1\r\n", "\0"] {
            let (port, served) = server(vec![
                vec![format!("{}{more}", nothing_there())],
                vec![":1\r\n".to_owned()],
            ]);
            let RedisStore(server) = store(&format!("redis://127.0.0.1:{port}"));
            let mut talk = Talk { server, node: None };
            assert_eq!(talk.load("name", LIMIT).unwrap().version, 0, "{more:?}");
            let start = Instant::now();
            while talk.node.as_mut().unwrap().wire.is_quiet() {
                assert!(start.elapsed() < LIMIT, "{more:?}");
                thread::yield_now();
            }
            let change = Change {
                name: "name".to_owned(),
                expected: 0,
                version: 1,
                sealed: Vec::new(),
                keep: LIMIT,
                is_lease: true,
            };
            assert!(talk.swap(&change, LIMIT).unwrap(), "{more:?}");
            served.join().unwrap();
        }
    }

    #[test]
    fn after_an_odd_answer_the_connection_is_used_no_more() {
        let odd = format!("+OK\r\n{TIME}");
        let (port, served) = server(vec![vec![odd], vec![nothing_there()]]);
        let mut talk = store(&format!("redis://127.0.0.1:{port}")).open();
        assert!(talk.load("name", LIMIT).is_err());
        assert!(talk.load("name", LIMIT).is_ok());
        served.join().unwrap();
    }

    #[test]
    fn a_url_names_server_login_and_database() {
        let server = parse("redis://u%40x:p%3Aw@host:7000/3", None).unwrap();
        assert_eq!(server.addresses, [("host".to_owned(), 7000)]);
        let command = |server: &Server| {
            let login = server.login.as_ref().unwrap();
            login.command().join(&b' ')
        };
        assert_eq!(command(&server), b"AUTH u@x p:w");
        assert_eq!((server.database, server.sentinel_name), (3, None));
        let server = parse("redis://:pw@[::1]", None).unwrap();
        assert_eq!(server.addresses, [("::1".to_owned(), 6379)]);
        assert_eq!(command(&server), b"AUTH pw");
        let server = parse("redis://user:@host", None).unwrap();
        assert_eq!(command(&server), b"AUTH user ", "an empty password is one");
        let server = parse("redis://a,b:1", None).unwrap();
        assert_eq!(
            server.addresses,
            [("a".to_owned(), 6379), ("b".to_owned(), 1)]
        );
        let server = parse("redis+sentinel://a,b:1/main/2", None).unwrap();
        assert_eq!(
            server.addresses,
            [("a".to_owned(), 26_379), ("b".to_owned(), 1)]
        );
        assert_eq!(
            (server.sentinel_name.as_deref(), server.database),
            (Some("main"), 2)
        );
        assert!(server.login.is_none());
        for bad in [
            "",
            "redis://",
            "http://x",
            "redis://a,",
            "redis://a/x",
            "redis://a:0",
            "redis://a/1/2",
            "redis+sentinel://a",
            "redis+sentinel://a/",
            "redis://a:b:c",
            "redis://user@a",
            "redis://:@a",
            "redis://:a%00b@a",
        ] {
            assert!(parse(bad, None).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_value_that_is_none_of_ours_is_none() {
        assert_eq!(split(b"00000000000000ffsealed"), (255, b"sealed".to_vec()));
        for other in [
            b"".as_slice(),
            b"short",
            b"+000000000000001",
            b"something quite different",
            b"00000000000000FFsealed",
            b"80000000000000ffsealed",
        ] {
            assert_eq!(split(other), (0, Vec::new()));
        }
    }

    #[test]
    fn a_cluster_is_followed_also_where_it_allows_just_one_command() {
        let asked = "+OK\r\n".to_owned();
        let (there, second) = server(vec![vec![asked, nothing_there()]]);
        let here = format!("-ASK 7 :{there}\r\n{TIME}");
        let (port, first) = server(vec![vec![here]]);
        let mut talk = store(&format!("redis://127.0.0.1:{port}")).open();
        assert_eq!(talk.load("name", LIMIT).unwrap().version, 0);
        first.join().unwrap();
        let commands = second.join().unwrap().remove(0);
        let at = |command| commands.find(command).unwrap();
        assert!(
            at("ASKING") < at("GET") && at("GET") < at("TIME"),
            "{commands}"
        );
    }

    #[test]
    fn the_node_that_a_node_names() {
        for (named, address) in [
            ("10.0.0.1:6381", Some(("10.0.0.1", 6381))),
            ("node-1.example:1", Some(("node-1.example", 1))),
            (":6381", Some(("here", 6381))),
            ("?:6381", Some(("here", 6381))),
            ("fd00::1:6381", Some(("fd00::1", 6381))),
            ("[fd00::1]:6381", Some(("fd00::1", 6381))),
            ("here:0", None),
            ("here", None),
            ("a\nb:1", None),
        ] {
            let expected = address.map(|(host, port): (&str, u16)| (host.to_owned(), port));
            assert_eq!(named_by_node(named, "here"), expected, "{named:?}");
        }
    }

    /// Accepts, and says nothing.
    fn silent() -> (TcpListener, u16) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        (listener, port)
    }

    #[test]
    fn one_that_hangs_takes_its_share_of_the_time_and_comes_last_from_then_on() {
        let ((_listener, hangs), limit) = (silent(), Duration::from_millis(1_000));
        let login = "+OK\r\n".to_owned();
        let (port, served) = server(vec![vec![login.clone(), nothing_there()]; 2]);
        let url = format!("redis://127.0.0.1:{hangs},127.0.0.1:{port}/1");
        let store = store(&url);
        let start = Instant::now();
        assert!(store.open().load("name", limit).is_ok());
        assert!(start.elapsed() >= limit / 2);
        let start = Instant::now();
        assert!(store.open().load("name", limit).is_ok());
        assert!(start.elapsed() < limit / 2);
        served.join().unwrap();
    }

    #[test]
    fn one_that_hangs_when_it_is_asked_is_not_the_first_to_be_asked_again() {
        let (_listener, hangs) = silent();
        let (port, served) = server(vec![vec![nothing_there()]]);
        let store = store(&format!("redis://127.0.0.1:{hangs},127.0.0.1:{port}"));
        assert!(
            store
                .open()
                .load("name", Duration::from_millis(50))
                .is_err()
        );
        assert!(store.open().load("name", LIMIT).is_ok());
        served.join().unwrap();
    }

    fn sentinel(names: u16) -> (u16, JoinHandle<Vec<String>>) {
        let port = names.to_string();
        let digits = port.len();
        let named = format!("*2\r\n$9\r\n127.0.0.1\r\n${digits}\r\n{port}\r\n");
        server(vec![vec![named]])
    }

    #[test]
    fn where_a_sentinel_names_a_replica_the_next_is_asked() {
        let replica = "*2\r\n$5\r\nslave\r\n$0\r\n\r\n".to_owned();
        let (old, old_served) = server(vec![vec![replica]]);
        let master = "*3\r\n$6\r\nmaster\r\n:5\r\n*1\r\n*1\r\n$1\r\n1\r\n".to_owned();
        let (new, new_served) = server(vec![vec![master, nothing_there()]]);
        let ((one, one_served), (other, other_served)) = (sentinel(old), sentinel(new));
        let url = format!("redis+sentinel://127.0.0.1:{one},127.0.0.1:{other}/main");
        assert!(store(&url).open().load("name", LIMIT).is_ok());
        for served in [old_served, new_served, one_served, other_served] {
            served.join().unwrap();
        }
    }

    #[test]
    fn what_no_host_is_called_a_sentinel_does_not_name() {
        let bulk = |text: &str| Reply::Bulk(text.as_bytes().to_vec());
        let named = |host: &str| named_by_sentinel(&Reply::Array(vec![bulk(host), bulk("1")]));
        assert_eq!(named("::1"), Some(("::1".to_owned(), 1)));
        for host in ["", "a\nb", "a b", "a:b"] {
            assert_eq!(named(host), None, "{host:?}");
        }
    }
}
