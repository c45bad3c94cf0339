//! The files of terminal tasks: results from `.mutirao/payloads/` to `results/`, tasks out of `tasks/`.
//!
//! Rule: that a task ended was written down before. Whatever of this a crash left undone is done again at the next
//! start, and doing it twice changes nothing.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use mutirao_actors::logic::effect::End;
use mutirao_actors::model::{Archive, Digest, TaskId, TaskName};

use super::put_away::shelve;
use super::touched::Touched;
use super::{ARCHIVE_MAX, Places, Refused, Shelved, is_absent, load};
use crate::archive::inspect_result;
use crate::disk::{DiskError, OnDisk as _, publish};
use crate::folders::intake::Leaving;
use crate::folders::kept::Kept;
use crate::folders::packs::Key;
use crate::folders::plans::Plans;
use crate::folders::stay;

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

/// Where its files are now.
#[derive(Debug)]
pub(in crate::folders) struct Settled {
    /// The result's file below `results/`.
    pub file: Option<String>,
    /// What became of the task's own file.
    pub shelved: Shelved,
}

/// A result that was handed in.
#[derive(Debug)]
pub(in crate::folders) struct Keeping {
    /// Of which task.
    pub task: TaskId,
    /// That task's own name.
    pub name: TaskName,
    /// Whether it is its success.
    pub success: bool,
    /// The ZIP.
    pub archive: Archive,
}

/// Vets a result, writes it where no crash loses it, and says what its file below `results/` will be.
pub(in crate::folders) fn keep(
    places: &Places,
    plans: &Plans,
    result: &Keeping,
) -> Result<String, Refused> {
    vet(result)?;
    write(places, result)?;
    Ok(plan(places, plans, result))
}

/// The same for several small ones, with one file and one flush for all. Where there is no room for that each is written
/// for itself, for some may fit.
pub(in crate::folders) fn keep_together(
    places: &Places,
    plans: &Plans,
    results: &[Keeping],
) -> Vec<Result<String, Refused>> {
    let vetted: Vec<_> = results.iter().map(vet).collect();
    let sound = results
        .iter()
        .zip(&vetted)
        .filter(|(_, vetted)| vetted.is_ok());
    let sound: Vec<_> = sound
        .map(|(result, _)| (result.task, &result.archive))
        .collect();
    let is_packed = sound.len() > 1 && places.packs.pack(&places.volume, &sound).is_ok();
    let keep = |(result, vetted): (&Keeping, Result<(), Refused>)| {
        vetted?;
        if !is_packed {
            write(places, result)?;
        }
        Ok(plan(places, plans, result))
    };
    results.iter().zip(vetted).map(keep).collect()
}

fn vet(result: &Keeping) -> Result<(), Refused> {
    match inspect_result(result.archive.bytes()) {
        Ok(_) => Ok(()),
        Err(refusal) => Err(Refused::Cannot(refusal.to_string())),
    }
}

fn write(places: &Places, result: &Keeping) -> Result<(), DiskError> {
    let payload = payload_name(result.task, result.archive.digest());
    let bytes = result.archive.bytes();
    publish::publish_over(&places.volume, &places.payloads(), &payload, bytes)
}

fn plan(places: &Places, plans: &Plans, result: &Keeping) -> String {
    plans.plan(places, result.task, &result.name, result.success)
}

/// Makes a packed result a file among the payloads, from where it is moved; its name there need not last, for the pack does.
fn unpack(places: &Places, task: TaskId, kept: &Kept) -> Result<(), DiskError> {
    let packed = places.packs.read(&places.volume, (task, kept.sha256))?;
    packed.map_or(Ok(()), |archive| {
        let payload = payload_name(task, kept.sha256);
        publish::write_over(
            &places.volume,
            &places.payloads(),
            &payload,
            archive.bytes(),
        )
    })
}

/// By its digest, so that `sha256sum` tells whether it is whole; and by its task, for two may have the same bytes.
pub(super) fn payload_name(task: TaskId, sha256: Digest) -> String {
    format!("{sha256}-{task}")
}

pub(super) fn payload_named(name: &str) -> Option<Key> {
    let (sha256, task) = name.split_once('-')?;
    let (task, sha256) = (TaskId(task.parse().ok()?), sha256.parse().ok()?);
    (payload_name(task, sha256) == name).then_some((task, sha256))
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
    places
        .packs
        .forget(&places.volume, &[(task, kept.sha256)])?;
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
    let mut touched = Touched::begin(&places.volume);
    let one = |task| settle_one(places, plans, task, &mut touched);
    let settled: Vec<_> = tasks.iter().map(one).collect();
    touched.flush(&places.volume)?;
    let mut placed = Vec::new();
    for (task, settled) in tasks.iter().zip(&settled) {
        if settled.is_ok() {
            plans.release(task.task);
            placed.extend(task.kept.as_ref().map(|kept| (task.task, kept.sha256)));
        }
    }
    places.packs.forget(&places.volume, &placed)?;
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
        Some(leaving) => shelve(places, task.task, leaving, &task.end, touched)?,
        None => Shelved::Left,
    };
    Ok(Settled { file, shelved })
}

/// Gives a result its name below `results/`.
fn place(
    places: &Places,
    plans: &Plans,
    task: &Settling,
    kept: &Kept,
    touched: &mut Touched,
) -> Result<String, DiskError> {
    let volume = &*places.volume;
    unpack(places, task.task, kept)?;
    let payload = payload_of(places, task.task, kept);
    let mut file = plans.of(task.task).unwrap_or_else(|| kept.file.clone());
    match volume.stat(&payload) {
        Ok(_) => {}
        Err(error) if is_absent(&error) => match lies_as(places, task, kept, &file)? {
            Some(placed) if placed == file => {
                // It had the name before a crash, or before a flush that failed, so nobody knows whether that lasts.
                match volume.rename_new(&places.results.join(&file), &payload) {
                    // A copy on another disk was flushed before its payload went.
                    Err(error) if error.kind() == ErrorKind::CrossesDevices => return Ok(file),
                    renamed => renamed.on_disk("take back", &payload)?,
                }
            }
            placed => return Ok(placed.unwrap_or(file)),
        },
        Err(error) => return Err(error).on_disk("look at", &payload),
    }
    volume.make_folder(&folder_of(places, kept))?;
    while !give_name(places, &payload, &places.results.join(&file), kept, touched)? {
        // Somebody put a file there after the name was promised; each round passes over all that are there.
        file = plans.plan(places, task.task, &task.name, kept.success);
    }
    Ok(file)
}

fn folder_of(places: &Places, kept: &Kept) -> PathBuf {
    match kept.success {
        true => places.results.clone(),
        false => places.failed_results(),
    }
}

/// Where below `results/` a result lies that is no longer among the payloads: under the name that it was promised, or
/// under another if a stranger took that; none when a person took it away.
fn lies_as(
    places: &Places,
    task: &Settling,
    kept: &Kept,
    promised: &str,
) -> Result<Option<String>, DiskError> {
    if is_result(places, &places.results.join(promised), kept)? {
        return Ok(Some(promised.to_owned()));
    }
    let (folder, name) = ([folder_of(places, kept)], task.name.as_str());
    let found = stay::find_copy(&places.volume, &folder, name, kept.size, kept.sha256)?;
    let below = found
        .as_deref()
        .and_then(|path| path.strip_prefix(&places.results).ok());
    Ok(below.map(|below| below.to_string_lossy().into_owned()))
}

/// Whether a file holds the bytes of a result.
fn is_result(places: &Places, path: &Path, kept: &Kept) -> Result<bool, DiskError> {
    match load(&places.volume, path, kept.sha256) {
        Ok(_) => Ok(true),
        Err(Refused::Cannot(_)) => Ok(false),
        Err(Refused::Disk(error)) => Err(error),
    }
}

/// Gives a payload its name below `results/`; false when another file has it.
fn give_name(
    places: &Places,
    payload: &Path,
    path: &Path,
    kept: &Kept,
    touched: &mut Touched,
) -> Result<bool, DiskError> {
    if rename_or_copy(places, payload, path, touched)? {
        return Ok(true);
    }
    if !is_result(places, path, kept)? {
        return Ok(false);
    }
    // A copy of the same bytes that a crash or a failed flush left, so nobody knows whether its name lasts: made anew.
    places.volume.remove(path)?;
    rename_or_copy(places, payload, path, touched)
}

/// Moves a payload to its place, which may be on another disk; false when a file lies there.
fn rename_or_copy(
    places: &Places,
    payload: &Path,
    path: &Path,
    touched: &mut Touched,
) -> Result<bool, DiskError> {
    match places.volume.rename_new(payload, path) {
        Ok(()) => {
            touched.moved(payload.to_owned(), path.to_owned());
            Ok(true)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) if error.kind() == ErrorKind::CrossesDevices => {
            // Two disks are flushed apart: the copy is safe before the payload can be gone.
            let is_copied = copy(places, payload, path)?;
            if is_copied {
                places.volume.remove(payload)?;
            }
            Ok(is_copied)
        }
        Err(error) => Err(error).on_disk("name the new file", path),
    }
}

/// Copies a payload to its place and flushes both the copy and its name; false when a file lies there.
fn copy(places: &Places, payload: &Path, path: &Path) -> Result<bool, DiskError> {
    let (folder, name) = (path.parent(), path.file_name());
    let (folder, name) = (folder.unwrap_or(path), name.unwrap_or_default());
    let read = places.volume.read(payload, ARCHIVE_MAX as u64);
    let bytes = read.on_disk("read", payload)?.bytes;
    let name = name.to_string_lossy();
    let published = publish::publish_as(&places.volume, folder, &name, &bytes)?;
    Ok(published.is_some())
}
