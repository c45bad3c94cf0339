//! `poison`: tasks that fail, die, hang, want too much memory or kill their peer, among good ones.

pub(super) mod kinds;

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use mutirao_rig::clock;

use self::kinds::{AMONG, LATER, Poison, WITHOUT_A_LIMIT};
use crate::archives::{text_in, zips_in};
use crate::background::Background;
use crate::memory::Memory;
use crate::rows::Row;
use crate::scope::{Scope, Verdict};
use crate::trial::Trial;

/// Good tasks in the run of a commit, and in a long one; a tenth as many more are poison.
const GOOD: (u64, u64) = (60, 500);
/// Tasks before any is measured: by then the peers are here, and their interpreters too.
const WARM_UP: u64 = 12;
/// Peers …
const PEERS: usize = 3;
/// … each with so many slots …
const SLOTS: &str = "4";
/// … and so much memory.
const MEMORY: u64 = 256 << 20;
/// What a good task does: beside it, what a start costs does not show.
const WORK: &str = "import time\ntime.sleep(0.5)";
/// What another good task does: what it prints then must reach the master all the same.
const WRECKS_ITS_FOLDER: &str = "import os, shutil\nshutil.rmtree(os.path.dirname(os.getcwd()))";
/// How long one good task may take in the mean.
const EACH: Duration = Duration::from_secs(1);
/// How long anything else may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// Between two looks whether a peer was killed.
const REVIVE_EVERY: Duration = Duration::from_millis(100);

/// The row.
pub const ROW: Row = Row {
    name: "poison",
    about: "tasks that fail, die, hang, take all memory, kill their peer: the others are done, each has its own cause",
    needs: &[],
    run,
};

/// One poison in `tasks/`.
pub(super) struct Dose {
    /// Of which task.
    pub key: String,
    /// What it does.
    pub kind: &'static Poison,
}

fn run(scope: &Scope) -> anyhow::Result<Verdict> {
    let good = scope.size(GOOD.0, GOOD.1);
    let mut trial = Trial::new(scope, "trial", 0)?;
    trial.master.serve()?;
    let memories: Vec<_> = (0..PEERS).map(|_| Memory::of(MEMORY)).collect();
    let keeper = peers(&trial, &memories)?;
    pace(&trial, "first", WARM_UP, &[])?;
    let alone = pace(&trial, "calm", good, &[])?;
    let is_limited = memories.iter().all(Option::is_some);
    let kinds = AMONG.iter().map(|kind| match kind.name {
        "takes-all-memory" if !is_limited => &WITHOUT_A_LIMIT,
        _ => kind,
    });
    let mut doses: Vec<_> = kinds
        .cycle()
        .zip(0..good / 10)
        .map(|(kind, number)| dose(kind, number))
        .collect();
    let beside = pace(&trial, "good", good, &doses)?;
    let mut verdict = Verdict::default();
    let has_ended = trial.drained(PATIENCE);
    verdict.require(has_ended, "the poison did not end");
    let later: Vec<_> = LATER.iter().map(|kind| dose(kind, 0)).collect();
    later.iter().try_for_each(|dose| put(&trial, dose))?;
    trial.tasks.put("wrecks-its-folder", WRECKS_ITS_FOLDER)?;
    trial.drained(PATIENCE);
    doses.extend(later);
    for dose in &doses {
        verdict.take(&dose.key, is_told(&trial, dose));
    }
    // What hangs keeps a slot as long as it may, and others may use the machine: this is no target here.
    let kept = 100.0 * alone.as_secs_f64() / beside.as_secs_f64();
    let by_whom = match is_limited {
        true => "the kernel",
        false => "a limit of the script's own, for no control group can be made here",
    };
    verdict.figure(format_args!(
        "{good} good beside {} poison kept {kept:.0} % of their pace · memory was ended by {by_whom}",
        doses.len()
    ));
    verdict.judge("the run", Ok(trial.counts()));
    drop(keeper);
    Ok(verdict)
}

/// Peers with these memories, that are started again when they are killed.
fn peers(trial: &Trial, memories: &[Option<Memory>]) -> anyhow::Result<Background> {
    let slots = ["--slots", SLOTS];
    let peers = memories.iter().enumerate().map(|(number, memory)| {
        let name = format!("peer-{number}");
        trial.peer_in(memory.as_ref(), &name, &slots)
    });
    let mut peers = peers.collect::<Result<Vec<_>, _>>()?;
    Ok(Background::repeat(move |_| {
        for peer in &mut peers {
            // One that cannot be started is missed by the tasks.
            let _ = peer.revive();
        }
        clock::pause(REVIVE_EVERY);
    }))
}

/// One of this kind.
pub(super) fn dose(kind: &'static Poison, number: u64) -> Dose {
    let key = format!("{}-{number}", kind.name);
    Dose { key, kind }
}

/// Hands it in; it must fail.
pub(super) fn put(trial: &Trial, Dose { key, kind }: &Dose) -> anyhow::Result<()> {
    trial.tasks.history().doomed.insert(key.clone());
    trial.tasks.put_wishing(key, kind.deed, kind.wishes)
}

/// Puts so many good tasks in, and after each tenth one of the doses: how long it takes until the good ones are done.
fn pace(trial: &Trial, kind: &str, count: u64, doses: &[Dose]) -> anyhow::Result<Duration> {
    let began = clock::now();
    let mut doses = doses.iter();
    for number in 0..count {
        trial.tasks.put(&format!("{kind}-{number}"), WORK)?;
        if number % 10 == 9 {
            doses.next().map_or(Ok(()), |dose| put(trial, dose))?;
        }
    }
    let results = trial.master.folder.join("results");
    let of_kind = |name: &&String| name.starts_with(&format!("{kind}-"));
    let all = usize::try_from(count)?;
    let is_done = || zips_in(&results).iter().filter(of_kind).count() == all;
    let in_time = clock::until(EACH * u32::try_from(count)? + PATIENCE, is_done);
    ensure!(in_time, "the {kind} tasks are not done");
    Ok(began.elapsed())
}

/// Whether it is said of what it died.
fn is_told(trial: &Trial, Dose { key, kind }: &Dose) -> anyhow::Result<()> {
    let note = trial
        .master
        .folder
        .join(format!("tasks/failed/{key}.zip.txt"));
    // It is laid there behind.
    clock::until(EACH, || note.exists());
    let note = fs::read_to_string(&note).context("it has no note")?;
    ensure!(
        note.contains(kind.cause),
        "its cause is not {:?}: {note:?}",
        kind.cause
    );
    if !kind.says.is_empty() {
        let output = trial
            .master
            .folder
            .join(format!("results/failed/{key}.zip"));
        let errors = text_in(&fs::read(output)?, "stderr.txt").unwrap_or_default();
        ensure!(
            errors.contains(kind.says),
            "its output does not say {:?}: {errors:?}",
            kind.says
        );
    }
    Ok(())
}
