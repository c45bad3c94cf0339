//! Results get their names below `results/`.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::settle::{Settling, payload_of};
use super::touched::Touched;
use super::{ARCHIVE_MAX, Places, Refused, is_absent, load};
use crate::disk::{DiskError, OnDisk as _, Part, publish};
use crate::folders::kept::Kept;
use crate::folders::plans::Plans;
use crate::folders::stay;

/// What gets the name: a result is moved there, or was copied out of a pack.
#[derive(Debug)]
enum Unplaced<'a> {
    Payload(PathBuf),
    Copy(Part<'a>),
}

/// Gives a result its name below `results/`; `copy` is what a pack held of it.
pub(super) fn place(
    places: &Places,
    plans: &Plans,
    task: &Settling,
    kept: &Kept,
    copy: Option<Part<'_>>,
    touched: &mut Touched,
) -> Result<String, DiskError> {
    let promised = plans.of(task.task);
    let mut file = promised.unwrap_or_else(|| kept.file.clone());
    let mut unplaced = match copy {
        Some(copy) => Unplaced::Copy(copy),
        None => {
            let payload = payload_of(places, task.task, kept);
            if let Some(placed) = is_placed(places, task, kept, &payload, &file)? {
                return Ok(placed);
            }
            places.volume.make_folder(&folder_of(places, kept))?;
            Unplaced::Payload(payload)
        }
    };
    while !give_name(
        places,
        &mut unplaced,
        &places.results.join(&file),
        kept,
        touched,
    )? {
        // Somebody put a file there after the name was promised; each round passes over all that are there.
        file = plans.plan(places, task.task, &task.name, kept.success);
    }
    Ok(file)
}

/// Where a result lies whose payload is gone; none when the payload is there, or is there again.
fn is_placed(
    places: &Places,
    task: &Settling,
    kept: &Kept,
    payload: &Path,
    file: &str,
) -> Result<Option<String>, DiskError> {
    let volume = &*places.volume;
    match volume.stat(payload) {
        Ok(_) => return Ok(None),
        Err(error) if is_absent(&error) => {}
        Err(error) => return Err(error).on_disk("look at", payload),
    }
    match lies_as(places, task, kept, file)? {
        Some(placed) if placed == file => {
            // It had the name before a crash, or before a flush that failed, so nobody knows whether that lasts.
            match volume.rename_new(&places.results.join(file), payload) {
                // A copy on another disk was flushed before its payload went.
                Err(error) if error.kind() == ErrorKind::CrossesDevices => Ok(Some(placed)),
                renamed => renamed.on_disk("take back", payload).map(|()| None),
            }
        }
        placed => Ok(Some(placed.unwrap_or_else(|| file.to_owned()))),
    }
}

/// In which folder it gets its name.
pub(super) fn folder_of(places: &Places, kept: &Kept) -> PathBuf {
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

/// Gives a result its name below `results/`; false when another file has it.
fn give_name(
    places: &Places,
    unplaced: &mut Unplaced<'_>,
    path: &Path,
    kept: &Kept,
    touched: &mut Touched,
) -> Result<bool, DiskError> {
    if unplaced.rename(places, path, touched)? {
        return Ok(true);
    }
    if !is_result(places, path, kept)? {
        return Ok(false);
    }
    // A copy of the same bytes that a crash or a failed flush left, so nobody knows whether its name lasts: made anew.
    places.volume.remove(path)?;
    unplaced.rename(places, path, touched)
}

impl Unplaced<'_> {
    /// Gives it a name; false when another file has that.
    fn rename(
        &mut self,
        places: &Places,
        path: &Path,
        touched: &mut Touched,
    ) -> Result<bool, DiskError> {
        let renamed = match self {
            Self::Payload(payload) => places.volume.rename_new(payload, path),
            Self::Copy(copy) => copy.rename_new(path),
        };
        match (renamed, &*self) {
            (Ok(()), Self::Payload(payload)) => touched.moved(payload.clone(), path.to_owned()),
            (Ok(()), Self::Copy(_)) => touched.made(path.to_owned()),
            (Err(error), _) if error.kind() == ErrorKind::AlreadyExists => return Ok(false),
            (Err(error), Self::Payload(payload)) if error.kind() == ErrorKind::CrossesDevices => {
                return copy_over(places, payload, path);
            }
            (Err(error), _) => return Err(error).on_disk("name the new file", path),
        }
        Ok(true)
    }
}

/// Copies a payload to another disk, and removes it when both the copy and its name are flushed; false when a file lies
/// there.
fn copy_over(places: &Places, payload: &Path, path: &Path) -> Result<bool, DiskError> {
    let is_copied = copy(places, payload, path)?;
    if is_copied {
        places.volume.remove(payload)?;
    }
    Ok(is_copied)
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
