//! A task without its bytes.
//!
//! Rule: there may be a million of them, so what many have in common they share, and whoever remembers one shares it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Digest, TaskId, TaskName};

/// Kinds that are looked up to be shared: some 15 MB. Tasks of further kinds are as good, and larger.
const KINDS_MAX: usize = 65_536;

/// What the master knows of a task without its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Given at adoption.
    pub id: TaskId,
    /// The name under which it was put in; what is handed out may carry a number.
    pub name: TaskName,
    /// Length of the ZIP in bytes.
    pub size: u64,
    /// SHA-256 of the ZIP.
    pub sha256: Digest,
    /// What it has in common with the others of its kind.
    #[serde(flatten)]
    pub kind: Arc<Kind>,
}

/// What tasks have in common that run the same code over different inputs.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Kind {
    /// SHA-256 of the `main.py`: earlier runs of the same code tell how long it takes.
    pub code: Digest,
    /// Who put them in, or the group of tasks that they belong to; `fair` shares between these.
    pub group: Arc<str>,
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

    /// The task with the kind that it shares with others.
    pub fn share_in(&mut self, mut task: Task) -> Arc<Task> {
        task.kind = self.share(task.kind);
        Arc::new(task)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(group: usize) -> Arc<Kind> {
        Arc::new(Kind {
            code: Digest::of(b"print()"),
            group: group.to_string().into(),
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
    fn a_task_fits_a_block_of_112_bytes_with_the_counts_of_those_who_share_it() {
        let (counts, allocator) = (2 * size_of::<usize>(), size_of::<usize>());
        assert_eq!(size_of::<Task>() + counts + allocator, 112);
    }
}
