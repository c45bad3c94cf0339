//! `mutirao drain` with the real binary: a peer gets nothing more, says so, and gets something again.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod common;

use std::fs;

use common::desk::{Desk, err, out};
use common::{PATIENCE, wait_until};
use serde_json::Value;

fn peers(desk: &Desk) -> Vec<Value> {
    desk.json(&["peers", "--json"]).as_array().unwrap().clone()
}

#[test]
fn a_drained_peer_gets_nothing_also_from_a_master_that_was_restarted() {
    let desk = Desk::new();
    fs::write(desk.path("sim.py"), "print('done')").unwrap();
    let master = desk.master();
    let elsewhere = desk.elsewhere();
    let peer = elsewhere.start(&["peer", "--slots", "1"]);
    wait_until("the peer is here", PATIENCE, || peers(&desk).len() == 1);
    let id = peers(&desk)[0]["peer_id"].as_str().unwrap().to_owned();

    let none = desk.output(&["drain", "nobody"]);
    assert_eq!(none.status.code(), Some(1));
    assert!(
        err(&none).contains("no peer \"nobody\" is here"),
        "{}",
        err(&none)
    );
    let drained = desk.output(&["drain", &id[..8]]);
    assert!(
        out(&drained).contains("is drained and has nothing"),
        "{}",
        err(&drained)
    );
    assert_eq!(peers(&desk)[0]["state"], "drained");
    master.kill();
    drop(master);

    let _master = desk.master();
    wait_until("the peer is back", PATIENCE, || peers(&desk).len() == 1);
    assert_eq!(peers(&desk)[0]["state"], "drained");
    assert!(desk.output(&["submit", "sim.py"]).status.success());
    let why = out(&desk.output(&["why", "last"]));
    assert!(why.contains("1 peer is drained"), "{why}");
    assert!(why.contains(&format!("mutirao drain {id} --undo")), "{why}");

    // Also by its whole id, for one that went meanwhile.
    let undone = desk.json(&["drain", &id, "--undo", "--json"]);
    assert_eq!(undone["drained"], false);
    let waited = desk.output(&["wait", "last"]);
    assert_eq!(out(&waited), "done\n", "{}", err(&waited));
    drop(peer);
}
