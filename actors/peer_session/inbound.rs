//! What a request means, taken apart from its bytes: payloads decoded and hashed, durations as durations.

use std::sync::Arc;
use std::time::Duration;

use crate::logic::attribution::Claim;
use crate::model::{
    Archive, Attempt, BootId, Digest, Ending, GROUP_NAME_WANTED, Outcome, PIECE_MAX, Part, PeerId,
    Piece, STREAM_MAX, TaskChoice, TaskId, TaskName, Wishes, is_group_name,
};
use crate::wire::dialect::answer_to;
use crate::wire::report::{LIST_ROWS_MAX, Sought, TaskState};
use crate::wire::request::{Address, PeerOffer};
use crate::wire::{Dialect, Extensions, Message, Payload, Request, WireError};

/// One message of the other side, and how to answer it.
#[derive(Debug)]
pub struct Told {
    /// Its dialect, to be answered in kind.
    pub dialect: Dialect,
    /// Its `id`, which comes back on the reply.
    pub id: Option<u64>,
    /// What is wanted; an error if that cannot be told.
    pub wanted: Result<Wanted, WireError>,
}

/// What is wanted.
#[derive(Debug)]
pub enum Wanted {
    /// A peer introduces itself.
    Register(PeerId, Introduction),
    /// A peer lives.
    Heartbeat(PeerId),
    /// A peer wants a task.
    Task(PeerId, Wish),
    /// A peer hands a result in.
    HandIn(PeerId, HandIn),
    /// A peer tells what a try has printed.
    Output(PeerId, (TaskId, Attempt), Piece),
    /// A peer says goodbye.
    Leave(PeerId),
    /// The ids of all peers.
    PeerIds,
    /// Where one peer is.
    PeerAddress(PeerId),
    /// A report on what goes on here.
    Status,
    /// A report on all peers.
    Peers,
    /// One more task.
    NewTask(NewTask),
    /// One more group, whose name is to begin with this one.
    NewGroup(TaskName),
    /// Reports on tasks that came before one, so many at most.
    Tasks(Sought, Option<TaskId>, usize),
    /// Reports on groups behind one, so many at most.
    Groups(Option<String>, usize),
    /// A report on the parts of one group, maybe in full.
    GroupStatus(String, bool),
    /// How far what one group made is put together.
    Gathered(String),
    /// The end of one group, for this reason if one is said.
    CancelGroup(String, Option<String>),
    /// That a peer is given nothing more, or something again.
    Drain(PeerId, bool),
    /// One more chance for a task.
    RetryTask(TaskId),
    /// The same for what of a group ended without a result, or of that only what stands so.
    RetryGroup(String, Vec<TaskState>),
    /// The end of some of these tasks from a seat on, for this reason if one is said.
    CancelSome(Sought, Option<String>, u32),
    /// One more chance for some of these tasks from a seat on.
    RetrySome(Sought, u32),
    /// A report on one task, maybe in full.
    TaskStatus(TaskChoice, bool),
    /// The result of a task.
    Result(TaskId),
    /// The end of a task, for this reason if one is said.
    Cancel(TaskId, Option<String>),
    /// Something that we do not know.
    Unknown(String),
}

/// What a peer says of itself.
#[derive(Debug)]
pub struct Introduction {
    /// The host that it says it listens on; often wrong.
    pub host: Option<String>,
    /// The port that it says it listens on.
    pub port: Option<u16>,
    /// What only peers of ours say.
    pub ours: Option<Ours>,
}

/// What only peers of ours say.
#[derive(Debug)]
pub struct Ours {
    /// Which life.
    pub boot: BootId,
    /// Program and version.
    pub agent: String,
    /// How many tasks at a time.
    pub slots: u32,
    /// The tries that it holds.
    pub holds: Vec<(TaskId, Attempt)>,
    /// The extensions that it named.
    pub named: Extensions,
}

/// For what a task is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wish {
    /// How long the peer would wait for it.
    pub wait: Duration,
    /// Whether it is to be held until a slot is free.
    pub is_spare: bool,
    /// How many the peer takes at once; none if it does not say.
    pub count: Option<u32>,
}

/// A result.
#[derive(Debug)]
pub struct HandIn {
    /// What it says it is of.
    pub claim: Claim,
    /// The ZIP.
    pub archive: Archive,
    /// How the run ended.
    pub outcome: Outcome,
}

/// A task.
#[derive(Debug)]
pub struct NewTask {
    /// Its name, made fit.
    pub name: TaskName,
    /// The ZIP.
    pub archive: Archive,
    /// Its group, if it says one.
    pub group: Option<Arc<str>>,
    /// What it asks for.
    pub wishes: Wishes,
    /// Which part of its group it is, if it is one.
    pub part: Option<Part>,
}

/// Takes one message apart; costs about a millisecond a megabyte of payload.
pub fn take_apart(message: &Message) -> Told {
    let message = message.apart();
    match message.request() {
        Ok(spoken) => Told {
            dialect: spoken.dialect,
            id: spoken.id,
            wanted: want(spoken.request),
        },
        Err(error) => {
            let (dialect, id) = answer_to(message.words());
            Told {
                dialect,
                id,
                wanted: Err(error),
            }
        }
    }
}

fn want(request: Request<'_>) -> Result<Wanted, WireError> {
    Ok(match request {
        Request::Register {
            peer_id,
            address,
            ours,
        } => Wanted::Register(peer_id, introduction(address, ours)),
        Request::Heartbeat { peer_id } => Wanted::Heartbeat(peer_id),
        Request::RequestTask {
            peer_id,
            wait_ms,
            spare,
            count,
        } => Wanted::Task(
            peer_id,
            Wish {
                wait: Duration::from_millis(wait_ms.unwrap_or(0).into()),
                is_spare: spare,
                count,
            },
        ),
        Request::SubmitResult {
            peer_id,
            result_name,
            result_data,
            task_id,
            attempt,
            sha256,
            outcome,
        } => {
            let unsaid = Outcome {
                ending: Ending::Unsaid,
                took: Duration::ZERO,
                peak_rss: None,
            };
            let claim = Claim {
                attempt: task_id.zip(attempt),
                name: result_name.map(Into::into),
            };
            let archive = whole(&result_data, sha256)?;
            Wanted::HandIn(
                peer_id,
                HandIn {
                    claim,
                    archive,
                    outcome: outcome.unwrap_or(unsaid),
                },
            )
        }
        Request::Output {
            peer_id,
            task_id,
            attempt,
            stream,
            offset,
            printed,
        } => {
            let bytes = printed.decode()?;
            let piece = Piece {
                stream,
                offset,
                bytes,
            };
            Wanted::Output(peer_id, (task_id, attempt), bounded(piece)?)
        }
        Request::Leave { peer_id } => Wanted::Leave(peer_id),
        Request::ListPeers => Wanted::PeerIds,
        Request::GetPeerInfo { target_peer_id } => Wanted::PeerAddress(target_peer_id),
        Request::Status => Wanted::Status,
        Request::Peers => Wanted::Peers,
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
        } => Wanted::NewTask(NewTask {
            name: TaskName::tamed(&task_name),
            archive: whole(&task_data, sha256)?,
            group: group.as_deref().map(group_of).transpose()?,
            wishes: Wishes {
                time_limit: time_limit_s.map(|seconds| Duration::from_secs(seconds.into())),
                retries,
                priority: priority.unwrap_or(0),
                max_fails,
                after,
                max_running,
            },
            part,
        }),
        Request::OpenGroup { name } => Wanted::NewGroup(TaskName::tamed(&name)),
        Request::ListTasks {
            sought,
            before,
            limit,
        } => Wanted::Tasks(sought, before, rows(limit)),
        Request::ListGroups { before, limit } => {
            Wanted::Groups(before.map(Into::into), rows(limit))
        }
        Request::GroupStatus { group, why } => Wanted::GroupStatus(group.into_owned(), why),
        Request::GroupGathered { group } => Wanted::Gathered(group.into_owned()),
        Request::CancelGroup { group, reason } => {
            Wanted::CancelGroup(group.into_owned(), reason.map(Into::into))
        }
        Request::DrainPeer { peer_id, undo } => Wanted::Drain(peer_id, !undo),
        Request::RetryTask { task_id } => Wanted::RetryTask(task_id),
        Request::RetryGroup { group, states } => Wanted::RetryGroup(group.into_owned(), states),
        Request::CancelTasks {
            sought,
            reason,
            from,
        } => Wanted::CancelSome(sought, reason.map(Into::into), from),
        Request::RetryTasks { sought, from } => Wanted::RetrySome(sought, from),
        Request::TaskStatus { task, why } => Wanted::TaskStatus(task, why),
        Request::FetchResult { task_id } => Wanted::Result(task_id),
        Request::CancelTask { task_id, reason } => Wanted::Cancel(task_id, reason.map(Into::into)),
        Request::Unknown { action } => Wanted::Unknown(action.into_owned()),
    })
}

/// What was printed, if it is no longer than may be told at a time and where it stands can be counted.
fn bounded(piece: Piece) -> Result<Piece, WireError> {
    let wrong = |field, wanted| Err(WireError::Field { field, wanted });
    if piece.bytes.len() > PIECE_MAX {
        return wrong("printed", "the base64 of at most 32768 bytes");
    }
    if piece.end() > STREAM_MAX {
        return wrong("offset", "at most 2^53-1, with the bytes that were printed");
    }
    Ok(piece)
}

/// How many rows are listed at most, if so many are asked for.
fn rows(limit: Option<u32>) -> usize {
    let limit = limit.and_then(|limit| usize::try_from(limit).ok());
    limit.map_or(LIST_ROWS_MAX, |limit| limit.min(LIST_ROWS_MAX))
}

fn introduction(address: Option<Address<'_>>, ours: Option<PeerOffer<'_>>) -> Introduction {
    let (host, port) = address.map_or((None, None), |address| (address.host, Some(address.port)));
    Introduction {
        host: host.map(Into::into),
        port,
        ours: ours.map(|ours| Ours {
            named: Extensions::named(&ours.capabilities),
            boot: ours.boot_id,
            agent: ours.agent.into(),
            slots: ours.slots,
            holds: ours.holds,
        }),
    }
}

fn group_of(said: &str) -> Result<Arc<str>, WireError> {
    match is_group_name(said) {
        true => Ok(said.into()),
        false => Err(WireError::Field {
            field: "group",
            wanted: GROUP_NAME_WANTED,
        }),
    }
}

/// The payload's bytes, which must be those that were hashed before they were sent.
fn whole(data: &Payload<'_>, sha256: Option<Digest>) -> Result<Archive, WireError> {
    let archive = Archive::new(data.decode()?);
    match sha256 {
        Some(said) if said != archive.digest() => Err(WireError::Damaged),
        _ => Ok(archive),
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;
    use serde_json::json;

    use super::*;
    use crate::wire::parse_request;

    /// What is wanted with so many bytes that were printed behind so many.
    fn output(offset: u64, length: usize) -> Result<Wanted, WireError> {
        let printed = BASE64_STANDARD.encode(vec![b'x'; length]);
        let request = json!({
            "action": "OUTPUT", "peer_id": "p", "task_id": TaskId::new(), "attempt": 1, "stream": "stdout",
            "offset": offset, "printed": printed,
        });
        want(
            parse_request(request.to_string().as_bytes())
                .unwrap()
                .request,
        )
    }

    #[test]
    fn what_was_printed_is_taken_where_it_can_be_counted_and_in_pieces_alone() {
        assert!(output(0, 0).is_ok() && output(STREAM_MAX, 0).is_ok());
        let most = STREAM_MAX - PIECE_MAX as u64;
        assert!(output(most, PIECE_MAX).is_ok());
        for (offset, length, wrong) in [
            (most + 1, PIECE_MAX, "offset"),
            (STREAM_MAX, 1, "offset"),
            (u64::MAX, 1, "offset"),
            (0, PIECE_MAX + 1, "printed"),
        ] {
            let refused = output(offset, length).unwrap_err();
            assert_eq!(refused.code(), "bad_field");
            assert!(refused.to_string().contains(wrong), "{refused}");
        }
    }
}
