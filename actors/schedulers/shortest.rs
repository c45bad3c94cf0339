//! `shortest`: tasks whose code took the least time in earlier runs first; unknown code before all, to learn it.

use std::collections::HashMap;
use std::time::Duration;

use crate::logic::policy::Policy;
use crate::model::{Digest, Task};

/// Codes whose times are remembered: some 2 MB.
const CODES_MAX: usize = 20_000;
/// How much the newest run weighs against the earlier ones: a quarter follows a change in a few runs.
const NEWEST_WEIGHS: f64 = 0.25;

/// A lane for each `main.py`, ranked by the microseconds that it is expected to take.
#[derive(Debug, Default)]
pub struct Shortest {
    expected: HashMap<Digest, f64>,
}

impl Policy for Shortest {
    type Lane = Digest;

    fn lane(&self, task: &Task) -> Digest {
        task.kind.code
    }

    fn rank(&self, code: &Digest) -> i64 {
        self.expected.get(code).map_or(0, |micros| *micros as i64)
    }

    fn finished(&mut self, task: &Task, took: Duration) {
        let took = took.as_secs_f64() * 1e6;
        if self.expected.len() >= CODES_MAX && !self.expected.contains_key(&task.kind.code) {
            self.expected.clear();
        }
        let expected = self.expected.entry(task.kind.code).or_insert(took);
        *expected += (took - *expected) * NEWEST_WEIGHS;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::fixtures::Line;
    use crate::logic::fixtures::{kind_of, task};

    #[test]
    fn the_code_that_was_quickest_goes_first_and_unknown_code_before_all() {
        let mut queue = Line::new(Shortest::default());
        queue.finished(&task(1), Duration::from_secs(60));
        queue.finished(&task(2), Duration::from_secs(5));
        for number in 1..=3 {
            queue.push(&task(number));
        }
        for expected in [3, 2, 1] {
            let next = queue.next(|_| true).unwrap();
            assert_eq!(next, task(expected).id);
            queue.remove(&next);
        }
    }

    #[test]
    fn a_run_that_ends_moves_the_tasks_of_its_code_that_wait() {
        let mut queue = Line::new(Shortest::default());
        let mut again = task(3);
        kind_of(&mut again).code = task(1).kind.code;
        queue.finished(&task(2), Duration::from_secs(5));
        queue.push(&again);
        queue.push(&task(2));
        queue.finished(&task(1), Duration::from_secs(60));
        assert_eq!(queue.next(|_| true), Some(task(2).id));
    }

    #[test]
    fn what_is_expected_follows_a_change_in_a_few_runs() {
        let mut shortest = Shortest::default();
        shortest.finished(&task(1), Duration::from_secs(100));
        for _ in 0..10 {
            shortest.finished(&task(1), Duration::from_secs(1));
        }
        let expected = shortest.rank(&task(1).kind.code);
        assert!((1_000_000..10_000_000).contains(&expected), "{expected}");
    }

    #[test]
    fn absurd_times_are_taken_as_very_long_and_codes_do_not_pile_up() {
        let mut shortest = Shortest::default();
        shortest.finished(&task(0), Duration::MAX);
        assert!(shortest.rank(&task(0).kind.code) > 0);
        for number in 0..=CODES_MAX as u128 {
            shortest.finished(&task(number), Duration::from_secs(1));
        }
        assert!(shortest.expected.len() <= CODES_MAX);
    }
}
