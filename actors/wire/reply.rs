//! What a master answers, and the one order that it pushes to a peer of ours.
//!
//! Rule: reading is generous, for every group says "nothing now" and "that went wrong" in its own way; writing toward a
//! speaker without extensions gives exactly the bytes of the protocol's fixed part.

mod encode;

use std::borrow::Cow;

use uuid::Uuid;

use super::dialect::{self, Dialect};
use super::error::WireError;
use super::fields::Fields;
use super::payload::Payload;
use super::report::TaskReport;
use super::request::{DIGEST, PORT, WHOLE, need_task, uuid_of_ours};
use crate::model::{Attempt, Digest, TaskId};

pub use encode::encode_reply;

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
}

impl Reply<'_> {
    /// A [`Reply::Report`] of this value.
    pub fn report(value: &impl serde::Serialize) -> Reply<'static> {
        let mut json = Vec::new();
        super::writer::write_json(value, &mut json);
        Reply::Report(String::from_utf8_lossy(&json).into_owned().into())
    }
}

/// Reads one whole reply, of any dialect.
///
/// # Errors
/// [`WireError`] if it is not a message, or a field has the wrong type or is missing. The connection can live on.
pub fn parse_reply(bytes: &[u8]) -> Result<Heard<'_>, WireError> {
    let fields = Fields::read(bytes)?;
    let (super_peer, reply) = read(&fields)?;
    let dialect = match (fields.enveloped, super_peer) {
        (true, _) => Dialect::Envelope,
        (false, true) => Dialect::SuperPeer,
        (false, false) => Dialect::Flat,
    };
    Ok(Heard {
        dialect,
        id: dialect::id_of(&fields),
        reply,
    })
}

/// The reply, and whether it shows the super-peer dialect. The first of its words that we know decides.
fn read<'a>(fields: &Fields<'a>) -> Result<(bool, Reply<'a>), WireError> {
    let mut unknown = None;
    for key in ["action", "type", "status"] {
        let Some(word) = fields.text(key)? else {
            continue;
        };
        let shout = word.to_ascii_uppercase();
        if let Some(reply) = read_word(fields, &shout)? {
            let lower = word.as_ref() != shout;
            let null_task = shout == "TASK_PACKAGE" && reply == Reply::NoTask;
            return Ok((lower || null_task, reply));
        }
        unknown.get_or_insert(word);
    }
    match unknown {
        Some(word) => Ok((false, Reply::Unknown { word })),
        None if fields.has("peers") => Ok((true, Reply::Peers(fields.texts("peers")?))),
        None => Err(WireError::NoWord),
    }
}

/// What the word (in capitals) says; none if we do not know it.
fn read_word<'a>(fields: &Fields<'a>, word: &str) -> Result<Option<Reply<'a>>, WireError> {
    Ok(Some(match word {
        "REGISTERED" => Reply::Registered {
            ours: read_welcome(fields)?,
        },
        "ALIVE" => Reply::Alive,
        "NO_TASK" | "NO_TASKS" => Reply::NoTask,
        "TASK_PACKAGE" if !fields.has("task_name") && !fields.has("task_data") => Reply::NoTask,
        "TASK_PACKAGE" => Reply::TaskPackage {
            task_name: fields.need_text("task_name")?,
            task_data: Payload::Text(fields.need_text("task_data")?),
            ours: read_lease(fields)?,
        },
        "OK" if fields.has("peer_ip") => read_peer_info(fields)?,
        "OK" if fields.has("peers") => Reply::Peers(fields.texts("peers")?),
        "OK" => Reply::Ok,
        "ERROR" | "UNKNOWN_ACTION" => read_error(fields, word)?,
        "LIST_PEERS" | "PEERS" if fields.has("peers") => Reply::Peers(fields.texts("peers")?),
        "GET_PEER_INFO" | "PEER_INFO" if fields.has("peer_ip") => read_peer_info(fields)?,
        "LEFT" => Reply::Left,
        "REPORT" => {
            let report = fields.raw("report").ok_or(WireError::Missing("report"))?;
            Reply::Report(report.get().into())
        }
        "ACCEPTED" => Reply::Accepted {
            task_id: need_task(fields)?,
            task_name: fields.need_text("task_name")?,
        },
        "TASK_STATE" => Reply::TaskState(read_task(fields)?),
        "RESULT_PACKAGE" => Reply::ResultPackage {
            result_name: fields.need_text("result_name")?,
            result_data: Payload::Text(fields.need_text("result_data")?),
            sha256: need_digest(fields)?,
        },
        "CANCEL_ATTEMPT" => Reply::CancelAttempt {
            task_id: need_task(fields)?,
            attempt: need_attempt(fields)?,
        },
        _ => return Ok(None),
    }))
}

fn read_welcome<'a>(fields: &Fields<'a>) -> Result<Option<Welcome<'a>>, WireError> {
    let protocol = fields.number("protocol", WHOLE).unwrap_or(None);
    let (Some(protocol), Some(master_id)) = (protocol, uuid_of_ours(fields, "master_id")) else {
        return Ok(None);
    };
    let heartbeat_s = fields.number("heartbeat_s", WHOLE)?;
    Ok(Some(Welcome {
        protocol,
        master_id,
        epoch: fields.number("epoch", WHOLE)?.unwrap_or(0),
        heartbeat_s: heartbeat_s.ok_or(WireError::Missing("heartbeat_s"))?,
        capabilities: fields.texts("capabilities")?,
    }))
}

fn read_lease(fields: &Fields<'_>) -> Result<Option<Lease>, WireError> {
    let Some(task_id) = uuid_of_ours(fields, "task_id") else {
        return Ok(None);
    };
    if !fields.has("attempt") || !fields.has("sha256") {
        return Ok(None);
    }
    Ok(Some(Lease {
        task_id: TaskId(task_id),
        attempt: need_attempt(fields)?,
        sha256: need_digest(fields)?,
        time_limit_ms: fields.number("time_limit_ms", WHOLE)?,
    }))
}

fn read_peer_info<'a>(fields: &Fields<'a>) -> Result<Reply<'a>, WireError> {
    let peer_port = fields.number("peer_port", PORT)?;
    Ok(Reply::PeerInfo {
        peer_id: fields.need_text("peer_id")?,
        peer_ip: fields.need_text("peer_ip")?,
        peer_port: peer_port.ok_or(WireError::Missing("peer_port"))?,
    })
}

/// An error says why in `message` or, in the envelope, in `error`; if in neither, its word is all there is.
fn read_error<'a>(fields: &Fields<'a>, word: &str) -> Result<Reply<'a>, WireError> {
    let unknown_action = word == "UNKNOWN_ACTION";
    let message = match fields.text("message")? {
        Some(message) => Some(message),
        None => fields.text("error")?,
    };
    let bare = if unknown_action {
        "the action is unknown"
    } else {
        "no reason was given"
    };
    let code = fields.text("code")?;
    Ok(Reply::Error {
        message: message.unwrap_or(bare.into()),
        code: code.or(unknown_action.then_some(UNKNOWN_ACTION.into())),
    })
}

fn read_task(fields: &Fields<'_>) -> Result<TaskReport, WireError> {
    let task = fields.raw("task").ok_or(WireError::Missing("task"))?;
    serde_json::from_str(task.get()).map_err(|_| WireError::Field {
        field: "task",
        wanted: "the report of a task",
    })
}

fn need_attempt(fields: &Fields<'_>) -> Result<Attempt, WireError> {
    let attempt = fields.number("attempt", WHOLE)?;
    attempt.map(Attempt).ok_or(WireError::Missing("attempt"))
}

fn need_digest(fields: &Fields<'_>) -> Result<Digest, WireError> {
    let sha256 = fields.spelled("sha256", DIGEST)?;
    sha256.ok_or(WireError::Missing("sha256"))
}
