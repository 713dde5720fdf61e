//! What was received of the form of an upload.

use std::collections::BTreeMap;
use std::io;

use crate::content_range::LARGEST_FILE;
use crate::multipart::{Malformed, Parser, PartHead, Sink};
use crate::stored::{Chunk, Receiving};

/// Of a field that is no file.
const LARGEST_FIELD: usize = 64 * 1024;

/// A file that was received to its end.
pub(crate) struct ReceivedFile {
    pub(crate) name: String,
    pub(crate) chunk: Chunk,
}

/// A form that was received to its end.
pub(crate) struct Form {
    fields: BTreeMap<String, String>,
    pub(crate) files: usize,
    /// The first of them.
    pub(crate) file: Option<ReceivedFile>,
    /// The form could be read.
    pub(crate) is_valid: bool,
}

impl Form {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }
}

enum Part {
    None,
    Field(String, Vec<u8>),
    File,
}

/// A form that is still being received. A body that is no form is received as
/// well, so that the refusal can follow it.
pub(crate) struct ReceivingForm {
    parser: Result<Parser, Malformed>,
    parts: Parts,
}

struct Parts {
    current: Part,
    fields: BTreeMap<String, String>,
    files: usize,
    file: Receiving,
    file_name: String,
    length: u64,
    failure: Option<io::Error>,
}

impl ReceivingForm {
    pub(crate) fn new(content_type: &str, file: Receiving) -> Self {
        Self {
            parser: Parser::new(content_type),
            parts: Parts {
                current: Part::None,
                fields: BTreeMap::new(),
                files: 0,
                file,
                file_name: String::new(),
                length: 0,
                failure: None,
            },
        }
    }

    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        if let Ok(parser) = &mut self.parser
            && parser.feed(bytes, &mut self.parts).is_err()
        {
            self.parser = Err(Malformed);
        }
    }

    /// The whole form, or why its file could not be kept.
    pub(crate) fn finish(mut self) -> io::Result<Form> {
        self.parts.end();
        if let Some(error) = self.parts.failure {
            return Err(error);
        }
        let parts = self.parts;
        let file = (parts.files > 0).then(|| ReceivedFile {
            name: parts.file_name,
            chunk: parts.file.finish(),
        });
        Ok(Form {
            fields: parts.fields,
            files: parts.files,
            file: file.map(|file| file.of_length(parts.length)),
            is_valid: self.parser.is_ok_and(|parser| parser.is_complete()),
        })
    }
}

impl ReceivedFile {
    /// Of a file that is too large, only its size is known.
    fn of_length(mut self, length: u64) -> Self {
        self.chunk.length = length;
        self
    }
}

impl Parts {
    /// The part that was begun last is over.
    fn end(&mut self) {
        if let Part::Field(name, value) = std::mem::replace(&mut self.current, Part::None) {
            let value = String::from_utf8_lossy(&value).into_owned();
            self.fields.insert(name, value);
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        self.length += bytes.len() as u64;
        if self.length <= LARGEST_FILE && self.failure.is_none() {
            self.failure = self.file.append(bytes).err();
        }
    }
}

impl Sink for Parts {
    fn begin(&mut self, head: PartHead) {
        self.end();
        match head.file_name {
            None => self.current = Part::Field(head.name, Vec::new()),
            Some(name) => {
                if self.files == 0 {
                    self.file_name = name;
                }
                self.files += 1;
                self.current = Part::File;
            }
        }
    }

    fn data(&mut self, bytes: &[u8]) {
        match &mut self.current {
            Part::Field(_, value) if value.len() < LARGEST_FIELD => value.extend_from_slice(bytes),
            Part::File if self.files == 1 => self.keep(bytes),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receive(body: &str) -> Form {
        let mut form = ReceivingForm::new("multipart/form-data; boundary=X", Receiving::new(None));
        form.feed(body.as_bytes());
        form.finish().unwrap()
    }

    fn field(name: &str, value: &str) -> String {
        format!("--X\r\nContent-Disposition: form-data; name={name}\r\n\r\n{value}\r\n")
    }

    fn file(name: &str, value: &str) -> String {
        field(&format!("f; filename={name}"), value)
    }

    #[test]
    fn fields_are_read_before_and_after_the_file() {
        let body = field("a", "1") + &file("v.mp4", "123") + &field("b", "2") + "--X--";
        let form = receive(&body);
        assert!(form.is_valid);
        assert_eq!((&*form.fields["a"], &*form.fields["b"]), ("1", "2"));
        let file = form.file.unwrap();
        assert_eq!((&*file.name, file.chunk.length), ("v.mp4", 3));
        assert_eq!(file.chunk.crc32, crc32fast::hash(b"123"));
    }

    #[test]
    fn files_are_counted_and_the_first_is_kept() {
        assert!(receive(&(field("a", "1") + "--X--")).file.is_none());
        let form = receive(&(file("a", "12") + &file("b", "3") + "--X--"));
        assert_eq!(form.files, 2);
        let first = form.file.unwrap();
        assert_eq!((&*first.name, first.chunk.length), ("a", 2));
    }

    #[test]
    fn a_body_that_is_no_form_is_received_all_the_same() {
        assert!(!receive("nonsense").is_valid);
        assert!(!receive(&file("a", "12")).is_valid);
        let mut form = ReceivingForm::new("text/plain", Receiving::new(None));
        form.feed(b"text");
        assert!(!form.finish().unwrap().is_valid);
    }
}
