//! `now()`: the one place where time is read, so that a test or a simulated host can move it.

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::model::Moment;

/// A clock that only moves forward, and the wall time at which it was started.
///
/// Decisions use [`Clock::now`]; the wall time is for people to read and may be wrong by years
/// without changing any outcome (promise R10).
#[derive(Debug, Clone)]
pub struct Clock {
    started: Instant,
    wall_at_start: Timestamp,
}

impl Clock {
    /// A clock that reads zero now; inside a paused tokio runtime it follows the paused time.
    pub fn start() -> Self {
        Self::at(Timestamp::now())
    }

    /// The same with another wall time: one that is wrong, or the same in every run.
    #[expect(clippy::disallowed_methods, reason = "this is the home of the clock")]
    pub fn at(wall: Timestamp) -> Self {
        Self {
            started: Instant::now(),
            wall_at_start: wall,
        }
    }

    /// The time since the start.
    #[expect(clippy::disallowed_methods, reason = "this is the home of the clock")]
    pub fn now(&self) -> Moment {
        Moment::default().after(Instant::now().duration_since(self.started))
    }

    /// What a wall clock that was right at the start and never adjusted shows at this moment.
    pub fn wall(&self, moment: Moment) -> Timestamp {
        let micros = i64::try_from(moment.0).unwrap_or(i64::MAX);
        let passed = SignedDuration::from_micros(micros);
        let wall = self.wall_at_start.checked_add(passed);
        wall.unwrap_or(Timestamp::MAX)
    }
}
