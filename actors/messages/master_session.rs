//! What a peer's master session hears: the peer's end of the wire.

use std::net::SocketAddr;

use serde::Serialize;

use super::ReplyTo;
use crate::model::{Archive, Attempt, Both, Dialect, Outcome, Piece, TaskId};

inbox! {
    /// What the peer's end of the wire hears.
    MasterSessionInbox with MasterSessionEars hears {
        MasterFound,
        RunEnded,
        PrintedSeen,
        DescribePeerSelf,
        LeaveMaster,
    }
}

/// A master answered; addresses in the order in which to try them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MasterFound {
    /// How it calls itself, or its address.
    pub name: String,
    /// The announced address and the datagram's source, the likelier one first.
    pub addresses: Vec<SocketAddr>,
    /// The words in which it spoke.
    pub dialect: Dialect,
}

/// A run ended; its result is to be handed in.
#[derive(Debug, Serialize)]
pub struct RunEnded {
    /// Which task.
    pub task: TaskId,
    /// Which try.
    pub attempt: Attempt,
    /// How.
    pub outcome: Outcome,
    /// The result ZIP.
    pub result: Archive,
}

/// What was seen of what a run has printed.
#[derive(Debug, Serialize)]
pub struct PrintedSeen {
    /// Which task.
    pub task: TaskId,
    /// Which try.
    pub attempt: Attempt,
    /// What; nothing of a run that has not begun, or is not known any more.
    pub seen: Option<Both<Piece>>,
}

/// Somebody asks on this peer's own port what it is doing.
#[derive(Debug, Serialize)]
pub struct DescribePeerSelf {
    /// Who asks.
    pub reply: ReplyTo,
}

/// The program stops: take no more tasks, hand in what runs, say goodbye.
#[derive(Debug, Serialize)]
pub struct LeaveMaster {
    /// Stop what runs instead of waiting for it.
    pub now: bool,
}
