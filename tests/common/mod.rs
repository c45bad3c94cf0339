//! What the integration tests share: a LAN of network namespaces, folders and programs to watch, task ZIPs.
#![allow(dead_code, reason = "each test crate uses its part of this")]
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

pub mod archives;
pub mod desk;
pub mod http;
pub mod lan;
pub mod namespace;
pub mod ours;
pub mod program;
pub mod speakers;

use std::time::Duration;

/// How long a test waits for what is to come: enough for the slowest machine, and one that passes does not wait for it.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// How often a condition that nothing announces (a file, a process list) is looked at.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Waits until the condition holds; panics with `what` when it does not hold `within` this long.
#[track_caller]
pub fn wait_until(what: &str, within: Duration, mut condition: impl FnMut() -> bool) {
    let looks = within.as_millis() / POLL_INTERVAL.as_millis();
    for _ in 0..looks {
        if condition() {
            return;
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "a test thread that polls blocks nobody"
        )]
        std::thread::sleep(POLL_INTERVAL);
    }
    assert!(condition(), "not within {within:?}: {what}");
}
