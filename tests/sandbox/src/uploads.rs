//! Takes the chunks of a video's source, by either door.

use std::time::Duration;

use hyper::StatusCode;
use serde_json::{Map, json};

use crate::content_range::ContentRange;
use crate::form::{Form, ReceivedFile};
use crate::refusals;
use crate::reply::Reply;
use crate::request::Request;
use crate::state::State;
use crate::videos::Video;
use crate::webhooks;

/// Refuses what can be refused before the body of `POST /videos/{id}/source`
/// is read.
pub(crate) fn admit_source(state: &State, request: &Request) -> Result<(), Reply> {
    let video = state.videos.find(request.id())?;
    Ok(video.ingest.check(range(state, request)?)?)
}

/// Refuses what can be refused before the body of `POST /upload` is read.
pub(crate) fn admit_by_token(state: &State, request: &Request) -> Result<(), Reply> {
    state.upload_tokens.authorize(request, state.now())?;
    range(state, request).map(drop)
}

/// Adds a chunk to the video in the path.
pub(crate) fn source(state: &mut State, request: &Request) -> Result<Reply, Reply> {
    let range = range(state, request)?;
    let file = file(state, request, range)?;
    let now = state.now();
    let reply = take(state.videos.find_mut(request.id())?, range, file, now)?;
    tell_if_complete(state, &reply);
    Ok(reply)
}

/// Adds a chunk to the video that the form names, or to a new one.
pub(crate) fn by_token(state: &mut State, request: &Request) -> Result<Reply, Reply> {
    let range = range(state, request)?;
    let file = file(state, request, range)?;
    let (now, unix_now) = (state.now(), state.unix_now());
    let named = request.form.as_ref().and_then(|form| form.field("videoId"));
    let video = match named {
        Some(id) => state.videos.find_mut(id)?,
        None => {
            let title = Map::from_iter([("title".to_owned(), file.name.clone().into())]);
            state.videos.add(title, unix_now)
        }
    };
    let reply = take(video, range, file, now)?;
    tell_if_complete(state, &reply);
    Ok(reply)
}

/// Lets webhooks know of the video in this reply, if all of it is there.
fn tell_if_complete(state: &mut State, reply: &Reply) {
    let id = reply.json["videoId"].as_str().unwrap_or_default();
    let video = state.videos.find(id);
    if !video.is_ok_and(|video| video.ingest.is_complete()) {
        return;
    }
    for encoding in ["hls", "mp4"] {
        state.emit(json!({
            "type": webhooks::ENCODED,
            "videoId": id,
            "encoding": encoding,
            "quality": "720p",
        }));
    }
}

/// The range of a request, checked on its own.
fn range(state: &State, request: &Request) -> Result<ContentRange, Reply> {
    let range = request.range()?;
    range.check(state.settings.smallest_chunk)?;
    Ok(range)
}

/// The one file of a form, if that is what it has, and of a good size.
fn file<'a>(
    state: &State,
    request: &'a Request,
    range: ContentRange,
) -> Result<&'a ReceivedFile, Reply> {
    let form = request.form.as_ref().ok_or(refusals::NO_FILE)?;
    let file = the_file(form)?;
    range.check_size(file.chunk.length, state.settings.smallest_chunk)?;
    Ok(file)
}

fn the_file(form: &Form) -> Result<&ReceivedFile, Reply> {
    if !form.is_valid {
        return Err(refusals::FILE_INVALID.into());
    }
    if form.files > 1 {
        return Err(refusals::MULTIPLE_FILES.into());
    }
    Ok(form.file.as_ref().ok_or(refusals::NO_FILE)?)
}

/// The reply to the chunk that completes a video has all of the video; those
/// to others have little more than its id.
fn take(
    video: &mut Video,
    range: ContentRange,
    file: &ReceivedFile,
    now: Duration,
) -> Result<Reply, Reply> {
    video.ingest.take(range, file.chunk.clone())?;
    let json = match video.ingest.is_complete() {
        true => {
            video.complete(now);
            video.to_json()
        }
        false => json!({ "videoId": video.id }),
    };
    Ok(Reply::new(StatusCode::CREATED, json))
}
