//! `disk-outage`: from some call on the disk takes nothing, or flushes nothing, for a while; then it is well again.

use std::fs;
use std::time::Duration;

use anyhow::ensure;
use mutirao_rig::clock;
use nix::errno::Errno;

use crate::checker::{Counts, Promise};
use crate::client::status;
use crate::lanes::lanes;
use crate::load::Load;
use crate::rows::Row;
use crate::scope::{Scope, Verdict, quantiles};
use crate::tracer::{Deed, Spell};
use crate::trial::Trial;
use crate::worker::Worker;

/// Outages in the run of a commit, and in a long one: one from each of the first calls on.
const OUTAGES: (u64, u64) = (6, 100);
/// An outage begins at one of this many calls, which is all that some tasks make from their coming to their end.
const CALLS: u64 = 100;
/// Between the first calls of two outages: without a common divisor with their number, it meets each.
const STRIDE: u64 = 37;
/// Tasks that are done before it: by then all was used once.
const WARM_UP: usize = 3;
/// A task comes in by each door this often.
const TASK_EVERY: Duration = Duration::from_millis(150);
/// Bytes of noise in a result.
const RESULT: usize = 2000;
/// How long an outage lasts after it was seen: the disk is tried again every second.
const LASTS: Duration = Duration::from_secs(3);
/// How soon results must arrive again (promise R6).
const RESUME_WITHIN: Duration = Duration::from_secs(10);
/// How long anything else may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The row.
pub const ROW: Row = Row {
    name: "disk-outage",
    about: "every write or flush says EIO for a while: nothing acked meanwhile, the master says so, resumes in 10 s",
    needs: &[],
    run,
};

/// How an outage went.
struct Outcome {
    said_so: bool,
    stayed: bool,
    panicked: bool,
    /// What was promised while it lasted, though nothing could be kept.
    empty: Vec<Promise>,
    resumed: Duration,
    /// What `mutirao status` says in the end.
    trouble: Option<String>,
    counts: Counts,
}

fn run(scope: &Scope) -> anyhow::Result<Verdict> {
    let outages = scope.size(OUTAGES.0, OUTAGES.1);
    let outcomes = lanes(0..outages, |lane, number| {
        let spell = if number.is_multiple_of(2) {
            Spell::NoChange(Errno::EIO)
        } else {
            Spell::NoFlush(Errno::EIO)
        };
        let nth = 1 + (scope.seed + number * STRIDE) % CALLS;
        let name = format!("{spell:?} from call {nth} on");
        (name, trial(scope, lane, nth, spell))
    });
    let (mut verdict, mut resumed) = (Verdict::default(), Vec::new());
    for (name, outcome) in outcomes {
        let Some(outcome) = verdict.take(&name, outcome) else {
            continue;
        };
        let mut require =
            |holds, what: &str| verdict.require(holds, format_args!("{name}: {what}"));
        require(outcome.said_so, "`mutirao status` did not say so");
        require(outcome.stayed, "the master ended");
        require(!outcome.panicked, "the master panicked");
        if let Some(first) = outcome.empty.first() {
            let (count, key) = (outcome.empty.len(), &first.key);
            require(
                false,
                &format!("{count} promises meanwhile, the first of {key}"),
            );
        }
        require(
            outcome.resumed <= RESUME_WITHIN,
            &format!("resumed after {:?}", outcome.resumed),
        );
        if let Some(trouble) = outcome.trouble {
            require(false, &format!("the trouble stayed: {trouble}"));
        }
        resumed.push(outcome.resumed);
        verdict.judge(&name, Ok(outcome.counts));
    }
    verdict.figure(format_args!(
        "{outages} outages · resumed {}",
        quantiles(resumed)
    ));
    Ok(verdict)
}

fn trial(scope: &Scope, lane: u16, nth: u64, spell: Spell) -> anyhow::Result<Outcome> {
    let trial = Trial::new(scope, &format!("call-{nth}"), lane)?;
    let master = &trial.master;
    let traced = master.traced(0, Deed::Kill)?;
    master.answers()?;
    let worker = Worker::start(&trial.tasks, RESULT);
    let load = Load::start(&trial.tasks, TASK_EVERY, "");
    let is_warm = clock::until(PATIENCE, || trial.done() >= WARM_UP);
    ensure!(is_warm, "nothing is done");
    traced.cast(nth, spell);
    let said_so = trial.says_trouble(PATIENCE);
    clock::pause(LASTS);
    let seen = traced.seen();
    let done = trial.done();
    let lifted = clock::now();
    traced.lift();
    clock::until(PATIENCE, || trial.done() > done);
    let resumed = lifted.elapsed();
    drop(load);
    trial.drained(PATIENCE);
    drop(worker);
    let trouble = || status(master.address()).map(|mut report| report["trouble"].take());
    // What was refused to somebody who did not ask again is tried by the master itself.
    clock::until(PATIENCE, || {
        trouble().is_ok_and(|trouble| trouble.is_null())
    });
    let counts = trial.counts();
    let is_empty = |promise: &&Promise| {
        seen.since.is_some_and(|since| promise.asked > since) && promise.heard < lifted
    };
    let history = trial.tasks.history();
    Ok(Outcome {
        said_so,
        stayed: !traced.seen().is_over,
        panicked: fs::read_to_string(&master.log)?.contains("panicked at"),
        empty: history.promises.iter().filter(is_empty).cloned().collect(),
        resumed,
        trouble: trouble()?.as_str().map(str::to_owned),
        counts,
    })
}
