//! Temporary files: bytes that are on the disk, and have no name that anybody looks for.
//!
//! Rule: what has a name is whole. Only a flushed part can be given one, and a part that gets none vanishes.

use std::io;
use std::path::{Path, PathBuf};

use mutirao_actors::model::Stamp;

use super::{Batch, DiskError, OnDisk as _, Volume};

/// A flushed temporary file, which vanishes with this value unless it was given a name.
#[derive(Debug)]
pub struct Part<'a>(Unnamed<'a>);

/// A temporary file; whether its bytes are flushed is known to whoever has it.
#[derive(Debug)]
struct Unnamed<'a> {
    volume: &'a Volume,
    path: PathBuf,
    stamp: Stamp,
    is_named: bool,
}

/// Temporary files of one folder that are written together, and flushed by one call.
pub struct Parts<'a> {
    volume: &'a Volume,
    folder: PathBuf,
    batch: Box<dyn Batch + 'a>,
    written: Vec<Unnamed<'a>>,
}

impl<'a> Part<'a> {
    /// One that was flushed when it was written.
    pub(super) fn flushed(volume: &'a Volume, path: PathBuf, stamp: Stamp) -> Self {
        Self(Unnamed {
            volume,
            path,
            stamp,
            is_named: false,
        })
    }

    /// Its stamp before it was named.
    pub fn stamp(&self) -> Stamp {
        self.0.stamp
    }

    /// Where it lies until it is named.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Gives it a name that must be free; after an error another can be tried.
    ///
    /// # Errors
    /// Those of [`Disk::rename_new`](super::Disk::rename_new).
    pub fn rename_new(&mut self, to: &Path) -> io::Result<()> {
        self.0.volume.disk().rename_new(&self.0.path, to)?;
        self.0.is_named = true;
        Ok(())
    }

    /// Gives it a name, whoever has it.
    ///
    /// # Errors
    /// Those of [`Disk::rename`](super::Disk::rename).
    pub fn rename(mut self, to: &Path) -> io::Result<()> {
        self.0.volume.disk().rename(&self.0.path, to)?;
        self.0.is_named = true;
        Ok(())
    }
}

impl<'a> Parts<'a> {
    /// Files in this folder, which is made when missing.
    ///
    /// # Errors
    /// Whatever the disk refuses.
    pub fn begin(volume: &'a Volume, folder: &Path) -> Result<Self, DiskError> {
        volume.make_folder(folder)?;
        let batch = volume.disk().begin_batch(folder);
        Ok(Self {
            volume,
            folder: folder.to_owned(),
            batch: batch.on_disk("write files into", folder)?,
            written: Vec::new(),
        })
    }

    /// Writes one more.
    ///
    /// # Errors
    /// Whatever the disk refuses; the others are not touched by it.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), DiskError> {
        let batch = &mut self.batch;
        let written = self
            .volume
            .write_numbered(&self.folder, |path| batch.write_new(path, bytes));
        let (path, stamp) = written.on_disk("write a file into", &self.folder)?;
        self.written.push(Unnamed {
            volume: self.volume,
            path,
            stamp,
            is_named: false,
        });
        Ok(())
    }

    /// Flushes those that were written, and gives them in that order.
    ///
    /// # Errors
    /// Whatever the disk refuses; then none of them is left.
    pub fn flush(self) -> Result<Vec<Part<'a>>, DiskError> {
        let flushed = self.volume.heard_flush(self.batch.flush());
        flushed.on_disk("flush new files of", &self.folder)?;
        Ok(self.written.into_iter().map(Part).collect())
    }
}

impl Drop for Unnamed<'_> {
    fn drop(&mut self) {
        if !self.is_named {
            // What is left is swept by the next life.
            let _ = self.volume.disk().remove(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_part_that_gets_no_name_vanishes() {
        let temp = tempfile::tempdir().unwrap();
        let volume = Volume::real();
        let part = volume.write_part(temp.path(), b"x").unwrap();
        assert!(part.0.path.exists());
        drop(part);
        assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 0);
        let part = volume.write_part(temp.path(), b"x").unwrap();
        part.rename(&temp.path().join("a")).unwrap();
        assert_eq!(fs::read(temp.path().join("a")).unwrap(), b"x");
    }

    #[test]
    fn what_another_process_is_writing_is_not_touched() {
        let temp = tempfile::tempdir().unwrap();
        let (one, other) = (Volume::real(), Volume::real());
        let ones = one.write_part(temp.path(), b"one").unwrap();
        let others = other.write_part(temp.path(), b"other").unwrap();
        assert_ne!(ones.0.path, others.0.path);
        assert_eq!(fs::read(&ones.0.path).unwrap(), b"one");
    }

    #[test]
    fn parts_are_given_in_the_order_in_which_they_were_written() {
        let temp = tempfile::tempdir().unwrap();
        let (volume, folder) = (Volume::real(), temp.path().join("a/b"));
        let mut parts = Parts::begin(&volume, &folder).unwrap();
        (0..10_u8).for_each(|number| parts.write(&[number]).unwrap());
        for (number, mut part) in (0_u8..).zip(parts.flush().unwrap()) {
            if number.is_multiple_of(2) {
                part.rename_new(&folder.join(number.to_string())).unwrap();
            }
        }
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 5);
        assert_eq!(fs::read(folder.join("8")).unwrap(), [8]);
        let mut parts = Parts::begin(&volume, &folder).unwrap();
        parts.write(b"x").unwrap();
        drop(parts);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 5, "given up");
    }
}
