//! What a scheduler remembers of each peer: what it owes, how far it can be trusted, and when it may ask again.

use std::collections::VecDeque;
use std::time::Duration;

mod everybody;

pub use everybody::Standings;

use super::fault::Fault;
use crate::model::{Attempt, Moment, SessionId, TaskId};

/// Tasks that one peer of ours holds at a time: more than any machine has CPUs.
pub const HOLDS_MAX: usize = 1024;
/// The first pause of a peer that hands a task back without a result; doubled each time in a row.
const PAUSE_FIRST: Duration = Duration::from_secs(1);
/// The longest such pause: long enough to keep a broken peer quiet, short enough for others to wait until it has tried
/// what failed elsewhere.
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// Tasks in a row that a peer comes back without, after which it pauses for as long as any does: more than an honest one has of
/// tasks that fail everywhere, but for a queue that has nothing else.
const FRUITLESS_MAX: u32 = 6;
/// The same, after which it is no honest one in a million, even where every second task fails everywhere. With its pauses that
/// takes a quarter of an hour, or some hours where it names nothing either: so long a queue may wait that has nothing else.
const BARREN_MAX: u32 = 20;
/// How long a peer that asks and asks is held to a result that it owes: whoever asks is not working, and
/// after this long its bytes will hardly come any more.
const OWED_FOR: Duration = Duration::from_secs(600);
/// Results of one task that a peer may owe: more than a task is tried by one peer before it is failed.
const OWES_MAX: usize = 16;
/// Faults of one peer that are remembered, for readers.
pub const FAULTS_MAX: usize = 3;

/// A try that ended without a result that counts: of which task, which, why and when.
pub type Mishap = (TaskId, Attempt, Fault, Moment);

/// How one peer stands.
#[derive(Debug, Clone, Default)]
pub struct Standing {
    /// The connection on which it registered last, while the registry says that it is here.
    session: Option<SessionId>,
    /// Tasks that it runs at a time, while it is here; none while it leaves.
    slots: u32,
    /// Whether it is given nothing but a probe.
    is_sick: bool,
    /// The tries that it has and has not answered for.
    pub holds: Vec<(TaskId, Attempt)>,
    /// Tries of one task that are over and whose results may still come, from a peer that does not name what it
    /// hands in: until then it gets no other task, else those bytes would be filed as that one's.
    pub owes: Vec<(TaskId, Attempt)>,
    /// Until when it is held to that.
    owes_until: Moment,
    /// Whether it registered anew since it was given a task: then it has forgotten what it had.
    is_afresh: bool,
    /// The task that it answered for last: a peer that missed our answer sends the same again.
    pub answered: Option<TaskId>,
    /// Whether it has shown that it names what it hands in.
    pub names: bool,
    /// Tasks in a row that it came back without.
    fruitless: u32,
    /// It gets nothing before this.
    pub pause_until: Moment,
    /// Results of its that were taken as successes.
    pub done: u64,
    /// Tries of its that failed.
    pub failed: u64,
    /// When it asked for a task last, or came.
    pub asked: Moment,
    /// Its latest tries that ended without a result that counts; at most [`FAULTS_MAX`], oldest first.
    pub faults: VecDeque<Mishap>,
    /// Its place among the absent, while it is one of them.
    absence: u64,
}

impl Standing {
    /// The one try that an unnamed result of this peer can be of.
    pub fn sole(&self) -> Option<(TaskId, Attempt)> {
        match (self.owes.as_slice(), self.holds.as_slice()) {
            ([owed, ..], []) => Some(*owed),
            (owes, [held]) if owes.iter().all(|(task, _)| *task == held.0) => Some(*held),
            _ => None,
        }
    }

    /// Whether it is here.
    pub fn is_present(&self) -> bool {
        self.session.is_some()
    }

    /// Whether it is about to leave, and takes nothing more.
    pub fn is_leaving(&self) -> bool {
        self.is_present() && self.slots == 0
    }

    /// Its slots that may be given something.
    fn open_slots(&self) -> u64 {
        let is_open = self.is_present() && !self.is_sick;
        u64::from(self.slots) * u64::from(is_open)
    }

    /// Whether it holds as many tasks as any peer may.
    pub fn is_full(&self) -> bool {
        self.holds.len() >= HOLDS_MAX
    }

    /// The newest try whose result it is held to now: until that comes it is given no other task.
    pub fn debt(&self, now: Moment) -> Option<(TaskId, Attempt)> {
        let is_held = !self.names && now < self.owes_until;
        self.owes.last().copied().filter(|_| is_held)
    }

    /// Whether it neither pauses nor holds all that it may.
    pub fn is_rested(&self, now: Moment) -> bool {
        now >= self.pause_until && !self.is_full()
    }

    /// Whether it may be given any task now.
    pub fn is_ready(&self, now: Moment) -> bool {
        self.debt(now).is_none() && self.is_rested(now)
    }

    /// It is given a task; what it owed of another till now will not come any more.
    pub fn take(&mut self, task: TaskId, attempt: Attempt) {
        self.owes.retain(|(owed, _)| *owed == task);
        self.is_afresh = false;
        self.holds.push((task, attempt));
    }

    /// It registered: what it had and owed it has forgotten.
    pub fn start_afresh(&mut self) {
        self.owes.clear();
        self.is_afresh = true;
    }

    /// What it handed in could not be stored: it is owed as before.
    pub fn owe_again(&mut self, task: TaskId, attempt: Attempt) {
        if !self.holds.contains(&(task, attempt)) {
            self.holds.push((task, attempt));
        }
    }

    /// A try of its is over, and may have left a result that would come without a name.
    pub fn owe(&mut self, task: TaskId, attempt: Attempt, now: Moment) {
        if self.names || self.is_afresh {
            return;
        }
        self.owes.retain(|(owed, _)| *owed == task);
        if self.owes.len() >= OWES_MAX {
            self.owes.remove(0);
        }
        self.owes.push((task, attempt));
        self.owes_until = now.after(OWED_FOR);
    }

    /// It has answered for this try, one way or another.
    pub fn settle(&mut self, task: TaskId, attempt: Attempt) {
        self.holds.retain(|held| *held != (task, attempt));
        self.owes.retain(|owed| *owed != (task, attempt));
    }

    /// It came back without a result: it waits before it gets the next task, longer each time in a row.
    pub fn came_back_without(&mut self, now: Moment) {
        let pause = PAUSE_FIRST
            .saturating_mul(1 << self.fruitless.min(16))
            .min(PAUSE_MAX);
        self.fruitless = self.fruitless.saturating_add(1);
        self.pause_until = now.after(pause);
    }

    /// Whether it comes back without a result again and again: what a task comes to there is known beforehand, and takes long.
    pub fn is_fruitless(&self) -> bool {
        self.fruitless >= FRUITLESS_MAX
    }

    /// Whether it does so for so long that it tells nothing of a task any more.
    pub fn is_barren(&self) -> bool {
        self.fruitless >= BARREN_MAX
    }

    /// It handed in a sound result of a run that succeeded.
    pub fn came_back_with(&mut self) {
        self.fruitless = 0;
    }

    /// A try of its ended without a result that counts.
    pub fn remember(&mut self, task: TaskId, attempt: Attempt, fault: Fault, now: Moment) {
        if self.faults.len() >= FAULTS_MAX {
            self.faults.pop_front();
        }
        self.faults.push_back((task, attempt, fault, now));
    }

    fn is_forgettable(&self) -> bool {
        let owes = !self.holds.is_empty() || !self.owes.is_empty();
        !self.is_present() && !owes && self.fruitless == 0
    }
}

#[cfg(test)]
mod tests;
