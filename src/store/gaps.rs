//! Parts of groups of which every row was lost.
//!
//! Rule: tasks are numbered as they come, and none is ever taken out. So a number that nobody has is a task that was lost, and
//! where between two parts of a group at least as many are lost as parts are missing, these are they. Whoever hands a group in
//! hands its parts in in their order; of parts that are missing at its end nobody can tell that they were ever there.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use mutirao_actors::logic::ledger::Counts;
use mutirao_actors::logic::record::{OlderParts, Remembered};
use rusqlite::Connection;

use super::fail::Fail;
use super::row::Sealed as _;
use super::rows::TaskRow;

/// Adds to what is known of groups which of their parts are lost; asked only of a store that has lost something.
pub fn add_lost(
    base: &Connection,
    tasks: &[Remembered],
    older: &mut Vec<OlderParts>,
) -> Result<(), Fail> {
    let gapped = gapped(tasks, older);
    if gapped.is_empty() {
        return Ok(());
    }
    let mut numbers = Vec::new();
    let mut parts = HashMap::<&str, BTreeMap<u32, i64>>::new();
    let mut statement = base.prepare(&TaskRow::table().all)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let row = TaskRow::whole(row)?;
        numbers.push(row.seq);
        let part = row.wishes.and_then(|asked| asked.part);
        if let (Some((group, _)), Some(part)) = (gapped.get_key_value(&*row.group_name), part) {
            let of_group = parts.entry(group).or_default();
            let newest = of_group.entry(part.number()).or_insert(row.seq);
            *newest = row.seq.max(*newest);
        }
    }
    numbers.sort_unstable();
    for (group, of) in &gapped {
        let there = parts.get(&**group);
        let lost = there.map_or_else(Vec::new, |parts| lost(parts, &numbers));
        if lost.is_empty() {
            continue;
        }
        match older.iter_mut().find(|older| older.group == *group) {
            Some(older) => older.lost = lost,
            None => older.push(OlderParts {
                group: Arc::clone(group),
                counts: Counts::default(),
                parts: *of,
                tasks: Vec::new(),
                lost,
            }),
        }
    }
    Ok(())
}

/// The groups of which a part is missing before one that is there, and how many parts each has.
fn gapped(tasks: &[Remembered], older: &[OlderParts]) -> HashMap<Arc<str>, u32> {
    let mut known = HashMap::<Arc<str>, (u32, BTreeSet<u32>)>::new();
    for task in tasks.iter().map(|known| &known.task) {
        if let Some(part) = task.part() {
            let group = known.entry(Arc::clone(&task.kind.group)).or_default();
            group.0 = part.of();
            group.1.insert(part.number());
        }
    }
    for older in older {
        let group = known.entry(Arc::clone(&older.group)).or_default();
        group.0 = older.parts;
        group
            .1
            .extend(older.tasks.iter().map(|(number, _)| *number));
    }
    let is_gapped = |numbers: &BTreeSet<u32>| {
        let last = numbers.last().copied().unwrap_or_default();
        numbers.len() <= last as usize
    };
    let gapped = known.into_iter().filter(|(_, (_, there))| is_gapped(there));
    gapped.map(|(group, (parts, _))| (group, parts)).collect()
}

/// The parts that are lost of a group that has these, each with the number of its task; `numbers` are those of all tasks, in
/// their order.
fn lost(parts: &BTreeMap<u32, i64>, numbers: &[i64]) -> Vec<u32> {
    let up_to = |number: i64| numbers.partition_point(|other| *other <= number) as i64;
    let (mut lost, mut next, mut before) = (Vec::new(), 0, 0);
    for (&part, &number) in parts {
        let taken = up_to(number) - up_to(before);
        let free = number.saturating_sub(before) - taken;
        if part > next && free >= i64::from(part - next) {
            lost.extend(next..part);
        }
        (next, before) = (part + 1, number);
    }
    lost
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost_of<const N: usize>(parts: [(u32, i64); N], numbers: &[i64]) -> Vec<u32> {
        lost(&parts.into(), numbers)
    }

    #[test]
    fn parts_are_lost_where_as_many_tasks_are() {
        assert_eq!(lost_of([(0, 1), (3, 4)], &[1, 4]), [1, 2]);
        assert_eq!(lost_of([(2, 3)], &[3]), [0, 1]);
        // Tasks of others came between them.
        assert_eq!(lost_of([(0, 1), (2, 9)], &[1, 3, 4, 5, 6, 7, 8, 9]), [1]);
    }

    #[test]
    fn parts_that_may_not_have_been_handed_in_yet_are_not_lost() {
        // Nothing is lost, less is lost than is missing, or what is lost was handed in elsewhere.
        assert_eq!(lost_of([(0, 1), (2, 2)], &[1, 2]), [0; 0]);
        assert_eq!(lost_of([(0, 1), (3, 3)], &[1, 3]), [0; 0]);
        assert_eq!(lost_of([(0, 1), (2, 2), (3, 5)], &[1, 2, 5]), [0; 0]);
        // Nor are those that came in another order, or behind all that are there.
        assert_eq!(lost_of([(0, 5), (2, 3)], &[3, 5]), [0; 0]);
        assert_eq!(lost_of([(0, 1), (1, 2)], &[1, 2, 9]), [0; 0]);
    }
}
