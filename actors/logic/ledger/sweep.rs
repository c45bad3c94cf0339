//! A look at all tasks in turns, or at some that are named, for whoever changes many of them at once.
//!
//! Rule: each turn goes on at the seat where the one before it ended, so that a million tasks are looked at once each, and
//! whatever else is to be done is done between two turns.

use std::collections::BTreeSet;

use serde::{Serialize, Serializer};

use super::{Entry, Ledger};
use crate::logic::seats::Seat;
use crate::model::TaskId;

/// Seats that are looked at in one turn: a millisecond or two.
const LOOKED_AT_MAX: u32 = 10_000;
/// Tasks that are found in one turn: what one commit of the store takes, and one answer that is waited for.
pub const FOUND_MAX: usize = 1000;

/// Which tasks are looked at.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Meant {
    /// Those that sit at this number and behind it, as many as one turn may be of.
    From(u32),
    /// These; no more than a turn may be of.
    These(#[serde(serialize_with = "how_many")] BTreeSet<TaskId>),
}

/// The message log says how many they are: other letters speak of each.
fn how_many<S: Serializer>(tasks: &BTreeSet<TaskId>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(tasks.len() as u64)
}

/// What one turn came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sweep {
    /// The tasks that are wanted, in no order.
    pub tasks: Vec<TaskId>,
    /// How many were named and are not wanted, or not known.
    pub left: u64,
    /// Where the next turn begins; none when there is nothing left to look at.
    pub next: Option<u32>,
}

impl Ledger {
    /// The tasks that are wanted of those that are meant.
    pub fn sweep(&self, meant: Meant, is_wanted: impl Fn(&Entry) -> bool) -> Sweep {
        match meant {
            Meant::From(from) => self.sweep_from(from, is_wanted),
            Meant::These(named) => {
                let is_wanted = |task: &TaskId| self.get(task).is_some_and(&is_wanted);
                let (tasks, left): (Vec<_>, Vec<_>) = named.into_iter().partition(is_wanted);
                Sweep {
                    tasks,
                    left: left.len() as u64,
                    next: None,
                }
            }
        }
    }

    fn sweep_from(&self, from: u32, is_wanted: impl Fn(&Entry) -> bool) -> Sweep {
        let mut sweep = Sweep::default();
        for (seat, entry) in self.entries.row_from(Seat::numbered(from)) {
            if seat.number() - from >= LOOKED_AT_MAX || sweep.tasks.len() >= FOUND_MAX {
                sweep.next = Some(seat.number());
                break;
            }
            let wanted = entry.filter(|entry| is_wanted(entry));
            sweep.tasks.extend(wanted.map(|entry| entry.task.id));
        }
        sweep
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::logic::fixtures::task;
    use crate::logic::ledger::State;

    fn turns(ledger: &Ledger, is_wanted: impl Fn(&Entry) -> bool) -> Vec<usize> {
        let (mut turns, mut from) = (Vec::new(), Some(0));
        while let Some(seat) = from {
            let Sweep { tasks, next, .. } = ledger.sweep(Meant::From(seat), &is_wanted);
            turns.push(tasks.len());
            from = next;
        }
        turns
    }

    #[test]
    fn every_task_is_found_once_however_many_turns_that_takes() {
        let mut ledger = Ledger::default();
        assert_eq!(turns(&ledger, |_| true), [0], "there is none");
        for number in 0..25_000 {
            ledger.insert(Arc::new(task(number)));
        }
        assert_eq!(turns(&ledger, |_| true), [FOUND_MAX; 25]);
        for number in 0..24_000 {
            let why = "enough".to_owned();
            ledger.set(&task(number).id, State::Cancelled { why });
        }
        let is_open = |entry: &Entry| !entry.story.state.is_terminal();
        assert_eq!(turns(&ledger, is_open), [0, 0, 1000]);
        let nothing = ledger.sweep(Meant::From(u32::MAX), |_| true);
        assert_eq!(nothing, Sweep::default());
    }

    #[test]
    fn of_those_that_are_named_it_is_counted_which_are_not_wanted_or_not_known() {
        let mut ledger = Ledger::default();
        for number in 0..5 {
            ledger.insert(Arc::new(task(number)));
        }
        let why = "enough".to_owned();
        ledger.set(&task(1).id, State::Cancelled { why });
        let named = Meant::These([1, 2, 3, 9].map(|number| task(number).id).into());
        let is_open = |entry: &Entry| !entry.story.state.is_terminal();
        let expected = Sweep {
            tasks: [2, 3].map(|number| task(number).id).into(),
            left: 2,
            next: None,
        };
        assert_eq!(ledger.sweep(named, is_open), expected);
    }
}
