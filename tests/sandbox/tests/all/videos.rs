//! Videos: made, listed, changed and deleted.

use apivideo_sandbox::Sandbox;
use serde_json::{Value, json};

use crate::api::assert_problem;
use crate::client::{Client, Reply, start};

/// A connection with an access token.
pub struct User {
    pub client: Client,
    pub token: String,
}

impl User {
    pub fn of(sandbox: &Sandbox) -> Self {
        let mut client = Client::connect(sandbox);
        let token = client.authenticate().text("access_token");
        Self { client, token }
    }

    pub fn send(&mut self, method: &str, path: &str, body: &Value) -> Reply {
        let authorization = format!("Bearer {}", self.token);
        let headers = [
            ("Authorization", authorization.as_str()),
            ("Content-Type", "application/json"),
        ];
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        self.client.send(method, path, &headers, &body);
        self.client.receive().unwrap()
    }

    pub fn get(&mut self, path: &str) -> Reply {
        self.send("GET", path, &Value::Null)
    }

    /// Makes a video, and gives its id.
    pub fn create(&mut self) -> String {
        let reply = self.send("POST", "/videos", &json!({ "title": "A video" }));
        assert_eq!(reply.status, 201, "{reply:?}");
        reply.text("videoId")
    }
}

pub fn slug(problem: &Value) -> &str {
    problem["type"]
        .as_str()
        .unwrap()
        .rsplit('/')
        .next()
        .unwrap()
}

#[test]
fn videos_need_a_token() {
    let sandbox = start();
    let mut client = Client::connect(&sandbox);
    client.send("GET", "/videos", &[], "");
    assert_problem(&client.receive().unwrap(), 401, None);
    assert_problem(&client.get("/videos", "unknown"), 401, None);
    let refresh_token = client.authenticate().text("refresh_token");
    assert_problem(&client.get("/videos", &refresh_token), 401, None);
}

#[test]
fn videos_are_listed_by_page() {
    let sandbox = start();
    let mut client = Client::connect(&sandbox);
    let token = client.authenticate().text("access_token");
    let list = client.get("/videos", &token).json();
    assert_eq!(list["data"].as_array().unwrap().len(), 3);
    assert!(list["data"][0]["videoId"].is_string());
    let mut pages = [1, 2, 3].map(|page| {
        let path = format!("/videos?currentPage={page}&pageSize=2");
        client.get(&path, &token).json()
    });
    let items = pages
        .each_ref()
        .map(|page| page["data"].as_array().unwrap().len());
    assert_eq!(items, [2, 1, 0]);
    let uri = |page| format!("/videos?currentPage={page}&pageSize=2");
    let pagination = pages[1]["pagination"].take();
    let expected = json!({
        "currentPage": 2, "currentPageItems": 1, "pageSize": 2, "pagesTotal": 2, "itemsTotal": 3,
        "links": [
            { "rel": "self", "uri": uri(2) }, { "rel": "first", "uri": uri(1) },
            { "rel": "previous", "uri": uri(1) }, { "rel": "last", "uri": uri(2) },
        ],
    });
    assert_eq!(pagination, expected);
    let next = &pages[0]["pagination"]["links"][2];
    assert_eq!(*next, json!({ "rel": "next", "uri": uri(2) }));
}

#[test]
fn a_page_that_cannot_be_is_refused() {
    let sandbox = start();
    let mut client = Client::connect(&sandbox);
    let token = client.authenticate().text("access_token");
    for (name, bad) in [
        ("currentPage", "0"),
        ("currentPage", "x"),
        ("pageSize", "0"),
        ("pageSize", "101"),
        ("pageSize", ""),
    ] {
        let reply = client.get(&format!("/videos?{name}={bad}"), &token);
        assert_problem(&reply, 400, Some(name));
    }
}

#[test]
fn a_video_is_made_and_found() {
    let sandbox = start();
    let mut user = User::of(&sandbox);
    let wanted = json!({
        "title": "Mine", "description": "d", "public": false, "tags": ["a", "b"],
        "metadata": [{ "key": "k", "value": "v" }], "nonsense": 1,
    });
    let made = user.send("POST", "/videos", &wanted);
    assert_eq!(made.status, 201);
    let id = made.text("videoId");
    assert!(id.starts_with("vi") && id.len() == 24, "{id}");
    let found = user.get(&format!("/videos/{id}"));
    assert_eq!((found.status, found.json()), (200, made.json()));
    for name in ["title", "description", "public", "tags", "metadata"] {
        assert_eq!(found.json()[name], wanted[name], "{name}");
    }
    assert_eq!(found.json().get("nonsense"), None);
    let list = user.get("/videos?pageSize=1&currentPage=4").json();
    assert_eq!(list["data"], json!([made.json()]));
    assert_ne!(user.create(), id);
}

#[test]
fn a_video_is_changed_but_for_what_is_not_named() {
    let sandbox = start();
    let mut user = User::of(&sandbox);
    let id = user.create();
    let path = format!("/videos/{id}");
    sandbox.advance_clock(std::time::Duration::from_secs(5));
    let before = user.get(&path).json();
    let changed = user.send("PATCH", &path, &json!({ "description": "new" }));
    assert_eq!(changed.status, 200);
    let after = user.get(&path).json();
    assert_eq!(changed.json(), after);
    assert_eq!(
        (&after["title"], &after["description"]),
        (&json!("A video"), &json!("new"))
    );
    assert_eq!(after["createdAt"], before["createdAt"]);
    assert_ne!(after["updatedAt"], before["updatedAt"]);
}

#[test]
fn a_deleted_video_is_gone() {
    let sandbox = start();
    let mut user = User::of(&sandbox);
    let path = format!("/videos/{}", user.create());
    let deleted = user.send("DELETE", &path, &Value::Null);
    assert_eq!((deleted.status, deleted.body.len()), (204, 0));
    assert_eq!(deleted.header("x-ratelimit-limit"), Some("40"));
    for method in ["GET", "PATCH", "DELETE"] {
        let gone = user.send(method, &path, &json!({}));
        assert_problem(&gone, 404, Some("videoId"));
        assert_eq!(slug(&gone.json()), "resource-not-found");
    }
    assert_eq!(user.get("/videos").json()["pagination"]["itemsTotal"], 3);
}

#[test]
fn each_wrong_attribute_of_a_video_is_named() {
    let sandbox = start();
    let mut user = User::of(&sandbox);
    let missing = user.send("POST", "/videos", &json!({ "description": "d" }));
    assert_problem(&missing, 400, Some("title"));
    assert_eq!(slug(&missing.json()), "attribute-required");

    let wrong = json!({
        "title": 1, "description": 1, "playerId": 1, "public": 1, "panoramic": 1,
        "mp4Support": 1, "tags": [1], "metadata": [{ "key": "k" }],
    });
    for (method, path) in [
        ("POST", "/videos"),
        ("PATCH", "/videos/vi1sandboxHarbourAtDawn00"),
    ] {
        let reply = user.send(method, path, &wrong);
        assert_problem(&reply, 400, Some("title"));
        let problems = reply.json()["problems"].take();
        let named: Vec<&str> = problems
            .as_array()
            .unwrap()
            .iter()
            .map(|problem| problem["name"].as_str().unwrap())
            .collect();
        let all: Vec<&str> = wrong
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(named.len(), all.len());
        assert!(all.iter().all(|name| named.contains(name)), "{named:?}");
        assert_eq!(slug(&problems[0]), "invalid-attribute");
    }
    for body in [json!([]), json!("text")] {
        let reply = user.send("POST", "/videos", &body);
        assert_problem(&reply, 400, None);
        assert_eq!(slug(&reply.json()), "invalid-payload");
    }
}

#[test]
fn the_key_opens_the_api_by_basic_authentication() {
    let sandbox = start();
    let mut client = Client::connect(&sandbox);
    for (credentials, status) in [("c2FuZGJveC1rZXk6", 200), ("d3Jvbmc6", 401)] {
        let authorization = format!("Basic {credentials}");
        client.send("GET", "/videos", &[("Authorization", &authorization)], "");
        assert_eq!(client.receive().unwrap().status, status);
    }
}
