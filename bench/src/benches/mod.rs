//! The benches, one file each: what is measured, beside which baseline, and what is to be reached.

mod cycles;
mod latency;
mod megabytes;
mod script;
mod sides;

use crate::figure::Figure;
use crate::stage::Stage;

/// Something that can be measured.
pub struct Bench {
    /// What it is called.
    pub name: &'static str,
    /// What it measures, in a line.
    pub about: &'static str,
    /// Measures it.
    pub run: fn(&Stage) -> anyhow::Result<Vec<Figure>>,
}

/// Every bench, in the order in which they run.
pub const BENCHES: [Bench; 5] = [
    Bench {
        name: "cycles",
        about: "request + submit cycles, 1 KB ZIPs, 64 peers with lasting connections",
        run: cycles::lasting,
    },
    Bench {
        name: "cycles-oneshot",
        about: "the same with a connection for each message, from sixteen addresses",
        run: cycles::oneshot,
    },
    Bench {
        name: "mb",
        about: "megabytes handed out and in, 1 MB ZIPs",
        run: megabytes::run,
    },
    Bench {
        name: "script",
        about: "the example script from end to end, 2 slots, and the peer's own CPU a task",
        run: script::run,
    },
    Bench {
        name: "latency",
        about: "from a task's arrival to its script's first line, idle peer",
        run: latency::run,
    },
];
