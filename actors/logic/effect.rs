//! What the scheduling mind answers with: each is one letter, or a reply to a request.

use std::time::Duration;

use serde::Serialize;

use super::health::Quarantine;
use crate::model::{Attempt, Digest, Endpoint, PeerId, RequestId, SessionId, TaskId, TaskName};

/// One request of one connection: who waits for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Asker {
    /// The connection.
    pub session: SessionId,
    /// Its request.
    pub request: RequestId,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Give the asker this task; as many more for the same asker follow as it says.
    Offer(Asker, Offer),
    /// Tell the asker that nothing waits.
    Nothing(Asker),
    /// Tell the asker what became of its result.
    Answer(Asker, Verdict),
    /// Look the result over that was just submitted, and put it in its place.
    Keep {
        /// Of which task.
        task: TaskId,
        /// The task's own name.
        name: TaskName,
        /// Of which try.
        attempt: Attempt,
        /// Whether it is a success.
        success: bool,
    },
    /// Put the result that was just submitted, and that nobody will use, where a person may look at it; from whom,
    /// and why.
    SetAside(PeerId, String),
    /// The task is terminal.
    End(TaskId, TaskName, End),
    /// Tell a peer of ours that this try is no longer wanted.
    Cancel(Endpoint, TaskId, Attempt),
    /// This peer is sick: it gets nothing for so long.
    Quarantine(Endpoint, Quarantine),
}

impl Effect {
    /// Whether whoever hears of it may rely on what was decided before: then that is to be written down first.
    pub fn is_promise(&self) -> bool {
        let is_refusal = |verdict: &Verdict| {
            let refused = matches!(verdict, Verdict::Unmatched(_) | Verdict::NotStored(_));
            refused || matches!(verdict, Verdict::Refused(_))
        };
        match self {
            Self::Answer(_, verdict) => !is_refusal(verdict),
            Self::Keep { .. } | Self::SetAside(..) => false,
            _ => true,
        }
    }
}

/// What a peer is told about a task beside its ZIP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Offer {
    /// Which task.
    pub task: TaskId,
    /// Which try.
    pub attempt: Attempt,
    /// Unique among the open tries, so that a peer which echoes it names its try.
    pub name: TaskName,
    /// SHA-256 of the ZIP.
    pub sha256: Digest,
    /// The script is killed after this long.
    pub time_limit: Option<Duration>,
    /// How many offers still follow for the same request.
    pub more: u32,
}

/// What became of a result that was handed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is the task's result, or the report of a failed try; it is safe here.
    Taken,
    /// The same bytes were taken before.
    TakenBefore,
    /// The task is terminal or has another result; this one is counted, not used.
    TooLate,
    /// It belongs to no try that is known; in words for a reader.
    Unmatched(String),
    /// It is no sound ZIP; in words for a reader.
    Refused(String),
    /// It cannot be taken now, for our disk does not take it or another result is just being kept: it is to be handed
    /// in again later; in words for a reader.
    NotStored(String),
}

/// How a task is terminal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// Its result is kept.
    Done,
    /// It failed as often as it may; with the last reason.
    Failed(String),
    /// It was taken back; with the reason.
    Cancelled(String),
}
