//! The API key as a program gives it: out of an environment file, a secret's file or a clipboard.
//!
//! What came along with it is named here and now. Sent to api.video it would only be a wrong key.

use crate::error::Error;
use crate::text::is_format;

const LONGEST_KEY: usize = 4_096;
const QUOTES: [char; 12] = ['"', '\'', '`', '´', '‘', '’', '‚', '“', '”', '„', '«', '»'];
const SCHEMES: [&str; 3] = ["bearer", "basic", "apikey"];

/// The API key as given, or why it cannot be one. No message repeats any of it.
pub(crate) fn checked_api_key(key: &str) -> Result<&str, Error> {
    match problem(key) {
        None => Ok(key),
        Some(problem) => Err(Error::invalid(format!("`api_key` {problem}."))),
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
    } else if has_name(key) {
        "has a name and `=` before it; give what follows alone"
    } else if has_scheme(key) {
        "has a word such as `Bearer` before it; give the key alone"
    } else {
        return None;
    };
    Some(problem)
}

/// `${NAME}`, `$NAME`, `$(…)`, `%NAME%`, `{{ name }}`, `<name>`: shells, templates and manuals.
fn is_placeholder(key: &str) -> bool {
    let between = |start, end| key.starts_with(start) && key.ends_with(end);
    key.starts_with('$')
        || key.contains("${")
        || between("%", "%")
        || between("{", "}")
        || between("<", ">")
}

/// `NAME=…`, and `export NAME=…`. At the end of a key, `=` fills up its Base64.
fn has_name(key: &str) -> bool {
    key.trim_end_matches('=').contains('=')
}

fn has_scheme(key: &str) -> bool {
    key.split_once(char::is_whitespace)
        .is_some_and(|(word, _)| SCHEMES.iter().any(|s| word.eq_ignore_ascii_case(s)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Status;

    const KEY: &str = "Xk3yAbCdEfGhIjKlMnOp";

    fn is_refused(key: &str, reason: &str) {
        let error = checked_api_key(key).expect_err(key);
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
            "clé-鍵-🔑",
            longest.as_str(),
        ] {
            assert_eq!(checked_api_key(key).unwrap(), key);
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
            (around("Xk3y\u{ad}", ""), "cannot be seen"),
            (around("Bearer ", ""), "`Bearer`"),
            (around("bearer ", ""), "`Bearer`"),
            (around("Basic ", ""), "`Bearer`"),
            (around("apiKey ", ""), "`Bearer`"),
            (around("APIVIDEO_API_KEY=", ""), "a name and `=`"),
            (around("APIVIDEO_API_KEY = ", ""), "a name and `=`"),
            (around("export KEY=", "=="), "a name and `=`"),
            (around("K=", "\""), "a quote"),
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
        ] {
            is_refused(key, "placeholder");
        }
    }
}
