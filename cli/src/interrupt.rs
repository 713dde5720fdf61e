//! Ctrl-C, and what ends a process otherwise: the upload under way is cancelled, so that it can be
//! told how to go on. A second time, or where none is under way, it ends the process at once.

use std::mem::replace;
use std::process::exit;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use apivideo::StartedUpload;

enum Now {
    Idle,
    Uploading(StartedUpload),
    Interrupted,
}

/// The upload that an interruption ends.
#[derive(Clone)]
pub(crate) struct UnderWay(Arc<Mutex<Now>>);

impl UnderWay {
    fn new() -> UnderWay {
        UnderWay(Arc::new(Mutex::new(Now::Idle)))
    }

    /// Of the process: it is called once. Where the system refuses, an interruption just ends it.
    pub(crate) fn watched() -> UnderWay {
        let under_way = UnderWay::new();
        let watched = under_way.clone();
        let _ = ctrlc::set_handler(move || {
            if !watched.interrupt() {
                exit(130);
            }
        });
        under_way
    }

    /// Whether there was an upload to end.
    fn interrupt(&self) -> bool {
        let before = replace(&mut *self.now(), Now::Interrupted);
        match before {
            Now::Uploading(upload) => {
                upload.cancel();
                true
            }
            Now::Idle | Now::Interrupted => false,
        }
    }

    pub(crate) fn begin(&self, upload: StartedUpload) {
        *self.now() = Now::Uploading(upload);
    }

    /// It is over, if not by an interruption: that is remembered.
    pub(crate) fn end(&self) {
        let mut now = self.now();
        if matches!(*now, Now::Uploading(_)) {
            *now = Now::Idle;
        }
    }

    pub(crate) fn is_interrupted(&self) -> bool {
        matches!(*self.now(), Now::Interrupted)
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use apivideo::{Client, Config};

    use super::*;

    #[test]
    fn an_interruption_is_remembered_when_its_upload_is_over() {
        let client = Client::without_key(&Config::default()).unwrap();
        let upload = StartedUpload::clone(&client.new_upload());
        let under_way = UnderWay::new();
        under_way.begin(upload.clone());
        under_way.end();
        assert!(!under_way.is_interrupted());
        under_way.begin(upload);
        assert!(under_way.interrupt());
        under_way.end();
        assert!(under_way.is_interrupted());
        assert!(!under_way.interrupt(), "a second time");
    }
}
