//! The standard output.

use std::io::{self, Write};

use crate::failure::Failure;

/// Prints a text, and ends its last line. Whoever reads may have gone.
pub(crate) fn line(text: &[u8]) -> Result<(), Failure> {
    let mut output = io::stdout().lock();
    let end: &[u8] = if text.ends_with(b"\n") { b"" } else { b"\n" };
    output.write_all(text)?;
    output.write_all(end)?;
    Ok(output.flush()?)
}
