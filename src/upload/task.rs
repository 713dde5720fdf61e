//! One upload under way: its state behind a lock, and what a program sees of it.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use once_cell::race::OnceBox;

use super::chunks::Chunk;
use super::exchange::Ask;
use super::file::SourceFile;
use super::options::{Plan, Progress};
use super::progress::{Counters, Reporter};
use super::state::{Completed, Effects, Fill, State};
use super::writer::{Chunks, Writer};
use crate::cache::completion::Completion;
use crate::error::{Error, Status};
use crate::ffi::secret::Secret;
use crate::ffi::sys;
use crate::http::{Cancel, Connections, Headers};
use crate::process::sync::{Condvar, Mutex, MutexGuard, lock};
use crate::request::response::Response;

/// A condition variable's time stands still while the machine sleeps, so no wait is longer.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// An upload, as its lanes and whoever waits for it see it.
pub(crate) struct Task {
    completion: Completion<Arc<Response>>,
    pub(super) cancel: Cancel,
    /// Its own: what is cancelled must not close others'.
    pub(super) connections: Connections,
    pub(super) file_name: String,
    pub(super) token: Option<Secret>,
    /// The base URL's path.
    prefix: String,
    source: Source,
    shared: Mutex<Shared>,
    changed: Condvar,
    pub(super) counters: Counters,
    has_more_to_tell: AtomicBool,
    reporter: Reporter,
    video_id: OnceBox<CString>,
    pub(super) contact: Contact,
}

/// What is known of the server.
#[derive(Default)]
pub(super) struct Contact {
    /// It has answered.
    pub(super) was_made: AtomicBool,
    /// It does not say whether it wants a body, when it is asked.
    pub(super) is_silent: AtomicBool,
}

enum Source {
    File(SourceFile),
    Pushed(Mutex<Writer>),
}

struct Shared {
    state: State<Arc<Response>>,
    /// The bytes of a stream's chunks, until they are acknowledged.
    buffers: BTreeMap<Chunk, Arc<Vec<u8>>>,
}

impl Task {
    pub(crate) fn new(plan: Plan, prefix: &str) -> Task {
        let state = State::new(plan.settings);
        let task = Task {
            completion: Completion::new(),
            cancel: Cancel::default(),
            connections: Connections::new(),
            file_name: plan.file_name,
            token: plan.token,
            prefix: prefix.to_owned(),
            source: match plan.file {
                Some(file) => Source::File(file),
                None => Source::Pushed(Mutex::new(Writer::new(state.size()))),
            },
            shared: Mutex::new(Shared {
                state,
                buffers: BTreeMap::new(),
            }),
            changed: Condvar::new(),
            counters: Counters::default(),
            has_more_to_tell: AtomicBool::new(false),
            reporter: Reporter::new(plan.on_progress),
            video_id: OnceBox::new(),
            contact: Contact::default(),
        };
        task.change(|_| ());
        task
    }

    // --- What a program asks ---

    /// The answer, if it is there within `timeout`.
    pub(crate) fn wait(&self, timeout: Duration) -> Option<Result<Arc<Response>, Error>> {
        self.completion.wait(timeout)
    }

    pub(crate) fn on_answer(&self, callback: Box<dyn FnOnce() + Send>) -> Result<(), Error> {
        self.completion.on_answer(callback)
    }

    pub(crate) fn progress(&self) -> Progress {
        self.counters.progress()
    }

    /// Empty while there is none.
    pub(crate) fn video_id(&self) -> &CStr {
        self.video_id.get().map_or(c"", CString::as_c_str)
    }

    pub(crate) fn write(&self, bytes: &[u8]) -> Result<(), Error> {
        let writer = self.writer()?;
        self.failure().map_or(Ok(()), Err)?;
        let written = lock(writer).write(bytes, self);
        self.tell();
        // Some of the bytes may be taken: whoever resumes finds out how many.
        written.inspect_err(|error| match error.status {
            Status::InvalidArgument => {}
            _ => self.end(error.clone()),
        })
    }

    pub(crate) fn finish(&self) -> Result<(), Error> {
        let writer = self.writer()?;
        self.failure().map_or(Ok(()), Err)?;
        let finished = lock(writer).finish(self);
        self.tell();
        finished.inspect_err(|error| self.end(error.clone()))
    }

    /// Why it has failed, if it has.
    fn failure(&self) -> Option<Error> {
        lock(&self.shared).state.result()?.as_ref().err().cloned()
    }

    /// Of an upload without a file, in the process that began it.
    fn writer(&self) -> Result<&Mutex<Writer>, Error> {
        if !self.completion.is_ours() {
            return Err(cancelled());
        }
        match &self.source {
            Source::Pushed(writer) => Ok(writer),
            Source::File(_) => Err(Error::invalid(
                "The upload reads its file itself: nothing can be written to it.",
            )),
        }
    }

    /// Ends it with this error, unless it has ended, and at once. The video can be resumed.
    pub(crate) fn end(&self, error: Error) {
        // A forked child must leave its parent's connections alone, and its locks.
        if self.completion.is_ours() {
            self.change(|shared| shared.state.fail(error));
        }
    }

    /// No progress is told any more.
    pub(crate) fn forget(&self) {
        if self.completion.is_ours() {
            self.reporter.close();
        }
    }

    // --- What its lanes ask ---

    /// The next thing to do, when there is one. None: it is over.
    pub(super) fn next(&self) -> Option<Ask> {
        let mut shared = lock(&self.shared);
        loop {
            let now = sys::mono_ms();
            match shared.state.next(now) {
                Ask::End => return None,
                Ask::Wait(until) => shared = self.wait_for_change(shared, until.map(|at| at - now)),
                ask => return Some(ask),
            }
        }
    }

    fn wait_for_change<'a>(
        &self,
        shared: MutexGuard<'a, Shared>,
        ms: Option<i64>,
    ) -> MutexGuard<'a, Shared> {
        let asked = ms.map(|ms| Duration::from_millis(ms.max(0).unsigned_abs()));
        let time = asked.unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT);
        let waited = self.changed.wait_timeout(shared, time);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Tells the state what came of something, and carries out what concerns the program.
    pub(super) fn report(&self, tell: impl FnOnce(&mut State<Arc<Response>>)) -> Effects {
        self.change(|shared| {
            tell(&mut shared.state);
            shared.state.take_effects()
        })
    }

    /// The bytes of a chunk.
    pub(super) fn read(&self, chunk: Chunk) -> Box<dyn Read + '_> {
        match &self.source {
            Source::File(file) => Box::new(file.read(chunk)),
            Source::Pushed(_) => {
                let buffer = lock(&self.shared).buffers.get(&chunk).cloned();
                Box::new(io::Cursor::new(Held(buffer.unwrap_or_default())))
            }
        }
    }

    /// Why the bytes of a chunk cannot be had.
    pub(super) fn explain(&self, why: &io::Error) -> Error {
        match &self.source {
            Source::File(file) => file.explain(why),
            Source::Pushed(_) => Error::new(Status::Internal, "A chunk's bytes are not there."),
        }
    }

    pub(super) fn told_video_id(&self) -> Option<&str> {
        self.video_id.get()?.to_str().ok()
    }

    /// Bytes are on their way.
    pub(super) fn moved(&self) {
        if self.reporter.report(&self.counters, sys::mono_ms(), false) {
            self.conclude();
        }
    }

    /// How many threads can work at it side by side.
    pub(super) fn lanes(&self) -> usize {
        lock(&self.shared).state.lanes()
    }

    // --- Changes ---

    fn change<R>(&self, act: impl FnOnce(&mut Shared) -> R) -> R {
        let result = self.apply(act);
        self.tell();
        result
    }

    /// A change of which the program is not told yet: a lock is held that it might ask for.
    fn apply<R>(&self, act: impl FnOnce(&mut Shared) -> R) -> R {
        let mut shared = lock(&self.shared);
        let result = act(&mut shared);
        let Shared { state, buffers } = &mut *shared;
        let (acknowledged, size) = (state.acknowledged(), state.size());
        let is_more = self.counters.acknowledge(acknowledged, size.unwrap_or(0));
        self.has_more_to_tell.fetch_or(is_more, Ordering::Relaxed);
        if let Some(id) = state.video_id().and_then(|id| CString::new(id).ok()) {
            let _ = self.video_id.set(Box::new(id));
        }
        let mut gone = Vec::new();
        buffers.retain(|chunk, bytes| {
            let is_held = state.holds(*chunk);
            gone.extend((!is_held).then(|| Arc::clone(bytes)));
            is_held
        });
        drop(shared);
        self.changed.notify_all();
        // Large, and wiped.
        drop(gone);
        result
    }

    /// Tells the program what it has not been told, with no lock held.
    fn tell(&self) {
        if self.has_more_to_tell.swap(false, Ordering::Relaxed) {
            self.reporter.report(&self.counters, sys::mono_ms(), true);
        }
        self.conclude();
    }

    /// Brings the answer, if it has ended. Whoever is told may take its time: the connections are
    /// cut before. That all has arrived is told before, and by whom that is left to, this is too.
    fn conclude(&self) {
        let Some(ended) = lock(&self.shared).state.result().cloned() else {
            return;
        };
        self.cancel.cancel();
        self.connections.clear();
        if ended.is_err() || self.reporter.report_end(&self.counters, sys::mono_ms()) {
            self.completion
                .answer(ended.map(|completed| self.response(completed)));
        }
    }

    /// The reply with the video; where nobody could get it, one that names it.
    fn response(&self, completed: Completed<Arc<Response>>) -> Arc<Response> {
        completed.reply.unwrap_or_else(|| {
            let id = completed.video_id.unwrap_or_default();
            let body = serde_json::json!({ "videoId": id })
                .to_string()
                .into_bytes();
            Arc::new(Response::new(201, Headers::default(), body, &self.prefix))
        })
    }
}

impl Chunks for Task {
    /// Waits until one chunk less is held.
    fn fill(&self) -> Result<Fill, Error> {
        let mut shared = lock(&self.shared);
        loop {
            match shared.state.result() {
                Some(Ok(_)) => return Ok(Fill::Nothing),
                Some(Err(error)) => return Err(error.clone()),
                None => {}
            }
            if shared.state.has_room() {
                let fill = shared.state.fill();
                if fill != Fill::NotYet {
                    return Ok(fill);
                }
            }
            shared = self.wait_for_change(shared, None);
        }
    }

    fn filled(&self, chunk: Chunk, bytes: Vec<u8>) {
        self.apply(|shared| {
            shared.buffers.insert(chunk, Arc::new(bytes));
            shared.state.filled(chunk);
        });
    }

    fn end(&self, size: u64, last: Option<(Chunk, Vec<u8>)>) {
        self.apply(|shared| {
            shared.state.end_at(size);
            if let Some((chunk, bytes)) = last {
                shared.buffers.insert(chunk, Arc::new(bytes));
                shared.state.filled(chunk);
            }
        });
    }
}

/// A chunk's bytes, which others may read too.
struct Held(Arc<Vec<u8>>);

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

pub(super) fn cancelled() -> Error {
    Error::new(
        Status::Cancelled,
        "The upload was cancelled, or belongs to the process that this one was forked from. It can be \
         resumed.",
    )
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::sync::mpsc::channel;
    use std::thread;

    use super::*;
    use crate::upload::context;
    use crate::upload::exchange::{Job, Receipt};
    use crate::upload::policy::SMALLEST_CHUNK as C;
    use crate::upload::state::Settings;

    fn task(on_progress: impl Fn(Progress) + Send + Sync + 'static) -> Task {
        let settings = Settings {
            size: Some(2 * C),
            is_pushed: true,
            chunk_size: C,
            parallel: 2,
            resume: false,
            by_token: false,
            video_id: Some("vi1".to_owned()),
            has_key: true,
        };
        let plan = Plan {
            settings,
            file: None,
            file_name: "video".to_owned(),
            token: None,
            on_progress: Some(Arc::new(on_progress)),
        };
        Task::new(plan, "")
    }

    fn job(task: &Task) -> Job {
        match task.next() {
            Some(Ask::Send(job)) => job,
            other => panic!("{other:?}"),
        }
    }

    fn arrived(task: &Task, job: &Job, is_video: bool) {
        let response = Response::new(201, Headers::default(), b"{}".to_vec(), "");
        let receipt = Receipt {
            video_id: None,
            reply: Arc::new(response),
            is_video,
        };
        task.report(|state| state.on_chunk(job.chunk, 1, Ok(receipt), None, context()));
    }

    #[test]
    fn who_waits_has_the_answer_only_when_the_program_was_told_of_all() {
        let told = Arc::new(std::sync::Mutex::new(Vec::new()));
        let (is_in, enters) = channel();
        let (leave, may_leave) = channel();
        let (recorder, may_leave) = (Arc::clone(&told), std::sync::Mutex::new(may_leave));
        let task = task(move |progress| {
            recorder.lock().unwrap().push(progress.acknowledged);
            if progress.acknowledged == C {
                is_in.send(()).unwrap();
                may_leave.lock().unwrap().recv().unwrap();
            }
        });
        task.write(&vec![1; 2 * C as usize]).unwrap();
        task.finish().unwrap();
        let (first, last) = (job(&task), job(&task));
        thread::scope(|scope| {
            scope.spawn(|| arrived(&task, &first, false));
            enters.recv().unwrap();
            arrived(&task, &last, true);
            let is_answered = task.wait(Duration::ZERO).is_some();
            leave.send(()).unwrap();
            assert!(!is_answered, "while the first chunk is still being told of");
        });
        task.wait(Duration::ZERO).unwrap().unwrap();
        assert_eq!(*told.lock().unwrap(), [C, 2 * C]);
    }
}
