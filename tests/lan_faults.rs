//! Our program on a LAN where things go wrong: cables, programs and masters that go away, peers that fail.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod common;

use std::fs;

use common::archives::{put_task, text_in, zips_in};
use common::lan::{Host, Lan};
use common::ours::{
    LONG_PATIENCE, UNHURRIED, attempt_of, json_answer, our_master, ours, put_sum, wait_for_42,
    wait_until_at_work,
};
use common::program::Program;
use common::speakers::{PATIENCE, event, speaker};
use common::wait_until;

/// Answers each call with a place where nobody listens.
const LIAR: &str = r#"
import socket
calls = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
calls.bind(("", 50005))
print("lying", flush=True)
while True:
    caller = calls.recvfrom(4096)[1]
    calls.sendto(b'{"action":"MASTER_ANNOUNCE","master_ip":"127.0.1.1","master_port":9}', caller)
    print("lied", flush=True)
"#;

/// Ends when a file lies in the folder in which its peer was started.
const UNTIL_PLUGGED: &str = r#"
import os, time
while not os.path.exists("../../../plugged"):
    time.sleep(0.1)
"#;

fn put_unhurried(master: &Host) {
    put_task(
        &master.folder().join("tasks"),
        "slow.zip",
        &[("main.py", UNHURRIED)],
    );
}

fn wait_until_idle(peer: &Host) {
    wait_until("the script has ended", PATIENCE, || peer.scripts() == 0);
}

/// Waits until the unhurried task is done, once, with its whole output.
#[track_caller]
fn wait_until_done(master: &Host) {
    let done = || zips_in(&master.folder().join("tasks/done")) == ["slow.zip"];
    wait_until("the task is done", LONG_PATIENCE, done);
    let results = master.folder().join("results");
    assert_eq!(zips_in(&results), ["slow.zip"]);
    let printed = text_in(&results.join("slow.zip"), "stdout.txt");
    assert_eq!(printed, "begun\nended\n");
}

#[test]
fn a_task_that_ends_while_the_cable_is_out_is_handed_in_when_it_is_back() {
    let Some(lan) = Lan::or_leave_out() else {
        return;
    };
    let (master_host, peer_host) = (lan.host("master"), lan.host("peer"));
    put_unhurried(&master_host);
    let _master = our_master(&master_host, "--name lab");
    let peer = ours(&peer_host, "peer --slots 1");
    wait_until_at_work(&peer_host);

    peer_host.unplug();
    wait_until_idle(&peer_host);
    assert_eq!(zips_in(&master_host.folder().join("tasks/done")), [""; 0]);
    peer_host.plug();

    wait_until_done(&master_host);
    assert_eq!(attempt_of(&master_host, "slow.zip"), 1);
    assert!(peer.is_running());
}

#[test]
fn a_peer_that_was_given_up_comes_back_with_what_it_holds() {
    let Some(lan) = Lan::or_leave_out() else {
        return;
    };
    let (master_host, peer_host) = (lan.host("master"), lan.host("peer"));
    put_unhurried(&master_host);
    let tasks = master_host.folder().join("tasks");
    put_task(&tasks, "long.zip", &[("main.py", UNTIL_PLUGGED)]);
    let _master = our_master(&master_host, "--name lab");
    let peer = ours(&peer_host, "peer --slots 2");
    let scripts = |count| peer_host.scripts() == count;
    wait_until("both scripts run", PATIENCE, || scripts(2));

    peer_host.unplug();
    let peers = || json_answer(&master_host, "peers");
    let alone = || peers().as_array().unwrap().is_empty();
    wait_until("the peer is given up", LONG_PATIENCE, alone);
    wait_until("one script has ended", PATIENCE, || scripts(1));
    peer_host.plug();

    // What has ended is handed in, and what still runs is not begun anew.
    wait_until_done(&master_host);
    assert_eq!(attempt_of(&master_host, "slow.zip"), 1);
    assert_eq!(peers()[0]["slots"], 2);
    fs::write(peer_host.folder().join("plugged"), "").unwrap();
    let done = || tasks.join("done/long.zip").exists();
    wait_until("the other task is done", LONG_PATIENCE, done);
    assert_eq!(attempt_of(&master_host, "long.zip"), 1);
    peer.terminate();
    assert_eq!(peer.wait_end(PATIENCE), Some(0));
}

/// A peer is killed at work, with a last word from its system or without, and another comes.
fn kill_at_work(last_word: bool) {
    let Some(lan) = Lan::or_leave_out() else {
        return;
    };
    let hosts = ["master", "doomed", "heir"].map(|name| lan.host(name));
    let [master_host, doomed_host, heir_host] = &hosts;
    put_unhurried(master_host);
    let _master = our_master(master_host, "--name lab");
    let doomed = ours(doomed_host, "peer --slots 1");
    wait_until_at_work(doomed_host);
    let _heir = ours(heir_host, "peer --slots 1");

    if !last_word {
        doomed_host.unplug();
    }
    doomed.kill();
    wait_until_done(master_host);
    assert_eq!(attempt_of(master_host, "slow.zip"), 2);
}

#[test]
fn a_task_whose_peer_is_killed_is_done_by_another() {
    kill_at_work(true);
}

#[test]
fn a_task_whose_peer_loses_its_power_is_done_by_another() {
    kill_at_work(false);
}

#[test]
fn a_peer_that_is_told_to_end_finishes_what_runs_and_takes_nothing_new() {
    let Some(lan) = Lan::or_leave_out() else {
        return;
    };
    let hosts = ["master", "leaving", "heir"].map(|name| lan.host(name));
    let [master_host, leaving_host, heir_host] = &hosts;
    put_unhurried(master_host);
    let _master = our_master(master_host, "--name lab");
    // Its second slot is free, so a request of its waits at the master when it is told.
    let leaving = ours(leaving_host, "peer --slots 2");
    wait_until_at_work(leaving_host);
    leaving.terminate();
    leaving.wait_line(|line| line.contains("then leaving"), PATIENCE);
    put_sum(master_host, "sum.zip");

    assert_eq!(leaving.wait_end(PATIENCE), Some(0));
    wait_until_done(master_host);
    assert_eq!(attempt_of(master_host, "slow.zip"), 1);
    assert_eq!(
        json_answer(master_host, "peers").as_array().unwrap().len(),
        0
    );
    assert_eq!(zips_in(&master_host.folder().join("tasks")), ["sum.zip"]);
    let _heir = ours(heir_host, "peer");
    wait_for_42(master_host, "sum.zip");
}

#[test]
fn a_peer_whose_master_goes_away_finds_it_again_also_elsewhere() {
    let Some(lan) = Lan::or_leave_out() else {
        return;
    };
    let hosts = ["first", "second", "peer"].map(|name| lan.host(name));
    let [first_host, second_host, peer_host] = &hosts;
    let master = our_master(first_host, "--name lab");
    let peer = ours(peer_host, "peer --slots 1");
    let ready = |line: &str| line.contains("ready");
    peer.wait_line(ready, PATIENCE);

    drop(master);
    let lost = |line: &str| line.contains("the master is gone");
    peer.wait_line(lost, PATIENCE);
    let successor = our_master(second_host, "--name lab");
    put_sum(second_host, "elsewhere.zip");
    wait_for_42(second_host, "elsewhere.zip");

    drop(successor);
    peer.wait_lines(2, lost, PATIENCE);
    let _again = our_master(second_host, "--name lab");
    peer.wait_lines(3, ready, PATIENCE);
    put_sum(second_host, "again.zip");
    wait_for_42(second_host, "again.zip");
}

#[test]
fn a_peer_that_found_a_master_which_does_not_serve_looks_on() {
    let Some(lan) = Lan::or_leave_out() else {
        return;
    };
    let hosts = ["liar", "master", "peer"].map(|name| lan.host(name));
    let [liar_host, master_host, peer_host] = &hosts;
    let liar = Program::spawn("liar", liar_host.command("python3").args(["-c", LIAR]));
    liar.wait_line(|line| line == "lying", PATIENCE);
    let peer = ours(peer_host, "peer");
    liar.wait_line(|line| line == "lied", PATIENCE);
    peer.wait_line(|line| line.contains("the master is gone"), PATIENCE);
    let _master = our_master(master_host, "--name lab");
    put_sum(master_host, "sum.zip");
    wait_for_42(master_host, "sum.zip");
}

#[test]
fn a_peer_that_fails_everything_does_not_spin_and_its_tasks_end_elsewhere() {
    let Some(lan) = Lan::or_leave_out() else {
        return;
    };
    let hosts = ["master", "failing", "honest"].map(|name| lan.host(name));
    let [master_host, failing_host, honest_host] = &hosts;
    let names: Vec<String> = (0..10).map(|number| format!("sum-{number}.zip")).collect();
    let _master = our_master(master_host, "--name lab");
    // The honest one is slow to ask again, so that the other is sure to be given tasks.
    let honest = "--discover --tasks 10 --pause 5";
    let honest = speaker(honest_host, "peer", "flat", honest);
    let failing = "--discover --fail --pause 0.1";
    let failing = speaker(failing_host, "peer", "flat", failing);
    failing.wait_line(event("no_task"), PATIENCE);
    honest.wait_line(event("no_task"), PATIENCE);
    for name in &names {
        put_sum(master_host, name);
    }

    for name in &names {
        wait_for_42(master_host, name);
    }
    assert_eq!(honest.wait_end(PATIENCE), Some(0));
    assert_eq!(zips_in(&master_host.folder().join("tasks/failed")), [""; 0]);
    // Three failures end a task, and none ended so: no more than two of each fell to it.
    let taken = failing.count(event("task"));
    assert!((1..=20).contains(&taken), "it was given {taken} tasks");
}
