//! Names to addresses: one lookup for a name and process at a time, whose answer the tries that
//! wait for it share.
//!
//! The system's resolver cannot be interrupted, and asks a second name server only after 5 s, which
//! is longer than a try may wait. So it works in a thread, a later try joins the lookup that is
//! under way, and an answer that comes when nobody waits is kept for the next.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, ToSocketAddrs, UdpSocket};
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use crate::clock::{Clock, SystemClock};
use crate::ffi::sys;
use crate::process::fork::PerProcess;
use crate::process::sync::{Condvar, Mutex};

/// An answer that came late is used so long.
const ANSWER_LIFE_MS: i64 = 60_000;

/// Why there are no addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Not within the time that was given; the lookup goes on.
    TimedOut,
    NotFound,
    /// The system lacks something, by its number.
    System(i32),
}

type Addresses = Result<Vec<IpAddr>, Refusal>;

/// The lookups of this process by name: those under way, and those whose answer nobody has used.
type Table = Mutex<BTreeMap<String, Arc<Lookup>>>;

static TABLE: PerProcess<Table> = PerProcess::new();

#[derive(Default)]
struct Lookup {
    answer: Mutex<Option<Answer>>,
    answered: Condvar,
}

#[derive(Clone)]
struct Answer {
    addresses: Addresses,
    at_ms: i64,
}

/// The addresses of a host, in the system's order of preference.
pub(crate) fn addresses(host: &str, until: Instant) -> Addresses {
    if let Ok(address) = host.parse() {
        return Ok(vec![address]);
    }
    let table = TABLE.get(Table::default);
    look_up(table, host, until, ask)
}

fn look_up(
    table: &Table,
    host: &str,
    until: Instant,
    ask: impl Fn(&str) -> Addresses + Clone + Send + 'static,
) -> Addresses {
    let lookup = join(table, host).unwrap_or_else(|new| start(new, host, ask));
    let answer = lookup.wait(until).ok_or(Refusal::TimedOut)?;
    // The next try asks again: addresses change.
    let mut table = table.lock().unwrap_or_else(PoisonError::into_inner);
    if table
        .get(host)
        .is_some_and(|known| Arc::ptr_eq(known, &lookup))
    {
        table.remove(host);
    }
    answer.addresses
}

/// The lookup that is under way or has an answer for us; or else a new one, to be started.
fn join(table: &Table, host: &str) -> Result<Arc<Lookup>, Arc<Lookup>> {
    let mut table = table.lock().unwrap_or_else(PoisonError::into_inner);
    match table.get(host) {
        Some(known) if known.is_of_use() => Ok(Arc::clone(known)),
        _ => {
            let new = Arc::<Lookup>::default();
            table.insert(host.to_owned(), Arc::clone(&new));
            Err(new)
        }
    }
}

fn start(
    lookup: Arc<Lookup>,
    host: &str,
    ask: impl Fn(&str) -> Addresses + Clone + Send + 'static,
) -> Arc<Lookup> {
    let (finished, host) = (Arc::clone(&lookup), host.to_owned());
    let work = move || finished.finish(ask(&host));
    if sys::spawn("apivideo-lookup", work.clone()).is_err() {
        // Without a thread the lookup takes as long as the system's resolver does.
        work();
    }
    lookup
}

impl Lookup {
    fn finish(&self, addresses: Addresses) {
        let at_ms = SystemClock.now().mono_ms;
        let answer = Answer { addresses, at_ms };
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
        self.answered.notify_all();
    }

    fn wait(&self, until: Instant) -> Option<Answer> {
        let mut answer = self.answer.lock().unwrap_or_else(PoisonError::into_inner);
        while answer.is_none() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            let waited = self.answered.wait_timeout(answer, left);
            answer = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        answer.clone()
    }

    /// Not answered yet, or answered well and not long ago. A refusal that nobody waited for is not
    /// worth keeping.
    fn is_of_use(&self) -> bool {
        let answer = self.answer.lock().unwrap_or_else(PoisonError::into_inner);
        answer.as_ref().is_none_or(|answer| {
            answer.addresses.is_ok() && SystemClock.now().mono_ms - answer.at_ms < ANSWER_LIFE_MS
        })
    }
}

/// Asks the system.
fn ask(host: &str) -> Addresses {
    let found = (host, 0).to_socket_addrs().map_err(|why| {
        // getaddrinfo does not say that it lacked a file descriptor.
        let lacking = why.raw_os_error().or_else(no_socket);
        lacking.map_or(Refusal::NotFound, Refusal::System)
    })?;
    let addresses: Vec<IpAddr> = found.map(|found| found.ip()).collect();
    match addresses.is_empty() {
        true => Err(Refusal::NotFound),
        false => Ok(addresses),
    }
}

/// Why the system gives no socket, if it gives none.
fn no_socket() -> Option<i32> {
    let refused: io::Error = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).err()?;
    refused.raw_os_error()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    const HOST: &str = "host.test.invalid";

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(20)
    }

    fn found() -> Addresses {
        Ok(vec![Ipv4Addr::LOCALHOST.into()])
    }

    #[test]
    fn an_address_is_its_own_answer() {
        for text in ["127.0.0.1", "::1"] {
            assert_eq!(
                addresses(text, Instant::now()),
                Ok(vec![text.parse().unwrap()])
            );
        }
    }

    #[test]
    fn tries_join_the_lookup_that_is_under_way_and_a_late_answer_is_used_once() {
        let table = Arc::new(Table::default());
        let asked = Arc::new(AtomicUsize::new(0));
        let (answer, rx) = mpsc::channel::<Addresses>();
        let rx = Arc::new(Mutex::new(rx));
        let look_up_until = |until| {
            let (asked, rx) = (Arc::clone(&asked), Arc::clone(&rx));
            look_up(&table, HOST, until, move |_| {
                asked.fetch_add(1, Ordering::SeqCst);
                rx.lock().unwrap().recv().unwrap()
            })
        };
        for _ in 0..3 {
            assert_eq!(look_up_until(Instant::now()), Err(Refusal::TimedOut));
        }
        answer.send(found()).unwrap();
        assert_eq!(look_up_until(soon()), found());
        assert_eq!(asked.load(Ordering::SeqCst), 1);

        answer.send(found()).unwrap();
        assert_eq!(look_up_until(soon()), found());
        assert_eq!(asked.load(Ordering::SeqCst), 2, "the answer was used up");
    }

    #[test]
    fn all_who_wait_get_the_answer() {
        let table = Table::default();
        let (answer, rx) = mpsc::channel::<Addresses>();
        let rx = Arc::new(Mutex::new(rx));
        thread::scope(|scope| {
            let waiting: Vec<_> = (0..8)
                .map(|_| {
                    let (rx, table) = (Arc::clone(&rx), &table);
                    scope.spawn(move || {
                        look_up(table, HOST, soon(), move |_| {
                            rx.lock().unwrap().recv().unwrap()
                        })
                    })
                })
                .collect();
            // As many answers as could be asked for: one is enough if all come in time.
            for _ in 0..8 {
                answer.send(found()).unwrap();
            }
            for waiter in waiting {
                assert_eq!(waiter.join().unwrap(), found());
            }
        });
    }

    #[test]
    fn an_old_answer_and_a_late_refusal_are_not_used() {
        for kept in [
            Answer {
                addresses: found(),
                at_ms: SystemClock.now().mono_ms - ANSWER_LIFE_MS,
            },
            Answer {
                addresses: Err(Refusal::NotFound),
                at_ms: SystemClock.now().mono_ms,
            },
        ] {
            let lookup = Lookup {
                answer: Mutex::new(Some(kept)),
                ..Lookup::default()
            };
            let table = Mutex::new(BTreeMap::from([(HOST.to_owned(), Arc::new(lookup))]));
            let asked = look_up(&table, HOST, soon(), |_| Err(Refusal::System(1)));
            assert_eq!(asked, Err(Refusal::System(1)));
            assert!(table.lock().unwrap().is_empty());
        }
    }
}
