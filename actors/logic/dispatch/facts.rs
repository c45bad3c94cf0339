//! What the scheduler's mind is told: the rules, requests and results.

use std::time::Duration;

use crate::logic::attribution::Claim;
use crate::logic::effect::Asker;
use crate::model::{Attempt, Digest, Endpoint, Outcome, SessionId, TaskId};

/// How often a task may go wrong (promise R5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Runs that fail by themselves before the task is failed, when it does not say; at least 1.
    pub failures_max: u32,
    /// Peers that may be lost with the task before it is failed; at least 1.
    pub losses_max: u32,
    /// The time limit of tasks that name none.
    pub time_limit: Option<Duration>,
    /// Whether the result of a try that is no longer leased is never applied twice (promise R3). Off only in a trial
    /// whether that is noticed.
    pub is_fenced: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            failures_max: 3,
            losses_max: 5,
            time_limit: None,
            is_fenced: true,
        }
    }
}

/// A peer that registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// Who is here.
    pub peer: Endpoint,
    /// On which connection it said so: on this one it is reached.
    pub session: SessionId,
    /// How many tasks it runs at a time; none: it is about to leave.
    pub slots: u32,
    /// The tries that a peer of ours holds; none from others, who do not say.
    pub holds: Option<Vec<(TaskId, Attempt)>>,
}

/// A peer's request for a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Who asks.
    pub peer: Endpoint,
    /// Where the answer goes.
    pub asker: Asker,
    /// How long it may wait.
    pub wait: Duration,
    /// Whether the task is to be held until a slot is free.
    pub is_spare: bool,
    /// How many it takes at once, if so many are ready; at least 1. A request that waits gets one.
    pub count: u32,
}

/// A result that a peer hands in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// Who hands it in.
    pub peer: Endpoint,
    /// Where the answer goes.
    pub asker: Asker,
    /// What it says it is of.
    pub claim: Claim,
    /// SHA-256 of the ZIP.
    pub sha256: Digest,
    /// Length of the ZIP in bytes.
    pub size: u64,
    /// How the run ended.
    pub outcome: Outcome,
}
