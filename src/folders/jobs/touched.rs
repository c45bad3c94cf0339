//! Files that were moved between folders, until both are flushed.
//!
//! Rule: a move that could not be flushed is taken back and done again, for a second flush says nothing of what the
//! first one lost.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::disk::{DiskError, Mark, Volume};

/// Moves that are flushed together.
#[derive(Debug)]
pub(in crate::folders) struct Touched {
    since: Mark,
    moves: Vec<(PathBuf, PathBuf)>,
}

impl Touched {
    /// To be made before anything is moved.
    pub fn begin(volume: &Volume) -> Self {
        Self {
            since: volume.mark(),
            moves: Vec::new(),
        }
    }

    /// A file was moved.
    pub fn moved(&mut self, from: PathBuf, to: PathBuf) {
        self.moves.push((from, to));
    }

    /// Flushes each folder once; a file must not be gone from the one before it is in the other.
    ///
    /// # Errors
    /// Whatever the disk refuses; then each file is back where it was, or at least that was tried.
    pub fn flush(self, volume: &Volume) -> Result<(), DiskError> {
        let gained: BTreeSet<_> = self
            .moves
            .iter()
            .filter_map(|(_, to)| to.parent())
            .collect();
        let lost: BTreeSet<_> = self
            .moves
            .iter()
            .filter_map(|(from, _)| from.parent())
            .collect();
        let mut folders = gained.into_iter().chain(lost);
        let flushed = folders.try_for_each(|folder| volume.sync_since(folder, self.since));
        flushed.inspect_err(|_| {
            for (from, to) in self.moves.iter().rev() {
                take_back(volume, from, to);
            }
        })
    }
}

fn take_back(volume: &Volume, from: &Path, to: &Path) {
    if let Err(error) = volume.rename_new(to, from) {
        let (from, to) = (from.display(), to.display());
        tracing::warn!("failed to move {to} back to {from}, which was not flushed: {error}");
    }
}
