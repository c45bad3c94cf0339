//! Runs rows, several at a time, each in its cage, and sums up.

use std::env;
use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::Context as _;
use mutirao_rig::clock;
use uuid::Uuid;

use crate::Options;
use crate::cage;
use crate::need::Need;
use crate::rows::{self, Row};
use crate::scope::Scope;

/// How a row went.
enum Went {
    Held,
    Missed,
    LeftOut,
}

/// Runs the rows that were named, or all: whether each held.
pub fn all(options: &Options) -> anyhow::Result<ExitCode> {
    let rows = rows::named(&options.names)?;
    let binary = fs::canonicalize(&options.binary)
        .with_context(|| format!("there is no program {}", options.binary.display()))?;
    fs::create_dir_all(&options.folder)?;
    let options = Options {
        binary,
        folder: fs::canonicalize(&options.folder)?,
        // Half of it is chance enough, and can be typed again.
        seed: Some(
            options
                .seed
                .unwrap_or_else(|| Uuid::new_v4().as_u64_pair().0 >> 32),
        ),
        ..options.clone()
    };
    let (next, went) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..options.jobs.max(1) {
            scope.spawn(|| {
                while let Some(row) = rows.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let how = try_row(row, &options);
                    if let Ok(mut went) = went.lock() {
                        went.push(how);
                    }
                }
            });
        }
    });
    let went = went.into_inner().unwrap_or_default();
    let count = |wanted: fn(&Went) -> bool| went.iter().filter(|how| wanted(how)).count();
    let held = count(|how| matches!(how, Went::Held));
    let left_out = count(|how| matches!(how, Went::LeftOut));
    println!("{} rows: {held} held, {left_out} left out", rows.len());
    Ok(if held + left_out == rows.len() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn try_row(row: &Row, options: &Options) -> Went {
    let needs = [Need::Cage, Need::Python];
    let missing = needs
        .iter()
        .chain(row.needs)
        .find_map(|need| need.ensure().err());
    match missing {
        Some(why) if options.skip_missing => {
            println!("{:<12} left out: {why}", row.name);
            return Went::LeftOut;
        }
        Some(why) => {
            println!("{:<12} FAILED: it cannot run: {why}", row.name);
            return Went::Missed;
        }
        None => {}
    }
    match cage_row(row, options) {
        Ok(true) => Went::Held,
        Ok(false) => Went::Missed,
        Err(error) => {
            println!("{:<12} FAILED: {error:#}", row.name);
            Went::Missed
        }
    }
}

/// Runs the row in its cage and shows what it printed: whether it held.
fn cage_row(row: &Row, options: &Options) -> anyhow::Result<bool> {
    let folder = options.folder.join(row.name);
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => fs::create_dir(&folder)?,
    }
    let mut command = cage::command(&row_command(row, options, &folder)?);
    let began = clock::now();
    // Its input stays open as long as we live, by which the row knows it.
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let input = child.stdin.take();
    let output = child.wait_with_output()?;
    drop(input);
    let held = output.status.success();
    let took = began.elapsed().as_secs();
    let said = String::from_utf8_lossy(&output.stdout);
    let word = if held { "ok" } else { "MISSED" };
    println!("{:<12} {word} ({took} s) {}", row.name, said.trim_end());
    if held {
        fs::remove_dir_all(&folder)?;
    } else {
        println!("             what it left: {}", folder.display());
    }
    Ok(held)
}

/// This program as the row.
fn row_command(row: &Row, options: &Options, folder: &Path) -> anyhow::Result<Command> {
    let mut command = Command::new(env::current_exe()?);
    command
        .args(["--inside", row.name, "--binary"])
        .arg(&options.binary)
        .arg("--folder")
        .arg(folder)
        .args(["--seed", &options.seed.unwrap_or_default().to_string()]);
    if options.long {
        command.arg("--long");
    }
    if let Some(n) = options.n {
        command.args(["--n", &n.to_string()]);
    }
    if let Some(mutant) = &options.mutant {
        command.args(["--mutant", mutant]);
    }
    Ok(command)
}

/// Is the row: prints its figures on one line, and each target that it missed on a line of its own.
pub fn inside(options: &Options) -> anyhow::Result<ExitCode> {
    cage::end_with_maker();
    let scope = Scope {
        binary: options.binary.clone(),
        folder: options.folder.clone(),
        long: options.long,
        n: options.n,
        seed: options.seed.unwrap_or_default(),
        mutant: options.mutant.clone(),
    };
    let rows = rows::named(&options.names)?;
    let row = rows.first().context("no row was named")?;
    let verdict = (row.run)(&scope)?;
    println!("seed {} · {}", scope.seed, verdict.line());
    for missed in verdict.missed() {
        println!("             missed: {missed}");
    }
    Ok(if verdict.missed().is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
