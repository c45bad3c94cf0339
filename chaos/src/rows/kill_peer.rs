//! `kill-peer`: the peer dies in the middle of a task, in the middle of handing in, and before it hears OK.

use std::fs;
use std::time::Duration;

use anyhow::ensure;
use mutirao_rig::clock;

use crate::checker::Counts;
use crate::lanes::lanes;
use crate::peer::Peer;
use crate::proxy::{Cut, Proxy};
use crate::rows::Row;
use crate::scope::{Scope, Verdict};
use crate::trial::Trial;

/// Cuts in the run of a commit, and in a long one.
const CUTS: (u64, u64) = (30, 500);
/// Masters that the cuts are spread over.
const TRIALS: u64 = 4;
/// Bytes that a script makes, which no compression makes fewer: more than come before the last cut.
const RESULT: usize = 60_000;
/// Between two places of a cut, in bytes …
const STEP: usize = 1024;
/// … and how many such places a result has.
const PLACES: u64 = 58;
/// How long anything may take: a lease that a dead peer held, too.
const PATIENCE: Duration = Duration::from_secs(60);

/// The row.
pub const ROW: Row = Row {
    name: "kill-peer",
    about: "a peer dies mid-task, at every KiB of handing in, before it hears OK: 0 truncated commits",
    needs: &[],
    run,
};

/// When the peer dies.
#[derive(Debug, Clone, Copy)]
enum When {
    AtWork,
    Sending(usize),
    BeforeOk,
}

fn when(number: u64) -> When {
    match number % 4 {
        0 => When::AtWork,
        3 => When::BeforeOk,
        // A stride without a common divisor meets every place.
        _ => {
            let place = 1 + number * 17 % PLACES;
            When::Sending(usize::try_from(place).unwrap_or(1) * STEP)
        }
    }
}

fn run(scope: &Scope) -> anyhow::Result<Verdict> {
    let cuts = scope.size(CUTS.0, CUTS.1);
    let counts = lanes(0..TRIALS, |lane, first| {
        let numbers = (first..cuts).filter(|number| number % TRIALS == first);
        (first, trial(scope, lane, first, numbers))
    });
    let mut verdict = Verdict::default();
    for (first, counts) in counts {
        verdict.judge(&format!("trial {first}"), counts);
    }
    verdict.figure(format_args!("{cuts} cuts"));
    Ok(verdict)
}

fn trial(
    scope: &Scope,
    lane: u16,
    first: u64,
    numbers: impl Iterator<Item = u64>,
) -> anyhow::Result<Counts> {
    let mut trial = Trial::new(scope, &format!("trial-{first}"), lane)?;
    trial.master.serve()?;
    let proxy = Proxy::before(trial.master.address())?;
    let master = proxy.address.to_string();
    let mut peer = trial.peer("peer", &["--slots", "1", "--master", &master])?;
    for number in numbers {
        cut(&trial, &proxy, &mut peer, number + scope.seed % PLACES)?;
    }
    trial.drained(PATIENCE);
    Ok(trial.counts())
}

/// One task, one death, and the wait until the task is done all the same.
fn cut(trial: &Trial, proxy: &Proxy, peer: &mut Peer, number: u64) -> anyhow::Result<()> {
    let (key, when) = (format!("task-{number}"), when(number));
    let pause = if matches!(when, When::AtWork) {
        "0.5"
    } else {
        "0"
    };
    let make = format!(
        "import os, time\nopen('made', 'wb').write(os.urandom({RESULT}))\ntime.sleep({pause})"
    );
    match when {
        When::AtWork => {}
        When::Sending(bytes) => proxy.arm(Cut::AfterSent(bytes)),
        When::BeforeOk => proxy.arm(Cut::BeforeOk),
    }
    trial.tasks.put(&key, &make)?;
    let is_time = || match when {
        When::AtWork => is_begun(trial, &key),
        When::Sending(_) | When::BeforeOk => proxy.has_cut(),
    };
    ensure!(
        clock::until(PATIENCE, is_time),
        "{key}: the peer did not come to {when:?}"
    );
    // Every other time only the connection dies.
    if number % 8 < 4 || matches!(when, When::AtWork) {
        peer.kill();
        peer.restart()?;
    }
    let result = trial
        .master
        .folder
        .join("results")
        .join(format!("{key}.zip"));
    // One that is not done is counted in the end.
    clock::until(PATIENCE, || result.exists());
    Ok(())
}

fn is_begun(trial: &Trial, key: &str) -> bool {
    let marks = fs::read_to_string(&trial.tasks.marks).unwrap_or_default();
    marks.lines().any(|mark| mark == key)
}
