//! What a program may ask for: a method, a path below the base URL, and JSON.

use percent_encoding::percent_decode_str;
use serde::de::IgnoredAny;

use crate::error::Error;
use crate::http::{Method, Uri, is_idempotent, is_safe};

const LONGEST_METHOD: usize = 20;
const LONGEST_PATH: usize = 8_192;

/// A request that can be sent as it is.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) json: Option<String>,
}

/// When a request may be made again that may have been carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeats {
    /// It reads: GET, HEAD.
    Freely,
    /// Twice comes to the same, but what is known to be done would be refused: PUT, DELETE.
    UntilDone,
    Never,
}

impl Checked {
    pub(crate) fn new(method: &str, path: &str, json: Option<&str>) -> Result<Checked, Error> {
        Ok(Checked {
            method: checked_method(method)?,
            path: checked_path(path)?.to_owned(),
            json: json.map(checked_json).transpose()?.map(str::to_owned),
        })
    }

    pub(crate) fn repeats(&self) -> Repeats {
        match &self.method {
            method if is_safe(method) => Repeats::Freely,
            method if is_idempotent(method) => Repeats::UntilDone,
            _ => Repeats::Never,
        }
    }

    /// What in the path may be a secret: an upload token, in the query or in a place of its own. As
    /// it is written, and decoded where that is something else.
    pub(crate) fn secrets(&self) -> Vec<String> {
        let (path, query) = self.path.split_once('?').unwrap_or((&self.path, ""));
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let named = pairs.filter(|(name, _)| decoded(name).eq_ignore_ascii_case("token"));
        let written = named.map(|(_, value)| value).chain(upload_token(path));
        let mut secrets = Vec::new();
        for written in written {
            secrets.push(written.to_owned());
            secrets.extend(Some(decoded(written)).filter(|decoded| decoded != written));
        }
        secrets
    }
}

/// What comes after `/upload-tokens/` in a path, however that is written.
fn upload_token(path: &str) -> Option<&str> {
    const PLACE: &[u8] = b"/upload-tokens/";
    let plain: Vec<u8> = percent_decode_str(path).collect();
    let mut places = plain.windows(PLACE.len());
    let at = places.position(|place| place.eq_ignore_ascii_case(PLACE))?;
    let is_hex = |digits: &[u8]| digits.len() == 2 && digits.iter().all(u8::is_ascii_hexdigit);
    let mut rest = path;
    for _ in 0..at + PLACE.len() {
        let is_encoded = rest.starts_with('%') && rest.as_bytes().get(1..3).is_some_and(is_hex);
        rest = rest.get(if is_encoded { 3 } else { 1 }..)?;
    }
    Some(rest)
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn checked_method(method: &str) -> Result<Method, Error> {
    let refuse = || {
        Err(Error::invalid(
            "`method` must be a method of HTTP's, such as GET or POST, and neither CONNECT nor TRACE.",
        ))
    };
    if !(1..=LONGEST_METHOD).contains(&method.len()) {
        return refuse();
    }
    match Method::from_bytes(method.to_ascii_uppercase().as_bytes()) {
        // TRACE would have the token sent back.
        Ok(Method::CONNECT | Method::TRACE) | Err(_) => refuse(),
        Ok(method) => Ok(method),
    }
}

/// The path, if it leads nowhere but below the base URL.
pub(crate) fn checked_path(path: &str) -> Result<&str, Error> {
    let refuse = |why: &str| Err(Error::invalid(format!("`path` {why}.")));
    if path.len() > LONGEST_PATH {
        return refuse("is longer than 8,192 bytes");
    }
    if !path.starts_with('/') || path.starts_with("//") {
        return refuse(
            "must begin with one slash: it is what follows the base URL, such as /videos?pageSize=100",
        );
    }
    if path.contains(|c: char| c.is_ascii_control()) {
        return refuse("has a control character in it");
    }
    if path.contains('\\') {
        return refuse("has a backslash in it");
    }
    if path.contains('#') {
        return refuse("must not have a fragment (percent-encode a # as %23)");
    }
    // Nothing that is not ASCII passes here, and no blank.
    if !path.is_ascii() || path.parse::<Uri>().is_err() {
        return refuse("has a character in it that must be percent-encoded");
    }
    let (place, _) = path.split_once('?').unwrap_or((path, ""));
    let place: Vec<u8> = percent_decode_str(place).collect();
    if place.iter().any(u8::is_ascii_control) {
        return refuse("has a control character in it");
    }
    let mut steps = place.split(|byte| matches!(byte, b'/' | b'\\'));
    match steps.any(|step| step == b"..") {
        true => refuse("must not have a .. in it"),
        false => Ok(path),
    }
}

fn checked_json(json: &str) -> Result<&str, Error> {
    match serde_json::from_str::<IgnoredAny>(json) {
        Ok(_) => Ok(json),
        Err(why) => Err(Error::invalid(format!("`json` is not JSON: {why}."))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Status;

    #[test]
    fn a_path_leads_below_the_base_url_and_nowhere_else() {
        for path in [
            "/",
            "/videos",
            "/videos/vi4k0jvEUuaTdRAEjQ4Jfrgz/source",
            "/videos?currentPage=2&pageSize=100",
            "/videos?tags[]=a&tags[]=b&metadata[key]=value",
            "/videos?title=a..b/../c&x=http://example.com",
            "/videos?title=%0d%0a%5c",
            "/videos/a..b/...",
            "/videos/%C3%A9",
            "/videos/a:b@c",
            &format!("/{}", "x".repeat(LONGEST_PATH - 1)),
        ] {
            assert_eq!(checked_path(path).unwrap(), path);
        }
        for (path, why) in [
            ("", "begin with one slash"),
            ("videos", "begin with one slash"),
            ("http://example.com/videos", "begin with one slash"),
            ("//example.com/videos", "begin with one slash"),
            ("@example.com/videos", "begin with one slash"),
            (":8080/videos", "begin with one slash"),
            (" /videos", "begin with one slash"),
            ("/videos HTTP/1.1\r\nX: y", "control character"),
            ("/videos\n", "control character"),
            ("/videos\0", "control character"),
            ("/videos?a=\u{7f}", "control character"),
            ("/videos%0d%0aX:y", "control character"),
            ("/videos%00", "control character"),
            ("/..", "a .."),
            ("/../auth", "a .."),
            ("/videos/../auth/api-key", "a .."),
            ("/videos/%2e%2e/auth", "a .."),
            ("/videos/.%2E/auth", "a .."),
            ("/videos/%2e./auth", "a .."),
            ("/videos%2f..%2Fauth", "a .."),
            ("/videos%5c..%5Cauth", "a .."),
            ("/videos/..?x", "a .."),
            ("/\\example.com", "backslash"),
            ("/videos?a=\\", "backslash"),
            ("/videos#x", "fragment"),
            ("/videos HTTP/1.1", "percent-encoded"),
            ("/vidéos", "percent-encoded"),
            ("/videos?t=é", "percent-encoded"),
            ("/videos?a=<b>", "percent-encoded"),
            (&format!("/{}", "x".repeat(LONGEST_PATH)), "8,192 bytes"),
        ] {
            let error = checked_path(path).unwrap_err();
            assert_eq!(error.status, Status::InvalidArgument, "{path:?}");
            assert!(error.message.contains(why), "{path:?}: {error}");
        }
    }

    #[test]
    fn a_method_is_a_token_in_any_case() {
        for (given, sent) in [("GET", "GET"), ("patch", "PATCH"), ("PROPFIND", "PROPFIND")] {
            assert_eq!(checked_method(given).unwrap().as_str(), sent);
        }
        let long = "X".repeat(LONGEST_METHOD + 1);
        for other in [
            "",
            " ",
            "GET ",
            "GE T",
            "GET\r\nX: y",
            "GÉT",
            "a/b",
            "CONNECT",
            "trace",
            &long,
        ] {
            let error = checked_method(other).unwrap_err();
            assert_eq!(error.status, Status::InvalidArgument, "{other:?}");
        }
    }

    #[test]
    fn json_is_json() {
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        for json in ["{}", " [1e999, \"é\\u0000\"] ", "null", &deep] {
            assert_eq!(checked_json(json).unwrap(), json);
        }
        for other in ["", "{", "{}{}", "title=x", "{'a':1}", "{\"a\":1,}", "NaN"] {
            let error = checked_json(other).unwrap_err();
            assert_eq!(error.status, Status::InvalidArgument, "{other:?}");
        }
    }

    #[test]
    fn four_methods_may_be_made_again() {
        for (methods, repeats) in [
            (&["GET", "HEAD"][..], Repeats::Freely),
            (&["PUT", "DELETE"], Repeats::UntilDone),
            (&["POST", "PATCH", "OPTIONS"], Repeats::Never),
        ] {
            for method in methods {
                let request = Checked::new(method, "/", None).unwrap();
                assert_eq!(request.repeats(), repeats, "{method}");
            }
        }
    }

    #[test]
    fn upload_tokens_are_secrets() {
        for (path, secrets) in [
            ("/upload?token=to1", &["to1"][..]),
            ("/upload?a=b&Token=to1&token=to2", &["to1", "to2"]),
            ("/upload-tokens/to1", &["to1"]),
            ("/upload-tokens?currentPage=2", &[]),
            ("/videos/token", &[]),
            ("/upload%2Dtokens/to1", &["to1"]),
            ("/%75pload-tokens%2Fto%31/x", &["to%31/x", "to1/x"]),
            ("/%C3%A9%zz/upload-tokens/to1", &["to1"]),
            ("/upload?t%6Fken=to%31", &["to%31", "to1"]),
        ] {
            let request = Checked::new("GET", path, None).unwrap();
            assert_eq!(request.secrets(), secrets, "{path}");
        }
    }
}
