//! Videos: made, listed, changed and deleted, in the form of api.video's
//! description.

use std::time::Duration;

use hyper::StatusCode;
use serde_json::{Map, Value, json};

use crate::attributes::{self, Attribute, flag, text};
use crate::dates;
use crate::ingest::{Ingest, Origin};
use crate::pages;
use crate::reply::Reply;
use crate::request::Request;

/// Those that are there from the start.
const FIRST: [(&str, &str); 3] = [
    ("vi1sandboxHarbourAtDawn00", "Harbour at dawn"),
    ("vi2sandboxPaperBoats00000", "Paper boats"),
    ("vi3sandboxNightTrain00000", "Night train"),
];

const ATTRIBUTES: [Attribute; 9] = [
    text("title"),
    text("description"),
    text("playerId"),
    // A URL to fetch it from, or the id of a video to copy.
    text("source"),
    flag("public"),
    flag("panoramic"),
    flag("mp4Support"),
    Attribute {
        name: "tags",
        is_good: |value| {
            value
                .as_array()
                .is_some_and(|tags| tags.iter().all(Value::is_string))
        },
        title: "This attribute must be a list of strings.",
    },
    Attribute {
        name: "metadata",
        is_good: |value| {
            value
                .as_array()
                .is_some_and(|list| list.iter().all(is_metadata))
        },
        title: "This attribute must be a list of objects with a key and a value.",
    },
];

fn is_metadata(value: &Value) -> bool {
    value["key"].is_string() && value["value"].is_string()
}

/// One video.
pub(crate) struct Video {
    pub(crate) id: String,
    /// What a program has set, by its name.
    attributes: Map<String, Value>,
    created: String,
    updated: String,
    pub(crate) ingest: Ingest,
    /// When the last chunk came, by the sandbox's clock.
    completed: Option<Duration>,
}

impl Video {
    fn new(id: String, attributes: Map<String, Value>, now: String) -> Self {
        Self {
            id,
            attributes,
            created: now.clone(),
            updated: now,
            ingest: Ingest::default(),
            completed: None,
        }
    }

    pub(crate) fn title(&self) -> &str {
        self.attributes["title"].as_str().unwrap_or_default()
    }

    pub(crate) fn complete(&mut self, now: Duration) {
        self.completed = Some(now);
    }

    /// Whether it plays, after an encoding of some time.
    fn is_encoded(&self, now: Duration, encoding: Duration) -> bool {
        let end = self.completed.map(|at| at.saturating_add(encoding));
        self.ingest.is_complete() && end.is_none_or(|end| now >= end)
    }

    /// Its status, as a reply shows it.
    fn status(&self, now: Duration, encoding: Duration) -> Value {
        let is_encoded = self.is_encoded(now, encoding);
        let status = if is_encoded { "encoded" } else { "encoding" };
        let quality = |kind| json!({ "type": kind, "quality": "720p", "status": status });
        let qualities: Vec<Value> = match self.ingest.is_complete() {
            true => ["hls", "mp4"].map(quality).into(),
            false => Vec::new(),
        };
        json!({
            "ingest": self.ingest.to_json(is_encoded),
            "encoding": {
                "playable": is_encoded,
                "qualities": qualities,
                "metadata": { "width": 1280, "height": 720, "duration": 30, "framerate": 25 },
            },
        })
    }

    /// As a reply shows it.
    pub(crate) fn to_json(&self) -> Value {
        let id = &self.id;
        let player = format!("https://embed.api.video/vod/{id}");
        let file = |name: &str| format!("https://cdn.api.video/vod/{id}/{name}");
        let mut json = json!({
            "videoId": id,
            "title": "",
            "description": null,
            "public": true,
            "panoramic": false,
            "mp4Support": true,
            "publishedAt": self.created,
            "createdAt": self.created,
            "updatedAt": self.updated,
            "discarded": false,
            "discardedAt": null,
            "deletesAt": null,
            "tags": [],
            "metadata": [],
            "source": { "type": "upload", "uri": format!("/videos/{id}/source") },
            "assets": {
                "iframe": format!("<iframe src=\"{player}\"></iframe>"),
                "player": player,
                "hls": file("hls/manifest.m3u8"),
                "thumbnail": file("thumbnail.jpg"),
                "mp4": file("mp4/source.mp4"),
            },
        });
        if let Some(object) = json.as_object_mut() {
            object.extend(self.attributes.clone());
        }
        json
    }
}

/// All videos, oldest first.
pub(crate) struct Videos(Vec<Video>);

impl Videos {
    pub(crate) fn new() -> Self {
        let first = |(id, title): (&str, &str)| {
            let attributes = Map::from_iter([
                ("title".to_owned(), title.into()),
                (
                    "description".to_owned(),
                    "A video that exists only in the sandbox.".into(),
                ),
                ("tags".to_owned(), json!(["sandbox"])),
                (
                    "metadata".to_owned(),
                    json!([{ "key": "Place", "value": "Sandbox" }]),
                ),
            ]);
            let created = "2024-05-01T09:30:00+00:00".to_owned();
            let mut video = Video::new(id.to_owned(), attributes, created);
            video.ingest = Ingest::complete(Origin::Uploaded);
            video
        };
        Self(FIRST.into_iter().map(first).collect())
    }

    pub(crate) fn list(&self, request: &Request) -> Result<Reply, Reply> {
        pages::page(request, &self.0, Video::to_json)
    }

    pub(crate) fn create(&mut self, request: &Request, now: u64) -> Result<Reply, Reply> {
        let mut attributes = attributes::read(request, &ATTRIBUTES, &["title"])?;
        let source = attributes.remove("source");
        let video = self.add(attributes, now);
        let Some(source) = source else {
            return Ok(Reply::new(StatusCode::CREATED, video.to_json()));
        };
        let is_url = source.as_str().is_some_and(|text| text.contains("://"));
        video.ingest = Ingest::complete(match is_url {
            true => Origin::Downloaded,
            false => Origin::Copied,
        });
        Ok(Reply::new(StatusCode::ACCEPTED, video.to_json()))
    }

    /// A new video with these attributes, and an id of its own.
    pub(crate) fn add(&mut self, attributes: Map<String, Value>, now: u64) -> &mut Video {
        let id = attributes::random_id("vi");
        self.0.push(Video::new(id, attributes, dates::atom(now)));
        let last = self.0.len() - 1;
        &mut self.0[last]
    }

    pub(crate) fn show(&self, request: &Request) -> Result<Reply, Reply> {
        self.find(request.id())
            .map(|video| Reply::ok(video.to_json()))
    }

    pub(crate) fn status(
        &self,
        request: &Request,
        now: Duration,
        encoding: Duration,
    ) -> Result<Reply, Reply> {
        let video = self.find(request.id())?;
        Ok(Reply::ok(video.status(now, encoding)))
    }

    pub(crate) fn change(&mut self, request: &Request, now: u64) -> Result<Reply, Reply> {
        let video = self.find_mut(request.id())?;
        let mut changes = attributes::read(request, &ATTRIBUTES, &[])?;
        // A video has one source, and takes it once.
        changes.remove("source");
        video.attributes.extend(changes);
        video.updated = dates::atom(now);
        Ok(Reply::ok(video.to_json()))
    }

    pub(crate) fn delete(&mut self, request: &Request) -> Result<Reply, Reply> {
        let id = self.find(request.id())?.id.clone();
        self.0.retain(|video| video.id != id);
        Ok(Reply::no_content())
    }

    pub(crate) fn all(&self) -> &[Video] {
        &self.0
    }

    pub(crate) fn find(&self, id: &str) -> Result<&Video, Reply> {
        let found = self.0.iter().find(|video| video.id == id);
        found.ok_or_else(Self::not_found)
    }

    pub(crate) fn find_mut(&mut self, id: &str) -> Result<&mut Video, Reply> {
        let found = self.0.iter_mut().find(|video| video.id == id);
        found.ok_or_else(Self::not_found)
    }

    fn not_found() -> Reply {
        Reply::not_found().about("videoId")
    }
}
