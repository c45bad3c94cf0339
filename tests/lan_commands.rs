//! Our program's commands, typed on one host of a LAN and answered by another.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod common;

use std::fs;

use serde_json::Value;

use common::archives::{put_task, text_in, zips_in};
use common::lan::{Host, Lan};
use common::ours::{
    UNHURRIED, answer, json_answer, master_found_by, our_master, ours, put_sum, wait_for_42,
    wait_until_at_work,
};
use common::program::Program;
use common::speakers::{PATIENCE, event, speaker};
use common::wait_until;

/// Exit code for "no master reached".
const NO_MASTER: i32 = 3;
/// Sends what it is given to the port of its own machine, as `nc` does, and prints the reply.
const NETCAT: &str = r#"
import socket, sys
connection = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=10)
connection.sendall(sys.argv[3].encode())
print(connection.recv(65536).decode(), flush=True)
"#;

/// What a program at this port answers to this text.
fn say(host: &Host, to: &Host, port: u16, text: &str) -> Value {
    let (ip, port) = (to.address().to_string(), port.to_string());
    let words = ["-c", NETCAT, &ip, &port, text];
    let netcat = Program::spawn("netcat", host.command("python3").args(words));
    let reply = netcat.wait_line(|line| line.starts_with('{'), PATIENCE);
    serde_json::from_str(&reply).unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn both_masters_are_listed_and_every_peer_chooses_the_one_that_is_marked() {
    let Some(lan) = Lan::or_leave_out() else {
        return;
    };
    let hosts = ["first", "second", "peer"].map(|name| lan.host(name));
    let [first_host, second_host, peer_host] = &hosts;
    let _masters = [
        our_master(first_host, "--name alpha"),
        our_master(second_host, "--name beta"),
    ];
    let listed = json_answer(peer_host, "masters");
    let listed = listed["masters"].as_array().unwrap();
    let named = |name: &str| listed.iter().find(|master| master["name"] == name).unwrap();
    assert_eq!(listed.len(), 2);
    for (name, host) in [("alpha", first_host), ("beta", second_host)] {
        let address = format!("{}:50020", host.address());
        assert_eq!(named(name)["addresses"], serde_json::json!([address]));
    }
    let chosen: Vec<_> = listed
        .iter()
        .filter(|master| master["chosen"] == true)
        .collect();
    assert_eq!(chosen.len(), 1);

    let peers: Vec<_> = (0..6).map(|_| ours(peer_host, "peer")).collect();
    for peer in &peers {
        assert_eq!(master_found_by(peer), chosen[0]["name"].as_str().unwrap());
    }
    let table = answer(first_host, "masters").stdout;
    assert!(
        ["alpha", "beta"]
            .iter()
            .all(|name| text(&table).contains(name))
    );
}

#[test]
fn a_script_is_run_from_a_third_host_and_its_result_is_left_there() {
    let Some(lan) = Lan::or_leave_out() else {
        return;
    };
    let hosts = ["master", "peer", "laptop"].map(|name| lan.host(name));
    let [master_host, peer_host, laptop] = &hosts;
    let _master = our_master(master_host, "--name lab");
    let _peer = ours(peer_host, "peer");
    let script = "import socket, sys\nprint(socket.gethostname(), open(sys.argv[1]).read())";
    fs::write(laptop.folder().join("main.py"), script).unwrap();
    fs::write(laptop.folder().join("numbers.csv"), "1,2,39").unwrap();

    let done = answer(laptop, "run main.py numbers.csv");
    assert_eq!(
        text(&done.stdout),
        "peer 1,2,39\n",
        "{}",
        text(&done.stderr)
    );
    assert_eq!(done.status.code(), Some(0));
    let left = laptop.folder().join("results/main.zip");
    assert_eq!(text_in(&left, "stdout.txt"), "peer 1,2,39\n");

    let failing = "import sys\nprint('tried')\nsys.exit('no luck')";
    fs::write(laptop.folder().join("fails.py"), failing).unwrap();
    let failed = answer(laptop, "run fails.py");
    assert_eq!(failed.status.code(), Some(1));
    assert_eq!(text(&failed.stdout), "tried\n");
    assert!(text(&failed.stderr).contains("no luck"));
}

#[test]
fn a_master_is_asked_from_another_host_how_it_stands() {
    let Some(lan) = Lan::or_leave_out() else {
        return;
    };
    let hosts = ["master", "peer", "foreign", "laptop"].map(|name| lan.host(name));
    let [master_host, peer_host, foreign_host, laptop] = &hosts;
    let nobody = answer(laptop, "status");
    assert_eq!(nobody.status.code(), Some(NO_MASTER));
    assert!(text(&nobody.stderr).contains("mutirao master"));

    let _master = our_master(master_host, "--name lab");
    let _peer = ours(peer_host, "peer --slots 3");
    let foreign = speaker(foreign_host, "peer", "super-peer", "--discover");
    foreign.wait_line(event("no_task"), PATIENCE);
    put_task(
        &master_host.folder().join("tasks"),
        "slow.zip",
        &[("main.py", UNHURRIED)],
    );
    wait_until_at_work(peer_host);

    let status = json_answer(laptop, "status");
    assert_eq!(
        (&status["name"], &status["peers"]),
        (&"lab".into(), &2.into())
    );
    assert_eq!(status["running"][0]["task_name"], "slow.zip");
    let peers = json_answer(laptop, "peers");
    let at = |host: &Host| {
        let ip = format!("{}:", host.address());
        let rows = peers.as_array().unwrap();
        rows.iter()
            .find(|row| row["address"].as_str().unwrap().starts_with(&ip))
            .unwrap()
    };
    assert_eq!(
        (&at(peer_host)["ours"], &at(peer_host)["slots"]),
        (&true.into(), &3.into())
    );
    assert_eq!(at(foreign_host)["ours"], false);

    let table = answer(
        laptop,
        &format!("status --master {}", master_host.address()),
    );
    assert!(
        text(&table.stdout).contains("slow.zip"),
        "{}",
        text(&table.stdout)
    );
    let done = master_host.folder().join("tasks/done");
    wait_until("the task is done", PATIENCE, || {
        zips_in(&done) == ["slow.zip"]
    });
    assert_eq!(json_answer(laptop, "status")["tasks"]["done"], 1);
}

#[test]
fn a_peer_tells_who_asks_at_its_own_port_how_it_is() {
    let Some(lan) = Lan::or_leave_out() else {
        return;
    };
    let hosts = ["master", "peer", "laptop"].map(|name| lan.host(name));
    let [master_host, peer_host, laptop] = &hosts;
    let _master = our_master(master_host, "--name lab");
    let peer = ours(peer_host, "peer --slots 1 --port 6001");
    peer.wait_line(|line| line.contains("ready"), PATIENCE);
    put_task(
        &master_host.folder().join("tasks"),
        "slow.zip",
        &[("main.py", UNHURRIED)],
    );
    wait_until_at_work(peer_host);

    let beat = r#"{"action":"HEARTBEAT","peer_id":"a person"}"#;
    assert_eq!(say(laptop, peer_host, 6001, beat)["status"], "ALIVE");
    let enveloped = r#"{"type":"HEARTBEAT","data":{"peer_id":"a person"}}"#;
    assert_eq!(say(laptop, peer_host, 6001, enveloped)["type"], "ALIVE");
    let status = say(laptop, peer_host, 6001, r#"{"action":"STATUS"}"#).to_string();
    assert!(
        status.contains("slow.zip") && status.contains("lab"),
        "{status}"
    );
    let task = r#"{"action":"REQUEST_TASK","peer_id":"a person"}"#;
    assert_eq!(say(laptop, peer_host, 6001, task)["status"], "ERROR");
    let shown = answer(
        laptop,
        &format!("status --master {}:6001", peer_host.address()),
    );
    assert!(
        text(&shown.stdout).contains("slow.zip"),
        "{}",
        text(&shown.stdout)
    );
}

#[test]
fn several_discovery_ports_meet_on_either_side() {
    let Some(lan) = Lan::or_leave_out() else {
        return;
    };
    let hosts = ["master", "peer", "foreign", "other"].map(|name| lan.host(name));
    let [master_host, peer_host, foreign_host, other_host] = &hosts;
    let master = our_master(
        master_host,
        "--name lab --discovery-port 9999 --discovery-port 8888",
    );
    for (port, name) in [(9999, "one.zip"), (8888, "other.zip")] {
        put_sum(master_host, name);
        let finding = format!("--discover --discovery-port {port} --tasks 1");
        let foreign = speaker(foreign_host, "peer", "flat", &finding);
        wait_for_42(master_host, name);
        assert_eq!(foreign.wait_end(PATIENCE), Some(0));
    }
    drop(master);

    let peer = ours(peer_host, "peer --discovery-port 7777,50005");
    for (host, port, name) in [(master_host, 7777, "one"), (other_host, 50005, "other")] {
        let master = our_master(host, &format!("--name {name} --discovery-port {port}"));
        let found = |line: &str| line.contains(&format!("found {name} "));
        peer.wait_line(found, PATIENCE);
        drop(master);
    }
}

#[test]
fn what_a_foreign_peer_does_not_say_of_a_run_is_read_from_what_that_printed() {
    let Some(lan) = Lan::or_leave_out() else {
        return;
    };
    let hosts = ["master", "foreign", "laptop"].map(|name| lan.host(name));
    let [master_host, foreign_host, laptop] = &hosts;
    let _master = our_master(master_host, "--name lab");
    let tasks = master_host.folder().join("tasks");
    put_task(
        &tasks,
        "bug.zip",
        &[("main.py", "rows = {}\nprint(rows['a'])\n")],
    );
    let _foreign = speaker(foreign_host, "peer", "flat", "--discover");
    let is_done = || zips_in(&tasks.join("done")) == ["bug.zip"];
    wait_until("it is taken for done", PATIENCE, is_done);
    let why = answer(laptop, "why bug");
    let why = text(&why.stdout);
    assert!(why.starts_with("bug.zip is done\n"), "{why}");
    let said = "it printed a traceback all the same: KeyError: 'a' (main.py:2)";
    assert!(why.contains(said), "{why}");
}
