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
        task.code
    }

    fn rank(&self, code: &Digest) -> i64 {
        self.expected.get(code).map_or(0, |micros| *micros as i64)
    }

    fn finished(&mut self, task: &Task, took: Duration) {
        let took = took.as_secs_f64() * 1e6;
        if self.expected.len() >= CODES_MAX && !self.expected.contains_key(&task.code) {
            self.expected.clear();
        }
        let expected = self.expected.entry(task.code).or_insert(took);
        *expected += (took - *expected) * NEWEST_WEIGHS;
    }
}
