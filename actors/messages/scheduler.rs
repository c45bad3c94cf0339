//! What the master's scheduler hears: who runs what.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::{AdoptTask, OutputsInbox, ReplyTo, SessionInbox, StoreChanged, WrittenDown};
use crate::logic::attribution::Claim;
use crate::logic::ledger::Meant;
use crate::model::{
    Archive, Attempt, Both, Endpoint, Outcome, PeerId, SessionId, Task, TaskChoice, TaskId,
};
use crate::port::Port;
use crate::wire::report::{PeerRow, Sought, TaskState};

inbox! {
    /// What any scheduler hears.
    SchedulerInbox with SchedulerEars hears {
        AdoptAfter,
        TaskArrived,
        TaskWithdrawn,
        IntakeCounted,
        TaskRequested,
        OfferFailed,
        ResultSubmitted,
        ResultKept,
        ResultRefused,
        PeerJoined,
        PeerLeft,
        SessionClosed,
        DescribeQueue,
        DescribeTask,
        CancelTask,
        ListTasks,
        ListGroups,
        DescribeGroup,
        CancelGroup,
        CancelSome,
        RetryTask,
        RetryGroup,
        RetrySome,
        TasksRetried,
        DrainPeer,
        FollowTask,
        TallyPeers,
        CloseQueue,
        WrittenDown,
        StoreChanged,
        FoldersChanged,
    }
}

/// A task came over the wire that is to wait for another: the folders are to adopt it, if that one is known.
#[derive(Debug, Serialize)]
pub struct AdoptAfter {
    /// For which one.
    pub after: TaskId,
    /// What the folders are told.
    pub adopt: AdoptTask,
}

/// A task was adopted and is to be run.
#[derive(Debug, Clone, Serialize)]
pub struct TaskArrived {
    /// The task.
    pub task: Arc<Task>,
}

/// Whoever put the task in took it back.
#[derive(Debug, Serialize)]
pub struct TaskWithdrawn {
    /// Which.
    pub task: TaskId,
    /// In words for a reader.
    pub why: String,
}

/// How many files in `tasks/` are still being written or looked at.
#[derive(Debug, Serialize)]
pub struct IntakeCounted {
    /// Files that may become tasks.
    pub arriving: u32,
}

/// The disk under the folders refuses something, or nothing any more; it is tried again and again.
#[derive(Debug, Clone, Serialize)]
pub struct FoldersChanged {
    /// In words for a reader; none: it is well.
    pub trouble: Option<String>,
}

/// A peer asks for a task.
#[derive(Debug, Serialize)]
pub struct TaskRequested {
    /// Who and which life.
    pub endpoint: Endpoint,
    /// On which connection.
    pub session: SessionId,
    /// How long the answer may wait for a task; zero for peers of section 1.
    pub wait: Duration,
    /// Whether the task is to be held until a slot is free, so that it is given only while there is enough for all.
    pub is_spare: bool,
    /// How many tasks it takes at once; at least 1.
    pub count: u32,
    /// Where the answer goes.
    pub reply: ReplyTo,
}

/// An offered task could not be delivered: its file is gone or has changed.
#[derive(Debug, Serialize)]
pub struct OfferFailed {
    /// Which.
    pub task: TaskId,
    /// The try that never was.
    pub attempt: Attempt,
    /// In words for a reader.
    pub why: String,
}

/// A peer hands a result in.
#[derive(Debug, Serialize)]
pub struct ResultSubmitted {
    /// Who and which life.
    pub endpoint: Endpoint,
    /// On which connection.
    pub session: SessionId,
    /// What it says the result is of.
    pub claim: Claim,
    /// The result ZIP.
    pub archive: Archive,
    /// How the run ended, as far as the peer says.
    pub outcome: Outcome,
    /// Where the answer goes.
    pub reply: ReplyTo,
}

/// The result is in its place on disk.
#[derive(Debug, Serialize)]
pub struct ResultKept {
    /// Of which task.
    pub task: TaskId,
    /// Of which try.
    pub attempt: Attempt,
    /// Its file, below `results/`.
    pub file: String,
}

/// The result is no sound ZIP, or the disk would not take it.
#[derive(Debug, Serialize)]
pub struct ResultRefused {
    /// Of which task.
    pub task: TaskId,
    /// Of which try.
    pub attempt: Attempt,
    /// Whether our disk is to blame, and not the ZIP.
    pub by_disk: bool,
    /// In words for a reader.
    pub why: String,
}

/// A peer is here, or is here again; told once for each life, and again when it registers anew.
#[derive(Debug, Clone, Serialize)]
pub struct PeerJoined {
    /// Who and which life.
    pub endpoint: Endpoint,
    /// The tries that a peer of ours holds; none from others, who do not say.
    pub holds: Option<Vec<(TaskId, Attempt)>>,
    /// Tasks that it runs at a time; none: it is about to leave.
    pub slots: u32,
    /// Its newest connection.
    pub session: SessionId,
    /// Orders to it go there.
    pub orders: Port<SessionInbox>,
}

/// A peer is gone: said goodbye, fell silent, or started a new life.
#[derive(Debug, Clone, Serialize)]
pub struct PeerLeft {
    /// Who and which life.
    pub endpoint: Endpoint,
    /// Whether it went on purpose: then its unfinished tries do not count against their tasks.
    pub planned: bool,
    /// In words for a reader.
    pub why: String,
}

/// A connection ended; what it waits for need not be answered.
#[derive(Debug, Serialize)]
pub struct SessionClosed {
    /// Which.
    pub session: SessionId,
}

/// Somebody wants to know how the queue stands.
#[derive(Debug, Serialize)]
pub struct DescribeQueue {
    /// Who asks.
    pub reply: ReplyTo,
}

/// Somebody wants to know about one task.
#[derive(Debug, Serialize)]
pub struct DescribeTask {
    /// Which.
    pub task: TaskChoice,
    /// Whether it is to be told in full: its tries, its conflicts, and why it waits, runs or failed.
    pub why: bool,
    /// Who asks.
    pub reply: ReplyTo,
}

/// Somebody wants a task stopped for good.
#[derive(Debug, Serialize)]
pub struct CancelTask {
    /// Which.
    pub task: TaskId,
    /// In words for a reader.
    pub why: String,
    /// Who asks.
    pub reply: ReplyTo,
}

/// Somebody wants to know how many tasks stand, the newest first.
#[derive(Debug, Serialize)]
pub struct ListTasks {
    /// Which.
    pub sought: Sought,
    /// Those that came before this one, if it is said: the last of the page before.
    pub before: Option<TaskId>,
    /// So many; never more than [`LIST_ROWS_MAX`](crate::wire::report::LIST_ROWS_MAX).
    pub limit: usize,
    /// Who asks.
    pub reply: ReplyTo,
}

/// Somebody wants to know how the groups stand, the one with the newest part first.
#[derive(Debug, Serialize)]
pub struct ListGroups {
    /// Those behind this one, if it is said: the last of the page before.
    pub before: Option<String>,
    /// So many; never more than [`LIST_ROWS_MAX`](crate::wire::report::LIST_ROWS_MAX).
    pub limit: usize,
    /// Who asks.
    pub reply: ReplyTo,
}

/// Somebody wants to know how the parts of a group stand.
#[derive(Debug, Serialize)]
pub struct DescribeGroup {
    /// Its name, or `last`.
    pub group: String,
    /// Whether it is to be told in full: why its parts wait, run or failed.
    pub why: bool,
    /// Who asks.
    pub reply: ReplyTo,
}

/// Cancel all of a group that is open.
#[derive(Debug, Serialize)]
pub struct CancelGroup {
    /// Its name, or `last`.
    pub group: String,
    /// In words for a reader.
    pub why: String,
    /// Who asks.
    pub reply: ReplyTo,
}

/// Somebody wants many tasks cancelled: those that are sought and open, some at a time.
#[derive(Debug, Serialize)]
pub struct CancelSome {
    /// Which.
    pub sought: Sought,
    /// Of which.
    pub meant: Meant,
    /// In words for a reader.
    pub why: String,
    /// Who asks.
    pub reply: ReplyTo,
}

/// Somebody wants a task tried again that failed or was cancelled, and what was cancelled with it.
#[derive(Debug, Serialize)]
pub struct RetryTask {
    /// Which.
    pub task: TaskId,
    /// Who asks.
    pub reply: ReplyTo,
}

/// Somebody wants all of a group tried again that failed or was cancelled.
#[derive(Debug, Serialize)]
pub struct RetryGroup {
    /// Its name, or `last`.
    pub group: String,
    /// Only what stands so, if something is said.
    pub states: Vec<TaskState>,
    /// Who asks.
    pub reply: ReplyTo,
}

/// Somebody wants many tasks tried again: those that are sought and failed or were cancelled, some at a time.
#[derive(Debug, Serialize)]
pub struct RetrySome {
    /// Which.
    pub sought: Sought,
    /// Of which.
    pub meant: Meant,
    /// Who asks.
    pub reply: ReplyTo,
}

/// What was asked for is written down, and can be handed out.
#[derive(Debug, Serialize)]
pub struct TasksRetried {
    /// What was asked for.
    pub retry: Retry,
    /// These are open again.
    pub open: Vec<TaskId>,
    /// These stay as they are.
    pub left: Vec<TaskId>,
    /// Why, in words for a reader, if some do.
    pub why: Option<String>,
    /// Who asks.
    pub reply: ReplyTo,
}

/// What somebody wants tried again.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Retry {
    /// This task.
    Task(TaskId),
    /// This group.
    Group(Arc<str>),
    /// Some of many.
    Some {
        /// How many of those that were named it is not.
        left: u64,
        /// The seat at which the look at the others goes on.
        next: Option<u32>,
    },
}

/// Somebody wants a peer to be given nothing more, or wants that no longer.
#[derive(Debug, Serialize)]
pub struct DrainPeer {
    /// Which, in any life of it.
    pub peer: PeerId,
    /// Whether it is to be given nothing.
    pub is_drained: bool,
    /// Who asks.
    pub reply: ReplyTo,
}

/// Somebody reads what a task prints: tell how it stands whenever that changes, and have its peer tell what it prints. For
/// a short while, unless it is said again.
#[derive(Debug, Serialize)]
pub struct FollowTask {
    /// Which.
    pub task: TaskId,
    /// The try that is known, and how much of it; nothing: how the task stands is to be told in any case.
    pub known: Option<(Attempt, Option<Both<u64>>)>,
    /// Who is told.
    pub listener: Port<OutputsInbox>,
}

/// The registry was asked who is here: add what they have done, and answer.
#[derive(Debug, Serialize)]
pub struct TallyPeers {
    /// Everybody, as far as the registry knows.
    pub peers: Vec<(Endpoint, PeerRow)>,
    /// Who asks.
    pub reply: ReplyTo,
}

/// The program is to end: hand nothing out any more, and let what runs come in.
#[derive(Debug, Serialize)]
pub struct CloseQueue {}
