//! What a peer's discovery hears: finds a master.

use std::net::SocketAddr;

use serde::Serialize;

inbox! {
    /// What discovery hears on a peer.
    DiscoveryInbox with DiscoveryEars hears {
        SeekMaster,
        StopSeeking,
    }
}

/// The peer has no master: look for one until told to stop.
#[derive(Debug, Serialize)]
pub struct SeekMaster {
    /// Addresses that just failed: taken again only if there is no other.
    pub failed: Vec<SocketAddr>,
}

/// The peer has a master.
#[derive(Debug, Serialize)]
pub struct StopSeeking {}
