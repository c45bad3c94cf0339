//! What a master answers, and the orders that it pushes to a peer of ours.
//!
//! Rule: reading is generous, for every group says "nothing now" and "that went wrong" in its own way; writing toward a
//! speaker without extensions gives exactly the bytes of the protocol's fixed part.

mod encode;
mod parse;

use std::borrow::Cow;

use uuid::Uuid;

use super::dialect::Dialect;
use super::payload::Payload;
use super::report::TaskReport;
use crate::model::{Attempt, Both, Digest, TaskId};

pub use encode::{encode_reply, pack_reply};
pub use parse::parse_reply;
pub(super) use parse::read_reply;

/// The [`Reply::Error`] code of a master that does not know what it was asked.
pub const UNKNOWN_ACTION: &str = "unknown_action";

/// A reply together with how it was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard<'a> {
    /// The dialect of the message, as far as it shows.
    pub dialect: Dialect,
    /// Ours: the request that it answers.
    pub id: Option<u64>,
    /// What is said.
    pub reply: Reply<'a>,
}

/// Everything that a master may say over TCP, and a peer's own port too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply<'a> {
    /// `REGISTERED`.
    Registered {
        /// What a master of ours adds, toward a peer of ours.
        ours: Option<Welcome<'a>>,
    },
    /// `ALIVE`, to a heartbeat.
    Alive,
    /// Nothing to do now, in any of the words for it.
    NoTask,
    /// `TASK_PACKAGE`: a task to run.
    TaskPackage {
        /// Its name; a foreign master's may be anything, so it is never a path as it stands.
        task_name: Cow<'a, str>,
        /// Its ZIP.
        task_data: Payload<'a>,
        /// What a master of ours adds.
        ours: Option<Lease>,
    },
    /// `OK`: a result was taken, or an order was.
    Ok,
    /// Something went wrong, in any of the shapes for it.
    Error {
        /// For readers.
        message: Cow<'a, str>,
        /// For machines: a short word. Toward strangers it is left out.
        code: Option<Cow<'a, str>>,
    },
    /// To `LIST_PEERS`: their ids.
    Peers(Vec<Cow<'a, str>>),
    /// To `GET_PEER_INFO`.
    PeerInfo {
        /// Who.
        peer_id: Cow<'a, str>,
        /// Where.
        peer_ip: Cow<'a, str>,
        /// On which TCP port.
        peer_port: u16,
    },
    /// `LEFT`, to `LEAVE`.
    Left,
    /// `REPORT`, to `STATUS` and `PEERS`: the JSON text of one of the structs in [`report`](super::report), or of a list
    /// of them. What is given to be written must be JSON; [`Reply::report`] makes it.
    Report(Cow<'a, str>),
    /// `ACCEPTED`, to `SUBMIT_TASK`: the master is bound to it from here on.
    Accepted {
        /// The id that it was given.
        task_id: TaskId,
        /// The name that it was given.
        task_name: Cow<'a, str>,
    },
    /// `GROUP_OPEN`, to `OPEN_GROUP`.
    GroupOpen {
        /// The name that it was given, and that of its folder below `results/`.
        group: Cow<'a, str>,
    },
    /// `TASK_STATE`, to `TASK_STATUS`.
    TaskState(TaskReport),
    /// `RESULT_PACKAGE`, to `FETCH_RESULT`.
    ResultPackage {
        /// The name of its file in `results/`.
        result_name: Cow<'a, str>,
        /// Its ZIP.
        result_data: Payload<'a>,
        /// The ZIP's digest.
        sha256: Digest,
    },
    /// `CANCEL_ATTEMPT`, pushed to a peer of ours between replies: stop that run.
    CancelAttempt {
        /// Of which task.
        task_id: TaskId,
        /// Which try.
        attempt: Attempt,
    },
    /// `FOLLOW_OUTPUT`, pushed likewise: tell what that run prints.
    FollowOutput {
        /// Of which task.
        task_id: TaskId,
        /// Which try.
        attempt: Attempt,
        /// For so many milliseconds, unless it is said again.
        follow_ms: u32,
        /// From this many bytes of each stream on; else from a little before their ends.
        from: Option<Both<u64>>,
    },
    /// Anything else.
    Unknown {
        /// What it calls itself.
        word: Cow<'a, str>,
    },
}

/// What a master of ours adds to REGISTERED.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Welcome<'a> {
    /// The protocol version that both use from here on.
    pub protocol: u32,
    /// Which master.
    pub master_id: Uuid,
    /// Which reign of it: grows with each start, so that an old master is told from its successor.
    pub epoch: u64,
    /// How often it wants to hear a heartbeat, in seconds.
    pub heartbeat_s: u32,
    /// The extensions that it can use.
    pub capabilities: Vec<Cow<'a, str>>,
}

/// What a master of ours adds to TASK_PACKAGE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// Which task.
    pub task_id: TaskId,
    /// Which try of it.
    pub attempt: Attempt,
    /// The ZIP's digest.
    pub sha256: Digest,
    /// The script is killed after so many milliseconds.
    pub time_limit_ms: Option<u64>,
    /// How many packages still follow for the same request.
    pub more: u32,
}

impl Reply<'_> {
    /// A [`Reply::Report`] of this value.
    pub fn report(value: &impl serde::Serialize) -> Reply<'static> {
        let mut json = Vec::new();
        super::json::write_json(value, &mut json);
        Reply::Report(String::from_utf8_lossy(&json).into_owned().into())
    }
}

#[cfg(test)]
mod tests;
