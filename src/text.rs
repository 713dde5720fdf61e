//! Text from outside: characters that a person can see, and those that one cannot.

/// Visible ASCII, and some of it: what can stand in a header without ending it.
pub(crate) fn is_visible(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic())
}

/// Characters that end a line, or that only tell other characters how to look. In a message they
/// would make more than one line of it, or show something else than what is there.
pub(crate) fn is_invisible(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') || is_format(c)
}

/// Unicode's general category Cf: byte order mark, soft hyphen, zero-width and bidirectional
/// controls, tags. And what has another category, but no shape either: the grapheme joiner and
/// Hangul's fillers.
pub(crate) fn is_format(c: char) -> bool {
    matches!(c,
        '\u{ad}'
        | '\u{34f}'
        | '\u{600}'..='\u{605}'
        | '\u{61c}'
        | '\u{6dd}'
        | '\u{70f}'
        | '\u{890}'..='\u{891}'
        | '\u{8e2}'
        | '\u{115f}'..='\u{1160}'
        | '\u{180e}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{3164}'
        | '\u{feff}'
        | '\u{ffa0}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{110bd}'
        | '\u{110cd}'
        | '\u{13430}'..='\u{1343f}'
        | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e007f}')
}

/// Text of a server's as one line: what breaks it is a space, what cannot be seen is left out.
pub(crate) fn one_line(text: &str) -> String {
    text.chars()
        .filter(|c| !is_format(*c))
        .map(|c| if is_invisible(c) { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_no_breaks_and_nothing_that_cannot_be_seen() {
        let breaks = "a\r\n\t\0\u{85}\u{2028}\u{2029}b";
        assert_eq!(one_line(breaks), "a       b");
        let hidden = "a\u{feff}\u{ad}\u{200b}\u{200f}\u{202e}\u{2066}\u{2069}\u{e0041}\u{34f}\u{115f}\u{3164}\u{ffa0}b";
        assert_eq!(one_line(hidden), "ab");
    }

    #[test]
    fn what_can_be_seen_stays() {
        let text = "Vidéo 漢字 🎬 – ‘a’ e\u{301}";
        assert_eq!(one_line(text), text);
    }
}
