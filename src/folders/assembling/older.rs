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
use crate::store::older;

/// A part that goes in.
#[derive(Debug)]
pub enum Next {
    /// It is remembered.
    Known(Box<Ending>),
    /// Its task, of which no more is.
    Older(TaskId),
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

/// All that is to be known of these, to put them in.
pub fn read(places: &Places, batch: Vec<Next>) -> Result<Vec<Ending>, (DiskError, Vec<Next>)> {
    let task = |next: &Next| match next {
        Next::Known(_) => None,
        Next::Older(task) => Some(*task),
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
    // As many were found as were wanted.
    let read = batch.into_iter().filter_map(|next| match next {
        Next::Known(ending) => Some(*ending),
        Next::Older(_) => found.next(),
    });
    Ok(read.collect())
}

fn find(places: &Places, wanted: &[TaskId]) -> Result<Vec<Ending>, DiskError> {
    let folder = places.store();
    let tell = || {
        let known = older::read(&folder, wanted).map_err(io::Error::other)?;
        let of = |known: &Remembered| ending_of(known).ok_or_else(|| no_part(known));
        known.iter().map(of).collect::<io::Result<_>>()
    };
    tell().on_disk("read which parts ended, in", &folder)
}

fn no_part(known: &Remembered) -> io::Error {
    io::Error::other(format!("the task {} has not ended", known.task.id))
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
