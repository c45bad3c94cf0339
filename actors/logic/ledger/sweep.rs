//! A look at all tasks in turns, for whoever changes many of them at once.
//!
//! Rule: each turn goes on at the seat where the one before it ended, so that a million tasks are looked at once each, and
//! whatever else is to be done is done between two turns.

use super::{Entry, Ledger};
use crate::logic::seats::Seat;
use crate::model::TaskId;

/// Seats that are looked at in one turn: a millisecond or two.
const LOOKED_AT_MAX: u32 = 10_000;
/// Tasks that are found in one turn: what one commit of the store takes, and one answer that is waited for.
pub const FOUND_MAX: usize = 1000;

/// What one turn came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sweep {
    /// The tasks that are wanted, in no order.
    pub tasks: Vec<TaskId>,
    /// Where the next turn begins; none when there is nothing left to look at.
    pub next: Option<u32>,
}

impl Ledger {
    /// The tasks that are wanted of those that sit at this number and behind it, as many as one turn may be of.
    pub fn sweep(&self, from: u32, is_wanted: impl Fn(&Entry) -> bool) -> Sweep {
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
            let Sweep { tasks, next } = ledger.sweep(seat, &is_wanted);
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
        assert_eq!(ledger.sweep(u32::MAX, |_| true), Sweep::default());
    }
}
