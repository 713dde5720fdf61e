//! HTTP: one POST with deadlines and limits. Nothing else in the library knows `ureq`.

use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, SystemTime};

use ureq::config::Config;
use ureq::http::{HeaderMap, Uri};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, DefaultConnector, NextTimeout, Transport,
};
use ureq::{Agent, Body, Proxy, Timeout};

use crate::error::{Error, Status};
use crate::ffi::sys;

/// No reply of the auth endpoints is larger.
const LARGEST_BODY: u64 = 64 * 1024;
/// Larger than any head of a request.
const SMALL_BUFFER: usize = 16 * 1024;

/// Where to send requests and how, checked.
pub(crate) struct Http {
    pub(crate) base_url: String,
    pub(crate) connect_timeout: Duration,
    pub(crate) attempt_timeout: Duration,
    pub(crate) proxy: Option<Proxy>,
    /// Certificates trusted besides the platform's.
    pub(crate) extra_roots: Vec<Certificate<'static>>,
    /// Sent with every request.
    pub(crate) headers: Vec<(&'static str, String)>,
}

/// A reply, whatever its status. Its head says that much, whatever becomes of its body.
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// What `X-RateLimit-Retry-After` says.
    pub(crate) rate_limit_retry_after_ms: Option<u64>,
    /// What the standard `Retry-After` says.
    pub(crate) retry_after_ms: Option<u64>,
    /// The body, or why not all of it came.
    pub(crate) body: Result<Vec<u8>, Error>,
}

/// No reply.
pub(crate) struct Failure {
    pub(crate) error: Error,
    /// Bytes of the request were sent, so the server may have acted on it.
    pub(crate) sent: bool,
}

impl Http {
    /// One POST of JSON on a connection of its own, within the attempt timeout all in all, and within `limit` if that is less.
    ///
    /// A token is renewed once an hour, when an idle connection would long be closed; and the second request of a flight must
    /// not depend on what a server does to a connection after it refused the first.
    pub(crate) fn post(
        &self,
        path: &str,
        json: &str,
        limit: Option<Duration>,
    ) -> Result<Reply, Box<Failure>> {
        let timeout = limit.unwrap_or(Duration::MAX).min(self.attempt_timeout);
        if timeout.is_zero() {
            let error = self.explain(ureq::Error::Timeout(Timeout::Global));
            return Err(Box::new(Failure { error, sent: false }));
        }
        let sent = Arc::new(AtomicBool::new(false));
        let connector = DefaultConnector::new().chain(Watch(Arc::clone(&sent)));
        let agent = Agent::with_parts(self.config(timeout), connector, Lookup);
        self.exchange(&agent, path, json).map_err(|error| {
            Box::new(Failure {
                sent: sent.load(Ordering::Relaxed) && !before_the_request(&error),
                error: self.explain(error),
            })
        })
    }

    fn exchange(&self, agent: &Agent, path: &str, json: &str) -> Result<Reply, ureq::Error> {
        let mut request = agent
            .post(format!("{}{path}", self.base_url))
            .content_type("application/json");
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let (head, body) = request.send(json)?.into_parts();
        let retry_after = |name| retry_after_ms(&head.headers, name, SystemTime::now());
        Ok(Reply {
            status: head.status.as_u16(),
            rate_limit_retry_after_ms: retry_after("x-ratelimit-retry-after"),
            retry_after_ms: retry_after("retry-after"),
            body: read_body(body).map_err(|why| self.explain(why.into())),
        })
    }

    fn config(&self, timeout: Duration) -> Config {
        Agent::config_builder()
            .timeout_global(Some(timeout))
            .timeout_resolve(Some(self.connect_timeout))
            .timeout_connect(Some(self.connect_timeout))
            .proxy(self.proxy.clone())
            .tls_config(self.tls_config())
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .max_idle_connections(0)
            .max_response_header_size(LARGEST_BODY as usize)
            // A head that is larger than allowed must fit, to be seen to be.
            .input_buffer_size(LARGEST_BODY as usize + SMALL_BUFFER)
            .output_buffer_size(SMALL_BUFFER)
            .user_agent(concat!("libapivideo/", env!("CARGO_PKG_VERSION")))
            .accept("application/json, application/problem+json")
            .build()
    }

    fn tls_config(&self) -> TlsConfig {
        TlsConfig::builder()
            .root_certs(self.roots())
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .build()
    }

    fn roots(&self) -> RootCerts {
        if self.extra_roots.is_empty() {
            return RootCerts::PlatformVerifier;
        }
        // What cannot be read of the platform's store is left out, as the platform verifier does.
        let platform = rustls_native_certs::load_native_certs().certs;
        let platform = platform.iter().map(|c| Certificate::from_der(c).to_owned());
        RootCerts::Specific(Arc::new(
            self.extra_roots.iter().cloned().chain(platform).collect(),
        ))
    }

    /// A library's error in a user's words. Its text may hold what a server sent, but nothing of a body.
    fn explain(&self, error: ureq::Error) -> Error {
        let host = self.base_url.as_str();
        let network = |what: String| Error::new(Status::NetworkError, what);
        match error {
            ureq::Error::Timeout(Timeout::Resolve) => Error::new(
                Status::Timeout,
                format!("The name in {host} was not resolved within the connect timeout."),
            ),
            ureq::Error::Timeout(Timeout::Connect) => Error::new(
                Status::Timeout,
                format!("No connection to {host} within the connect timeout."),
            ),
            ureq::Error::Timeout(_) => Error::new(
                Status::Timeout,
                format!("No complete reply from {host} within the attempt timeout."),
            ),
            ureq::Error::HostNotFound => network(format!("The name in {host} does not resolve.")),
            ureq::Error::ConnectionFailed => network(format!("No connection to {host}.")),
            ureq::Error::ConnectProxyFailed(why) => network(format!(
                "The proxy made no connection to {host}: {}.",
                one_line(&why)
            )),
            ureq::Error::Rustls(why) => tls(host, &why),
            ureq::Error::Tls(why) => tls(host, &why),
            ureq::Error::BodyExceedsLimit(_) | ureq::Error::LargeResponseHeader(..) => Error::new(
                Status::ProtocolError,
                format!("The reply of {host} is larger than 64 KiB. Is it api.video's?"),
            ),
            ureq::Error::Protocol(_) | ureq::Error::Http(_) | ureq::Error::BodyStalled => {
                Error::new(
                    Status::ProtocolError,
                    format!("The reply of {host} is not HTTP as it should be."),
                )
            }
            ureq::Error::Io(why) => self.explain_io(&why),
            other => network(format!(
                "The exchange with {host} failed: {}.",
                one_line(&other)
            )),
        }
    }

    fn explain_io(&self, why: &io::Error) -> Error {
        let host = self.base_url.as_str();
        if let Some(inner) = why.get_ref()
            && inner.is::<rustls::Error>()
        {
            return tls(host, &inner);
        }
        match why.raw_os_error() {
            Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM | libc::ENOBUFS) => Error::new(
                Status::SystemError,
                format!("The system refused a socket for {host}: {why}."),
            ),
            _ if why.kind() == io::ErrorKind::UnexpectedEof => Error::new(
                Status::NetworkError,
                format!("The connection to {host} ended before the reply did."),
            ),
            _ => Error::new(
                Status::NetworkError,
                format!("The connection to {host} failed: {}.", one_line(why)),
            ),
        }
    }
}

/// Failures of the connection's making. What was sent then was for a proxy.
fn before_the_request(error: &ureq::Error) -> bool {
    matches!(
        error,
        ureq::Error::ConnectProxyFailed(_)
            | ureq::Error::HostNotFound
            | ureq::Error::Timeout(Timeout::Resolve | Timeout::Connect)
    )
}

fn tls(host: &str, why: &dyn std::fmt::Display) -> Error {
    Error::new(
        Status::TlsError,
        format!(
            "No trusted TLS connection to {host}: {}. Check the host, the clock and the CA file.",
            one_line(why)
        ),
    )
}

fn one_line(text: &dyn std::fmt::Display) -> String {
    let text = text.to_string();
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(200)
        .collect()
}

fn read_body(body: Body) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    body.into_with_config()
        // ureq refuses a body that reaches its limit.
        .limit(LARGEST_BODY + 1)
        .reader()
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// What a header asks to wait, in seconds or as a date.
fn retry_after_ms(headers: &HeaderMap, name: &str, now: SystemTime) -> Option<u64> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    // The server's clock and ours may differ by minutes, so its date is read against its own.
    let date = text("date").and_then(|date| httpdate::parse_http_date(date).ok());
    parse_retry_after(text(name)?, date.unwrap_or(now))
}

pub(crate) fn parse_retry_after(value: &str, now: SystemTime) -> Option<u64> {
    if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        return Some(
            value
                .parse::<u64>()
                .unwrap_or(u64::MAX)
                .saturating_mul(1000),
        );
    }
    let date = httpdate::parse_http_date(value).ok()?;
    // A date that is past asks for nothing more.
    let wait = date.duration_since(now).unwrap_or_default();
    Some(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX))
}

/// Name resolution that keeps to its deadline, and that asks for a thread politely: ureq's own panics without one.
#[derive(Debug)]
struct Lookup;

impl Resolver for Lookup {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let bad_uri = || ureq::Error::BadUri("it has no host".to_owned());
        let authority = uri.authority().ok_or_else(bad_uri)?;
        let scheme = uri.scheme().ok_or_else(bad_uri)?;
        let target = DefaultResolver::host_and_port(scheme, authority).ok_or_else(bad_uri)?;
        let found = match target.parse::<SocketAddr>() {
            Ok(address) => vec![address],
            Err(_) => look_up(target, *timeout.after, timeout.reason)?,
        };
        let mut addresses = self.empty();
        for address in config.ip_family().keep_wanted(found.into_iter()).take(16) {
            addresses.push(address);
        }
        if addresses.is_empty() {
            return Err(ureq::Error::HostNotFound);
        }
        Ok(addresses)
    }
}

fn look_up(
    target: String,
    limit: Duration,
    reason: Timeout,
) -> Result<Vec<SocketAddr>, ureq::Error> {
    let ask = move || target.to_socket_addrs().map(Iterator::collect::<Vec<_>>);
    let (tx, rx) = mpsc::sync_channel(1);
    let in_thread = ask.clone();
    // The answer may come when nobody waits for it any more.
    let spawned = sys::spawn("apivideo-lookup", move || drop(tx.send(in_thread())));
    let found = match spawned {
        // Without a thread the lookup takes as long as the system's resolver does.
        Err(_) => ask(),
        Ok(()) => match rx.recv_timeout(limit) {
            Ok(found) => found,
            Err(RecvTimeoutError::Timeout) => return Err(ureq::Error::Timeout(reason)),
            Err(RecvTimeoutError::Disconnected) => return Err(ureq::Error::HostNotFound),
        },
    };
    found.map_err(|why| match (why.raw_os_error(), no_socket()) {
        (Some(_), _) => ureq::Error::Io(why),
        // getaddrinfo does not say that it lacked a file descriptor.
        (None, Some(refused)) => ureq::Error::Io(refused),
        (None, None) => ureq::Error::HostNotFound,
    })
}

/// Why the system gives no socket, if it gives none.
fn no_socket() -> Option<io::Error> {
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).err()
}

/// Notes whether bytes of a request were sent: what was never sent was never acted on.
#[derive(Debug)]
struct Watch(Arc<AtomicBool>);

impl<In: Transport> Connector<In> for Watch {
    type Out = Watched<In>;

    fn connect(
        &self,
        _details: &ConnectionDetails,
        chained: Option<In>,
    ) -> Result<Option<Watched<In>>, ureq::Error> {
        // What was sent until now made the connection.
        self.0.store(false, Ordering::Relaxed);
        Ok(chained.map(|transport| Watched {
            transport,
            sent: Arc::clone(&self.0),
        }))
    }
}

#[derive(Debug)]
struct Watched<T> {
    transport: T,
    sent: Arc<AtomicBool>,
}

impl<T: Transport> Transport for Watched<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.transport.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.sent.store(true, Ordering::Relaxed);
        self.transport.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.transport.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.transport.is_open()
    }

    fn is_tls(&self) -> bool {
        self.transport.is_tls()
    }
}

/// The host of a URL's authority is this machine's own.
pub(crate) fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || bare
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_in_every_form() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let of = |value: &str| parse_retry_after(value, now);
        assert_eq!(of("0"), Some(0));
        assert_eq!(of("120"), Some(120_000));
        assert_eq!(of("99999999999999999999999"), Some(u64::MAX));
        assert_eq!(of("Sun, 06 Nov 1994 08:50:37 GMT"), Some(60_000));
        assert_eq!(of("Sun, 06 Nov 1994 08:49:37 GMT"), Some(0));
        assert_eq!(of("Sat, 05 Nov 1994 08:49:37 GMT"), Some(0), "past");
        for garbage in ["", "-1", "soon", "1.5", "1e3", "+3", "0x10"] {
            assert_eq!(of(garbage), None, "{garbage}");
        }
    }

    #[test]
    fn a_date_is_read_against_the_reply_s_own_clock_where_it_tells_it() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let mut headers = HeaderMap::new();
        let mut wait = |name: &'static str, value: &str| {
            headers.insert(name, value.parse().unwrap());
            retry_after_ms(&headers, "retry-after", now)
        };
        let at = "Sun, 06 Nov 1994 08:50:37 GMT";
        assert_eq!(wait("retry-after", at), Some(60_000));
        let slow = "Sun, 06 Nov 1994 08:43:37 GMT";
        assert_eq!(wait("date", slow), Some(420_000));
        let fast = "Sun, 06 Nov 1994 08:50:30 GMT";
        assert_eq!(wait("date", fast), Some(7_000));
        assert_eq!(wait("date", "today"), Some(60_000));
        assert_eq!(wait("retry-after", " 5 "), Some(5_000));
    }

    #[test]
    fn loopback_is_told_from_its_lookalikes() {
        for host in ["localhost", "LOCALHOST", "127.0.0.1", "127.9.9.9", "[::1]"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "localhost.example.com",
            "127.0.0.1.example.com",
            "10.0.0.1",
            "[::2]",
            "0.0.0.0",
            "",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
