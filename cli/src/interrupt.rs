//! Ctrl-C, and what ends a process otherwise: the upload under way is cancelled, so that it can be
//! told how to go on. A second time ends the process at once.

use std::process::exit;
use std::sync::{Arc, Mutex, PoisonError};

use apivideo::StartedUpload;

/// The upload that an interruption ends.
#[derive(Clone, Default)]
pub(crate) struct UnderWay(Arc<Mutex<Option<StartedUpload>>>);

impl UnderWay {
    /// Of the process: it is called once. Where the system refuses, an interruption just ends it.
    pub(crate) fn watched() -> UnderWay {
        let under_way = UnderWay::default();
        let watched = under_way.clone();
        let _ = ctrlc::set_handler(move || match watched.take() {
            Some(upload) => upload.cancel(),
            None => exit(130),
        });
        under_way
    }

    pub(crate) fn set(&self, upload: StartedUpload) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(upload);
    }

    pub(crate) fn take(&self) -> Option<StartedUpload> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
