//! Our program on a host of the LAN.

use std::env;
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::Value;

use super::archives::{SUM_OF_42, put_task, text_in};
use super::lan::Host;
use super::program::Program;
use super::speakers::PATIENCE;
use super::wait_until;

/// Bound for what has to wait until a peer's silence is noticed or a hundred tasks have run.
pub const LONG_PATIENCE: Duration = Duration::from_secs(180);
/// Takes its time, so that something can happen meanwhile.
pub const UNHURRIED: &str =
    "import time\nprint('begun', flush=True)\ntime.sleep(6)\nprint('ended')";

/// Starts our program on the host; the arguments are split at spaces.
pub fn ours(host: &Host, arguments: &str) -> Program {
    Program::spawn(
        &format!("mutirao {arguments}"),
        &mut command(host, arguments),
    )
}

/// Runs our program on the host to its end, for those of its commands that answer and end.
pub fn answer(host: &Host, arguments: &str) -> Output {
    command(host, arguments).output().unwrap()
}

/// What a command prints with `--json`; panics if it does not end well.
#[track_caller]
pub fn json_answer(host: &Host, arguments: &str) -> Value {
    let Output {
        status,
        stdout,
        stderr,
    } = answer(host, &format!("{arguments} --json"));
    let stderr = String::from_utf8_lossy(&stderr);
    assert!(status.success(), "mutirao {arguments}: {status}, {stderr}");
    serde_json::from_slice(&stdout).unwrap()
}

/// The program in the host's folder and without the configuration of whoever runs the test.
fn command(host: &Host, arguments: &str) -> Command {
    let mut command = host.command(env!("CARGO_BIN_EXE_mutirao"));
    command.args(arguments.split_whitespace());
    command.env("XDG_CONFIG_HOME", host.folder());
    for (name, _) in env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"MUTIRAO_") {
            command.env_remove(name);
        }
    }
    command
}

/// A master of ours that serves already.
pub fn our_master(host: &Host, arguments: &str) -> Program {
    let master = ours(host, &format!("master {arguments}"));
    master.wait_line(|line| line.contains("serving"), PATIENCE);
    master
}

/// The name of the master in a peer's line `found NAME (…`.
pub fn master_found_by(peer: &Program) -> String {
    let line = peer.wait_line(|line| line.contains("found "), PATIENCE);
    let name = line.split_once("found ").unwrap().1.split(' ').next();
    name.unwrap().trim_matches('"').to_owned()
}

/// Puts a task that prints 42 into the master's `tasks/`.
pub fn put_sum(master: &Host, name: &str) {
    put_task(&master.folder().join("tasks"), name, &SUM_OF_42);
}

/// Waits until the task is done at a master of ours and its result says 42.
#[track_caller]
pub fn wait_for_42(master: &Host, name: &str) {
    let done = master.folder().join("tasks/done").join(name);
    wait_until(&format!("{name} is done"), LONG_PATIENCE, || done.exists());
    let result = master.folder().join("results").join(name);
    assert_eq!(text_in(&result, "stdout.txt"), "42\n");
}

/// Waits until a script runs on the host.
pub fn wait_until_at_work(peer: &Host) {
    wait_until("a script runs", PATIENCE, || peer.scripts() > 0);
}

/// Which try gave the result that the master has of this task.
pub fn attempt_of(master: &Host, name: &str) -> u64 {
    let result = master.folder().join("results").join(name);
    let report: Value = serde_json::from_str(&text_in(&result, "result.json")).unwrap();
    report["attempt"].as_u64().unwrap()
}
