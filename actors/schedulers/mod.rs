//! Ways to order the queue. Users add theirs here: one file, one `mod` line and one row in [`SCHEDULERS`].
//!
//! Rule: `--scheduler NAME` and its help read this table; a policy takes a few lines (see `fifo.rs`), a
//! whole actor a few more (see `spread.rs`).

mod fair;
mod fifo;
mod priority;
mod shortest;
mod spread;

pub use fair::Fair;
pub use fifo::Fifo;
pub use priority::Priority;
pub use shortest::Shortest;
pub use spread::Spread;

use crate::messages::SchedulerInbox;
use crate::scheduler::{Cast, Scheduler};

/// One way to order the queue.
#[derive(Debug)]
pub struct Entry {
    /// What `--scheduler` is given.
    pub name: &'static str,
    /// What its help says.
    pub help: &'static str,
    /// Starts it.
    pub start: fn(Cast) -> SchedulerInbox,
}

/// Every scheduler; the first is the default.
pub const SCHEDULERS: &[Entry] = &[
    Entry {
        name: "fifo",
        help: "in the order of arrival",
        start: |cast| Scheduler::start(Fifo, cast),
    },
    Entry {
        name: "priority",
        help: "the highest priority of task.toml first",
        start: |cast| Scheduler::start(Priority, cast),
    },
    Entry {
        name: "fair",
        help: "submitters and task groups take turns",
        start: |cast| Scheduler::start(Fair::default(), cast),
    },
    Entry {
        name: "shortest",
        help: "code that took the least time in earlier runs first",
        start: |cast| Scheduler::start(Shortest::default(), cast),
    },
    Entry {
        name: "spread",
        help: "the machine that runs the fewest tasks first",
        start: Spread::start,
    },
];

/// The scheduler of this name.
pub fn named(name: &str) -> Option<&'static Entry> {
    SCHEDULERS.iter().find(|entry| entry.name == name)
}
