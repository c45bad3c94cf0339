//! Tasks that came over the wire: first among the payloads, then in `tasks/`.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::Path;

use mutirao_actors::model::{Archive, Digest, Stamp, Task, TaskId};

use super::copies::{Copied, copy_out};
use super::take_in::{Draft, task_of};
use super::touched::Touched;
use super::unnamed::{Unnamed, give_name};
use super::{Places, Refused, is_absent, load};
use crate::archive::{TaskContents, inspect_task};
use crate::disk::{DiskError, OnDisk as _, publish};
use crate::folders::packs::PACKED;

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
    /// A disk has damaged it.
    Damaged,
}

/// Where a task from the wire lies, and what it is; none when its name in `tasks/` is taken.
pub(in crate::folders) type Adopted = Option<(Stamp, Task)>;

/// Vets tasks that came over the wire and writes them where no crash loses them: several with one file and one flush for
/// all. Where there is no room for that each is written for itself, for some may fit.
pub(in crate::folders) fn adopt_together(
    places: &Places,
    drafts: Vec<Draft>,
) -> Vec<Result<Adopted, Refused>> {
    let vetted: Vec<_> = drafts.iter().map(|draft| vet(places, draft)).collect();
    let is_sound = |vetted: &Result<Option<_>, _>| matches!(vetted, Ok(Some(_)));
    let sound = drafts
        .iter()
        .zip(&vetted)
        .filter(|(_, vetted)| is_sound(vetted));
    let sound: Vec<_> = sound.map(|(draft, _)| (draft.id, &draft.archive)).collect();
    let is_packed = sound.len() > 1 && places.packs.pack(&places.volume, &sound).is_ok();
    let adopt = |(draft, vetted): (Draft, Result<Option<TaskContents>, Refused>)| {
        let Some(contents) = vetted? else {
            return Ok(None);
        };
        let stamp = match is_packed {
            true => PACKED,
            false => write(places, &draft)?,
        };
        Ok(Some((stamp, task_of(draft, contents))))
    };
    drafts.into_iter().zip(vetted).map(adopt).collect()
}

/// What the task holds; none when its name in `tasks/` is taken.
fn vet(places: &Places, draft: &Draft) -> Result<Option<TaskContents>, Refused> {
    let contents = inspect_task(draft.archive.bytes());
    let contents = contents.map_err(|refusal| Refused::Cannot(refusal.to_string()))?;
    let path = places.tasks.join(draft.name.as_str());
    match places.volume.stat(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Some(contents)),
        found => Ok(found.on_disk("look at", &path).map(|_| None)?),
    }
}

fn write(places: &Places, draft: &Draft) -> Result<Stamp, DiskError> {
    let volume = &*places.volume;
    let payload = places.payload(draft.id, draft.archive.digest());
    places.write_payload(draft.id, &draft.archive)?;
    Ok(volume.stat(&payload).on_disk("look at", &payload)?.stamp)
}

/// Puts the ZIPs of all these tasks into `tasks/`, with one flush of what is copied and one of each folder.
///
/// # Errors
/// When something cannot be flushed or made: then none of them lies there, and all are to be put there again.
pub(in crate::folders) fn lay(
    places: &Places,
    tasks: &[Unlaid],
) -> Result<Vec<Result<Laid, DiskError>>, DiskError> {
    places.volume.make_folder(&places.tasks)?;
    // Not in `tasks/`, which is watched: whatever happens there has it looked at.
    let copied = |task: &Unlaid| Some(((task.task, task.sha256), places.payloads()));
    let copies = copy_out(places, tasks.iter().map(copied))?;
    let mut touched = Touched::begin(&places.volume);
    let one = |(task, copy)| lay_one(places, task, copy, &mut touched);
    let laid: Vec<_> = tasks.iter().zip(copies).map(one).collect();
    touched.flush(&places.volume)?;
    let is_over = |laid: &Result<Laid, _>| matches!(laid, Ok(Laid::Here(_) | Laid::Damaged));
    let placed = tasks.iter().zip(&laid).filter(|(_, laid)| is_over(laid));
    let placed: Vec<_> = placed.map(|(task, _)| (task.task, task.sha256)).collect();
    places.packs.forget(&places.volume, &placed);
    Ok(laid)
}

fn lay_one(
    places: &Places,
    task: &Unlaid,
    copy: Copied<'_>,
    touched: &mut Touched,
) -> Result<Laid, DiskError> {
    let volume = &*places.volume;
    let (mut unnamed, lies, before) = match copy.transpose()? {
        Some(copy) => {
            let before = copy.stamp();
            (Unnamed::Copy(copy), PACKED, before)
        }
        None => {
            let payload = places.payload(task.task, task.sha256);
            let lies = match volume.stat(&payload) {
                Err(error) if is_absent(&error) => return Ok(gone(places, task)),
                stat => stat.on_disk("look at", &payload)?.stamp,
            };
            (Unnamed::Payload(payload), lies, lies)
        }
    };
    let path = places.tasks.join(&task.file);
    if give_name(places, &mut unnamed, &path, task.sha256, touched)? {
        let stamp = publish::stamp_after_renaming(volume, &path, before);
        Ok(Laid::Here(stamp))
    } else {
        Ok(Laid::Taken(lies))
    }
}

fn gone(places: &Places, task: &Unlaid) -> Laid {
    match places.packs.has_lost((task.task, task.sha256)) {
        true => Laid::Damaged,
        false => Laid::Gone,
    }
}

/// Reads an open task that may not be in `tasks/` yet.
pub(in crate::folders) fn load_unlaid(
    places: &Places,
    task: TaskId,
    path: &Path,
    sha256: Digest,
) -> Result<Archive, Refused> {
    if let Some(archive) = places.packs.read(&places.volume, (task, sha256))? {
        return Ok(archive);
    }
    // When it is gone it was just put into its place.
    load(&places.volume, &places.payload(task, sha256), sha256)
        .or_else(|_| load(&places.volume, path, sha256))
}
