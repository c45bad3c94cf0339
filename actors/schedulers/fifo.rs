//! `fifo`: in the order of arrival.

use crate::logic::policy::Policy;
use crate::model::Task;

/// One lane for all.
#[derive(Debug, Default)]
pub struct Fifo;

impl Policy for Fifo {
    type Lane = ();

    fn lane(&self, _: &Task) {}

    fn rank(&self, (): &()) -> i64 {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::fixtures::Line;
    use crate::logic::fixtures::{kind_of, task};

    #[test]
    fn tasks_go_in_the_order_of_arrival_whatever_they_wish() {
        let mut urgent = task(2);
        kind_of(&mut urgent).wishes.priority = 9;
        let mut queue = Line::new(Fifo);
        for task in [&task(3), &urgent, &task(1)] {
            queue.push(task);
        }
        for expected in [3, 2, 1] {
            let next = queue.next(|_| true).unwrap();
            assert_eq!(next, task(expected).id);
            queue.remove(&next);
        }
    }
}
