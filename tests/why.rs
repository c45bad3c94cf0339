//! `mutirao why` on the real binary: why a task waits, why it failed, and how a peer fares.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod common;

use std::fs;

use common::archives::{put_task, zips_in};
use common::desk::Desk;
use common::{PATIENCE, wait_until};
use serde_json::Value;

impl Desk {
    /// The exit code, and what was printed as answer and as error.
    fn ask(&self, words: &[&str]) -> (Option<i32>, String, String) {
        let output = self.output(words);
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (
            output.status.code(),
            text(output.stdout),
            text(output.stderr),
        )
    }
}

#[test]
fn why_tells_of_tasks_that_wait_and_fail_and_of_peers() {
    let desk = Desk::new();
    let tasks = desk.path("tasks");
    let script = [
        ("main.py", "raise SystemExit(3)"),
        ("task.toml", "retries = 0"),
    ];
    put_task(&tasks, "sim.zip", &script);
    let _master = desk.master();
    wait_until("the task is adopted", PATIENCE, || {
        desk.ask(&["why", "sim"]).0 == Some(0)
    });

    let (_, waits, _) = desk.ask(&["why", "sim"]);
    assert!(waits.starts_with("sim.zip waits\n"), "{waits}");
    assert!(waits.contains("no peer is here → mutirao peer"), "{waits}");
    let (code, _, error) = desk.ask(&["why", "nobody"]);
    assert_eq!(code, Some(1));
    assert!(
        error.contains("no task, group or peer \"nobody\""),
        "{error}"
    );

    let _peer = desk.start(&["peer", "--slots", "1"]);
    wait_until("the task is failed", PATIENCE, || {
        zips_in(&tasks.join("failed")) == ["sim.zip"]
    });
    let (code, failed, _) = desk.ask(&["why", "sim.zip"]);
    assert_eq!(code, Some(0));
    assert!(
        failed.starts_with("sim.zip failed for good: exit code 3"),
        "{failed}"
    );
    assert!(failed.contains("the task"), "{failed}");
    let command = "→ what it printed last: mutirao cat sim --stderr";
    assert!(failed.contains(command), "{failed}");
    assert!(fs::exists(desk.path("results/failed/sim.zip")).unwrap());

    let (_, json, _) = desk.ask(&["why", "last", "--json"]);
    let report: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(report["tries"][0]["against"], "task");
    let peer = report["tries"][0]["peer_id"].as_str().unwrap();
    let (_, fares, _) = desk.ask(&["why", &peer[..8]]);
    assert!(
        fares.starts_with(&format!("peer {peer} is ready")),
        "{fares}"
    );
    assert!(fares.contains("exit code 3"), "{fares}");
}
