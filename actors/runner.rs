//! What the executor wants of whatever really runs a script, so that tests can run none.

use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::model::{Archive, Attempt, Both, Outcome, Piece, TaskId, TaskName};

/// One run of one task, as the executor orders it.
#[derive(Debug, Clone, Serialize)]
pub struct Job {
    /// The master's id, or one of our own for a master that names none.
    pub task: TaskId,
    /// Which try this is, as far as the master says.
    pub attempt: Attempt,
    /// The name under which it was handed out; the folder in `work/` is named after it.
    pub name: TaskName,
    /// The same as it was sent, to be echoed with the result.
    pub sent_name: String,
    /// Whether the id and the try are the master's own; else its result is known by the echo of the name alone.
    pub named: bool,
    /// The master whose id and try they are; none if they are ours.
    pub master_id: Option<Uuid>,
    /// The task's ZIP.
    pub archive: Archive,
    /// Killed after this long, whatever `task.toml` says.
    pub time_limit: Option<Duration>,
    /// Whether the master takes only `stdout.txt` and `stderr.txt`, as small as they get.
    pub plain_result: bool,
}

/// What a run leaves: always a result ZIP, also when nothing could be started.
#[derive(Debug, Clone)]
pub struct Finished {
    /// How it ended.
    pub outcome: Outcome,
    /// The ZIP to hand in.
    pub result: Archive,
}

/// Runs scripts. Nothing it does may block the arbiter.
pub trait Runner: Send + Sync + 'static {
    /// Runs the job to its end; `stop` asks to kill the script and all that it started, and to come back soon.
    fn run(&self, job: Job, stop: CancellationToken) -> BoxFuture<'static, Finished>;

    /// What a run has printed from there on, or a little before its end; not all of it at once, and what nobody would read
    /// to its end is passed over. Nothing of a run that has not begun, or that nobody looked at before it ended; a runner
    /// that has nothing to show says so of each.
    fn printed(
        &self,
        task: TaskId,
        attempt: Attempt,
        from: Option<Both<u64>>,
    ) -> BoxFuture<'static, Option<Both<Piece>>> {
        let _ = (task, attempt, from);
        Box::pin(async { None })
    }

    /// The result was taken or is no longer wanted: what the run left on disk may go.
    fn forget(&self, task: TaskId, attempt: Attempt) -> BoxFuture<'static, ()>;
}
