//! The files of terminal tasks: results from `.mutirao/payloads/` to `results/`, tasks out of `tasks/`.
//!
//! Rule: that a task ended was written down before. Whatever of this a crash left undone is done again at the next
//! start, and doing it twice changes nothing. What gets a name is flushed before, and the names are flushed before
//! anything is forgotten.

use mutirao_actors::logic::effect::End;
use mutirao_actors::model::TaskId;

use super::copies::{Copied, Wanted, copy_out};
use super::place::{folder_of, place};
use super::put_away::{Shelves, shelf_of};
use super::touched::Touched;
use super::{Places, Settling, Shelved, is_absent};
use crate::disk::DiskError;
use crate::folders::kept::Kept;
use crate::folders::plans::Plans;

/// Where its files are now.
#[derive(Debug)]
pub(in crate::folders) struct Settled {
    /// The result's file below `results/`.
    pub file: Option<String>,
    /// What became of the task's own file.
    pub shelved: Shelved,
}

/// Removes what was kept for a task that was cancelled meanwhile.
pub(in crate::folders) fn discard(
    places: &Places,
    task: TaskId,
    kept: &Kept,
) -> Result<(), DiskError> {
    places.packs.forget(&places.volume, &[(task, kept.sha256)]);
    let path = places.payload(task, kept.sha256);
    match places.volume.stat(&path) {
        Err(error) if is_absent(&error) => Ok(()),
        _ => places.volume.remove(&path),
    }
}

/// Puts the files of all these tasks where they belong, with one flush of what is copied and one of each folder.
///
/// # Errors
/// When something cannot be flushed: then none of them is settled, and all are to be settled again.
pub(in crate::folders) fn settle(
    places: &Places,
    plans: &Plans,
    tasks: &[Settling],
) -> Result<Vec<Result<Settled, DiskError>>, DiskError> {
    let copies = copy_out(places, tasks.iter().map(|task| packed(places, task)))?;
    let zips = copy_out(places, tasks.iter().map(|task| unlaid(places, task)))?;
    let mut touched = Touched::begin(&places.volume);
    let mut shelves = Shelves::of(places)?;
    let one = |(task, copies)| settle_one(places, plans, task, copies, &mut shelves, &mut touched);
    let copies = copies.into_iter().zip(zips);
    let settled: Vec<_> = tasks.iter().zip(copies).map(one).collect();
    touched.flush(&places.volume)?;
    let mut placed = Vec::new();
    for (task, settled) in tasks.iter().zip(&settled) {
        if settled.is_ok() {
            plans.release(task.task);
            placed.extend(task.kept.as_ref().map(|kept| (task.task, kept.sha256)));
            placed.extend(unlaid(places, task).map(|(key, _)| key));
        }
    }
    places.packs.forget(&places.volume, &placed);
    Ok(settled)
}

/// What of a task's result may lie in a pack and is to be copied.
fn packed(places: &Places, task: &Settling) -> Wanted {
    let kept = task.kept.as_ref()?;
    let is_cancelled = matches!(task.end, End::Cancelled(_));
    (!is_cancelled).then(|| ((task.task, kept.sha256), folder_of(places, kept)))
}

/// What may lie in a pack of a task that ended before its ZIP was put into `tasks/`.
fn unlaid(places: &Places, task: &Settling) -> Wanted {
    let sha256 = task.leaving.as_ref()?.sha256?;
    task.may_be_unlaid
        .then(|| ((task.task, sha256), shelf_of(places, &task.end)))
}

fn settle_one(
    places: &Places,
    plans: &Plans,
    task: &Settling,
    (copy, zip): (Copied<'_>, Copied<'_>),
    shelves: &mut Shelves<'_>,
    touched: &mut Touched,
) -> Result<Settled, DiskError> {
    let file = match (&task.kept, &task.end) {
        (Some(kept), End::Cancelled(_)) => {
            discard(places, task.task, kept)?;
            None
        }
        (Some(kept), _) => {
            let copy = copy.transpose()?;
            Some(place(places, plans, task, kept, copy, touched)?)
        }
        (None, _) => None,
    };
    let shelved = match &task.leaving {
        Some(leaving) => shelves.shelve(task, leaving, zip.transpose()?, touched)?,
        None => Shelved::Left,
    };
    Ok(Settled { file, shelved })
}
