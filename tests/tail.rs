//! What tasks print, seen while they print it, with the real binary.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod common;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::archives::put_task;
use common::desk::{Desk, err, free_port, out};
use common::http::{get, open};
use common::program::Program;
use common::{PATIENCE, wait_until};
use serde_json::Value;

/// A script that prints a line, waits until a file is there, and prints another.
fn patient(desk: &Desk, go: &str) -> String {
    let go = desk.path(go);
    format!(
        "import os, sys, time
print('begun')
print('look out', file=sys.stderr)
while not os.path.exists({go:?}):
    time.sleep(0.01)
print('ended')
"
    )
}

fn submit(desk: &Desk, name: &str, script: &str, more: &[&str]) {
    let file = format!("{name}.py");
    fs::write(desk.path(&file), script).unwrap();
    let handed_in = desk.output(&[&["submit", file.as_str()], more].concat());
    assert!(handed_in.status.success(), "{}", err(&handed_in));
}

fn go(desk: &Desk, file: &str) {
    fs::write(desk.path(file), "").unwrap();
}

fn state(desk: &Desk, task: &str) -> Value {
    desk.json(&["info", task, "--json"])["state"].clone()
}

fn is(line: &'static str) -> impl Fn(&str) -> bool {
    move |told| told == line
}

#[test]
fn what_a_task_prints_is_seen_before_it_ends_and_the_end_of_the_work_is_the_end() {
    let desk = Desk::new();
    let (_up, _) = desk.up();
    submit(&desk, "patient", &patient(&desk, "go"), &[]);
    let tail = desk.start(&["tail", "-f"]);
    tail.wait_line(is("begun"), PATIENCE);
    tail.wait_line(is("look out"), PATIENCE);
    assert_eq!(state(&desk, "patient"), "leased");
    // What is there is shown without waiting for more, and its last lines only.
    let so_far = desk.output(&["tail", "patient"]);
    assert_eq!(
        (out(&so_far), err(&so_far)),
        ("begun\n".into(), "look out\n".into())
    );
    assert!(so_far.status.success());
    assert!(tail.is_running());
    go(&desk, "go");
    tail.wait_line(is("ended"), PATIENCE);
    assert_eq!(tail.wait_end(PATIENCE), Some(0));
    for word in ["begun", "look out", "ended"] {
        assert_eq!(tail.count(is(word)), 1, "{word}");
    }
    let last = desk.output(&["tail", "-n", "1", "--stdout", "patient"]);
    assert_eq!((out(&last), err(&last)), ("ended\n".into(), String::new()));
    let errors = desk.output(&["tail", "--stderr", "patient"]);
    assert_eq!(
        (out(&errors), err(&errors)),
        (String::new(), "look out\n".into())
    );
}

#[test]
fn several_tasks_stand_behind_their_names_and_one_that_fails_shows_in_the_exit_code() {
    let desk = Desk::new();
    let (_up, _) = desk.up();
    submit(&desk, "good", "print('fine')", &[]);
    let bad = "import sys\nprint('so far')\nsys.exit('no good')";
    submit(&desk, "worse", bad, &["--retries", "0"]);
    let tail = desk.output(&["tail", "-f", "good", "worse"]);
    assert_eq!(tail.status.code(), Some(1));
    let printed = out(&tail);
    assert!(printed.contains("good  | fine\n"), "{printed}");
    assert!(printed.contains("worse | so far\n"), "{printed}");
    let said = err(&tail);
    assert!(said.contains("worse | no good\n"), "{said}");
    assert!(said.contains("── worse: failed: "), "{said}");
    let unknown = desk.output(&["tail", "wrose"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(err(&unknown).contains("did you mean worse?"));
}

#[test]
fn a_try_that_failed_shows_its_last_words_and_the_next_one_is_seen_from_its_beginning() {
    let desk = Desk::new();
    let (_up, _) = desk.up();
    let go = desk.path("go");
    let script = format!(
        "import os, sys, time
attempt = os.environ['MUTIRAO_ATTEMPT']
print('try', attempt, 'begins')
while not os.path.exists({go:?}):
    time.sleep(0.01)
print('try', attempt, 'ends')
if attempt == '1':
    raise ValueError('the first one')
"
    );
    submit(&desk, "fickle", &script, &["--retries", "1"]);
    let tail = desk.start(&["tail", "-f", "fickle"]);
    tail.wait_line(is("try 1 begins"), PATIENCE);
    fs::write(&go, "").unwrap();
    tail.wait_line(is("try 1 ends"), PATIENCE);
    tail.wait_line(is("ValueError: the first one"), PATIENCE);
    tail.wait_line(|line| line.starts_with("── fickle: try 2"), PATIENCE);
    tail.wait_line(is("try 2 ends"), PATIENCE);
    assert_eq!(tail.wait_end(PATIENCE), Some(0));
    for word in ["try 1 begins", "try 1 ends", "try 2 begins", "try 2 ends"] {
        assert_eq!(tail.count(is(word)), 1, "{word}");
    }
}

#[test]
fn what_a_lost_peer_ran_is_followed_on_another() {
    let desk = Desk::new();
    let _master = desk.master();
    let first = desk.elsewhere();
    let lost = first.start(&["peer", "--slots", "1"]);
    let script = format!(
        "import os\nprint('try', os.environ['MUTIRAO_ATTEMPT'])\n{}",
        patient(&desk, "go")
    );
    submit(&desk, "moved", &script, &[]);
    let tail = desk.start(&["tail", "-f"]);
    tail.wait_line(is("try 1"), PATIENCE);
    lost.kill();
    let second = desk.elsewhere();
    let _peer = second.start(&["peer", "--slots", "1"]);
    tail.wait_line(is("try 2"), PATIENCE);
    go(&desk, "go");
    tail.wait_line(is("ended"), PATIENCE);
    assert_eq!(tail.wait_end(PATIENCE), Some(0));
    assert_eq!(tail.count(is("begun")), 2, "once for each try");
}

#[test]
fn a_master_that_is_killed_and_started_anew_goes_on_where_the_reader_is() {
    let desk = Desk::new();
    let port = free_port();
    let start = || desk.master_at(&port);
    let master = start();
    let elsewhere = desk.elsewhere();
    let _peer = elsewhere.start(&["peer", "--slots", "1"]);
    submit(&desk, "steady", &patient(&desk, "go"), &[]);
    let address = format!("127.0.0.1:{port}");
    let tail = desk.start(&["tail", "-f", "steady", "--master", &address]);
    tail.wait_line(is("look out"), PATIENCE);
    master.kill();
    master.wait_end(PATIENCE);
    let _master = start();
    wait_until("it runs on", PATIENCE, || {
        state(&desk, "steady") == "leased"
    });
    go(&desk, "go");
    tail.wait_line(is("ended"), PATIENCE);
    assert_eq!(tail.wait_end(PATIENCE), Some(0));
    for word in ["begun", "look out", "ended"] {
        assert_eq!(tail.count(is(word)), 1, "{word}");
    }
}

#[test]
fn parts_that_begin_later_are_shown_and_the_group_ends_it() {
    let desk = Desk::new();
    let (_up, _) = desk.up();
    let script = "import sys\nprint(open(sys.argv[1]).read().split()[1])";
    fs::write(desk.path("main.py"), script).unwrap();
    fs::write(desk.path("rows.csv"), "n\none\ntwo\nthree\nfour\n").unwrap();
    let cut = [
        "submit", "main.py", "rows.csv", "--rows", "1", "--after", "hold",
    ];
    submit(&desk, "hold", &patient(&desk, "go"), &[]);
    assert!(desk.output(&cut).status.success());
    // The group is looked at before anything is shown.
    let tail = desk.start(&["tail", "-f", "main-1", "hold"]);
    tail.wait_line(|line| line.ends_with("| begun"), PATIENCE);
    go(&desk, "go");
    assert_eq!(tail.wait_end(PATIENCE), Some(0));
    for (part, word) in ["one", "two", "three", "four"].iter().enumerate() {
        let line = format!("main-1.{part} | {word}");
        assert_eq!(tail.count(|told| told == line), 1, "{line}");
    }
    let none = desk.output(&["tail", "main-1"]);
    assert_eq!(none.status.code(), Some(1));
    assert!(err(&none).contains("mutirao cat main-1"), "{}", err(&none));
}

#[test]
fn one_that_is_interrupted_leaves_the_task_alone() {
    let desk = Desk::new();
    let (_up, _) = desk.up();
    submit(&desk, "patient", &patient(&desk, "go"), &[]);
    let tail = desk.start(&["tail", "-f"]);
    tail.wait_line(is("begun"), PATIENCE);
    tail.interrupt();
    assert_eq!(tail.wait_end(PATIENCE), Some(130));
    assert_eq!(state(&desk, "patient"), "leased");
    go(&desk, "go");
    wait_until("it is done", PATIENCE, || state(&desk, "patient") == "done");
}

/// A peer that speaks the fixed messages alone: it takes a task, and hands this result in when it is told to.
fn stranger(master: SocketAddr) -> impl FnOnce(&[u8]) {
    let ask = move |message: &str| -> Value {
        let mut stream = TcpStream::connect(master).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(message.as_bytes()).unwrap();
        let mut replies = serde_json::Deserializer::from_reader(stream).into_iter();
        replies.next().unwrap().unwrap()
    };
    ask(r#"{"action":"REGISTER","peer_id":"stranger","addr":["127.0.0.1",9]}"#);
    let mut name = String::new();
    wait_until("it has a task", PATIENCE, || {
        let package = ask(r#"{"action":"REQUEST_TASK","peer_id":"stranger"}"#);
        name = package["task_name"].as_str().unwrap_or_default().to_owned();
        !name.is_empty()
    });
    move |result| {
        let result = STANDARD.encode(result);
        let answer = ask(&format!(
            r#"{{"action":"SUBMIT_RESULT","peer_id":"stranger","result_name":"{name}","result_data":"{result}"}}"#
        ));
        assert_eq!(answer["status"], "OK", "{answer}");
    }
}

#[test]
fn a_peer_that_cannot_tell_is_said_so_and_its_output_comes_with_the_result() {
    let desk = Desk::new();
    let master = desk.start(&["master", "--name", "lab"]);
    let serves = master.wait_line(|line| line.contains("serving \"lab\""), PATIENCE);
    let port = serves
        .split(' ')
        .find_map(|word| word.split_once(':').filter(|(ip, _)| ip.contains('.')));
    let master = SocketAddr::from(([127, 0, 0, 1], port.unwrap().1.parse().unwrap()));
    submit(&desk, "foreign", "print('never run')", &[]);
    let hand_in = stranger(master);
    let tail = desk.start(&["tail", "-f"]);
    tail.wait_line(
        |line| line.contains("sends what it prints only at the end"),
        PATIENCE,
    );
    put_task(
        desk.folder.path(),
        "result.zip",
        &[("stdout.txt", "from afar\n"), ("stderr.txt", "")],
    );
    hand_in(&fs::read(desk.path("result.zip")).unwrap());
    tail.wait_line(is("from afar"), PATIENCE);
    assert_eq!(tail.wait_end(PATIENCE), Some(0));
}

#[test]
fn on_a_terminal_a_line_that_comes_again_is_folded_and_nothing_commands_it() {
    if which::which("script").is_err() {
        let may_be_left_out = std::env::var_os("MUTIRAO_REQUIRE_ALL").is_none();
        assert!(may_be_left_out, "script of util-linux is missing");
        return eprintln!("left out: script of util-linux, which makes a terminal, is not here");
    }
    let desk = Desk::new();
    let (_up, _) = desk.up();
    let script = format!(
        "print('\\x1b[2Jclear')\nfor _ in range(42):\n    print('same')\n{}",
        patient(&desk, "go")
    );
    submit(&desk, "loud", &script, &[]);
    go(&desk, "go");
    wait_until("it is done", PATIENCE, || state(&desk, "loud") == "done");
    let typed = format!(
        "{} tail -n 100 --stdout loud",
        env!("CARGO_BIN_EXE_mutirao")
    );
    let inner = desk.command(&[]);
    let mut command = Command::new("script");
    command
        .args(["-qec", &typed, "/dev/null"])
        .current_dir(desk.folder.path());
    for (name, value) in inner.get_envs() {
        command.env(name, value.unwrap());
    }
    let screen = out(&command.output().unwrap());
    let lines: Vec<_> = screen
        .lines()
        .map(|line| line.trim_end_matches('\r'))
        .collect();
    assert_eq!(
        lines,
        ["clear", "same", "(… 41 times more)", "begun", "ended"],
        "{screen:?}"
    );
    let raw = out(&desk.output(&["tail", "-n", "100", "loud"]));
    assert!(raw.starts_with("\x1b[2Jclear\nsame\nsame\n"), "{raw:?}");
}

/// The events of a body, each with its data.
fn events(body: &str) -> Vec<(String, Value)> {
    let told = body.split("\n\n").filter_map(|event| {
        let name = event
            .lines()
            .find_map(|line| line.strip_prefix("event: "))?;
        let data = event.lines().find_map(|line| line.strip_prefix("data: "))?;
        Some((name.to_owned(), serde_json::from_str(data).unwrap()))
    });
    told.collect()
}

#[test]
fn over_http_it_comes_as_events_and_what_is_not_there_is_a_problem() {
    let desk = Desk::new();
    let (_up, master) = desk.up();
    submit(&desk, "patient", &patient(&desk, "go"), &[]);
    let mut live = open(
        master,
        "GET",
        "/api/v1/tasks/patient/output?follow=true",
        &[],
        b"",
    );
    let mut seen = String::new();
    let mut piece = [0; 4096];
    let begun = STANDARD.encode("begun\n");
    while !seen.contains(&begun) {
        let read = live.read(&mut piece).unwrap();
        assert_ne!(read, 0, "{seen}");
        seen.push_str(&String::from_utf8_lossy(&piece[..read]));
    }
    assert_eq!(state(&desk, "patient"), "leased");
    go(&desk, "go");
    live.read_to_string(&mut seen).unwrap();
    assert!(seen.contains("event: end"), "{seen}");

    let ended = get(master, "/api/v1/tasks/patient/output");
    assert_eq!(ended.header("content-type"), "text/event-stream");
    let told = events(&ended.text());
    let names: Vec<_> = told.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["try", "output", "output", "end"]);
    assert_eq!(told[1].1["data"], STANDARD.encode("begun\nended\n"));
    assert_eq!(told[3].1["state"], "done");
    assert_eq!(get(master, "/api/v1/tasks/nobody/output").status, 404);
    assert_eq!(
        get(master, "/api/v1/tasks/patient/output?follow=odd").status,
        400
    );
}

#[test]
fn who_cannot_follow_is_told_what_was_passed_over_and_who_does_not_read_costs_little() {
    let desk = Desk::new();
    let (up, master) = desk.up();
    let go_on = desk.path("go");
    let script = format!(
        "import os, time
print('begun')
while not os.path.exists({go_on:?}):
    time.sleep(0.01)
line = 'x' * 1023
for _ in range(12 * 1024):
    print(line)
print('all is printed')
time.sleep(3600)
"
    );
    submit(&desk, "chatty", &script, &[]);
    let mut slow = open(
        master,
        "GET",
        "/api/v1/tasks/chatty/output?follow=true",
        &[],
        b"",
    );
    let tail = desk.start(&["tail", "-f", "chatty"]);
    tail.wait_line(is("begun"), PATIENCE);
    let before = rss(&up);
    go(&desk, "go");
    tail.wait_line(|line| line.contains("are passed over here"), PATIENCE);
    tail.wait_line(is("all is printed"), PATIENCE);
    let grown = rss(&up).saturating_sub(before);
    assert!(grown < 64 << 10, "{grown} KiB more");
    // What it is behind is nobody's: it gets what lies in the sockets between us, and then what is newest.
    let mut piece = vec![0; 1 << 20];
    assert_ne!(slow.read(&mut piece).unwrap(), 0);
}

/// The memory that a program has, in KiB.
fn rss(program: &Program) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", program.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap()
}
