//! The files of terminal tasks: results from `.mutirao/payloads/` to `results/`, tasks out of `tasks/`.
//!
//! Rule: that a task ended was written down before. Whatever of this a crash left undone is done again at the next
//! start, and doing it twice changes nothing.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use mutirao_actors::logic::effect::End;
use mutirao_actors::model::{Archive, Digest, TaskId, TaskName};

use super::put_away::shelve;
use super::{ARCHIVE_MAX, Places, Refused, Shelved, is_absent, load};
use crate::archive::inspect_result;
use crate::disk::{DiskError, OnDisk as _, Volume, publish};
use crate::folders::intake::Leaving;
use crate::folders::kept::Kept;
use crate::folders::plans::Plans;

/// A terminal task whose files are to be put where they belong.
#[derive(Debug, Clone)]
pub(in crate::folders) struct Settling {
    /// Which.
    pub task: TaskId,
    /// Its own name.
    pub name: TaskName,
    /// How it ended.
    pub end: End,
    /// Its result, or the last output of its failure.
    pub kept: Option<Kept>,
    /// Its file in `tasks/`; none when that was deleted or replaced.
    pub leaving: Option<Leaving>,
}

/// Folders whose names changed.
#[derive(Debug, Default)]
pub(in crate::folders) struct Touched {
    gained: BTreeSet<PathBuf>,
    lost: BTreeSet<PathBuf>,
}

impl Touched {
    /// Something moves from one folder to the other.
    pub fn moved(&mut self, from: PathBuf, to: PathBuf) {
        self.lost.insert(from);
        self.gained.insert(to);
    }

    /// Flushes them; a file must not be gone from the one before it is in the other.
    fn flush(self, volume: &Volume) -> Result<(), DiskError> {
        let folders = self.gained.iter().chain(&self.lost);
        folders
            .into_iter()
            .try_for_each(|folder| volume.sync_folder(folder))
    }
}

/// Where its files are now.
#[derive(Debug)]
pub(in crate::folders) struct Settled {
    /// The result's file below `results/`.
    pub file: Option<String>,
    /// What became of the task's own file.
    pub shelved: Shelved,
}

/// Vets a result, writes it where no crash loses it, and says what its file below `results/` will be.
pub(in crate::folders) fn keep(
    places: &Places,
    plans: &Plans,
    (task, name, success): (TaskId, &TaskName, bool),
    archive: &Archive,
) -> Result<String, Refused> {
    inspect_result(archive.bytes()).map_err(|refusal| Refused::Cannot(refusal.to_string()))?;
    let payload = payload_name(task, archive.digest());
    publish::publish_over(
        &places.volume,
        &places.payloads(),
        &payload,
        archive.bytes(),
    )?;
    Ok(plans.plan(places, task, name, success))
}

/// By its digest, so that `sha256sum` tells whether it is whole; and by its task, for two may have the same bytes.
pub(super) fn payload_name(task: TaskId, sha256: Digest) -> String {
    format!("{sha256}-{task}")
}

/// Where a result lies until its task is settled.
pub(in crate::folders) fn payload_of(places: &Places, task: TaskId, kept: &Kept) -> PathBuf {
    places.payload(task, kept.sha256)
}

/// Removes what was kept for a task that was cancelled meanwhile.
pub(in crate::folders) fn discard(
    places: &Places,
    task: TaskId,
    kept: &Kept,
) -> Result<(), DiskError> {
    let path = payload_of(places, task, kept);
    match places.volume.stat(&path) {
        Err(error) if is_absent(&error) => Ok(()),
        _ => places.volume.remove(&path),
    }
}

/// Puts the files of all these tasks where they belong, and flushes each folder once.
///
/// # Errors
/// When a folder cannot be flushed: then none of them is settled, and all are to be settled again.
pub(in crate::folders) fn settle(
    places: &Places,
    plans: &Plans,
    tasks: &[Settling],
) -> Result<Vec<Result<Settled, DiskError>>, DiskError> {
    let mut touched = Touched::default();
    let one = |task| settle_one(places, plans, task, &mut touched);
    let settled = tasks.iter().map(one).collect();
    touched.flush(&places.volume)?;
    Ok(settled)
}

fn settle_one(
    places: &Places,
    plans: &Plans,
    task: &Settling,
    touched: &mut Touched,
) -> Result<Settled, DiskError> {
    let file = match (&task.kept, &task.end) {
        (Some(kept), End::Cancelled(_)) => {
            discard(places, task.task, kept)?;
            None
        }
        (Some(kept), _) => Some(place(places, plans, task, kept, touched)?),
        (None, _) => None,
    };
    let shelved = match &task.leaving {
        Some(leaving) => shelve(places, leaving, &task.end, touched)?,
        None => Shelved::Left,
    };
    Ok(Settled { file, shelved })
}

/// Gives a result its name below `results/`; it has it already if it is no longer among the payloads.
fn place(
    places: &Places,
    plans: &Plans,
    task: &Settling,
    kept: &Kept,
    touched: &mut Touched,
) -> Result<String, DiskError> {
    let payload = payload_of(places, task.task, kept);
    let mut file = plans.of(task.task).unwrap_or_else(|| kept.file.clone());
    let folder = if kept.success {
        places.results.clone()
    } else {
        places.failed_results()
    };
    touched.moved(places.payloads(), folder.clone());
    if let Err(error) = places.volume.stat(&payload) {
        return match is_absent(&error) {
            true => Ok(file),
            false => Err(error).on_disk("look at", &payload),
        };
    }
    places.volume.make_folder(&folder)?;
    while !give_name(places, &payload, &places.results.join(&file), kept)? {
        // Somebody put a file there after the name was promised; each round passes over all that are there.
        file = plans.plan(places, task.task, &task.name, kept.success);
    }
    Ok(file)
}

/// Moves a payload to its place below `results/`, which may be another disk; false when another file lies there.
fn give_name(places: &Places, payload: &Path, path: &Path, kept: &Kept) -> Result<bool, DiskError> {
    let volume = &*places.volume;
    match volume.rename_new(payload, path) {
        Ok(()) => return Ok(true),
        Err(error) if error.kind() == ErrorKind::CrossesDevices => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error).on_disk("name the new file", path),
    }
    // A crash between the copy and the removal leaves both.
    if load(volume, path, kept.sha256).is_err() && !copy(places, payload, path)? {
        return Ok(false);
    }
    // Two disks are flushed apart: the copy must be safe before the payload can be gone.
    path.parent()
        .map_or(Ok(()), |folder| volume.sync_folder(folder))?;
    volume.remove(payload)?;
    Ok(true)
}

/// Copies a payload to its place; false when a file lies there.
fn copy(places: &Places, payload: &Path, path: &Path) -> Result<bool, DiskError> {
    let (folder, name) = (path.parent(), path.file_name());
    let (folder, name) = (folder.unwrap_or(path), name.unwrap_or_default());
    let read = places.volume.read(payload, ARCHIVE_MAX as u64);
    let bytes = read.on_disk("read", payload)?.bytes;
    let name = name.to_string_lossy();
    let published = publish::publish_as(&places.volume, folder, &name, &bytes)?;
    Ok(published.is_some())
}

/// Removes payloads of results that no task has: they were never answered for, and their peers still have them. Where
/// records were lost they may have been answered for, and are put where a person finds them.
pub(in crate::folders) fn clear_payloads(
    places: &Places,
    wanted: &BTreeSet<PathBuf>,
    past_is_whole: bool,
) -> Result<(), DiskError> {
    let folder = places.payloads();
    let names = match places.volume.list(&folder) {
        Err(error) if is_absent(&error) => return Ok(()),
        names => names.on_disk("list", &folder)?,
    };
    for name in names {
        let path = folder.join(name.on_disk("list", &folder)?);
        if wanted.contains(&path) {
            continue;
        }
        if past_is_whole {
            places.volume.remove(&path)?;
        } else {
            let unclaimed = places.unclaimed();
            let name = publish::move_into(&places.volume, &unclaimed, &path)?;
            let lies = unclaimed.join(name);
            tracing::warn!(
                "a result of a task that is not remembered: {}",
                lies.display()
            );
        }
    }
    Ok(())
}
