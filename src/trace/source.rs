//! The lines of a log in the order in which they were written, over all its files.
//!
//! Rule: a file is known by what it is, not by its name, so that a log which moves on while it is read
//! is read whole: what was open stays open, and its successor is looked up when its end is reached.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::{Lines, TraceError};
use crate::message_file::{FILES_MAX, older};

/// Longest line taken as one, in bytes: ten thousand peers listed in one letter are about 5 MB.
const LINE_MAX: u64 = 16 * 1024 * 1024;

/// A log that is being read.
#[derive(Debug)]
pub struct Source {
    /// The file that grows.
    path: PathBuf,
    /// The file that is being read, and what it is.
    file: BufReader<File>,
    identity: Identity,
    /// The file has a successor: nothing more will be written to it.
    sealed: bool,
    /// What was read of a line whose end is not there yet.
    line: Vec<u8>,
    /// The last line was handed out, and is to be dropped.
    taken: bool,
}

/// Device and inode: what stays when a file is renamed.
type Identity = (u64, u64);

impl Source {
    /// Opens the oldest file of the log.
    ///
    /// # Errors
    ///
    /// [`TraceError::Missing`] if there is none, [`TraceError::Unreadable`] if it cannot be opened.
    pub fn open(path: &Path) -> Result<Self, TraceError> {
        let oldest = oldest(path, FILES_MAX).map_err(|error| unreadable(path, error))?;
        let (file, identity) = oldest.ok_or_else(|| TraceError::Missing(path.into()))?;
        Ok(Self {
            path: path.into(),
            file: BufReader::new(file),
            identity,
            sealed: false,
            line: Vec::new(),
            taken: false,
        })
    }

    /// Whether another line was read.
    fn advance(&mut self) -> io::Result<bool> {
        if std::mem::take(&mut self.taken) {
            self.line.clear();
        }
        while !self.read_more()? {
            if self.sealed && !self.line.is_empty() {
                break;
            }
            if !self.move_on()? {
                return Ok(false);
            }
        }
        self.taken = true;
        Ok(true)
    }

    /// Reads on in the open file; whether a line is whole, or too long to be read as one.
    fn read_more(&mut self) -> io::Result<bool> {
        let room = LINE_MAX.saturating_sub(self.line.len() as u64);
        self.file
            .by_ref()
            .take(room)
            .read_until(b'\n', &mut self.line)?;
        Ok(self.line.ends_with(b"\n") || self.line.len() as u64 >= LINE_MAX)
    }

    /// At the end of a file: whether there is more to read, in it or in its successor.
    fn move_on(&mut self) -> io::Result<bool> {
        loop {
            let age = match self.age()? {
                Some(0) => return Ok(false),
                // Something may have been written between our reading and its being moved aside.
                _ if !self.sealed => {
                    self.sealed = true;
                    return Ok(true);
                }
                Some(age) => age,
                // So many files were begun meanwhile that this one is deleted: the oldest comes next.
                None => FILES_MAX,
            };
            let Some((file, identity)) = oldest(&self.path, age)? else {
                return Ok(false);
            };
            // The names may have moved between the two looks; then the successor is another one.
            if age == FILES_MAX || self.age()? == Some(age) {
                self.file = BufReader::new(file);
                self.identity = identity;
                self.sealed = false;
                return Ok(true);
            }
        }
    }

    /// How often the open file was moved aside; none if it is among the log's files no more.
    fn age(&self) -> io::Result<Option<usize>> {
        for age in 0..FILES_MAX {
            match fs::metadata(aged(&self.path, age)) {
                Ok(metadata) if identity(&metadata) == self.identity => return Ok(Some(age)),
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(None)
    }
}

impl Lines for Source {
    fn next_line(&mut self) -> Result<Option<&[u8]>, TraceError> {
        match self.advance() {
            Ok(true) => Ok(Some(self.line.strip_suffix(b"\n").unwrap_or(&self.line))),
            Ok(false) => Ok(None),
            Err(error) => Err(unreadable(&self.path, error)),
        }
    }

    fn rest(&mut self) -> Option<&[u8]> {
        let rest = !self.taken && !self.line.is_empty();
        self.taken = true;
        rest.then_some(self.line.as_slice())
    }
}

/// The oldest file of the log that is younger than this.
fn oldest(path: &Path, age: usize) -> io::Result<Option<(File, Identity)>> {
    let mut ages = (0..age).rev();
    ages.find_map(|age| open(&aged(path, age)).transpose())
        .transpose()
}

/// The name of the log's file of this age; 0 is the one that grows.
fn aged(path: &Path, age: usize) -> PathBuf {
    match age {
        0 => path.into(),
        age => older(path, age),
    }
}

fn open(path: &Path) -> io::Result<Option<(File, Identity)>> {
    match File::open(path) {
        Ok(file) => {
            let identity = identity(&file.metadata()?);
            Ok(Some((file, identity)))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn identity(metadata: &fs::Metadata) -> Identity {
    (metadata.dev(), metadata.ino())
}

fn unreadable(path: &Path, error: io::Error) -> TraceError {
    TraceError::Unreadable {
        path: path.into(),
        error,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn append(path: &Path, text: &str) {
        let mut file = File::options()
            .append(true)
            .create(true)
            .open(path)
            .unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn next(source: &mut Source) -> Option<String> {
        let line = source.next_line().unwrap();
        line.map(|line| String::from_utf8(line.to_vec()).unwrap())
    }

    #[test]
    fn what_is_written_just_before_a_file_is_moved_aside_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("messages.jsonl");
        append(&path, "1\n");
        let mut source = Source::open(&path).unwrap();
        assert_eq!(next(&mut source).unwrap(), "1");
        source.taken = false;
        source.line.clear();
        assert!(!source.read_more().unwrap(), "the end is reached");
        append(&path, "2\n");
        fs::rename(&path, older(&path, 1)).unwrap();
        append(&path, "3\n");
        assert!(source.move_on().unwrap());
        assert_eq!(next(&mut source).unwrap(), "2");
        assert_eq!(next(&mut source).unwrap(), "3");
        assert_eq!(next(&mut source), None);
    }

    #[test]
    fn a_torn_end_of_an_older_file_is_not_the_beginning_of_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("messages.jsonl");
        append(&older(&path, 1), "1\nto");
        append(&path, "2\n");
        let mut source = Source::open(&path).unwrap();
        let lines: Vec<_> = std::iter::from_fn(|| next(&mut source)).collect();
        assert_eq!(lines, ["1", "to", "2"]);
        assert_eq!(source.rest(), None);
    }
}
