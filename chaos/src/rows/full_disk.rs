//! `full-disk`: no space, no inodes, read-only, and then again as it should be.

use std::time::Duration;

use anyhow::ensure;
use mutirao_rig::clock;

use crate::checker::Counts;
use crate::client::Client;
use crate::disks::Disk;
use crate::lanes::lanes;
use crate::rows::Row;
use crate::scope::{Scope, Verdict, quantiles};
use crate::trial::Trial;
use crate::worker::Worker;

/// Tasks of a trial, and the bytes of a result: together more than any of the disks takes.
const TASKS: u64 = 40;
/// Bytes of noise in a result.
const RESULT: usize = 300_000;
/// When no result arrived for so long, the disk counts as full.
const FULL_AFTER: Duration = Duration::from_secs(3);
/// How soon results must arrive again when the disk takes them (promise R6).
const RESUME_WITHIN: Duration = Duration::from_secs(10);
/// How long anything else may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is wrong with which disk.
struct Case {
    name: &'static str,
    /// Below the master's folder.
    place: &'static str,
    bad: &'static str,
    good: &'static str,
    /// Whether it is good at first and turns bad under load.
    turns: bool,
}

const CASES: [Case; 5] = [
    Case {
        name: "no-space-anywhere",
        place: "",
        bad: "size=8m",
        good: "size=64m",
        turns: false,
    },
    Case {
        name: "no-space-for-records",
        place: ".mutirao",
        bad: "size=700k",
        good: "size=64m",
        turns: false,
    },
    Case {
        name: "no-space-for-results",
        place: "results",
        bad: "size=4m",
        good: "size=64m",
        turns: false,
    },
    Case {
        name: "no-inodes-for-results",
        place: "results",
        bad: "nr_inodes=12,size=64m",
        good: "nr_inodes=1000,size=64m",
        turns: false,
    },
    Case {
        name: "read-only-results",
        place: "results",
        bad: "ro",
        good: "rw",
        turns: true,
    },
];

/// The row.
pub const ROW: Row = Row {
    name: "full-disk",
    about: "no space, no inodes, read-only: nothing acked is lost, the master stays, says so, resumes in 10 s",
    needs: &[],
    run,
};

/// How a case went.
struct Outcome {
    was_full: bool,
    said_so: bool,
    stayed: bool,
    resumed: Duration,
    counts: Counts,
}

fn run(scope: &Scope) -> anyhow::Result<Verdict> {
    let outcomes = lanes(CASES, |lane, case| (case.name, trial(scope, lane, &case)));
    let mut verdict = Verdict::default();
    let mut resumed = Vec::new();
    for (name, outcome) in outcomes {
        let Some(outcome) = verdict.take(name, outcome) else {
            continue;
        };
        verdict.require(
            outcome.was_full,
            format_args!("{name}: the disk refused nothing"),
        );
        verdict.require(
            outcome.said_so,
            format_args!("{name}: `mutirao status` did not say so"),
        );
        verdict.require(outcome.stayed, format_args!("{name}: the master ended"));
        verdict.require(
            outcome.resumed <= RESUME_WITHIN,
            format_args!("{name}: resumed after {:?}", outcome.resumed),
        );
        resumed.push(outcome.resumed);
        verdict.judge(name, Ok(outcome.counts));
    }
    verdict.figure(format_args!(
        "{} disks · resumed {}",
        CASES.len(),
        quantiles(resumed)
    ));
    Ok(verdict)
}

fn trial(scope: &Scope, lane: u16, case: &Case) -> anyhow::Result<Outcome> {
    let mut trial = Trial::new(scope, case.name, lane)?;
    let place = trial.master.folder.join(case.place);
    let at_first = if case.turns { case.good } else { case.bad };
    let disk = Disk::in_memory(&place, at_first)?;
    trial.master.serve()?;
    let mut client = Client::connect(trial.master.address())?;
    for number in 0..TASKS {
        let is_accepted = trial
            .tasks
            .submit(&mut client, &format!("task-{number}"), "")?;
        ensure!(is_accepted, "{}: task {number} was not accepted", case.name);
    }
    let worker = Worker::start(&trial.tasks, RESULT);
    if case.turns {
        clock::until(PATIENCE, || trial.done() > 3);
        // A file that is just being written keeps it from turning.
        clock::until(PATIENCE, || disk.change(case.bad).is_ok());
    }
    let was_full = until_quiet(&trial) && u64::try_from(trial.done())? < TASKS;
    let said_so = trial.says_trouble(FULL_AFTER);
    let done = trial.done();
    let stayed = trial.master.is_running();
    disk.change(case.good)?;
    let began = clock::now();
    clock::until(PATIENCE, || trial.done() > done);
    let resumed = began.elapsed();
    trial.drained(PATIENCE);
    drop(worker);
    let counts = trial.counts();
    trial.master.kill();
    Ok(Outcome {
        was_full,
        said_so,
        stayed,
        resumed,
        counts,
    })
}

/// Waits until no result arrives in `results/` any more.
fn until_quiet(trial: &Trial) -> bool {
    let (mut last, mut since) = (trial.done(), clock::now());
    clock::until(PATIENCE, || {
        let done = trial.done();
        if done != last {
            (last, since) = (done, clock::now());
        }
        since.elapsed() > FULL_AFTER
    })
}
