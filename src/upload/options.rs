//! What a program says of an upload, before it starts.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::file::SourceFile;
use super::policy::{self, LARGEST_CHUNK, LARGEST_SOURCE, MOST_PARALLEL, SMALLEST_CHUNK};
use super::state::Settings;
use crate::config::in_range;
use crate::error::Error;
use crate::ffi::secret::Secret;
use crate::text::is_visible;

const LONGEST_ID: usize = 100;
const LONGEST_TOKEN: usize = 1_000;
const LONGEST_NAME: usize = 255;
/// A stream that names no file.
const NAMELESS: &str = "video";

/// How far an upload has come, in bytes. Neither number ever goes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// What api.video has said it has.
    pub acknowledged: u64,
    /// With what was sent, and is not acknowledged.
    pub sent: u64,
    /// All of it; 0 while that is not known.
    pub total: u64,
}

pub(crate) type ProgressFn = Arc<dyn Fn(Progress) + Send + Sync>;

/// Checked one by one; [`Options::plan`] checks how they go together.
#[derive(Default)]
pub(crate) struct Options {
    video_id: Option<String>,
    token: Option<Secret>,
    file: Option<PathBuf>,
    file_name: Option<String>,
    size: Option<u64>,
    chunk_size: Option<u64>,
    parallel: Option<u32>,
    pub(crate) resume: bool,
    pub(crate) on_progress: Option<ProgressFn>,
}

/// What an upload is, and where its bytes come from.
pub(crate) struct Plan {
    pub(crate) settings: Settings,
    /// None: the program hands the bytes over.
    pub(crate) file: Option<SourceFile>,
    pub(crate) file_name: String,
    pub(crate) token: Option<Secret>,
    pub(crate) on_progress: Option<ProgressFn>,
}

/// Whether a text has the form of a video's id, so that it is safe in a path.
pub(super) fn is_video_id(text: &str) -> bool {
    let is_ok = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    !text.is_empty() && text.len() <= LONGEST_ID && text.bytes().all(is_ok)
}

impl Options {
    pub(crate) fn set_video_id(&mut self, video_id: &str) -> Result<(), Error> {
        if !is_video_id(video_id) {
            return Err(Error::invalid(
                "`video_id` must be the id of a video, such as vi4k0jvEUuaTdRAEjQ4Jfrgz.",
            ));
        }
        self.video_id = Some(video_id.to_owned());
        Ok(())
    }

    pub(crate) fn set_token(&mut self, token: &str) -> Result<(), Error> {
        if token.len() > LONGEST_TOKEN || !is_visible(token) {
            return Err(Error::invalid(
                "`token` must be an upload token: 1 to 1,000 visible characters of ASCII.",
            ));
        }
        self.token = Some(Secret::new(token));
        Ok(())
    }

    pub(crate) fn set_file(&mut self, path: &str) -> Result<(), Error> {
        if path.is_empty() {
            return Err(Error::invalid("`path` is empty."));
        }
        self.file = Some(PathBuf::from(path));
        Ok(())
    }

    pub(crate) fn set_file_name(&mut self, name: &str) -> Result<(), Error> {
        if name.is_empty() || name.len() > LONGEST_NAME || name.contains(char::is_control) {
            return Err(Error::invalid(
                "`name` must have 1 to 255 bytes, and no control characters.",
            ));
        }
        self.file_name = Some(name.to_owned());
        Ok(())
    }

    pub(crate) fn set_size(&mut self, size: u64) -> Result<(), Error> {
        self.size = Some(in_range("size", size, 1..=LARGEST_SOURCE)?);
        Ok(())
    }

    pub(crate) fn set_chunk_size(&mut self, size: u64) -> Result<(), Error> {
        self.chunk_size = Some(in_range(
            "chunk_size",
            size,
            SMALLEST_CHUNK..=LARGEST_CHUNK,
        )?);
        Ok(())
    }

    pub(crate) fn set_parallel(&mut self, count: u32) -> Result<(), Error> {
        self.parallel = Some(in_range("parallel", count, 1..=MOST_PARALLEL)?);
        Ok(())
    }

    /// All of it together. The file is opened.
    pub(crate) fn plan(self, has_key: bool) -> Result<Plan, Error> {
        self.check(has_key)?;
        let file = self.file.as_deref().map(SourceFile::open).transpose()?;
        let size = file.as_ref().map(SourceFile::size).or(self.size);
        if let Some(size) = size {
            in_range("size", size, 1..=LARGEST_SOURCE)?;
        }
        let (chunk_size, parallel) = match &file {
            Some(file) => (policy::chunk_of_a_file(file.size()), 1),
            // So that a program may write while a chunk is sent.
            None => (policy::chunk_of_a_stream(), 2),
        };
        let file_name = self.file_name.or_else(|| name_of(self.file.as_deref()?));
        Ok(Plan {
            settings: Settings {
                size,
                is_pushed: file.is_none(),
                chunk_size: self.chunk_size.unwrap_or(chunk_size),
                parallel: self.parallel.unwrap_or(parallel) as usize,
                resume: self.resume,
                by_token: self.token.is_some(),
                video_id: self.video_id,
                has_key,
            },
            file,
            file_name: file_name.unwrap_or_else(|| NAMELESS.to_owned()),
            token: self.token,
            on_progress: self.on_progress,
        })
    }

    fn check(&self, has_key: bool) -> Result<(), Error> {
        let refuse = |why: &str| Err(Error::invalid(why));
        if self.video_id.is_none() && self.token.is_none() {
            return refuse(
                "An upload needs `video_id`, of a video made with POST /videos, or `token`, an upload \
                 token.",
            );
        }
        if !has_key && self.token.is_none() {
            return refuse("A client without an API key can upload by `token` only.");
        }
        if self.resume && (!has_key || self.video_id.is_none()) {
            return refuse(
                "To resume an upload takes `video_id` and a client with an API key: an upload token \
                 cannot ask what has arrived.",
            );
        }
        if self.file.is_some() && self.size.is_some() {
            return refuse("`size` is for an upload without `file`: a file has one.");
        }
        Ok(())
    }
}

fn name_of(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_string_lossy();
    Some(name.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Status;

    fn plan(has_key: bool, set: impl FnOnce(&mut Options)) -> Result<Plan, Error> {
        let mut options = Options::default();
        set(&mut options);
        options.plan(has_key)
    }

    fn refused(result: Result<impl Sized, Error>, why: &str) {
        let error = result.err().unwrap();
        assert_eq!(error.status, Status::InvalidArgument);
        assert!(error.message.contains(why), "{error}");
        assert!(!error.message.contains("hush"), "{error}");
    }

    #[test]
    fn each_option_has_its_range() {
        let mut options = Options::default();
        for id in ["vi1", "vi4k0jvEUuaTdRAEjQ4Jfrgz", "a-b_c"] {
            options.set_video_id(id).unwrap();
        }
        for id in [
            "",
            "../x",
            "a/b",
            "a b",
            "a?b",
            "a%2f",
            "é",
            &"x".repeat(101),
        ] {
            refused(options.set_video_id(id), "`video_id`");
        }
        options.set_token("to1!/?=&").unwrap();
        for token in ["", "hush hush", "hush\n", "é", &"x".repeat(1_001)] {
            refused(options.set_token(token), "`token`");
        }
        for name in ["", "a\r\nb", "a\0", &"x".repeat(256)] {
            refused(options.set_file_name(name), "`name`");
        }
        refused(options.set_file(""), "`path`");
        refused(options.set_size(0), "`size`");
        refused(options.set_size(LARGEST_SOURCE + 1), "`size`");
        options.set_size(LARGEST_SOURCE).unwrap();
        refused(options.set_chunk_size(SMALLEST_CHUNK - 1), "`chunk_size`");
        refused(options.set_chunk_size(LARGEST_CHUNK + 1), "`chunk_size`");
        options.set_chunk_size(LARGEST_CHUNK).unwrap();
        refused(options.set_parallel(0), "`parallel`");
        refused(options.set_parallel(9), "`parallel`");
        options.set_parallel(8).unwrap();
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        refused(plan(true, |_| ()), "needs `video_id`");
        let id = |options: &mut Options| options.set_video_id("vi1").unwrap();
        let token = |options: &mut Options| options.set_token("hush").unwrap();
        refused(plan(false, id), "without an API key");
        let resume = |options: &mut Options| options.resume = true;
        refused(
            plan(true, |o| {
                token(o);
                resume(o);
            }),
            "To resume",
        );
        refused(
            plan(false, |o| {
                id(o);
                token(o);
                resume(o);
            }),
            "To resume",
        );
        refused(
            plan(true, |o| {
                id(o);
                o.set_file("Cargo.toml").unwrap();
                o.set_size(7).unwrap();
            }),
            "`size`",
        );
    }

    #[test]
    fn a_file_and_a_stream_have_their_own_defaults() {
        let file = plan(true, |o| {
            o.set_video_id("vi1").unwrap();
            o.set_file("src/lib.rs").unwrap();
        })
        .unwrap();
        assert_eq!(file.file_name, "lib.rs");
        assert_eq!(file.settings.size, file.file.as_ref().map(SourceFile::size));
        assert_eq!(
            (file.settings.chunk_size, file.settings.parallel),
            (SMALLEST_CHUNK, 1)
        );
        let stream = plan(false, |o| o.set_token("hush").unwrap()).unwrap();
        assert_eq!(stream.file_name, "video");
        assert_eq!((stream.settings.size, stream.settings.parallel), (None, 2));
        assert!(stream.settings.by_token && stream.settings.is_pushed);
    }
}
