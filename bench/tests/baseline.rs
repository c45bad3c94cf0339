//! The baselines are worth comparing with only if they do what they are said to do.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::process::{Child, Command, Stdio};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use mutirao_actors::wire::{Reply, parse_reply};
use tempfile::TempDir;

struct Baseline {
    child: Child,
    stream: TcpStream,
    folder: TempDir,
}

impl Baseline {
    fn start(mode: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("task.zip"), b"a task").unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_mutirao-bench"))
            .args(["serve", "--mode", mode])
            .args(["--task", "task.zip", "--log", "log"])
            .current_dir(folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let told = child.stdout.take().unwrap();
        BufReader::new(told).read_line(&mut line).unwrap();
        let port: u16 = line.trim().parse().unwrap();
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        Self {
            child,
            stream,
            folder,
        }
    }

    /// Asks in two parts, as a network may deliver it.
    fn ask(&mut self, request: &str) -> Vec<u8> {
        let (first, second) = request.as_bytes().split_at(request.len() / 2);
        self.stream.write_all(first).unwrap();
        self.stream.write_all(second).unwrap();
        let mut answer = vec![0; 4096];
        let read = self.stream.read(&mut answer).unwrap();
        answer.truncate(read);
        answer
    }
}

impl Drop for Baseline {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_package_is_one_of_ours_and_holds_the_task() {
    let mut bare = Baseline::start("bare");
    let answer = bare.ask(r#"{"action":"REQUEST_TASK","peer_id":"a"}"#);
    let Reply::TaskPackage {
        task_data, ours, ..
    } = parse_reply(&answer).unwrap().reply
    else {
        panic!("{}", String::from_utf8_lossy(&answer))
    };
    assert_eq!(task_data.decode().unwrap(), b"a task"[..]);
    assert!(ours.is_some());
}

#[test]
fn a_result_that_was_answered_lies_in_the_log() {
    let mut log = Baseline::start("log");
    for result in [&b"one"[..], b"two"] {
        let data = BASE64_STANDARD.encode(result);
        let submit = format!(
            r#"{{"action":"SUBMIT_RESULT","peer_id":"a","result_data":"{data}","task_id":"x"}}"#
        );
        assert_eq!(log.ask(&submit), br#"{"status":"OK"}"#);
    }
    let stored = fs::read(log.folder.path().join("log")).unwrap();
    assert_eq!(stored, b"onetwo");
}
