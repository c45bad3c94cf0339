//! What a peer's executor hears: runs tasks.

use serde::Serialize;

use crate::model::{Attempt, Both, TaskId};
use crate::runner::Job;

inbox! {
    /// What the executor hears.
    ExecutorInbox with ExecutorEars hears {
        RunTask,
        StopRun,
        SeePrinted,
        ForgetRun,
        StopAll,
    }
}

/// Run this.
#[derive(Debug, Serialize)]
pub struct RunTask {
    /// What, how long at most, and for whom.
    pub job: Job,
}

/// The run is no longer wanted: kill it.
#[derive(Debug, Serialize)]
pub struct StopRun {
    /// Which task.
    pub task: TaskId,
    /// Which try.
    pub attempt: Attempt,
}

/// Look what a run has printed.
#[derive(Debug, Serialize)]
pub struct SeePrinted {
    /// Which task.
    pub task: TaskId,
    /// Which try.
    pub attempt: Attempt,
    /// From there on; nothing: from a little before the end of what is there.
    pub from: Option<Both<u64>>,
}

/// The master has the result, or does not want it: what the run left on disk may go.
#[derive(Debug, Serialize)]
pub struct ForgetRun {
    /// Which task.
    pub task: TaskId,
    /// Which try.
    pub attempt: Attempt,
}

/// The program stops now: kill everything.
#[derive(Debug, Serialize)]
pub struct StopAll {}
