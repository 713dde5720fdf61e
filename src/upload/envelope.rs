//! The form that a chunk travels in, `multipart/form-data`: written here, so that its length is
//! known before its first byte.

use std::fmt::Write as _;
use std::io::Read;

/// What is before a chunk's bytes, and behind them.
pub(crate) struct Envelope {
    pub(crate) content_type: String,
    before: String,
    behind: String,
}

impl Envelope {
    /// Its headers are written as everybody writes them, since some read no other.
    ///
    /// `nonce` must not be in the chunk: random bits, as many as make that impossible.
    pub(crate) fn new(nonce: u128, video_id: Option<&str>, file_name: &str) -> Envelope {
        let boundary = format!("libapivideo-{nonce:032x}");
        let mut before = String::new();
        if let Some(video_id) = video_id {
            let _ = write!(
                before,
                "--{boundary}\r\nContent-Disposition: form-data; name=\"videoId\"\r\n\r\n{video_id}\r\n"
            );
        }
        let _ = write!(
            before,
            "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{}\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n",
            quoted(file_name)
        );
        Envelope {
            content_type: format!("multipart/form-data; boundary={boundary}"),
            before,
            behind: format!("\r\n--{boundary}--\r\n"),
        }
    }

    /// How long all of it is, with a chunk of this length.
    pub(crate) fn length(&self, chunk: u64) -> u64 {
        chunk + (self.before.len() + self.behind.len()) as u64
    }

    /// All of it, with this chunk.
    pub(crate) fn around<'a>(&'a self, chunk: impl Read + 'a) -> impl Read + 'a {
        self.before
            .as_bytes()
            .chain(chunk)
            .chain(self.behind.as_bytes())
    }
}

/// As browsers do it: what would end the name or its line is written as in a URL.
fn quoted(file_name: &str) -> String {
    let escaped = |c: char| match c {
        '"' => "%22".to_owned(),
        '\r' => "%0D".to_owned(),
        '\n' => "%0A".to_owned(),
        '\0' => String::new(),
        c => c.to_string(),
    };
    file_name.chars().map(escaped).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(envelope: &Envelope, chunk: &[u8]) -> String {
        let mut all = String::new();
        envelope.around(chunk).read_to_string(&mut all).unwrap();
        assert_eq!(all.len() as u64, envelope.length(chunk.len() as u64));
        all
    }

    #[test]
    fn a_chunk_is_one_file_of_a_form() {
        let envelope = Envelope::new(0xabc, None, "a b.mp4");
        let boundary = "libapivideo-00000000000000000000000000000abc";
        assert_eq!(
            envelope.content_type,
            format!("multipart/form-data; boundary={boundary}")
        );
        assert_eq!(
            read(&envelope, b"bytes"),
            format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a b.mp4\"\r\n\
                 Content-Type: application/octet-stream\r\n\r\nbytes\r\n--{boundary}--\r\n"
            )
        );
    }

    #[test]
    fn the_video_is_named_before_the_file() {
        let all = read(&Envelope::new(0, Some("vi1"), "f"), b"");
        let (id, file) = (all.find("vi1").unwrap(), all.find("filename").unwrap());
        assert!(id < file);
        assert!(all.contains("name=\"videoId\"\r\n\r\nvi1\r\n--libapivideo"));
    }

    #[test]
    fn no_name_of_a_file_breaks_out_of_it() {
        let name = "a\"; x=\"\r\n\r\n--b\0é";
        let all = read(&Envelope::new(0, None, name), b"");
        assert!(
            all.contains("filename=\"a%22; x=%22%0D%0A%0D%0A--bé\"\r\n"),
            "{all}"
        );
    }
}
