//! What a peer or the command line asks, over TCP.
//!
//! Rule: one value a message, borrowed from its bytes. An extension is taken only when the fields that name it have our
//! shape; a stranger's field of the same name is an unknown field, and ignored.

mod encode;
mod parse;

use std::borrow::Cow;
use std::num::NonZeroU32;

use super::dialect::Dialect;
use super::payload::Payload;
use super::report::{Sought, TaskState};
use crate::model::{Attempt, BootId, Digest, Outcome, Part, PeerId, Stream, TaskChoice, TaskId};

pub use encode::{encode_request, pack_request};
pub(super) use parse::read_request;
pub use parse::{REASON_MAX, parse_request};

/// A request together with how it was said, which is how it is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spoken<'a> {
    /// The dialect of the message.
    pub dialect: Dialect,
    /// Ours: comes back on the reply, so that several requests can be in flight.
    pub id: Option<u64>,
    /// What is asked.
    pub request: Request<'a>,
}

/// Everything that may be asked of a master, or of a peer's own port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request<'a> {
    /// `REGISTER`: a peer makes itself known.
    Register {
        /// Who.
        peer_id: PeerId,
        /// Where it listens, as far as it says.
        address: Option<Address<'a>>,
        /// What a peer of ours adds.
        ours: Option<PeerOffer<'a>>,
    },
    /// `HEARTBEAT`: a peer lives.
    Heartbeat {
        /// Who.
        peer_id: PeerId,
    },
    /// `REQUEST_TASK`: a peer wants work.
    RequestTask {
        /// Who.
        peer_id: PeerId,
        /// Ours: how long the master may wait for a task before it answers "nothing now".
        wait_ms: Option<u32>,
        /// Ours: the task is to be held until a slot is free, so it is given only while there is enough for all.
        spare: bool,
        /// Ours: how many tasks the peer takes at once; one if it does not say.
        count: Option<u32>,
    },
    /// `SUBMIT_RESULT`: a peer hands in what a run left.
    SubmitResult {
        /// Who.
        peer_id: PeerId,
        /// What the peer calls the result; it does not identify the task.
        result_name: Option<Cow<'a, str>>,
        /// The result's ZIP.
        result_data: Payload<'a>,
        /// Ours: which task.
        task_id: Option<TaskId>,
        /// Ours: which try of it.
        attempt: Option<Attempt>,
        /// Ours: the ZIP's digest.
        sha256: Option<Digest>,
        /// Ours: how the run ended; its duration travels in whole milliseconds.
        outcome: Option<Outcome>,
    },
    /// `OUTPUT`, ours: some of what a try that runs has printed.
    Output {
        /// Who.
        peer_id: PeerId,
        /// Of which task.
        task_id: TaskId,
        /// Which try.
        attempt: Attempt,
        /// On which stream.
        stream: Stream,
        /// How many bytes it had printed there before.
        offset: u64,
        /// What it printed then.
        printed: Payload<'a>,
    },
    /// `LIST_PEERS`, of the super-peer dialect.
    ListPeers,
    /// `GET_PEER_INFO`, of the super-peer dialect.
    GetPeerInfo {
        /// About whom.
        target_peer_id: PeerId,
    },
    /// `LEAVE`, ours: a peer says goodbye.
    Leave {
        /// Who.
        peer_id: PeerId,
    },
    /// `STATUS`, control: what goes on here.
    Status,
    /// `PEERS`, control: who is in the cluster.
    Peers,
    /// `SUBMIT_TASK`, control: one more task.
    SubmitTask {
        /// The name of its file.
        task_name: Cow<'a, str>,
        /// Its ZIP.
        task_data: Payload<'a>,
        /// The ZIP's digest.
        sha256: Option<Digest>,
        /// The group of tasks that it belongs to.
        group: Option<Cow<'a, str>>,
        /// Higher goes first under the `priority` policy.
        priority: Option<i32>,
        /// The script is killed after so many seconds.
        time_limit_s: Option<u32>,
        /// How often a failed run is tried again.
        retries: Option<u32>,
        /// When more tasks of its group than this have failed, it is cancelled.
        max_fails: Option<u32>,
        /// Which part of its group it is: `part`, from 0, of `parts`.
        part: Option<Part>,
        /// It waits until this task is done.
        after: Option<TaskId>,
        /// It is leased only while fewer tasks of its group are that say so.
        max_running: Option<NonZeroU32>,
    },
    /// `OPEN_GROUP`, control: a new group, with a name of its own and a folder for its results.
    OpenGroup {
        /// What its name is to begin with.
        name: Cow<'a, str>,
    },
    /// `LIST_TASKS`, control: how many tasks stand, the newest first.
    ListTasks {
        /// Which: by `states`, `group`, and `single`.
        sought: Sought,
        /// Those that came before this one.
        before: Option<TaskId>,
        /// So many at most.
        limit: Option<u32>,
    },
    /// `LIST_GROUPS`, control: how the groups stand, the one with the newest part first.
    ListGroups {
        /// Those behind this `group`.
        before: Option<Cow<'a, str>>,
        /// So many at most.
        limit: Option<u32>,
    },
    /// `GROUP_STATUS`, control: how the parts of a group stand.
    GroupStatus {
        /// Its name, or `last`.
        group: Cow<'a, str>,
        /// Whether it is to be told in full.
        why: bool,
    },
    /// `GROUP_GATHERED`, control: how far what its parts made is put together.
    GroupGathered {
        /// Its name.
        group: Cow<'a, str>,
    },
    /// `CANCEL_GROUP`, control: all of it that is open.
    CancelGroup {
        /// Its name, or `last`.
        group: Cow<'a, str>,
        /// Why, in words for readers.
        reason: Option<Cow<'a, str>>,
    },
    /// `CANCEL_TASKS`, control: some of those that are sought and open.
    CancelTasks {
        /// Which: by `states`, `group`, and `single`.
        sought: Sought,
        /// Why, in words for readers.
        reason: Option<Cow<'a, str>>,
        /// Where the request before ended; 0 to begin with.
        from: u32,
    },
    /// `DRAIN_PEER`, control: give it nothing more.
    DrainPeer {
        /// Which, in any life of it.
        peer_id: PeerId,
        /// Whether that is undone.
        undo: bool,
    },
    /// `RETRY_TASK`, control: try it again.
    RetryTask {
        /// Which task.
        task_id: TaskId,
    },
    /// `RETRY_GROUP`, control: try all of it again that failed or was cancelled.
    RetryGroup {
        /// Its name, or `last`.
        group: Cow<'a, str>,
        /// Only what stands so, if something is said.
        states: Vec<TaskState>,
    },
    /// `RETRY_TASKS`, control: try some of those again that are sought and failed or were cancelled.
    RetryTasks {
        /// Which: by `states`, `group`, and `single`.
        sought: Sought,
        /// Where the request before ended; 0 to begin with.
        from: u32,
    },
    /// `TASK_STATUS`, control.
    TaskStatus {
        /// Which task: by `task_id`, or by `task`, a name or `last`.
        task: TaskChoice,
        /// Whether it is to be told in full.
        why: bool,
    },
    /// `FETCH_RESULT`, control.
    FetchResult {
        /// Of which task.
        task_id: TaskId,
    },
    /// `CANCEL_TASK`, control.
    CancelTask {
        /// Which task.
        task_id: TaskId,
        /// Why, in words for readers.
        reason: Option<Cow<'a, str>>,
    },
    /// Anything else; answered with an error, and the connection lives on.
    Unknown {
        /// What it calls itself.
        action: Cow<'a, str>,
    },
}

/// Where a peer says that it listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address<'a> {
    /// Its IP or name; none in the super-peer dialect. Often wrong: the connection's source address knows better.
    pub host: Option<Cow<'a, str>>,
    /// Its TCP port.
    pub port: u16,
}

/// What a peer of ours adds to REGISTER.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerOffer<'a> {
    /// The highest protocol version that it speaks.
    pub protocol: u32,
    /// Program and version, for people.
    pub agent: Cow<'a, str>,
    /// Which life of the peer this is.
    pub boot_id: BootId,
    /// How many tasks it runs at a time; none: it is about to leave.
    pub slots: u32,
    /// The extensions that it can use.
    pub capabilities: Vec<Cow<'a, str>>,
    /// The tries that it runs or has not handed in yet: whatever else the master believes it has never arrived.
    pub holds: Vec<(TaskId, Attempt)>,
}

#[cfg(test)]
mod tests;
