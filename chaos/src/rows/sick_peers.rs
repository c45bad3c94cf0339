//! `sick-peers`: three peers, on one of which everything fails, and a fourth that hands nothing in; good tasks, and among them
//! some that fail wherever they run.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use mutirao_rig::clock;
use serde_json::Value;

use crate::mute::{self, Mute};
use crate::rows::Row;
use crate::rows::poison::kinds::{AMONG, PLAIN};
use crate::rows::poison::{self, Dose};
use crate::scope::{Scope, Verdict};
use crate::trial::Trial;

/// Good tasks in the run of a commit, and in a long one, at least …
const TASKS: (u64, u64) = (40, 500);
/// … and one in so many is followed by poison.
const POISON_EVERY: u64 = 10;
/// How long one task may take in the mean.
const EACH: Duration = Duration::from_secs(1);
/// How long anything else may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two tasks.
const EVERY: Duration = Duration::from_millis(100);
/// More than those that are well can do meanwhile: so something is always left for the others.
const WORK: &str = "import time\ntime.sleep(0.3)";
/// How what the sick peers do ends.
const SICK_ENDS: [(&str, &str); 2] = [
    ("sick", "exit code 9"),
    ("mute", "came back without a result"),
];
/// An interpreter that answers who it is and fails every script.
const SICK: &str = r#"#!/bin/sh
case "$*" in
  *main.py*) echo "this machine is sick" >&2; exit 9;;
  *) python3 "$@" | sed "1s|.*|$0|";;
esac
"#;

/// The row.
pub const ROW: Row = Row {
    name: "sick-peers",
    about: "of three peers one fails all, a fourth hands nothing in, tasks are poison: the good are done, each culprit named",
    needs: &[],
    run,
};

fn run(scope: &Scope) -> anyhow::Result<Verdict> {
    let least = scope.size(TASKS.0, TASKS.1);
    let mut trial = Trial::new(scope, "trial", 0)?;
    trial.master.serve()?;
    let sick = sick_interpreter(&trial.folder)?;
    let sick = sick.to_string_lossy();
    let _peers = [
        // Forks of a resident interpreter would be spared what its starts are not.
        trial.peer(
            "sick",
            &["--slots", "2", "--start", "cold", "--python", &sick],
        )?,
        trial.peer("well-0", &["--slots", "1"])?,
        trial.peer("well-1", &["--slots", "1"])?,
    ];
    let mute = Mute::start(&trial.tasks);
    let began = clock::now();
    // It takes a row of tasks that others pass to be sure of a sickness.
    let all_named = || {
        SICK_ENDS
            .iter()
            .all(|(who, ended)| named(&trial, who, ended).is_ok())
    };
    let (mut tasks, mut doses) = (0, Vec::new());
    let mut kinds = AMONG.iter().take(PLAIN).cycle();
    while tasks < least || (!all_named() && began.elapsed() < PATIENCE) {
        trial.tasks.put(&format!("task-{tasks}"), WORK)?;
        tasks += 1;
        if tasks % POISON_EVERY == 0
            && let Some(kind) = kinds.next()
        {
            let dose = poison::dose(kind, tasks);
            poison::put(&trial, &dose)?;
            doses.push(dose);
        }
        clock::pause(EVERY);
    }
    let has_ended = trial.drained(EACH * u32::try_from(tasks)? + PATIENCE);
    let mut verdict = Verdict::default();
    verdict.require(has_ended, "not all tasks have ended");
    for (who, ended) in SICK_ENDS {
        if let Some(state) = verdict.take(who, named(&trial, who, ended)) {
            verdict.figure(format_args!("the {who} one is {state}"));
        }
    }
    for dose in &doses {
        verdict.take(&dose.key, is_told(&trial, dose));
    }
    verdict.figure(format_args!("{tasks} good among {} poison", doses.len()));
    drop(mute);
    verdict.judge("the run", Ok(trial.counts()));
    Ok(verdict)
}

fn sick_interpreter(folder: &Path) -> anyhow::Result<PathBuf> {
    let path = folder.join("sick-python");
    fs::write(&path, SICK)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    Ok(path)
}

/// Whether this peer gets nothing more, and `mutirao why` names it, what it did and to which task: its state, in words.
fn named(trial: &Trial, who: &str, ended: &str) -> anyhow::Result<String> {
    let rows: Vec<Value> = serde_json::from_str(&says(trial, &["peers", "--json"])?)?;
    let is_mute = |row: &&Value| row["peer_id"] == mute::NAME;
    let is_it = |row: &&Value| row["done"] == 0 && is_mute(row) == (who == "mute");
    let row = rows
        .iter()
        .find(is_it)
        .context("`mutirao peers` has no such peer")?;
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (peer, state) = (word(&row["peer_id"]), word(&row["state"]));
    ensure!(state.starts_with("quarantined"), "it counts as {state}");
    let of_peer = says(trial, &["why", &peer])?;
    for told in [&peer, &state, ended] {
        ensure!(
            of_peer.contains(told),
            "`why` does not say {told}: {of_peer}"
        );
    }
    let task = word(&row["faults"][0]["task_id"]);
    let of_task = says(trial, &["why", &task])?;
    let is_told = |line: &str| line.contains(&peer) && line.contains(ended);
    ensure!(
        of_task.lines().any(is_told),
        "`why` of its task does not name it: {of_task}"
    );
    Ok(state)
}

/// Whether `mutirao why` tells the cause that this poison has wherever it is run well, and blames the machine for all else.
fn is_told(trial: &Trial, Dose { key, kind }: &Dose) -> anyhow::Result<()> {
    let report = says(trial, &["why", key, "--json"])?;
    let report: Value = serde_json::from_str(&report).context("`why` does not know it")?;
    ensure!(report["state"] == "failed", "it is {}", report["state"]);
    let verdicts = report["why"]["verdicts"].as_array();
    let verdicts = verdicts.context("it has no verdict")?;
    let error = |verdict: &Value| verdict["error"].as_str().unwrap_or_default().to_owned();
    let is_sick = |verdict: &&Value| {
        let error = error(verdict);
        SICK_ENDS.iter().any(|(_, ended)| error.contains(ended))
    };
    let (sick, own): (Vec<_>, Vec<_>) = verdicts.iter().partition(is_sick);
    ensure!(
        sick.iter().all(|verdict| verdict["culprit"] == "machine"),
        "what sick peers did to it is not blamed on them: {verdicts:?}"
    );
    let is_cause =
        |verdict: &&Value| verdict["culprit"] != "machine" && error(verdict).contains(kind.cause);
    ensure!(
        matches!(own.as_slice(), [only] if is_cause(only)),
        "its cause is not {:?}: {verdicts:?}",
        kind.cause
    );
    Ok(())
}

/// What the program prints.
fn says(trial: &Trial, words: &[&str]) -> anyhow::Result<String> {
    let address = trial.master.address().to_string();
    let mut command = Command::new(&trial.master.binary);
    let told = command.args(words).args(["--master", &address]).output()?;
    Ok(String::from_utf8(told.stdout)?)
}
