//! What a program holds of an upload.

use std::ffi::CStr;
use std::ops::Deref;
use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::file::SourceFile;
use super::options::{Options, Progress, ProgressFn};
use super::task::{Task, cancelled};
use super::{Uploads, closed};
use crate::error::Error;
use crate::request::response::Response;

/// An upload: first its settings, then, once it is started, the upload itself. Dropping it cancels
/// it; the video can be resumed.
pub struct Upload {
    uploads: Weak<Uploads>,
    /// None once it is started.
    options: Option<Options>,
    started: StartedUpload,
}

impl Upload {
    pub(crate) fn new(uploads: &Arc<Uploads>) -> Upload {
        Upload {
            uploads: Arc::downgrade(uploads),
            options: Some(Options::default()),
            started: StartedUpload { task: None },
        }
    }

    /// Sets the video that the source is for: it was made with `POST /videos`.
    pub fn set_video_id(&mut self, video_id: &str) -> Result<(), Error> {
        self.options()?.set_video_id(video_id)
    }

    /// Sets an upload token, which makes the video, or, with [`Upload::set_video_id`], sends to
    /// that one.
    pub fn set_token(&mut self, token: &str) -> Result<(), Error> {
        self.options()?.set_token(token)
    }

    /// Whether a file can be sent: for who makes a video for it only then. [`Upload::start`] looks
    /// again.
    pub fn check_file(path: &str) -> Result<(), Error> {
        SourceFile::open(Path::new(path)).map(drop)
    }

    /// Sets the file to send. Without one, the program writes the bytes.
    pub fn set_file(&mut self, path: &str) -> Result<(), Error> {
        self.options()?.set_file(path)
    }

    /// Sets the name that api.video is told. Default: the file's own, or `video`. It names a video
    /// that an upload token makes.
    pub fn set_file_name(&mut self, name: &str) -> Result<(), Error> {
        self.options()?.set_file_name(name)
    }

    /// Sets how many bytes the program will write: 1 to 52,428,800,000. Default: as many as come.
    /// More are an error, fewer when [`StartedUpload::finish`] is called, and neither is a video.
    pub fn set_size(&mut self, bytes: u64) -> Result<(), Error> {
        self.options()?.set_size(bytes)
    }

    /// Sets the size of a chunk: 5 to 200 MiB. Default: of a file, by its size, 5 to 50 MiB; of
    /// what is written, 16 MiB.
    pub fn set_chunk_size(&mut self, bytes: u64) -> Result<(), Error> {
        self.options()?.set_chunk_size(bytes)
    }

    /// Sets how many chunks are sent side by side: 1 to 8. Default: of a file, 1; of what is
    /// written, 2.
    pub fn set_parallel(&mut self, count: u32) -> Result<(), Error> {
        self.options()?.set_parallel(count)
    }

    /// Sets whether to ask what an earlier upload has sent, and to send only the rest.
    pub fn set_resume(&mut self, resume: bool) -> Result<(), Error> {
        self.options()?.resume = resume;
        Ok(())
    }

    /// Sets a callback that is told how far the upload is: when a chunk has arrived, and while
    /// bytes are sent up to ten times a second. It is called on the library's threads, one call at
    /// a time.
    pub fn set_on_progress(
        &mut self,
        callback: impl Fn(Progress) + Send + Sync + 'static,
    ) -> Result<(), Error> {
        self.set_progress_fn(Some(Arc::new(callback)))
    }

    pub(crate) fn set_progress_fn(&mut self, callback: Option<ProgressFn>) -> Result<(), Error> {
        self.options()?.on_progress = callback;
        Ok(())
    }

    fn options(&mut self) -> Result<&mut Options, Error> {
        self.options.as_mut().ok_or_else(|| {
            Error::invalid("The upload was started: its settings cannot be changed any more.")
        })
    }

    /// Starts it. A file is opened now.
    pub fn start(&mut self) -> Result<(), Error> {
        self.prepare()?.begin()
    }

    /// All of a start but its threads: once they run, a callback may free the upload itself.
    pub(crate) fn prepare(&mut self) -> Result<Prepared, Error> {
        let uploads = self.uploads.upgrade().ok_or_else(closed)?;
        self.options()?;
        let plan = self
            .options
            .take()
            .unwrap_or_default()
            .plan(uploads.api_key.is_some())?;
        let task = uploads.prepare(plan)?;
        self.started.task = Some(Arc::clone(&task));
        Ok(Prepared { uploads, task })
    }

    /// What calls need, to use while a callback may free the upload itself.
    #[cfg(feature = "capi")]
    pub(crate) fn started(&self) -> StartedUpload {
        self.started.clone()
    }

    /// [`StartedUpload::video_id`] with a NUL at its end, for as long as this lives.
    #[cfg(feature = "capi")]
    pub(crate) fn video_id_c(&self) -> &CStr {
        self.started.video_id_c()
    }
}

impl Deref for Upload {
    type Target = StartedUpload;

    fn deref(&self) -> &StartedUpload {
        &self.started
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if let Some(task) = &self.started.task {
            task.forget();
            task.end(cancelled());
        }
    }
}

/// An upload that has all but its threads.
pub(crate) struct Prepared {
    uploads: Arc<Uploads>,
    task: Arc<Task>,
}

impl Prepared {
    pub(crate) fn begin(self) -> Result<(), Error> {
        self.uploads.begin(&self.task)
    }
}

/// What an [`Upload`] does once it is started. A clone may be used while a callback frees the
/// upload itself.
#[derive(Clone)]
pub struct StartedUpload {
    task: Option<Arc<Task>>,
}

impl StartedUpload {
    fn task(&self) -> Result<&Arc<Task>, Error> {
        self.task
            .as_ref()
            .ok_or_else(|| Error::invalid("The upload was not started."))
    }

    /// Hands bytes over, of an upload without a file. Waits until there is room for them: of the
    /// chunks that have not arrived, as many are held as may be sent side by side.
    pub fn write(&self, bytes: &[u8]) -> Result<(), Error> {
        self.task()?.write(bytes)
    }

    /// No more bytes will come. Does not wait for what was written.
    pub fn finish(&self) -> Result<(), Error> {
        self.task()?.finish()
    }

    /// The answer, if it comes within `timeout`: api.video's with the video, in JSON.
    pub fn wait(&self, timeout: Duration) -> Option<Result<Arc<Response>, Error>> {
        match self.task() {
            Ok(task) => task.wait(timeout),
            Err(error) => Some(Err(error)),
        }
    }

    /// Calls `callback` once when the upload is over, on whatever thread ends it: on this one,
    /// before this returns, if it is over already.
    pub fn on_complete(&self, callback: impl FnOnce() + Send + 'static) -> Result<(), Error> {
        self.task()?.on_answer(Box::new(callback))
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        self.task
            .as_ref()
            .map(|task| task.progress())
            .unwrap_or_default()
    }

    /// The video's id; empty while it has none: by an upload token, until the first chunk has
    /// arrived.
    pub fn video_id(&self) -> &str {
        self.video_id_c().to_str().unwrap_or_default()
    }

    fn video_id_c(&self) -> &CStr {
        self.task.as_ref().map_or(c"", |task| task.video_id())
    }

    /// Ends the upload with [`Status::Cancelled`], unless it is over, and at once. The video can be
    /// resumed.
    ///
    /// [`Status::Cancelled`]: crate::Status::Cancelled
    pub fn cancel(&self) {
        if let Some(task) = &self.task {
            task.end(cancelled());
        }
    }
}
