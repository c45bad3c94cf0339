//! Requests as bytes, in the words of each dialect.

use crate::model::{Ending, Outcome, Part, TaskChoice};
use crate::wire::dialect::Dialect;
use crate::wire::parcel::Parcel;
use crate::wire::report::{Sought, TaskState};
use crate::wire::request::{Address, PeerOffer, Request};
use crate::wire::writer::Writer;

/// Writes one request as one compact value with nothing after it.
pub fn encode_request(dialect: Dialect, id: Option<u64>, request: &Request<'_>) -> Vec<u8> {
    pack_request(dialect, id, request).into_vec()
}

/// The same, with a payload that becomes base64 only while it is sent.
pub fn pack_request(dialect: Dialect, id: Option<u64>, request: &Request<'_>) -> Parcel {
    let writer = Writer::new(dialect, "action", word(request), id);
    write(dialect, request, writer).finish()
}

fn word<'r>(request: &'r Request<'_>) -> &'r str {
    match request {
        Request::Register { .. } => "REGISTER",
        Request::Heartbeat { .. } => "HEARTBEAT",
        Request::RequestTask { .. } => "REQUEST_TASK",
        Request::SubmitResult { .. } => "SUBMIT_RESULT",
        Request::Output { .. } => "OUTPUT",
        Request::ListPeers => "LIST_PEERS",
        Request::GetPeerInfo { .. } => "GET_PEER_INFO",
        Request::Leave { .. } => "LEAVE",
        Request::Status => "STATUS",
        Request::Peers => "PEERS",
        Request::SubmitTask { .. } => "SUBMIT_TASK",
        Request::OpenGroup { .. } => "OPEN_GROUP",
        Request::ListTasks { .. } => "LIST_TASKS",
        Request::ListGroups { .. } => "LIST_GROUPS",
        Request::GroupStatus { .. } => "GROUP_STATUS",
        Request::GroupGathered { .. } => "GROUP_GATHERED",
        Request::CancelGroup { .. } => "CANCEL_GROUP",
        Request::DrainPeer { .. } => "DRAIN_PEER",
        Request::RetryTask { .. } => "RETRY_TASK",
        Request::RetryGroup { .. } => "RETRY_GROUP",
        Request::TaskStatus { .. } => "TASK_STATUS",
        Request::FetchResult { .. } => "FETCH_RESULT",
        Request::CancelTask { .. } => "CANCEL_TASK",
        Request::CancelTasks { .. } => "CANCEL_TASKS",
        Request::RetryTasks { .. } => "RETRY_TASKS",
        Request::Unknown { action } => action,
    }
}

fn write(dialect: Dialect, request: &Request<'_>, writer: Writer) -> Writer {
    match request {
        Request::Register {
            peer_id,
            address,
            ours,
        } => {
            let writer = writer.field("peer_id", peer_id);
            let writer = match address {
                Some(address) => write_address(dialect, address, writer),
                None => writer,
            };
            match ours {
                Some(offer) => write_offer(offer, writer),
                None => writer,
            }
        }
        Request::Heartbeat { peer_id } | Request::Leave { peer_id } => {
            writer.field("peer_id", peer_id)
        }
        Request::RequestTask {
            peer_id,
            wait_ms,
            spare,
            count,
        } => writer
            .field("peer_id", peer_id)
            .maybe("wait_ms", *wait_ms)
            .maybe("spare", spare.then_some(true))
            .maybe("count", *count),
        Request::SubmitResult {
            peer_id,
            result_name,
            result_data,
            task_id,
            attempt,
            sha256,
            outcome,
        } => {
            let writer = writer
                .field("peer_id", peer_id)
                .maybe("result_name", result_name.as_deref())
                .payload("result_data", result_data)
                .maybe("task_id", *task_id)
                .maybe("attempt", *attempt)
                .maybe("sha256", *sha256);
            match outcome {
                Some(outcome) => write_outcome(outcome, writer),
                None => writer,
            }
        }
        Request::Output {
            peer_id,
            task_id,
            attempt,
            stream,
            offset,
            printed,
        } => writer
            .field("peer_id", peer_id)
            .field("task_id", task_id)
            .field("attempt", attempt)
            .field("stream", stream)
            .field("offset", offset)
            .payload("printed", printed),
        Request::GetPeerInfo { target_peer_id } => writer.field("target_peer_id", target_peer_id),
        Request::SubmitTask {
            task_name,
            task_data,
            sha256,
            group,
            priority,
            time_limit_s,
            retries,
            max_fails,
            part,
            after,
            max_running,
        } => writer
            .field("task_name", task_name)
            .payload("task_data", task_data)
            .maybe("sha256", *sha256)
            .maybe("group", group.as_deref())
            .maybe("priority", *priority)
            .maybe("time_limit_s", *time_limit_s)
            .maybe("retries", *retries)
            .maybe("max_fails", *max_fails)
            .maybe("part", part.map(Part::number))
            .maybe("parts", part.map(Part::of))
            .maybe("after", *after)
            .maybe("max_running", *max_running),
        Request::OpenGroup { name } => writer.field("name", name),
        Request::ListTasks {
            sought,
            before,
            limit,
        } => write_sought(sought, writer)
            .maybe("before", *before)
            .maybe("limit", *limit),
        Request::ListGroups { before, limit } => writer
            .maybe("group", before.as_deref())
            .maybe("limit", *limit),
        Request::GroupStatus { group, why } => writer
            .field("group", group)
            .maybe("why", why.then_some(true)),
        Request::GroupGathered { group } => writer.field("group", group),
        Request::CancelGroup { group, reason } => writer
            .field("group", group)
            .maybe("reason", reason.as_deref()),
        Request::TaskStatus { task, why } => {
            let writer = match task {
                TaskChoice::Id(task_id) => writer.field("task_id", task_id),
                TaskChoice::Named(name) => writer.field("task", name),
                TaskChoice::Last => writer.field("task", "last"),
            };
            writer.maybe("why", why.then_some(true))
        }
        Request::FetchResult { task_id } | Request::RetryTask { task_id } => {
            writer.field("task_id", task_id)
        }
        Request::CancelTask { task_id, reason } => writer
            .field("task_id", task_id)
            .maybe("reason", reason.as_deref()),
        Request::DrainPeer { peer_id, undo } => writer
            .field("peer_id", peer_id)
            .maybe("undo", undo.then_some(true)),
        Request::RetryGroup { group, states } => write_states(states, writer.field("group", group)),
        Request::CancelTasks {
            sought,
            reason,
            from,
        } => write_sought(sought, writer)
            .maybe("reason", reason.as_deref())
            .maybe("from", (*from > 0).then_some(*from)),
        Request::RetryTasks { sought, from } => {
            write_sought(sought, writer).maybe("from", (*from > 0).then_some(*from))
        }
        Request::ListPeers | Request::Status | Request::Peers | Request::Unknown { .. } => writer,
    }
}

fn write_sought(sought: &Sought, writer: Writer) -> Writer {
    write_states(&sought.states, writer)
        .maybe("group", sought.group.as_deref())
        .maybe("single", sought.single.then_some(true))
}

fn write_states(states: &[TaskState], writer: Writer) -> Writer {
    let words = || states.iter().map(|state| state.word());
    let words = (!states.is_empty()).then(|| words().collect::<Vec<_>>());
    writer.maybe("states", words)
}

/// Each dialect has its own shape. The flat one has no way to leave the address out, so an unknown one is the wildcard.
fn write_address(dialect: Dialect, address: &Address<'_>, writer: Writer) -> Writer {
    let Address { host, port } = address;
    match dialect {
        Dialect::Flat => writer.field("addr", (host.as_deref().unwrap_or("0.0.0.0"), port)),
        Dialect::Envelope => writer.maybe("host", host.as_deref()).field("port", port),
        Dialect::SuperPeer => writer.field("p2p_port", port),
    }
}

fn write_offer(offer: &PeerOffer<'_>, writer: Writer) -> Writer {
    let holds = offer
        .holds
        .iter()
        .map(|(task, attempt)| format!("{task}/{attempt}"));
    let holds: Option<Vec<_>> = (!offer.holds.is_empty()).then(|| holds.collect());
    writer
        .field("protocol", offer.protocol)
        .field("agent", &offer.agent)
        .field("boot_id", offer.boot_id)
        .field("slots", offer.slots)
        .field("capabilities", &offer.capabilities)
        .maybe("holds", holds)
}

fn write_outcome(outcome: &Outcome, writer: Writer) -> Writer {
    let writer = match &outcome.ending {
        Ending::Exit(code) => writer.field("ending", "exit").field("exit_code", code),
        Ending::Raised { code, error } => writer
            .field("ending", "exit")
            .field("exit_code", code)
            .field("error", error),
        Ending::Signal(signal) => writer.field("ending", "signal").field("signal", signal),
        Ending::OutOfMemory => writer.field("ending", "out_of_memory"),
        Ending::TimeLimit => writer.field("ending", "time_limit"),
        Ending::Cancelled => writer.field("ending", "cancelled"),
        Ending::NotStarted(why) => writer.field("ending", "not_started").field("reason", why),
        Ending::PeerTrouble(why) => writer.field("ending", "peer_trouble").field("reason", why),
        Ending::Unsaid => writer.field("ending", "unsaid"),
    };
    let took_ms = u64::try_from(outcome.took.as_millis()).unwrap_or(u64::MAX);
    writer
        .field("took_ms", took_ms)
        .maybe("peak_rss", outcome.peak_rss)
}
