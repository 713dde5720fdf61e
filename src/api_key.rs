//! The API key as a program gives it: out of an environment file, a secret's file or a clipboard.
//!
//! Whatever else came along is named at once. Sent to api.video, it would only be a wrong key.

use crate::error::Error;
use crate::text::is_format;

const LONGEST_KEY: usize = 4_096;
const QUOTES: [char; 14] = [
    '"', '\'', '`', '´', '‘', '’', '‚', '“', '”', '„', '«', '»', '‹', '›',
];
const SCHEMES: [&str; 3] = ["bearer", "basic", "apikey"];
/// How languages write that there is nothing.
const NOTHING: [&str; 4] = ["null", "none", "nil", "undefined"];
/// The shortest name that a key alone is not taken for.
const SHORTEST_NAME: usize = 3;

/// The API key as given, or why it cannot be one. No message repeats any of it.
///
/// `setting`: where it comes from.
pub(crate) fn checked_api_key<'a>(setting: &str, key: &'a str) -> Result<&'a str, Error> {
    match problem(key) {
        None => Ok(key),
        Some(problem) => Err(Error::invalid(format!("`{setting}` {problem}."))),
    }
}

fn problem(key: &str) -> Option<&'static str> {
    let problem = if key.is_empty() {
        "is empty"
    } else if key.len() > LONGEST_KEY {
        "is longer than 4,096 bytes"
    } else if key.chars().any(char::is_control) {
        "has a control character, such as a line break, in it"
    } else if key.contains('\u{feff}') {
        "has a byte order mark in it; save the file that it comes from as UTF-8 without one"
    } else if key.chars().any(is_format) {
        "has a character in it that cannot be seen, such as a zero-width space; type it anew"
    } else if key.trim() != key {
        "begins or ends with white space"
    } else if key.starts_with(QUOTES) || key.ends_with(QUOTES) {
        "begins or ends with a quote; give the key without quotes"
    } else if is_placeholder(key) {
        "is or has a placeholder in it, such as ${NAME}, that nothing replaced with its value"
    } else if is_empty_setting(key) {
        "is a setting's name with nothing behind it; the setting is empty"
    } else if has_name(key) {
        "has a name and `=` or `:` before it; give what follows alone"
    } else if is_any_of(key, &NOTHING) {
        "is a word for nothing, such as `null`; the setting that it comes from is empty"
    } else if has_scheme(key) {
        "has a word such as `Bearer` before it; give the key alone"
    } else {
        return None;
    };
    Some(problem)
}

/// `${NAME}`, `$NAME`, `$(…)`, `%NAME%`, `{{ name }}`, `<name>`, `[name]`, `your-key`: shells,
/// templates and manuals.
fn is_placeholder(key: &str) -> bool {
    let between = |start, end| key.starts_with(start) && key.ends_with(end);
    let letters = letters_of(key);
    key.starts_with('$')
        || key.contains("${")
        || between("%", "%")
        || between("{", "}")
        || between("<", ">")
        || between("[", "]")
        || letters.starts_with("your") && letters.trim_end_matches("here").ends_with("key")
}

/// `NAME=` and `name:`, as in a file of settings where nothing was filled in.
fn is_empty_setting(key: &str) -> bool {
    key.strip_suffix(['=', ':']).is_some_and(|name| {
        let is_shouted = name.contains('_') && !name.contains(char::is_lowercase);
        is_shouted && !name.ends_with('=') || is_known_name(name)
    })
}

/// `NAME=…` and `export NAME=…`, or `name: …` as in a header or in YAML. At the end of a key, `=`
/// fills up its Base64.
fn has_name(key: &str) -> bool {
    key.trim_end_matches('=').contains('=') || has_name_and_colon(key)
}

/// A colon, with a blank behind it or before it a name that is none of a key's.
fn has_name_and_colon(key: &str) -> bool {
    key.split_once(':').is_some_and(|(name, value)| {
        let name = name.trim_end();
        let is_name = name.len() >= SHORTEST_NAME
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
        is_name && (value.starts_with(char::is_whitespace) || is_known_name(name))
    })
}

/// `APIVIDEO_API_KEY`, `x-api-key`, `apiKey`, `Authorization`, and the schemes.
fn is_known_name(name: &str) -> bool {
    let letters = letters_of(name);
    letters.ends_with("apikey") || letters == "authorization" || is_any_of(&letters, &SCHEMES)
}

/// A name's letters, which are the same however it is spelled.
fn letters_of(name: &str) -> String {
    let letters = name.chars().filter(char::is_ascii_alphabetic);
    letters.map(|c| c.to_ascii_lowercase()).collect()
}

fn has_scheme(key: &str) -> bool {
    let word = key.split(char::is_whitespace).next().unwrap_or_default();
    is_any_of(word, &SCHEMES)
}

fn is_any_of(word: &str, words: &[&str]) -> bool {
    words.iter().any(|each| word.eq_ignore_ascii_case(each))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Status;

    const KEY: &str = "Xk3yAbCdEfGhIjKlMnOp";

    fn is_refused(key: &str, reason: &str) {
        let error = checked_api_key("api_key", key).expect_err(key);
        assert_eq!(error.status, Status::InvalidArgument);
        let message = error.message;
        assert!(message.starts_with("`api_key` "), "{message}");
        assert!(message.contains(reason), "{key:?}: {message}");
        assert!(!message.contains("Xk3y"), "{message}");
    }

    #[test]
    fn a_key_is_taken_as_it_is() {
        let longest = "x".repeat(4_096);
        for key in [
            KEY,
            "k",
            "a_b-c.d~e+f/g==",
            "k\"e'y",
            "a$b%c<d>",
            "two words",
            "key:with:colons",
            "a: b",
            "nullable",
            "QUJD=",
            "QU_D==",
            "qu_d=",
            "null-ish",
            "yours",
            "api-key",
            "[a]b",
            "clé-鍵-🔑",
            longest.as_str(),
        ] {
            assert_eq!(checked_api_key("api_key", key).unwrap(), key);
        }
    }

    #[test]
    fn a_key_is_one_clean_line() {
        is_refused("", "is empty");
        is_refused(&"x".repeat(4_097), "longer than 4,096");
        for key in ["a\n", "a\r\n", "a\tb", "a\0", "\u{85}a"] {
            is_refused(key, "control character");
        }
        for key in [" a", "a ", "a\u{a0}", "\u{3000}a"] {
            is_refused(key, "begins or ends with white space");
        }
    }

    #[test]
    fn what_came_along_with_a_key_is_named() {
        let around = |before: &str, after: &str| format!("{before}{KEY}{after}");
        for (key, reason) in [
            (around("\"", "\""), "a quote"),
            (around("'", "'"), "a quote"),
            (around("“", "”"), "a quote"),
            (around("«", "»"), "a quote"),
            (around("`", ""), "a quote"),
            (around("", "'"), "a quote"),
            (around("\u{feff}", ""), "byte order mark"),
            (around("", "\u{200b}"), "cannot be seen"),
            (around("", "\u{3164}"), "cannot be seen"),
            (around("Xk3y\u{ad}", ""), "cannot be seen"),
            (around("Bearer ", ""), "`Bearer`"),
            (around("bearer ", ""), "`Bearer`"),
            (around("Basic ", ""), "`Bearer`"),
            (around("apiKey ", ""), "`Bearer`"),
            (around("APIVIDEO_API_KEY=", ""), "a name and `=` or `:`"),
            (around("APIVIDEO_API_KEY = ", ""), "a name and `=` or `:`"),
            (around("export KEY=", "=="), "a name and `=` or `:`"),
            (around("K=", "\""), "a quote"),
            (around("‹", "›"), "a quote"),
            (
                around("Authorization: Bearer ", ""),
                "a name and `=` or `:`",
            ),
            (around("apiKey: ", ""), "a name and `=` or `:`"),
            (around("x-api-key: ", ""), "a name and `=` or `:`"),
            (around("APIVIDEO_API_KEY : ", ""), "a name and `=` or `:`"),
            (around("Bearer:", ""), "a name and `=` or `:`"),
            (around("x-api-key:", ""), "a name and `=` or `:`"),
            (around("APIVIDEO_API_KEY:", ""), "a name and `=` or `:`"),
            (around("authorization:Bearer ", ""), "a name and `=` or `:`"),
            (around("some-name:\u{a0}", ""), "a name and `=` or `:`"),
            ("APIVIDEO_API_KEY=".to_owned(), "the setting is empty"),
            ("VIDEO_KEY=".to_owned(), "the setting is empty"),
            (
                "export APIVIDEO_API_KEY=".to_owned(),
                "the setting is empty",
            ),
            ("apiKey=".to_owned(), "the setting is empty"),
            ("x-api-key:".to_owned(), "the setting is empty"),
            ("Bearer".to_owned(), "`Bearer`"),
            ("null".to_owned(), "a word for nothing"),
            ("None".to_owned(), "a word for nothing"),
            ("nil".to_owned(), "a word for nothing"),
            ("undefined".to_owned(), "a word for nothing"),
        ] {
            is_refused(&key, reason);
        }
    }

    #[test]
    fn a_placeholder_is_no_key() {
        for key in [
            "${APIVIDEO_API_KEY}",
            "$APIVIDEO_API_KEY",
            "$(cat key)",
            "prefix${KEY}",
            "KEY=${KEY}",
            "%APIVIDEO_API_KEY%",
            "{{ apivideo_key }}",
            "<your API key>",
            "[your key]",
            "your-key",
            "YOUR_API_KEY",
            "your API key here",
        ] {
            is_refused(key, "placeholder");
        }
    }
}
