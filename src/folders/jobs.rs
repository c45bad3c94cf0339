//! The work on the disk: everything here blocks, and runs off the arbiter.
//!
//! Rule: a job is given plain values and gives one back; what it means is decided by the desk and its mind.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use mutirao_actors::model::{Archive, Digest};
use mutirao_actors::wire::scanner::ARCHIVE_MAX;

pub(super) use self::put_away::{Shelved, keep, reject, shelve};
pub(super) use self::take_in::{Draft, adopt, look, read};
use crate::disk::{DiskError, OnDisk as _, Volume, is_absent, publish};

mod put_away;
mod take_in;

/// Where everything lies.
#[derive(Debug, Clone)]
pub struct Places {
    /// The disk that all of it lies on.
    pub volume: Arc<Volume>,
    /// Tasks come in here.
    pub tasks: PathBuf,
    /// Results go out here.
    pub results: PathBuf,
}

impl Places {
    /// The usual ones below a folder.
    pub fn under(root: &Path, volume: Arc<Volume>) -> Self {
        Self {
            volume,
            tasks: root.join("tasks"),
            results: root.join("results"),
        }
    }

    pub(super) fn done(&self) -> PathBuf {
        self.tasks.join("done")
    }

    pub(super) fn failed(&self) -> PathBuf {
        self.tasks.join("failed")
    }

    pub(super) fn rejected(&self) -> PathBuf {
        self.tasks.join("rejected")
    }

    pub(super) fn failed_results(&self) -> PathBuf {
        self.results.join("failed")
    }
}

/// Why a job did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    /// The disk would not.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// It cannot be done; in words for a reader.
    #[error("{0}")]
    Cannot(String),
}

/// Makes the two folders and clears away what an earlier life left half-written.
pub(super) fn open(places: &Places) -> Result<(), DiskError> {
    let volume = &places.volume;
    volume.make_folder(&places.tasks)?;
    volume.make_folder(&places.results)?;
    publish::sweep(volume, &places.tasks)?;
    publish::sweep(volume, &places.results)?;
    publish::sweep(volume, &places.failed_results())?;
    publish::sweep(volume, &places.done())?;
    publish::sweep(volume, &places.failed())?;
    publish::sweep(volume, &places.rejected())
}

/// Reads a ZIP that must be the one with this digest.
pub(super) fn load(volume: &Volume, path: &Path, sha256: Digest) -> Result<Archive, Refused> {
    let shown = path.display();
    let bytes = match volume.read(path, ARCHIVE_MAX as u64 + 1) {
        Err(error) if is_absent(&error) => {
            return Err(Refused::Cannot(format!("{shown} is gone: put it back")));
        }
        read => read.on_disk("read", path)?.bytes,
    };
    let archive = Archive::new(bytes);
    if archive.digest() == sha256 {
        Ok(archive)
    } else {
        Err(Refused::Cannot(format!(
            "{shown} has changed since mutirao wrote or adopted it"
        )))
    }
}

#[cfg(test)]
mod tests;
