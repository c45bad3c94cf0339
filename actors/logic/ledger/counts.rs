//! How many tasks stand how.

use serde::Serialize;

use super::State;
use crate::logic::record::Fate;

/// How many tasks stand how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Counts {
    /// Waiting or resting.
    pub queued: u64,
    /// With a peer, or with their result being kept.
    pub leased: u64,
    /// Terminal with a result.
    pub done: u64,
    /// Terminal without one.
    pub failed: u64,
    /// Terminal because taken back.
    pub cancelled: u64,
}

impl Counts {
    /// The count of the tasks that stand so.
    pub(in crate::logic) fn of(&mut self, state: &State) -> &mut u64 {
        match state {
            State::Waiting | State::Resting => &mut self.queued,
            State::Leased(_) | State::Keeping { .. } => &mut self.leased,
            State::Done { .. } => &mut self.done,
            State::Failed { .. } => &mut self.failed,
            State::Cancelled { .. } => &mut self.cancelled,
        }
    }

    /// One less of those that stand so.
    pub fn without(&mut self, fate: &Fate) {
        let count = match fate {
            Fate::Queued => &mut self.queued,
            Fate::Leased(_) => &mut self.leased,
            Fate::Done { .. } => &mut self.done,
            Fate::Failed { .. } => &mut self.failed,
            Fate::Cancelled { .. } => &mut self.cancelled,
        };
        *count = count.saturating_sub(1);
    }

    /// How many tasks are not terminal.
    pub fn open(&self) -> u64 {
        self.queued + self.leased
    }
}
