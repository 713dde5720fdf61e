//! Receives the body of an upload, piece by piece.

use std::io;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE};

use crate::content_range::LARGEST_FILE;
use crate::form::ReceivingForm;
use crate::request::Request;
use crate::state::Shared;
use crate::stored::Receiving;

/// How the receiving of a body ended.
pub(crate) enum End {
    /// There is no more of it.
    Whole,
    /// The connection broke.
    Broken,
}

/// The body of an upload on its way.
pub(crate) struct Intake<'a> {
    pub(crate) shared: &'a Shared,
    /// The number of the request in the log.
    pub(crate) seq: u64,
    pub(crate) body: Incoming,
}

impl Intake<'_> {
    /// Receives the body, and gives its form to the request if it is whole.
    pub(crate) async fn receive(&mut self, request: &mut Request) -> io::Result<End> {
        let mut form = self.form(request)?;
        loop {
            match self.next().await {
                Ok(Some(bytes)) => form.feed(&bytes),
                Ok(None) => break,
                Err(_) => return Ok(End::Broken),
            }
        }
        request.form = Some(form.finish()?);
        Ok(End::Whole)
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

    /// The next piece, or `None` at the end.
    async fn next(&mut self) -> Result<Option<Bytes>, hyper::Error> {
        loop {
            let Some(frame) = self.body.frame().await.transpose()? else {
                return Ok(None);
            };
            // Trailers tell nothing here.
            if let Ok(bytes) = frame.into_data() {
                self.shared.lock().received(self.seq, bytes.len() as u64);
                return Ok(Some(bytes));
            }
        }
    }
}
