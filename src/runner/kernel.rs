//! The kernel's own files.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// What most of them hold, in bytes; where one holds more, it is read in more pieces.
const ROOM: usize = 8 << 10;

/// What such a file says. It does not tell how long it is, so without room for it beforehand it would be read in small
/// pieces, and some are made anew for each. What is no text in it, as a process's name need not be, is replaced.
///
/// # Errors
/// When it is not there.
pub fn text_of(path: impl AsRef<Path>) -> io::Result<String> {
    let mut bytes = Vec::with_capacity(ROOM);
    File::open(path)?.read_to_end(&mut bytes)?;
    let text = String::from_utf8(bytes);
    Ok(text.unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}
