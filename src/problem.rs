//! api.video's problem objects, and a server's texts in our messages: short, and without secrets.

use std::collections::HashSet;

use serde_json::Value;

use crate::error::Problem;
use crate::http::Reply;
use crate::text::one_line;

/// No problem object is larger.
const LARGEST: usize = 64 * 1024;
/// Of a list, so many are passed on.
const MOST_PROBLEMS: usize = 100;
/// The longest text of a server's that is passed on.
const LONGEST_TEXT: usize = 300;
/// A longer word in such a text may be a key or a token that we no longer know.
const LONGEST_WORD: usize = 40;
/// No word that people say is longer.
const LONGEST_SPOKEN: usize = 20;
/// So many letters and digits of a secret are not passed on either.
const PART: usize = 16;
/// A secret with fewer is left out only where it is as it was: its letters may stand in any text.
const SHORTEST_PART: usize = 8;
const REDACTED: &str = "[redacted]";
const SITE: &str = "api.video";
/// The fields that are sent for a token.
const SENT: [&str; 2] = ["apiKey", "refreshToken"];
/// What a 401 may be about besides the access token, as its type names it.
const OTHER_CREDENTIALS: [&str; 3] = ["upload-token", "api-key", "refresh-token"];

/// The problem object in a reply's body, whatever its content type; all empty if the body is none.
/// What it leaves to the first of its `problems`, that one says.
pub(crate) fn of(reply: &Reply, secrets: &[&str]) -> Problem {
    let value = json(reply.bytes());
    let listed = value["problems"].as_array().into_iter().flatten();
    let listed: Vec<Problem> = listed
        .take(MOST_PROBLEMS)
        .map(|problem| one(problem, secrets))
        .collect();
    let is_said = |name| value[name].is_string();
    let says_something = is_said("type") || is_said("title") || is_said("name");
    let first = listed.first().filter(|_| !says_something);
    Problem {
        problems: listed.clone(),
        ..first.cloned().unwrap_or_else(|| one(&value, secrets))
    }
}

fn one(problem: &Value, secrets: &[&str]) -> Problem {
    let shown = |name| presentable(text(problem, name), secrets);
    Problem {
        kind: shown("type"),
        title: shown("title"),
        name: shown("name"),
        detail: shown("detail"),
        problems: Vec::new(),
    }
}

/// Whether a 401 with this body may be about the access token: it is empty, or api.video's and
/// about no other credential.
pub(crate) fn rejects_access_token(body: &[u8]) -> bool {
    let problem = json(body);
    let kind = text(&problem, "type");
    let is_about_another = OTHER_CREDENTIALS.iter().any(|other| kind.contains(other));
    body.is_empty() || is_api_videos(&problem) && !is_about_another
}

/// Whether this is a problem object as api.video sends them, and not somebody else's. Where the
/// type is a URL, it tells. Otherwise the name of a field that we send does, or one of its
/// `problems`, or the form.
pub(crate) fn is_api_videos(problem: &Value) -> bool {
    let mut problems = problem["problems"].as_array().into_iter().flatten();
    match site_of(text(problem, "type")) {
        Some(site) => is_of_api_video(site),
        None => {
            names_what_was_sent(problem)
                || problems.any(is_surely_api_videos)
                || has_the_form(problem)
        }
    }
}

/// One of a list: its form tells nothing.
fn is_surely_api_videos(problem: &Value) -> bool {
    match site_of(text(problem, "type")) {
        Some(site) => is_of_api_video(site),
        None => names_what_was_sent(problem),
    }
}

fn names_what_was_sent(problem: &Value) -> bool {
    SENT.contains(&text(problem, "name"))
}

/// Whether an object is empty, has a title, or a status with a name or a detail. The standard asks
/// for no member.
fn has_the_form(problem: &Value) -> bool {
    let says = |name| !text(problem, name).is_empty();
    let is_empty = problem.as_object().is_some_and(serde_json::Map::is_empty);
    is_empty || says("title") || problem["status"].is_number() && (says("name") || says("detail"))
}

/// The host of a URL that names one of the internet's.
fn site_of(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let host = rest.split(['/', '?', '#', ':']).next()?;
    host.contains('.').then_some(host)
}

fn is_of_api_video(host: &str) -> bool {
    let above = host.strip_suffix(SITE);
    above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
}

/// The JSON of a body; `null` if it is none, or is not complete.
pub(crate) fn json(body: &[u8]) -> Value {
    match body.len() {
        0..=LARGEST => serde_json::from_slice(without_bom(body)).unwrap_or_default(),
        _ => Value::Null,
    }
}

/// JSON begins without a byte order mark, but some servers' files do not.
pub(crate) fn without_bom(body: &[u8]) -> &[u8] {
    body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body)
}

pub(crate) fn text<'a>(problem: &'a Value, name: &str) -> &'a str {
    problem[name].as_str().unwrap_or_default()
}

/// A server's text as one short line without secrets: those that are known, parts of them, and any
/// word that is as long as one.
pub(crate) fn presentable(text: &str, secrets: &[&str]) -> String {
    // First of all: what cannot be seen must not hide a secret.
    let mut text = one_line(text);
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        text = text.replace(secret, REDACTED);
    }
    let text = without_parts(&text, secrets);
    let words: Vec<&str> = text
        .split_inclusive(|c: char| c.is_whitespace() || c == '/')
        .map(|word| {
            if word.len() > LONGEST_WORD && !is_spoken(word) {
                REDACTED
            } else {
                word
            }
        })
        .collect();
    words.concat().chars().take(LONGEST_TEXT).collect()
}

/// Words with dashes between them, as in the types of problems: `video-content-range-malformed`.
fn is_spoken(words: &str) -> bool {
    let is_word =
        |word: &str| word.len() <= LONGEST_SPOKEN && word.bytes().all(|b| b.is_ascii_lowercase());
    let words = words.trim_end_matches(|c: char| c.is_whitespace() || c == '/');
    words.split('-').all(is_word)
}

/// The text without what it has in common with a secret, from [`PART`] letters and digits on: a
/// server may have cut a secret off, broken it in two, or put other signs into it.
fn without_parts(text: &str, secrets: &[&str]) -> String {
    let text: Vec<char> = text.chars().collect();
    let is_letter = |at: &usize| text[*at].is_alphanumeric();
    let places: Vec<usize> = (0..text.len()).filter(is_letter).collect();
    let letters: Vec<char> = places.iter().map(|at| text[*at]).collect();
    let mut is_secret = vec![false; text.len()];
    for secret in secrets {
        let secret: Vec<char> = secret.chars().filter(|c| c.is_alphanumeric()).collect();
        let part = secret.len().min(PART);
        if part < SHORTEST_PART {
            continue;
        }
        let parts: HashSet<&[char]> = secret.windows(part).collect();
        for (letters, places) in letters.windows(part).zip(places.windows(part)) {
            if parts.contains(letters) {
                is_secret[places[0]..=places[part - 1]].fill(true);
            }
        }
    }
    let runs = is_secret.chunk_by(|a, b| a == b);
    let mut text = text.into_iter();
    runs.map(|run| {
        let shown: String = text.by_ref().take(run.len()).collect();
        if run[0] { REDACTED.to_owned() } else { shown }
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_word_is_passed_on_if_people_say_it() {
        let kind = "https://docs.api.video/reference/video-content-range-by-part-part-already-sent";
        assert_eq!(presentable(kind, &[]), kind);
        for secret in [
            "a".repeat(41),
            format!("{}1-{}", "a".repeat(20), "b".repeat(20)),
        ] {
            assert_eq!(presentable(&secret, &[]), REDACTED);
        }
    }

    #[test]
    fn a_401_is_about_the_access_token_unless_somebody_else_says_so_or_another_is_named() {
        let of = |slug: &str| {
            let url = format!("https://docs.api.video/reference/{slug}");
            rejects_access_token(format!(r#"{{"type":"{url}","title":"A title."}}"#).as_bytes())
        };
        assert!(of("authentication-invalid-access-token") && of("x"));
        for slug in [
            "authentication-invalid-upload-token",
            "authentication-missing-upload-token",
            "invalid-api-key",
            "authentication-invalid-refresh-token",
        ] {
            assert!(!of(slug), "{slug}");
        }
        assert!(rejects_access_token(b"") && rejects_access_token(br#"{"title":"No."}"#));
        for other in [
            "<html>Sign in</html>",
            r#"{"message":"Unauthorized"}"#,
            r#"{"type":"https://gateway.example.com/x","title":"No."}"#,
        ] {
            assert!(!rejects_access_token(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn a_part_of_a_secret_is_not_passed_on() {
        let secret = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
        for (text, shown) in [
            (
                format!("key {}... is bad", &secret[..35]),
                "key [redacted]... is bad",
            ),
            (format!("{} {}", &secret[..20], &secret[20..]), "[redacted]"),
            (
                format!("{}-{}: {}!", &secret[..8], &secret[8..16], &secret[16..24]),
                "[redacted]!",
            ),
            ("your \"ten le-tters\".".to_owned(), "your \"[redacted]\"."),
            ("sh ort".to_owned(), "sh ort"),
            (format!("é{}é", &secret[10..26]), "é[redacted]é"),
            (format!("é{}é", &secret[10..25]), "éklmnopqrstuvwxyé"),
        ] {
            let secrets = [secret, "short", "ten/letters"];
            assert_eq!(presentable(&text, &secrets), shown);
        }
    }

    #[test]
    fn a_word_as_long_as_a_token_is_not_passed_on() {
        let word = "x".repeat(40);
        assert_eq!(presentable(&word, &[]), word);
        let token = "x".repeat(41);
        assert_eq!(
            presentable(&format!("is {token} yours"), &[]),
            "is [redacted]yours"
        );
        let url = "https://docs.api.video/reference/authentication-errors";
        assert_eq!(presentable(url, &[]), url);
    }
}
