//! ZIPs of tasks whose end was lost with a part of the store: they ended and left `tasks/`, but nobody knows.
//!
//! Rule: such a task is open again, and runs once more. Its ZIP is moved back from `tasks/done/` or `tasks/failed/`,
//! for a file that we moved away ourselves was deleted by nobody.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use mutirao_actors::model::{Digest, TaskId};

use super::Places;
use super::touched::Touched;
use crate::disk::{DiskError, OnDisk as _, Volume, is_absent};
use crate::folders::stay::Copies;

/// An open task of an earlier life, whose end may be lost.
#[derive(Debug)]
pub(in crate::folders) struct MaybeEnded {
    /// Which.
    pub task: TaskId,
    /// Where it lies in `tasks/`, if it does.
    pub file: OsString,
    /// Length of its ZIP, in bytes.
    pub size: u64,
    /// Of its ZIP.
    pub sha256: Digest,
}

/// Moves the ZIPs of those tasks back into `tasks/` that lie nowhere else any more.
///
/// # Errors
/// Whatever the disk refuses; all of it may be tried again.
pub(in crate::folders) fn bring_back(
    places: &Places,
    tasks: &[MaybeEnded],
) -> Result<(), DiskError> {
    let volume = &*places.volume;
    let mut missing = Vec::new();
    for task in tasks {
        let lies = places.tasks.join(&task.file);
        let payload = places.payload(task.task, task.sha256);
        if is_missing(volume, &lies)? && is_missing(volume, &payload)? {
            missing.push((task, lies));
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let copies = Copies::list(volume, &[places.done(), places.failed()])?;
    let mut touched = Touched::begin(volume);
    let mut moved = Vec::new();
    let tried = missing.into_iter().try_for_each(|(task, lies)| {
        let Some(copy) = find(&copies, volume, task) else {
            return Ok(());
        };
        match volume.rename_new(&copy, &lies) {
            // Somebody put a file there just now: the look tells what it is.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(()),
            renamed => renamed.on_disk("move back", &copy)?,
        }
        touched.moved(copy.clone(), lies.clone());
        moved.push((copy, lies));
        Ok(())
    });
    touched.flush(volume)?;
    for (copy, lies) in moved {
        say(volume, &copy, &lies);
    }
    tried
}

fn is_missing(volume: &Volume, path: &Path) -> Result<bool, DiskError> {
    match volume.stat(path) {
        Err(error) if is_absent(&error) => Ok(true),
        stat => stat.on_disk("look at", path).map(|_| false),
    }
}

/// A copy that cannot be read could not run either, and must not keep the others waiting.
fn find(copies: &Copies, volume: &Volume, task: &MaybeEnded) -> Option<PathBuf> {
    let name = task.file.to_string_lossy();
    let found = copies.find(volume, &name, task.size, task.sha256);
    found.unwrap_or_else(|error| {
        tracing::warn!("{error}; so {name} is not brought back to tasks/");
        None
    })
}

/// Says what was done; a note of a failure that is none any more goes.
fn say(volume: &Volume, copy: &Path, lies: &Path) {
    let (from, to) = (copy.display(), lies.display());
    tracing::warn!(
        "the record of how {to} ended was lost: its ZIP was moved back there from {from}, and it runs once more"
    );
    let mut note = copy.as_os_str().to_owned();
    note.push(".txt");
    let note = PathBuf::from(note);
    if volume.stat(&note).is_ok()
        && let Err(error) = volume.remove(&note)
    {
        tracing::warn!("{error}");
    }
}
