//! What a peer or the command line asks, over TCP.
//!
//! Rule: one value a message, borrowed from its bytes. An extension is taken only when the fields that name it have our
//! shape; a stranger's field of the same name is an unknown field, and ignored.

mod encode;

use std::borrow::Cow;
use std::time::Duration;

use uuid::Uuid;

use super::dialect::{self, Dialect};
use super::error::WireError;
use super::fields::{Fields, number_of, text_of};
use super::payload::Payload;
use crate::model::{Attempt, BootId, Digest, Ending, Outcome, PeerId, TaskId};

pub use encode::encode_request;

/// What a port must be.
pub(super) const PORT: &str = "a port from 0 to 65535";
/// What a count or duration must be.
pub(super) const WHOLE: &str = "a whole number that is not negative";
/// What an id of ours must be.
pub(super) const UUID: &str = "a UUID";
/// What a peer's id must be.
const PEER: &str = "a string of 1 to 128 printable characters";
/// What a digest must be.
pub(super) const DIGEST: &str = "64 hexadecimal digits";

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
    },
    /// `TASK_STATUS`, control.
    TaskStatus {
        /// Which task.
        task_id: TaskId,
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
    /// How many tasks it runs at a time.
    pub slots: u32,
    /// The extensions that it can use.
    pub capabilities: Vec<Cow<'a, str>>,
}

/// Reads one whole request.
///
/// # Errors
/// [`WireError`] if it is not a message, or a field has the wrong type or is missing. The connection can live on.
pub fn parse_request(bytes: &[u8]) -> Result<Spoken<'_>, WireError> {
    let fields = Fields::read(bytes)?;
    let word = dialect::word_of_request(&fields)?;
    let dialect = Dialect::of_request(&fields, &word);
    let id = dialect::id_of(&fields);
    let request = read(&fields, word)?;
    Ok(Spoken {
        dialect,
        id,
        request,
    })
}

fn read<'a>(fields: &Fields<'a>, word: Cow<'a, str>) -> Result<Request<'a>, WireError> {
    let peer_id = || need_peer(fields, "peer_id");
    let task_id = || need_task(fields);
    Ok(match word.as_ref() {
        "REGISTER" => Request::Register {
            peer_id: peer_id()?,
            address: read_address(fields)?,
            ours: read_offer(fields)?,
        },
        "HEARTBEAT" => Request::Heartbeat {
            peer_id: peer_id()?,
        },
        "REQUEST_TASK" => Request::RequestTask {
            peer_id: peer_id()?,
            wait_ms: fields.number("wait_ms", WHOLE)?,
        },
        "SUBMIT_RESULT" => Request::SubmitResult {
            peer_id: peer_id()?,
            result_name: fields.text("result_name")?,
            result_data: Payload::Text(fields.need_text("result_data")?),
            task_id: uuid_of_ours(fields, "task_id").map(TaskId),
            attempt: fields.number("attempt", WHOLE).unwrap_or(None).map(Attempt),
            sha256: fields.spelled("sha256", DIGEST)?,
            outcome: read_outcome(fields)?,
        },
        "LIST_PEERS" => Request::ListPeers,
        "GET_PEER_INFO" => Request::GetPeerInfo {
            target_peer_id: need_peer(fields, "target_peer_id")?,
        },
        "LEAVE" => Request::Leave {
            peer_id: peer_id()?,
        },
        "STATUS" => Request::Status,
        "PEERS" => Request::Peers,
        "SUBMIT_TASK" => Request::SubmitTask {
            task_name: fields.need_text("task_name")?,
            task_data: Payload::Text(fields.need_text("task_data")?),
            sha256: fields.spelled("sha256", DIGEST)?,
            group: fields.text("group")?,
            priority: fields.number("priority", "a whole number")?,
            time_limit_s: fields.number("time_limit_s", WHOLE)?,
        },
        "TASK_STATUS" => Request::TaskStatus {
            task_id: task_id()?,
        },
        "FETCH_RESULT" => Request::FetchResult {
            task_id: task_id()?,
        },
        "CANCEL_TASK" => Request::CancelTask {
            task_id: task_id()?,
        },
        _ => Request::Unknown { action: word },
    })
}

fn need_peer(fields: &Fields<'_>, key: &'static str) -> Result<PeerId, WireError> {
    fields.spelled(key, PEER)?.ok_or(WireError::Missing(key))
}

/// The task that a message of ours is about.
pub(super) fn need_task(fields: &Fields<'_>) -> Result<TaskId, WireError> {
    let task: Option<Uuid> = fields.spelled("task_id", UUID)?;
    task.map(TaskId).ok_or(WireError::Missing("task_id"))
}

/// An id of ours, if the field is one.
pub(super) fn uuid_of_ours(fields: &Fields<'_>, key: &'static str) -> Option<Uuid> {
    fields.spelled(key, UUID).unwrap_or(None)
}

/// The address in any of its three shapes.
fn read_address<'a>(fields: &Fields<'a>) -> Result<Option<Address<'a>>, WireError> {
    if let Some(pair) = fields.list("addr")? {
        let wrong = WireError::Field {
            field: "addr",
            wanted: "a list of an address and a port",
        };
        let [host, port] = pair.as_slice() else {
            return Err(wrong);
        };
        let (Some(host), Some(port)) = (text_of(host), number_of(port)) else {
            return Err(wrong);
        };
        let host = Some(host);
        return Ok(Some(Address { host, port }));
    }
    let host = fields.text("host")?;
    let port = match fields.number("p2p_port", PORT)? {
        Some(port) => Some(port),
        None => fields.number("port", PORT)?,
    };
    Ok(port.map(|port| Address { host, port }))
}

fn read_offer<'a>(fields: &Fields<'a>) -> Result<Option<PeerOffer<'a>>, WireError> {
    let protocol = fields.number("protocol", WHOLE).unwrap_or(None);
    let (Some(protocol), Some(boot_id)) = (protocol, uuid_of_ours(fields, "boot_id")) else {
        return Ok(None);
    };
    Ok(Some(PeerOffer {
        protocol,
        agent: fields.text("agent")?.unwrap_or_default(),
        boot_id: BootId(boot_id),
        slots: fields.number("slots", WHOLE)?.unwrap_or(1),
        capabilities: fields.texts("capabilities")?,
    }))
}

fn read_outcome(fields: &Fields<'_>) -> Result<Option<Outcome>, WireError> {
    let Some(ending) = fields.text("ending")? else {
        return Ok(None);
    };
    let code = |key| {
        let code = fields.number(key, "a whole number")?;
        code.ok_or(WireError::Missing(key))
    };
    let ending = match ending.as_ref() {
        "exit" => Ending::Exit(code("exit_code")?),
        "signal" => Ending::Signal(code("signal")?),
        "time_limit" => Ending::TimeLimit,
        "cancelled" => Ending::Cancelled,
        "not_started" => Ending::NotStarted(fields.need_text("reason")?.into_owned()),
        "unsaid" => Ending::Unsaid,
        _ => {
            return Err(WireError::Field {
                field: "ending",
                wanted: "exit, signal, time_limit, cancelled, not_started or unsaid",
            });
        }
    };
    Ok(Some(Outcome {
        ending,
        took: Duration::from_millis(fields.number("took_ms", WHOLE)?.unwrap_or(0)),
        peak_rss: fields.number("peak_rss", WHOLE)?,
    }))
}
