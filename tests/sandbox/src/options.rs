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
        }
    }
}

impl Options {
    /// Refuses what could not work, or would open the sandbox to the network.
    pub(crate) fn check(&self) -> io::Result<()> {
        if !self.host.is_loopback() {
            return Err(invalid(format!("{} is not a loopback address", self.host)));
        }
        check_auth_error_status(self.auth_error_status).map_err(invalid)
    }

    pub(crate) fn scheme(&self) -> &'static str {
        if self.tls { "https" } else { "http" }
    }

    /// The part that can be changed while the sandbox runs.
    pub(crate) fn settings(&self) -> Settings {
        Settings {
            key: self.key.clone(),
            expires_in: self.expires_in,
            latency_ms: self.latency_ms,
            auth_error_status: self.auth_error_status,
        }
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
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            key: "sandbox-key".to_owned(),
            expires_in: 3600,
            latency_ms: 0,
            auth_error_status: 400,
        }
    }
}

impl Settings {
    pub(crate) fn apply(&mut self, change: SettingsChange) -> Result<(), String> {
        if let Some(status) = change.auth_error_status {
            check_auth_error_status(status)?;
            self.auth_error_status = status;
        }
        if let Some(key) = change.key {
            self.key = key;
        }
        if let Some(seconds) = change.expires_in {
            self.expires_in = seconds;
        }
        if let Some(milliseconds) = change.latency_ms {
            self.latency_ms = milliseconds;
        }
        Ok(())
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
