//! The steps on this machine.

use std::io;
use std::path::Path;

use super::{Name, Step, Went};
use crate::runner::Interpreter;
use crate::runner::InterpreterError;

/// Seconds of difference that nobody minds: the answer took a moment, and is told in whole seconds.
const CLOCK_WELL_S: u64 = 5;
/// Seconds from which times in logs and results cannot be set beside each other any more.
const CLOCK_FAILED_S: u64 = 60;
/// Free bytes below which not even one task of the largest size fits with its result.
const DISK_FAILED: u64 = 128 << 20;
/// Free bytes below which a task that unpacks to all that it may does not fit.
const DISK_DOUBTFUL: u64 = 1 << 30;

/// Whether the master's clock, by the time in its answer, is that of this machine; so many seconds ahead of it.
pub fn clock(ahead_s: i64) -> Step {
    let step = Name::Clock;
    let off = ahead_s.unsigned_abs();
    let side = if ahead_s > 0 { "behind" } else { "ahead of" };
    let said = format!("this machine is {off} s {side} the master");
    match off {
        0..=CLOCK_WELL_S => Step::well(step, format!("within {CLOCK_WELL_S} s of the master's")),
        _ => {
            let went = match off {
                ..CLOCK_FAILED_S => Went::Doubtful,
                _ => Went::Failed,
            };
            let helps = vec![
                "on the one that is wrong (`date` tells): sudo timedatectl set-ntp true".into(),
            ];
            Step::new(step, went, said, helps)
        }
    }
}

/// Whether there is a Python that runs scripts.
pub fn python(found: &Result<Interpreter, InterpreterError>) -> Step {
    let step = Name::Python;
    match found {
        Ok(found) => {
            let said = format!("{} at {}", found.version, found.path.display());
            Step::well(step, said)
        }
        Err(error) => {
            let helps = vec![
                "sudo apt install python3 (or: sudo dnf install python3)".into(),
                "mutirao peer --python PATH names one".into(),
            ];
            Step::new(step, Went::Failed, error.to_string(), helps)
        }
    }
}

/// Whether there is room where scripts would run.
pub fn disk(folder: &Path, free: &io::Result<u64>) -> Step {
    let step = Name::Disk;
    let folder = folder.display();
    let helps = || {
        vec![
            format!("df -h {folder} shows the disk; make room on it"),
            "or start the peer in a folder on another disk".into(),
        ]
    };
    match free {
        Ok(free) => {
            let said = format!("{} free in {folder}", amount(*free));
            match *free {
                0..DISK_FAILED => Step::new(step, Went::Failed, said, helps()),
                DISK_FAILED..DISK_DOUBTFUL => Step::new(step, Went::Doubtful, said, helps()),
                _ => Step::well(step, said),
            }
        }
        Err(error) => {
            let said = format!("the disk of {folder} does not tell what is free: {error}");
            Step::new(step, Went::Doubtful, said, helps())
        }
    }
}

/// `512 MiB`, `3.5 GiB`.
fn amount(bytes: u64) -> String {
    match bytes >> 20 {
        mib @ 0..1024 => format!("{mib} MiB"),
        mib => format!("{}.{} GiB", mib >> 10, (mib % 1024) * 10 / 1024),
    }
}
