//! `list`, `why` and `trace` take the words that `cancel` takes, a page at a time, with the real binary.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod common;

use std::fs;

use common::desk::{Desk, each_row, err, out};
use common::program::Program;
use common::{PATIENCE, wait_until};
use serde_json::Value;

/// Fails over a bad row.
const SCRIPT: &str = "\
import sys
for line in open(sys.argv[1]):
    if 'bad' in line:
        raise ValueError('a bad row')
";

/// A master and a peer that have tried `main-1` and `main-2`, of which the third of four parts failed, and done `hello`.
fn lab() -> (Desk, [Program; 2]) {
    let desk = Desk::new();
    fs::write(desk.path("main.py"), SCRIPT).unwrap();
    fs::write(desk.path("rows.csv"), "name\none\ntwo\nbad\nfour\n").unwrap();
    fs::write(desk.path("hello.py"), "print('hello')").unwrap();
    let master = desk.master();
    let elsewhere = desk.elsewhere();
    let peer = elsewhere.start(&["peer", "--slots", "2"]);
    for _ in 0..2 {
        assert_eq!(desk.output(&each_row("run")).status.code(), Some(1));
    }
    assert!(desk.output(&["run", "hello.py"]).status.success());
    (desk, [master, peer])
}

impl Desk {
    /// The groups and the tasks that are listed.
    #[track_caller]
    fn listed(&self, words: &[&str]) -> (Vec<String>, Vec<String>) {
        let listing = self.json(&[&["list", "--json"], words].concat());
        let names = |of: &str, key: &str| {
            let rows = listing[of].as_array().unwrap().iter();
            let name = |row: &Value| {
                row[key]
                    .as_str()
                    .unwrap()
                    .trim_end_matches(".zip")
                    .to_owned()
            };
            rows.map(name).collect()
        };
        (names("groups", "group"), names("tasks", "task_name"))
    }

    /// What is told, by its name, and what is said beside it.
    #[track_caller]
    fn told(&self, words: &[&str]) -> (Vec<String>, String) {
        let output = self.output(&[&["why", "--json"], words].concat());
        assert!(output.status.success(), "{words:?}: {}", err(&output));
        let name = |line: &str| {
            let report: Value = serde_json::from_str(line).unwrap();
            let name = ["group", "task_name", "peer_id"];
            // A part tells of its group too.
            let is_part = report["task_name"].is_string();
            let name = name.iter().skip(usize::from(is_part));
            let name = name.map(|key| &report[*key]).find(|name| name.is_string());
            name.unwrap().as_str().unwrap().to_owned()
        };
        (out(&output).lines().map(name).collect(), err(&output))
    }
}

#[track_caller]
fn are(listed: &[String], expected: &[&str]) {
    assert_eq!(listed, expected);
}

#[test]
fn list_takes_names_parts_and_states_and_goes_on_behind_tasks_and_groups() {
    let (desk, _running) = lab();
    let (groups, tasks) = desk.listed(&["failed"]);
    are(&groups, &[]);
    are(&tasks, &["main-2.2", "main-1.2"]);
    assert_eq!(desk.listed(&["--failed"]).1, tasks);
    are(&desk.listed(&["last"]).1, &["hello"]);
    let (groups, tasks) = desk.listed(&["main-1"]);
    are(&groups, &["main-1"]);
    are(&tasks, &["main-1.3", "main-1.2", "main-1.1", "main-1.0"]);
    let (groups, tasks) = desk.listed(&["main-1", "1-2", "hello"]);
    are(&groups, &[]);
    are(&tasks, &["hello", "main-1.2", "main-1.1"]);
    are(&desk.listed(&["main-1", "failed"]).1, &["main-1.2"]);
    assert_eq!(desk.listed(&["all"]), desk.listed(&[]));
    let id = desk.json(&["info", "hello", "--json"])["task_id"].clone();
    let beginning = &id.as_str().unwrap()[..23];
    are(&desk.listed(&[beginning]).1, &["hello"]);

    let first = desk.json(&["list", "main-1", "--limit", "3", "--json"]);
    let next = first["next"].as_str().unwrap();
    are(&desk.listed(&["main-1", "--before", next]).1, &["main-1.0"]);
    let first = desk.json(&["list", "--limit", "1", "--json"]);
    assert_eq!(
        (&first["next_group"], &first["more_groups"]),
        (&"main-2".into(), &true.into())
    );
    let (groups, tasks) = desk.listed(&["--before", "main-2"]);
    are(&groups, &["main-1"]);
    are(&tasks, &[]);
    let page = out(&desk.output(&["list", "--limit", "1"]));
    assert!(
        page.contains("→ more groups: the same with --before main-2\n"),
        "{page}"
    );

    for (words, said) in [
        (&["mian-1"][..], "did you mean main-1?"),
        (&["main-1", "9"], "main-1 has no part 9: it has 4"),
    ] {
        let output = desk.output(&[&["list"], words].concat());
        assert_eq!(output.status.code(), Some(1), "{words:?}");
        assert!(err(&output).contains(said), "{}", err(&output));
    }
    let beside = desk.output(&["list", "failed", "--before", "main-2"]);
    assert_eq!(beside.status.code(), Some(2));
    assert!(
        err(&beside).contains("takes the id of a task"),
        "{}",
        err(&beside)
    );
    // An empty page would be taken for the last one.
    for (before, said) in [
        (beginning, format!("did you mean {}?", id.as_str().unwrap())),
        ("man-2", "did you mean main-2?".to_owned()),
        ("hello", "is neither".to_owned()),
        ("last", "is neither".to_owned()),
    ] {
        for command in ["list", "why"] {
            let output = desk.output(&[command, "--before", before, "--json"]);
            assert_eq!(output.status.code(), Some(2), "{command} {before}");
            assert_eq!(out(&output), "", "{command} {before}");
            assert!(err(&output).contains(&said), "{}", err(&output));
        }
    }
}

#[test]
fn why_takes_names_parts_states_and_peers_and_trace_one_task() {
    let (desk, _running) = lab();
    are(&desk.told(&["main-1", "2"]).0, &["main-1.2.zip"]);
    are(&desk.told(&[]).0, &["hello.zip"]);
    are(
        &desk.told(&["hello", "main-1", "main-2", "2"]).0,
        &["main-1", "hello.zip", "main-2.2.zip"],
    );
    let (told, beside) = desk.told(&["failed"]);
    are(&told, &["main-2", "main-1"]);
    assert_eq!(beside, "");
    let (told, beside) = desk.told(&["failed", "--limit", "1"]);
    are(&told, &["main-2"]);
    assert_eq!(beside, "→ more groups: the same with --before main-2\n");
    are(&desk.told(&["failed", "--before", "main-2"]).0, &["main-1"]);

    let text = out(&desk.output(&["why", "main-1", "failed"]));
    assert!(text.contains("ValueError: a bad row (main.py:4)"), "{text}");
    let none = out(&desk.output(&["why", "main-1", "waiting"]));
    assert!(!none.contains("ValueError"), "{none}");
    let peer = desk.json(&["peers", "--json"])[0]["peer_id"].clone();
    let peer = peer.as_str().unwrap();
    are(
        &desk.told(&[&peer[..8], "main-1", "2"]).0,
        &[peer, "main-1.2.zip"],
    );
    are(&desk.told(&[&peer[..8]]).0, &[peer]);
    let of_group = [&peer[..8], "failed", "--group", "main-1"];
    are(&desk.told(&of_group).0, &[peer, "main-1"]);
    for word in ["failed", "--failed", "all"] {
        let output = desk.output(&["why", &peer[..8], word]);
        assert_eq!(output.status.code(), Some(2), "{word}");
        assert_eq!(out(&output), "", "{word}");
        let meant = word.trim_start_matches('-');
        for said in [
            format!("`mutirao why {peer}`"),
            format!("`mutirao why {meant}`"),
        ] {
            assert!(err(&output).contains(&said), "{}", err(&output));
        }
    }

    for (words, said) in [
        (
            &["hello", "failed"][..],
            "nothing that is named has failed; ",
        ),
        (&["waiting"], "nothing waits; "),
    ] {
        let output = desk.output(&[&["why"], words].concat());
        assert_eq!(output.status.code(), Some(1), "{words:?}");
        assert!(err(&output).contains(said), "{}", err(&output));
    }
    let slip = desk.output(&["why", "mian-1", "2"]);
    assert_eq!(slip.status.code(), Some(1));
    assert!(
        err(&slip).contains("did you mean main-1?"),
        "{}",
        err(&slip)
    );

    let way = out(&desk.output(&["trace", "main-1", "2", "--json"]));
    assert!(way.contains("main-1.2.zip"), "{way}");
    assert_eq!(
        out(&desk.output(&["trace", "--task", "main-1.2", "--json"])),
        way
    );
    for (words, said) in [
        (&["failed"][..], "of one task, and `failed` may be several"),
        (
            &["main-1", "1-2"],
            "and `main-1 1-2` may be several: name one",
        ),
        (&["main-1", "hello"], "`mutirao list main-1 hello` shows"),
        (&["all"], "`all` is asked of a running master"),
    ] {
        let output = desk.output(&[&["trace"], words].concat());
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        assert!(err(&output).contains(said), "{}", err(&output));
    }
}

#[test]
fn retry_of_everything_tells_how_much_that_is_and_does_it_when_that_is_meant() {
    let (desk, _running) = lab();
    for words in [
        &["retry", "all"][..],
        &["retry", "failed"],
        &["retry", "--failed"],
    ] {
        let output = desk.output(words);
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        let much = if words[1] == "all" {
            "2 groups"
        } else {
            "2 tasks"
        };
        let said = format!(
            "nothing is tried again yet: it would be {much}, whoever handed it in; say it with --yes"
        );
        assert!(err(&output).contains(&said), "{}", err(&output));
    }
    assert_eq!(desk.counts()["failed"], 2);
    let none = desk.output(&["retry", "cancelled"]);
    assert_eq!(none.status.code(), Some(1));
    assert!(
        err(&none).contains("nothing was cancelled; "),
        "{}",
        err(&none)
    );
    wait_until("what failed is put away", PATIENCE, || {
        desk.path("tasks/failed/main-2.2.zip").exists()
    });
    let again = desk.output(&["retry", "failed", "--yes"]);
    assert!(again.status.success(), "{}", err(&again));
    assert!(
        out(&again).contains("main-1: 1 part tried again"),
        "{}",
        out(&again)
    );
    assert!(
        out(&again).contains("main-2: 1 part tried again"),
        "{}",
        out(&again)
    );
}

#[test]
fn info_tells_when_a_task_was_handed_in_began_and_ended_also_after_a_restart() {
    let (desk, [master, _peer]) = lab();
    let times = || {
        let report = desk.json(&["info", "hello", "--json"]);
        let keys = ["submitted_at", "started_at", "ended_at"];
        keys.map(|key| report[key].as_str().unwrap()[..19].to_owned())
    };
    let before = times();
    let text = out(&desk.output(&["info", "hello"]));
    for said in [
        "handed in  20",
        "began      20",
        "ended      20",
        " s ago\n",
        "took       ",
    ] {
        assert!(text.contains(said), "{said} in {text}");
    }
    master.terminate();
    assert_eq!(master.wait_end(PATIENCE), Some(0));
    let _anew = desk.master();
    let after = times();
    assert_eq!(after[0], before[0]);
    assert!(after.iter().all(|at| at.starts_with("20")), "{after:?}");
}
