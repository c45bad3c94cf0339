//! `stop-cont`: either side stands still until the other has given it up, and then goes on.
//!
//! A peer of ours beats every 5 s and is given up after 15 s, long before its lease ends by time: what it ran goes to
//! another, and comes twice.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use mutirao_rig::clock;
use nix::sys::signal::Signal;

use crate::checker::Counts;
use crate::lanes::lanes;
use crate::peer::Peer;
use crate::rows::Row;
use crate::scope::{Scope, Verdict};
use crate::trial::Trial;

/// Stops in the run of a commit, and in a long one.
const STOPS: (u64, u64) = (2, 100);
/// How long a master stands still: longer than the silence for which it gives up its peers.
const MASTER_STOPS: Duration = Duration::from_secs(20);
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(90);
/// How long what was held up may take to arrive once its sender goes on.
const LATE: Duration = Duration::from_secs(8);
/// Something that is under way for a while.
const WORK: &str = "import time\ntime.sleep(2)";

/// The row.
pub const ROW: Row = Row {
    name: "stop-cont",
    about: "SIGSTOP of peer or master until the other has given it up, then SIGCONT: no double commit",
    needs: &[],
    run,
};

fn run(scope: &Scope) -> anyhow::Result<Verdict> {
    let stops = scope.size(STOPS.0, STOPS.1);
    let counts = lanes(0..stops, |lane, number| {
        let stop = if number.is_multiple_of(2) {
            stop_peer
        } else {
            stop_master
        };
        let trial = Trial::new(scope, &format!("stop-{number}"), lane);
        (number, trial.and_then(stop))
    });
    let mut verdict = Verdict::default();
    for (number, counts) in counts {
        verdict.judge(&format!("stop {number}"), counts);
    }
    verdict.figure(format_args!("{stops} stops"));
    Ok(verdict)
}

/// The peer that runs the task stops; another does it; then the first one hands it in too.
fn stop_peer(mut trial: Trial) -> anyhow::Result<Counts> {
    trial.master.serve()?;
    let one = ["--slots", "1"];
    let peers = [trial.peer("peer-a", &one)?, trial.peer("peer-b", &one)?];
    trial.tasks.put("task", WORK)?;
    ensure!(
        clock::until(PATIENCE, || peers.iter().any(Peer::is_at_work)),
        "nobody took the task"
    );
    let stopped = peers
        .iter()
        .find(|peer| peer.is_at_work())
        .context("it was quick")?;
    signal(stopped, Signal::SIGSTOP);
    let is_done = clock::until(PATIENCE, || trial.done() > 0);
    signal(stopped, Signal::SIGCONT);
    ensure!(is_done, "nobody else did the task within {PATIENCE:?}");
    clock::pause(LATE);
    trial.drained(PATIENCE);
    Ok(trial.counts())
}

/// The master stops while its peers run tasks, which end meanwhile.
fn stop_master(mut trial: Trial) -> anyhow::Result<Counts> {
    trial.master.serve()?;
    let two = ["--slots", "2"];
    let peers = [trial.peer("peer-a", &two)?, trial.peer("peer-b", &two)?];
    for number in 0..6 {
        trial.tasks.put(&format!("task-{number}"), WORK)?;
    }
    ensure!(
        clock::until(PATIENCE, || peers.iter().all(Peer::is_at_work)),
        "the tasks were not taken"
    );
    let master = trial.master.process()?;
    master.signal(Signal::SIGSTOP);
    clock::pause(MASTER_STOPS);
    master.signal(Signal::SIGCONT);
    trial.drained(PATIENCE);
    clock::pause(LATE);
    trial.drained(PATIENCE);
    Ok(trial.counts())
}

fn signal(peer: &Peer, signal: Signal) {
    if let Some(process) = peer.process() {
        process.signal(signal);
    }
}
