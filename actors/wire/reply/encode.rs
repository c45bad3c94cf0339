//! Replies as bytes, in the words of each dialect.

use std::borrow::Cow;

use crate::wire::dialect::Dialect;
use crate::wire::parcel::Parcel;
use crate::wire::reply::{Lease, Reply, Welcome};
use crate::wire::writer::Writer;

/// Writes one reply as one compact value with nothing after it.
pub fn encode_reply(dialect: Dialect, id: Option<u64>, reply: &Reply<'_>) -> Vec<u8> {
    pack_reply(dialect, id, reply).into_vec()
}

/// The same, with a payload that becomes base64 only while it is sent.
pub fn pack_reply(dialect: Dialect, id: Option<u64>, reply: &Reply<'_>) -> Parcel {
    let status = |word| Writer::new(dialect, "status", word, id);
    let action = |word| Writer::new(dialect, "action", word, id);
    match reply {
        Reply::Registered { ours } => write_welcome(ours.as_ref(), status("REGISTERED")),
        Reply::Alive => status("ALIVE"),
        Reply::NoTask => write_no_task(dialect, id),
        Reply::TaskPackage {
            task_name,
            task_data,
            ours,
        } => {
            let writer = action("TASK_PACKAGE")
                .field("task_name", task_name)
                .payload("task_data", task_data);
            write_lease(ours.as_ref(), writer)
        }
        Reply::Ok => status("OK"),
        Reply::Error { message, code } => {
            write_error(dialect, id, message).maybe("code", code.as_deref())
        }
        Reply::Peers(peers) => write_peers(dialect, id, peers),
        Reply::PeerInfo {
            peer_id,
            peer_ip,
            peer_port,
        } => Writer::new(dialect, "status", ok_of_peer_info(dialect), id)
            .field("peer_id", peer_id)
            .field("peer_ip", peer_ip)
            .field("peer_port", peer_port),
        Reply::Left => status("LEFT"),
        Reply::Report(json) => status("REPORT").raw("report", json),
        Reply::Accepted { task_id, task_name } => status("ACCEPTED")
            .field("task_id", task_id)
            .field("task_name", task_name),
        Reply::GroupOpen { group } => status("GROUP_OPEN").field("group", group),
        Reply::TaskState(task) => status("TASK_STATE").field("task", task),
        Reply::ResultPackage {
            result_name,
            result_data,
            sha256,
        } => action("RESULT_PACKAGE")
            .field("result_name", result_name)
            .payload("result_data", result_data)
            .field("sha256", sha256),
        Reply::CancelAttempt { task_id, attempt } => action("CANCEL_ATTEMPT")
            .field("task_id", task_id)
            .field("attempt", attempt),
        Reply::FollowOutput {
            task_id,
            attempt,
            follow_ms,
            from,
        } => action("FOLLOW_OUTPUT")
            .field("task_id", task_id)
            .field("attempt", attempt)
            .field("follow_ms", follow_ms)
            .maybe("stdout", from.map(|from| from.stdout))
            .maybe("stderr", from.map(|from| from.stderr)),
        Reply::Unknown { word } => Writer::new(dialect, "status", word, id),
    }
    .finish()
}

/// Every speaker of the flat family finds its own word for "nothing now" in this one answer.
fn write_no_task(dialect: Dialect, id: Option<u64>) -> Writer {
    match dialect {
        Dialect::Envelope => Writer::new(dialect, "type", "NO_TASKS", id),
        Dialect::Flat | Dialect::SuperPeer => Writer::new(dialect, "action", "NO_TASK", id)
            .field("status", "NO_TASKS")
            .field("task_name", None::<()>),
    }
}

fn write_error(dialect: Dialect, id: Option<u64>, message: &str) -> Writer {
    let (word, key) = match dialect {
        Dialect::Flat => ("ERROR", "message"),
        Dialect::Envelope => ("ERROR", "error"),
        Dialect::SuperPeer => ("error", "message"),
    };
    Writer::new(dialect, "status", word, id).field(key, message)
}

/// The super-peer dialect answers with the bare list.
fn write_peers(dialect: Dialect, id: Option<u64>, peers: &[Cow<'_, str>]) -> Writer {
    let writer = match dialect {
        Dialect::Envelope => Writer::new(dialect, "type", "PEERS", id),
        Dialect::Flat | Dialect::SuperPeer => Writer::bare(id),
    };
    writer.field("peers", peers)
}

fn ok_of_peer_info(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Envelope => "PEER_INFO",
        Dialect::Flat | Dialect::SuperPeer => "ok",
    }
}

fn write_welcome(ours: Option<&Welcome<'_>>, writer: Writer) -> Writer {
    let Some(welcome) = ours else {
        return writer;
    };
    writer
        .field("protocol", welcome.protocol)
        .field("master_id", welcome.master_id)
        .field("epoch", welcome.epoch)
        .field("heartbeat_s", welcome.heartbeat_s)
        .field("capabilities", &welcome.capabilities)
}

fn write_lease(ours: Option<&Lease>, writer: Writer) -> Writer {
    let Some(lease) = ours else {
        return writer;
    };
    writer
        .field("task_id", lease.task_id)
        .field("attempt", lease.attempt)
        .field("sha256", lease.sha256)
        .maybe("time_limit_ms", lease.time_limit_ms)
        .maybe("more", (lease.more > 0).then_some(lease.more))
}
