//! Receives the body of an upload, piece by piece.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE};
use tokio::time::{Instant, sleep, sleep_until};

use crate::content_range::LARGEST_FILE;
use crate::faults::{Fault, Strike};
use crate::form::ReceivingForm;
use crate::request::Request;
use crate::state::Shared;
use crate::stored::Receiving;

/// How the receiving of a body ended.
pub(crate) enum End {
    /// There is no more of it.
    Whole,
    /// A fault strikes here, in the middle.
    Stopped,
    /// The connection broke.
    Broken,
}

/// The body of an upload on its way.
pub(crate) struct Intake {
    shared: Arc<Shared>,
    /// The number of the request in the log.
    seq: u64,
    body: Incoming,
    /// What was read of the body and lies behind the stop.
    rest: Bytes,
    /// How many bytes there are before the stop.
    left: Option<u64>,
    pace: Option<Pace>,
    strike: Option<Strike>,
}

impl Intake {
    pub(crate) fn new(
        shared: &Arc<Shared>,
        seq: u64,
        body: Incoming,
        strike: Option<Strike>,
    ) -> Self {
        let pace = match strike.as_ref().map(|strike| &strike.fault) {
            Some(Fault::Throttle { bytes_per_second }) => Some(Pace::new(*bytes_per_second)),
            _ => None,
        };
        Self {
            shared: Arc::clone(shared),
            seq,
            body,
            rest: Bytes::new(),
            left: strike.as_ref().and_then(|strike| strike.after),
            pace,
            strike,
        }
    }

    /// The fault that is still to strike.
    pub(crate) fn take_fault(&mut self) -> Option<Fault> {
        self.strike.take().map(|strike| strike.fault)
    }

    /// Receives the body, and gives its form to the request if it is whole.
    pub(crate) async fn receive(&mut self, request: &mut Request) -> io::Result<End> {
        let mut form = self.form(request)?;
        loop {
            if self.left == Some(0) && !self.rests().await {
                return Ok(End::Stopped);
            }
            match self.next().await {
                Ok(Some(bytes)) => form.feed(&bytes),
                Ok(None) => break,
                Err(_) => return Ok(End::Broken),
            }
        }
        request.form = Some(form.finish()?);
        Ok(End::Whole)
    }

    /// Whether the stop was but a rest.
    async fn rests(&mut self) -> bool {
        let fault = self.strike.as_ref().map(|strike| &strike.fault);
        let Some(Fault::Delay { ms }) = fault else {
            return false;
        };
        sleep(Duration::from_millis(*ms)).await;
        self.strike = None;
        self.left = None;
        true
    }

    /// Receives what is left, for nobody.
    pub(crate) async fn drain(mut self) {
        self.left = None;
        while let Ok(Some(_)) = self.next().await {}
    }

    fn form(&self, request: &Request) -> io::Result<ReceivingForm> {
        let keeps = self.shared.lock().settings.keep_bytes;
        let announced = request.header(CONTENT_LENGTH.as_str());
        let size = announced
            .and_then(|text| text.parse().ok())
            .map_or(LARGEST_FILE, |size: u64| size.min(LARGEST_FILE));
        let region = keeps.then(|| self.shared.spool.reserve(size)).transpose()?;
        let content_type = request.header(CONTENT_TYPE.as_str()).unwrap_or_default();
        Ok(ReceivingForm::new(content_type, Receiving::new(region)))
    }

    /// The next piece, up to the stop, or `None` at the end.
    async fn next(&mut self) -> Result<Option<Bytes>, hyper::Error> {
        if self.rest.is_empty() {
            match self.read().await? {
                Some(bytes) => self.rest = bytes,
                None => return Ok(None),
            }
        }
        let size = self.left.unwrap_or(u64::MAX).min(self.rest.len() as u64);
        let piece = self.rest.split_to(usize::try_from(size).unwrap_or(0));
        if let Some(left) = &mut self.left {
            *left -= size;
        }
        if let Some(pace) = &mut self.pace {
            pace.keep(size).await;
        }
        self.shared.lock().received(self.seq, size);
        Ok(Some(piece))
    }

    async fn read(&mut self) -> Result<Option<Bytes>, hyper::Error> {
        while let Some(frame) = self.body.frame().await.transpose()? {
            // Trailers tell nothing here.
            if let Ok(bytes) = frame.into_data()
                && !bytes.is_empty()
            {
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }
}

/// Keeps bytes from coming too fast.
struct Pace {
    bytes_per_second: u64,
    next: Instant,
}

impl Pace {
    fn new(bytes_per_second: u64) -> Self {
        Self {
            bytes_per_second,
            next: Instant::now(),
        }
    }

    /// Waits for as long as so many bytes take.
    async fn keep(&mut self, bytes: u64) {
        self.next += Duration::from_micros(bytes.saturating_mul(1_000_000) / self.bytes_per_second);
        sleep_until(self.next).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_pace_is_kept_whatever_the_pieces() {
        let begun = Instant::now();
        let mut pace = Pace::new(1000);
        for bytes in [1, 499, 1500] {
            pace.keep(bytes).await;
        }
        assert_eq!(begun.elapsed(), Duration::from_secs(2));
    }
}
