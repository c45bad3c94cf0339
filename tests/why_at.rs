//! `mutirao why --at` on the real binary: how something stood is told later, whether the master still runs or not.
#![cfg(target_os = "linux")]

mod common;

use std::fs;

use common::archives::put_task;
use common::desk::{Desk, each_row, err, out};
use common::http::ask;
use common::{PATIENCE, wait_until};
use jiff::Timestamp;
use serde_json::Value;

/// Fails at a row that is no number.
const SCRIPT: &str =
    "import sys\nfor row in open(sys.argv[1]).read().split()[1:]:\n    print(int(row))\n";

impl Desk {
    fn why_at(&self, what: &str, at: Timestamp) -> Value {
        self.json(&["why", what, "--at", &at.to_string(), "--json"])
    }
}

#[test]
fn what_waited_ran_and_failed_is_told_of_any_time_since() {
    let desk = Desk::new();
    fs::write(desk.path("main.py"), SCRIPT).unwrap();
    fs::write(desk.path("rows.csv"), "name\n1\nx\n3\n").unwrap();
    let master = desk.start(&["master", "--name", "lab", "--message-log"]);
    master.wait_line(|line| line.contains("serving \"lab\""), PATIENCE);
    let before = Timestamp::now();
    let output = desk.output(&each_row("submit"));
    assert!(output.status.success(), "{}", err(&output));
    let group = out(&output).trim().to_owned();
    let waiting = Timestamp::now();
    let peer = desk.start(&["peer", "--slots", "1"]);
    desk.output(&["wait", &group]);
    let after = Timestamp::now();

    let nothing = desk.output(&["why", &group, "--at", &before.to_string()]);
    assert_eq!(nothing.status.code(), Some(1));
    assert!(
        err(&nothing).contains("no task and no group"),
        "{}",
        err(&nothing)
    );

    let waited = desk.why_at(&group, waiting);
    let counts = |report: &Value| {
        ["waiting", "running", "done", "failed"].map(|key| report[key].as_u64().unwrap())
    };
    assert_eq!(counts(&waited), [3, 0, 0, 0], "{waited:#}");
    let reasons = waited["why"]["waits"].as_array().unwrap();
    let told: Vec<_> = reasons
        .iter()
        .map(|row| {
            (
                row["reason"].as_str().unwrap(),
                row["tasks"].as_u64().unwrap(),
            )
        })
        .collect();
    let canary = format!("it waits for {group}.0.zip to be done");
    assert_eq!(told, [(&*canary, 2), ("no peer is here", 1)]);

    let now = desk.why_at(&group, after);
    assert_eq!(counts(&now), [0, 0, 2, 1], "{now:#}");
    let living = desk.json(&["why", &group, "--json"]);
    assert_eq!(now["why"]["verdicts"], living["why"]["verdicts"]);
    assert_eq!(now["why"]["verdicts"][0]["culprit"], "row");

    drop((peer, master));
    assert_eq!(
        desk.why_at("last", waiting)["why"],
        waited["why"],
        "the master is gone"
    );
    let part = desk.output(&["why", &format!("{group}.1"), "--at", &after.to_string()]);
    let part = out(&part);
    assert!(part.starts_with("as of 20"), "{part}");
    assert!(
        part.contains(&format!(
            "{group}.1.zip failed for good: exit code 1: ValueError"
        )),
        "{part}"
    );
    assert!(part.contains("the row: 1 of 3 tasks"), "{part}");
}

#[test]
fn what_had_failed_then_had_though_it_was_tried_again_since() {
    let desk = Desk::new();
    fs::write(desk.path("main.py"), SCRIPT).unwrap();
    let _master = desk.master();
    let hand_in = |part: &str| {
        let options = ["--name", "nightly", "--retries", "0"];
        let output = desk.output(&[&["submit", "main.py", part][..], &options].concat());
        assert!(output.status.success(), "{}", err(&output));
    };
    fs::write(desk.path("bad.csv"), "name\nx\n").unwrap();
    hand_in("bad.csv");
    let peer = desk.start(&["peer", "--slots", "1"]);
    assert_eq!(desk.output(&["wait", "nightly"]).status.code(), Some(1));
    let failed = Timestamp::now();
    drop(peer);
    let again = desk.output(&["retry", "nightly"]);
    assert!(again.status.success(), "{}", err(&again));
    let reopened = Timestamp::now();
    assert!(desk.output(&["cancel", "nightly"]).status.success());

    let then = desk.why_at("nightly", failed);
    assert_eq!(then["state"], "failed", "{then:#}");
    let ended = then["tries"][0]["ended"].as_str().unwrap();
    assert!(ended.starts_with("exit code 1: ValueError"), "{ended}");
    assert!(!ended.contains("forgiven"), "{ended}");
    assert_eq!(then["why"]["verdicts"][0]["culprit"], "code");
    let then = desk.why_at("nightly", reopened);
    assert_eq!(then["state"], "queued", "{then:#}");
    let ended = then["tries"][0]["ended"].as_str().unwrap();
    assert!(ended.ends_with("(forgiven)"), "{ended}");
    let now = desk.why_at("nightly", Timestamp::now());
    assert_eq!(now["state"], "cancelled", "{now:#}");
}

#[test]
fn a_name_that_was_used_again_means_what_had_come_last_then() {
    let desk = Desk::new();
    let (_up, master) = desk.up();
    put_task(&desk.path("zips"), "part.zip", &[("main.py", "print(1)\n")]);
    let part = fs::read(desk.path("zips/part.zip")).unwrap();
    let run = |parts: u32| {
        for number in 0..parts {
            let path = format!("/api/v1/tasks?name=part&group=night&part={number}&parts={parts}");
            let response = ask(master, "POST", &path, &[], &part);
            assert_eq!(response.status, 201, "{}", response.text());
        }
        let waited = desk.output(&["wait", "--group", "night"]);
        assert!(waited.status.success(), "{}", err(&waited));
        Timestamp::now()
    };
    let then = [run(1), run(2)];
    let told = then.map(|at| {
        let report = desk.why_at("night", at);
        ["parts", "done"].map(|key| report[key].as_u64().unwrap())
    });
    assert_eq!(told, [[1, 1], [2, 2]]);
}

#[test]
fn what_ran_then_ran_though_it_was_cancelled_since() {
    let desk = Desk::new();
    let endless = "import time\nwhile True: time.sleep(1)\n";
    fs::write(desk.path("main.py"), endless).unwrap();
    let _master = desk.master();
    let _peer = desk.start(&["peer", "--slots", "1"]);
    for _ in 0..2 {
        let output = desk.output(&["submit", "main.py"]);
        assert!(output.status.success(), "{}", err(&output));
    }
    let status = || desk.json(&["status", "--json"]);
    wait_until("one runs", PATIENCE, || status()["tasks"]["leased"] == 1);
    let first = status()["running"][0].clone();
    let (first, peer) = (
        first["task_id"].as_str().unwrap(),
        first["peer_id"].as_str().unwrap(),
    );
    let then = Timestamp::now();
    for task in [first, "last"] {
        assert!(desk.output(&["cancel", task]).status.success());
    }
    let ran = desk.why_at(first, then);
    assert_eq!(
        (&ran["state"], &ran["peer"]),
        (&"leased".into(), &peer.into())
    );
    assert_eq!(ran["why"]["runs"][0]["peer_id"], peer);
    let waited = desk.why_at("last", then);
    assert_eq!(waited["state"], "queued", "{waited:#}");
    assert_eq!(waited["why"]["waits"][0]["reason"], "1 peer is busy");
    assert_eq!(desk.why_at(first, Timestamp::now())["state"], "cancelled");
}
