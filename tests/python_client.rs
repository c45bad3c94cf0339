//! The Python client: its own tests, those against the real binary, its types and its package.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::desk::{Desk, err, out};
use common::lan::Lan;
use common::ours::{our_master, ours};

/// What somebody writes who has read the first example.
const SQUARES: &str = "\
import mutirao

def square(number):
    return number * number

if __name__ == '__main__':
    print(list(mutirao.map(square, range(3))))
";

fn client() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/python")
}

/// An interpreter that finds the package, and leaves nothing beside it.
fn python(program: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env("PYTHONPATH", client())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env_remove("MUTIRAO_MASTER")
        .env_remove("MUTIRAO_DISCOVER");
    command
}

#[track_caller]
fn assert_well(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}{}", out(&output), err(&output));
}

#[test]
fn its_own_tests_pass() {
    let mut tests = python(Path::new("python3"));
    tests.args(["-m", "unittest", "discover", "-s"]);
    assert_well(tests.arg(client().join("tests")));
}

#[test]
fn it_finds_a_master_and_gets_everything_done_by_its_peer() {
    let desk = Desk::new();
    let (_up, master) = desk.up();
    let mut tests = python(Path::new("python3"));
    tests
        .arg(client().join("tests/against_master.py"))
        .current_dir(desk.folder.path())
        .env("MUTIRAO_DISCOVERY_PORT", desk.discovery().to_string());
    assert_well(&mut tests);
    // Told where the master is, it looks for none.
    let named = "import mutirao; print(mutirao.Executor().master)";
    tests = python(Path::new("python3"));
    tests
        .args(["-c", named])
        .env("MUTIRAO_MASTER", master.to_string());
    assert_eq!(out(&tests.output().unwrap()).trim(), master.to_string());
}

#[test]
fn it_works_from_another_machine_once_the_master_lets_it() {
    let Some(lan) = Lan::or_leave_out() else {
        return;
    };
    let [lab, room, desk] = ["lab", "room", "desk"].map(|name| lan.host(name));
    let script = desk.folder().join("squares.py");
    fs::write(&script, SQUARES).unwrap();
    let squares = || {
        let mut python = desk.command("python3");
        python.arg(&script).env("PYTHONPATH", client());
        python.env("PYTHONDONTWRITEBYTECODE", "1").output().unwrap()
    };
    let closed = our_master(&lab, "");
    let refused = squares();
    assert_eq!(out(&refused), "", "{}", err(&refused));
    assert!(
        err(&refused).contains("mutirao master --open-api"),
        "{}",
        err(&refused)
    );
    drop(closed);
    let _open = our_master(&lab, "--open-api");
    let _peer = ours(&room, "peer --slots 1");
    let done = squares();
    assert_eq!(out(&done), "[0, 1, 4]\n", "{}", err(&done));
}

#[test]
fn it_is_fully_typed_and_can_be_installed() {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/mypy/bin");
    if !tools.join("mypy").exists() {
        assert!(
            std::env::var_os("MUTIRAO_REQUIRE_ALL").is_none(),
            "{} is missing",
            tools.display()
        );
        return eprintln!("left out: mypy is not installed; cargo xtask test does so");
    }
    let desk = Desk::new();
    let cache = desk.path("cache");
    let mut types = Command::new(tools.join("mypy"));
    types
        .args(["--strict", "mutirao", "tests", "--cache-dir"])
        .arg(&cache)
        .env("MYPYPATH", client());
    assert_well(types.current_dir(client()));

    // From a copy, for the building leaves files behind.
    let (copy, target) = (desk.path("copy"), desk.path("installed"));
    assert_well(Command::new("cp").arg("-r").arg(client()).arg(&copy));
    let mut pip = Command::new(tools.join("pip"));
    pip.args(["install", "--no-index", "--no-deps", "--no-build-isolation"])
        .arg("--target")
        .args([&target, &copy]);
    assert_well(&mut pip);
    assert!(target.join("mutirao/py.typed").is_file());
    assert!(target.join("mutirao/_remote.py").is_file());
}
