//! How long the rest of a group will take, judged from its own parts.
//!
//! Rule: what was done lately tells best what comes next, for peers come and go. How sure that is follows from how many parts
//! were seen to end: a few could have been the quick ones.

use std::collections::VecDeque;
use std::time::Duration;

/// Looks at which something had ended that are remembered: half a minute at least, or the last parts of long ones.
const LOOKS_MAX: usize = 150;
/// Parts that must have been seen to end before anything is said.
const SEEN_MIN: u64 = 3;
/// Of ten such times eight lie within the range: that many deviations of a normal distribution to either side.
const DEVIATIONS: f64 = 1.28;
/// A time longer than this is none: the work stands still.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// How many parts had ended, and when.
#[derive(Debug, Clone, Default)]
pub struct Pace {
    looks: VecDeque<(Duration, u64)>,
}

/// How long the rest takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    /// At least, probably.
    pub low: Duration,
    /// As far as can be told.
    pub likely: Duration,
    /// At most, probably.
    pub high: Duration,
}

impl Pace {
    /// So many had ended at this time; times never go back.
    pub fn see(&mut self, ended: u64, at: Duration) {
        // A retry takes back what had ended: what was seen before tells nothing of that.
        if self.looks.back().is_some_and(|(_, last)| ended < *last) {
            self.looks.clear();
        }
        if self.looks.back().is_none_or(|(_, last)| ended > *last) {
            self.looks.push_back((at, ended));
        }
        if self.looks.len() > LOOKS_MAX {
            self.looks.pop_front();
        }
    }

    /// How long so many more will take from now on; nothing as long as too little is known.
    pub fn left(&self, parts: u64, now: Duration) -> Option<Estimate> {
        let (since, before) = *self.looks.front()?;
        let (_, ended) = *self.looks.back()?;
        let seen = ended - before;
        let took = now.checked_sub(since)?;
        if seen < SEEN_MIN || parts == 0 || took.is_zero() {
            return None;
        }
        // Ends of parts come as chance will have it, at some rate: that of seen ones is off by one part in the root of their number,
        // and so is the time that those take which are left.
        let (seen, parts) = (seen as f64, parts as f64);
        let likely = took.as_secs_f64() * parts / seen;
        let off = (DEVIATIONS * (1.0 / seen + 1.0 / parts).sqrt()).exp();
        let time = |seconds: f64| {
            Duration::try_from_secs_f64(seconds)
                .ok()
                .filter(|time| *time < LONGEST)
        };
        Some(Estimate {
            low: time(likely / off)?,
            likely: time(likely)?,
            high: time(likely * off)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// One that saw a part end every so many seconds, from 0 on.
    fn steady(parts: u64, every: u64) -> Pace {
        let mut pace = Pace::default();
        for ended in 0..=parts {
            pace.see(ended, seconds(ended * every));
        }
        pace
    }

    #[test]
    fn a_steady_pace_goes_on() {
        let left = steady(100, 2).left(50, seconds(200)).unwrap();
        assert_eq!(left.likely, seconds(100));
        assert!(left.low < left.likely && left.likely < left.high);
    }

    #[test]
    fn nothing_is_said_before_some_parts_were_seen_to_end() {
        assert_eq!(Pace::default().left(5, seconds(9)), None);
        assert_eq!(steady(2, 1).left(5, seconds(2)), None);
        // Those that had ended before it looked are not seen to end.
        let mut pace = Pace::default();
        pace.see(1000, seconds(5));
        assert_eq!(pace.left(5, seconds(9)), None);
    }

    #[test]
    fn the_more_were_seen_the_narrower_it_is() {
        let wide = |pace: Pace, now| {
            let left = pace.left(1000, seconds(now)).unwrap();
            left.high.as_secs_f64() / left.low.as_secs_f64()
        };
        assert!(wide(steady(100, 1), 100) < wide(steady(10, 1), 10));
    }

    #[test]
    fn a_pace_that_has_changed_is_noticed() {
        let mut pace = steady(LOOKS_MAX as u64, 10);
        let begun = LOOKS_MAX as u64;
        for more in 1..=begun {
            pace.see(begun + more, seconds(10 * begun + more));
        }
        let left = pace.left(60, seconds(11 * begun)).unwrap();
        assert!(left.likely <= seconds(61), "{left:?}");
    }

    #[test]
    fn while_nothing_ends_the_estimate_grows() {
        let pace = steady(10, 1);
        let (soon, late) = (pace.left(5, seconds(10)), pace.left(5, seconds(100)));
        assert!(soon.unwrap().likely < late.unwrap().likely);
    }

    #[test]
    fn what_is_taken_back_begins_anew() {
        let mut pace = steady(10, 1);
        pace.see(4, seconds(11));
        assert_eq!(pace.left(5, seconds(12)), None);
    }

    proptest! {
        #[test]
        fn whatever_was_seen_the_range_holds_the_estimate(
            looks in prop::collection::vec((0..u64::MAX / 2, 0..1_000_000_u64), 0..300),
            parts: u64,
        ) {
            let mut pace = Pace::default();
            let mut now = Duration::ZERO;
            for (ended, pause) in looks {
                now += Duration::from_millis(pause);
                pace.see(ended, now);
            }
            if let Some(left) = pace.left(parts, now) {
                prop_assert!(left.low <= left.likely && left.likely <= left.high);
                prop_assert!(left.high < LONGEST);
            }
            prop_assert!(pace.looks.len() <= LOOKS_MAX);
        }
    }
}
