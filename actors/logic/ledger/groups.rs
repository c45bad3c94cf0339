//! The tasks of a group; each of these but one looks at every task.
//!
//! Rule: a name may be used again, every night for the same work. What is asked of a group is asked of its parts since it was
//! used last, and of a part that was handed in twice the newer one counts.

use std::collections::{BTreeMap, HashMap};

use super::{Entry, Ledger};
use crate::model::{Task, TaskId};

impl Ledger {
    /// The parts of the group of this name that are remembered, in no order.
    pub fn of_group(&self, group: &str) -> impl Iterator<Item = &Entry> {
        let is_meant = |entry: &&Entry| self.tallies.is_current(&entry.task);
        self.named_so(group).filter(is_meant)
    }

    /// The same by their numbers, of each the newest.
    pub fn parts_of(&self, group: &str) -> BTreeMap<u32, &Entry> {
        let mut parts = BTreeMap::new();
        self.of_group(group)
            .for_each(|entry| add(&mut parts, entry));
        parts
    }

    /// The same of several groups, for one look at all tasks.
    pub fn parts_of_each<'g>(
        &self,
        groups: impl Iterator<Item = &'g str>,
    ) -> HashMap<&'g str, BTreeMap<u32, &Entry>> {
        let mut each: HashMap<_, _> = groups.map(|group| (group, BTreeMap::new())).collect();
        let current = self.entries.iter();
        let current = current.filter(|entry| self.tallies.is_current(&entry.task));
        for entry in current {
            if let Some(parts) = each.get_mut(&*entry.task.kind.group) {
                add(parts, entry);
            }
        }
        each
    }

    /// The parts that ended last of the group of which this one is, but for itself; no more than a few, whatever its size.
    pub fn newest_beside(&self, task: &Task) -> impl Iterator<Item = &Entry> {
        let (_, ended) = self.tallies.ended_beside(task);
        let others = ended.filter(|ended| **ended != task.id);
        others.filter_map(|ended| self.entries.get(ended))
    }

    /// The open tasks of a group, in the order of their ids, whatever else it is that they are.
    pub fn open_of(&self, group: &str) -> Vec<TaskId> {
        let is_open = |entry: &&Entry| !entry.story.state.is_terminal();
        let open = self.named_so(group).filter(is_open);
        let mut open: Vec<_> = open.map(|entry| entry.task.id).collect();
        open.sort_unstable();
        open
    }

    fn named_so(&self, group: &str) -> impl Iterator<Item = &Entry> {
        let is_named_so = |entry: &&Entry| *entry.task.kind.group == *group;
        self.entries.iter().filter(is_named_so)
    }
}

/// Takes a part in, if it is the newest of its number.
fn add<'e>(parts: &mut BTreeMap<u32, &'e Entry>, entry: &'e Entry) {
    let Some(part) = entry.task.part() else {
        return;
    };
    let newest = parts.entry(part.number()).or_insert(entry);
    if newest.task.id < entry.task.id {
        *newest = entry;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::logic::fixtures::{kind_of, task};
    use crate::logic::ledger::State;
    use crate::model::Part;

    fn arrive(ledger: &mut Ledger, id: u128, part: Option<u32>) -> Arc<Task> {
        let mut new = task(id);
        kind_of(&mut new).group = "nightly".into();
        new.set_part(part.and_then(|part| Part::new(part, 2)));
        let new = Arc::new(new);
        ledger.insert(Arc::clone(&new));
        new
    }

    fn cancel(ledger: &mut Ledger, task: &Task) {
        let why = "enough".to_owned();
        ledger.set(&task.id, State::Cancelled { why });
    }

    fn ids<'e>(entries: impl Iterator<Item = &'e Entry>) -> Vec<TaskId> {
        let mut ids: Vec<_> = entries.map(|entry| entry.task.id).collect();
        ids.sort_unstable();
        ids
    }

    #[test]
    fn a_name_that_is_used_again_means_its_newest_parts() {
        let mut ledger = Ledger::default();
        let first = [0, 1].map(|part| arrive(&mut ledger, u128::from(part) + 1, Some(part)));
        first.iter().for_each(|task| cancel(&mut ledger, task));
        arrive(&mut ledger, 3, None);
        let slip = arrive(&mut ledger, 4, Some(0));
        cancel(&mut ledger, &slip);
        let second = [0, 1].map(|part| arrive(&mut ledger, u128::from(part) + 5, Some(part)));

        assert_eq!(
            ids(ledger.of_group("nightly")),
            [4, 5, 6].map(|id| task(id).id)
        );
        let parts = ledger.parts_of("nightly");
        assert!(parts.keys().eq(&[0, 1]));
        assert_eq!(
            ids(parts.into_values()),
            second.each_ref().map(|task| task.id)
        );
        assert_eq!(ledger.open_of("nightly"), [3, 5, 6].map(|id| task(id).id));
    }
}
