//! How many lines of one kind are shown: whoever can make us write a line can make us write a million.
//!
//! Rule: lines of one kind come from one place in the code. So many of them are shown in a minute; that more are left
//! out is said at once, and how many there were before the next is shown. What is asked for with `-v` is not bounded.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use mutirao_actors::clock::Clock;
use mutirao_actors::model::Moment;
use tracing::callsite::Identifier;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// Warnings of one kind in one [`MINUTE`]: enough to see what is wrong, and a day of a flood stays under 6 MB.
const WARNINGS_MAX: u64 = 20;
/// News of one kind in one [`MINUTE`]: ten a second, which is more than anybody reads.
const NEWS_MAX: u64 = 600;
/// For how long lines are counted together.
const MINUTE: Duration = Duration::from_secs(60);

/// Leaves out what is too much.
#[derive(Debug)]
pub struct Bounded {
    clock: Clock,
    /// As many as there are places in the code that write lines.
    kinds: Mutex<HashMap<Identifier, Count>>,
}

/// The lines of one kind in the minute that began with the first of them.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    until: Moment,
    lines: u64,
}

/// What becomes of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Shown,
    /// This many were left out before it.
    ShownAfter(u64),
    /// Those after it are left out.
    ShownLast,
    LeftOut,
}

impl Bounded {
    /// Nothing was written yet.
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            kinds: Mutex::default(),
        }
    }
}

impl Count {
    fn add(&mut self, most: u64, now: Moment) -> Fate {
        let mut left_out = 0;
        if now >= self.until {
            left_out = self.lines.saturating_sub(most);
            *self = Self {
                until: now.after(MINUTE),
                lines: 0,
            };
        }
        self.lines += 1;
        match self.lines {
            1 if left_out > 0 => Fate::ShownAfter(left_out),
            lines if lines < most => Fate::Shown,
            lines if lines == most => Fate::ShownLast,
            _ => Fate::LeftOut,
        }
    }
}

impl<S: Subscriber> Layer<S> for Bounded {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        let kind = event.metadata();
        let most = match *kind.level() {
            Level::ERROR | Level::WARN => WARNINGS_MAX,
            Level::INFO => NEWS_MAX,
            _ => return true,
        };
        // What is said here about other lines is at most two for a kind and minute.
        if kind.target() == module_path!() {
            return true;
        }
        let fate = {
            let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
            let count = kinds.entry(kind.callsite()).or_default();
            count.add(most, self.clock.now())
        };
        match fate {
            Fate::Shown => true,
            Fate::ShownAfter(left_out) => {
                tracing::warn!(left_out, "lines like the next were left out");
                true
            }
            Fate::ShownLast => {
                tracing::warn!("more lines like the next are left out for a minute");
                true
            }
            Fate::LeftOut => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Moment = Moment(5);

    #[test]
    fn what_is_too_much_for_a_minute_is_left_out_and_counted() {
        let mut count = Count::default();
        let mut fates =
            |lines: u64, now| -> Vec<_> { (0..lines).map(|_| count.add(2, now)).collect() };
        let first = [Fate::Shown, Fate::ShownLast, Fate::LeftOut, Fate::LeftOut];
        assert_eq!(fates(4, START), first);
        let later = START.after(MINUTE);
        assert_eq!(fates(2, later), [Fate::ShownAfter(2), Fate::ShownLast]);
        assert_eq!(fates(1, later.after(MINUTE)), [Fate::Shown]);
    }

    #[test]
    fn a_flood_of_one_kind_leaves_the_others_their_lines() {
        use tracing_subscriber::layer::SubscriberExt as _;

        let written = std::sync::Arc::new(Mutex::new(Vec::new()));
        let file = {
            let written = std::sync::Arc::clone(&written);
            move || Lines(std::sync::Arc::clone(&written))
        };
        let lines = tracing_subscriber::fmt::layer().with_writer(file);
        let subscriber = tracing_subscriber::registry()
            .with(Bounded::new(Clock::start()))
            .with(lines);
        tracing::subscriber::with_default(subscriber, || {
            for _ in 0..10_000 {
                tracing::warn!("flood");
            }
            tracing::warn!("other");
        });
        let written = String::from_utf8(written.lock().unwrap().clone()).unwrap();
        assert_eq!(written.matches("flood").count() as u64, WARNINGS_MAX);
        assert_eq!(written.matches("other").count(), 1);
    }

    struct Lines(std::sync::Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
}
