//! Reads `multipart/form-data` as it comes, without keeping what has passed.

use bytes::{Buf, BytesMut};
use memchr::memmem;

/// The headers of one part together.
const LARGEST_HEAD: usize = 16 * 1024;

/// Who gets the parts of a form.
pub(crate) trait Sink {
    fn begin(&mut self, head: PartHead);
    /// Some of the part that was begun last.
    fn data(&mut self, bytes: &[u8]);
}

/// What the form says of a part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PartHead {
    pub(crate) name: String,
    pub(crate) file_name: Option<String>,
}

/// The form is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Before the first part.
    Preamble,
    /// Behind a delimiter, where either another part or the end follows.
    Between,
    Head,
    Part,
    /// Behind the last part.
    End,
}

pub(crate) struct Parser {
    delimiter: Vec<u8>,
    place: Place,
    buffer: BytesMut,
}

impl Parser {
    /// For a body with this `Content-Type`.
    pub(crate) fn new(content_type: &str) -> Result<Self, Malformed> {
        let (kind, parameters) = content_type.split_once(';').ok_or(Malformed)?;
        if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
            return Err(Malformed);
        }
        let boundary = parameter(parameters, "boundary").ok_or(Malformed)?;
        Ok(Self {
            delimiter: format!("\r\n--{boundary}").into_bytes(),
            place: Place::Preamble,
            // The first delimiter may stand at the very beginning.
            buffer: BytesMut::from("\r\n"),
        })
    }

    pub(crate) fn feed(&mut self, bytes: &[u8], sink: &mut impl Sink) -> Result<(), Malformed> {
        self.buffer.extend_from_slice(bytes);
        while self.step(sink)? {}
        Ok(())
    }

    /// Whether the form has ended as it should.
    pub(crate) fn is_complete(&self) -> bool {
        self.place == Place::End
    }

    /// Goes on by one place; `false` if that needs more bytes.
    fn step(&mut self, sink: &mut impl Sink) -> Result<bool, Malformed> {
        match self.place {
            Place::Preamble | Place::Part => Ok(self.pass_on(sink)),
            Place::Between => self.choose(),
            Place::Head => self.read_head(sink),
            Place::End => {
                self.buffer.clear();
                Ok(false)
            }
        }
    }

    /// Passes on what lies before the next delimiter, as far as is known.
    fn pass_on(&mut self, sink: &mut impl Sink) -> bool {
        let found = memmem::find(&self.buffer, &self.delimiter);
        let end = found.unwrap_or_else(|| {
            // A delimiter may have begun.
            self.buffer.len().saturating_sub(self.delimiter.len() - 1)
        });
        if self.place == Place::Part && end > 0 {
            sink.data(&self.buffer[..end]);
        }
        self.buffer.advance(end);
        if found.is_some() {
            self.buffer.advance(self.delimiter.len());
            self.place = Place::Between;
        }
        found.is_some()
    }

    fn choose(&mut self) -> Result<bool, Malformed> {
        self.place = match self.buffer.get(..2) {
            None => return Ok(false),
            Some(b"\r\n") => Place::Head,
            Some(b"--") => Place::End,
            Some(_) => return Err(Malformed),
        };
        if self.place == Place::End {
            self.buffer.advance(2);
        }
        Ok(true)
    }

    /// Of a head, its line break before it is left, so that one without
    /// headers ends like any other.
    fn read_head(&mut self, sink: &mut impl Sink) -> Result<bool, Malformed> {
        let Some(end) = memmem::find(&self.buffer, b"\r\n\r\n") else {
            return match self.buffer.len() > LARGEST_HEAD {
                true => Err(Malformed),
                false => Ok(false),
            };
        };
        let head = self.buffer.split_to(end + 4);
        let text = std::str::from_utf8(&head).map_err(|_| Malformed)?;
        sink.begin(part_head(text).ok_or(Malformed)?);
        self.place = Place::Part;
        Ok(true)
    }
}

fn part_head(text: &str) -> Option<PartHead> {
    let disposition = text.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-disposition")
            .then_some(value)
    })?;
    let (_, parameters) = disposition.split_once(';')?;
    Some(PartHead {
        name: parameter(parameters, "name")?,
        file_name: parameter(parameters, "filename"),
    })
}

/// The value of one parameter of a header, without its quotes.
fn parameter(mut text: &str, wanted: &str) -> Option<String> {
    loop {
        let (name, rest) = text.split_once('=')?;
        let (value, rest) = value(rest);
        if name.trim().eq_ignore_ascii_case(wanted) {
            return Some(value);
        }
        text = rest.split_once(';')?.1;
    }
}

/// A value at the beginning of the text, and what follows it.
fn value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(';').unwrap_or(text.len());
        return (text[..end].trim().to_owned(), &text[end..]);
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            _ => value.push(character),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, PartialEq, Eq)]
    struct Parts(Vec<(PartHead, Vec<u8>)>);

    impl Sink for Parts {
        fn begin(&mut self, head: PartHead) {
            self.0.push((head, Vec::new()));
        }

        fn data(&mut self, bytes: &[u8]) {
            self.0.last_mut().unwrap().1.extend_from_slice(bytes);
        }
    }

    const TYPE: &str = "multipart/form-data; boundary=XX";

    fn parse(content_type: &str, pieces: &[&[u8]]) -> Result<Parts, Malformed> {
        let mut parser = Parser::new(content_type)?;
        let mut parts = Parts::default();
        for piece in pieces {
            parser.feed(piece, &mut parts)?;
        }
        parser.is_complete().then_some(parts).ok_or(Malformed)
    }

    fn head(name: &str, file_name: Option<&str>) -> PartHead {
        PartHead {
            name: name.to_owned(),
            file_name: file_name.map(str::to_owned),
        }
    }

    const FORM: &[u8] = b"--XX\r\nContent-Disposition: form-data; name=\"videoId\"\r\n\r\n\
        vi1\r\n--XX\r\ncontent-type: video/mp4\r\n\
        CONTENT-DISPOSITION: form-data; filename=\"a \\\"b\\\"; c.mp4\"; name=file\r\n\r\n\
        \r\n--X\r\n\r\n--XX--\r\nepilogue";

    fn expected() -> Parts {
        Parts(vec![
            (head("videoId", None), b"vi1".to_vec()),
            (
                head("file", Some("a \"b\"; c.mp4")),
                b"\r\n--X\r\n".to_vec(),
            ),
        ])
    }

    #[test]
    fn a_form_is_read_wherever_it_is_cut() {
        for at in 0..=FORM.len() {
            let (first, second) = FORM.split_at(at);
            assert_eq!(parse(TYPE, &[first, second]), Ok(expected()), "cut at {at}");
        }
        let bytes: Vec<&[u8]> = FORM.chunks(1).collect();
        assert_eq!(parse(TYPE, &bytes), Ok(expected()));
    }

    #[test]
    fn an_unfinished_form_is_none() {
        let end = FORM.len() - "\r\nepilogue".len();
        for at in 0..end {
            assert_eq!(parse(TYPE, &[&FORM[..at]]), Err(Malformed), "ends at {at}");
        }
        assert_eq!(parse(TYPE, &[&FORM[..end]]), Ok(expected()));
    }

    #[test]
    fn a_boundary_may_be_quoted_and_a_preamble_may_be_there() {
        let content_type = "Multipart/Form-Data; charset=utf-8; boundary=\"a b\"";
        let form =
            b"preamble\r\n--a b\r\ncontent-disposition: form-data; name=x\r\n\r\n\r\n--a b--";
        let parts = Parts(vec![(head("x", None), Vec::new())]);
        assert_eq!(parse(content_type, &[form]), Ok(parts));
    }

    #[test]
    fn what_is_no_form_is_refused() {
        for content_type in [
            "",
            "application/json",
            "multipart/form-data",
            "text/plain; boundary=XX",
        ] {
            assert_eq!(
                parse(content_type, &[FORM]),
                Err(Malformed),
                "{content_type}"
            );
        }
        let bodies: [&[u8]; 4] = [
            b"--XXX\r\n",
            b"--XX\r\n\r\nno name\r\n--XX--",
            b"--XX\r\ncontent-disposition: form-data; filename=a\r\n\r\n\r\n--XX--",
            &[b"--XX\r\n".to_vec(), vec![b'a'; LARGEST_HEAD]].concat(),
        ];
        for body in bodies {
            assert_eq!(parse(TYPE, &[body]), Err(Malformed));
        }
    }
}
