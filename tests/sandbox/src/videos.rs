//! Videos: made, listed, changed and deleted, in the form of api.video's
//! description.

use hyper::StatusCode;
use serde_json::{Map, Value, json};

use crate::attributes::{self, Attribute, flag, text};
use crate::dates;
use crate::pages;
use crate::reply::Reply;
use crate::request::Request;

/// Those that are there from the start.
const FIRST: [(&str, &str); 3] = [
    ("vi1sandboxHarbourAtDawn00", "Harbour at dawn"),
    ("vi2sandboxPaperBoats00000", "Paper boats"),
    ("vi3sandboxNightTrain00000", "Night train"),
];

const ATTRIBUTES: [Attribute; 8] = [
    text("title"),
    text("description"),
    text("playerId"),
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
}

impl Video {
    fn new(id: String, attributes: Map<String, Value>, now: String) -> Self {
        Self {
            id,
            attributes,
            created: now.clone(),
            updated: now,
        }
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
            Video::new(
                id.to_owned(),
                attributes,
                "2024-05-01T09:30:00+00:00".to_owned(),
            )
        };
        Self(FIRST.into_iter().map(first).collect())
    }

    pub(crate) fn list(&self, request: &Request) -> Result<Reply, Reply> {
        pages::page(request, &self.0, Video::to_json)
    }

    pub(crate) fn create(&mut self, request: &Request, now: u64) -> Result<Reply, Reply> {
        let attributes = attributes::read(request, &ATTRIBUTES, &["title"])?;
        let video = self.add(attributes, now);
        Ok(Reply::new(StatusCode::CREATED, video.to_json()))
    }

    /// A new video with these attributes, and an id of its own.
    fn add(&mut self, attributes: Map<String, Value>, now: u64) -> &Video {
        let random: String = (0..22).map(|_| fastrand::alphanumeric()).collect();
        let video = Video::new(format!("vi{random}"), attributes, dates::atom(now));
        self.0.push(video);
        let last = self.0.len() - 1;
        &self.0[last]
    }

    pub(crate) fn show(&self, request: &Request) -> Result<Reply, Reply> {
        self.find(request.id())
            .map(|video| Reply::ok(video.to_json()))
    }

    pub(crate) fn change(&mut self, request: &Request, now: u64) -> Result<Reply, Reply> {
        let video = self.find_mut(request.id())?;
        let changes = attributes::read(request, &ATTRIBUTES, &[])?;
        video.attributes.extend(changes);
        video.updated = dates::atom(now);
        Ok(Reply::ok(video.to_json()))
    }

    pub(crate) fn delete(&mut self, request: &Request) -> Result<Reply, Reply> {
        let id = self.find(request.id())?.id.clone();
        self.0.retain(|video| video.id != id);
        Ok(Reply::no_content())
    }

    fn find(&self, id: &str) -> Result<&Video, Reply> {
        let found = self.0.iter().find(|video| video.id == id);
        found.ok_or_else(Self::not_found)
    }

    fn find_mut(&mut self, id: &str) -> Result<&mut Video, Reply> {
        let found = self.0.iter_mut().find(|video| video.id == id);
        found.ok_or_else(Self::not_found)
    }

    fn not_found() -> Reply {
        Reply::not_found().about("videoId")
    }
}
