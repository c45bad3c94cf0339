//! Our program on a LAN: among its own, and beside the programs of the other groups on either side.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod common;

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;

use serde_json::Value;

use common::archives::{put_task, text_in, zips_in};
use common::lan::Lan;
use common::ours::{
    LONG_PATIENCE, attempt_of, json_answer, our_master, ours, put_sum, wait_for_42,
};
use common::speakers::{GROUPS, PATIENCE, event, serving, speaker};
use common::wait_until;

/// Says its number and takes a moment.
const COUNTING: &str = "print(sum(int(line) for line in open('input.csv')))";
const FAILING: &str = "import sys\nprint('about to fail')\nsys.exit(1)";
/// Hangs, and so does its child: the time limit has to end both.
const HANGING: &str =
    "import subprocess, time\nsubprocess.Popen(['sleep', '600'])\ntime.sleep(600)";

/// What is left in a folder, beside files that only keep it in a repository.
fn entries(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).into_iter().flatten();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name != ".gitkeep").collect()
}

#[test]
fn a_hundred_tasks_on_three_peers_all_end_as_they_should() {
    let Some(lan) = Lan::or_leave_out() else {
        return;
    };
    let master_host = lan.host("master");
    let tasks = master_host.folder().join("tasks");
    for number in 0..85 {
        let files = [
            ("main.py", COUNTING),
            ("input.csv", &format!("{number}\n1000\n")),
        ];
        put_task(&tasks, &format!("sum-{number:02}.zip"), &files);
    }
    for number in 0..10 {
        put_task(
            &tasks,
            &format!("fail-{number}.zip"),
            &[("main.py", FAILING)],
        );
    }
    for number in 0..5 {
        let files = [("main.py", HANGING), ("task.toml", "time_limit = \"2s\"\n")];
        put_task(&tasks, &format!("hang-{number}.zip"), &files);
    }
    let peer_hosts = ["peer-a", "peer-b", "peer-c"].map(|name| lan.host(name));
    let master = our_master(&master_host, "--name lab");
    let peers = peer_hosts
        .each_ref()
        .map(|host| ours(host, "peer --slots 4"));

    let terminal = || zips_in(&tasks.join("done")).len() + zips_in(&tasks.join("failed")).len();
    wait_until("all tasks are terminal", LONG_PATIENCE, || {
        terminal() == 100
    });

    assert_eq!(zips_in(&tasks), [""; 0]);
    let results = master_host.folder().join("results");
    let printed = |name: &str| text_in(&results.join(name), "stdout.txt");
    let attempt = |name: &str| attempt_of(&master_host, name);
    assert_eq!(zips_in(&results).len(), 85);
    assert_eq!(zips_in(&results.join("failed")).len(), 15);
    for number in 0..85 {
        let name = format!("sum-{number:02}.zip");
        assert_eq!(printed(&name), format!("{}\n", 1000 + number));
        assert_eq!(attempt(&name), 1, "no fault, so one run");
    }
    for number in 0..10 {
        let name = format!("failed/fail-{number}.zip");
        assert_eq!(
            (printed(&name), attempt(&name)),
            ("about to fail\n".into(), 3)
        );
    }
    for number in 0..5 {
        assert_eq!(attempt(&format!("failed/hang-{number}.zip")), 2);
    }
    let counts = json_answer(&master_host, "status")["tasks"].clone();
    assert_eq!(
        (&counts["done"], &counts["failed"]),
        (&85.into(), &15.into())
    );
    let runs = |row: &Value| row["done"].as_u64().unwrap() + row["failed"].as_u64().unwrap();
    let rows = json_answer(&master_host, "peers");
    let rows: Vec<u64> = rows.as_array().unwrap().iter().map(runs).collect();
    assert_eq!(
        (rows.len(), rows.iter().sum()),
        (3, 85 + 3 * 10 + 2 * 5),
        "{rows:?}"
    );

    for (peer, host) in peers.iter().zip(&peer_hosts) {
        peer.terminate();
        assert_eq!(peer.wait_end(PATIENCE), Some(0));
        wait_until("no stray process", PATIENCE, || host.processes().is_empty());
        assert_eq!(entries(&host.folder().join("work")), [""; 0]);
    }
    master.terminate();
    assert_eq!(master.wait_end(PATIENCE), Some(0));
    let alone = || master_host.processes().is_empty();
    wait_until("no stray process", PATIENCE, alone);
}

#[test]
fn every_foreign_peer_works_for_our_master() {
    for group in &GROUPS {
        let Some(lan) = Lan::or_leave_out() else {
            return;
        };
        let (master_host, peer_host) = (lan.host("master"), lan.host("peer"));
        put_sum(&master_host, "sum.zip");
        let _master = our_master(&master_host, "--name lab");
        let arguments = format!("--discover --tasks 2 {}", group.peer);
        let peer = speaker(&peer_host, "peer", group.dialect, &arguments);
        wait_for_42(&master_host, "sum.zip");

        // The queue is empty now, which it must understand; then there is work again.
        peer.wait_line(event("no_task"), PATIENCE);
        put_sum(&master_host, "again.zip");
        wait_for_42(&master_host, "again.zip");
        assert_eq!(peer.wait_end(PATIENCE), Some(0));
        assert_eq!(peer.count(event("error")), 0);
    }
}

#[test]
fn each_foreign_peer_finds_its_word_for_an_empty_queue_in_our_answer() {
    let Some(lan) = Lan::or_leave_out() else {
        return;
    };
    let (master_host, peer_host) = (lan.host("master"), lan.host("peer"));
    let _master = our_master(&master_host, "--name lab");
    for (dialect, word) in [
        ("flat", "no_task"),
        ("flat", "no_task_message"),
        ("flat", "no_tasks"),
        ("flat", "null"),
        ("envelope", "no_tasks"),
        ("super-peer", "null"),
    ] {
        let asking = format!("--discover --also-asks --empty {word}");
        let peer = speaker(&peer_host, "peer", dialect, &asking);
        peer.wait_line(event("no_task"), PATIENCE);
        assert_eq!(peer.count(event("error")), 0, "{dialect} {word}");
    }
}

#[test]
fn a_foreign_peer_that_is_silent_while_it_works_keeps_its_task() {
    let Some(lan) = Lan::or_leave_out() else {
        return;
    };
    let (master_host, peer_host) = (lan.host("master"), lan.host("peer"));
    let tasks = master_host.folder().join("tasks");
    let slow = "import time\ntime.sleep(12)\nprint(42)";
    put_task(&tasks, "slow.zip", &[("main.py", slow)]);
    let _master = our_master(&master_host, "--name lab");
    let arguments = "--discover --heartbeat 5 --slot-silent --tasks 1";
    let peer = speaker(&peer_host, "peer", "flat", arguments);
    wait_for_42(&master_host, "slow.zip");
    assert_eq!(peer.wait_end(PATIENCE), Some(0));
    assert_eq!(peer.count(event("task")), 1);
}

#[test]
fn our_peer_works_for_every_foreign_master() {
    for group in &GROUPS {
        let Some(lan) = Lan::or_leave_out() else {
            return;
        };
        let (master_host, peer_host) = (lan.host("master"), lan.host("peer"));
        put_sum(&master_host, "sum.zip");
        let master = serving(&master_host, group.dialect, group.master);
        let peer = ours(&peer_host, "peer --slots 1");
        master.wait_line(event("result"), PATIENCE);

        // It must live through what this group says, or does not say, when there is nothing.
        master.wait_lines(2, event("empty"), LONG_PATIENCE);
        put_sum(&master_host, "tomorrow.zip");
        master.wait_lines(2, event("result"), LONG_PATIENCE);
        assert!(peer.is_running());
        let results = master_host.folder().join("results");
        assert_eq!(zips_in(&results).len(), 2);
        for result in zips_in(&results) {
            assert_eq!(text_in(&results.join(result), "stdout.txt"), "42\n");
        }
        assert_eq!(master.count(event("handed_out")), 2);
        assert_eq!(master.count(event("error")), 0);
        // It calls in every dialect, so only what it says to this master's face has to be understood.
        let puzzled = |line: &str| event("unknown")(line) && line.contains(r#""peer""#);
        assert_eq!(master.count(puzzled), 0, "{}", group.dialect);
    }
}

#[test]
fn our_result_fits_the_one_recv_of_a_small_reader() {
    let Some(lan) = Lan::or_leave_out() else {
        return;
    };
    let (master_host, peer_host) = (lan.host("master"), lan.host("peer"));
    put_sum(&master_host, "sum.zip");
    let reader = "--style one-recv --recv 1024 --close-after-reply";
    let master = serving(&master_host, "flat", reader);
    let _peer = ours(&peer_host, "peer --slots 1");
    master.wait_line(event("result"), PATIENCE);
    assert_eq!(master.count(event("error")), 0);
}

#[test]
fn a_foreign_master_whose_name_resolves_to_loopback_is_reached_by_our_peer() {
    let Some(lan) = Lan::or_leave_out() else {
        return;
    };
    let (master_host, peer_host) = (lan.host("master"), lan.host("peer"));
    master_host.resolve_own_name_to(Ipv4Addr::new(127, 0, 1, 1));
    put_sum(&master_host, "sum.zip");
    let master = serving(&master_host, "flat", "");
    let _peer = ours(&peer_host, "peer");
    master.wait_line(event("result"), PATIENCE);
}

#[test]
fn our_master_whose_name_resolves_to_loopback_announces_where_it_is_reached() {
    let Some(lan) = Lan::or_leave_out() else {
        return;
    };
    let (master_host, peer_host) = (lan.host("master"), lan.host("peer"));
    master_host.resolve_own_name_to(Ipv4Addr::new(127, 0, 1, 1));
    let _master = our_master(&master_host, "--name lab");
    let peer = speaker(&peer_host, "peer", "flat", "--discover");
    let found = peer.wait_line(event("found"), PATIENCE);
    assert!(
        found.contains(&format!(r#""ip": "{}""#, master_host.address())),
        "{found}"
    );
    peer.wait_line(event("registered"), PATIENCE);
}

#[test]
fn a_foreign_master_bound_to_one_address_is_reached_when_it_is_named() {
    let Some(lan) = Lan::or_leave_out() else {
        return;
    };
    let (master_host, peer_host) = (lan.host("master"), lan.host("peer"));
    put_sum(&master_host, "sum.zip");
    let address = master_host.address();
    let bound = format!("--bind {address} --announce-ip {address} --bound-to-one-address");
    let master = serving(&master_host, "flat", &bound);
    let _peer = ours(&peer_host, &format!("peer --discover {address}"));
    master.wait_line(event("result"), PATIENCE);
    assert!(master.count(event("discover")) > 0);
}

#[test]
fn a_master_on_other_ports_is_reached_when_they_are_given() {
    let Some(lan) = Lan::or_leave_out() else {
        return;
    };
    let hosts = ["master", "peer", "finder"].map(|name| lan.host(name));
    let [master_host, peer_host, finder_host] = &hosts;
    put_sum(master_host, "sum.zip");
    let _master = our_master(master_host, "--name lab --port 8888 --discovery-port 9999");
    let address = master_host.address();
    let peer = ours(peer_host, &format!("peer --master {address}:8888"));
    wait_for_42(master_host, "sum.zip");
    peer.kill();

    put_sum(master_host, "again.zip");
    let _finder = ours(finder_host, "peer --discovery-port 9999");
    wait_for_42(master_host, "again.zip");
}

#[test]
fn a_peer_with_two_interfaces_finds_the_master_behind_either() {
    let (Some(first), Some(second)) = (Lan::or_leave_out(), Lan::or_leave_out()) else {
        return;
    };
    for lan in [&first, &second] {
        let mut peer_host = first.host("peer");
        second.connect(&mut peer_host);
        let master_host = lan.host("master");
        put_sum(&master_host, "sum.zip");
        let _master = our_master(&master_host, "--name lab");
        let _peer = ours(&peer_host, "peer");
        wait_for_42(&master_host, "sum.zip");
    }
}

#[test]
fn a_master_with_two_interfaces_announces_to_each_lan_the_address_on_it() {
    let (Some(first), Some(second)) = (Lan::or_leave_out(), Lan::or_leave_out()) else {
        return;
    };
    let mut master_host = first.host("master");
    second.connect(&mut master_host);
    let _master = our_master(&master_host, "--name lab");
    for (lan, address) in [
        (&first, master_host.address()),
        (&second, master_host.last_address()),
    ] {
        let peer_host = lan.host("peer");
        let peer = speaker(&peer_host, "peer", "flat", "--discover");
        let found = peer.wait_line(event("found"), PATIENCE);
        assert!(found.contains(&format!(r#""ip": "{address}""#)), "{found}");
        peer.wait_line(event("registered"), PATIENCE);
    }
}
