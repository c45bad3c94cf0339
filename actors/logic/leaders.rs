//! Tasks for which others wait, and how they ended: the ledger forgets a canary while the last of its million rows are
//! still being handed in.
//!
//! Rule: those that were asked for last are remembered.

use std::collections::HashMap;

use super::line::Line;
use crate::model::TaskId;

/// Tasks that are remembered: far more than there are groups being handed in, in some 100 KB.
const LEADERS_MAX: usize = 1024;

/// How tasks ended for which others wait.
#[derive(Debug, Default)]
pub struct Leaders {
    ended: HashMap<TaskId, Option<String>>,
    by_use: Line,
}

impl Leaders {
    /// One has ended: well, or why those that wait for it are to end too.
    pub fn ended(&mut self, task: TaskId, ill: Option<String>) {
        self.ended.insert(task, ill);
        self.by_use.join(task);
        if let Some(oldest) = self.by_use.beyond(LEADERS_MAX) {
            self.ended.remove(&oldest);
        }
    }

    /// It is open again.
    pub fn forget(&mut self, task: &TaskId) {
        self.ended.remove(task);
        self.by_use.leave(task);
    }

    /// How it ended, if it is remembered.
    pub fn find(&self, task: &TaskId) -> Option<&Option<String>> {
        self.ended.get(task)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::fixtures::task;

    #[test]
    fn those_that_were_asked_for_last_are_remembered() {
        let mut leaders = Leaders::default();
        let canary = task(0).id;
        for number in 1..=3 * LEADERS_MAX as u128 {
            leaders.ended(canary, Some("it failed".into()));
            leaders.ended(task(number).id, None);
        }
        assert_eq!(leaders.find(&canary), Some(&Some("it failed".into())));
        assert_eq!(leaders.find(&task(1).id), None);
        assert_eq!(leaders.ended.len(), LEADERS_MAX);
        assert_eq!(leaders.by_use.iter().count(), LEADERS_MAX);
    }
}
