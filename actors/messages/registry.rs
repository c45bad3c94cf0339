//! What the master's registry hears: who is in the cluster.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::Serialize;

use super::ReplyTo;
use crate::model::{Attempt, Endpoint, PeerId, SessionId, TaskId};

inbox! {
    /// What the registry hears.
    RegistryInbox with RegistryEars hears {
        PeerRegistered,
        PeerHeard,
        PeerSaidGoodbye,
        PeerFellSilent,
        ListPeers,
        DescribePeer,
    }
}

/// A peer introduced itself.
#[derive(Debug, Serialize)]
pub struct PeerRegistered {
    /// Who and which life.
    pub endpoint: Endpoint,
    /// The connection on which it did.
    pub session: SessionId,
    /// The address from which it did.
    pub from: IpAddr,
    /// Where it says that it listens.
    pub listens: Option<SocketAddr>,
    /// What it says it is: program and version.
    pub agent: Option<String>,
    /// How many tasks it runs at a time; none: it is about to leave.
    pub slots: u32,
    /// The tries that a peer of ours holds; none from others, who do not say.
    pub holds: Option<Vec<(TaskId, Attempt)>>,
    /// Where the welcome goes.
    pub reply: ReplyTo,
}

/// Any other word of a peer: it lives. Told at most once a second for each session.
#[derive(Debug, Clone, Serialize)]
pub struct PeerHeard {
    /// Who and which life.
    pub endpoint: Endpoint,
    /// Whether it was a HEARTBEAT: only these show the interval that the peer keeps.
    pub beat: bool,
}

/// A peer of ours leaves on purpose.
#[derive(Debug, Serialize)]
pub struct PeerSaidGoodbye {
    /// Who and which life.
    pub endpoint: Endpoint,
    /// On which connection.
    pub session: SessionId,
}

/// Nothing came from a peer for its whole liveness window.
#[derive(Debug, Serialize)]
pub struct PeerFellSilent {
    /// Who and which life.
    pub endpoint: Endpoint,
    /// How long nothing had come.
    pub silent_for: Duration,
}

/// Somebody wants to know who is here.
#[derive(Debug, Serialize)]
pub struct ListPeers {
    /// Who asks.
    pub reply: ReplyTo,
}

/// Somebody wants to know about one peer.
#[derive(Debug, Serialize)]
pub struct DescribePeer {
    /// About whom.
    pub peer: PeerId,
    /// Who asks.
    pub reply: ReplyTo,
}
