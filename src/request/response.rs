//! What a request was answered.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString};

use once_cell::race::OnceBox;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::http::Headers;
use crate::problem::without_bom;

/// No list of links is longer.
const LONGEST_LINKS: usize = 64 * 1024;
/// What no request's path may have in it, and a link may: it repeats what the program asked for.
const NOT_IN_A_PATH: AsciiSet = CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The answer to a request that succeeded.
pub struct Response {
    status: u16,
    /// Each name once, in lower case; several values are joined, as HTTP allows.
    headers: Vec<(String, CString)>,
    /// With a NUL behind it, for C.
    body: Vec<u8>,
    /// The base URL's path, which is before that of each request.
    prefix: String,
    next_page: OnceBox<CString>,
}

impl Response {
    pub(crate) fn new(status: u16, headers: Headers, mut body: Vec<u8>, prefix: &str) -> Response {
        // No more than it takes: a body that came in pieces has room for as much again.
        body.reserve_exact(1);
        body.push(0);
        body.shrink_to_fit();
        Response {
            status,
            headers: joined(headers),
            body,
            prefix: prefix.to_owned(),
            next_page: OnceBox::new(),
        }
    }

    /// The status of the HTTP reply, from 200 to 299.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The body, as it came. Empty if there is none.
    pub fn body(&self) -> &[u8] {
        &self.body[..self.body.len() - 1]
    }

    /// The value of a header, in whatever case its name is given. What came several times is joined
    /// with a comma and a blank. `None` if there is no such header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.header_c(name)?.to_str().ok()
    }

    /// Of a list, the path of the next page, for the next request. Empty on the last page, and
    /// where there are no pages.
    pub fn next_page(&self) -> &str {
        self.next_page_c().to_str().unwrap_or_default()
    }

    pub(crate) fn header_c(&self, name: &str) -> Option<&CStr> {
        let mut headers = self.headers.iter();
        let found = headers.find(|header| header.0.eq_ignore_ascii_case(name));
        found.map(|header| header.1.as_c_str())
    }

    #[cfg(feature = "capi")]
    pub(crate) fn body_with_nul(&self) -> &[u8] {
        &self.body
    }

    pub(crate) fn next_page_c(&self) -> &CStr {
        self.next_page.get_or_init(|| {
            let path = next_page(self.body(), &self.prefix);
            // A NUL would be no path either.
            Box::new(CString::new(path).unwrap_or_default())
        })
    }
}

impl std::fmt::Debug for Response {
    /// The body may hold secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

fn joined(headers: Headers) -> Vec<(String, CString)> {
    let mut joined: Vec<(String, String)> = Vec::new();
    for (name, value) in headers.into_vec() {
        match joined.iter_mut().find(|header| header.0 == name) {
            Some(known) => known.1.extend([", ", &value]),
            None => joined.push((name, value)),
        }
    }
    let no_nul = |value: String| CString::new(value.replace('\0', "")).unwrap_or_default();
    let headers = joined.into_iter();
    headers.map(|(name, value)| (name, no_nul(value))).collect()
}

/// What is read of a list. All else is passed over without recursion, however deep it is: this runs
/// on the program's own thread, whose stack may be small.
#[derive(Deserialize)]
struct List<'a> {
    #[serde(borrow)]
    pagination: Pagination<'a>,
}

#[derive(Deserialize)]
struct Pagination<'a> {
    #[serde(borrow)]
    links: &'a RawValue,
}

#[derive(Deserialize)]
struct Link {
    rel: String,
    uri: String,
}

/// The path of the link to the next page; empty if there is none.
fn next_page(body: &[u8], prefix: &str) -> String {
    let Ok(list) = serde_json::from_slice::<List>(without_bom(body)) else {
        return String::new();
    };
    let links = list.pagination.links.get();
    if links.len() > LONGEST_LINKS {
        return String::new();
    }
    let links = each_of(links).into_iter().map(RawValue::get);
    // One that is odd does not cost the others.
    let mut links = links.filter_map(|link| serde_json::from_str::<Link>(link).ok());
    let next = links.find(|link| link.rel == "next");
    next.map_or_else(String::new, |link| {
        utf8_percent_encode(path_below(&link.uri, prefix), &NOT_IN_A_PATH).to_string()
    })
}

/// What is in a list, or, as api.video's own example has it, in an object.
fn each_of(links: &str) -> Vec<&RawValue> {
    let object = || serde_json::from_str::<BTreeMap<String, _>>(links).unwrap_or_default();
    serde_json::from_str(links).unwrap_or_else(|_| object().into_values().collect())
}

/// A link as a path below the base URL. Its host is left out: what lies before the server may give
/// it another name.
fn path_below<'a>(uri: &'a str, prefix: &str) -> &'a str {
    let schemes = ["http://", "https://"];
    let rest = schemes.iter().find_map(|scheme| uri.strip_prefix(scheme));
    let path = match rest {
        Some(rest) => rest.find('/').map_or("", |at| &rest[at..]),
        None => uri,
    };
    match path.strip_prefix(prefix) {
        Some(below) if below.starts_with('/') => below,
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(body: &str) -> Response {
        let headers = [("a", "1"), ("b", "2"), ("a", "3\0")];
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let headers = headers.into_iter().map(owned).collect();
        Response::new(200, headers, body.as_bytes().to_vec(), "")
    }

    #[test]
    fn a_header_is_found_in_any_case_and_its_values_are_joined() {
        let response = response("");
        assert_eq!(response.header("A"), Some("1, 3"));
        assert_eq!(response.header("b"), Some("2"));
        assert_eq!(response.header("c"), None);
    }

    #[test]
    fn a_body_is_followed_by_a_nul_that_is_no_part_of_it() {
        let response = response("a\0b");
        assert_eq!(response.body(), b"a\0b");
        assert_eq!(response.body_with_nul(), b"a\0b\0");
    }

    #[test]
    fn the_next_page_is_a_path_below_the_base_url() {
        let list = |uri: &str| {
            format!(
                r#"{{"data":[{{"pagination":1}}],"pagination":{{"currentPage":1,"links":[
                    {{"rel":"self","uri":"/videos?currentPage=1"}},{{"rel":"next","uri":"{uri}"}}]}}}}"#
            )
        };
        for (prefix, uri, next) in [
            ("", "/videos?currentPage=2", "/videos?currentPage=2"),
            (
                "",
                "https://ws.api.video/videos?currentPage=2",
                "/videos?currentPage=2",
            ),
            (
                "",
                "http://other/videos?x=http://y/z",
                "/videos?x=http://y/z",
            ),
            ("/api", "/api/videos?currentPage=2", "/videos?currentPage=2"),
            ("/api", "http://h/api/videos", "/videos"),
            ("/api", "/videos?currentPage=2", "/videos?currentPage=2"),
            ("/api", "/apian", "/apian"),
            ("", "http://h", ""),
            (
                "",
                "/videos?title=é {a|b}&tags[]=50%25&currentPage=2",
                "/videos?title=%C3%A9%20%7Ba%7Cb%7D&tags[]=50%25&currentPage=2",
            ),
            (
                "",
                "/videos?metadata[src]=https://example.com&currentPage=2",
                "/videos?metadata[src]=https://example.com&currentPage=2",
            ),
            (
                "",
                "/videos?title=http://h/x&currentPage=2",
                "/videos?title=http://h/x&currentPage=2",
            ),
        ] {
            let body = list(uri).into_bytes();
            let response = Response::new(200, Headers::default(), body, prefix);
            assert_eq!(response.next_page(), next, "{uri}");
        }
        for other in [
            "",
            "[]",
            "{}",
            r#"{"pagination":{}}"#,
            r#"{"pagination":{"links":{"next":"/x"}}}"#,
            r#"{"pagination":{"links":[{"rel":"last","uri":"/x"},7,{"rel":"next"}]}}"#,
            r#"{"pagination":{"links":[{"rel":"next","uri":"/x"}]"#,
        ] {
            assert_eq!(response(other).next_page(), "", "{other}");
        }
        let odd =
            r#"{"pagination":{"links":[7,{"rel":"next","uri":7},{"rel":"next","uri":"/x"}]}}"#;
        assert_eq!(response(odd).next_page(), "/x");
        let object = r#"{"pagination":{"links":{"first":{"rel":"first","uri":"/1"},"odd":7,
            "next":{"rel":"next","uri":"/x"}}}}"#;
        assert_eq!(response(object).next_page(), "/x");
    }

    #[test]
    fn no_depth_of_a_list_takes_much_of_a_stack() {
        let deep = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let links = format!(r#"[{},{{"rel":"next","uri":"/x"}}]"#, deep(10_000));
        let body = format!(
            r#"{{"data":{},"pagination":{{"links":{links}}}}}"#,
            deep(100_000)
        );
        let small = std::thread::Builder::new().stack_size(64 * 1024);
        let found = small.spawn(move || response(&body).next_page().to_owned());
        assert_eq!(found.unwrap().join().unwrap(), "/x");
    }

    #[test]
    fn a_body_takes_no_more_memory_than_it_has_bytes() {
        let mut body = Vec::with_capacity(1_000);
        body.extend(b"{}");
        let response = Response::new(200, Headers::default(), body, "");
        assert_eq!(response.body.capacity(), 3);
    }
}
