//! Results get their names below `results/`.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::touched::Touched;
use super::unnamed::{Unnamed, give_name, holds};
use super::{Places, Settling, is_absent};
use crate::disk::{DiskError, OnDisk as _, Part};
use crate::folders::kept::Kept;
use crate::folders::plans::Plans;
use crate::folders::stay;

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
    let mut unnamed = match copy {
        Some(copy) => Unnamed::Copy(copy),
        None => {
            let payload = places.payload(task.task, kept.sha256);
            if let Some(placed) = is_placed(places, task, kept, &payload, &file)? {
                return Ok(placed);
            }
            places.volume.make_folder(&folder_of(places, kept))?;
            Unnamed::Payload(payload)
        }
    };
    while !give_name(
        places,
        &mut unnamed,
        &places.results.join(&file),
        kept.sha256,
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
        Some(placed) => Ok(Some(placed)),
        None => {
            tell_missing(places, task, file);
            Ok(Some(file.to_owned()))
        }
    }
}

/// A person took it away while the master was away, or a disk has damaged it: its task is done all the same.
fn tell_missing(places: &Places, task: &Settling, file: &str) {
    let (id, name) = (task.task, &task.name);
    let (lies, damaged) = (places.results.join(file), places.damaged());
    tracing::warn!(
        "the result of the task {id} ({name}) is neither among the payloads nor {}: it was moved away by hand, or was \
         lost with a damaged pack (see {})",
        lies.display(),
        damaged.display()
    );
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
    if holds(places, &places.results.join(promised), kept.sha256)? {
        return Ok(Some(promised.to_owned()));
    }
    let (folder, name) = ([folder_of(places, kept)], task.name.as_str());
    let found = stay::find_copy(&places.volume, &folder, name, kept.size, kept.sha256)?;
    let below = found
        .as_deref()
        .and_then(|path| path.strip_prefix(&places.results).ok());
    Ok(below.map(|below| below.to_string_lossy().into_owned()))
}
