//! `restart`: `kill -9` of a master with a long queue, and the time until the next one serves (promise R11).
//!
//! The program under trial is most often a debug build on a busy machine: only a long run holds it to its second.

use std::fs;
use std::time::Duration;

use anyhow::ensure;
use mutirao_rig::clock;

use crate::client::status;
use crate::rows::Row;
use crate::scope::{Scope, Verdict, quantiles};
use crate::trial::Trial;

/// Tasks that wait (promise R11).
const TASKS: usize = 10_000;
/// Kills in the run of a commit, and in a long one.
const KILLS: (u64, u64) = (3, 20);
/// How soon the first request is to be served.
const SERVES_WITHIN: Duration = Duration::from_secs(1);
/// How long the tasks may take to be adopted.
const PATIENCE: Duration = Duration::from_secs(180);

/// The row.
pub const ROW: Row = Row {
    name: "restart",
    about: "kill -9 of a master with 10,000 queued tasks: it serves again within a second, and all are there",
    needs: &[],
    run,
};

fn run(scope: &Scope) -> anyhow::Result<Verdict> {
    let mut trial = Trial::new(scope, "trial", 0)?;
    // Together, and before anybody looks: each by itself would be waited for.
    fs::create_dir_all(&trial.tasks.folder)?;
    for number in 0..TASKS {
        let key = format!("task-{number}");
        let path = trial.tasks.folder.join(format!("{key}.zip"));
        fs::write(path, trial.tasks.make(&key, "")?)?;
    }
    trial.master.serve()?;
    let began = clock::now();
    ensure!(
        clock::until(PATIENCE, || queued(&trial) == Some(TASKS)),
        "{:?} of {TASKS} tasks were adopted",
        queued(&trial)
    );
    let adopted = began.elapsed();
    let mut verdict = Verdict::default();
    let mut restarts = Vec::new();
    for kill in 0..scope.size(KILLS.0, KILLS.1) {
        trial.master.kill();
        let took = trial.master.serve()?;
        let queued = queued(&trial);
        verdict.require(
            queued == Some(TASKS),
            format_args!("after kill {kill} {queued:?} of {TASKS} tasks waited"),
        );
        restarts.push(took);
    }
    let worst = restarts.iter().max().copied().unwrap_or_default();
    verdict.require(
        !scope.long || worst < SERVES_WITHIN,
        format_args!("a restart took {worst:?}"),
    );
    verdict.figure(format_args!(
        "{TASKS} tasks adopted in {} s · kill -9 to the first request served {}",
        adopted.as_secs(),
        quantiles(restarts)
    ));
    Ok(verdict)
}

fn queued(trial: &Trial) -> Option<usize> {
    let report = status(trial.master.address()).ok()?;
    usize::try_from(report["tasks"]["queued"].as_u64()?).ok()
}
