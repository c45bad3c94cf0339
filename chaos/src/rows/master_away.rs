//! `master-away`: the master is away while its peers run tasks, and returns where it was, or elsewhere.

use std::time::Duration;

use anyhow::ensure;
use mutirao_rig::clock;

use crate::cage;
use crate::checker::Counts;
use crate::ip::ip;
use crate::rows::Row;
use crate::scope::{Scope, Verdict};
use crate::trial::Trial;

/// How long a task takes and how long the master is away, in seconds, in the run of a commit …
const PER_COMMIT: (u64, u64) = (4, 8);
/// … and in a long one.
const LONG: (u64, u64) = (20, 60);
/// Peers of one slot each, and two tasks for each.
const PEERS: usize = 3;
/// The address to which the machine of the master moves.
const ELSEWHERE: &str = "10.77.0.99";
/// How far its port moves.
const OTHER_PORT: u16 = 7;
/// How long anything else may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The row.
pub const ROW: Row = Row {
    name: "master-away",
    about: "the master is away while tasks run, and returns here or elsewhere: nothing runs twice, all arrives",
    needs: &[],
    run,
};

fn run(scope: &Scope) -> anyhow::Result<Verdict> {
    let (task, away) = if scope.long { LONG } else { PER_COMMIT };
    let mut verdict = Verdict::default();
    for (name, lane, elsewhere) in [("here", 0, false), ("elsewhere", 1, true)] {
        let counts =
            Trial::new(scope, name, lane).and_then(|new| trial(new, task, away, elsewhere));
        let most = counts.as_ref().map_or(0, |counts| counts.executions_max);
        verdict.require(most <= 1, format_args!("{name}: a task ran {most} times"));
        verdict.judge(name, counts);
    }
    verdict.figure(format_args!("tasks of {task} s · away for {away} s"));
    Ok(verdict)
}

fn trial(mut trial: Trial, task: u64, away: u64, elsewhere: bool) -> anyhow::Result<Counts> {
    trial.master.serve()?;
    let peers = (0..PEERS).map(|number| trial.peer(&format!("peer-{number}"), &["--slots", "1"]));
    let _peers = peers.collect::<Result<Vec<_>, _>>()?;
    let work = format!("import time\ntime.sleep({task})");
    for number in 0..2 * PEERS {
        trial.tasks.put(&format!("task-{number}"), &work)?;
    }
    let all_at_work = || trial.begun() >= PEERS;
    ensure!(
        clock::until(PATIENCE, all_at_work),
        "the peers did not begin their tasks"
    );
    trial.master.kill();
    if elsewhere {
        move_network()?;
        trial.master.port += OTHER_PORT;
    }
    clock::pause(Duration::from_secs(away));
    trial.master.serve()?;
    trial.drained(PATIENCE + Duration::from_secs(4 * task));
    Ok(trial.counts())
}

/// Gives the machine another address; connections to the old one are dead.
fn move_network() -> anyhow::Result<()> {
    for arguments in [
        [
            "address",
            "del",
            &format!("{}/24", cage::ADDRESS),
            "dev",
            "v0",
        ]
        .as_slice(),
        &[
            "address",
            "add",
            &format!("{ELSEWHERE}/24"),
            "broadcast",
            "+",
            "dev",
            "v0",
        ],
    ] {
        ip(arguments)?;
    }
    Ok(())
}
