//! What is said of tasks and groups by name, by state and as `last`, with the real binary.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod common;

use std::fs;
use std::time::Duration;

use common::desk::{Desk, err, out};
use common::wait_until;
use serde_json::Value;

/// Long enough for the slowest machine; a test that passes does not wait for it.
const PATIENCE: Duration = Duration::from_secs(60);
/// Prints its rows, and fails over a bad one.
const SCRIPT: &str = "\
import sys
for line in open(sys.argv[1]):
    print(line.strip())
    if 'bad' in line:
        sys.exit('a bad row')
";

/// Puts the script there, and a table with a bad row, which is the third.
fn furnish(desk: &Desk) {
    fs::write(desk.path("main.py"), SCRIPT).unwrap();
    fs::write(desk.path("rows.csv"), "name\none\ntwo\nbad\nfour\n").unwrap();
}

fn names(listing: &Value, of: &str, key: &str) -> Vec<String> {
    let rows = listing[of].as_array().unwrap().iter();
    rows.map(|row| row[key].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn groups_and_tasks_are_listed_told_and_printed_by_name_and_by_state() {
    let desk = Desk::new();
    furnish(&desk);
    let _master = desk.master();
    let elsewhere = desk.elsewhere();
    let _peer = elsewhere.start(&["peer", "--slots", "2"]);
    let run = [
        "run",
        "main.py",
        "rows.csv",
        "--rows",
        "1",
        "--retries",
        "0",
    ];
    assert_eq!(desk.output(&run).status.code(), Some(1));
    fs::write(desk.path("hello.py"), "print('hello')").unwrap();
    assert!(desk.output(&["run", "hello.py"]).status.success());

    let listing = desk.json(&["list", "--json"]);
    assert_eq!(names(&listing, "groups", "group"), ["main-1"]);
    assert_eq!(names(&listing, "tasks", "task_name"), ["hello.zip"]);
    let failed = desk.json(&["list", "--failed", "--json"]);
    assert_eq!(names(&failed, "tasks", "task_name"), ["main-1.2.zip"]);
    let first = desk.json(&["list", "--group", "main-1", "--limit", "3", "--json"]);
    let before = first["next"].as_str().unwrap();
    let second = desk.json(&["list", "--group", "main-1", "--before", before, "--json"]);
    assert_eq!(names(&second, "tasks", "task_name"), ["main-1.0.zip"]);
    assert!(second["next"].is_null());
    let table = out(&desk.output(&["list"]));
    assert!(table.contains("GROUP   PARTS"), "{table}");
    assert!(table.contains("hello"), "{table}");

    let printed = desk.output(&["cat", "main-1", "hello"]);
    let all = "name\none\nname\ntwo\nname\nbad\nname\nfour\nhello\n";
    assert_eq!(out(&printed), all, "{}", err(&printed));
    let said = out(&desk.output(&["cat", "--failed", "--stderr"]));
    assert!(said.contains("a bad row"), "{said}");
    let told = out(&desk.output(&["info", "main-1", "--failed"]));
    assert!(told.contains("group      main-1, part 2 of 4\n"), "{told}");
    assert!(told.contains("state      failed\n"), "{told}");

    let again = desk.output(&["wait", "hello", "main-1"]);
    assert_eq!(again.status.code(), Some(1), "one part failed");
    for (slip, meant) in [("mian-1", "main-1"), ("helo", "hello")] {
        let output = desk.output(&["wait", slip]);
        assert_eq!(output.status.code(), Some(1));
        let said = err(&output);
        assert!(said.contains(&format!("did you mean {meant}?")), "{said}");
    }
    let none = desk.output(&["cancel", "--running"]);
    assert_eq!(none.status.code(), Some(1));
    assert!(err(&none).contains("no such task"), "{}", err(&none));
    assert_eq!(desk.output(&["info"]).status.code(), Some(2));
}

#[test]
fn last_is_what_was_handed_in_last_from_the_same_folder() {
    let master = Desk::new();
    let ours = master.elsewhere();
    furnish(&ours);
    let _master = master.master();
    let mine = ["submit", "main.py", "rows.csv", "--rows", "2"];
    assert!(ours.output(&mine).status.success());
    fs::write(master.path("other.py"), "").unwrap();
    let theirs = master.json(&["submit", "other.py", "--json"]);
    let theirs = theirs["task_id"].as_str().unwrap();

    let last = |desk: &Desk| desk.json(&["info", "last", "--json"]);
    assert_eq!(last(&ours)["group"], "main-1");
    assert_eq!(last(&master)["task_id"], theirs);
    let stranger = master.elsewhere();
    assert_eq!(last(&stranger)["task_id"], theirs, "the newest of all");

    // The time of an id is at its beginning, so all but the last digits may be those of others too.
    let beginning = &theirs[..theirs.len() - 1];
    let told = stranger.json(&["info", beginning, "--json"]);
    assert_eq!(told["task_name"], "other.zip");
    for command in ["info", "why"] {
        let several = stranger.output(&[command, &theirs[..4]]);
        assert_eq!(several.status.code(), Some(1));
        let said = err(&several);
        assert!(said.contains("give more of it"), "{said}");
    }

    // What is not known there any more is not taken for what somebody else handed in.
    let forgotten = master.elsewhere();
    fs::create_dir(forgotten.path(".mutirao")).unwrap();
    fs::write(
        forgotten.path(".mutirao/last"),
        uuid::Uuid::nil().to_string(),
    )
    .unwrap();
    for command in ["why", "cancel"] {
        let refused = forgotten.output(&[command, "last"]);
        assert_eq!(refused.status.code(), Some(1));
        assert!(err(&refused).contains("name another"), "{}", err(&refused));
    }
    assert_eq!(desk_counts(&master)["cancelled"], 0);

    assert!(ours.output(&["cancel", "last", theirs]).status.success());
    wait_until("all is cancelled", PATIENCE, || {
        desk_counts(&master)["cancelled"] == 3
    });
    let waiting = ours.output(&["list", "--waiting"]);
    assert!(out(&waiting).contains("nothing is there"));
}

fn desk_counts(desk: &Desk) -> Value {
    desk.json(&["status", "--json"])["tasks"].clone()
}
