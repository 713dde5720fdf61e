//! The standard output and the standard error.

use std::io::{self, Write};

use crate::failure::Failure;

/// Prints a result, and ends its last line. An empty one, as after a DELETE, is no line.
pub(crate) fn line(text: &[u8]) -> Result<(), Failure> {
    let end: &[u8] = match text.last() {
        None | Some(b'\n') => b"",
        Some(_) => b"\n",
    };
    let mut output = io::stdout().lock();
    output.write_all(text)?;
    output.write_all(end)?;
    Ok(output.flush()?)
}

/// Tells whoever is there. If nobody is, there is nobody else to tell.
pub(crate) fn note(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}
