//! `poison`: tasks that fail, die and hang among good ones, and one peer on which everything fails.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use mutirao_rig::clock;
use serde_json::Value;

use crate::rows::Row;
use crate::scope::{Scope, Verdict};
use crate::trial::Trial;

/// Good tasks in the run of a commit, and in a long one; a tenth as many more are poison.
const GOOD: (u64, u64) = (50, 500);
/// Scripts are killed after this long, so that those which hang end.
const TIME_LIMIT: &str = "5s";
/// What poison does.
const POISON: [&str; 5] = [
    "raise SystemExit(3)",
    "import os\nos.kill(os.getpid(), 9)",
    "import time\ntime.sleep(3600)",
    "import no_such_module",
    "raise MemoryError()",
];
/// How long one good task may take in the mean.
const EACH: Duration = Duration::from_secs(2);
/// How long the poison may take besides.
const PATIENCE: Duration = Duration::from_secs(120);
/// An interpreter that answers who it is and fails every script.
const SICK: &str = r#"#!/bin/sh
case "$*" in
  *main.py*) echo "this machine is sick" >&2; exit 1;;
  *) python3 "$@" | sed "1s|.*|$0|";;
esac
"#;

/// The row.
pub const ROW: Row = Row {
    name: "poison",
    about: "tasks that fail, die and hang, and a sick peer: the others are done, these failed with their cause",
    needs: &[],
    run,
};

fn run(scope: &Scope) -> anyhow::Result<Verdict> {
    let good = scope.size(GOOD.0, GOOD.1);
    let mut trial = Trial::new(scope, "trial", 0)?;
    trial.master.arguments = ["--time-limit", TIME_LIMIT].map(String::from).into();
    trial.master.serve()?;
    let sick = sick_interpreter(&trial.folder)?;
    let sick = sick.to_string_lossy();
    let _peers = [
        // Forks of a resident interpreter would be spared what its starts are not.
        trial.peer(
            "sick",
            &["--slots", "2", "--start", "cold", "--python", &sick],
        )?,
        trial.peer("well-a", &["--slots", "2"])?,
        trial.peer("well-b", &["--slots", "2"])?,
    ];
    let mut doomed = Vec::new();
    for number in 0..good {
        trial.tasks.put(&format!("good-{number}"), "")?;
        if number.is_multiple_of(10) {
            let deed = POISON
                .iter()
                .cycle()
                .nth(doomed.len())
                .copied()
                .unwrap_or_default();
            let key = format!("poison-{number}");
            trial.tasks.history().doomed.insert(key.clone());
            trial.tasks.put(&key, deed)?;
            doomed.push(key);
        }
    }
    trial.drained(EACH * u32::try_from(good)? + PATIENCE);
    let mut verdict = Verdict::default();
    let failed = trial.master.folder.join("tasks/failed");
    for key in &doomed {
        let note = failed.join(format!("{key}.zip.txt"));
        let cause = || fs::read_to_string(&note).unwrap_or_default();
        // It is laid there behind.
        let is_told = clock::until(EACH, || !cause().trim().is_empty());
        verdict.require(is_told, format_args!("{key} has no cause"));
    }
    let row = row_of_sick(&trial)?;
    let state = row["state"].as_str().unwrap_or("gone").to_owned();
    verdict.require(
        !["ready", "gone"].contains(&state.as_str()),
        format_args!("the sick peer counts as {state}"),
    );
    verdict.figure(format_args!(
        "{good} good, {} poison · the sick peer failed {} and is {state}",
        doomed.len(),
        row["failed"]
    ));
    verdict.judge("the run", Ok(trial.counts()));
    Ok(verdict)
}

fn sick_interpreter(folder: &Path) -> anyhow::Result<PathBuf> {
    let path = folder.join("sick-python");
    fs::write(&path, SICK)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    Ok(path)
}

/// What `mutirao peers` tells of the peer that has done nothing and failed most.
fn row_of_sick(trial: &Trial) -> anyhow::Result<Value> {
    let address = trial.master.address().to_string();
    let mut command = Command::new(&trial.master.binary);
    let told = command
        .args(["peers", "--json", "--master", &address])
        .output()?;
    let rows: Vec<Value> = serde_json::from_slice(&told.stdout)?;
    let sick = rows.into_iter().filter(|row| row["done"] == 0);
    Ok(sick
        .max_by_key(|row| row["failed"].as_u64())
        .unwrap_or_default())
}
