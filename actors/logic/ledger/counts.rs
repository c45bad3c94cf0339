//! How many tasks stand how.

use serde::Serialize;

use super::State;

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
    pub(super) fn of(&mut self, state: &State) -> &mut u64 {
        match state {
            State::Waiting | State::Resting => &mut self.queued,
            State::Leased(_) | State::Keeping { .. } => &mut self.leased,
            State::Done { .. } => &mut self.done,
            State::Failed { .. } => &mut self.failed,
            State::Cancelled { .. } => &mut self.cancelled,
        }
    }

    /// How many tasks are not terminal.
    pub fn open(&self) -> u64 {
        self.queued + self.leased
    }
}
