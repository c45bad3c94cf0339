//! A task without its bytes.
//!
//! Rule: there may be a million of them, so what many have in common they share, and whoever remembers one shares it.

use std::collections::HashSet;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Digest, TaskId, TaskName};

/// Kinds that are looked up to be shared: some 15 MB. Tasks of further kinds are as good, and larger.
const KINDS_MAX: usize = 65_536;

/// Parts that a group may have: as many as a master may have tasks.
pub const PARTS_MAX: u32 = 1_000_000;

/// What the master knows of a task without its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Given at adoption.
    pub id: TaskId,
    /// The name under which it was put in; what is handed out may carry a number.
    pub name: TaskName,
    /// Length of the ZIP in bytes; at most some 64 MiB.
    pub size: u32,
    /// Which part of its group it is, from 1, if it is one; [`Task::part`] tells it whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nth: Option<NonZeroU32>,
    /// SHA-256 of the ZIP.
    pub sha256: Digest,
    /// What it has in common with the others of its kind.
    #[serde(flatten)]
    pub kind: Arc<Kind>,
}

impl Task {
    /// Which part of its group it is, if it is one.
    pub fn part(&self) -> Option<Part> {
        Part::new(self.nth?.get() - 1, self.kind.parts?)
    }

    /// It is this part of its group, or none.
    pub fn set_part(&mut self, part: Option<Part>) {
        self.nth = part.and_then(|part| NonZeroU32::new(part.number + 1));
        let parts = part.map(|part| part.of);
        if self.kind.parts != parts {
            Arc::make_mut(&mut self.kind).parts = parts;
        }
    }
}

/// Which part of a whole a task is: a group's results are put together again in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Part {
    number: u32,
    of: u32,
}

impl Part {
    /// Part `number`, from 0, of so many; none if there is no such part, or of more than [`PARTS_MAX`].
    pub fn new(number: u32, of: u32) -> Option<Self> {
        (number < of && of <= PARTS_MAX).then_some(Self { number, of })
    }

    /// Which one, from 0.
    pub fn number(self) -> u32 {
        self.number
    }

    /// Of how many.
    pub fn of(self) -> u32 {
        self.of
    }
}

/// What tasks have in common that run the same code over different inputs.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Kind {
    /// SHA-256 of the `main.py`: earlier runs of the same code tell how long it takes.
    pub code: Digest,
    /// Who put them in, or the group of tasks that they belong to; `fair` shares between these.
    pub group: Arc<str>,
    /// Of how many parts the group is, if they are parts of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parts: Option<u32>,
    /// What their `task.toml` and their submitter ask for.
    pub wishes: Wishes,
}

/// What a task may ask for, in `task.toml` or when it is submitted.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Wishes {
    /// The script is killed after this long; none means no limit.
    pub time_limit: Option<Duration>,
    /// How often a failed run is tried again; none means the master's default.
    pub retries: Option<u32>,
    /// Higher goes first under the `priority` policy; 0 when not said.
    pub priority: i32,
    /// When more tasks of its group than this have failed for good, it is cancelled; none: it is not.
    pub max_fails: Option<u32>,
    /// It waits until this task is done, and is cancelled if that ends otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<TaskId>,
    /// It is leased only while fewer tasks of its group are that wish for such a limit; none: whenever its turn comes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_running: Option<NonZeroU32>,
}

/// The kinds of tasks that are known, so that equal ones are one.
#[derive(Debug, Default)]
pub struct Kinds {
    known: HashSet<Arc<Kind>>,
    /// With so many, those that no task has are forgotten; twice as many as were left the last time.
    swept_at: usize,
}

impl Kinds {
    /// The one that all tasks of this kind share.
    pub fn share(&mut self, kind: Arc<Kind>) -> Arc<Kind> {
        if let Some(known) = self.known.get(&kind) {
            return Arc::clone(known);
        }
        if self.known.len() >= self.swept_at {
            self.known.retain(|kind| Arc::strong_count(kind) > 1);
            self.swept_at = (2 * self.known.len()).clamp(64, KINDS_MAX);
        }
        if self.known.len() < KINDS_MAX {
            self.known.insert(Arc::clone(&kind));
        }
        kind
    }

    /// Those that are known, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Kind> {
        self.known.iter().map(|kind| &**kind)
    }

    /// The task with the kind that it shares with others.
    pub fn share_in(&mut self, mut task: Task) -> Arc<Task> {
        task.kind = self.share(task.kind);
        Arc::new(task)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::fixtures::task;

    fn kind(group: usize) -> Arc<Kind> {
        Arc::new(Kind {
            code: Digest::of(b"print()"),
            group: group.to_string().into(),
            parts: None,
            wishes: Wishes::default(),
        })
    }

    #[test]
    fn equal_kinds_are_one() {
        let mut kinds = Kinds::default();
        let first = kinds.share(kind(1));
        assert!(Arc::ptr_eq(&first, &kinds.share(kind(1))));
        assert!(!Arc::ptr_eq(&first, &kinds.share(kind(2))));
    }

    #[test]
    fn kinds_that_no_task_has_do_not_pile_up_and_the_others_stay() {
        let mut kinds = Kinds::default();
        let kept = kinds.share(kind(0));
        for number in 1..1000 {
            kinds.share(kind(number));
            assert!(kinds.known.len() <= 64);
        }
        assert!(Arc::ptr_eq(&kept, &kinds.share(kind(0))));
    }

    #[test]
    fn the_parts_of_a_group_are_of_one_kind_and_each_knows_which_it_is() {
        let mut kinds = Kinds::default();
        let part = |number: u32| {
            let mut part = task(number.into());
            part.kind = kind(1);
            part.set_part(Part::new(number, 3));
            part
        };
        let parts: Vec<_> = (0..3).map(|number| kinds.share_in(part(number))).collect();
        for (number, task) in (0..).zip(&parts) {
            assert_eq!(task.part(), Part::new(number, 3));
            assert!(Arc::ptr_eq(&task.kind, &parts[0].kind));
        }
        assert_eq!(task(1).part(), None);
    }

    #[test]
    fn there_is_no_part_beyond_the_last() {
        assert!(Part::new(0, 1).is_some() && Part::new(PARTS_MAX - 1, PARTS_MAX).is_some());
        assert_eq!(Part::new(0, 0), None);
        assert_eq!(Part::new(3, 3), None);
        assert_eq!(Part::new(0, PARTS_MAX + 1), None);
    }

    #[test]
    fn a_task_fits_a_block_of_112_bytes_with_the_counts_of_those_who_share_it() {
        let (counts, allocator) = (2 * size_of::<usize>(), size_of::<usize>());
        assert_eq!(size_of::<Task>() + counts + allocator, 112);
    }
}
