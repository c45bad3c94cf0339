//! `priority`: the highest `priority` of `task.toml` first, equal ones in the order of arrival.

use crate::logic::policy::Policy;
use crate::model::Task;

/// A lane for each priority.
#[derive(Debug, Default)]
pub struct Priority;

impl Policy for Priority {
    type Lane = i32;

    fn lane(&self, task: &Task) -> i32 {
        task.kind.wishes.priority
    }

    fn rank(&self, priority: &i32) -> i64 {
        -i64::from(*priority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::fixtures::Line;
    use crate::logic::fixtures::{kind_of, task};

    fn with_priority(number: u128, priority: i32) -> Task {
        let mut task = task(number);
        kind_of(&mut task).wishes.priority = priority;
        task
    }

    #[test]
    fn the_highest_goes_first_and_equal_ones_in_the_order_of_arrival() {
        let mut queue = Line::new(Priority);
        for (number, priority) in [(1, 0), (2, i32::MIN), (3, 7), (4, i32::MAX), (5, 7)] {
            queue.push(&with_priority(number, priority));
        }
        for expected in [4, 3, 5, 1, 2] {
            let next = queue.next(|_| true).unwrap();
            assert_eq!(next, task(expected).id);
            queue.remove(&next);
        }
    }
}
