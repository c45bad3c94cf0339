//! Tasks that are fetched while others run, so that no slot stands idle while the next task travels.
//!
//! Rule: as many are held as the slots begin while another one comes, so what is held waits about as long as it would
//! take to reach anybody else. What waits longer, because a run takes its time, is given back. Whether there are tasks
//! to spare at all is known to the master alone, and it says so.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Assignment, RunKey};
use crate::model::Moment;

/// Most tasks that are held for each slot: enough for runs of some milliseconds on a local network, and little to give
/// back when a peer is lost.
const A_SLOT_MAX: usize = 4;
/// Nothing is held where a run takes so many times as long as an answer: less than one part in so many would be won.
const NOT_WORTH_IT: u32 = 32;
/// A task is held no longer than this. It is far within what a lease leaves for handing in, for its time limit counts
/// from its start.
const HELD_MAX: Duration = Duration::from_secs(5);
/// A new value counts one part in so many of an average.
const AVERAGED: u32 = 4;

/// What is held, and what tells how much that should be.
#[derive(Debug, Default)]
pub(super) struct Spares {
    /// In the order in which they came, each with the moment.
    held: VecDeque<(Moment, Assignment)>,
    /// How long a run keeps its slot, as far as that is known.
    run: Option<Duration>,
    /// How long the master takes to answer.
    answer: Option<Duration>,
    /// Tasks that came in a row, without "nothing now" between them.
    given: usize,
}

impl Spares {
    /// A run that succeeded kept its slot so long.
    pub fn ran(&mut self, took: Duration) {
        self.run = Some(averaged(self.run, took));
    }

    /// The master took so long to take a result; a task comes about as fast.
    pub fn answered(&mut self, took: Duration) {
        self.answer = Some(averaged(self.answer, took));
    }

    /// The master gave a task.
    pub fn gave(&mut self) {
        self.given = self.given.saturating_add(1);
    }

    /// The master had nothing to give.
    pub fn gave_nothing(&mut self) {
        self.given = 0;
    }

    /// How many requests may be on their way that the master is to answer at once. While it gives, twice as many each
    /// time, and none when it had nothing: then one waits there.
    pub fn asks_max(&self) -> usize {
        self.given
    }

    /// How many tasks a peer with so many slots should hold.
    pub fn wanted(&self, slots: usize) -> usize {
        let (Some(run), Some(answer)) = (self.run, self.answer) else {
            return 0;
        };
        let next_ends = run / u32::try_from(slots).unwrap_or(u32::MAX).max(1);
        // It would be given back before a slot is free.
        if answer.saturating_mul(NOT_WORTH_IT) < run || next_ends > HELD_MAX {
            return 0;
        }
        let begun = answer.as_nanos().saturating_mul(slots as u128);
        let begun = begun.div_ceil(run.as_nanos().max(1));
        usize::try_from(begun).map_or(A_SLOT_MAX * slots, |begun| begun.min(A_SLOT_MAX * slots))
    }

    /// A task came for which no slot is free.
    pub fn hold(&mut self, task: Assignment, now: Moment) {
        self.held.push_back((now, task));
    }

    /// The one that came first.
    pub fn next(&mut self) -> Option<Assignment> {
        self.held.pop_front().map(|(_, task)| task)
    }

    /// How many are held.
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether this one is held.
    pub fn holds(&self, key: RunKey) -> bool {
        self.keys().any(|held| held == key)
    }

    /// Which are held.
    pub fn keys(&self) -> impl Iterator<Item = RunKey> {
        self.held.iter().map(|(_, task)| task.key)
    }

    /// Those for which this does not hold are nothing to us any more.
    pub fn retain(&mut self, is_kept: impl Fn(&Assignment) -> bool) {
        self.held.retain(|(_, task)| is_kept(task));
    }

    /// Whether one waits longer than it may.
    pub fn are_overdue(&self, now: Moment) -> bool {
        let oldest = self.held.front();
        oldest.is_some_and(|(since, _)| now.since(*since) > HELD_MAX)
    }

    /// Holds none any more, and none again before it is known how long runs take now; whether any was.
    pub fn let_go(&mut self) -> bool {
        self.run = None;
        !std::mem::take(&mut self.held).is_empty()
    }
}

/// The average with one more value.
fn averaged(average: Option<Duration>, value: Duration) -> Duration {
    match average {
        Some(average) => average - average / AVERAGED + value / AVERAGED,
        None => value,
    }
}
