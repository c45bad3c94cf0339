//! What the mind behind `tasks/` is told, remembers and answers.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::num::NonZeroU64;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use mutirao_actors::logic::record::Place;
use mutirao_actors::logic::seats::Seated;
use mutirao_actors::model::{Digest, FileName, Moment, Stamp, Task, TaskId};

/// A part of what a look at `tasks/` found.
#[derive(Debug, Clone, Default)]
pub struct Listing {
    /// Plain files named like a ZIP.
    pub files: Vec<(OsString, Stamp)>,
    /// Links, folders and the like that are named like a ZIP: they are left alone.
    pub others: BTreeSet<OsString>,
    /// Whether nothing follows.
    pub is_last: bool,
    /// Whether there was more than could be listed: then a name that is missing may still be there.
    pub cut: bool,
    /// Resting files whose copy is gone, or that `.stay` no longer names.
    pub awake: Arc<BTreeSet<OsString>>,
}

/// What a look at some files of `tasks/` found.
#[derive(Debug, Clone, Default)]
pub struct Glance {
    /// What lies there.
    pub found: Listing,
    /// Names under which nothing lies.
    pub gone: Vec<OsString>,
}

/// A stamp in eight bytes, to tell one from another: a change is overlooked once in 2^64 changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark(NonZeroU64);

impl Mark {
    /// The mark of a stamp; for this life only.
    pub fn of(stamp: &Stamp) -> Self {
        let mut hasher = DefaultHasher::new();
        stamp.hash(&mut hasher);
        Self(NonZeroU64::new(hasher.finish()).unwrap_or(NonZeroU64::MIN))
    }
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
    Arrive(Arc<Task>, Place),
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
    pub mark: Mark,
    /// SHA-256 of its content, if it was a task.
    pub sha256: Option<Digest>,
}

/// What is being done about a file; the diagram of the parent shows the ways between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Phase {
    /// Seen with this stamp since some moment.
    Changing,
    /// With this stamp it waits to be read.
    Ready(Stamp),
    /// With this stamp it is being read.
    Reading(Stamp),
    /// The disk would not read it: ready again at the next look.
    Unread,
    /// Read, and no task: rejected when it stays like this.
    Unsound(String),
    /// Is being moved to `rejected/`.
    Rejecting(String),
    /// Read, and nothing is to be done.
    Settled,
    /// The same, but it may have been damaged before it was put there.
    Damaged,
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
        matches!(
            self,
            Self::Settled | Self::Damaged | Self::Resting(_) | Self::Leaving
        )
    }
}

/// What is known of one file.
#[derive(Debug)]
pub(super) struct File {
    /// The task as which its last sound content is open.
    pub task: Option<Arc<Task>>,
    /// The mark that it had then.
    mark: Mark,
    /// What else is to be known; nothing of a file that bears its task's name and was left alone since it was read.
    motion: Option<Box<Motion>>,
}

/// What is known of a file with which something goes on.
#[derive(Debug)]
pub(super) struct Motion {
    /// Its name.
    name: FileName,
    /// As it was seen last.
    pub seen: Mark,
    /// When that was first seen.
    pub since: Moment,
    /// The look after which it was first known; that look itself, begun earlier, cannot tell that it is gone.
    pub born: u64,
    /// What is being done about it.
    pub phase: Phase,
}

impl Seated for File {
    type Key = [u8];

    fn key(&self) -> &[u8] {
        match (&self.motion, &self.task) {
            (Some(motion), _) => &motion.name,
            (None, Some(task)) => task.name.as_str().as_bytes(),
            (None, None) => &[],
        }
    }
}

impl File {
    /// A file of which no more is known.
    pub fn new(name: &OsStr, seen: Mark, since: Moment, born: u64, phase: Phase) -> Self {
        let motion = Motion {
            name: name.as_bytes().into(),
            seen,
            since,
            born,
            phase,
        };
        Self {
            task: None,
            mark: seen,
            motion: Some(Box::new(motion)),
        }
    }

    /// Its name.
    pub fn name(&self) -> &OsStr {
        OsStr::from_bytes(self.key())
    }

    /// What is being done about it.
    pub fn phase(&self) -> &Phase {
        self.motion
            .as_ref()
            .map_or(&Phase::Settled, |motion| &motion.phase)
    }

    /// The mark that it had when its last sound content was read.
    pub fn mark(&self) -> Mark {
        self.mark
    }

    /// As it was seen last.
    pub fn seen(&self) -> Mark {
        self.motion.as_ref().map_or(self.mark, |motion| motion.seen)
    }

    /// After which look it was first known.
    pub fn born(&self) -> u64 {
        self.motion.as_ref().map_or(0, |motion| motion.born)
    }

    /// Whether more is known than of most.
    pub fn is_in_motion(&self) -> bool {
        self.motion.is_some()
    }

    /// What goes on with it, to change that.
    pub fn motion(&mut self) -> &mut Motion {
        let (name, mark) = (FileName::from(self.key()), self.mark);
        self.motion.get_or_insert_with(|| {
            Box::new(Motion {
                name,
                seen: mark,
                since: Moment::default(),
                born: 0,
                phase: Phase::Settled,
            })
        })
    }

    /// Forgets what need not be known, after a look has seen it as it was.
    pub fn calm(&mut self) {
        let bears_name =
            |motion: &Motion, task: &Task| *motion.name == *task.name.as_str().as_bytes();
        if let (Some(motion), Some(task)) = (&self.motion, &self.task)
            && motion.phase == Phase::Settled
            && motion.seen == self.mark
            && bears_name(motion, task)
        {
            self.motion = None;
        }
    }

    /// It is open as this task, whose stamp has this mark.
    pub fn open(&mut self, task: Arc<Task>, mark: Mark) {
        self.motion();
        (self.task, self.mark) = (Some(task), mark);
    }

    /// It is open as no task; as which it was.
    pub fn close(&mut self) -> Option<(Arc<Task>, Mark)> {
        self.motion();
        Some((self.task.take()?, self.mark))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_left_alone_costs_24_bytes() {
        assert_eq!(size_of::<Option<File>>(), 24);
    }
}
