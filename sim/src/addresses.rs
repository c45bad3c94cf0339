//! Who is in a simulated cluster: each is a host of that name.

/// The addresses on which the master may be.
pub const MASTERS: [&str; 2] = ["master-a", "master-b"];
/// The peers; the last one is sometimes a stranger.
pub const PEERS: [&str; 4] = ["peer-1", "peer-2", "peer-3", "stranger"];
/// Who hands tasks in.
pub const SUBMITTER: &str = "submitter";
