//! What the control actions report and the command line prints; with `--json`, exactly these.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::model::{Attempt, Digest, PeerId, TaskId, TaskName};

mod findings;

pub use findings::{
    Culprit, EXAMPLES_MAX, ExampleRow, FINDINGS_MAX, Findings, ReasonRow, RunRow, UsualRow,
    VerdictRow,
};

/// Longest list of running tasks or failures in a report: more than a reader takes in, and well below the size cap.
pub const REPORT_ROWS_MAX: usize = 100;
/// Longest list of tasks or groups that is answered with at a time: some hundred KiB.
pub const LIST_ROWS_MAX: usize = 500;

/// A master's answer to `STATUS`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MasterReport {
    /// Tells it from a peer's report.
    pub role: MasterRole,
    /// The name under which it announces itself.
    pub name: String,
    /// Which master.
    pub master_id: Uuid,
    /// Of the program.
    pub version: String,
    /// Seconds since it started.
    pub uptime_s: u64,
    /// How its queue stands.
    #[serde(flatten)]
    pub queue: QueueReport,
}

/// How a master's queue stands.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct QueueReport {
    /// The scheduler in use.
    pub scheduler: String,
    /// Files in `tasks/` that are still being written or looked at.
    pub arriving: u32,
    /// How many tasks are in which state.
    pub tasks: TaskCounts,
    /// How many peers are in the cluster.
    pub peers: u64,
    /// Results that came for tasks which have another one.
    #[serde(default)]
    pub conflicts: u64,
    /// Results since the master started that were of no try that is known.
    #[serde(default)]
    pub unmatched: u64,
    /// What keeps the master from working, if anything does: a disk that takes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    /// Peers that are sick; at most [`REPORT_ROWS_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quarantined: Vec<QuarantineRow>,
    /// What runs now, longest first; at most [`REPORT_ROWS_MAX`].
    pub running: Vec<RunningRow>,
    /// The latest tasks that failed for good, latest first; at most [`REPORT_ROWS_MAX`].
    pub failures: Vec<FailureRow>,
}

/// A peer that is sick: it fails what others pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QuarantineRow {
    /// Who.
    pub peer_id: PeerId,
    /// For how long yet and why, in words for readers.
    pub state: String,
}

/// Always `"master"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MasterRole {
    /// The only one.
    #[default]
    Master,
}

/// How many tasks are in which state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct TaskCounts {
    /// Wait for a peer.
    pub queued: u64,
    /// Run at a peer.
    pub leased: u64,
    /// Have their result.
    pub done: u64,
    /// Failed for good.
    pub failed: u64,
    /// Were cancelled.
    pub cancelled: u64,
}

/// One task that runs now, as the master sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunningRow {
    /// Which task.
    pub task_id: TaskId,
    /// Its name.
    pub task_name: TaskName,
    /// Which try.
    pub attempt: Attempt,
    /// Where it runs.
    pub peer_id: PeerId,
    /// Seconds since it was handed out.
    pub for_s: u64,
}

/// One task that failed for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FailureRow {
    /// Its name.
    pub task_name: TaskName,
    /// Why, for readers.
    pub reason: String,
}

/// A peer's answer to `STATUS`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PeerReport {
    /// Tells it from a master's report.
    pub role: PeerRole,
    /// Who.
    pub peer_id: PeerId,
    /// Of the program.
    pub version: String,
    /// The master that it works for, if it has found one.
    pub master: Option<String>,
    /// How many tasks it can run at a time.
    pub slots: u32,
    /// How many more it could run now.
    pub free: u32,
    /// What runs now; at most as many as there are slots.
    pub running: Vec<PeerRunningRow>,
    /// The version of the Python that runs the tasks; none if none was found.
    pub python: Option<String>,
}

/// Always `"peer"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PeerRole {
    /// The only one.
    #[default]
    Peer,
}

/// One task that runs at a peer. Its name is the master's, of any master's making.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PeerRunningRow {
    /// The name under which it was handed out.
    pub task_name: String,
    /// Seconds since it started.
    pub for_s: u64,
}

/// One row of a master's answer to `PEERS`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PeerRow {
    /// Who.
    pub peer_id: PeerId,
    /// Where it speaks from.
    pub address: String,
    /// How many tasks it runs at a time.
    pub slots: u32,
    /// Whether it speaks our extensions.
    pub ours: bool,
    /// Program and version, if it says.
    pub agent: Option<String>,
    /// How it fares, in words for readers: `ready`, `leaving`, or that it is quarantined and why.
    pub state: String,
    /// Seconds since anything came from it.
    pub last_word_s: u64,
    /// How many tasks it holds now.
    pub leases: u64,
    /// How many it finished.
    pub done: u64,
    /// How many it failed.
    pub failed: u64,
    /// Its latest tries that ended without a result that counts, oldest first; at most 3, and of some hundred peers only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<PeerFaultRow>,
}

/// A master's answer to `DRAIN_PEER`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DrainReport {
    /// Who.
    pub peer_id: PeerId,
    /// Whether it is given nothing more.
    pub drained: bool,
    /// How many tasks it still has.
    pub leases: u64,
}

/// A master's answer to `GROUP_GATHERED`: how far what the parts of a group made is put together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatheredReport {
    /// Its name.
    pub group: String,
    /// How many parts have been put in, or are just being; 0 if that is not known any more.
    pub parts_in: u32,
    /// Whether all that there is to put together is.
    pub complete: bool,
}

/// A master's answer to `CANCEL_TASKS` and `RETRY_TASKS`: how far it has come.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct SweepReport {
    /// How many tasks were cancelled, or are tried again.
    pub tasks: u64,
    /// How many could not be tried again, or were named and are not like that.
    pub left: u64,
    /// Some of the first; at most 3.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<TaskName>,
    /// Why, in words for a reader.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Where it goes on, if there may be more: the `from` of the next request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u32>,
}

/// A try of a peer that ended without a result that counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PeerFaultRow {
    /// Of which task.
    pub task_id: TaskId,
    /// Which.
    pub attempt: Attempt,
    /// How it ended, in words for readers.
    pub ended: String,
    /// How many seconds ago.
    pub ago_s: u64,
}

/// A master's answer to `TASK_STATUS`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TaskReport {
    /// Which task.
    pub task_id: TaskId,
    /// Its name.
    pub task_name: TaskName,
    /// Where it is in its life.
    pub state: TaskState,
    /// Who runs it or ran it last.
    pub peer: Option<PeerId>,
    /// How many times it was handed out.
    pub attempts: u32,
    /// Why it failed or waits, if there is something to say.
    pub reason: Option<String>,
    /// The name of its file in `results/`, once it is done; or of the last output of a task that failed.
    pub result_file: Option<String>,
    /// How long its last run took, in milliseconds.
    pub took_ms: Option<u64>,
    /// When it was handed in, by the master's clock on the wall.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub submitted_at: Option<Timestamp>,
    /// In full only: when its newest try began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub started_at: Option<Timestamp>,
    /// In full only: when it ended, once it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
    /// The group of which it is a part, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Which part of the group, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<u32>,
    /// Of how many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parts: Option<u32>,
    /// In full only: its newest tries, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tries: Vec<TryRow>,
    /// In full only: results that came and are not the one that was taken.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conflicts: Vec<ConflictRow>,
    /// In full only: why it waits, runs or failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<Box<Findings>>,
}

/// A master's answer to `GROUP_STATUS` and `CANCEL_GROUP`: how the parts of a group stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GroupReport {
    /// Its name.
    pub group: String,
    /// How many parts it is to have.
    pub parts: u32,
    /// How many wait: for a peer, for another task, or after a failure.
    pub waiting: u64,
    /// How many run at a peer, or have their result stored.
    pub running: u64,
    /// How many have their result.
    pub done: u64,
    /// How many failed for good.
    pub failed: u64,
    /// How many were cancelled.
    pub cancelled: u64,
    /// The first reasons for which some failed; at most 10.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<FailuresRow>,
    /// Whether all parts have ended.
    pub complete: bool,
    /// In full only: why parts wait, run or failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<Box<Findings>>,
}

/// Parts of a group that failed for the same reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FailuresRow {
    /// Why, for readers.
    pub reason: String,
    /// How many.
    pub tasks: u64,
}

/// One try of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TryRow {
    /// Which.
    pub attempt: Attempt,
    /// Where.
    pub peer_id: PeerId,
    /// How it ended, or that it runs, in words for readers.
    pub ended: String,
    /// Against whom that counts, if it ended without the task's result.
    pub against: Option<Against>,
}

/// Against whom a failure counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Against {
    /// The task.
    Task,
    /// The peer: it was lost, or is sick.
    Peer,
    /// Nobody: it was planned, or the master's own trouble.
    Nobody,
}

/// A result that is not the one that was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConflictRow {
    /// From whom.
    pub peer_id: PeerId,
    /// Of which try.
    pub attempt: Attempt,
    /// SHA-256 of its bytes.
    pub sha256: Digest,
}

/// The states of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TaskState {
    /// Waits for a peer.
    Queued,
    /// Runs at a peer.
    Leased,
    /// Has its result.
    Done,
    /// Failed for good.
    Failed,
    /// Was cancelled.
    Cancelled,
}

/// Which tasks are to be listed; any if nothing is said.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Sought {
    /// In these states only; in any if it names none.
    pub states: Vec<TaskState>,
    /// Of this group only.
    pub group: Option<String>,
    /// Without those that are parts of a group.
    pub single: bool,
}

impl TaskState {
    /// Every state, in the order of a life.
    pub const ALL: [Self; 5] = [
        Self::Queued,
        Self::Leased,
        Self::Done,
        Self::Failed,
        Self::Cancelled,
    ];

    /// The word for it, which is that of the reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Leased => "leased",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The state of this word.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }

    /// Whether nothing more will happen to the task.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Cancelled)
    }
}
