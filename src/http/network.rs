//! The way to the server: names, addresses, proxy and TLS, each within its time.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use rustls::ClientConfig;

use super::experience::Experience;
use super::in_time::NoResult;
use super::lookup::{self, Refusal};
use super::proxy::{Kind, Proxy, Route};
use super::roots::{CaFile, Sources};
use super::stream::{Patience, Socket, Stream, is_overdue};
use super::tls::{self, InWords, Tls};
use super::{Target, dial, tunnel, verdict};
use crate::clock::{Clock, SystemClock};
use crate::error::{Error, Status};
use crate::ffi::sys;
use crate::text::one_line;

/// The longest text of the system's that is passed on.
const LONGEST_REASON: usize = 200;

/// How a client reaches its server.
pub(crate) struct Network {
    pub(crate) target: Target,
    pub(crate) route: Route,
    pub(crate) connect_timeout: Duration,
    pub(crate) tls: Tls,
    /// With the addresses of whom we connect to: the server, or the proxy before it.
    pub(crate) experience: Experience,
    /// With the server's addresses that a proxy was asked for.
    behind_proxy: Experience,
}

/// The time for a part of an exchange.
#[derive(Clone, Copy)]
struct Limit {
    until: Instant,
    name: &'static str,
}

/// The server or the proxy, as an error names it.
struct Peer<'a> {
    what: &'static str,
    host: &'a str,
    port: u16,
}

impl fmt::Display for Peer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)?;
        host_port(f, self.host, self.port)
    }
}

/// As a URL has it: an IPv6 address in brackets.
pub(crate) fn host_port(f: &mut fmt::Formatter<'_>, host: &str, port: u16) -> fmt::Result {
    match host.contains(':') {
        true => write!(f, "[{host}]:{port}"),
        false => write!(f, "{host}:{port}"),
    }
}

impl Network {
    pub(crate) fn new(
        target: Target,
        route: Route,
        connect_timeout: Duration,
        tls: Tls,
    ) -> Network {
        Network {
            target,
            route,
            connect_timeout,
            tls,
            experience: Experience::default(),
            behind_proxy: Experience::default(),
        }
    }

    /// A connection to the server, ready for a request that has this patience. `dialled` receives
    /// the address that it leads to, even if what follows fails.
    pub(crate) fn connect(
        &self,
        patience: Patience,
        dialled: &OnceLock<IpAddr>,
    ) -> Result<Box<dyn Stream>, Error> {
        let until = patience.end();
        let Target { host, port, .. } = &self.target;
        let server = Peer {
            what: "",
            host,
            port: *port,
        };
        // Before the clock of the connection runs: certificates may have to be read.
        let tls = match self.target.tls {
            true => Some(self.tls_config(&server)?),
            false => None,
        };
        let (mut stream, limit) = match &self.route {
            Route::Direct => self.dial(&server, until, dialled)?,
            Route::Through(proxy) => {
                self.tunnel_to_any(proxy, &server, tls.as_ref(), until, dialled)?
            }
            Route::Unusable(name) => {
                return Err(Error::new(
                    Status::NetworkError,
                    format!(
                        "The environment's {name} cannot be used as a proxy. It must be {}. NO_PROXY may except {host}.",
                        Proxy::FORM
                    ),
                ));
            }
        };
        if let Some(config) = tls {
            stream = secure(stream, config, &server, limit)?;
        }
        stream.set_patience(patience);
        Ok(stream)
    }

    fn limit(&self, until: Instant) -> Limit {
        let connect = Instant::now() + self.connect_timeout;
        match connect < until {
            true => Limit {
                until: connect,
                name: "connect",
            },
            false => Limit {
                until,
                name: "attempt",
            },
        }
    }

    /// Through the proxy. SOCKS4 and 5 want an address, and SOCKS4 one of IPv4: each is asked for
    /// until one can be reached.
    fn tunnel_to_any(
        &self,
        proxy: &Proxy,
        server: &Peer,
        tls: Option<&Arc<ClientConfig>>,
        until: Instant,
        dialled: &OnceLock<IpAddr>,
    ) -> Result<(Box<dyn Stream>, Limit), Error> {
        if !matches!(proxy.kind, Kind::Socks4 | Kind::Socks5) {
            return self.tunnel(proxy, server, server.host, tls, until, dialled);
        }
        let mut found = self.addresses(server, until)?;
        if proxy.kind == Kind::Socks4 {
            found.retain(IpAddr::is_ipv4);
        }
        let mut result = Err(Error::new(
            Status::NetworkError,
            format!("{server} has no IPv4 address, and SOCKS4 knows no other."),
        ));
        for address in self.behind_proxy.order(&found) {
            let host = address.to_string();
            result = self.tunnel(proxy, server, &host, tls, until, dialled);
            match &result {
                Ok(_) => self.behind_proxy.worked(address),
                Err(_) => self.behind_proxy.failed(address),
            }
            if result.is_ok() || Instant::now() >= until {
                break;
            }
        }
        result
    }

    fn tunnel(
        &self,
        proxy: &Proxy,
        server: &Peer,
        host: &str,
        tls: Option<&Arc<ClientConfig>>,
        until: Instant,
        dialled: &OnceLock<IpAddr>,
    ) -> Result<(Box<dyn Stream>, Limit), Error> {
        let peer = Peer {
            what: "the proxy ",
            host: &proxy.host,
            port: proxy.port,
        };
        let (mut stream, limit) = self.dial(&peer, until, dialled)?;
        if let (Kind::Https, Some(config)) = (proxy.kind, tls) {
            stream = secure(stream, Arc::clone(config), &peer, limit)?;
        }
        tunnel::open(&mut stream, proxy, host, server.port).map_err(|refusal| match refusal {
            tunnel::Refusal::Io(why) if is_overdue(&why) => Error::new(
                Status::Timeout,
                format!(
                    "No connection to {server}: {peer} did not answer within the {} timeout.",
                    limit.name
                ),
            ),
            tunnel::Refusal::Io(why) => failed(&peer, limit, &why),
            tunnel::Refusal::Said(words) => Error::new(
                Status::NetworkError,
                format!("No connection to {server}: {peer} {words}."),
            ),
        })?;
        Ok((stream, limit))
    }

    /// TCP to a name's or an address's host, and the limit for what else it takes until the
    /// connection is there.
    fn dial(
        &self,
        peer: &Peer,
        until: Instant,
        dialled: &OnceLock<IpAddr>,
    ) -> Result<(Box<dyn Stream>, Limit), Error> {
        let found = self.addresses(peer, until)?;
        let addresses: Vec<_> = self
            .experience
            .order(&found)
            .into_iter()
            .map(|address| SocketAddr::new(address, peer.port))
            .collect();
        let limit = self.limit(until);
        let tcp = dial::dial(&addresses, limit.until).map_err(|why| failed(peer, limit, &why))?;
        if let Ok(address) = tcp.peer_addr() {
            let _ = dialled.set(address.ip());
        }
        Ok((
            Box::new(Socket::new(tcp, Patience::Until(limit.until))),
            limit,
        ))
    }

    fn addresses(&self, peer: &Peer, until: Instant) -> Result<Vec<IpAddr>, Error> {
        let limit = self.limit(until);
        let refused = |status, why: String| Err(Error::new(status, why));
        match lookup::addresses(peer.host, limit.until) {
            Ok(mut found) => {
                if !self.target.tls {
                    // Without TLS nothing leaves the machine, whatever `localhost` resolves to.
                    found.retain(IpAddr::is_loopback);
                }
                match found.is_empty() {
                    false => Ok(found),
                    true => refused(
                        Status::NetworkError,
                        format!(
                            "The name of {peer} resolves to no loopback address, and http:// is for those only."
                        ),
                    ),
                }
            }
            Err(Refusal::TimedOut) => refused(
                Status::Timeout,
                format!(
                    "The name of {peer} was not resolved within the {} timeout.",
                    limit.name
                ),
            ),
            Err(Refusal::NotFound) => refused(
                Status::NetworkError,
                format!("The name of {peer} does not resolve."),
            ),
            Err(Refusal::System(number)) => {
                Err(failed(peer, limit, &io::Error::from_raw_os_error(number)))
            }
        }
    }

    fn tls_config(&self, server: &Peer) -> Result<Arc<ClientConfig>, Error> {
        let config = self.tls.config(SystemClock.now().mono_ms);
        config.map_err(|none| {
            let why = match none.named_by_environment {
                true => "none are where SSL_CERT_FILE and SSL_CERT_DIR say",
                false => "install the package ca-certificates, or set `ca_file` or APIVIDEO_CA_FILE",
            };
            Error::new(
                Status::TlsError,
                format!(
                    "No trusted TLS connection to {server}: there are no CA certificates at all; {why}."
                ),
            )
        })
    }
}

/// The way to servers that speak something else than HTTP, and are reached without a proxy.
pub(crate) struct Line {
    tls: Option<Tls>,
}

impl Line {
    /// With TLS if certificates are to be looked for.
    pub(crate) fn new(sources: Option<Sources>, ca_file: Option<CaFile>) -> Line {
        Line {
            tls: sources.map(|sources| Tls::new(sources, ca_file)),
        }
    }

    /// A connection, all whose waits end at `until`.
    pub(crate) fn connect(
        &self,
        host: &str,
        port: u16,
        until: Instant,
    ) -> Result<Box<dyn Stream>, Error> {
        let what = "the store's server ";
        let peer = Peer { what, host, port };
        let limit = Limit {
            until,
            name: "store",
        };
        let found = lookup::addresses(host, until).map_err(|refusal| match refusal {
            Refusal::TimedOut => failed(&peer, limit, &io::ErrorKind::TimedOut.into()),
            Refusal::NotFound => Error::new(
                Status::NetworkError,
                format!("The name of {peer} does not resolve."),
            ),
            Refusal::System(number) => failed(&peer, limit, &io::Error::from_raw_os_error(number)),
        })?;
        let addresses: Vec<_> = dial::in_turns(&found)
            .into_iter()
            .map(|address| SocketAddr::new(address, port))
            .collect();
        let tcp = dial::dial(&dial::persistently(&addresses), until)
            .map_err(|why| failed(&peer, limit, &why))?;
        let stream = Box::new(Socket::new(tcp, Patience::Until(until)));
        match &self.tls {
            None => Ok(stream),
            Some(tls) => {
                let config = tls.config(SystemClock.now().mono_ms).map_err(|_| {
                    let message = format!(
                        "No trusted TLS connection to {peer}: there are no CA certificates at all."
                    );
                    Error::new(Status::TlsError, message)
                })?;
                secure(stream, config, &peer, limit)
            }
        }
    }
}

/// TLS over the connection. All its waits end at the limit.
fn secure(
    stream: Box<dyn Stream>,
    config: Arc<ClientConfig>,
    peer: &Peer,
    limit: Limit,
) -> Result<Box<dyn Stream>, Error> {
    let handshake = || tls::over(stream, config, peer.host);
    verdict::until(limit.until, handshake).map_err(|why| match verdict::missing_in(&why) {
        Some(none) => not_judged(peer, limit, none),
        None => failed(peer, limit, &why),
    })
}

/// Why there is no connection.
fn failed(peer: &Peer, limit: Limit, why: &io::Error) -> Error {
    if is_overdue(why) {
        let name = limit.name;
        return Error::new(
            Status::Timeout,
            format!("No connection to {peer} within the {name} timeout."),
        );
    }
    io_failed("No connection to", peer, why)
}

/// The system has said nothing of a certificate.
fn not_judged(peer: &Peer, limit: Limit, why: NoResult) -> Error {
    let name = limit.name;
    let (status, words) = match why {
        NoResult::TimedOut => (
            Status::Timeout,
            format!(
                "the system did not judge its certificate within the {name} timeout. A firewall may keep it from asking whether that was revoked."
            ),
        ),
        NoResult::NoThread => (
            Status::SystemError,
            "the system has no thread left in which to judge its certificate.".to_owned(),
        ),
        NoResult::Failed => (
            Status::Internal,
            "to judge its certificate failed, by a fault of the library.".to_owned(),
        ),
    };
    Error::new(status, format!("No connection to {peer}: {words}"))
}

/// What an I/O error means for the exchange with somebody.
pub(crate) fn io_failed(what: &str, whom: &dyn fmt::Display, why: &io::Error) -> Error {
    if let Some(why) = why
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>())
    {
        return Error::new(
            Status::TlsError,
            format!("No trusted TLS connection to {whom}: {}.", InWords(why)),
        );
    }
    let status = match sys::is_lack_of_resources(why) {
        true => Status::SystemError,
        false => Status::NetworkError,
    };
    let why = match why.kind() {
        io::ErrorKind::UnexpectedEof => "it was closed too early".to_owned(),
        _ => one_line(&sys::words_of(why))
            .chars()
            .take(LONGEST_REASON)
            .collect(),
    };
    Error::new(status, format!("{what} {whom}: {why}."))
}
