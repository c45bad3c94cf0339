//! `soak`: many tasks, every tenth of which dies in its first try and leaves a process behind: nothing leaks.

use std::fs;
use std::path::Path;
use std::process;
use std::time::Duration;

use mutirao_rig::clock;
use nix::unistd::Pid;

use crate::left_over::left_over;
use crate::peer::Peer;
use crate::rows::Row;
use crate::scope::{Scope, Verdict};
use crate::trial::Trial;

/// Tasks in the run of a commit, and in a long one.
const TASKS: (u64, u64) = (200, 2000);
/// Tasks before the first count of open files: by then everything was used once.
const WARM_UP: u64 = 20;
/// Open files that may be there besides: a connection that comes or goes just then.
const FILES_MORE: usize = 4;
/// How long one task may take in the mean, with those that rest.
const EACH: Duration = Duration::from_millis(800);
/// How long anything else may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// Dies in its first try, and leaves a process in a session of its own, and a file.
const DIES: &str = "
import os, subprocess
if os.environ['MUTIRAO_ATTEMPT'] == '1':
    open('left', 'w').write('behind')
    subprocess.Popen(['setsid', 'sleep', '3600'])
    os.kill(os.getpid(), 9)";

/// The row.
pub const ROW: Row = Row {
    name: "soak",
    about: "many tasks, a tenth of the runs killed: no leaked open file, process, file or folder",
    needs: &[],
    run,
};

fn run(scope: &Scope) -> anyhow::Result<Verdict> {
    let tasks = scope.size(TASKS.0, TASKS.1);
    let mut trial = Trial::new(scope, "trial", 0)?;
    trial.master.serve()?;
    let names = ["peer-0", "peer-1", "peer-2"];
    let peers = names.iter().map(|name| trial.peer(name, &["--slots", "2"]));
    let peers = peers.collect::<Result<Vec<_>, _>>()?;
    put(&trial, 0..WARM_UP)?;
    trial.drained(PATIENCE);
    let before = open_files(&trial, &peers)?;
    put(&trial, WARM_UP..tasks)?;
    let began = clock::now();
    trial.drained(EACH * u32::try_from(tasks)? + PATIENCE);
    let took = began.elapsed();
    let mut verdict = Verdict::default();
    // What is tidied behind the last result has this long.
    clock::until(PATIENCE, || {
        left_over(&trial, &peers).is_empty() && strangers(&trial, &peers).is_empty()
    });
    for left in left_over(&trial, &peers) {
        verdict.require(false, format_args!("{left} was left"));
    }
    for stranger in strangers(&trial, &peers) {
        verdict.require(false, format_args!("the process {stranger} was left"));
    }
    let after = open_files(&trial, &peers)?;
    for ((who, before), (_, after)) in before.iter().zip(&after) {
        let is_steady = *after <= before + FILES_MORE;
        verdict.require(
            is_steady,
            format_args!("{who}: {before} open files became {after}"),
        );
    }
    let files: Vec<_> = after.iter().map(|(_, count)| count.to_string()).collect();
    verdict.figure(format_args!(
        "{tasks} tasks in {} s · open files {}",
        took.as_secs(),
        files.join(" ")
    ));
    verdict.judge("the run", Ok(trial.counts()));
    Ok(verdict)
}

fn put(trial: &Trial, mut numbers: impl Iterator<Item = u64>) -> anyhow::Result<()> {
    numbers.try_for_each(|number| {
        let deed = if number.is_multiple_of(10) { DIES } else { "" };
        trial.tasks.put(&format!("task-{number}"), deed)
    })
}

/// Every process that is ours to have.
fn ours(trial: &Trial, peers: &[Peer]) -> Vec<(&'static str, Pid)> {
    let master = trial
        .master
        .process()
        .ok()
        .map(|process| ("master", process.pid()));
    let peers = peers.iter().filter_map(Peer::process);
    master
        .into_iter()
        .chain(peers.map(|process| ("peer", process.pid())))
        .collect()
}

fn open_files(trial: &Trial, peers: &[Peer]) -> anyhow::Result<Vec<(&'static str, usize)>> {
    let count = |(who, pid)| Ok((who, fs::read_dir(format!("/proc/{pid}/fd"))?.count()));
    ours(trial, peers).into_iter().map(count).collect()
}

/// Whether it is a resident interpreter of one of these: forked runs show its command too, but have folders of their own.
fn is_resident(pid: i32, command: &str, ours: &[i32]) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"));
    let parent = parent.and_then(|parent| parent.trim().parse().ok());
    let folder = fs::read_link(format!("/proc/{pid}/cwd"));
    command.contains("/templates/")
        && parent.is_some_and(|parent| ours.contains(&parent))
        && folder.is_ok_and(|folder| folder == Path::new("/"))
}

/// Processes in the cage besides its first one, the row, ours and their resident interpreters.
fn strangers(trial: &Trial, peers: &[Peer]) -> Vec<String> {
    let mut known: Vec<_> = ours(trial, peers)
        .into_iter()
        .map(|(_, pid)| pid.as_raw())
        .collect();
    known.extend([1, process::id().cast_signed()]);
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let strangers = pids.filter(|pid| !known.contains(pid));
    strangers
        .filter_map(|pid| {
            let words = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let is_resident = is_resident(pid, &words, &known);
            (!is_resident).then(|| format!("{pid} {}", words.replace('\0', " ")))
        })
        .collect()
}
