//! Names to addresses: one lookup for a name and process at a time, whose answer the tries that
//! wait for it share.
//!
//! The system's resolver cannot be interrupted, and asks a second name server only after 5 s, which
//! is longer than a try may wait.

use std::io;
use std::net::{IpAddr, Ipv4Addr, ToSocketAddrs, UdpSocket};
use std::time::Instant;

use super::in_time::{NoResult, Works};
use crate::ffi::sys;
use crate::process::fork::PerProcess;

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

/// Of this process.
static LOOKUPS: PerProcess<Works<Addresses>> = PerProcess::new();

/// A refusal that nobody waited for is not worth keeping.
fn lookups() -> Works<Addresses> {
    Works::new("apivideo-lookup", Result::is_ok)
}

/// The addresses of a host, in the system's order of preference.
pub(crate) fn addresses(host: &str, until: Instant) -> Addresses {
    if let Ok(address) = host.parse() {
        return Ok(vec![address]);
    }
    look_up(LOOKUPS.get(lookups), host, until, ask)
}

fn look_up(
    lookups: &Works<Addresses>,
    host: &str,
    until: Instant,
    ask: impl Fn(&str) -> Addresses + Clone + Send + 'static,
) -> Addresses {
    let (in_thread, name) = (ask.clone(), host.to_owned());
    match lookups.result(host, until, move || in_thread(&name)) {
        Ok(addresses) => addresses,
        Err(NoResult::TimedOut) => Err(Refusal::TimedOut),
        // Without a thread a caller does the work itself: that takes as long as the resolver does.
        Err(NoResult::NoThread | NoResult::Failed) => ask(host),
    }
}

/// Asks the system.
fn ask(host: &str) -> Addresses {
    let found = (host, 0).to_socket_addrs().map_err(|why| {
        let number = why.raw_os_error().filter(|_| !sys::is_unknown_name(&why));
        // getaddrinfo does not say that it lacked a file descriptor.
        let lacking = number.or_else(no_socket);
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
    fn a_late_answer_is_used_and_a_late_refusal_is_not() {
        for (late, used) in [(found(), true), (Err(Refusal::NotFound), false)] {
            let lookups = lookups();
            let (done, wait) = std::sync::mpsc::channel::<()>();
            let answer = late.clone();
            let wait = std::sync::Arc::new(std::sync::Mutex::new(wait));
            let first = look_up(&lookups, HOST, Instant::now(), move |_| {
                let _ = wait.lock().unwrap().recv();
                answer.clone()
            });
            assert_eq!(first, Err(Refusal::TimedOut));
            drop(done);
            lookups.settle(HOST);
            let second = look_up(&lookups, HOST, soon(), |_| Err(Refusal::System(1)));
            assert_eq!(second, if used { late } else { Err(Refusal::System(1)) });
        }
    }

    #[test]
    fn what_failed_in_its_thread_is_done_by_the_caller() {
        let caller = std::thread::current().id();
        let asked = look_up(&lookups(), HOST, soon(), move |_| {
            assert_eq!(std::thread::current().id(), caller);
            found()
        });
        assert_eq!(asked, found());
    }
}
