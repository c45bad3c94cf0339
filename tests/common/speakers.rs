//! The programs of `tests/speakers/`, and the manners that the groups' programs have.

use std::time::Duration;

use super::lan::Host;
use super::program::Program;

/// Bound of every wait: far more than anything here takes, so that a busy machine fails nothing.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A dialect with the manners that its group's programs have.
pub struct Manners {
    /// The name of the dialect.
    pub dialect: &'static str,
    /// What its masters do, as arguments of `master.py`, split at spaces.
    pub master: &'static str,
    /// What its peers do, as arguments of `peer.py`.
    pub peer: &'static str,
    /// The name under which its peers hand in the result of `sum.zip`.
    pub result: &'static str,
}

/// Every dialect, and between them every manner of section 2 and 3 of the protocol.
pub const GROUPS: [Manners; 5] = [
    Manners {
        dialect: "flat",
        master: "--empty no_task_message --keep-open",
        peer: "--empty no_task_message --style one-connection",
        result: "sum.zip",
    },
    Manners {
        dialect: "flat",
        master: "--empty silence --close-after-reply --delimiter newline",
        peer: "--recv 65536 --result-name zip_result",
        result: "sum.zip_result.zip",
    },
    Manners {
        dialect: "flat",
        master: "--empty no_tasks --style one-recv --string-ports",
        peer: "--empty no_tasks --recv 8192 --result-name result_",
        result: "result_sum.zip",
    },
    Manners {
        dialect: "envelope",
        master: "--close-after-reply --tcp 55000",
        peer: "--result-name results_ --slot-silent --string-ports",
        result: "results_sum.zip",
    },
    Manners {
        dialect: "super-peer",
        master: "--keep-open --tcp 50000",
        peer: "--style one-connection --also-asks",
        result: "sum.zip",
    },
];

/// Starts `peer.py` or `master.py` on the host; the arguments are split at spaces.
pub fn speaker(host: &Host, program: &str, dialect: &str, arguments: &str) -> Program {
    let script = format!("{}/tests/speakers/{program}.py", env!("CARGO_MANIFEST_DIR"));
    let mut command = host.command("python3");
    command
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .args([&script, "--dialect", dialect, "--lifetime", "300"])
        .args(arguments.split_whitespace());
    Program::spawn(&format!("{dialect} {program}"), &mut command)
}

/// Whether a line tells of this event.
pub fn event(name: &str) -> impl Fn(&str) -> bool {
    let start = format!(r#"{{"event": "{name}""#);
    move |line| line.starts_with(&start)
}

/// A master of this dialect that serves already.
pub fn serving(host: &Host, dialect: &str, arguments: &str) -> Program {
    let master = speaker(host, "master", dialect, arguments);
    master.wait_line(event("serving"), PATIENCE);
    master
}
