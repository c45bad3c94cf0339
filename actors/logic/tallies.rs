//! How the parts of each group stand, counted as they move, so that whoever asks every second costs nothing.
//!
//! Rule: only tasks that are parts are counted. A group is remembered while one of its parts is open, and then while fewer
//! than `OVER_MAX` ended after it; a name that is used again when all parts ended starts afresh.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use super::ledger::{Counts, State};
use super::seats::Seat;
use super::spans::Spans;
use crate::model::{Task, TaskId};

/// Groups that are remembered of which no part is open: a day's work of many people, in a megabyte or two.
const OVER_MAX: usize = 1000;
/// Different reasons that are told of a group: what more there is, is seen when these are mended.
const REASONS_MAX: usize = 10;
/// Parts of a group by which another of it is judged: enough to see what is usual, and no more work than a task with many tries.
const NEWEST_MAX: usize = 64;
/// Characters of a reason: enough to tell it from others.
const REASON_CHARS_MAX: usize = 200;

/// How the parts of one group stand.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    /// How many there are to be.
    pub parts: u32,
    /// How many stand how.
    pub counts: Counts,
    /// The first reasons for which some failed, each with how many; at most `REASONS_MAX`.
    pub reasons: Vec<(String, u64)>,
    /// Those that were done or failed last, each once; at most `NEWEST_MAX`.
    ended: VecDeque<TaskId>,
    newest: Option<TaskId>,
    /// The oldest of its parts: what is older and of the same name was of another group.
    first: Option<TaskId>,
    /// Which in the order of those that are over, if it is.
    over: Option<u64>,
    /// Among which seats its parts are.
    seats: Spans,
}

impl Tally {
    /// Whether all parts have ended.
    pub fn is_complete(&self) -> bool {
        let Counts {
            done,
            failed,
            cancelled,
            ..
        } = self.counts;
        done + failed + cancelled >= self.parts.into()
    }

    /// One that failed for this reason is to be tried again.
    fn forgiven(&mut self, why: &str) {
        let why = shortened(why);
        if let Some((_, tasks)) = self.reasons.iter_mut().find(|(known, _)| *known == why) {
            *tasks = tasks.saturating_sub(1);
        }
        self.reasons.retain(|(_, tasks)| *tasks > 0);
    }

    fn ended_last(&mut self, task: TaskId) {
        self.ended.retain(|ended| *ended != task);
        if self.ended.len() >= NEWEST_MAX {
            self.ended.pop_front();
        }
        self.ended.push_back(task);
    }

    fn failed_for(&mut self, why: &str) {
        let why = shortened(why);
        let known = self.reasons.iter_mut().find(|(known, _)| *known == why);
        if let Some((_, tasks)) = known {
            *tasks += 1;
        } else if self.reasons.len() < REASONS_MAX {
            self.reasons.push((why, 1));
        }
    }
}

fn shortened(why: &str) -> String {
    why.chars().take(REASON_CHARS_MAX).collect()
}

/// The groups.
#[derive(Debug, Default)]
pub struct Tallies {
    groups: HashMap<Arc<str>, Tally>,
    over: BTreeMap<u64, Arc<str>>,
    last_over: u64,
}

impl Tallies {
    /// A task came, or was known in an earlier life, and stands so.
    pub fn add(&mut self, task: &Task, state: &State) {
        let Some(part) = task.part() else {
            return;
        };
        let group = &task.kind.group;
        if self.groups.get(group).is_some_and(Tally::is_complete) {
            self.forget(group);
        }
        let tally = self.groups.entry(Arc::clone(group)).or_default();
        tally.parts = part.of();
        tally.newest = tally.newest.max(Some(task.id));
        let first = tally.first.unwrap_or(task.id);
        tally.first = Some(first.min(task.id));
        self.count(task, None, state);
    }

    /// A task that was added just now has this seat.
    pub fn sits(&mut self, task: &Task, seat: Seat) {
        if task.part().is_some()
            && let Some(tally) = self.groups.get_mut(&task.kind.group)
        {
            tally.seats.add(seat);
        }
    }

    /// Among which seats all parts are of the group that goes by this name now; none if it is not remembered.
    pub fn seats_of(&self, group: &str) -> Option<&Spans> {
        self.groups.get(group).map(|tally| &tally.seats)
    }

    /// Whether a task is a part of the group that goes by its group's name now.
    pub fn is_current(&self, task: &Task) -> bool {
        let tally = self.groups.get(&task.kind.group);
        let first = tally.and_then(|tally| tally.first);
        task.part().is_some() && first.is_none_or(|first| first <= task.id)
    }

    /// A task moved from one state to another.
    pub fn moved(&mut self, task: &Task, from: &State, to: &State) {
        if self.is_current(task) {
            self.count(task, Some(from), to);
        }
    }

    fn count(&mut self, task: &Task, from: Option<&State>, to: &State) {
        let group = &task.kind.group;
        let Some(tally) = self.groups.get_mut(group) else {
            return;
        };
        if let Some(from) = from {
            let count = tally.counts.of(from);
            *count = count.saturating_sub(1);
        }
        if let Some(State::Failed { why, .. }) = from {
            tally.forgiven(why);
        }
        *tally.counts.of(to) += 1;
        if let State::Failed { why, .. } = to {
            tally.failed_for(why);
        }
        if let State::Done { .. } | State::Failed { .. } = to {
            tally.ended_last(task.id);
        }
        match (tally.counts.open(), tally.over) {
            (0, None) => {
                self.last_over += 1;
                tally.over = Some(self.last_over);
                self.over.insert(self.last_over, Arc::clone(group));
            }
            (1.., Some(number)) => {
                tally.over = None;
                self.over.remove(&number);
            }
            _ => {}
        }
        if self.over.len() > OVER_MAX
            && let Some((_, oldest)) = self.over.pop_first()
        {
            self.groups.remove(&oldest);
        }
    }

    /// Parts of an earlier life that ended, and of which no more is known.
    pub fn count_forgotten(&mut self, group: &str, forgotten: Counts) {
        if let Some(tally) = self.groups.get_mut(group) {
            tally.counts.done += forgotten.done;
            tally.counts.failed += forgotten.failed;
            tally.counts.cancelled += forgotten.cancelled;
        }
    }

    fn forget(&mut self, group: &Arc<str>) {
        let over = self.groups.remove(group).and_then(|tally| tally.over);
        over.map(|number| self.over.remove(&number));
    }

    /// How many parts failed for good of the group whose part this task is, if it is one.
    pub fn failed_beside(&self, task: &Task) -> Option<u32> {
        task.part()?;
        let tally = self.groups.get(&task.kind.group)?;
        Some(u32::try_from(tally.counts.failed).unwrap_or(u32::MAX))
    }

    /// How many are done of the group whose part this task is, and those that were done or failed last; nothing if it is of an
    /// earlier one of the name.
    pub fn ended_beside(&self, task: &Task) -> (u64, impl Iterator<Item = &TaskId>) {
        let tally = self.groups.get(&task.kind.group);
        let tally = tally.filter(|_| self.is_current(task));
        let ended = tally.into_iter().flat_map(|tally| &tally.ended);
        (tally.map_or(0, |tally| tally.counts.done), ended)
    }

    /// So many groups, the one with the newest part first; behind this one, if it is said. Behind one that is forgotten there
    /// is none: whoever reads page after page would begin again at the first, and never end.
    pub fn page(&self, before: Option<&str>, limit: usize) -> Vec<(&Arc<str>, &Tally)> {
        let place = |(name, tally): (&Arc<str>, &Tally)| (tally.newest, Arc::clone(name));
        let known = before.and_then(|before| self.groups.get_key_value(before));
        if before.is_some() && known.is_none() {
            return Vec::new();
        }
        let before = known.map(place);
        let is_behind = |group: &(&Arc<str>, &Tally)| {
            let before = before.as_ref();
            before.is_none_or(|before| place(*group) < *before)
        };
        let mut page: Vec<_> = self.groups.iter().filter(is_behind).collect();
        page.sort_unstable_by_key(|group| std::cmp::Reverse(place(*group)));
        page.truncate(limit);
        page
    }

    /// The group of this name, or of `last` the one whose newest part is the newest.
    pub fn find(&self, name: &str) -> Option<(&Arc<str>, &Tally)> {
        match name {
            "last" => self.groups.iter().max_by_key(|(_, tally)| tally.newest),
            name => self.groups.get_key_value(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::fixtures::{kind_of, task};
    use crate::model::Part;

    fn part(group: &str, number: u32, of: u32) -> Task {
        let mut part = task(u128::from(number) + 1);
        kind_of(&mut part).group = group.into();
        part.set_part(Part::new(number, of));
        part
    }

    fn failed(why: &str) -> State {
        let why = why.to_owned();
        State::Failed { why, output: None }
    }

    fn cancelled() -> State {
        let why = "enough".to_owned();
        State::Cancelled { why }
    }

    #[test]
    fn parts_are_counted_as_they_move_and_other_tasks_are_not() {
        let mut tallies = Tallies::default();
        tallies.add(&task(9), &State::Waiting);
        assert_eq!(tallies.find("last"), None);
        for number in 0..2 {
            tallies.add(&part("rows", number, 3), &State::Waiting);
        }
        let (first, second) = (part("rows", 0, 3), part("rows", 1, 3));
        tallies.moved(&first, &State::Waiting, &failed("exit code 1"));
        tallies.moved(&second, &State::Waiting, &cancelled());
        let (name, tally) = tallies.find("last").unwrap();
        assert_eq!((&**name, tally.parts), ("rows", 3));
        let counts = tally.counts;
        assert_eq!((counts.open(), counts.failed, counts.cancelled), (0, 1, 1));
        assert!(!tally.is_complete(), "one is still to come");
        tallies.add(&part("rows", 2, 3), &cancelled());
        assert!(tallies.find("rows").unwrap().1.is_complete());
    }

    #[test]
    fn failures_for_the_same_reason_are_told_together_and_no_more_than_ten_reasons() {
        let mut tallies = Tallies::default();
        for number in 0..60 {
            let part = part("rows", number, 60);
            tallies.add(&part, &State::Waiting);
            tallies.moved(
                &part,
                &State::Waiting,
                &failed(&format!("exit code {}", number % 15)),
            );
        }
        let (_, tally) = tallies.find("rows").unwrap();
        assert_eq!(tally.reasons.len(), REASONS_MAX);
        assert_eq!(tally.reasons[0], ("exit code 0".to_owned(), 4));
        assert_eq!(tally.counts.failed, 60);
    }

    #[test]
    fn a_part_that_is_tried_again_has_not_failed() {
        let mut tallies = Tallies::default();
        let only = part("rows", 0, 1);
        tallies.add(&only, &State::Waiting);
        tallies.moved(&only, &State::Waiting, &failed("exit code 1"));
        tallies.moved(&only, &failed("exit code 1"), &State::Waiting);
        let (_, tally) = tallies.find("rows").unwrap();
        assert_eq!((tally.counts.queued, tally.counts.failed), (1, 0));
        assert_eq!((tally.reasons.len(), tally.over), (0, None));
        assert!(!tally.is_complete() && tallies.over.is_empty());
    }

    #[test]
    fn the_newest_parts_that_ended_are_remembered_each_once() {
        let mut tallies = Tallies::default();
        let ids = |tallies: &Tallies, of: &Task| {
            let (_, ended) = tallies.ended_beside(of);
            ended.copied().collect::<Vec<_>>()
        };
        let parts: Vec<_> = (0..100).map(|number| part("rows", number, 100)).collect();
        for part in &parts {
            tallies.add(part, &State::Waiting);
        }
        assert_eq!(ids(&tallies, &parts[0]), []);
        for part in &parts {
            tallies.moved(part, &State::Waiting, &failed("exit code 1"));
        }
        tallies.moved(&parts[50], &failed("exit code 1"), &State::Waiting);
        tallies.moved(&parts[50], &State::Waiting, &failed("exit code 1"));
        let newest = ids(&tallies, &parts[0]);
        let mut expected: Vec<_> = parts[36..].iter().map(|part| part.id).collect();
        let again = expected.remove(50 - 36);
        expected.push(again);
        assert_eq!(newest, expected);
        assert_eq!(ids(&tallies, &task(7)), [], "it is no part");
    }

    #[test]
    fn of_groups_that_are_over_the_newest_are_remembered_and_open_ones_all() {
        let mut tallies = Tallies::default();
        tallies.add(&part("open", 0, 1), &State::Waiting);
        for number in 0..2 * OVER_MAX {
            tallies.add(&part(&number.to_string(), 0, 1), &cancelled());
        }
        assert_eq!(tallies.groups.len(), OVER_MAX + 1);
        assert!(tallies.find("open").is_some() && tallies.find("0").is_none());
        assert_eq!(tallies.over.len(), OVER_MAX);
    }

    #[test]
    fn pages_of_groups_hold_each_once_and_the_newest_first() {
        let mut tallies = Tallies::default();
        for number in 0..7 {
            tallies.add(&part(&format!("g-{number}"), number, 8), &State::Waiting);
        }
        let (mut names, mut before) = (Vec::new(), None);
        loop {
            let page = tallies.page(before.as_deref(), 3);
            let Some((last, _)) = page.last() else { break };
            before = Some(last.to_string());
            names.extend(page.iter().map(|(name, _)| name.to_string()));
        }
        let all: Vec<_> = (0..7).rev().map(|number| format!("g-{number}")).collect();
        assert_eq!(names, all);
    }

    #[test]
    fn behind_a_group_that_was_forgotten_there_is_no_page() {
        let mut tallies = Tallies::default();
        for number in 0..=OVER_MAX {
            tallies.add(&part(&number.to_string(), 0, 1), &cancelled());
        }
        assert!(tallies.find("0").is_none(), "it was forgotten");
        assert_eq!(tallies.page(Some("0"), 3), []);
        assert_eq!(tallies.page(None, 3).len(), 3);
    }

    #[test]
    fn a_name_that_is_used_again_starts_afresh() {
        let mut tallies = Tallies::default();
        for of in [1, 2] {
            tallies.add(&part("rows", 0, of), &failed("exit code 1"));
        }
        let (_, tally) = tallies.find("rows").unwrap();
        assert_eq!((tally.parts, tally.counts.failed), (2, 1));
        assert_eq!(tallies.over.len(), 1);
    }

    #[test]
    fn a_part_of_an_earlier_group_of_the_same_name_moves_nothing_of_the_later_one() {
        let mut tallies = Tallies::default();
        let (earlier, later) = (part("rows", 0, 1), part("rows", 1, 2));
        tallies.add(&earlier, &failed("exit code 1"));
        tallies.add(&later, &failed("exit code 1"));
        tallies.moved(&earlier, &failed("exit code 1"), &State::Waiting);
        assert!(tallies.is_current(&later) && !tallies.is_current(&earlier));
        let (_, tally) = tallies.find("rows").unwrap();
        assert_eq!((tally.counts.failed, tally.counts.queued), (1, 0));
        assert_eq!(tally.reasons, [("exit code 1".to_owned(), 1)]);
    }
}
