//! The benches, one file each: what is measured, beside which baseline, and what is to be reached.

mod cycles;
mod idle_peers;
mod latency;
mod log;
mod megabytes;
mod queued;
mod running;
mod script;
mod sides;
mod waiting_peers;

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
pub const BENCHES: [Bench; 11] = [
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
        about: "megabytes handed out and in, 1 MB ZIPs as base64",
        run: megabytes::json,
    },
    Bench {
        name: "mb-raw",
        about: "the same with ZIPs behind their messages",
        run: megabytes::raw,
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
    Bench {
        name: "queued",
        about: "memory, hand-out rate and restart with a long queue",
        run: queued::run,
    },
    Bench {
        name: "running",
        about: "memory of a task that runs, at the master and at a peer",
        run: running::run,
    },
    Bench {
        name: "idle-peers",
        about: "memory, CPU and hand-out latency with thousands of idle peers",
        run: idle_peers::run,
    },
    Bench {
        name: "waiting-peers",
        about: "the same with a request open at each, and the arrival of tasks at them",
        run: waiting_peers::run,
    },
    Bench {
        name: "log",
        about: "cycles with the message log's file, beside its ring alone",
        run: log::run,
    },
];
