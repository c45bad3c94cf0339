//! `partitions`: the network between a master and three peers, each on a host of its own, breaks in every way that it
//! knows, and is mended.

mod scenarios;
mod stage;

use std::ops::Range;
use std::time::Duration;

use anyhow::Context as _;
use mutirao_rig::clock;

use crate::checker::Counts;
use crate::lan::Tally;
use crate::lanes::in_lanes;
use crate::left_over::left_over;
use crate::load::Load;
use crate::rows::Row;
use crate::scope::{Scope, Verdict, quantiles};
use scenarios::{SCENARIOS, Strike};
use stage::Stage;

/// Seeds a scenario in the run of a commit, and in a long one.
const SEEDS: (u64, u64) = (1, 3);
/// Trials at a time: they wait for their peers to be given up, and for connections to be found dead.
const LANES: u16 = 8;
/// How often a task comes in by each door.
const TASK_EVERY: Duration = Duration::from_millis(1500);
/// What tasks do: something for a while, with a result of many frames.
const WORK: &str = "
import os, random, time
open('made', 'wb').write(os.urandom(random.randrange(40_000)))
time.sleep(random.uniform(0, 1))";
/// The longest of them, with all that is done around it on a busy machine.
const LONGEST: Duration = Duration::from_secs(3);
/// Tasks that are there at first, so that every slot has one when the network breaks.
const FIRST: u64 = 8;
/// How long after that the network breaks, in milliseconds: while slots are busy, or when some wait for a task.
const STRIKES_AFTER: Range<u64> = 0..2_000;
/// The lease of a peer of ours: its silence of three heartbeats, and the sweep that finds it.
const LEASE: Duration = Duration::from_secs(16);
/// Peers that may be lost to one task.
const ATTEMPTS: u32 = 5;
/// When all is to be over once the network is whole (promise R4).
const OVER_WITHIN: Duration = LEASE
    .saturating_add(LONGEST.saturating_mul(ATTEMPTS))
    .saturating_add(Duration::from_secs(30));

/// The row.
pub const ROW: Row = Row {
    name: "partitions",
    about: "cuts, one way or both, resets, pulled cables, loss, disorder on a LAN: all drains once it is whole",
    needs: &[],
    run,
};

/// How a trial ended.
struct Ended {
    /// How long after the network was whole all was over; none: it was not in time.
    over: Option<Duration>,
    /// What the fault did.
    tally: Tally,
    counts: Counts,
}

fn run(scope: &Scope) -> anyhow::Result<Verdict> {
    let seeds = scope.size(SEEDS.0, SEEDS.1);
    let trials = SCENARIOS.iter().flat_map(|scenario| {
        let named = move |seed| (format!("{}-{seed}", scenario.0), scenario.1);
        (0..seeds).map(named)
    });
    let ended = in_lanes(LANES, trials, |lane, (name, strike)| {
        let ended = trial(scope, lane, &name, strike);
        (name, ended)
    });
    let (mut verdict, mut tally, mut times) = (Verdict::default(), Tally::default(), Vec::new());
    for (name, ended) in ended {
        let Some(ended) = verdict.take(&name, ended) else {
            continue;
        };
        verdict.require(
            ended.over.is_some(),
            format_args!("{name} was not over {OVER_WITHIN:?} after the network was whole"),
        );
        verdict.judge(&name, Ok(ended.counts));
        tally += ended.tally;
        times.extend(ended.over);
    }
    verdict.figure(format_args!(
        "{} scenarios x {seeds} seeds · {tally} · drained {}",
        SCENARIOS.len(),
        quantiles(times)
    ));
    Ok(verdict)
}

fn trial(scope: &Scope, lane: u16, name: &str, strike: Strike) -> anyhow::Result<Ended> {
    let mut stage = Stage::new(scope, name, lane)?;
    for number in 0..FIRST {
        stage.trial.tasks.put(&format!("first-{number}"), WORK)?;
    }
    let load = Load::start(&stage.trial.tasks, TASK_EVERY, WORK);
    stage.until_at_work()?;
    clock::pause(stage.dice.millis(STRIKES_AFTER));
    let tally = strike(&mut stage).context("the fault did not strike")?;
    let healed = clock::now();
    drop(load);
    let is_drained = stage.trial.drained(OVER_WITHIN);
    // The peers too: what they still have to say may be late, and no second result.
    let is_over = || stage.is_whole() && left_over(&stage.trial, &stage.peers).is_empty();
    let left = OVER_WITHIN.saturating_sub(healed.elapsed());
    let is_over = is_drained && clock::until(left, is_over);
    Ok(Ended {
        over: is_over.then(|| healed.elapsed()),
        tally,
        counts: stage.trial.counts(),
    })
}
