//! An upload: a video's source on its way to api.video, in chunks, through whatever goes wrong.
//!
//! - [`policy`]: how large, how many, how often. Numbers.
//! - [`chunks`]: how a source is cut. [`pace`]: how many chunks api.video lets through.
//! - [`exchange`]: one chunk or one question, as the state sees it.
//! - [`state`]: what is known, and what follows from an event. Pure.
//! - [`options`]: what a program says. [`file`], [`writer`]: where the bytes come from.
//! - [`envelope`], [`reply`]: what goes over the wire, and what comes back.
//! - [`handle`]: what a program holds. [`task`]: one upload under way. [`lane`]: its threads.
//!   [`progress`]: how far it is.
//!
//! [`Uploads`] starts them, and ends those of a client that is freed.

pub(crate) mod chunks;
pub(crate) mod envelope;
pub(crate) mod exchange;
pub(crate) mod file;
pub(crate) mod handle;
pub(crate) mod lane;
pub(crate) mod options;
pub(crate) mod pace;
pub(crate) mod policy;
pub(crate) mod progress;
pub(crate) mod reply;
pub(crate) mod state;
pub(crate) mod task;
#[cfg(test)]
mod tests;
pub(crate) mod writer;

use std::sync::Arc;

use crate::cache::TokenCache;
use crate::cache::events::{LogLevel, Observer};
use crate::clock::{Clock, Context, SystemClock, random};
use crate::config::Server;
use crate::error::{Error, Status};
use crate::ffi::secret::Secret;
use crate::ffi::sys;
use crate::http::Http;
use crate::process::under_way::UnderWay;
use crate::request::response::Response;
use lane::Lane;
use options::Plan;
use task::Task;

pub(crate) type UploadState = state::State<Arc<Response>>;

/// Makes a client's uploads.
pub(crate) struct Uploads {
    http: Arc<Http>,
    server: Server,
    tokens: Arc<TokenCache>,
    observer: Box<dyn Observer>,
    wait_timeout_ms: u32,
    largest_reply: u64,
    pub(crate) api_key: Option<Arc<Secret>>,
    under_way: UnderWay<Task>,
}

/// What uploads need of their client.
pub(crate) struct Dependencies {
    pub(crate) http: Arc<Http>,
    pub(crate) server: Server,
    pub(crate) tokens: Arc<TokenCache>,
    pub(crate) observer: Box<dyn Observer>,
    pub(crate) wait_timeout_ms: u32,
    pub(crate) largest_reply: u64,
    pub(crate) api_key: Option<Arc<Secret>>,
}

impl Uploads {
    pub(crate) fn new(of: Dependencies) -> Arc<Uploads> {
        Arc::new(Uploads {
            http: of.http,
            server: of.server,
            tokens: of.tokens,
            observer: of.observer,
            wait_timeout_ms: of.wait_timeout_ms,
            largest_reply: of.largest_reply,
            api_key: of.api_key,
            under_way: UnderWay::new(),
        })
    }

    /// All of an upload but its threads.
    pub(crate) fn prepare(&self, plan: Plan) -> Result<Arc<Task>, Error> {
        if self.under_way.is_closed() {
            return Err(closed());
        }
        let task = Arc::new(Task::new(plan, self.http.prefix()));
        if !self.under_way.add(&task) {
            task.end(closed());
        }
        Ok(task)
    }

    /// Starts its threads.
    pub(crate) fn begin(self: &Arc<Self>, task: &Arc<Task>) -> Result<(), Error> {
        for number in 0..task.lanes() {
            let lane = Lane {
                uploads: Arc::clone(self),
                task: Arc::clone(task),
            };
            match sys::spawn("apivideo-upload", move || lane.run()) {
                Ok(()) => {}
                Err(why) if number == 0 => {
                    let error = Error::no_thread(&why);
                    task.end(error.clone());
                    return Err(error);
                }
                // The others do it, if more slowly.
                Err(_) => break,
            }
        }
        Ok(())
    }

    /// No more uploads; those under way end with an error.
    pub(crate) fn close(&self) {
        self.under_way.close(|task| task.end(closed()));
    }

    fn log(&self, level: LogLevel, line: impl FnOnce() -> String) {
        if self.observer.wants(level) && !self.under_way.is_closed() {
            self.observer.log(level, &line());
        }
    }
}

/// The time and the chance of an event.
fn context() -> Context {
    Context {
        now: SystemClock.now(),
        random: random(),
    }
}

/// The error of an upload whose client is gone.
pub(crate) fn closed() -> Error {
    Error::new(
        Status::Closed,
        "The client was freed while this upload was under way. It can be resumed.",
    )
}
