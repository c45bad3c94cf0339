//! `store-damage`: the master starts again over a database, or a pack of small ZIPs, that is cut, zeroed, flipped or longer
//! than it was.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use mutirao_rig::clock;
use mutirao_rig::dice::Dice;
use nix::sys::signal::Signal;

use crate::archives::zips_in;
use crate::checker::Counts;
use crate::client::Client;
use crate::damage::damage;
use crate::lanes::lanes;
use crate::rows::Row;
use crate::scope::{Scope, Verdict};
use crate::trial::Trial;
use crate::worker::Worker;

mod packs;

/// Damages in the run of a commit, and in a long one.
const DAMAGES: (u64, u64) = (40, 4000);
/// Tasks that are done before the damage, and that are still open then.
const TASKS: (u64, u64) = (8, 6);
/// Bytes of noise in a result.
const RESULT: usize = 500;
/// Of so many damages one is of a pack.
const PACKS: u64 = 3;
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Where the database lies, below the master's folder.
const STORE: &str = ".mutirao/store";

/// The row.
pub const ROW: Row = Row {
    name: "store-damage",
    about: "the database or a pack is cut, zeroed, flipped or grown: the master starts, and loses only what that took",
    needs: &[],
    run,
};

fn run(scope: &Scope) -> anyhow::Result<Verdict> {
    let damages = scope.size(DAMAGES.0, DAMAGES.1);
    let done = lanes(0..damages, |lane, number| {
        (number, trial(scope, lane, number))
    });
    let (mut verdict, mut told, mut again) = (Verdict::default(), 0, 0);
    let (mut packs, mut owed) = (0, 0);
    for (number, trial) in done {
        packs += u64::from(is_of_pack(number));
        let Some((damage, judged)) = verdict.take(&format!("damage {number}"), trial) else {
            continue;
        };
        let judged = judged.map(|mut judged| {
            told += u64::from(judged.has_told);
            owed += judged.owed;
            if judged.has_told {
                // Whose end was lost is run once more, and that is said: its first result stays beside the second.
                again += std::mem::take(&mut judged.counts.findings.duplicated);
            }
            judged.counts
        });
        verdict.judge(&damage, judged);
    }
    verdict.require(told > 0, "not one damage was told of");
    verdict.figure(format_args!(
        "{damages} damages ({packs} of packs, which took the ZIPs of {owed} tasks) · {told} told · {again} ended tasks \
         run again after those"
    ));
    Ok(verdict)
}

/// What became of the tasks, and whether the master said something about the damage.
struct Judged {
    counts: Counts,
    has_told: bool,
    owed: u64,
}

/// A damage, and what it took for certain.
struct Spoiled {
    /// In words for a reader.
    words: String,
    /// Accepted tasks that may be gone for it.
    owed: u64,
}

fn is_of_pack(number: u64) -> bool {
    number % PACKS == PACKS - 1
}

/// What was damaged how, and how it went on.
fn trial(
    scope: &Scope,
    lane: u16,
    number: u64,
) -> anyhow::Result<(String, anyhow::Result<Judged>)> {
    let mut trial = Trial::new(scope, &format!("damage-{number}"), lane)?;
    let mut dice = Dice::of(scope.seed.wrapping_add(number));
    let mut workers = Vec::new();
    let damage = if is_of_pack(number) {
        workers = packs::leave(&mut trial)?;
        packs::spoil(&trial, &mut dice)?
    } else {
        // The words of a killed master are in the log still; one that ends puts them into the database.
        let end = if number.is_multiple_of(2) {
            Signal::SIGKILL
        } else {
            Signal::SIGTERM
        };
        prepare(&mut trial, end)?;
        let words = spoil(&trial.master.folder.join(STORE), &mut dice)?;
        Spoiled { words, owed: 0 }
    };
    let mut judged = start_and_drain(&mut trial, &damage);
    drop(workers);
    if is_of_pack(number) && !packs::is_kept(&trial) {
        judged = Err(anyhow::anyhow!("the damaged pack was not kept"));
    }
    trial.master.kill();
    if judged.as_ref().is_ok_and(|judged| judged.counts.is_good()) {
        fs::remove_dir_all(&trial.folder)?;
    }
    Ok((format!("damage {number} ({})", damage.words), judged))
}

/// Has some tasks done, leaves others open, and ends the master by this signal.
fn prepare(trial: &mut Trial, end: Signal) -> anyhow::Result<()> {
    trial.master.serve()?;
    let mut client = Client::connect(trial.master.address())?;
    for number in 0..TASKS.0 {
        trial
            .tasks
            .submit(&mut client, &format!("done-{number}"), "")?;
    }
    let worker = Worker::start(&trial.tasks, RESULT);
    let is_done = clock::until(PATIENCE, || worker.acked() == TASKS.0);
    ensure!(is_done, "the tasks are not done");
    drop(worker);
    for number in 0..TASKS.1 {
        trial
            .tasks
            .submit(&mut client, &format!("open-{number}"), "")?;
    }
    drop(client);
    trial.master.process()?.signal(end);
    let has_ended = clock::until(PATIENCE, || !trial.master.is_running());
    ensure!(has_ended, "the master does not end");
    ensure!(
        trial.master.folder.join(STORE).is_dir(),
        "the master has no {STORE}"
    );
    Ok(())
}

fn start_and_drain(trial: &mut Trial, damage: &Spoiled) -> anyhow::Result<Judged> {
    let known = fs::read_to_string(&trial.master.log)?.len();
    trial.master.serve()?;
    let said = fs::read_to_string(&trial.master.log)?;
    let mut news = said.get(known..).unwrap_or_default().lines();
    let has_told = news.any(|line| line.contains(" WARN ") || line.contains("ERROR "));
    let _worker = Worker::start(&trial.tasks, RESULT);
    trial.drained(PATIENCE);
    let mut counts = trial.counts();
    // A task whose name was in a lost record runs under another: it is one that is missing under its own.
    let nameless = zips_in(&trial.master.folder.join("results"))
        .iter()
        .filter(|name| name.starts_with("recovered."))
        .count() as u64;
    let found = nameless
        .min(counts.findings.lost)
        .min(counts.findings.unexpected);
    counts.findings.lost -= found;
    counts.findings.unexpected -= found;
    Ok(Judged {
        counts,
        has_told,
        owed: damage.owed,
    })
}

/// Damages one file of the database: what was done, for readers.
fn spoil(store: &Path, dice: &mut Dice) -> anyhow::Result<String> {
    let mut files = Vec::new();
    for entry in fs::read_dir(store)? {
        let (path, size) =
            entry.map(|entry| (entry.path(), entry.metadata().map(|meta| meta.len())))?;
        // The shared memory beside the log is made anew at each start.
        if size? > 0 && path.extension().is_none_or(|ending| ending != "db-shm") {
            files.push(path);
        }
    }
    files.sort();
    let file = files.get(dice.index(files.len()));
    Ok(damage(file.context("the store is empty")?, dice)?.words)
}
