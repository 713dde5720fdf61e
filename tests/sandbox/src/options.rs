//! What a sandbox is started with, and the part of it that can change later.

use std::io;
use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};

/// What a sandbox is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// The loopback address to listen on; `127.0.0.1` by default.
    pub host: IpAddr,
    /// The port to listen on; 0, the default, takes any free one.
    pub port: u16,
    /// Whether to speak HTTPS, with a certificate made at start.
    pub tls: bool,
    /// Further names that its certificate is valid for.
    pub tls_names: Vec<String>,
    /// Whether its certificate expired yesterday.
    pub tls_expired: bool,
    /// Whether requests must carry a well-formed `AV-Origin-Client` header.
    pub strict_origin: bool,
    /// The API key that is accepted; `sandbox-key` by default.
    pub key: String,
    /// How many seconds an access token lives; 3600 by default.
    pub expires_in: u64,
    /// How long each request waits before it is handled; 0 by default.
    pub latency_ms: u64,
    /// The status of a rejected key or refresh token: 400 (the default), 401
    /// or 403.
    pub auth_error_status: u16,
    /// The smallest chunk of an upload but for its last; 5 MiB by default.
    pub smallest_chunk: u64,
    /// Whether the bytes of uploads are kept, in a file without a name, so that
    /// their SHA-256 can be told; `true` by default.
    pub keep_bytes: bool,
    /// Any further settings, over those above.
    pub settings: SettingsChange,
}

impl Default for Options {
    fn default() -> Self {
        let settings = Settings::default();
        Self {
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 0,
            tls: false,
            tls_names: Vec::new(),
            tls_expired: false,
            strict_origin: false,
            key: settings.key,
            expires_in: settings.expires_in,
            latency_ms: settings.latency_ms,
            auth_error_status: settings.auth_error_status,
            smallest_chunk: settings.smallest_chunk,
            keep_bytes: settings.keep_bytes,
            settings: SettingsChange::default(),
        }
    }
}

impl Options {
    /// The settings to start with. Refuses what could not work, or would open
    /// the sandbox to the network.
    pub(crate) fn check(&self) -> io::Result<Settings> {
        if !self.host.is_loopback() {
            return Err(invalid(format!("{} is not a loopback address", self.host)));
        }
        check_auth_error_status(self.auth_error_status).map_err(invalid)?;
        self.settings().map_err(invalid)
    }

    pub(crate) fn scheme(&self) -> &'static str {
        if self.tls { "https" } else { "http" }
    }

    /// The part that can be changed while the sandbox runs.
    fn settings(&self) -> Result<Settings, String> {
        let mut settings = Settings {
            key: self.key.clone(),
            expires_in: self.expires_in,
            latency_ms: self.latency_ms,
            auth_error_status: self.auth_error_status,
            smallest_chunk: self.smallest_chunk,
            keep_bytes: self.keep_bytes,
            ..Settings::default()
        };
        settings.apply(self.settings.clone())?;
        Ok(settings)
    }
}

/// The settings in force, which can be changed while the sandbox runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Settings {
    /// The API key that is accepted.
    pub key: String,
    /// How many seconds an access token issued from now on lives.
    pub expires_in: u64,
    /// How long each request waits before it is handled.
    pub latency_ms: u64,
    /// The status of a rejected key or refresh token.
    pub auth_error_status: u16,
    /// The smallest chunk of an upload but for its last, in bytes.
    pub smallest_chunk: u64,
    /// Whether the bytes of uploads are kept, so that their SHA-256 can be told.
    pub keep_bytes: bool,
    /// Whether an upload is refused before its body is read, where its head is
    /// enough. With `Expect: 100-continue` it always is.
    pub early_refusals: bool,
    /// Whether `Expect: 100-continue` is answered with `100 Continue`.
    pub send_continue: bool,
    /// How long that answer takes, whether it is sent or not.
    pub continue_delay_ms: u64,
    /// How long a video is not playable after its source is complete.
    pub encoding_ms: u64,
    /// How long it takes until a message to a webhook is tried again.
    pub webhook_retry_ms: u64,
    /// Whether a request beyond a limit is refused with status 429.
    pub enforce_limits: bool,
    /// How many reads there may be in a window.
    pub limit_reads: u64,
    /// How many writes, authentication among them.
    pub limit_writes: u64,
    /// How many chunks of videos.
    pub limit_uploads: u64,
    /// The length of a window in seconds, 1 at least.
    pub limit_window_s: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            key: "sandbox-key".to_owned(),
            expires_in: 3600,
            latency_ms: 0,
            auth_error_status: 400,
            smallest_chunk: 5 * 1024 * 1024,
            keep_bytes: true,
            early_refusals: false,
            send_continue: true,
            continue_delay_ms: 0,
            encoding_ms: 0,
            webhook_retry_ms: 3000,
            enforce_limits: false,
            // As in api.video's sandbox environment.
            limit_reads: 100,
            limit_writes: 40,
            limit_uploads: 40,
            limit_window_s: 60,
        }
    }
}

impl Settings {
    pub(crate) fn apply(&mut self, change: SettingsChange) -> Result<(), String> {
        if let Some(status) = change.auth_error_status {
            check_auth_error_status(status)?;
        }
        if change.limit_window_s == Some(0) {
            return Err("a window of requests lasts at least a second".to_owned());
        }
        set(&mut self.auth_error_status, change.auth_error_status);
        set(&mut self.key, change.key);
        set(&mut self.expires_in, change.expires_in);
        set(&mut self.latency_ms, change.latency_ms);
        set(&mut self.smallest_chunk, change.smallest_chunk);
        set(&mut self.keep_bytes, change.keep_bytes);
        set(&mut self.early_refusals, change.early_refusals);
        set(&mut self.send_continue, change.send_continue);
        set(&mut self.continue_delay_ms, change.continue_delay_ms);
        set(&mut self.encoding_ms, change.encoding_ms);
        set(&mut self.webhook_retry_ms, change.webhook_retry_ms);
        set(&mut self.enforce_limits, change.enforce_limits);
        set(&mut self.limit_reads, change.limit_reads);
        set(&mut self.limit_writes, change.limit_writes);
        set(&mut self.limit_uploads, change.limit_uploads);
        set(&mut self.limit_window_s, change.limit_window_s);
        Ok(())
    }
}

fn set<T>(setting: &mut T, change: Option<T>) {
    if let Some(value) = change {
        *setting = value;
    }
}

/// New values for some of the [`Settings`]; `None` leaves one as it is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SettingsChange {
    /// See [`Settings::key`].
    pub key: Option<String>,
    /// See [`Settings::expires_in`].
    pub expires_in: Option<u64>,
    /// See [`Settings::latency_ms`].
    pub latency_ms: Option<u64>,
    /// See [`Settings::auth_error_status`]: 400, 401 or 403.
    pub auth_error_status: Option<u16>,
    /// See [`Settings::smallest_chunk`].
    pub smallest_chunk: Option<u64>,
    /// See [`Settings::keep_bytes`].
    pub keep_bytes: Option<bool>,
    /// See [`Settings::early_refusals`].
    pub early_refusals: Option<bool>,
    /// See [`Settings::send_continue`].
    pub send_continue: Option<bool>,
    /// See [`Settings::continue_delay_ms`].
    pub continue_delay_ms: Option<u64>,
    /// See [`Settings::encoding_ms`].
    pub encoding_ms: Option<u64>,
    /// See [`Settings::webhook_retry_ms`].
    pub webhook_retry_ms: Option<u64>,
    /// See [`Settings::enforce_limits`].
    pub enforce_limits: Option<bool>,
    /// See [`Settings::limit_reads`].
    pub limit_reads: Option<u64>,
    /// See [`Settings::limit_writes`].
    pub limit_writes: Option<u64>,
    /// See [`Settings::limit_uploads`].
    pub limit_uploads: Option<u64>,
    /// See [`Settings::limit_window_s`].
    pub limit_window_s: Option<u64>,
}

fn check_auth_error_status(status: u16) -> Result<(), String> {
    match status {
        400 | 401 | 403 => Ok(()),
        _ => Err(format!(
            "the status of a rejected key must be 400, 401 or 403, not {status}"
        )),
    }
}

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message)
}
