//! Parts of a group that ended so long ago that they are not remembered: what became of each is read when it goes in.

use std::io;
use std::sync::Arc;

use mutirao_actors::logic::record::Remembered;
use mutirao_actors::messages::EndedPart;
use mutirao_actors::model::TaskId;

use super::ending::{Ending, Told};
use crate::disk::{DiskError, OnDisk as _};
use crate::folders::kept::Kept;
use crate::folders::places::Places;
use crate::folders::restart::{end_of, kept_of};
use crate::gather::Whole;
use crate::store::older;

/// A part that goes in.
#[derive(Debug)]
pub enum Next {
    /// It is remembered.
    Known(Box<Ending>),
    /// Its number and its task, of which no more is.
    Older(u32, TaskId),
}

/// Those that are not remembered, by their numbers.
#[derive(Debug, Default)]
pub struct Older(Vec<(u32, TaskId)>);

impl Older {
    /// Of these, which are in the order of their numbers, those of which nothing else is known.
    pub fn of(tasks: &[(u32, TaskId)], is_known: impl Fn(u32) -> bool) -> Self {
        let unknown = tasks.iter().filter(|(number, _)| !is_known(*number));
        Self(unknown.copied().collect())
    }

    /// The same without those of which something is known by now.
    pub fn but(self, is_known: impl Fn(u32) -> bool) -> Self {
        Self::of(&self.0, is_known)
    }

    /// The task of this part, if it is one of them.
    pub fn find(&self, number: u32) -> Option<TaskId> {
        let at = self.0.binary_search_by_key(&number, |(part, _)| *part);
        at.ok().and_then(|at| self.0.get(at)).map(|(_, task)| *task)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// All that is to be known of these, to put them in. What was written down of one may be damaged by now: that is said, and it
/// goes in as lost, for no later look at the disk finds more.
pub fn read(
    places: &Places,
    whole: &Whole,
    batch: Vec<Next>,
) -> Result<Vec<Ending>, (DiskError, Vec<Next>)> {
    let task = |next: &Next| match next {
        Next::Known(_) => None,
        Next::Older(_, task) => Some(*task),
    };
    let wanted: Vec<_> = batch.iter().filter_map(task).collect();
    let found = match wanted.is_empty() {
        true => Ok(Vec::new()),
        false => find(places, &wanted),
    };
    let mut found = match found {
        Ok(found) => found.into_iter(),
        Err(error) => return Err((error, batch)),
    };
    let mut lost = Vec::new();
    // As many were found as were wanted.
    let read = batch.into_iter().filter_map(|next| match next {
        Next::Known(ending) => Some(*ending),
        Next::Older(number, task) => Some(found.next()?.unwrap_or_else(|why| {
            let ending = Ending::lost(whole, number, task, &why);
            lost.push((task, why));
            ending
        })),
    });
    let read = read.collect();
    say_lost(&whole.group, &lost);
    Ok(read)
}

fn find(places: &Places, wanted: &[TaskId]) -> Result<Vec<Result<Ending, String>>, DiskError> {
    let folder = places.store();
    let read = older::read(&folder, wanted).map_err(io::Error::other);
    let read = read.on_disk("read which parts ended, in", &folder)?;
    let of = |known: Remembered| ending_of(&known).ok_or_else(|| "it has not ended".to_owned());
    Ok(read.into_iter().map(|read| read.and_then(of)).collect())
}

/// Once for all of a batch: a page of the store that is damaged holds many.
fn say_lost(group: &str, lost: &[(TaskId, String)]) {
    let Some((task, why)) = lost.first() else {
        return;
    };
    let others = match lost.len() - 1 {
        0 => String::new(),
        others => format!(", and of {others} more of its parts"),
    };
    tracing::warn!(
        "results/{group}/manifest.json tells the part that was the task {task} as failed: what was written down of it{others} \
         is lost ({why}); once this master has ended, `mutirao store check --repair` mends what can be"
    );
}

fn ending_of(known: &Remembered) -> Option<Ending> {
    let end = end_of(&known.course.fate)?;
    let (ended, result) = told_of(known, kept_of(known).as_ref())?;
    Some(Ending::of(known.task.id, ended, &known.task.name, &end)?.with(result))
}

/// What is told of a part that ended in an earlier life, and its result.
pub fn told_of(known: &Remembered, kept: Option<&Kept>) -> Option<(EndedPart, Told)> {
    let ended = EndedPart {
        group: Arc::clone(&known.task.kind.group),
        part: known.task.part()?,
        sha256: known.task.sha256,
        size: known.task.size,
        peer: known
            .course
            .tries
            .last()
            .map(|tried| tried.holder.peer.clone()),
        attempts: u32::try_from(known.course.tries.len()).unwrap_or(u32::MAX),
    };
    Some((ended, kept.map(|kept| (kept.file.clone(), kept.sha256))))
}
