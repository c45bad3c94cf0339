//! Tasks that came over the wire: first among the payloads, then in `tasks/`.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::Path;

use mutirao_actors::model::{Archive, Digest, Stamp, Task, TaskId};

use super::take_in::{Draft, task_of};
use super::touched::Touched;
use super::{ARCHIVE_MAX, Places, Refused, is_absent, load};
use crate::archive::inspect_task;
use crate::disk::{DiskError, OnDisk as _, publish};

/// A task that is written down, and whose ZIP is to be put into `tasks/`.
#[derive(Debug)]
pub(in crate::folders) struct Unlaid {
    pub task: TaskId,
    pub sha256: Digest,
    /// Under this name.
    pub file: OsString,
}

/// What became of that.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::folders) enum Laid {
    /// It lies there.
    Here(Stamp),
    /// Another file does, and the task's own has this stamp.
    Taken(Stamp),
    /// It is not among the payloads any more.
    Gone,
}

/// Vets a task that came over the wire and writes it where no crash loses it; none when its name in `tasks/` is taken.
pub(in crate::folders) fn adopt(
    places: &Places,
    draft: Draft,
) -> Result<Option<(Stamp, Task)>, Refused> {
    let contents = inspect_task(draft.archive.bytes());
    let contents = contents.map_err(|refusal| Refused::Cannot(refusal.to_string()))?;
    let (volume, path) = (&*places.volume, places.tasks.join(draft.name.as_str()));
    match volume.stat(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        found => {
            return found
                .on_disk("look at", &path)
                .map(|_| None)
                .map_err(Into::into);
        }
    }
    let payload = places.payload(draft.id, draft.archive.digest());
    let name = payload.file_name().unwrap_or_default().to_string_lossy();
    publish::publish_over(volume, &places.payloads(), &name, draft.archive.bytes())?;
    let stamp = volume.stat(&payload).on_disk("look at", &payload)?.stamp;
    Ok(Some((stamp, task_of(draft, contents))))
}

/// Puts the ZIPs of all these tasks into `tasks/`, and flushes each folder once.
///
/// # Errors
/// When a folder cannot be flushed or made: then none of them lies there, and all are to be put there again.
pub(in crate::folders) fn lay(
    places: &Places,
    tasks: &[Unlaid],
) -> Result<Vec<Result<Laid, DiskError>>, DiskError> {
    places.volume.make_folder(&places.tasks)?;
    let mut touched = Touched::begin(&places.volume);
    let one = |task| lay_one(places, task, &mut touched);
    let laid = tasks.iter().map(one).collect();
    touched.flush(&places.volume)?;
    Ok(laid)
}

fn lay_one(places: &Places, task: &Unlaid, touched: &mut Touched) -> Result<Laid, DiskError> {
    let volume = &*places.volume;
    let (payload, path) = (
        places.payload(task.task, task.sha256),
        places.tasks.join(&task.file),
    );
    let before = match volume.stat(&payload) {
        Err(error) if is_absent(&error) => return Ok(Laid::Gone),
        stat => stat.on_disk("look at", &payload)?.stamp,
    };
    match volume.rename_new(&payload, &path) {
        Ok(()) => {
            let stamp = publish::stamp_after_renaming(volume, &path, before);
            touched.moved(payload, path);
            Ok(Laid::Here(stamp))
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(Laid::Taken(before)),
        Err(error) if error.kind() == ErrorKind::CrossesDevices => {
            let copied = copy(places, &payload, &path)?;
            Ok(copied.map_or(Laid::Taken(before), Laid::Here))
        }
        Err(error) => Err(error).on_disk("name the new file", &path),
    }
}

/// Copies a payload to another disk, and removes it when the copy is flushed; none when a file lies there.
fn copy(places: &Places, payload: &Path, path: &Path) -> Result<Option<Stamp>, DiskError> {
    let volume = &*places.volume;
    let read = volume.read(payload, ARCHIVE_MAX as u64);
    let bytes = read.on_disk("read", payload)?.bytes;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let copied = publish::publish_as(volume, &places.tasks, &name, &bytes)?;
    if copied.is_some() {
        volume.remove(payload)?;
    }
    Ok(copied)
}

/// Reads an open task that may not be in `tasks/` yet.
pub(in crate::folders) fn load_unlaid(
    places: &Places,
    task: TaskId,
    path: &Path,
    sha256: Digest,
) -> Result<Archive, Refused> {
    // When it is gone it was just put into its place.
    load(&places.volume, &places.payload(task, sha256), sha256)
        .or_else(|_| load(&places.volume, path, sha256))
}
