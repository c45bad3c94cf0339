//! What the master's heartbeat watch hears: whose silence means something.

use serde::Serialize;

use super::PeerHeard;
use crate::model::Endpoint;

inbox! {
    /// What the heartbeat watch hears.
    HeartbeatInbox with HeartbeatEars hears {
        PeerHeard,
        ForgetPeer,
    }
}

/// The peer has left: its silence means nothing any more.
#[derive(Debug, Serialize)]
pub struct ForgetPeer {
    /// Who and which life.
    pub endpoint: Endpoint,
}
