//! When something was, for readers alone: no decision looks at it (promise R10).

use jiff::Timestamp;

use super::record::Remembered;
use crate::model::Moment;

/// When something was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum When {
    /// Nobody knows.
    #[default]
    Unknown,
    /// At this moment of the present life.
    Here(Moment),
    /// So many milliseconds after 1970 began, as the clock on the wall showed in an earlier life.
    Earlier(i64),
}

/// When a task was run, and ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Times {
    /// When its newest try began.
    pub began: When,
    /// When it ended, if it has.
    pub ended: When,
}

impl Times {
    /// Of a task that was never handed out, and is open.
    pub const UNKNOWN: Self = Self {
        began: When::Unknown,
        ended: When::Unknown,
    };

    /// What an earlier life wrote down.
    pub fn earlier(remembered: &Remembered) -> Self {
        let when = |at_ms: Option<i64>| at_ms.map_or(When::Unknown, When::Earlier);
        Self {
            began: when(remembered.began_at),
            ended: when(remembered.ended_at),
        }
    }
}

impl When {
    /// The same on the wall, where `wall` tells what a moment of this life is there.
    pub fn on_wall(self, wall: impl Fn(Moment) -> Timestamp) -> Option<Timestamp> {
        match self {
            Self::Unknown => None,
            Self::Here(moment) => Some(wall(moment)),
            Self::Earlier(at_ms) => Timestamp::from_millisecond(at_ms).ok(),
        }
    }
}
