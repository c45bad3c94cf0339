//! A disk, and what all who write to it share: the numbers of temporary files and the flushes of folders.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mutirao_actors::model::Stamp;

use super::flushes::{Flushes, Mark};
use super::publish::{TEMP_PREFIX, TEMP_SUFFIX};
use super::{Contents, Disk, DiskError, Names, OnDisk as _, Part, RealDisk, Stat, is_absent};

/// Names tried for one temporary file. Only what another process, or an earlier life in a folder that nobody sweeps,
/// left half-written stands in the way: a few at a time each.
const PARTS_MAX: u64 = 1024;

/// Folders that are remembered as flushed: the program has some ten, and a peer looks for its seat among more.
/// Beyond this many all are forgotten, and flushed once more.
const FIRM_MAX: usize = 8192;

/// A disk with what its writers share.
#[derive(Debug)]
pub struct Volume {
    disk: Arc<dyn Disk>,
    flushes: Flushes,
    /// Folders whose own names were flushed since this process has begun.
    firm: Mutex<BTreeSet<PathBuf>>,
    /// Held while a folder is made and flushed.
    making: Mutex<()>,
    /// Temporary files that were begun.
    parts: AtomicU64,
}

impl Volume {
    /// What writers of this disk share.
    pub fn new(disk: Arc<dyn Disk>) -> Self {
        Self {
            disk,
            flushes: Flushes::default(),
            firm: Mutex::default(),
            making: Mutex::default(),
            parts: AtomicU64::new(0),
        }
    }

    /// The disk of this machine.
    pub fn real() -> Self {
        Self::new(Arc::new(RealDisk))
    }

    /// The names in a folder, as [`Disk::list`] gives them.
    ///
    /// # Errors
    /// Those of [`Disk::list`].
    pub fn list(&self, folder: &Path) -> io::Result<Names> {
        self.disk.list(folder)
    }

    /// What lies there, as [`Disk::stat`] tells it.
    ///
    /// # Errors
    /// Those of [`Disk::stat`].
    pub fn stat(&self, path: &Path) -> io::Result<Stat> {
        self.disk.stat(path)
    }

    /// Reads a plain file, as [`Disk::read`] does.
    ///
    /// # Errors
    /// Those of [`Disk::read`].
    pub fn read(&self, path: &Path, max: u64) -> io::Result<Contents> {
        self.disk.read(path, max)
    }

    /// Makes a folder and those above it, so that they outlast a power cut. One that is there may have been made by a
    /// life that ended, or failed, before it had flushed the name: so the first call for it flushes that too.
    ///
    /// # Errors
    /// Whatever the disk refuses. Then an empty folder is gone again, to be made anew: a second flush of its name would say
    /// nothing.
    pub fn make_folder(&self, folder: &Path) -> Result<(), DiskError> {
        if self.firm().contains(folder) && matches!(self.disk.make_dir(folder), Ok(false)) {
            return Ok(());
        }
        self.firm().remove(folder);
        // Nobody else may take a folder for a lasting one that is about to be taken back.
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        self.make_lasting(folder)
    }

    /// Makes a folder that nobody has made before, so that it outlasts a power cut; whether it was this call that made it.
    ///
    /// # Errors
    /// Whatever the disk refuses; then the folder is gone again.
    pub fn make_new_folder(&self, folder: &Path) -> Result<bool, DiskError> {
        let above = folder.parent().unwrap_or(Path::new(""));
        self.make_folder(above)?;
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        let mark = self.mark();
        let made = self.disk.make_dir(folder);
        if !made.on_disk("make the folder", folder)? {
            return Ok(false);
        }
        self.sync_since(above, mark).inspect_err(|_| {
            // Nobody was told of it.
            let _ = self.disk.remove_dir(folder);
        })?;
        self.make_firm(folder);
        Ok(true)
    }

    fn make_lasting(&self, folder: &Path) -> Result<(), DiskError> {
        if folder.as_os_str().is_empty() {
            return Ok(());
        }
        let (above, mark) = (folder.parent().unwrap_or(Path::new("")), self.mark());
        let made = match self.disk.make_dir(folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.make_lasting(above)?;
                self.disk.make_dir(folder)
            }
            made => made,
        };
        let is_new = made.on_disk("make the folder", folder)?;
        if !is_new && self.firm().contains(folder) {
            return Ok(());
        }
        // What lies above a path that is given from the root was there before us, and is not ours to flush.
        let above_lasts = match folder.is_relative() {
            true => self.make_lasting(above),
            false => Ok(()),
        };
        let lasts = above_lasts.and_then(|()| self.sync_since(above, mark));
        lasts.inspect_err(|_| {
            // One that holds something stays; it has its name from before.
            let _ = self.disk.remove_dir(folder);
        })?;
        self.make_firm(folder);
        Ok(())
    }

    fn firm(&self) -> MutexGuard<'_, BTreeSet<PathBuf>> {
        self.firm.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn make_firm(&self, folder: &Path) {
        let mut firm = self.firm();
        if firm.len() >= FIRM_MAX {
            firm.clear();
        }
        firm.insert(folder.to_owned());
    }

    /// To be taken before names are given that [`sync_since`](Self::sync_since) is to flush.
    pub fn mark(&self) -> Mark {
        self.flushes.mark()
    }

    /// Flushes the names in a folder that nobody could have begun to flush before.
    ///
    /// # Errors
    /// Whatever the disk refuses.
    pub fn sync_folder(&self, folder: &Path) -> Result<(), DiskError> {
        self.sync_since(folder, self.mark())
    }

    /// Names that were given in a folder since the mark outlast a power cut only after this; those who ask at a time
    /// share one flush.
    ///
    /// # Errors
    /// Whatever the disk refuses, also to others since the mark. Then the names may be lost, whatever another flush
    /// says: they are to be given anew.
    pub fn sync_since(&self, folder: &Path, mark: Mark) -> Result<(), DiskError> {
        let here = Path::new(".");
        let folder = if folder.as_os_str().is_empty() {
            here
        } else {
            folder
        };
        let flushed = self
            .flushes
            .flush(folder, mark, || self.disk.sync_dir(folder));
        flushed.on_disk("flush the folder", folder)
    }

    /// The bytes of a file outlast a power cut only after this, if somebody else wrote them.
    ///
    /// # Errors
    /// Whatever the disk refuses. Then some of them may be lost, whatever another flush says.
    pub fn sync_file(&self, path: &Path) -> Result<(), DiskError> {
        let flushed = self.disk.sync_file(path);
        let is_gone = flushed.as_ref().is_err_and(is_absent);
        let heard = if is_gone {
            flushed
        } else {
            self.heard_flush(flushed)
        };
        heard.on_disk("flush", path)
    }

    /// The same of many files of one folder, each for itself, in their order.
    ///
    /// # Errors
    /// Whatever the disk refuses of all of them; then nothing is known of any.
    pub fn sync_files(
        &self,
        folder: &Path,
        paths: &[PathBuf],
    ) -> Result<Vec<Result<(), DiskError>>, DiskError> {
        let written = self.heard_flush(self.disk.write_out(folder, paths));
        written.on_disk("flush what lies in", folder)?;
        Ok(paths.iter().map(|path| self.sync_file(path)).collect())
    }

    /// Removes a file; its name may come back with a power cut.
    ///
    /// # Errors
    /// Whatever the disk refuses.
    pub fn remove(&self, path: &Path) -> Result<(), DiskError> {
        self.disk.remove(path).on_disk("remove", path)
    }

    /// Renames and never replaces, as [`Disk::rename_new`] does.
    ///
    /// # Errors
    /// Those of [`Disk::rename_new`].
    pub fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename_new(from, to)
    }

    /// The bytes in a new temporary file of the folder.
    pub(super) fn write_part(&self, folder: &Path, bytes: &[u8]) -> Result<Part<'_>, DiskError> {
        let written = self.write_numbered(folder, |path| self.disk.write_new(path, bytes));
        let (path, stamp) = written.on_disk("write a file into", folder)?;
        Ok(Part::flushed(self, path, stamp))
    }

    /// Has a temporary file written under a number that nobody has.
    pub(super) fn write_numbered(
        &self,
        folder: &Path,
        mut write: impl FnMut(&Path) -> io::Result<Stamp>,
    ) -> io::Result<(PathBuf, Stamp)> {
        let mut tries = 1;
        loop {
            let number = self.parts.fetch_add(1, Ordering::Relaxed);
            let path = folder.join(format!("{TEMP_PREFIX}{number}{TEMP_SUFFIX}"));
            match write(&path) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists && tries < PARTS_MAX => {
                    tries += 1;
                }
                written => return written.map(|stamp| (path, stamp)),
            }
        }
    }

    /// A flush of many files: one that fails tells something of the names that others wait to be flushed.
    pub(super) fn heard_flush(&self, flushed: io::Result<()>) -> io::Result<()> {
        flushed.inspect_err(|error| self.flushes.failed(error))
    }

    pub(super) fn disk(&self) -> &dyn Disk {
        &*self.disk
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn folders_are_made_with_those_above_them() {
        let temp = tempfile::tempdir().unwrap();
        let volume = Volume::real();
        let folder = temp.path().join("a/b/c");
        for _ in 0..2 {
            volume.make_folder(&folder).unwrap();
            assert!(folder.is_dir());
        }
        fs::write(temp.path().join("file"), b"").unwrap();
        assert!(volume.make_folder(&temp.path().join("file/d")).is_err());
    }
}
