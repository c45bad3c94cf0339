//! A stopwatch on real processes: the only place of the bench program that reads the clock and sleeps.

use std::time::{Duration, Instant};

/// How often a condition that nothing announces is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// The time.
#[expect(
    clippy::disallowed_methods,
    reason = "real processes are measured in real time"
)]
pub fn now() -> Instant {
    Instant::now()
}

/// Lets time pass.
#[expect(
    clippy::disallowed_methods,
    reason = "nothing else runs in the thread that waits for a child"
)]
pub fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// Waits for the condition; whether it came to hold `within` this long.
pub fn until(within: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let end = now() + within;
    loop {
        if condition() {
            return true;
        }
        if now() >= end {
            return false;
        }
        pause(LOOK_EVERY);
    }
}
