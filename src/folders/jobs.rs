//! The work on the disk: everything here blocks, and runs off the arbiter.
//!
//! Rule: a job is given plain values and gives one back; what it means is decided by the desk and its mind.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use mutirao_actors::model::{Archive, Digest};
use mutirao_actors::wire::scanner::ARCHIVE_MAX;
use nix::errno::Errno;

pub(super) use self::put_away::{Shelved, keep, reject, shelve};
pub(super) use self::take_in::{Draft, adopt, look, read};
use super::disk::{DiskError, OnDisk as _, make_folder, open_plain, read_at_most};
use super::publish;

mod put_away;
mod take_in;

/// Where everything lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// Tasks come in here.
    pub tasks: PathBuf,
    /// Results go out here.
    pub results: PathBuf,
}

impl Places {
    /// The usual ones below a folder.
    pub fn under(root: &Path) -> Self {
        Self {
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
    make_folder(&places.tasks)?;
    make_folder(&places.results)?;
    publish::sweep(&places.tasks)?;
    publish::sweep(&places.results)?;
    publish::sweep(&places.failed_results())?;
    publish::sweep(&places.done())?;
    publish::sweep(&places.failed())?;
    publish::sweep(&places.rejected())
}

/// Reads a ZIP that must be the one with this digest.
pub(super) fn load(path: &Path, sha256: Digest) -> Result<Archive, Refused> {
    let shown = path.display();
    let read = open_plain(path).and_then(|file| read_at_most(&file, ARCHIVE_MAX as u64 + 1));
    let bytes = match read {
        Err(error) if is_absent(&error) => {
            return Err(Refused::Cannot(format!("{shown} is gone: put it back")));
        }
        read => read.on_disk("read", path)?,
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

/// Whether the path leads to no file of its own: nothing, or a link.
fn is_absent(error: &io::Error) -> bool {
    error.kind() == ErrorKind::NotFound || error.raw_os_error() == Some(Errno::ELOOP as i32)
}

#[cfg(test)]
mod tests;
