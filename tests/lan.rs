//! The speakers of the other groups' dialects among themselves, on a LAN: what our program is tried with must itself be right.
#![cfg(target_os = "linux")]

mod common;

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process;

use common::archives::{SUM_OF_42, put_task, text_in, zips_in};
use common::lan::Lan;
use common::program::Program;
use common::speakers::{GROUPS, PATIENCE, event, serving, speaker};
use common::wait_until;

#[test]
fn each_group_finds_its_master_by_broadcast_and_its_result_arrives() {
    for group in &GROUPS {
        let Some(lan) = Lan::or_leave_out() else {
            return;
        };
        let (master_host, peer_host) = (lan.host("master"), lan.host("peer"));
        put_task(&master_host.folder().join("tasks"), "sum.zip", &SUM_OF_42);

        let master = serving(&master_host, group.dialect, group.master);
        let finding = format!("--discover --tasks 1 {}", group.peer);
        let peer = speaker(&peer_host, "peer", group.dialect, &finding);

        assert_eq!(peer.wait_end(PATIENCE), Some(0));
        master.wait_line(event("result"), PATIENCE);
        let results = master_host.folder().join("results");
        assert_eq!(zips_in(&results), [group.result]);
        assert_eq!(text_in(&results.join(group.result), "stdout.txt"), "42\n");
        assert_eq!(text_in(&results.join(group.result), "stderr.txt"), "");
    }
}

#[test]
fn a_peer_takes_its_own_word_for_an_empty_queue() {
    let Some(lan) = Lan::or_leave_out() else {
        return;
    };
    let (master_host, peer_host) = (lan.host("master"), lan.host("peer"));
    fs::create_dir(master_host.folder().join("tasks")).unwrap();
    for (dialect, word) in [
        ("flat", "no_task"),
        ("flat", "no_task_message"),
        ("flat", "no_tasks"),
        ("flat", "null"),
        ("envelope", "no_tasks"),
        ("super-peer", "null"),
    ] {
        let _master = serving(&master_host, dialect, &format!("--empty {word}"));
        let peer = speaker(
            &peer_host,
            "peer",
            dialect,
            &format!("--discover --empty {word}"),
        );
        peer.wait_line(event("no_task"), PATIENCE);
        assert_eq!(peer.count(event("error")), 0);
    }
}

#[test]
fn a_master_bound_to_one_address_is_found_by_unicast_only() {
    let Some(lan) = Lan::or_leave_out() else {
        return;
    };
    let (master_host, peer_host) = (lan.host("master"), lan.host("peer"));
    let address = master_host.address();
    let bound = format!("--bind {address} --bound-to-one-address");
    let master = serving(&master_host, "flat", &bound);

    let broadcast = lan.broadcast();
    let calling = format!("--discover --bcast {broadcast} --bcast 255.255.255.255");
    let deaf = speaker(&peer_host, "peer", "flat", &calling);
    deaf.wait_lines(2, event("no_answer"), PATIENCE);
    assert_eq!(deaf.count(event("found")), 0);
    assert_eq!(master.count(event("discover")), 0);

    let peer = speaker(
        &peer_host,
        "peer",
        "flat",
        &format!("--discover --bcast {address}"),
    );
    peer.wait_line(event("registered"), PATIENCE);
}

#[test]
fn a_master_whose_name_resolves_to_loopback_announces_what_nobody_reaches() {
    let Some(lan) = Lan::or_leave_out() else {
        return;
    };
    let (master_host, peer_host) = (lan.host("master"), lan.host("peer"));
    master_host.resolve_own_name_to(Ipv4Addr::new(127, 0, 1, 1));
    let _master = serving(&master_host, "flat", "");

    let believer = speaker(&peer_host, "peer", "flat", "--discover");
    let found = believer.wait_line(event("found"), PATIENCE);
    assert!(found.contains(r#""ip": "127.0.1.1""#), "{found}");
    believer.wait_line(event("error"), PATIENCE);
    assert_eq!(believer.count(event("registered")), 0);

    let wiser = speaker(&peer_host, "peer", "flat", "--discover --trust source");
    wiser.wait_line(event("registered"), PATIENCE);
}

#[test]
fn a_pulled_cable_silences_a_peer_until_it_is_back() {
    let Some(lan) = Lan::or_leave_out() else {
        return;
    };
    let (master_host, peer_host) = (lan.host("master"), lan.host("peer"));
    fs::create_dir(master_host.folder().join("tasks")).unwrap();
    let master = serving(&master_host, "flat", "");
    let hasty = "--discover --heartbeat 0.1 --patience 1";
    let peer = speaker(&peer_host, "peer", "flat", hasty);
    master.wait_line(event("heartbeat"), PATIENCE);

    peer_host.unplug();
    let failed_beat = |line: &str| event("error")(line) && line.contains("HEARTBEAT");
    // The first failure may be of a beat that the master has heard; the one after it is not.
    let failures = peer.count(failed_beat);
    peer.wait_lines(failures + 2, failed_beat, PATIENCE);
    let before = master.count(event("heartbeat"));
    peer.wait_lines(failures + 4, failed_beat, PATIENCE);
    assert_eq!(master.count(event("heartbeat")), before);

    peer_host.plug();
    master.wait_lines(before + 1, event("heartbeat"), PATIENCE);
}

#[test]
fn a_host_with_two_interfaces_calls_on_the_first_lan_only_unless_told() {
    let (Some(lan), Some(other)) = (Lan::or_leave_out(), Lan::or_leave_out()) else {
        return;
    };
    let master_host = other.host("master");
    let mut peer_host = lan.host("peer");
    other.connect(&mut peer_host);
    let _master = serving(&master_host, "flat", "");

    let naive = speaker(&peer_host, "peer", "flat", "--discover");
    naive.wait_line(event("no_answer"), PATIENCE);
    assert_eq!(naive.count(event("found")), 0);

    let broadcast = other.broadcast();
    let told = speaker(
        &peer_host,
        "peer",
        "flat",
        &format!("--discover --bcast {broadcast}"),
    );
    let found = told.wait_line(event("found"), PATIENCE);
    assert!(
        found.contains(&master_host.address().to_string()),
        "{found}"
    );
}

#[test]
fn a_failing_peer_asks_again_and_hands_nothing_in() {
    let Some(lan) = Lan::or_leave_out() else {
        return;
    };
    let (master_host, peer_host) = (lan.host("master"), lan.host("peer"));
    let tasks = master_host.folder().join("tasks");
    for name in ["a.zip", "b.zip"] {
        put_task(&tasks, name, &[("main.py", "print(1)")]);
    }
    let master = serving(&master_host, "flat", "");
    let peer = speaker(&peer_host, "peer", "flat", "--discover --fail");
    peer.wait_line(event("no_task"), PATIENCE);
    assert_eq!(peer.count(event("task")), 2);
    assert_eq!(master.count(event("result")), 0);
}

#[test]
fn a_host_that_is_gone_leaves_no_process_and_no_name() {
    let Some(lan) = Lan::or_leave_out() else {
        return;
    };
    let host = lan.host("short-lived");
    // The stray leaves the program's process group, as a task that daemonises does.
    let stray = "setsid sleep 600 & echo away; exec sleep 600";
    let program = Program::spawn("shell", host.command("sh").args(["-c", stray]));
    program.wait_line(|line| line == "away", PATIENCE);
    let sleeps = |p: &String| p.split_once(' ').unwrap().1.starts_with("sleep 600");
    let both = || host.processes().iter().filter(|p| sleeps(p)).count() == 2;
    wait_until("both sleep", PATIENCE, both);
    let pids = host.processes();

    drop(program);
    assert_eq!(host.processes().len(), 1, "{:?}", host.processes());
    drop(host);
    let is_gone =
        |p: &String| !Path::new(&format!("/proc/{}", p.split(' ').next().unwrap())).exists();
    wait_until("no process stays", PATIENCE, || pids.iter().all(is_gone));
    let maker = format!("mutirao-{}-", process::id());
    let names = fs::read_dir("/run/netns").unwrap();
    let mut names = names.map(|name| name.unwrap().file_name().into_string().unwrap());
    assert!(!names.any(|name| name.starts_with(&maker) && name.ends_with("short-lived")));
}
