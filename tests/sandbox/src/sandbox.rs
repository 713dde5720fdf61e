//! The blocking handle of a running sandbox.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;

use crate::delivery::Delivery;
use crate::faults::{FaultRule, OutageMode, Revoke};
use crate::log::{Counters, LogEntry};
use crate::options::{Options, Settings, SettingsChange};
use crate::received::ReceivedVideo;
use crate::server::{self, Command, Server, Service};
use crate::state::Shared;
use crate::tls;

/// A running sandbox. Dropping it closes every connection and frees the port.
pub struct Sandbox {
    address: SocketAddr,
    base_url: String,
    ca_pem: Option<String>,
    shared: Arc<Shared>,
    /// Gone once the sandbox is being dropped, which ends the server.
    commands: Option<mpsc::UnboundedSender<Command>>,
    thread: Option<JoinHandle<()>>,
}

impl Sandbox {
    /// Starts a sandbox; it accepts connections when this returns.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::InvalidInput`] if the options make no sense, for
    /// example an address that is not a loopback address; otherwise whatever
    /// kept the sandbox from listening.
    pub fn start(options: Options) -> io::Result<Self> {
        let settings = options.check()?;
        #[cfg(feature = "deadlock-detection")]
        crate::deadlock::watch();
        let tls = options.tls.then(|| tls::setup(&options)).transpose()?;
        let (acceptor, ca_pem) = tls.map(|tls| (tls.acceptor, tls.ca_pem)).unzip();
        let shared = Arc::new(Shared::new(&options, settings));
        let service = Service {
            shared: Arc::clone(&shared),
            tls: acceptor,
            connections: AtomicU64::new(0),
        };
        let wanted = SocketAddr::new(options.host, options.port);
        let socket = server::bind(wanted).map_err(|why| cannot_listen(wanted, &why))?;
        let address = socket.local_addr()?;
        let (commands, thread) = spawn(Server::new(socket, address, service))?;
        let sandbox = Self {
            address,
            base_url: format!("{}://{address}", options.scheme()),
            ca_pem,
            shared,
            commands: Some(commands),
            thread: Some(thread),
        };
        sandbox
            .start_listening()
            .map_err(|why| cannot_listen(address, &why))?;
        Ok(sandbox)
    }

    /// The address that is listened on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The scheme, address and port, without a slash at the end.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The certificate to trust, if the sandbox speaks HTTPS.
    #[must_use]
    pub fn ca_pem(&self) -> Option<&str> {
        self.ca_pem.as_deref()
    }

    /// Appends a rule to the queue of faults.
    ///
    /// # Panics
    ///
    /// If the fault could not be carried out, for example for a bad status.
    pub fn fault(&self, rule: FaultRule) {
        let queued = self.shared.lock().faults.append(vec![rule]);
        if let Err(message) = queued {
            panic!("this fault rule cannot work: {message}");
        }
    }

    /// Drops every rule that is still queued.
    pub fn clear_faults(&self) {
        self.shared.lock().faults.clear();
    }

    /// Lets every request fail for a while; for no time at all to end that.
    pub fn outage(&self, duration: Duration, mode: OutageMode) {
        self.shared.lock().set_outage(duration, mode);
    }

    /// Lets tokens die that were issued so far.
    pub fn revoke(&self, what: Revoke) {
        self.shared.lock().revoke(what);
    }

    /// Puts the sandbox's clock forward, so that tokens expire and outages end
    /// without anyone waiting. The times in the log stay real.
    pub fn advance_clock(&self, by: Duration) {
        self.shared.lock().advance(by);
    }

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.shared.lock().settings.clone()
    }

    /// Changes settings from now on.
    ///
    /// # Panics
    ///
    /// If the new `auth_error_status` is none of 400, 401 and 403.
    pub fn set(&self, change: SettingsChange) {
        let applied = self.shared.lock().settings.apply(change);
        if let Err(message) = applied {
            panic!("these settings cannot work: {message}");
        }
    }

    /// The latest requests, oldest first; at most 100,000 of them.
    #[must_use]
    pub fn log(&self) -> Vec<LogEntry> {
        self.shared.lock().log.entries()
    }

    /// Empties the log.
    pub fn clear_log(&self) {
        self.shared.lock().log.clear();
    }

    /// How many requests there were, and what became of them.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.shared.lock().counters.clone()
    }

    /// What was received of each video, without its SHA-256.
    #[must_use]
    pub fn videos(&self) -> Vec<ReceivedVideo> {
        self.shared.received_videos()
    }

    /// What was received of one video. That reads all of its bytes.
    #[must_use]
    pub fn video(&self, id: &str) -> Option<ReceivedVideo> {
        self.shared.received_video(id)
    }

    /// Each try to tell a webhook of an event, oldest first.
    #[must_use]
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.shared.lock().deliveries.clone()
    }

    /// Puts everything back to what it was at the start: settings, tokens,
    /// videos, webhooks, faults, outage, clock, log and counters. Connections
    /// stay open.
    pub fn reset(&self) {
        self.shared.lock().reset();
    }

    /// Closes every connection and refuses new ones. The port stays reserved.
    ///
    /// # Errors
    ///
    /// If another program took the port at that very moment.
    pub fn stop_listening(&self) -> io::Result<()> {
        self.command(Command::StopListening)
    }

    /// Accepts connections again, on the same port.
    ///
    /// # Errors
    ///
    /// If the port cannot be listened on any more.
    pub fn start_listening(&self) -> io::Result<()> {
        self.command(Command::StartListening)
    }

    fn command(
        &self,
        command: impl FnOnce(std::sync::mpsc::Sender<io::Result<()>>) -> Command,
    ) -> io::Result<()> {
        let gone = || io::Error::other("the sandbox's server has ended");
        let (sender, reply) = std::sync::mpsc::channel();
        let commands = self.commands.as_ref().ok_or_else(gone)?;
        commands.send(command(sender)).map_err(|_| gone())?;
        reply.recv().map_err(|_| gone())?
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Sandbox")
            .field("base_url", &self.base_url)
            .finish_non_exhaustive()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.commands = None;
        if let Some(thread) = self.thread.take() {
            // It has nothing to tell but that it panicked, and it printed that.
            let _ = thread.join();
        }
    }
}

/// Runs the server on a thread that owns its runtime. The handle then works
/// inside other runtimes, which may neither block on one nor drop one.
fn spawn(server: Server) -> io::Result<(mpsc::UnboundedSender<Command>, JoinHandle<()>)> {
    let runtime = runtime()?;
    let (sender, commands) = mpsc::unbounded_channel();
    let thread = std::thread::Builder::new()
        .name("apivideo-sandbox".to_owned())
        .spawn(move || runtime.block_on(server.run(commands)))?;
    Ok((sender, thread))
}

fn runtime() -> io::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("apivideo-sandbox-worker")
        .enable_all()
        .build()
}

fn cannot_listen(address: SocketAddr, why: &io::Error) -> io::Error {
    let kind = why.kind();
    let advice = match kind {
        io::ErrorKind::AddrInUse => {
            ": another program has that port, so choose another (--port, or make sandbox PORT=…)"
        }
        _ => "",
    };
    io::Error::new(kind, format!("cannot listen on {address}: {why}{advice}"))
}
