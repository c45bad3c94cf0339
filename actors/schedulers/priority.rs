//! `priority`: the highest `priority` of `task.toml` first, equal ones in the order of arrival.

use crate::logic::policy::Policy;
use crate::model::Task;

/// A lane for each priority.
#[derive(Debug, Default)]
pub struct Priority;

impl Policy for Priority {
    type Lane = i32;

    fn lane(&self, task: &Task) -> i32 {
        task.wishes.priority
    }

    fn rank(&self, priority: &i32) -> i64 {
        -i64::from(*priority)
    }
}
