//! Groups of tasks that give up together, once more of them have failed than may.
//!
//! Rule: only tasks that wish so (`max_fails`) take part, each by its own wish. A group is remembered while one of
//! its tasks is open, so there are no more groups than open tasks, and a name that is used again starts afresh. How many parts
//! of a whole have failed is counted elsewhere, for they may end faster than they come.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::model::{Task, TaskId};

/// One group.
#[derive(Debug, Default)]
struct Group {
    open: BTreeSet<TaskId>,
    failed: u32,
}

/// All groups of tasks that may give up.
#[derive(Debug, Default)]
pub struct Groups {
    groups: HashMap<Arc<str>, Group>,
}

/// A group gave up: what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenUp {
    /// Its tasks that are open, in the order of their ids.
    pub open: Vec<TaskId>,
    /// In words for a reader.
    pub why: String,
}

impl Groups {
    /// A task was adopted, or is open after a restart.
    pub fn opened(&mut self, task: &Task) {
        if task.kind.wishes.max_fails.is_some() {
            let group = self.groups.entry(Arc::clone(&task.kind.group)).or_default();
            group.open.insert(task.id);
        }
    }

    /// A task that had ended is open again; whether it had failed.
    pub fn retried(&mut self, task: &Task, had_failed: bool) {
        self.opened(task);
        if had_failed && let Some(group) = self.groups.get_mut(&task.kind.group) {
            group.failed = group.failed.saturating_sub(1);
        }
    }

    /// A task of an earlier life failed, and all that are open and came before it are known: it counts if there is
    /// such a one of its group. Else it may be of a group of the same name that is long over, whose failures must not
    /// end this one; nobody remembers which came first, its end or the next task.
    pub fn had_failed(&mut self, task: &Task) {
        if task.kind.wishes.max_fails.is_some()
            && let Some(group) = self.groups.get_mut(&task.kind.group)
        {
            group.failed = group.failed.saturating_add(1);
        }
    }

    /// A task ended: what follows for its group, if that gives up now; `failed_parts` is how many have failed in all,
    /// if it is part of a whole.
    pub fn ended(
        &mut self,
        task: &Task,
        has_failed: bool,
        failed_parts: Option<u32>,
    ) -> Option<GivenUp> {
        let most = task.kind.wishes.max_fails?;
        let group = self.groups.get_mut(&task.kind.group)?;
        group.open.remove(&task.id);
        group.failed = group.failed.saturating_add(u32::from(has_failed));
        let failed = failed_parts.unwrap_or(group.failed);
        let gives_up = has_failed && failed > most;
        if !gives_up && !group.open.is_empty() {
            return None;
        }
        let group = self.groups.remove(&task.kind.group)?;
        gives_up.then(|| GivenUp {
            open: group.open.into_iter().collect(),
            why: gave_up(task, failed, most),
        })
    }
}

/// Why a part that comes is too late, if so many parts have failed that its group has given up.
pub fn too_late(task: &Task, failed_parts: Option<u32>) -> Option<String> {
    let (failed, most) = (failed_parts?, task.kind.wishes.max_fails?);
    (failed > most).then(|| gave_up(task, failed, most))
}

fn gave_up(task: &Task, failed: u32, most: u32) -> String {
    let (group, tasks) = (&task.kind.group, if failed == 1 { "task" } else { "tasks" });
    format!("group {group} gave up: {failed} {tasks} failed, at most {most} may")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::fixtures::task;

    fn of_group(number: u128, max_fails: Option<u32>) -> Task {
        let mut task = task(number);
        let kind = Arc::make_mut(&mut task.kind);
        (kind.group, kind.wishes.max_fails) = ("rows".into(), max_fails);
        task
    }

    #[test]
    fn a_group_gives_up_when_one_more_has_failed_than_may() {
        let mut groups = Groups::default();
        let tasks: Vec<Task> = (1..=5).map(|number| of_group(number, Some(1))).collect();
        tasks.iter().for_each(|task| groups.opened(task));
        assert_eq!(groups.ended(&tasks[0], true, None), None);
        assert_eq!(groups.ended(&tasks[1], false, None), None);
        let given_up = groups.ended(&tasks[2], true, None).unwrap();
        assert_eq!(given_up.open, [tasks[3].id, tasks[4].id]);
        assert_eq!(
            given_up.why,
            "group rows gave up: 2 tasks failed, at most 1 may"
        );
        assert!(groups.groups.is_empty());
    }

    #[test]
    fn a_group_all_of_whose_tasks_ended_starts_afresh() {
        let mut groups = Groups::default();
        for number in 1..=9 {
            let task = of_group(number, Some(1));
            groups.opened(&task);
            assert_eq!(groups.ended(&task, true, None), None);
        }
        assert!(groups.groups.is_empty());
    }

    #[test]
    fn of_earlier_failures_those_after_the_first_open_task_count() {
        let mut groups = Groups::default();
        let tasks: Vec<Task> = (1..=4).map(|number| of_group(number, Some(1))).collect();
        groups.had_failed(&tasks[0]);
        assert!(groups.groups.is_empty());
        groups.opened(&tasks[1]);
        groups.had_failed(&tasks[2]);
        groups.opened(&tasks[3]);
        assert_eq!(
            groups.ended(&tasks[3], true, None).unwrap().open,
            [tasks[1].id]
        );
    }

    #[test]
    fn tasks_that_wish_nothing_of_the_kind_take_no_part() {
        let mut groups = Groups::default();
        let strict = of_group(1, Some(0));
        groups.opened(&strict);
        for number in 2..=9 {
            let task = of_group(number, None);
            groups.opened(&task);
            assert_eq!(groups.ended(&task, true, None), None);
        }
        assert_eq!(groups.ended(&strict, true, None).unwrap().open, []);
    }
}
