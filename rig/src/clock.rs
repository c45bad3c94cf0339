//! Harnesses wait on other processes, so they read the clock and sleep: here and nowhere else.

use std::time::{Duration, Instant};

/// How often a condition that nothing announces (a file, a port) is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// The time.
#[expect(clippy::disallowed_methods, reason = "real processes run in real time")]
pub fn now() -> Instant {
    Instant::now()
}

/// Lets time pass.
#[expect(
    clippy::disallowed_methods,
    reason = "a harness thread that waits blocks nobody"
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
