//! Requests to the API, with the client's token.
//!
//! - [`checks`]: what may be asked for.
//! - [`policy`]: what follows an attempt. Pure.
//! - [`turns`]: how many are made at once.
//! - [`response`]: the answer. [`refusal`]: a reply that is none, in a user's words.
//!
//! [`Requests`] puts them together: it gets the token, makes the attempts, waits between them, and
//! brings the answer, on a thread that ends with the request.

pub(crate) mod checks;
pub(crate) mod policy;
pub(crate) mod refusal;
pub(crate) mod response;
mod turns;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use crate::cache::TokenCache;
use crate::cache::completion::Completion;
use crate::cache::waiters::{Purpose, TokenRequest};
use crate::clock::random;
use crate::config::Server;
use crate::error::{Error, Status};
use crate::ffi::secret::Secret;
use crate::ffi::sys;
use crate::http::{Body, Cancel, Connections, Failure, Http, Reply, Request, Terms, cancelled};
use crate::problem::rejects_access_token;
use crate::process::fork::PerProcess;
use crate::process::sync::{Mutex, lock};
use crate::process::under_way::UnderWay;
use crate::token::Token;
use checks::Checked;
use policy::{Attempts, End, Next};
use response::Response;
use turns::Turns;

/// What a client's requests have in common.
pub(crate) struct Limits {
    pub(crate) wait_timeout_ms: u32,
    pub(crate) wait_for_recovery: bool,
    /// The most bytes of a reply.
    pub(crate) largest_reply: u64,
    /// No message has it, whatever a server sends.
    pub(crate) api_key: Option<Arc<Secret>>,
}

/// Makes a client's requests.
pub(crate) struct Requests {
    http: Arc<Http>,
    server: Server,
    tokens: Arc<TokenCache>,
    limits: Limits,
    connections: Connections,
    under_way: UnderWay<Task>,
    turns: PerProcess<Turns<Work>>,
}

/// A request, and who waits for it.
type Work = (Arc<Task>, Arc<Checked>);

/// One request, as whoever waits for it sees it.
pub(crate) struct Task {
    /// On the monotonic clock: then it ends.
    deadline_ms: i64,
    completion: Completion<Arc<Response>>,
    cancel: Cancel,
    /// Where the token arrives that it waits for.
    token: Mutex<Option<Arc<Completion>>>,
}

impl Task {
    /// The answer, if it is there within `timeout`.
    pub(crate) fn wait(&self, timeout: Duration) -> Option<Result<Arc<Response>, Error>> {
        self.completion.wait(timeout)
    }

    pub(crate) fn on_answer(&self, callback: impl FnOnce() + Send + 'static) -> Result<(), Error> {
        self.completion.on_answer(Box::new(callback))
    }

    /// Ends it with this error, unless it has ended, and at once.
    pub(crate) fn end(&self, error: Error) {
        // A forked child must leave its parent's connections alone.
        if self.completion.is_ours() {
            self.completion.answer(Err(error));
            self.cancel.cancel();
            let token = lock(&self.token).take();
            if let Some(token) = token {
                token.answer(Err(cancelled()));
            }
        }
    }

    /// Where its token is to arrive, and the end of the wait for it, unless it has ended.
    fn awaits_token(&self) -> Result<Arc<Completion>, Error> {
        let token = Arc::new(Completion::new());
        *lock(&self.token) = Some(Arc::clone(&token));
        // Looked at last: whoever ends it looks for the token afterwards.
        match self.cancel.is_cancelled() {
            true => Err(cancelled()),
            false => Ok(token),
        }
    }
}

impl Requests {
    pub(crate) fn new(
        http: Arc<Http>,
        server: Server,
        tokens: Arc<TokenCache>,
        limits: Limits,
    ) -> Arc<Requests> {
        Arc::new(Requests {
            http,
            server,
            tokens,
            limits,
            connections: Connections::new(),
            under_way: UnderWay::new(),
            turns: PerProcess::new(),
        })
    }

    /// Makes a request, and waits for its end.
    pub(crate) fn make(self: &Arc<Self>, request: Checked) -> Result<Arc<Response>, Error> {
        let task = self.begin();
        let now = self.turns().take((Arc::clone(&task), Arc::new(request)));
        if let Some(work) = now
            && self.spawn(&work).is_err()
        {
            // The caller waits anyway.
            Arc::clone(self).run(work);
        }
        // It has a deadline of its own.
        task.wait(Duration::MAX).unwrap_or_else(|| Err(closed()))
    }

    /// Begins a request.
    pub(crate) fn start(self: &Arc<Self>, request: Checked) -> Arc<Task> {
        let task = self.begin();
        let now = self.turns().take((Arc::clone(&task), Arc::new(request)));
        self.go_on(now);
        task
    }

    /// No more requests; those under way end with an error.
    pub(crate) fn close(&self) {
        self.under_way.close(|task| task.end(closed()));
        if let Some(turns) = self.turns.made() {
            turns.clear();
        }
        self.connections.clear();
    }

    fn begin(&self) -> Arc<Task> {
        let task = Arc::new(Task {
            deadline_ms: self.now_ms() + i64::from(self.limits.wait_timeout_ms),
            completion: Completion::new(),
            cancel: Cancel::default(),
            token: Mutex::default(),
        });
        if !self.under_way.add(&task) {
            task.end(closed());
        }
        task
    }

    fn turns(&self) -> &Turns<Work> {
        self.turns.get(Turns::default)
    }

    fn spawn(self: &Arc<Self>, work: &Work) -> io::Result<()> {
        let (me, work) = (Arc::clone(self), work.clone());
        sys::spawn("apivideo-request", move || me.run(work))
    }

    /// Gives the one whose turn it is a thread, or passes its turn on.
    fn go_on(self: &Arc<Self>, mut turn: Option<Work>) {
        while let Some(work) = turn {
            if !work.0.cancel.is_cancelled() {
                match self.spawn(&work) {
                    Ok(()) => return,
                    Err(why) => work.0.end(Error::no_thread(&why)),
                }
            }
            turn = self.turns().pass_on();
        }
    }

    /// Makes the request, and brings its answer. By then its turn is another's, for whom a callback
    /// may wait, and nothing of the client or the request is held here: whoever has the answer may
    /// free the one, and wants the other forgotten.
    fn run(self: Arc<Self>, (task, request): Work) {
        let answer = catch_unwind(AssertUnwindSafe(|| self.answer(&task, &request)));
        let answer = answer.unwrap_or_else(|_| Err(bug()));
        self.go_on(self.turns().pass_on());
        drop((self, request));
        task.completion.answer(answer.map(Arc::new));
    }

    fn answer(&self, task: &Task, request: &Checked) -> Result<Response, Error> {
        let waits = self.limits.wait_for_recovery;
        let mut attempts = Attempts::new(request.repeats(), waits, task.deadline_ms);
        let mut before = None;
        loop {
            let token = self.token(task)?;
            let Some(attempt) = self.attempt(task, request, &token) else {
                // What the last one came to says more.
                return before.unwrap_or_else(|| Err(too_late()));
            };
            let next = attempts.next(end(&attempt), self.now_ms(), random());
            let goes_on = match next {
                Next::Finish => false,
                Next::Renew => self.tokens.invalidate(token.set()).is_ok(),
                Next::Again(ms) => task.cancel.sleep(Duration::from_millis(ms.unsigned_abs())),
            };
            let end = self.conclude(attempt, request, &token, task.deadline_ms);
            if !goes_on {
                return end;
            }
            // A 401 says nothing once there is another token.
            before = Some(end).filter(|_| next != Next::Renew);
        }
    }

    fn token(&self, task: &Task) -> Result<Arc<Token>, Error> {
        if let Some(token) = self.tokens.read() {
            return Ok(token);
        }
        let request = TokenRequest {
            purpose: Purpose::Token,
            min_validity_ms: 0,
            deadline_ms: task.deadline_ms,
            wait_for_recovery: self.limits.wait_for_recovery,
            needs_timer: self.limits.wait_for_recovery,
        };
        let token = self.tokens.get_by(request, &task.awaits_token()?);
        // It would keep the token as long as the operation.
        lock(&task.token).take();
        token
    }

    /// Makes the request once, if there is time left for it.
    fn attempt(&self, task: &Task, request: &Checked, token: &Token) -> Option<Attempt> {
        let left = task.deadline_ms.saturating_sub(self.now_ms());
        if left <= 0 {
            return None;
        }
        let mut json = request.json.as_deref().map(str::as_bytes);
        let attempt = self.http.exchange(
            Request {
                method: &request.method,
                path: &request.path,
                headers: &[("authorization", token.authorization())],
                body: json.as_mut().map(|json| Body {
                    content_type: "application/json",
                    length: json.len() as u64,
                    source: json,
                    asks_first: false,
                }),
            },
            &Terms {
                patience: self
                    .http
                    .patience(Some(Duration::from_millis(left.unsigned_abs()))),
                largest_reply: self.limits.largest_reply,
                connections: Some(&self.connections),
                cancel: Some(&task.cancel),
            },
        );
        if let Err(failure) = &attempt
            && failure.kept
            && failure.error.status == Status::NetworkError
        {
            // What closed one of them may have closed them all.
            self.connections.clear();
        }
        Some(attempt)
    }

    /// What the last attempt means to the caller.
    fn conclude(
        &self,
        attempt: Attempt,
        request: &Checked,
        token: &Token,
        deadline_ms: i64,
    ) -> Result<Response, Error> {
        match attempt {
            Ok(Reply {
                status: status @ 200..=299,
                headers,
                body: Ok(body),
                ..
            }) => Ok(Response::new(status, headers, body, self.http.prefix())),
            Ok(reply) => {
                let path = request.secrets();
                let mut secrets: Vec<&str> = path.iter().map(String::as_str).collect();
                secrets.extend([token.access_token(), token.refresh_token()]);
                secrets.extend(self.limits.api_key.as_deref().map(Secret::as_str));
                Err(refusal::of(&reply, &self.server, request, &secrets))
            }
            Err(failure) => {
                let is_late = self.now_ms() >= deadline_ms;
                Err(refusal::of_failure(*failure, request, is_late))
            }
        }
    }

    fn now_ms(&self) -> i64 {
        self.tokens.now().mono_ms
    }
}

type Attempt = Result<Reply, Box<Failure>>;

/// How an attempt ended, to the policy.
fn end(attempt: &Attempt) -> End {
    let may_mend = |error: &Error| matches!(error.status, Status::NetworkError | Status::Timeout);
    match attempt {
        Ok(Reply {
            status: 200..=299,
            body: Err(why),
            ..
        }) if may_mend(why) => End::BrokenOff,
        Ok(Reply {
            status: 200..=299,
            body: Err(_),
            ..
        }) => End::Hopeless,
        // What a server says that is about to close an idle connection.
        Ok(Reply {
            status: 408,
            kept: true,
            ..
        }) => End::Lost {
            sent: true,
            kept: true,
        },
        Ok(reply) if reply.status == 401 && !rejects_access_token(reply.bytes()) => End::Hopeless,
        Ok(reply) => End::Reply {
            status: reply.status,
            asked_ms: reply.asked_ms(),
        },
        Err(failure) if may_mend(&failure.error) => End::Lost {
            sent: failure.sent,
            kept: failure.kept,
        },
        Err(_) => End::Hopeless,
    }
}

fn closed() -> Error {
    Error::new(
        Status::Closed,
        "The client was freed while this request was under way.",
    )
}

fn too_late() -> Error {
    Error::new(
        Status::Timeout,
        "The wait timeout was over before the request could be sent.",
    )
}

fn bug() -> Error {
    Error::new(
        Status::Internal,
        "A bug in libapivideo was caught while it made a request. Please report it.",
    )
}
