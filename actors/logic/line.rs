//! Tasks in the order in which they came, of which each can step out, whatever its place.

use std::collections::{BTreeMap, HashMap};

use crate::model::TaskId;

/// Each task stands in it once.
#[derive(Debug, Default)]
pub struct Line {
    by_place: BTreeMap<u64, TaskId>,
    places: HashMap<TaskId, u64>,
    last: u64,
}

impl Line {
    /// The last is this one now, wherever it stood.
    pub fn join(&mut self, task: TaskId) {
        self.last += 1;
        if let Some(before) = self.places.insert(task, self.last) {
            self.by_place.remove(&before);
        }
        self.by_place.insert(self.last, task);
    }

    /// This one stands in it no more.
    pub fn leave(&mut self, task: &TaskId) {
        if let Some(place) = self.places.remove(task) {
            self.by_place.remove(&place);
        }
    }

    /// Takes the first out, if there are more than so many.
    pub fn beyond(&mut self, most: usize) -> Option<TaskId> {
        if self.by_place.len() <= most {
            return None;
        }
        let (_, first) = self.by_place.pop_first()?;
        self.places.remove(&first);
        Some(first)
    }

    /// All of them, the first first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &TaskId> {
        self.by_place.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::fixtures::task;

    #[test]
    fn whoever_joins_again_is_the_last_and_whoever_left_is_nowhere() {
        let mut line = Line::default();
        let [a, b, c] = [1, 2, 3].map(|number| task(number).id);
        [a, b, c, a].into_iter().for_each(|task| line.join(task));
        line.leave(&b);
        line.leave(&b);
        assert!(line.iter().eq(&[c, a]));
        assert_eq!(line.beyond(2), None);
        assert_eq!(line.beyond(1), Some(c));
        assert!(line.iter().eq(&[a]));
        assert_eq!(line.places.len(), 1);
    }
}
