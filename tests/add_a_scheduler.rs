//! The README's section "Add a scheduler", done step by step: its code written, its lines added, its program run.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "what is not there fails its test")]

mod common;

use std::fs;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use common::archives::put_task;
use common::program::Program;
use common::wait_until;
use serde_json::Value;

const HOUSE: &str = env!("CARGO_MANIFEST_DIR");
/// What of the house is no source: what was built, what git keeps, what a running system has.
const NO_SOURCES: [&str; 6] = ["target", ".git", ".mutirao", "tasks", "results", "work"];
/// One build of the program on a slow machine, its dependencies included.
const BUILD_WITHIN: Duration = Duration::from_secs(900);
/// Three short tasks.
const RUN_WITHIN: Duration = Duration::from_secs(60);

#[test]
fn the_steps_of_the_readme_make_a_scheduler_that_takes_the_newest_task_first() {
    let steps = steps("README.md", "## Add a scheduler");
    let [create, add, run] = steps.as_slice() else {
        panic!("the section has three steps, not {}", steps.len());
    };
    // Always the same place, so that each run builds over what the last one left.
    let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join("add-a-scheduler");
    let sources = copy.join("sources");
    let _ = fs::remove_dir_all(&sources);
    copy_folder(Path::new(HOUSE), &sources, &NO_SOURCES);

    fs::write(sources.join(&create.file), &create.block).unwrap();
    let table = sources.join(&add.file);
    let added = with_lines(&fs::read_to_string(&table).unwrap(), &add.block);
    fs::write(table, added).unwrap();

    let program = build(&sources, &copy.join("target"));
    let typed = run.block.trim().strip_prefix("cargo run -- ");
    let typed = typed.expect("the last step runs the program with cargo");
    assert_eq!(order_of_three(&program, typed), ["hold", "newer", "older"]);
}

#[test]
fn the_portuguese_steps_are_the_same() {
    let portuguese = steps("README.pt-BR.md", "## Crie um escalonador");
    assert_eq!(portuguese, steps("README.md", "## Add a scheduler"));
}

/// A step of a section: a fenced block, and the file that the line before it names.
#[derive(Debug, PartialEq, Eq)]
struct Step {
    file: String,
    block: String,
}

fn steps(readme: &str, heading: &str) -> Vec<Step> {
    let text = fs::read_to_string(Path::new(HOUSE).join(readme)).unwrap();
    let mut lines = text.lines().skip_while(|line| *line != heading).skip(1);
    let (mut steps, mut file) = (Vec::new(), String::new());
    while let Some(line) = lines.next().filter(|line| !line.starts_with("## ")) {
        if let Some((indent, _)) = line.split_once("```") {
            let inside = lines.by_ref().take_while(|line| line.trim() != "```");
            let block =
                inside.map(|line| line.strip_prefix(indent).unwrap_or(line).to_owned() + "\n");
            let (file, block) = (std::mem::take(&mut file), block.collect());
            steps.push(Step { file, block });
        } else if let Some(named) = line.split('`').nth(1) {
            file = named.to_owned();
        }
    }
    steps
}

/// Adds the lines with a `+`, each behind the line that stands before it in the block.
fn with_lines(text: &str, block: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    let mut at = 0;
    for step in block.lines() {
        match step.split_at(1) {
            ("+", added) => lines.insert(at, added),
            (_, known) => {
                let found = lines[at..].iter().position(|line| *line == known);
                at += found.unwrap_or_else(|| panic!("there is no line `{known}` any more"));
            }
        }
        at += 1;
    }
    lines.join("\n") + "\n"
}

fn copy_folder(from: &Path, to: &Path, without: &[&str]) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        if without.iter().any(|other| name == *other) {
            continue;
        }
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &to.join(name), &[]);
        } else {
            fs::copy(entry.path(), to.join(name)).unwrap();
        }
    }
}

/// Builds the program among the house's own dependencies, and puts it where it is in nobody's way.
fn build(sources: &Path, target: &Path) -> PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["build", "--offline", "--locked", "--bin", "mutirao"])
        .current_dir(sources)
        .env("CARGO_BUILD_BUILD_DIR", Path::new(HOUSE).join("target"))
        .env("CARGO_TARGET_DIR", target)
        .env("CARGO_INCREMENTAL", "0");
    let built = Program::spawn("cargo build", &mut cargo).wait_end(BUILD_WITHIN);
    assert_eq!(
        built,
        Some(0),
        "the house with the new scheduler does not build"
    );
    target.join("debug/mutirao")
}

/// Runs what was typed on one slot, which the first task holds until two others wait; the names as handed out.
fn order_of_three(program: &Path, typed: &str) -> Vec<String> {
    let place = tempfile::tempdir().unwrap();
    let (tasks, go) = (place.path().join("tasks"), place.path().join("go"));
    let log = place.path().join(".mutirao/messages.jsonl");
    let until_told = format!(
        "import os, time\nwhile not os.path.exists({:?}):\n    time.sleep(0.01)\n",
        go.display().to_string()
    );
    put_task(&tasks, "hold.zip", &[("main.py", &until_told)]);
    let discovery = UdpSocket::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let mut command = Command::new(program);
    command
        .args(typed.split_whitespace())
        .args(["--drain", "--slots", "1", "--message-log", "--port", "0"])
        .args(["--discovery-port", &discovery.port().to_string()])
        .current_dir(place.path());
    let up = Program::spawn("mutirao up", &mut command);
    wait_until("hold runs", RUN_WITHIN, || {
        names_in(&log, "TaskOffered") == ["hold"]
    });
    for next in ["older", "newer"] {
        put_task(&tasks, &format!("{next}.zip"), &[("main.py", "print(1)\n")]);
        let name = next.to_owned();
        wait_until(next, RUN_WITHIN, || {
            names_in(&log, "TaskArrived").contains(&name)
        });
    }
    fs::write(go, "").unwrap();
    assert_eq!(up.wait_end(RUN_WITHIN), Some(0));
    names_in(&log, "TaskOffered")
}

/// The tasks' names in the letters of one kind, in order; a line that is being written is left for later.
fn names_in(log: &Path, kind: &str) -> Vec<String> {
    let text = fs::read_to_string(log).unwrap_or_default();
    let letters = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let of_kind = letters.filter(|letter| letter["kind"] == kind);
    let name = |letter: Value| {
        let body = &letter["body"];
        let name = body["task"]["name"]
            .as_str()
            .or(body["offer"]["name"].as_str());
        name.and_then(|name| name.split('.').next())
            .map(str::to_owned)
    };
    of_kind.filter_map(name).collect()
}
