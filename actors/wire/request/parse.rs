//! Requests out of bytes.

use std::borrow::Cow;
use std::num::NonZeroU32;
use std::time::Duration;

use crate::model::{
    Attempt, BootId, Ending, Outcome, PARTS_MAX, Part, PeerId, TaskChoice, TaskId, in_one_line,
};
use crate::wire::dialect::{self, Dialect};
use crate::wire::error::WireError;
use crate::wire::fields::{DIGEST, Fields, PORT, UUID, WHOLE, number_of, text_of};
use crate::wire::payload::Payload;
use crate::wire::report::{Sought, TaskState};
use crate::wire::request::{Address, PeerOffer, Request, Spoken};

/// Longest reason, in characters.
pub const REASON_MAX: usize = 500;
/// What a peer's id must be.
const PEER: &str = "a string of 1 to 128 printable characters";

/// Reads one whole request.
///
/// # Errors
/// [`WireError`] if it is not a message, or a field has the wrong type or is missing. The connection can live on.
pub fn parse_request(bytes: &[u8]) -> Result<Spoken<'_>, WireError> {
    read_request(&Fields::read(bytes)?)
}

/// Reads one whole request that was taken apart.
pub(crate) fn read_request<'a>(fields: &Fields<'a>) -> Result<Spoken<'a>, WireError> {
    let word = dialect::word_of_request(fields)?;
    let dialect = Dialect::of_request(fields, &word);
    let id = dialect::id_of(fields);
    let request = read(fields, word)?;
    Ok(Spoken {
        dialect,
        id,
        request,
    })
}

fn read<'a>(fields: &Fields<'a>, word: Cow<'a, str>) -> Result<Request<'a>, WireError> {
    let peer_id = || need_peer(fields, "peer_id");
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
            spare: fields.flag("spare").unwrap_or(false),
            count: fields.number("count", WHOLE).unwrap_or(None),
        },
        "SUBMIT_RESULT" => Request::SubmitResult {
            peer_id: peer_id()?,
            result_name: fields.text("result_name")?,
            result_data: fields.payload("result_data")?,
            task_id: fields.uuid("task_id").map(TaskId),
            attempt: fields.number("attempt", WHOLE).unwrap_or(None).map(Attempt),
            sha256: fields.spelled("sha256", DIGEST)?,
            outcome: read_outcome(fields)?,
        },
        "OUTPUT" => read_output(fields)?,
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
            task_data: fields.payload("task_data")?,
            sha256: fields.spelled("sha256", DIGEST)?,
            group: read_group(fields)?,
            priority: fields.number("priority", "a whole number")?,
            time_limit_s: fields.number("time_limit_s", WHOLE)?,
            retries: fields.number("retries", WHOLE)?,
            max_fails: fields.number("max_fails", WHOLE)?,
            part: read_part(fields)?,
            after: fields.spelled("after", UUID)?.map(TaskId),
            max_running: read_max_running(fields)?,
        },
        "OPEN_GROUP" => Request::OpenGroup {
            name: fields.need_text("name")?,
        },
        "LIST_TASKS" => Request::ListTasks {
            sought: read_sought(fields)?,
            before: fields.spelled("before", UUID)?.map(TaskId),
            limit: fields.number("limit", WHOLE)?,
        },
        "LIST_GROUPS" => Request::ListGroups {
            before: fields.text("group")?,
            limit: fields.number("limit", WHOLE)?,
        },
        "GROUP_STATUS" => Request::GroupStatus {
            group: fields.need_text("group")?,
            why: fields.flag("why")?,
        },
        "GROUP_GATHERED" => Request::GroupGathered {
            group: fields.need_text("group")?,
        },
        "CANCEL_GROUP" => Request::CancelGroup {
            group: fields.need_text("group")?,
            reason: read_reason(fields)?,
        },
        "DRAIN_PEER" => Request::DrainPeer {
            peer_id: peer_id()?,
            undo: fields.flag("undo")?,
        },
        "RETRY_TASK" => Request::RetryTask {
            task_id: fields.need_task()?,
        },
        "RETRY_GROUP" => Request::RetryGroup {
            group: fields.need_text("group")?,
            states: read_states(fields)?,
        },
        "CANCEL_TASKS" => Request::CancelTasks {
            sought: read_sought(fields)?,
            reason: read_reason(fields)?,
            from: fields.number("from", WHOLE)?.unwrap_or(0),
        },
        "RETRY_TASKS" => Request::RetryTasks {
            sought: read_sought(fields)?,
            from: fields.number("from", WHOLE)?.unwrap_or(0),
        },
        "TASK_STATUS" => Request::TaskStatus {
            task: match fields.text("task")? {
                Some(task) => TaskChoice::typed(&task),
                None => TaskChoice::Id(fields.need_task()?),
            },
            why: fields.flag("why")?,
        },
        "FETCH_RESULT" => Request::FetchResult {
            task_id: fields.need_task()?,
        },
        "CANCEL_TASK" => Request::CancelTask {
            task_id: fields.need_task()?,
            reason: read_reason(fields)?,
        },
        _ => Request::Unknown { action: word },
    })
}

fn need_peer(fields: &Fields<'_>, key: &'static str) -> Result<PeerId, WireError> {
    fields.spelled(key, PEER)?.ok_or(WireError::Missing(key))
}

/// What a try has printed, which is short enough to be a text like any other.
fn read_output<'a>(fields: &Fields<'a>) -> Result<Request<'a>, WireError> {
    let attempt = fields.number("attempt", WHOLE)?.map(Attempt);
    let stream = fields.spelled("stream", "stdout or stderr")?;
    let offset = fields.number("offset", WHOLE)?;
    Ok(Request::Output {
        peer_id: need_peer(fields, "peer_id")?,
        task_id: fields.need_task()?,
        attempt: attempt.ok_or(WireError::Missing("attempt"))?,
        stream: stream.ok_or(WireError::Missing("stream"))?,
        offset: offset.ok_or(WireError::Missing("offset"))?,
        printed: Payload::Text(fields.need_text("printed")?),
    })
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
    let (Some(protocol), Some(boot_id)) = (protocol, fields.uuid("boot_id")) else {
        return Ok(None);
    };
    Ok(Some(PeerOffer {
        protocol,
        agent: fields.text("agent")?.unwrap_or_default(),
        boot_id: BootId(boot_id),
        slots: fields.number("slots", WHOLE)?.unwrap_or(1),
        capabilities: fields.texts("capabilities")?,
        holds: read_holds(fields)?,
    }))
}

/// The tries that a peer of ours holds, each as `task_id/attempt`.
fn read_holds(fields: &Fields<'_>) -> Result<Vec<(TaskId, Attempt)>, WireError> {
    let wrong = || WireError::Field {
        field: "holds",
        wanted: "a list of task_id/attempt",
    };
    let holds = fields.texts("holds")?;
    let held = holds.iter().map(|hold| {
        let (task, attempt) = hold.split_once('/')?;
        Some((TaskId(task.parse().ok()?), Attempt(attempt.parse().ok()?)))
    });
    held.map(|held| held.ok_or_else(wrong)).collect()
}

/// Which tasks are to be listed, or changed.
fn read_sought(fields: &Fields<'_>) -> Result<Sought, WireError> {
    Ok(Sought {
        states: read_states(fields)?,
        group: fields.text("group")?.map(Cow::into_owned),
        single: fields.flag("single")?,
    })
}

fn read_states(fields: &Fields<'_>) -> Result<Vec<TaskState>, WireError> {
    let wrong = WireError::Field {
        field: "states",
        wanted: "a list of queued, leased, done, failed and cancelled",
    };
    let states = fields.texts("states")?;
    // Each task is compared with each of them.
    if states.len() > TaskState::ALL.len() {
        return Err(wrong);
    }
    let states = states.iter().map(|word| TaskState::of_word(word));
    states.collect::<Option<_>>().ok_or(wrong)
}

/// Which part of its group a task is, if it says so.
fn read_part(fields: &Fields<'_>) -> Result<Option<Part>, WireError> {
    let number = fields.number("part", WHOLE)?;
    let of = fields.number("parts", "a whole number from 1 to 1000000")?;
    let (number, of) = match (number, of) {
        (None, None) => return Ok(None),
        (Some(_), None) => return Err(WireError::Missing("parts")),
        (None, Some(_)) => return Err(WireError::Missing("part")),
        (Some(number), Some(of)) => (number, of),
    };
    need_group(fields)?;
    let wrong = |field, wanted| WireError::Field { field, wanted };
    let part = Part::new(number, of);
    part.map(Some).ok_or(match of {
        1..=PARTS_MAX => wrong("part", "a whole number below `parts`"),
        _ => wrong("parts", "a whole number from 1 to 1000000"),
    })
}

/// Why something is taken back: a line for readers, which each task keeps.
fn read_reason<'a>(fields: &Fields<'a>) -> Result<Option<Cow<'a, str>>, WireError> {
    let reason = fields.text("reason")?;
    let is_long = |reason: &Cow<'_, str>| reason.chars().nth(REASON_MAX).is_some();
    match reason.as_ref().is_some_and(is_long) {
        true => Err(WireError::Field {
            field: "reason",
            wanted: "at most 500 characters",
        }),
        false => Ok(reason.map(|reason| in_one_line(&reason, REASON_MAX).into())),
    }
}

/// The group that a task is handed in as one of: a name that a terminal may show.
fn read_group<'a>(fields: &Fields<'a>) -> Result<Option<Cow<'a, str>>, WireError> {
    let group = fields.text("group")?;
    match group
        .as_ref()
        .is_some_and(|group| group.chars().any(char::is_control))
    {
        true => Err(WireError::Field {
            field: "group",
            wanted: "a name without control characters",
        }),
        false => Ok(group),
    }
}

/// How many of a group may run at a time, if the task says so.
fn read_max_running(fields: &Fields<'_>) -> Result<Option<NonZeroU32>, WireError> {
    let most = fields.number("max_running", "a whole number from 1")?;
    if most.is_some() {
        need_group(fields)?;
    }
    Ok(most)
}

/// What is said of a task in its group means nothing without one.
fn need_group(fields: &Fields<'_>) -> Result<(), WireError> {
    let has_group = fields.has("group");
    has_group.then_some(()).ok_or(WireError::Missing("group"))
}

fn read_outcome(fields: &Fields<'_>) -> Result<Option<Outcome>, WireError> {
    let Some(ending) = fields.text("ending")? else {
        return Ok(None);
    };
    let code = |key| {
        let code = fields.number(key, "a whole number")?;
        code.ok_or(WireError::Missing(key))
    };
    let reason = || Ok(in_one_line(&fields.need_text("reason")?, REASON_MAX));
    // Of another shape it is a stranger's.
    let error = fields.text("error").ok().flatten();
    let ending = match ending.as_ref() {
        "exit" => Ending::Exit(code("exit_code")?).saying(error.as_deref()),
        "signal" => Ending::Signal(code("signal")?),
        "out_of_memory" => Ending::OutOfMemory,
        "time_limit" => Ending::TimeLimit,
        "cancelled" => Ending::Cancelled,
        "not_started" => Ending::NotStarted(reason()?),
        "peer_trouble" => Ending::PeerTrouble(reason()?),
        "unsaid" => Ending::Unsaid,
        _ => {
            return Err(WireError::Field {
                field: "ending",
                wanted: "exit, signal, out_of_memory, time_limit, cancelled, not_started, peer_trouble or unsaid",
            });
        }
    };
    Ok(Some(Outcome {
        ending,
        took: Duration::from_millis(fields.number("took_ms", WHOLE)?.unwrap_or(0)),
        peak_rss: fields.number("peak_rss", WHOLE)?,
    }))
}
