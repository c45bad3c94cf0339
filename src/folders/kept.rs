//! Which result lies where: what is needed to hand one out again.

use std::collections::HashMap;

use mutirao_actors::logic::line::Line;
use mutirao_actors::model::{Digest, TaskId};

/// Results that are remembered, as many as the ledger remembers terminal tasks; older ones lie in `results/` all the same.
const KEPT_MAX: usize = mutirao_actors::logic::ledger::TERMINAL_MAX;

/// One result on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    /// Its file below `results/`.
    pub file: String,
    /// SHA-256 of its ZIP.
    pub sha256: Digest,
    /// Its length in bytes.
    pub size: u64,
    /// Whether it is the task's success.
    pub success: bool,
    /// Whether it lies there already, and no longer among the payloads.
    pub is_settled: bool,
}

/// The newest results.
#[derive(Debug, Default)]
pub(super) struct Results {
    by_task: HashMap<TaskId, Kept>,
    order: Line,
}

impl Results {
    /// Remembers a result; a failure never hides a success.
    pub fn add(&mut self, task: TaskId, kept: Kept) {
        match self.by_task.get_mut(&task) {
            Some(known) if known.success && !kept.success => {}
            Some(known) => *known = kept,
            None => {
                self.order.join(task);
                self.by_task.insert(task, kept);
            }
        }
        if let Some(oldest) = self.order.beyond(KEPT_MAX) {
            self.by_task.remove(&oldest);
        }
    }

    /// It lies where it belongs, under this name.
    pub fn settled(&mut self, task: TaskId, file: String) {
        if let Some(kept) = self.by_task.get_mut(&task) {
            (kept.file, kept.is_settled) = (file, true);
        }
    }

    /// The task has none any more.
    pub fn forget(&mut self, task: TaskId) {
        self.by_task.remove(&task);
        self.order.leave(&task);
    }

    /// The result of a task.
    pub fn find(&self, task: TaskId) -> Option<&Kept> {
        self.by_task.get(&task)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(file: &str, success: bool) -> Kept {
        Kept {
            file: file.into(),
            sha256: Digest::of(file.as_bytes()),
            size: 1,
            success,
            is_settled: true,
        }
    }

    #[test]
    fn a_late_failure_does_not_hide_a_success() {
        let (mut results, task) = (Results::default(), TaskId::new());
        results.add(task, kept("failed/a.zip", false));
        results.add(task, kept("a.zip", true));
        results.add(task, kept("failed/a.2.zip", false));
        assert_eq!(results.find(task), Some(&kept("a.zip", true)));
    }

    #[test]
    fn the_oldest_is_forgotten_first() {
        let mut results = Results::default();
        let tasks: Vec<_> = (0..=KEPT_MAX).map(|_| TaskId::new()).collect();
        for task in &tasks {
            results.add(*task, kept("a.zip", true));
        }
        assert_eq!(results.find(tasks[0]), None);
        assert!(results.find(tasks[1]).is_some());
    }

    #[test]
    fn what_is_forgotten_makes_room_and_comes_back_as_the_newest() {
        let mut results = Results::default();
        let tasks: Vec<_> = (0..KEPT_MAX).map(|_| TaskId::new()).collect();
        for task in &tasks {
            results.add(*task, kept("a.zip", true));
        }
        results.forget(tasks[0]);
        for task in [tasks[0], TaskId::new()] {
            results.add(task, kept("b.zip", true));
        }
        assert_eq!(results.find(tasks[1]), None);
        assert_eq!(results.find(tasks[0]), Some(&kept("b.zip", true)));
    }
}
