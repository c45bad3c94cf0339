//! What the mind behind `tasks/` is told, remembers and answers.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use mutirao_actors::logic::record::Place;
use mutirao_actors::model::{Digest, Moment, Stamp, Task, TaskId, TaskName};

/// What a look at `tasks/` found.
#[derive(Debug, Clone, Default)]
pub struct Listing {
    /// Plain files named like a ZIP, by name; at most [`TASKS_MAX`](super::TASKS_MAX).
    pub files: BTreeMap<OsString, Stamp>,
    /// Links, folders and the like that are named like a ZIP: they are left alone.
    pub others: BTreeSet<OsString>,
    /// Whether there was more than could be listed: then a name that is missing here may still be there.
    pub cut: bool,
    /// Resting files whose copy is gone, or that `.stay` no longer names.
    pub awake: BTreeSet<OsString>,
}

/// What reading a file showed.
#[derive(Debug, Clone)]
pub enum Reading {
    /// It is a task; with the identical copy in `done/` or `failed/` if `.stay` names the file and there is one.
    Sound(Box<Task>, Option<PathBuf>),
    /// It is no task, or not yet; in words for its author.
    Unsound(String),
    /// It changed or vanished meanwhile.
    Changed,
    /// The disk would not read it.
    Unread,
}

/// What follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// A task is open, and its ZIP lies here.
    Arrive(Box<Task>, Place),
    /// A task is no longer wanted, and why.
    Withdraw(TaskId, String),
    /// The file is to be moved to `rejected/`.
    Reject(Leaving, String),
    /// This many files may still become tasks, or are looked at anew.
    Count(u32),
    /// This is no plain file and is left alone; said once.
    Ignore(OsString),
    /// More lies in `tasks/` than can be known at a time; said once while it does.
    SayFull,
}

/// A file that is to leave `tasks/`, if it is still this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaving {
    /// Its name in `tasks/`.
    pub file: OsString,
    /// As it was when it was read.
    pub stamp: Stamp,
    /// SHA-256 of its content, if it was a task.
    pub sha256: Option<Digest>,
}

/// An open task and where it lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adopted {
    /// Which.
    pub id: TaskId,
    /// Its name towards others.
    pub name: TaskName,
    /// SHA-256 of its ZIP.
    pub sha256: Digest,
    /// The file's stamp when it held that.
    pub stamp: Stamp,
}

impl Adopted {
    /// The task that a file with this stamp was read as.
    pub fn of(task: &Task, stamp: Stamp) -> Self {
        Self {
            id: task.id,
            name: task.name.clone(),
            sha256: task.sha256,
            stamp,
        }
    }
}

/// What is being done about a file; the diagram of the parent shows the ways between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Phase {
    /// Seen with this stamp since some moment.
    Changing,
    /// Waits to be read.
    Ready,
    /// Is being read.
    Reading,
    /// The disk would not read it: ready again at the next look.
    Unread,
    /// Read, and no task: rejected when it stays like this.
    Unsound(String),
    /// Is being moved to `rejected/`.
    Rejecting(String),
    /// Read, and nothing is to be done.
    Settled,
    /// An identical copy lies here, so it is not run again.
    Resting(PathBuf),
    /// Is being written by ourselves.
    Reserved,
    /// Its task ended: it is being moved away.
    Leaving,
}

impl Phase {
    /// Whether we are writing or moving the file, so that what a look says about it is old.
    pub fn is_ours(&self) -> bool {
        matches!(self, Self::Reserved | Self::Leaving | Self::Rejecting(_))
    }

    /// Whether nothing is known that the file waits for.
    pub fn is_at_rest(&self) -> bool {
        matches!(self, Self::Settled | Self::Resting(_) | Self::Leaving)
    }
}

/// What is known of one file.
#[derive(Debug)]
pub(super) struct File {
    /// As it was seen last.
    pub stamp: Stamp,
    /// When this stamp was first seen.
    pub since: Moment,
    /// The look after which it was first known; that look itself, begun earlier, cannot tell that it is gone.
    pub born: u64,
    /// What is being done about it.
    pub phase: Phase,
    /// The task as which its last sound content is open.
    pub task: Option<Adopted>,
}

impl File {
    /// A file that no look has seen yet.
    pub fn new(stamp: Stamp, since: Moment, phase: Phase) -> Self {
        Self {
            stamp,
            since,
            born: 0,
            phase,
            task: None,
        }
    }

    /// Takes back the task as which it is open, if it is.
    pub fn withdraw(&mut self, tasks: &mut HashMap<TaskId, OsString>, why: &str) -> Option<Deed> {
        let task = self.task.take()?;
        tasks.remove(&task.id);
        Some(Deed::Withdraw(task.id, why.into()))
    }

    /// A sound content was read: new, the same as before, or another than before.
    pub fn take(
        &mut self,
        tasks: &mut HashMap<TaskId, OsString>,
        name: &OsStr,
        task: Box<Task>,
        copy: Option<PathBuf>,
    ) -> Vec<Deed> {
        let same = self.task.as_mut().filter(|open| open.sha256 == task.sha256);
        if let Some(open) = same {
            (open.stamp, self.phase) = (self.stamp, Phase::Settled);
            return Vec::new();
        }
        let why = super::ZIP_REPLACED;
        let mut deeds = Vec::from_iter(self.withdraw(tasks, why));
        if let Some(copy) = copy {
            self.phase = Phase::Resting(copy);
            return deeds;
        }
        self.phase = Phase::Settled;
        self.task = Some(Adopted::of(&task, self.stamp));
        tasks.insert(task.id, name.to_owned());
        let lies = Place {
            file: name.as_bytes().to_vec(),
            stamp: self.stamp,
        };
        deeds.push(Deed::Arrive(task, lies));
        deeds
    }
}
