//! What must outlive the process: each change of the ledger, in the order in which it happened.
//!
//! Rule: whoever is told something that a record makes true is told it after the record was committed. Read back in
//! the same order, the records give the tasks as they were.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::fault::Fault;
use super::ledger::{Counts, Submitted, Tried};
use super::rare::{Rare, Untold};
use crate::model::{Attempt, Digest, Endpoint, FileName, PeerId, Stamp, Task, TaskId, TaskName};

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    /// A task is open; said again when its ZIP lies elsewhere.
    Adopted {
        /// The task.
        task: Arc<Task>,
        /// Where its ZIP lies in `tasks/`, or will.
        lies: Place,
    },
    /// A try was handed out.
    Leased {
        /// Of which task.
        task: TaskId,
        /// Which.
        attempt: Attempt,
        /// The name under which it was handed out.
        name: TaskName,
        /// To whom.
        holder: Endpoint,
    },
    /// A peer that was given up is back, or came back in another life, and goes on with a try.
    TakenUp {
        /// Of which task.
        task: TaskId,
        /// Which.
        attempt: Attempt,
        /// Who has it now.
        holder: Endpoint,
    },
    /// A try ended without a result that counts; if it was the one that was leased, the task waits again.
    TryEnded {
        /// Of which task.
        task: TaskId,
        /// Which.
        attempt: Attempt,
        /// Why.
        fault: Fault,
    },
    /// The task is terminal.
    Ended {
        /// Which.
        task: TaskId,
        /// How.
        fate: Fate,
    },
    /// The result of a done task was damaged on the disk before it lay where it belongs: the task is open again.
    Reopened {
        /// Which.
        task: TaskId,
    },
    /// A task that had failed or was cancelled is to be tried again: it is open, and what went wrong with its tries counts no
    /// more. Where its ZIP lies is said again.
    Retried {
        /// Which.
        task: TaskId,
    },
    /// The files of a terminal task lie where they belong.
    Settled {
        /// Which.
        task: TaskId,
        /// Where its last output lies below `results/`, if it has one.
        file: Option<String>,
    },
    /// Somebody wants a peer to be given nothing more, or wants that no longer.
    Drained {
        /// Which peer, in any life of it.
        peer: PeerId,
        /// Whether it is to be given nothing.
        is_drained: bool,
    },
    /// A result came that is not the one that was taken (promise R3).
    Conflict {
        /// Of which task.
        task: TaskId,
        /// Of which try.
        attempt: Attempt,
        /// From whom.
        peer: PeerId,
        /// SHA-256 of its bytes.
        sha256: Digest,
    },
}

/// Where a task's ZIP lies, and how it looked when it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The file's name in `tasks/`, byte for byte.
    pub file: FileName,
    /// Its stamp.
    pub stamp: Stamp,
}

/// How a task stands, as far as it outlives the process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It waits.
    Queued,
    /// A peer has it: its newest try, unless another was taken up.
    Leased(Attempt),
    /// It has its result.
    Done {
        /// What was handed in.
        submitted: Submitted,
        /// Where it lies, or will, below `results/`.
        file: String,
    },
    /// It failed as often as it may.
    Failed {
        /// The last reason, in words for a reader.
        why: String,
        /// What the last try handed in, and where it lies, or will, below `results/`.
        output: Option<(Submitted, String)>,
    },
    /// It was taken back.
    Cancelled {
        /// In words for a reader.
        why: String,
    },
}

impl Fate {
    /// Whether nothing changes it any more.
    pub fn is_terminal(&self) -> bool {
        !matches!(self, Self::Queued | Self::Leased(_))
    }
}

/// What is known of earlier lives.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Past {
    /// All tasks that are open, or whose files are not where they belong, and the newest of the others; in the order
    /// of their arrival.
    pub tasks: Vec<Remembered>,
    /// The parts of these tasks' groups that are terminal and not among them.
    pub older_parts: Vec<OlderParts>,
    /// How many tasks stood how in the end, of all that there ever were.
    pub counts: Counts,
    /// Peers that are to be given nothing.
    pub drained: Vec<PeerId>,
    /// Whether nothing that was written down is missing here.
    pub is_whole: bool,
}

/// Parts of a group that ended so long ago that no more of them is remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OlderParts {
    /// The group.
    pub group: Arc<str>,
    /// How many ended how.
    pub counts: Counts,
    /// How many parts the group has.
    pub parts: u32,
    /// Their tasks by their numbers, of each the newest.
    pub tasks: Vec<(u32, TaskId)>,
}

/// A task as the records give it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// The task.
    pub task: Arc<Task>,
    /// What became of it; nothing is remembered of one that waits for its first try.
    pub course: Rare<Course>,
    /// Where its ZIP lay when it was adopted.
    pub lies: Place,
    /// Whether its files lie where they belong, once it is terminal.
    pub settled: bool,
    /// When its newest try began, in milliseconds since 1970 by the clock on the wall; for readers alone.
    pub began_at: Option<i64>,
    /// When it ended, in the same way.
    pub ended_at: Option<i64>,
}

impl Remembered {
    /// A task that was never handed out.
    pub fn untried(task: Arc<Task>, lies: Place) -> Self {
        Self {
            task,
            course: Rare::default(),
            lies,
            settled: false,
            began_at: None,
            ended_at: None,
        }
    }
}

/// What became of a task, as the records tell it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Course {
    /// How it stands.
    pub fate: Fate,
    /// The newest tries that were handed out, oldest first.
    pub tries: Vec<Tried>,
    /// Results that came and are not the one that was taken.
    pub conflicts: Vec<Conflict>,
}

impl Untold for Course {
    fn untold() -> &'static Self {
        static UNTOLD: Course = Course {
            fate: Fate::Queued,
            tries: Vec::new(),
            conflicts: Vec::new(),
        };
        &UNTOLD
    }
}

/// A result that came and is not the one that was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    /// Of which try.
    pub attempt: Attempt,
    /// From whom.
    pub peer: PeerId,
    /// SHA-256 of its bytes.
    pub sha256: Digest,
}
