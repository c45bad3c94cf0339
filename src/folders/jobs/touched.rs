//! Files that got a name, or were moved between folders, until the folders are flushed.
//!
//! Rule: what could not be flushed is taken back and done again, for a second flush says nothing of what the
//! first one lost.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::disk::{DiskError, Mark, Volume};

/// Changes that are flushed together.
#[derive(Debug)]
pub(in crate::folders) struct Touched {
    since: Mark,
    changes: Vec<Change>,
}

/// What was done with a file.
#[derive(Debug)]
enum Change {
    Moved { from: PathBuf, to: PathBuf },
    Made(PathBuf),
}

impl Touched {
    /// To be made before anything is moved.
    pub fn begin(volume: &Volume) -> Self {
        Self {
            since: volume.mark(),
            changes: Vec::new(),
        }
    }

    /// A file was moved.
    pub fn moved(&mut self, from: PathBuf, to: PathBuf) {
        self.changes.push(Change::Moved { from, to });
    }

    /// A new file got this name, and its bytes lie elsewhere too.
    pub fn made(&mut self, path: PathBuf) {
        self.changes.push(Change::Made(path));
    }

    /// Flushes each folder once; a file must not be gone from the one before it is in the other.
    ///
    /// # Errors
    /// Whatever the disk refuses; then each file is back where it was, or at least that was tried.
    pub fn flush(self, volume: &Volume) -> Result<(), DiskError> {
        let above = |path: fn(&Change) -> Option<&Path>| {
            let folders = self.changes.iter().filter_map(path);
            folders.filter_map(Path::parent).collect::<BTreeSet<_>>()
        };
        let (gained, lost) = (above(Change::gained), above(Change::lost));
        let mut folders = gained.into_iter().chain(lost);
        let flushed = folders.try_for_each(|folder| volume.sync_since(folder, self.since));
        flushed.inspect_err(|_| {
            for change in self.changes.iter().rev() {
                change.take_back(volume);
            }
        })
    }
}

impl Change {
    fn gained(&self) -> Option<&Path> {
        match self {
            Self::Moved { to, .. } | Self::Made(to) => Some(to),
        }
    }

    fn lost(&self) -> Option<&Path> {
        match self {
            Self::Moved { from, .. } => Some(from),
            Self::Made(_) => None,
        }
    }

    fn take_back(&self, volume: &Volume) {
        match self {
            Self::Moved { from, to } => {
                if let Err(error) = volume.rename_new(to, from) {
                    let (from, to) = (from.display(), to.display());
                    tracing::warn!(
                        "failed to move {to} back to {from}, which was not flushed: {error}"
                    );
                }
            }
            Self::Made(path) => {
                if let Err(error) = volume.remove(path) {
                    tracing::warn!("{error}; it was not flushed, and lies elsewhere too");
                }
            }
        }
    }
}
