//! What the master's folders hear: what lies on disk.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use serde::Serialize;

use super::{ReplyTo, Retry, StoreChanged, WrittenDown, counted};
use crate::logic::effect::End;
use crate::model::{Archive, Attempt, Digest, Part, PeerId, Task, TaskId, TaskName, Wishes};

inbox! {
    /// What the folders hear.
    FoldersInbox with FoldersEars hears {
        AdoptTask,
        OpenGroup,
        DescribeGathered,
        FindGathered,
        LoadTask,
        LoadResult,
        KeepResult,
        SetAside,
        TaskEnded,
        RetryTasks,
        GroupReopened,
        WrittenDown,
        StoreChanged,
    }
}

/// A task came over the wire: put it into `tasks/` like any other.
#[derive(Debug, Serialize)]
pub struct AdoptTask {
    /// The name that the submitter gave it.
    pub name: TaskName,
    /// Its ZIP, not yet looked at.
    pub archive: Archive,
    /// The group that it belongs to; none: the submitter's address.
    pub group: Arc<str>,
    /// What the submitter asks for beyond `task.toml`.
    pub wishes: Wishes,
    /// Which part of its group it is, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
    /// Where the answer goes.
    pub reply: ReplyTo,
}

/// Somebody wants to know how far what a group made is put together.
#[derive(Debug, Serialize)]
pub struct DescribeGathered {
    /// Its name.
    pub group: String,
    /// Where the answer goes.
    pub reply: ReplyTo,
}

/// Somebody wants to read a file of what a group made.
#[derive(Debug, Serialize)]
pub struct FindGathered {
    /// The group's name.
    pub group: String,
    /// Which file: `merged.csv` and its like.
    pub file: String,
    /// Where the answer goes.
    pub reply: ReplyTo,
}

/// Make the folder of a new group of tasks, under a name that no other has.
#[derive(Debug, Serialize)]
pub struct OpenGroup {
    /// What its name is to begin with.
    pub name: TaskName,
    /// Where the answer goes.
    pub reply: ReplyTo,
}

/// A session needs a task's ZIP.
#[derive(Debug, Serialize)]
pub struct LoadTask {
    /// Which.
    pub task: TaskId,
    /// Where it goes.
    pub reply: ReplyTo,
}

/// A session needs a result's ZIP.
#[derive(Debug, Serialize)]
pub struct LoadResult {
    /// Of which task.
    pub task: TaskId,
    /// At which address it is read: those at one share what may be in memory for them.
    pub reader: IpAddr,
    /// Where it goes.
    pub reply: ReplyTo,
}

/// Look the result over and put it into `results/`, or into `results/failed/`.
#[derive(Debug, Serialize)]
pub struct KeepResult {
    /// Of which task.
    pub task: TaskId,
    /// The task's own name: the file is named after it.
    pub name: TaskName,
    /// Of which try.
    pub attempt: Attempt,
    /// Whether it is the task's success or the last output of its failure.
    pub success: bool,
    /// The result ZIP as it was sent.
    pub archive: Archive,
}

/// A result that nobody will use: put it where a person may look at it.
#[derive(Debug, Serialize)]
pub struct SetAside {
    /// From whom.
    pub peer: PeerId,
    /// Why nobody will, in words for a reader.
    pub why: String,
    /// The result ZIP as it was sent.
    pub archive: Archive,
}

/// A task is terminal: its ZIP leaves `tasks/`.
#[derive(Debug, Clone, Serialize)]
pub struct TaskEnded {
    /// Which.
    pub task: TaskId,
    /// Its own name.
    pub name: TaskName,
    /// How.
    pub end: End,
    /// More, if it is a part of its group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<Box<EndedPart>>,
}

/// A part of a group has ended: what is needed to put the group together.
#[derive(Debug, Clone, Serialize)]
pub struct EndedPart {
    /// The group.
    pub group: Arc<str>,
    /// Which part of it.
    pub part: Part,
    /// SHA-256 of its ZIP.
    pub sha256: Digest,
    /// Length of its ZIP in bytes.
    pub size: u32,
    /// Who ran it last, if anybody did.
    pub peer: Option<PeerId>,
    /// How often it was tried.
    pub attempts: u32,
}

/// Bring the ZIPs of terminal tasks back, and have it written down that these are to be tried again.
#[derive(Debug, Serialize)]
pub struct RetryTasks {
    /// What was asked for.
    pub retry: Retry,
    /// Those that it comes to.
    #[serde(serialize_with = "counted")]
    pub tasks: Vec<Arc<Task>>,
    /// Who asks.
    pub reply: ReplyTo,
}

/// Parts of a group that had ended are open again: what was put together is to be made anew.
#[derive(Debug, Serialize)]
pub struct GroupReopened {
    /// The group.
    pub group: Arc<str>,
    /// How many parts it has.
    pub parts: u32,
    /// The numbers of those that are open.
    #[serde(serialize_with = "counted")]
    pub open: BTreeSet<u32>,
    /// Those that have ended, as far as they are remembered.
    #[serde(serialize_with = "counted")]
    pub ended: Vec<TaskEnded>,
}
