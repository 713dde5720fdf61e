//! The list of videos, page by page, in the form of api.video's description.

use hyper::StatusCode;
use serde_json::{Value, json};

use crate::api::Request;
use crate::reply::Reply;

const VIDEOS: [(&str, &str); 3] = [
    ("vi1sandboxHarbourAtDawn00", "Harbour at dawn"),
    ("vi2sandboxPaperBoats00000", "Paper boats"),
    ("vi3sandboxNightTrain00000", "Night train"),
];

/// The page that a request asks for, or what is wrong with its query.
pub(crate) fn page(request: &Request, base_url: &str) -> Result<Value, Reply> {
    let current = number(request, "currentPage", 1, usize::MAX)?;
    let size = number(request, "pageSize", 25, 100)?;
    let data: Vec<Value> = VIDEOS
        .into_iter()
        .skip(size.saturating_mul(current - 1))
        .take(size)
        .map(|(id, title)| video(id, title))
        .collect();
    let last = VIDEOS.len().div_ceil(size);
    Ok(json!({
        "pagination": {
            "currentPage": current,
            "currentPageItems": data.len(),
            "pageSize": size,
            "pagesTotal": last,
            "itemsTotal": VIDEOS.len(),
            "links": links(base_url, current, size, last),
        },
        "data": data,
    }))
}

/// A number of the query, from 1 to `most`.
fn number(request: &Request, name: &str, default: usize, most: usize) -> Result<usize, Reply> {
    let Some(text) = request.query(name) else {
        return Ok(default);
    };
    match text.parse() {
        Ok(number) if (1..=most).contains(&number) => Ok(number),
        _ => Err(Reply::problem(
            StatusCode::BAD_REQUEST,
            "invalid-query-parameter",
            "This query parameter is out of its range.",
        )
        .about(name)),
    }
}

fn links(base_url: &str, current: usize, size: usize, last: usize) -> Vec<Value> {
    let pages = [
        ("self", Some(current)),
        ("first", Some(1)),
        ("previous", current.checked_sub(1).filter(|page| *page > 0)),
        ("next", Some(current + 1).filter(|page| *page <= last)),
        ("last", Some(last)),
    ];
    let link = |rel, page| {
        let uri = format!("{base_url}/videos?currentPage={page}&pageSize={size}");
        json!({ "rel": rel, "uri": uri })
    };
    pages
        .into_iter()
        .filter_map(|(rel, page)| Some(link(rel, page?)))
        .collect()
}

fn video(id: &str, title: &str) -> Value {
    let player = format!("https://embed.api.video/vod/{id}");
    let file = |name: &str| format!("https://cdn.api.video/vod/{id}/{name}");
    json!({
        "videoId": id,
        "title": title,
        "description": "A video that exists only in the sandbox.",
        "public": true,
        "panoramic": false,
        "mp4Support": true,
        "publishedAt": "2024-05-01T09:30:00+00:00",
        "createdAt": "2024-05-01T09:30:00+00:00",
        "updatedAt": "2024-05-02T16:00:00+00:00",
        "discarded": false,
        "discardedAt": null,
        "deletesAt": null,
        "tags": ["sandbox"],
        "metadata": [{ "key": "Place", "value": "Sandbox" }],
        "source": { "type": "upload", "uri": format!("/videos/{id}/source") },
        "assets": {
            "iframe": format!("<iframe src=\"{player}\"></iframe>"),
            "player": player,
            "hls": file("hls/manifest.m3u8"),
            "thumbnail": file("thumbnail.jpg"),
            "mp4": file("mp4/source.mp4"),
        },
    })
}
