//! `power-cut`: the file systems under the master lose what is in memory only, right after it has promised something.
//!
//! The database lies on a second file system, which is cut at the same instant: on the same one, an fsync of the
//! database would write the whole journal, and hide that a folder's fsync is missing.

use std::fs;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, bail};
use mutirao_rig::clock;
use mutirao_rig::dice::Dice;

use crate::checker::Counts;
use crate::client::Client;
use crate::disks::{Disk, Scissors};
use crate::lanes::lanes;
use crate::need::Need;
use crate::rows::Row;
use crate::scope::{Scope, Verdict};
use crate::trial::Trial;
use crate::worker::Worker;

/// Cuts in the run of a commit, and in a long one.
const CUTS: (u64, u64) = (5, 100);
/// Tasks of a trial.
const TASKS: u64 = 12;
/// Bytes of noise in a result.
const RESULT: usize = 20_000;
/// Sizes of the two file systems in MiB.
const SIZES: (u64, u64) = (64, 32);
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The defects that the program can be given, with the variable that a build with the feature `mutants` reads.
const MUTANTS: [(&str, &str); 1] = [("no-dir-sync", "MUTIRAO_TEST_SKIP_DIR_SYNC")];

/// The row.
pub const ROW: Row = Row {
    name: "power-cut",
    about: "file systems lose what is in memory only, right after a promise: 0 acked lost",
    needs: &[Need::Loop],
    run,
};

fn run(scope: &Scope) -> anyhow::Result<Verdict> {
    let cuts = scope.size(CUTS.0, CUTS.1);
    let done = lanes(0..cuts, |lane, number| (number, trial(scope, lane, number)));
    let mut verdict = Verdict::default();
    for (number, counts) in done {
        verdict.judge(&format!("cut {number}"), counts);
    }
    if let Some(mutant) = &scope.mutant {
        let counts = verdict.counts();
        let is_found = counts.findings.acked_then_lost + counts.findings.lost > 0;
        verdict.expect_found(is_found, mutant);
    }
    verdict.figure(format_args!("{cuts} cuts"));
    Ok(verdict)
}

fn trial(scope: &Scope, lane: u16, number: u64) -> anyhow::Result<Counts> {
    let mut trial = Trial::new(scope, &format!("cut-{number}"), lane)?;
    let (image, store_image) = (trial.folder.join("disk"), trial.folder.join("store-disk"));
    let disk = Disk::in_file(&image, SIZES.0, &trial.master.folder)?;
    let store = Disk::in_file(
        &store_image,
        SIZES.1,
        &trial.master.folder.join(".mutirao/store"),
    )?;
    if let Some(mutant) = &scope.mutant {
        trial.master.env.push(variable_of(mutant)?);
    }
    trial.master.serve()?;
    let scissors = Scissors::at(&[&disk, &store])?;
    let mut dice = Dice::of(scope.seed.wrapping_add(number));
    let promise = 1 + dice.below(TASKS);
    let worker = if number.is_multiple_of(2) {
        after_result(&trial, scissors, promise)?
    } else {
        after_acceptance(&trial, scissors, promise)?
    };
    trial.master.kill();
    Disk::remount(&[&disk, &store])?;
    trial.master.serve()?;
    trial.drained(PATIENCE);
    drop(worker);
    let counts = trial.counts();
    trial.master.kill();
    drop((store, disk));
    if counts.is_good() {
        fs::remove_dir_all(&trial.folder)?;
    }
    Ok(counts)
}

fn variable_of(mutant: &str) -> anyhow::Result<(&'static str, &'static str)> {
    let known = MUTANTS.iter().find(|(name, _)| *name == mutant);
    let (_, variable) = known.with_context(|| format!("no defect {mutant} is known here"))?;
    Ok((variable, "1"))
}

/// Cuts in the instant in which this many results were answered with OK. All tasks are there before, so that no
/// later fsync helps the last result.
fn after_result(trial: &Trial, scissors: Scissors, promise: u64) -> anyhow::Result<Worker> {
    let mut client = Client::connect(trial.master.address())?;
    for number in 0..TASKS {
        trial
            .tasks
            .submit(&mut client, &format!("task-{number}"), "")?;
    }
    let scissors = Arc::new(Mutex::new(Some(scissors)));
    let ready = Arc::clone(&scissors);
    let worker = Worker::start_with(&trial.tasks, RESULT, move |acked| {
        let mut scissors = ready.lock().unwrap_or_else(PoisonError::into_inner);
        if acked >= promise
            && let Some(scissors) = scissors.take()
            && let Err(error) = scissors.cut()
        {
            eprintln!("{error:#}");
        }
    });
    let is_cut = || scissors.try_lock().is_ok_and(|scissors| scissors.is_none());
    if !clock::until(PATIENCE, is_cut) {
        bail!("{promise} results were not taken within {PATIENCE:?}");
    }
    Ok(worker)
}

/// Cuts in the instant in which this many tasks were accepted.
fn after_acceptance(trial: &Trial, scissors: Scissors, promise: u64) -> anyhow::Result<Worker> {
    let mut client = Client::connect(trial.master.address())?;
    for number in 0..promise {
        trial
            .tasks
            .submit(&mut client, &format!("task-{number}"), "")?;
    }
    scissors.cut()?;
    Ok(Worker::start(&trial.tasks, RESULT))
}
