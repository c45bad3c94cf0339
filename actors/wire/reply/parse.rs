//! Replies out of bytes.

use crate::model::{Attempt, Both, Digest, TaskId};
use crate::wire::dialect::{self, Dialect};
use crate::wire::error::WireError;
use crate::wire::fields::{DIGEST, Fields, PORT, WHOLE};
use crate::wire::reply::{Heard, Lease, Reply, UNKNOWN_ACTION, Welcome};
use crate::wire::report::TaskReport;

/// Reads one whole reply, of any dialect.
///
/// # Errors
/// [`WireError`] if it is not a message, or a field has the wrong type or is missing. The connection can live on.
pub fn parse_reply(bytes: &[u8]) -> Result<Heard<'_>, WireError> {
    read_reply(&Fields::read(bytes)?)
}

/// Reads one whole reply that was taken apart.
pub(crate) fn read_reply<'a>(fields: &Fields<'a>) -> Result<Heard<'a>, WireError> {
    let (super_peer, reply) = read(fields)?;
    let dialect = match (fields.enveloped, super_peer) {
        (true, _) => Dialect::Envelope,
        (false, true) => Dialect::SuperPeer,
        (false, false) => Dialect::Flat,
    };
    Ok(Heard {
        dialect,
        id: dialect::id_of(fields),
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
            task_data: fields.payload("task_data")?,
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
            task_id: fields.need_task()?,
            task_name: fields.need_text("task_name")?,
        },
        "GROUP_OPEN" => Reply::GroupOpen {
            group: fields.need_text("group")?,
        },
        "TASK_STATE" => Reply::TaskState(read_task(fields)?),
        "RESULT_PACKAGE" => Reply::ResultPackage {
            result_name: fields.need_text("result_name")?,
            result_data: fields.payload("result_data")?,
            sha256: need_digest(fields)?,
        },
        "CANCEL_ATTEMPT" => Reply::CancelAttempt {
            task_id: fields.need_task()?,
            attempt: need_attempt(fields)?,
        },
        "FOLLOW_OUTPUT" => read_follow(fields)?,
        _ => return Ok(None),
    }))
}

fn read_welcome<'a>(fields: &Fields<'a>) -> Result<Option<Welcome<'a>>, WireError> {
    let protocol = fields.number("protocol", WHOLE).unwrap_or(None);
    let (Some(protocol), Some(master_id)) = (protocol, fields.uuid("master_id")) else {
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
    let Some(task_id) = fields.uuid("task_id") else {
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
        more: fields.number("more", WHOLE).unwrap_or(None).unwrap_or(0),
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

fn read_follow<'a>(fields: &Fields<'a>) -> Result<Reply<'a>, WireError> {
    let follow_ms = fields.number("follow_ms", WHOLE)?;
    let stdout = fields.number("stdout", WHOLE)?;
    let stderr = fields.number("stderr", WHOLE)?;
    let from = stdout.zip(stderr);
    Ok(Reply::FollowOutput {
        task_id: fields.need_task()?,
        attempt: need_attempt(fields)?,
        follow_ms: follow_ms.ok_or(WireError::Missing("follow_ms"))?,
        from: from.map(|(stdout, stderr)| Both { stdout, stderr }),
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
