//! Sends messages to webhooks, to this machine alone.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use hyper::Uri;
use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::state::Shared;
use crate::webhooks::Message;

/// How often a message is tried.
const TRIES: u32 = 4;
/// How long a receiver may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// One try to tell a webhook of an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Delivery {
    /// The webhook.
    pub webhook_id: String,
    /// The type of the event.
    pub event: String,
    /// Which try it was, from 1 to 4.
    pub attempt: u32,
    /// What the receiver answered. Anything below 300 ends the tries.
    pub status: Option<u16>,
    /// Why there was no answer.
    pub error: Option<String>,
}

/// Sends messages on their way.
pub(crate) fn send(shared: &Arc<Shared>, messages: Vec<Message>, delay: Duration) {
    for message in messages {
        tokio::spawn(deliver(Arc::clone(shared), message, delay));
    }
}

/// Tries until the message is taken, or its webhook is gone.
async fn deliver(shared: Arc<Shared>, message: Message, delay: Duration) {
    sleep(delay).await;
    for attempt in 1..=TRIES {
        if !shared.lock().webhooks.has(&message.webhook_id) {
            return;
        }
        let answer = timeout(PATIENCE, post(&message)).await;
        let answer = answer.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let is_taken = answer.as_ref().is_ok_and(|status| *status < 300);
        let pause = shared.lock().delivered(&message, attempt, answer);
        if is_taken {
            return;
        }
        sleep(pause).await;
    }
}

/// Sends a message once, and gives the status of the answer.
async fn post(message: &Message) -> io::Result<u16> {
    let url: Uri = message.url.parse().map_err(io::Error::other)?;
    let host = url.host().unwrap_or_default();
    let port = url.port_u16().unwrap_or(80);
    let mut stream = TcpStream::connect((loopback(&url)?, port)).await?;
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\
         X-Api-Video-WebhookID: {}\r\nX-Api-Video-Signature: {}\r\n\r\n",
        message.body.len(),
        message.webhook_id,
        message.signature,
    );
    stream.write_all((head + &message.body).as_bytes()).await?;
    let mut line = [0; "HTTP/1.1 200".len()];
    stream.read_exact(&mut line).await?;
    status(&line).ok_or_else(|| io::Error::other("the answer is no HTTP"))
}

/// The address of a URL, if it is of this machine.
fn loopback(url: &Uri) -> io::Result<IpAddr> {
    let host = url.host().unwrap_or_default();
    let address = match host {
        "localhost" => Ok(Ipv4Addr::LOCALHOST.into()),
        _ => host.trim_matches(['[', ']']).parse::<IpAddr>(),
    };
    match address {
        Ok(address) if address.is_loopback() && url.scheme_str() == Some("http") => Ok(address),
        _ => Err(io::Error::other(
            "the sandbox sends to http:// on a loopback address only",
        )),
    }
}

fn status(line: &[u8]) -> Option<u16> {
    let line = std::str::from_utf8(line).ok()?;
    let (version, status) = line.split_once(' ')?;
    version
        .starts_with("HTTP/1.")
        .then(|| status.parse().ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_sent_to(url: &str) -> bool {
        loopback(&url.parse().unwrap()).is_ok()
    }

    #[test]
    fn nothing_leaves_the_machine() {
        for url in ["http://localhost:1/a", "http://127.0.0.1", "http://[::1]:2"] {
            assert!(is_sent_to(url), "{url}");
        }
        for url in [
            "http://example.com",
            "http://10.0.0.1",
            "https://localhost",
            "/path",
        ] {
            assert!(!is_sent_to(url), "{url}");
        }
    }

    #[test]
    fn a_status_is_read_from_the_first_line() {
        assert_eq!(status(b"HTTP/1.1 204"), Some(204));
        assert_eq!(status(b"HTTP/1.0 500"), Some(500));
        for bad in [
            &b"SMTP/1.1 204"[..],
            b"HTTP/1.1 2x4",
            b"HTTP/1.1-204",
            b"\xff",
        ] {
            assert_eq!(status(bad), None);
        }
    }
}
