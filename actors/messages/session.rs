//! What a session hears: one connection, on the master or on a peer's own port.

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::OutputsInbox;
use crate::logic::effect::{Offer, Verdict};
use crate::logic::outputs::News;
use crate::model::{Archive, Attempt, Both, RequestId, TaskId, TaskName};
use crate::port::Port;
use crate::wire::report::{
    DrainReport, GatheredReport, GroupReport, PeerReport, PeerRow, QueueReport, SweepReport,
    TaskReport,
};

inbox! {
    /// What a session hears.
    SessionInbox with SessionEars hears {
        PeerWelcomed,
        RequestRefused,
        PredecessorUnknown,
        TaskOffered,
        NothingWaits,
        PayloadLoaded,
        ResultAnswered,
        AttemptCancelled,
        FollowOutput,
        OutputTold,
        HangUp,
        PeersListed,
        PeerDescribed,
        PeerDrained,
        QueueDescribed,
        TaskDescribed,
        TasksListed,
        TasksSwept,
        GroupsListed,
        GroupDescribed,
        TaskAccepted,
        GroupOpened,
        GatheredDescribed,
        GatheredFound,
        PeerReported,
    }
}

/// The registry has the peer.
#[derive(Debug, Serialize)]
pub struct PeerWelcomed {
    /// Answers this.
    pub request: RequestId,
}

/// The request cannot be done; nothing has changed.
#[derive(Debug, Serialize)]
pub struct RequestRefused {
    /// Answers this.
    pub request: RequestId,
    /// In words for a reader.
    pub why: String,
}

/// A task that is to be submitted cannot wait for this one, for nobody knows it; nothing has changed.
#[derive(Debug, Serialize)]
pub struct PredecessorUnknown {
    /// Answers this.
    pub request: RequestId,
    /// For which one.
    pub after: TaskId,
}

/// The peer gets this task; as many letters for the same request follow as the offer says.
#[derive(Debug, Serialize)]
pub struct TaskOffered {
    /// Answers this.
    pub request: RequestId,
    /// Which task, which try, under which name.
    pub offer: Offer,
}

/// There is no task for this peer now.
#[derive(Debug, Serialize)]
pub struct NothingWaits {
    /// Answers this.
    pub request: RequestId,
}

/// The ZIP that was asked for.
#[derive(Debug, Serialize)]
pub struct PayloadLoaded {
    /// Answers this.
    pub request: RequestId,
    /// The file's name: of a result, where it lies below `results/`.
    pub name: String,
    /// The ZIP.
    pub archive: Archive,
}

/// What became of a result that was handed in.
#[derive(Debug, Serialize)]
pub struct ResultAnswered {
    /// Answers this.
    pub request: RequestId,
    /// What became of it.
    pub verdict: Verdict,
}

/// A try that this peer runs is no longer wanted.
#[derive(Debug, Serialize)]
pub struct AttemptCancelled {
    /// Which task.
    pub task: TaskId,
    /// Which try.
    pub attempt: Attempt,
}

/// What a try prints that this peer runs is to be told, for a while.
#[derive(Debug, Serialize)]
pub struct FollowOutput {
    /// Of which task.
    pub task: TaskId,
    /// Which try.
    pub attempt: Attempt,
    /// From there on; nothing: from a little before the end of what is there.
    pub from: Option<Both<u64>>,
    /// For how long.
    pub lasting: Duration,
    /// Who is told.
    pub listener: Port<OutputsInbox>,
}

/// What a task has printed since.
#[derive(Debug, Serialize)]
pub struct OutputTold {
    /// Answers this.
    pub request: RequestId,
    /// What, and how it stands.
    pub news: News,
}

/// The peer of ours on this connection was given up; if it lives, it is to introduce itself anew.
#[derive(Debug, Serialize)]
pub struct HangUp {}

/// Who is here.
#[derive(Debug, Serialize)]
pub struct PeersListed {
    /// Answers this.
    pub request: RequestId,
    /// Everybody, by `peer_id`.
    pub peers: Vec<PeerRow>,
}

/// What is known of one peer.
#[derive(Debug, Serialize)]
pub struct PeerDescribed {
    /// Answers this.
    pub request: RequestId,
    /// None if it is not here.
    pub peer: Option<PeerRow>,
}

/// It is written down whether a peer is given anything.
#[derive(Debug, Serialize)]
pub struct PeerDrained {
    /// Answers this.
    pub request: RequestId,
    /// How it stands.
    pub report: DrainReport,
}

/// How the queue stands.
#[derive(Debug, Serialize)]
pub struct QueueDescribed {
    /// Answers this.
    pub request: RequestId,
    /// The counts and what runs; the session adds who we are.
    pub queue: QueueReport,
}

/// How one task stands.
#[derive(Debug, Serialize)]
pub struct TaskDescribed {
    /// Answers this.
    pub request: RequestId,
    /// None if the task is not known.
    pub report: Option<TaskReport>,
}

/// Some of many tasks are cancelled, or open again, and that is written down.
#[derive(Debug, Serialize)]
pub struct TasksSwept {
    /// Answers this.
    pub request: RequestId,
    /// How many, and where it goes on.
    pub report: SweepReport,
}

/// How many tasks stand.
#[derive(Debug, Serialize)]
pub struct TasksListed {
    /// Answers this.
    pub request: RequestId,
    /// The newest first.
    pub tasks: Vec<TaskReport>,
}

/// How groups stand.
#[derive(Debug, Serialize)]
pub struct GroupsListed {
    /// Answers this.
    pub request: RequestId,
    /// The one with the newest part first.
    pub groups: Vec<GroupReport>,
}

/// How the parts of a group stand.
#[derive(Debug, Serialize)]
pub struct GroupDescribed {
    /// Answers this.
    pub request: RequestId,
    /// None if the group is not known.
    pub report: Option<GroupReport>,
}

/// The task lies in `tasks/` and is queued.
#[derive(Debug, Serialize)]
pub struct TaskAccepted {
    /// Answers this.
    pub request: RequestId,
    /// Its id.
    pub task: TaskId,
    /// Its name in `tasks/`.
    pub name: TaskName,
}

/// How far what a group made is put together.
#[derive(Debug, Serialize)]
pub struct GatheredDescribed {
    /// Answers this.
    pub request: RequestId,
    /// How far.
    pub report: GatheredReport,
}

/// Where a file of what a group made lies.
#[derive(Debug, Serialize)]
pub struct GatheredFound {
    /// Answers this.
    pub request: RequestId,
    /// The file; none when the group has none of this name.
    pub path: Option<PathBuf>,
}

/// The group has its name and its folder.
#[derive(Debug, Serialize)]
pub struct GroupOpened {
    /// Answers this.
    pub request: RequestId,
    /// Its name.
    pub group: String,
}

/// What this peer is doing.
#[derive(Debug, Serialize)]
pub struct PeerReported {
    /// Answers this.
    pub request: RequestId,
    /// The report.
    pub report: PeerReport,
}
