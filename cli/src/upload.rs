//! `apivideo upload`.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Once};
use std::time::Duration;

use apivideo::{Client, Config, Error, Progress, Response, StartedUpload, Status, Upload};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use crate::args::UploadArguments;
use crate::failure::Failure;
use crate::interrupt::UnderWay;
use crate::output;

const MIB: u64 = 1024 * 1024;
const BAR: &str = "{wide_bar} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";

pub(crate) fn run(
    arguments: &UploadArguments,
    config: &Config,
    as_json: bool,
) -> Result<(), Failure> {
    let several = arguments.files.len() > 1;
    if several && (arguments.title.is_some() || arguments.video.is_some()) {
        let message = "--title and --video are for one file.";
        return Err(Failure::Usage(message.to_owned()));
    }
    let token = arguments.token.as_deref().map(token_of).transpose()?;
    let client = match token {
        Some(_) => Client::without_key(config)?,
        None => Client::from_environment(config)?,
    };
    let command = Command {
        client,
        token,
        arguments,
        as_json,
        under_way: UnderWay::watched(),
    };
    for file in &arguments.files {
        if command.under_way.is_interrupted() {
            return Err(Failure::Interrupted(format!("Interrupted before {file}.")));
        }
        let response = command.send(file)?;
        if as_json {
            output::line(response.body())?;
        } else {
            output::line(in_words(file, &response).as_bytes())?;
        }
    }
    Ok(())
}

/// The token itself, or that in a file.
fn token_of(given: &str) -> Result<String, Failure> {
    let Some(path) = given.strip_prefix('@') else {
        return Ok(given.to_owned());
    };
    match fs::read_to_string(path) {
        Ok(text) => Ok(text.trim().to_owned()),
        Err(why) => Err(Failure::Usage(format!(
            "The token's file {path:?} cannot be read: {why}."
        ))),
    }
}

struct Command<'a> {
    client: Client,
    token: Option<String>,
    arguments: &'a UploadArguments,
    as_json: bool,
    under_way: UnderWay,
}

impl Command<'_> {
    fn send(&self, file: &str) -> Result<Arc<Response>, Failure> {
        // Before a video is made that would stay without a source.
        Upload::check_file(file)?;
        let video = self.video_for(file)?;
        let bar = progress_bar();
        let mut upload = self.client.new_upload();
        self.set_up(&mut upload, file, video.as_deref())?;
        upload.set_on_progress(shown_by(bar.clone()))?;
        if let Some(id) = &video {
            self.tell_start(file, id);
        }
        upload.start()?;
        self.under_way.begin(StartedUpload::clone(&upload));
        let end = wait(&upload);
        self.under_way.end();
        bar.finish_and_clear();
        end.map_err(|error| self.explained(error, file, video.as_deref()))
    }

    /// None: an upload token makes it.
    fn video_for(&self, file: &str) -> Result<Option<String>, Failure> {
        match (&self.arguments.video, &self.token) {
            (None, None) => self.new_video(file).map(Some),
            (given, _) => Ok(given.clone()),
        }
    }

    /// Whoever is killed has said by then which video to go on with.
    fn tell_start(&self, file: &str, id: &str) {
        if self.as_json {
            let start = json!({"start": {"file": file, "videoId": id}});
            output::note(&start.to_string());
        } else {
            output::note(&format!("{file} goes to the video {id}."));
        }
    }

    fn set_up(&self, upload: &mut Upload, file: &str, video: Option<&str>) -> Result<(), Error> {
        upload.set_file(file)?;
        if let Some(id) = video {
            upload.set_video_id(id)?;
        }
        if let Some(token) = &self.token {
            upload.set_token(token)?;
        }
        if let Some(size) = self.arguments.chunk_size {
            upload.set_chunk_size(size.saturating_mul(MIB))?;
        }
        if let Some(count) = self.arguments.parallel {
            upload.set_parallel(count)?;
        }
        upload.set_resume(self.arguments.resume)
    }

    fn new_video(&self, file: &str) -> Result<String, Failure> {
        let name = Path::new(file).file_name().and_then(|name| name.to_str());
        let title = self.arguments.title.as_deref().or(name).unwrap_or(file);
        let json = json!({ "title": title }).to_string();
        let response = self.client.request("POST", "/videos", Some(&json))?;
        match member(&response, "videoId") {
            Some(id) => Ok(id),
            None => Err(Failure::Library(Error::new(
                Status::ProtocolError,
                "The reply to POST /videos names no video.",
            ))),
        }
    }

    /// What can be done about it: what has arrived need not be sent again.
    fn explained(&self, mut error: Error, file: &str, video: Option<&str>) -> Failure {
        let way = match (video, &self.token) {
            (Some(id), None) => {
                let file = quoted(file);
                format!("To go on: apivideo upload --resume --video {id} {file}")
            }
            _ => "An upload by token cannot go on: send the file again.".to_owned(),
        };
        if error.status == Status::Cancelled {
            return Failure::Interrupted(format!("Interrupted. {way}"));
        }
        if error.is_retryable() {
            error.message = format!("{} {way}", error.message);
        }
        Failure::Library(error)
    }
}

fn wait(upload: &Upload) -> Result<Arc<Response>, Error> {
    loop {
        if let Some(end) = upload.wait(Duration::from_secs(3600)) {
            return end;
        }
    }
}

/// On a terminal; elsewhere it shows nothing.
fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::new(0);
    match ProgressStyle::with_template(BAR) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn shown_by(bar: ProgressBar) -> impl Fn(Progress) {
    let begun = Once::new();
    move |now| {
        bar.set_length(now.total);
        bar.set_position(now.sent);
        // What had arrived before says nothing about the rate.
        begun.call_once(|| bar.reset_eta());
    }
}

fn in_words(file: &str, response: &Response) -> String {
    let id = member(response, "videoId").unwrap_or_default();
    let video: Value = serde_json::from_slice(response.body()).unwrap_or_default();
    match video["assets"]["player"].as_str() {
        Some(player) => format!("{file} is the video {id}: {player}"),
        None => format!("{file} is the video {id}."),
    }
}

fn member(response: &Response, name: &str) -> Option<String> {
    let body: Value = serde_json::from_slice(response.body()).ok()?;
    body[name].as_str().map(str::to_owned)
}

/// A file's name as a shell takes it for one word, and the command for no option.
fn quoted(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    if name.starts_with('-') {
        quoted(&format!("./{name}"))
    } else if name.chars().all(plain) {
        name.to_owned()
    } else {
        format!("'{}'", name.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_for_a_shell() {
        assert_eq!(quoted("films/a_1.mp4"), "films/a_1.mp4");
        assert_eq!(quoted("my film.mp4"), "'my film.mp4'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted("-1 film.mp4"), "'./-1 film.mp4'");
    }
}
