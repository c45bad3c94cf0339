//! What every command prints with `--json` is what its schema says, with the real binary.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use common::desk::{Desk, each_row, err, out};
use common::{PATIENCE, wait_until};
use jsonschema::Validator;
use serde_json::Value;

fn schemas() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/schemas"))
}

/// What lines are held to.
struct Schema(Validator);

impl Schema {
    fn of(name: &str) -> Self {
        let text = fs::read_to_string(schemas().join(format!("{name}.json"))).unwrap();
        let schema = serde_json::from_str(&text).unwrap();
        Self(jsonschema::draft202012::new(&schema).unwrap())
    }

    /// Holds a line to it, and gives it.
    #[track_caller]
    fn hold(&self, line: &str) -> Value {
        let value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let wrong = self.0.iter_errors(&value);
        let wrong: Vec<_> = wrong.map(|error| error.to_string()).collect();
        assert!(wrong.is_empty(), "{wrong:#?}\n{value:#}");
        value
    }
}

/// Holds each line that a command prints to the schema of this name, and gives them.
#[track_caller]
fn hold(desk: &Desk, schema: &str, words: &[&str]) -> Vec<Value> {
    let schema = Schema::of(schema);
    let output = desk.output(words);
    let printed = out(&output);
    assert!(!printed.is_empty(), "{words:?}: {}", err(&output));
    printed.lines().map(|line| schema.hold(line)).collect()
}

/// Whoever adds a command that prints JSON adds its schema, and holds it to that below.
#[test]
fn every_command_that_prints_json_has_a_schema_and_its_page_names_it() {
    let help = |words: &[&str]| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_mutirao"));
        let output = program.args(words).arg("--help").output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let all = help(&[]);
    let commands = all.lines().skip_while(|line| *line != "Commands:").skip(1);
    let commands = commands.take_while(|line| !line.is_empty());
    let names = commands.filter_map(|line| line.split_whitespace().next());
    let prints = names.filter(|name| *name != "help" && help(&[name]).contains("--json"));
    let mut wanted: BTreeSet<String> = prints.map(str::to_owned).collect();
    wanted.extend(["store-check", "store-export"].map(str::to_owned));
    let files = fs::read_dir(schemas()).unwrap();
    let stem = |path: &Path| path.file_stem().unwrap().to_string_lossy().into_owned();
    let there: BTreeSet<_> = files.map(|file| stem(&file.unwrap().path())).collect();
    assert_eq!(there, wanted);
    let page = fs::read_to_string(schemas().join("../json.md")).unwrap();
    for name in there {
        assert!(page.contains(&format!("(schemas/{name}.json)")), "{name}");
    }
}

#[test]
fn what_every_command_prints_is_what_its_schema_says() {
    let desk = Desk::new();
    let master = desk.master();
    let script = "import sys\nif 'bad' in open(sys.argv[1]).read(): raise ValueError('a bad row')\nprint('n')\n";
    fs::write(desk.path("main.py"), script).unwrap();
    fs::write(desk.path("rows.csv"), "n\n1\nbad\n3\n").unwrap();
    let submit = [&each_row("submit")[..], &["--json"]].concat();
    assert_eq!(hold(&desk, "submit", &submit)[0]["parts"], 3);
    hold(
        &desk,
        "submit",
        &["submit", "main.py", "rows.csv", "--name", "one", "--json"],
    );
    for words in [["why", "one", "--json"], ["why", "main-1", "--json"]] {
        hold(&desk, "why", &words);
    }
    hold(&desk, "list", &["list", "--waiting", "--json"]);

    let elsewhere = desk.elsewhere();
    let _peer = elsewhere.start(&["peer", "--slots", "1"]);
    let waited = hold(&desk, "wait", &["wait", "main-1", "--json"]);
    assert_eq!(waited[0]["failed"], 1);
    desk.output(&["wait", "one"]);
    hold(&desk, "list", &["list", "--json"]);
    hold(&desk, "list", &["list", "--failed", "--json"]);
    let told = hold(
        &desk,
        "info",
        &["info", "main-1", "main-1.1", "main-1.0", "one", "--json"],
    );
    assert_eq!(told.len(), 4);
    let tailed = ["tail", "-f", "main-1.0", "main-1.1", "--json"];
    let told = hold(&desk, "tail", &tailed);
    assert!(told.iter().any(|line| line["text"] == "n"), "{told:?}");
    hold(&desk, "why", &["why", "main-1", "--json"]);
    hold(&desk, "why", &["why", "main-1.1", "--json"]);
    hold(&desk, "status", &["status", "--json"]);
    let peers = hold(&desk, "peers", &["peers", "--json"]).remove(0);
    let id = peers[0]["peer_id"].as_str().unwrap();
    hold(&desk, "why", &["why", id, "--json"]);
    hold(&desk, "drain", &["drain", id, "--json"]);
    let address = peers[0]["address"].as_str().unwrap();
    hold(&desk, "status", &["status", "--master", address, "--json"]);
    hold(&desk, "masters", &["masters", "--json"]);
    hold(&desk, "doctor", &["doctor", "--json"]);
    hold(&desk, "config", &["config", "--json"]);

    // It goes on, and says so when the master does not any more.
    let top = desk.start(&["top", "--json"]);
    let schema = Schema::of("top");
    let line = top.wait_line(|line| line.starts_with('{'), PATIENCE);
    assert_eq!(schema.hold(&line)["groups"][0]["failed"], 1);
    let page = out(&desk.output(&["top"]));
    assert!(page.starts_with("lab ("), "{page}");
    let failed = page.lines().find(|line| line.starts_with("main-1.1.zip"));
    assert!(
        failed.is_some_and(|line| line.contains("exit code 1")),
        "{page}"
    );

    hold(&desk, "store-export", &["store", "export"]);
    master.terminate();
    assert_eq!(master.wait_end(PATIENCE), Some(0));
    let is_silent = |line: &str| line.contains("\"silence\":\"");
    let line = top.wait_line(is_silent, PATIENCE);
    assert_eq!(schema.hold(&line)["master"]["name"], "lab");
    top.interrupt();
    assert_eq!(top.wait_end(PATIENCE), Some(0));
    hold(&desk, "store-check", &["store", "check", "--json"]);
    wait_until("the log is written", PATIENCE, || {
        desk.path(".mutirao/messages.jsonl").exists()
    });
    hold(&desk, "trace", &["trace", "--json"]);
}
