//! The cookbook is true: each of its transcripts is typed at a real master with a peer, and prints what it says.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use common::PATIENCE;
use common::desk::Desk;
use common::program::Program;
use trycmd::TestCases;
use trycmd::schema::Bin;

/// What the recipes call besides the program.
const TOOLS: [&str; 4] = ["cat", "ls", "sed", "python3"];
/// Where `trycmd` starts what `recipes.md` says.
const KITCHEN: &str = "recipes.in";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn every_recipe_does_what_it_says() {
    let desk = Desk::new();
    // A copy: a recipe leaves results behind.
    let copied = Command::new("cp")
        .arg("-r")
        .args([root().join("examples/cookbook"), desk.path(KITCHEN)])
        .status();
    assert!(copied.unwrap().success());
    fs::copy(root().join("docs/cookbook.md"), desk.path("recipes.md")).unwrap();
    let mut up = desk.command(&["up", "--name", "lab", "--slots", "2"]);
    let up = Program::spawn("up", up.current_dir(desk.path(KITCHEN)));
    up.wait_line(|line| line.contains("found lab"), PATIENCE);

    let cases = TestCases::new();
    for tool in TOOLS {
        cases.register_bin(tool, Bin::Path(which::which(tool).unwrap()));
    }
    cases
        .register_bin("mutirao", Bin::Path(env!("CARGO_BIN_EXE_mutirao").into()))
        .env("MUTIRAO_DISCOVERY_PORT", desk.discovery().to_string())
        .env("XDG_CONFIG_HOME", desk.folder.path().display().to_string())
        .env(
            "PYTHONPATH",
            root().join("clients/python").display().to_string(),
        )
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .case(desk.path("recipes.md"));
    cases.run();
}
