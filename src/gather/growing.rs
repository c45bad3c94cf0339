//! A hidden file that grows, and the copy of it that is seen.
//!
//! Rule: the copy is made anew when there is half as much again, so all copies together cost no more than three times the whole.

use std::fs::{self, File};
use std::io::{self, Read, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use super::zipped::Zipped;

/// What is moved at once, in bytes.
const CHUNK: usize = 64 << 10;

/// The file.
#[derive(Debug)]
pub(super) struct Growing {
    hidden: PathBuf,
    seen: PathBuf,
    /// None while nothing is done with it.
    file: Option<File>,
    /// In bytes.
    length: u64,
    last: Option<u8>,
    /// What is sure to stay: length and last byte.
    kept: (u64, Option<u8>),
    /// How long the copy is that is seen.
    shown: u64,
    is_shown_whole: bool,
}

impl Growing {
    /// An empty one; what an earlier life left of it is gone, but not what is seen.
    pub fn begin(folder: &Path, name: &str) -> io::Result<Self> {
        let (hidden, seen) = (folder.join(format!(".{name}.growing")), folder.join(name));
        let file = Some(File::create(&hidden)?);
        Ok(Self {
            shown: fs::metadata(&seen).map_or(0, |metadata| metadata.len()),
            hidden,
            seen,
            file,
            length: 0,
            last: None,
            kept: (0, None),
            is_shown_whole: false,
        })
    }

    /// The hidden file, to write at its end.
    fn file(&mut self) -> io::Result<&mut File> {
        let file = match self.file.take() {
            Some(file) => file,
            None => {
                let mut file = File::options().write(true).open(&self.hidden)?;
                file.seek(SeekFrom::Start(self.length))?;
                file
            }
        };
        Ok(self.file.insert(file))
    }

    /// Is not held open until something is done with it again.
    pub fn rest(&mut self) {
        self.file = None;
    }

    /// Adds bytes.
    pub fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file()?.write_all(bytes)?;
        self.length += bytes.len() as u64;
        self.last = bytes.last().copied().or(self.last);
        Ok(())
    }

    /// Adds all that can be read, on a line of its own.
    pub fn append_lines(&mut self, mut from: impl Read) -> io::Result<()> {
        let mut chunk = vec![0; CHUNK];
        let mut is_first = true;
        loop {
            let length = match from.read(&mut chunk) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                length => length?,
            };
            let read = chunk.get(..length).unwrap_or_default();
            if read.is_empty() {
                return Ok(());
            }
            if std::mem::take(&mut is_first) && self.last.is_some_and(|last| last != b'\n') {
                self.append(b"\n")?;
            }
            self.append(read)?;
        }
    }

    /// Adds a file of a ZIP, if it is there.
    pub fn append_entry<R: Read + io::Seek>(
        &mut self,
        zip: &mut Zipped<R>,
        name: &str,
    ) -> io::Result<()> {
        match zip.file_within(name)? {
            Some(entry) => self.append_lines(entry),
            None => Ok(()),
        }
    }

    /// What was added stays.
    pub fn keep(&mut self) {
        self.kept = (self.length, self.last);
    }

    /// What was added since the last [`keep`](Self::keep) is taken back.
    pub fn take_back(&mut self) -> io::Result<()> {
        (self.length, self.last) = self.kept;
        let length = self.length;
        let file = self.file()?;
        file.set_len(length)?;
        file.seek(SeekFrom::Start(length)).map(drop)
    }

    /// Shows a copy with this at its end, if there is much that is new or nothing more comes; and says whether it did. A
    /// file with nothing in it is not shown.
    pub fn show(&mut self, tail: &[u8], is_last: bool) -> io::Result<bool> {
        if self.is_shown_whole {
            return Ok(false);
        }
        if is_last {
            self.show_whole(tail)?;
            return Ok(true);
        }
        let half_more = self.shown.saturating_add(self.shown / 2).max(1);
        if self.length < half_more || self.length == self.shown {
            return Ok(false);
        }
        let copy = self.hidden.with_extension("copy");
        fs::copy(&self.hidden, &copy)?;
        let mut file = File::options().append(true).open(&copy)?;
        file.write_all(tail)?;
        file.sync_all()?;
        fs::rename(&copy, &self.seen)?;
        self.shown = self.length;
        Ok(true)
    }

    /// The hidden file itself is what is seen from now on.
    fn show_whole(&mut self, tail: &[u8]) -> io::Result<()> {
        let shown = match self.length {
            0 => fs::remove_file(&self.hidden).and_then(|()| match fs::remove_file(&self.seen) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                removed => removed,
            }),
            _ => self
                .file()
                .and_then(|file| {
                    file.write_all(tail)?;
                    file.sync_all()
                })
                .and_then(|()| fs::rename(&self.hidden, &self.seen)),
        };
        match shown {
            Ok(()) => {
                self.is_shown_whole = true;
                Ok(())
            }
            Err(error) => {
                self.take_back()?;
                Err(error)
            }
        }
    }
}
