//! The command line asks what is no master of ours, with the real binary: any neighbour may answer for one.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod common;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use common::PATIENCE;
use common::desk::{Desk, err, out};
use serde_json::{Value, json};

const TASK: &str = "0193b3c4-0000-7000-8000-000000000001";
/// What would name a window, wipe it, and do so again in one byte.
const COMMANDS: &str = "\u{1b}]0;PWNED\u{7}\u{1b}[2J\u{9b}2J";

/// A master that says so to whatever it is asked, over HTTP too; its thread ends with the test.
fn master(says: Value) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let says = says.clone();
            // Whoever has heard enough hangs up.
            thread::spawn(move || drop(answer(stream, &says)));
        }
    });
    address
}

fn answer(mut stream: TcpStream, says: &Value) -> std::io::Result<()> {
    let mut asked = vec![0; 64 << 10];
    loop {
        let read = stream.read(&mut asked)?;
        if read == 0 {
            return Ok(());
        }
        let asked = String::from_utf8_lossy(&asked[..read]);
        if asked.starts_with("GET ") {
            let event = says["event"].as_str().unwrap();
            let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
            let length = event.len();
            return write!(stream, "{head}{length:x}\r\n{event}\r\n0\r\n\r\n");
        }
        let request: Value = serde_json::from_str(&asked).unwrap();
        let action = request["action"].as_str().unwrap();
        let refused = json!({ "status": "ERROR", "message": format!("no {action}{COMMANDS}") });
        let reply = says.get(action).unwrap_or(&refused);
        write!(stream, "{reply}")?;
    }
}

fn task(state: &str) -> Value {
    let task = json!({
        "task_id": TASK, "task_name": "sim.zip", "state": state, "attempts": 1, "peer": null,
        "reason": format!("why{COMMANDS}"), "result_file": null, "took_ms": null,
    });
    json!({ "status": "TASK_STATE", "task": task })
}

#[test]
fn nothing_that_a_master_says_commands_the_terminal() {
    let desk = Desk::new();
    let told = |name: &str, data: &Value| format!("event: {name}\ndata: {data}\n\n");
    let events = [
        told("try", &json!({ "attempt": 1, "peer_id": COMMANDS })),
        told(
            "try",
            &json!({ "attempt": 2, "peer_id": format!("a{COMMANDS}") }),
        ),
        told("problem", &json!({ "detail": format!("broken{COMMANDS}") })),
        told(
            "end",
            &json!({ "state": format!("odd{COMMANDS}"), "reason": COMMANDS }),
        ),
    ];
    let at = master(json!({
        "TASK_STATUS": task("failed"),
        "RETRY_TASK": task("cancelled"),
        "event": events.concat(),
    }));
    let at = at.to_string();
    let commands: [(&[&str], &str); 5] = [
        (&["info", "sim"], "why]0;PWNED[2J2J"),
        (&["retry", "sim"], "cancelled again: why]0;PWNED[2J2J"),
        (&["tail", "sim", "-f"], "try 2 on a]0;PWNED[2J2J"),
        (&["peers"], "the master says: no PEERS]0;PWNED[2J2J"),
        (
            &["cancel", "sim"],
            "the master says: no CANCEL_TASK]0;PWNED[2J2J",
        ),
    ];
    for (words, expected) in commands {
        let output = desk.output(&[words, &["--master", &at]].concat());
        let said = out(&output) + &err(&output);
        assert!(said.contains(expected), "{words:?}: {said:?}");
        let is_command = |char: char| char.is_control() && char != '\n';
        assert!(!said.contains(is_command), "{words:?}: {said:?}");
    }
}

#[test]
fn a_master_that_comes_to_no_end_is_left_with_a_word() {
    let desk = Desk::new();
    let report = |report: Value| json!({ "status": "REPORT", "report": report });
    let row = task("queued")["task"].take();
    let at = master(json!({
        "CANCEL_TASKS": report(json!({ "tasks": 1, "left": 0, "next": 1 })),
        "LIST_TASKS": report(vec![row; 500].into()),
        "LIST_GROUPS": report(json!([])),
    }));
    let at = at.to_string();
    let commands: [&[&str]; 3] = [
        &["cancel", "--waiting", "--yes"],
        &["wait", "--waiting"],
        &["cat", "--failed"],
    ];
    for words in commands {
        let asking = desk.start(&[words, &["--master", &at]].concat());
        asking.wait_line(|line| line.contains("comes to no end"), PATIENCE);
        assert_eq!(asking.wait_end(PATIENCE), Some(2), "{words:?}");
    }
}

#[test]
fn an_event_that_never_ends_keeps_nobody_from_ending_it() {
    let desk = Desk::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || drop(trickle(stream)));
        }
    });
    let tail = desk.start(&["tail", "sim", "--master", &at]);
    // More than any event of ours has.
    tail.wait_line(|line| line.contains("another program or version"), PATIENCE);
    assert_eq!(tail.wait_end(PATIENCE), Some(2));
}

/// How the task stands, or a body byte by byte in which no event ends.
fn trickle(mut stream: TcpStream) -> std::io::Result<()> {
    let mut asked = [0; 4096];
    loop {
        let read = stream.read(&mut asked)?;
        if read == 0 {
            return Ok(());
        }
        if !asked.starts_with(b"GET ") {
            write!(stream, "{}", task("leased"))?;
            continue;
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")?;
        let chunks = "1\r\nx\r\n".repeat(10_000);
        loop {
            stream.write_all(chunks.as_bytes())?;
        }
    }
}
