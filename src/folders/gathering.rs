//! Work that waits while other work of its kind is done, and is then done together.
//!
//! Rule: whoever is alone waits for nobody; of those that come meanwhile one job does as many as it may.

use std::collections::VecDeque;

/// What waits, and how many jobs are under way.
#[derive(Debug)]
pub(super) struct Gathering<T> {
    waiting: VecDeque<T>,
    running: usize,
}

impl<T> Default for Gathering<T> {
    fn default() -> Self {
        Self {
            waiting: VecDeque::new(),
            running: 0,
        }
    }
}

impl<T> Gathering<T> {
    /// One more waits.
    pub fn add(&mut self, one: T) {
        self.waiting.push_back(one);
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// The next job, if another may be under way: what waits, up to so many.
    pub fn begin(&mut self, jobs_max: usize, batch_max: usize) -> Option<Vec<T>> {
        if self.running >= jobs_max || self.waiting.is_empty() {
            return None;
        }
        self.running += 1;
        let count = self.waiting.len().min(batch_max);
        Some(self.waiting.drain(..count).collect())
    }

    /// A job has ended.
    pub fn ended(&mut self) {
        self.running -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_while_jobs_are_under_way_is_done_together_in_its_order() {
        let mut gathering = Gathering::default();
        assert_eq!(gathering.begin(1, 2), None);
        (0..4).for_each(|number| {
            gathering.add(number);
            let alone = (number == 0).then(|| vec![0]);
            assert_eq!(gathering.begin(1, 2), alone);
        });
        gathering.ended();
        assert_eq!(gathering.begin(1, 2), Some(vec![1, 2]));
        assert_eq!(gathering.begin(1, 2), None);
        assert_eq!(gathering.begin(2, 2), Some(vec![3]));
        assert_eq!(gathering.len(), 0);
    }
}
