//! The tasks of a group.
//!
//! Rule: a name may be used again, every night for the same work. What is asked of a group is asked of its parts since it was
//! used last, and of a part that was handed in twice the newer one counts. To find them mostly costs as much as the group has
//! parts, and not as there are tasks: they sit in a few ranges of seats. Where these would be too many, gaps between them are
//! closed, and who sits there is looked at too; for a group that is not remembered everybody is.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::{Entry, Ledger, Story};
use crate::logic::rare::Rare;
use crate::logic::seats::Seat;
use crate::logic::spans::Spans;
use crate::model::{Task, TaskId};

impl Ledger {
    /// The parts of the group of this name that are remembered, in no order.
    pub fn of_group(&self, group: &str) -> impl Iterator<Item = &Entry> {
        let is_meant = |entry: &&Entry| {
            *entry.task.kind.group == *group && self.tallies.is_current(&entry.task)
        };
        self.among(self.seats_of([group])).filter(is_meant)
    }

    /// The same by their numbers, of each the newest.
    pub fn parts_of(&self, group: &str) -> BTreeMap<u32, &Entry> {
        let mut parts = BTreeMap::new();
        self.of_group(group)
            .for_each(|entry| add(&mut parts, entry));
        parts
    }

    /// The same of several groups, where each task is looked at once at most.
    pub fn parts_of_each<'g>(
        &self,
        groups: impl Iterator<Item = &'g str>,
    ) -> HashMap<&'g str, BTreeMap<u32, &Entry>> {
        let mut each: HashMap<_, _> = groups.map(|group| (group, BTreeMap::new())).collect();
        let all = self.among(self.seats_of(each.keys().copied()));
        let current = all.filter(|entry| self.tallies.is_current(&entry.task));
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

    /// The open tasks of a group, in the order of their ids, whatever else it is that they are; looks at every task.
    pub fn open_of(&self, group: &str) -> Vec<TaskId> {
        let is_meant =
            |entry: &&Entry| *entry.task.kind.group == *group && !entry.story.state.is_terminal();
        let open = self.entries.iter().filter(is_meant);
        let mut open: Vec<_> = open.map(|entry| entry.task.id).collect();
        open.sort_unstable();
        open
    }

    /// Gives a task its seat, among those of its group.
    pub(super) fn seat_it(&mut self, task: Arc<Task>, story: Rare<Story>) -> Option<Seat> {
        let entry = Entry {
            task: Arc::clone(&task),
            story,
        };
        let seat = self.entries.insert(entry)?;
        self.tallies.sits(&task, seat);
        Some(seat)
    }

    /// Among which seats all parts of these groups are; among all, if one of the groups is not remembered.
    fn seats_of<'g>(&self, groups: impl IntoIterator<Item = &'g str>) -> Spans {
        let seats = groups.into_iter().map(|group| self.tallies.seats_of(group));
        let seats: Option<Vec<_>> = seats.collect();
        seats.map_or_else(Spans::everywhere, Spans::of_all)
    }

    fn among(&self, seats: Spans) -> impl Iterator<Item = &Entry> {
        let ranges = seats.ranges();
        ranges.flat_map(|(first, last)| self.entries.between(first, last))
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
    use proptest::prelude::*;

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

    #[test]
    fn no_task_of_others_is_looked_at_for_the_parts_of_one_group() {
        let mut ledger = Ledger::default();
        for id in 1..=1000 {
            ledger.insert(Arc::new(task(id)));
        }
        let parts = [0, 1].map(|part| arrive(&mut ledger, u128::from(part) + 2000, Some(part)));
        for id in 3001..=4000 {
            ledger.insert(Arc::new(task(id)));
        }
        let looked_at = |groups: &[&str]| ledger.among(ledger.seats_of(groups.iter().copied()));
        assert_eq!(ids(looked_at(&["nightly"])), parts.map(|part| part.id));
        assert_eq!(looked_at(&["nightly", "unknown"]).count(), 2002);
    }

    proptest! {
        /// Wherever they sit, the parts of a group that are there are found.
        #[test]
        fn the_parts_that_are_found_are_all_that_there_are(
            orders in prop::collection::vec((0_u8..4, 0_u32..3, 0_u32..40), 0..300),
        ) {
            let (mut ledger, mut last) = (Ledger::default(), 0);
            for (order, group, number) in orders {
                last += 1;
                if order == 0 {
                    // It is forgotten, and its seat is another's.
                    let all: Vec<_> = ledger.entries.iter().map(|entry| entry.task.id).collect();
                    if let Some(forgotten) = all.get(number as usize * all.len() / 40) {
                        ledger.entries.remove(forgotten);
                    }
                    continue;
                }
                let mut new = task(last);
                kind_of(&mut new).group = format!("group {group}").as_str().into();
                new.set_part(Part::new(number, 40));
                ledger.insert(Arc::new(new));
            }
            for group in 0..3 {
                let group = format!("group {group}");
                let is_meant = |entry: &&Entry| *entry.task.kind.group == *group;
                let all = ids(ledger.entries.iter().filter(is_meant));
                prop_assert_eq!(ids(ledger.of_group(&group)), all);
            }
        }
    }
}
