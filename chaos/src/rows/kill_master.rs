//! `kill-master`: `kill -9` of the master at random instants, three real peers at work, tasks coming in by both doors.

use std::time::Duration;

use mutirao_rig::clock;
use mutirao_rig::dice::Dice;

use crate::load::Load;
use crate::rows::Row;
use crate::scope::{Scope, Verdict, quantiles};
use crate::trial::Trial;

/// Kills in the run of a commit, and in a long one.
const KILLS: (u64, u64) = (20, 200);
/// Real peers.
const PEERS: usize = 3;
/// A task comes in by each door this often, so that a master always has some, and never many more than it can do.
const TASK_EVERY: Duration = Duration::from_millis(200);
/// How long a master may wait for its peers to hand something in before it is killed all the same.
const WORK_WITHIN: Duration = Duration::from_secs(3);
/// How long the rest may take when nothing is killed any more.
const DRAIN_WITHIN: Duration = Duration::from_secs(120);

/// The row.
pub const ROW: Row = Row {
    name: "kill-master",
    about: "kill -9 of the master at random instants: 0 lost, 0 duplicated",
    needs: &[],
    run,
};

fn run(scope: &Scope) -> anyhow::Result<Verdict> {
    let mut trial = Trial::new(scope, "trial", 0)?;
    let mut dice = scope.dice();
    let kills = scope.size(KILLS.0, KILLS.1);
    trial.master.serve()?;
    let peers = (0..PEERS).map(|number| trial.peer(&format!("peer-{number}"), &["--slots", "2"]));
    let _peers = peers.collect::<Result<Vec<_>, _>>()?;
    let load = Load::start(&trial.tasks, TASK_EVERY, "");
    let mut restarts = Vec::new();
    for _ in 0..kills {
        strike(&mut trial, &mut dice);
        restarts.push(trial.master.serve()?);
    }
    drop(load);
    trial.drained(DRAIN_WITHIN);
    let mut verdict = Verdict::default();
    verdict.judge("the run", Ok(trial.counts()));
    verdict.figure(format_args!(
        "{kills} kills · restart {}",
        quantiles(restarts)
    ));
    Ok(verdict)
}

/// Kills the master: at work mostly, else while it finds its feet.
fn strike(trial: &mut Trial, dice: &mut Dice) {
    let done = trial.done();
    if dice.below(4) > 0 {
        clock::until(WORK_WITHIN, || trial.done() > done);
    }
    clock::pause(dice.millis(0..300));
    trial.master.kill();
}
