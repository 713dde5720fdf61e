//! A lane: one thread, with one connection at a time, that does what an upload asks for.

use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::chunks::Chunk;
use super::envelope::Envelope;
use super::exchange::{Ask, Job};
use super::reply::{Outcome, Reader, limits, no_token, unreadable};
use super::task::Task;
use super::{Uploads, context};
use crate::cache::events::LogLevel;
use crate::cache::waiters::{Purpose, TokenRequest};
use crate::error::{Error, Status};
use crate::ffi::secret::Secret;
use crate::ffi::sys;
use crate::http::{Body, Failure, Method, Patience, Reply, Request, Terms};
use crate::request::checks::Checked;
use crate::token::Token;
use crate::upload::exchange::Rejected;
use crate::upload::state::{Effects, Note};

/// Without a byte that moves, an attempt ends.
const STILL: Duration = Duration::from_secs(60);
/// A smaller body goes without asking first.
const SMALL: u64 = 1024 * 1024;

/// One of an upload's threads.
pub(crate) struct Lane {
    pub(crate) uploads: Arc<Uploads>,
    pub(crate) task: Arc<Task>,
}

/// A sent chunk, or a question: what came of it.
struct Attempt {
    result: Result<Reply, Box<Failure>>,
    /// The whole body was handed over.
    had_all: bool,
    /// The chunk's bytes could not be had.
    unreadable: Option<io::Error>,
}

impl Lane {
    /// Works until the upload is over.
    pub(crate) fn run(&self) {
        if catch_unwind(AssertUnwindSafe(|| self.work())).is_err() {
            self.task.end(Error::new(
                Status::Internal,
                "A bug in libapivideo was caught in an upload. Please report it.",
            ));
        }
    }

    fn work(&self) {
        while let Some(ask) = self.task.next() {
            match ask {
                Ask::Send(job) => self.send(&job),
                Ask::Status(about) => self.ask_status(about),
                Ask::Video => self.ask_video(),
                Ask::Wait(_) | Ask::End => {}
            }
        }
    }

    // --- A chunk ---

    fn send(&self, job: &Job) {
        let token = match self.task.token.is_none().then(|| self.access_token()) {
            Some(Err(error)) => {
                let failure = Err(no_token(error));
                return self.report(None, |state| {
                    state.on_chunk(job.chunk, 0, failure, None, context());
                });
            }
            Some(Ok(token)) => Some(token),
            None => None,
        };
        let request = self.request(Method::POST, self.door());
        let mut attempt = self.attempt(job, &request, token.as_deref());
        // Its connection may have been closed for its age, before it had all of the chunk.
        let was_lost = attempt
            .result
            .as_ref()
            .is_err_and(|failure| failure.kept && failure.error.status == Status::NetworkError);
        if was_lost && !attempt.had_all && attempt.unreadable.is_none() {
            self.task.connections.clear();
            attempt = self.attempt(job, &request, token.as_deref());
        }
        let limits = attempt.result.as_ref().ok().and_then(limits);
        let outcome = self.read(attempt, &request, token.as_deref(), |reader, reply| {
            reader.receipt(reply)
        });
        let id = token.as_ref().map_or(0, |token| token.id());
        self.report(token.as_ref(), |state| {
            state.on_chunk(job.chunk, id, outcome, limits, context());
        });
    }

    fn attempt(&self, job: &Job, request: &Checked, token: Option<&Token>) -> Attempt {
        let length = job.chunk.len();
        let envelope = Envelope::new(nonce(), job.video_id.as_deref(), &self.task.file_name);
        let mut chunk = Counted {
            inner: self.task.read(job.chunk),
            task: &self.task,
            count: 0,
            failed: None,
        };
        let range = job.content_range.as_deref();
        let headers = [
            token.map(|token| ("authorization", token.authorization())),
            range.map(|range| ("content-range", range)),
        ];
        let headers: Vec<_> = headers.into_iter().flatten().collect();
        let result = self.exchange(
            Request {
                method: &request.method,
                path: &request.path,
                headers: &headers,
                body: Some(Body {
                    content_type: &envelope.content_type,
                    length: envelope.length(length),
                    source: &mut envelope.around(&mut chunk),
                    asks_first: length > SMALL && !self.is_silent(),
                }),
            },
            Patience::Still(STILL),
        );
        let was_sent = result
            .as_ref()
            .map_or_else(|failure| failure.sent, |_| true);
        Attempt {
            had_all: was_sent && chunk.count == length,
            unreadable: chunk.failed.take(),
            result,
        }
    }

    /// The server did not say whether it wants a body, when it was asked.
    fn is_silent(&self) -> bool {
        self.task.contact.is_silent.load(Ordering::Relaxed)
    }

    /// Where the chunks go: to a video, or to an upload token.
    fn door(&self) -> String {
        match &self.task.token {
            Some(token) => {
                let token = utf8_percent_encode(token.as_str(), NON_ALPHANUMERIC);
                format!("/upload?token={token}")
            }
            None => format!("/videos/{}/source", self.video_id()),
        }
    }

    // --- Questions ---

    fn ask_status(&self, about: Option<Chunk>) {
        let path = format!("/videos/{}/status", self.video_id());
        self.ask(
            path,
            |reader, reply| reader.ingest(reply),
            |state, id, outcome| state.on_status(about, id, outcome, context()),
        );
    }

    fn ask_video(&self) {
        let path = format!("/videos/{}", self.video_id());
        self.ask(
            path,
            |reader, reply| reader.video(reply),
            |state, id, outcome| state.on_video(id, outcome, context()),
        );
    }

    fn ask<T>(
        &self,
        path: String,
        read: impl FnOnce(&Reader, Reply) -> Outcome<T>,
        tell: impl FnOnce(&mut super::UploadState, u64, Outcome<T>),
    ) {
        let token = match self.access_token() {
            Ok(token) => token,
            Err(error) => {
                return self.report(None, |state| tell(state, 0, Err(no_token(error))));
            }
        };
        let request = self.request(Method::GET, path);
        let attempt = Attempt {
            result: self.exchange(
                Request {
                    method: &request.method,
                    path: &request.path,
                    headers: &[("authorization", token.authorization())],
                    body: None,
                },
                self.uploads.http.patience(None),
            ),
            had_all: false,
            unreadable: None,
        };
        let outcome = self.read(attempt, &request, Some(&token), read);
        self.report(Some(&token), |state| tell(state, token.id(), outcome));
    }

    // --- What both have in common ---

    fn request(&self, method: Method, path: String) -> Checked {
        Checked {
            method,
            path,
            json: None,
        }
    }

    fn exchange(&self, request: Request, patience: Patience) -> Result<Reply, Box<Failure>> {
        let result = self.uploads.http.exchange(
            request,
            &Terms {
                patience,
                largest_reply: self.uploads.largest_reply,
                connections: Some(&self.task.connections),
                cancel: Some(&self.task.cancel),
            },
        );
        if let Ok(reply) = &result {
            let contact = &self.task.contact;
            contact.was_made.store(true, Ordering::Relaxed);
            contact
                .is_silent
                .fetch_or(reply.kept_silent || reply.status == 417, Ordering::Relaxed);
        }
        result
    }

    fn read<T>(
        &self,
        attempt: Attempt,
        request: &Checked,
        token: Option<&Token>,
        read: impl FnOnce(&Reader, Reply) -> Outcome<T>,
    ) -> Outcome<T> {
        if let Some(why) = attempt.unreadable {
            return Err(unreadable(self.task.explain(&why)));
        }
        let secrets = [
            self.uploads.api_key.as_deref().map(Secret::as_str),
            self.task.token.as_ref().map(Secret::as_str),
            token.map(Token::access_token),
            token.map(Token::refresh_token),
        ];
        let in_path = request.secrets();
        let in_path = in_path.iter().map(String::as_str);
        let secrets: Vec<&str> = secrets.into_iter().flatten().chain(in_path).collect();
        let reader = Reader {
            server: &self.uploads.server,
            request,
            secrets: &secrets,
            prefix: self.uploads.http.prefix(),
            by_upload_token: token.is_none(),
            had_all: attempt.had_all,
            video_id: self.task.told_video_id(),
        };
        match attempt.result {
            Ok(reply) => read(&reader, reply),
            Err(failure) => {
                let had_contact = self.task.contact.was_made.load(Ordering::Relaxed);
                Err(reader.lost(*failure, had_contact))
            }
        }
    }

    /// Tells the state, and carries out what follows. `token`: the access token that was sent.
    fn report(&self, token: Option<&Arc<Token>>, tell: impl FnOnce(&mut super::UploadState)) {
        let Effects { rejected, notes } = self.task.report(tell);
        for note in notes {
            self.uploads.log(LogLevel::Warning, || self.line(&note));
        }
        if let (Some(rejected), Some(token)) = (rejected, token) {
            self.replace(rejected, token);
        }
    }

    fn line(&self, note: &Note) -> String {
        match self.video_id() {
            "" => format!("Upload: {note}"),
            id => format!("Upload of {id}: {note}"),
        }
    }

    fn video_id(&self) -> &str {
        self.task.told_video_id().unwrap_or_default()
    }

    // --- Access tokens ---

    fn access_token(&self) -> Result<Arc<Token>, Error> {
        match self.uploads.tokens.read() {
            Some(token) => Ok(token),
            None => self.uploads.tokens.get(self.token_request(Purpose::Token)),
        }
    }

    /// Gets another token for one that was rejected. One that worked before has come to its end:
    /// the cache, which may think it too new to be replaced, is told to.
    fn replace(&self, rejected: Rejected, token: &Arc<Token>) {
        let tokens = &self.uploads.tokens;
        let is_kept = tokens.invalidate(token.set()).is_err();
        let is_newest = || {
            tokens
                .read()
                .is_some_and(|newest| newest.id() == token.id())
        };
        if is_kept && rejected.has_worked && is_newest() {
            // Whoever needs a token next learns why there is none.
            let _ = tokens.get(self.token_request(Purpose::Authenticate));
        }
    }

    fn token_request(&self, purpose: Purpose) -> TokenRequest {
        TokenRequest {
            purpose,
            min_validity_ms: 0,
            deadline_ms: sys::mono_ms() + i64::from(self.uploads.wait_timeout_ms),
            wait_for_recovery: false,
            needs_timer: false,
        }
    }
}

/// A chunk's bytes, counted as they are sent.
struct Counted<'a> {
    inner: Box<dyn Read + 'a>,
    task: &'a Task,
    count: u64,
    failed: Option<io::Error>,
}

impl Read for Counted<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.inner.read(into) {
            Ok(count) => {
                self.count += count as u64;
                self.task.counters.add(count as u64);
                self.task.moved();
                Ok(count)
            }
            Err(why) if why.kind() == io::ErrorKind::Interrupted => Err(why),
            Err(why) => {
                let told = why.kind().into();
                self.failed = Some(why);
                Err(told)
            }
        }
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.task.counters.take_back(self.count);
    }
}

/// Bits that no video has in it.
fn nonce() -> u128 {
    let mut bits = [0; 16];
    match getrandom::fill(&mut bits) {
        Ok(()) => u128::from_le_bytes(bits),
        // Without chance, at least different each time.
        Err(_) => {
            u128::from(sys::mono_ms().unsigned_abs()) << 64
                | std::ptr::from_ref(&bits).addr() as u128
        }
    }
}
