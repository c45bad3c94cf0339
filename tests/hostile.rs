//! What strangers may send to a real master: each gets an answer in words, the next honest request is served,
//! nothing is written outside of the master's folders, and its memory stays within bounds.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "what is not there fails its test")]

mod common;

use std::fs;
use std::io::{Cursor, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use common::archives::{put_task, zips_in};
use common::program::Program;
use common::{PATIENCE, wait_until};
use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};
use tempfile::TempDir;
use uuid::Uuid;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// What strangers may make the master use beyond what it needs at rest (promise R7).
const GROWTH_MAX_KIB: u64 = 256 << 10;
/// What is written at once.
const PART: usize = 1 << 20;

struct Master {
    program: Program,
    port: u16,
    folder: TempDir,
    at_rest_kib: u64,
}

impl Master {
    /// A master in a folder of its own, two levels deep, so that what climbs out of it is seen.
    fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let root = folder.path().join("a/b");
        fs::create_dir_all(&root).unwrap();
        let free = UdpSocket::bind("127.0.0.1:0").unwrap();
        let discovery = free.local_addr().unwrap().port().to_string();
        drop(free);
        let mut command = Command::new(env!("CARGO_BIN_EXE_mutirao"));
        command.args(["master", "--port", "0", "--discovery-port", &discovery]);
        command.current_dir(&root);
        let program = Program::spawn("master", &mut command);
        let line = program.wait_line(|line| line.contains("serving \""), PATIENCE);
        let address = line.split(" on ").nth(1).unwrap();
        let address = address.split(' ').next().unwrap();
        let port = address.rsplit(':').next().unwrap().parse().unwrap();
        let mut master = Self {
            program,
            port,
            folder,
            at_rest_kib: 0,
        };
        master.assert_serves("nothing");
        master.at_rest_kib = master.memory_kib("VmRSS");
        master
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("a/b")
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    fn memory_kib(&self, what: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.program.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with(what)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Whether honest requests are served, by a master that has not taken too much memory for `what`.
    fn assert_serves(&self, what: &str) {
        self.assert_serves_within(GROWTH_MAX_KIB, what);
    }

    /// The same, where it is known how much more it may take.
    fn assert_serves_within(&self, growth_max_kib: u64, what: &str) {
        let mut honest = self.connect();
        let alive = ask(&mut honest, br#"{"action":"HEARTBEAT","peer_id":"honest"}"#);
        assert_eq!(alive["status"], "ALIVE", "after {what}");
        let status = ask(&mut honest, br#"{"action":"STATUS"}"#);
        assert_eq!(status["report"]["role"], "master", "after {what}");
        let peak = self.memory_kib("VmHWM");
        let most = self.at_rest_kib + growth_max_kib;
        assert!(self.at_rest_kib == 0 || peak < most, "{peak} KiB at {what}");
    }

    /// Whether nothing lies beside the master's own folders.
    fn assert_contained(&self) {
        for (folder, only) in [
            (self.folder.path(), "a"),
            (&self.folder.path().join("a"), "b"),
        ] {
            let names = fs::read_dir(folder).unwrap();
            let names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
            assert_eq!(names, [only], "in {}", folder.display());
        }
        for entry in fs::read_dir(self.root()).unwrap() {
            let name = entry.unwrap().file_name();
            let known = ["tasks", "results", "work", ".mutirao"];
            assert!(known.iter().any(|known| name == *known), "{name:?}");
        }
    }
}

/// Says something and reads one reply.
fn ask(stream: &mut TcpStream, words: &[u8]) -> Value {
    stream.write_all(words).unwrap();
    next(stream)
}

fn next(stream: &mut TcpStream) -> Value {
    let mut reply = Vec::new();
    let mut part = [0; 4096];
    loop {
        let read = stream.read(&mut part).unwrap();
        assert_ne!(
            read,
            0,
            "closed after {:?}",
            String::from_utf8_lossy(&reply)
        );
        reply.extend(&part[..read]);
        if let Ok(value) = serde_json::from_slice(&reply) {
            return value;
        }
    }
}

/// Says something without reading meanwhile, ends the sending half, and reads one reply.
fn shout(master: &Master, words: &[u8]) -> Value {
    let mut stream = master.connect();
    for part in words.chunks(PART) {
        if stream.write_all(part).is_err() {
            break;
        }
    }
    let _ = stream.shutdown(Shutdown::Write);
    next(&mut stream)
}

fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        archive
            .start_file(*name, SimpleFileOptions::default())
            .unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

/// A task that has one more file, of which the name leads out of its folder.
fn slip() -> Vec<u8> {
    let mut bytes = archive(&[("main.py", b"print(1)"), ("PLACEHOLDER", b"slipped")]);
    let (honest, climbing) = (b"PLACEHOLDER", b"../../../xy");
    for at in 0..bytes.len() - honest.len() {
        if bytes[at..].starts_with(honest) {
            bytes[at..at + climbing.len()].copy_from_slice(climbing);
        }
    }
    bytes
}

/// A task of some KB that unpacks to 200 MB.
fn bomb() -> Vec<u8> {
    let zeros = vec![0; 200 << 20];
    archive(&[("main.py", b"print(1)"), ("zeros", &zeros)])
}

fn submission(name: &str, bytes: &[u8]) -> Vec<u8> {
    let data = BASE64_STANDARD.encode(bytes);
    json!({"action": "SUBMIT_TASK", "task_name": name, "task_data": data})
        .to_string()
        .into_bytes()
}

fn result(name: &str, bytes: &[u8]) -> Vec<u8> {
    let data = BASE64_STANDARD.encode(bytes);
    json!({"action": "SUBMIT_RESULT", "peer_id": "p", "result_name": name, "result_data": data})
        .to_string()
        .into_bytes()
}

/// One string that does not end, of so many bytes.
fn endless(beginning: &str, bytes: usize) -> Vec<u8> {
    [beginning.as_bytes(), &vec![b'A'; bytes]].concat()
}

#[test]
fn whatever_is_no_message_is_answered_with_an_error_and_the_next_honest_request_is_served() {
    let master = Master::start();
    let endless_result = r#"{"action":"SUBMIT_RESULT","peer_id":"p","result_data":""#;
    let nonsense: &[(&str, Vec<u8>)] = &[
        (
            "truncated JSON",
            br#"{"action":"HEARTBEAT","peer_"#.to_vec(),
        ),
        ("brackets", b"[".repeat(5_000_000)),
        ("nested objects", br#"{"a":"#.repeat(5_000_000)),
        ("an endless string", endless(r#"{"action":""#, 20 << 20)),
        ("an endless payload", endless(endless_result, 100 << 20)),
        ("no JSON", b"HELLO master\r\n\r\n".to_vec()),
        ("no UTF-8", b"{\"action\":\"\xff\xfe\"}".to_vec()),
        ("a number as the action", br#"{"action":7}"#.to_vec()),
        (
            "a list as the peer",
            br#"{"action":"HEARTBEAT","peer_id":["p"]}"#.to_vec(),
        ),
        (
            "a port out of range",
            br#"{"action":"REGISTER","peer_id":"p","addr":["h",70000]}"#.to_vec(),
        ),
        (
            "no base64",
            br#"{"action":"SUBMIT_RESULT","peer_id":"p","result_data":"%%%"}"#.to_vec(),
        ),
        ("a result of nothing", result("../../x", b"PK")),
        ("a task that is no ZIP", submission("x.zip", b"PK")),
        ("a ZIP slip as a task", submission("x.zip", &slip())),
        ("a ZIP bomb as a task", submission("x.zip", &bomb())),
    ];
    for (what, words) in nonsense {
        let answer = shout(&master, words);
        assert_eq!(answer["status"], "ERROR", "{answer} to {what}");
        assert!(answer["message"].as_str().unwrap().len() > 10, "{answer}");
        master.assert_serves(what);
    }
    master.assert_contained();
    assert!(zips_in(&master.root().join("tasks")).is_empty());
    assert!(zips_in(&master.root().join("results")).is_empty());
}

#[test]
fn names_that_climb_are_tamed_and_a_hostile_result_is_refused_and_the_honest_one_taken() {
    let master = Master::start();
    let good = archive(&[("main.py", b"print(1)")]);
    let accepted = shout(&master, &submission("../../x", &good));
    assert_eq!(accepted["status"], "ACCEPTED", "{accepted}");
    assert_eq!(accepted["task_name"], "_.._x.zip", "{accepted}");
    // What was accepted is written down already, and laid into the folder behind.
    wait_until("the task lies in tasks/", PATIENCE, || {
        zips_in(&master.root().join("tasks")) == ["_.._x.zip"]
    });
    for (what, hostile) in [("a ZIP slip", slip()), ("no ZIP", b"PK".to_vec())] {
        let mut peer = master.connect();
        take_task(&mut peer);
        let refused = ask(&mut peer, &result("../../x", &hostile));
        assert_eq!(refused["status"], "ERROR", "{refused} to {what}");
        master.assert_serves(what);
    }
    let mut peer = master.connect();
    take_task(&mut peer);
    let honest = archive(&[("stdout.txt", b"1\n"), ("stderr.txt", b"")]);
    let taken = ask(&mut peer, &result("../../x", &honest));
    assert_eq!(taken, json!({"status": "OK"}));
    wait_until("the result has its place", PATIENCE, || {
        zips_in(&master.root().join("results")) == ["_.._x.zip"]
    });
    master.assert_contained();
}

/// Asks until the one task that there is rests no more.
fn take_task(peer: &mut TcpStream) {
    wait_until("the task is handed out", PATIENCE, || {
        let answer = ask(peer, br#"{"action":"REQUEST_TASK","peer_id":"p"}"#);
        answer["action"] == "TASK_PACKAGE"
    });
}

/// Says this, as far as the master reads it, and keeps the connection.
fn hold(mut stream: TcpStream, half: &[u8]) -> TcpStream {
    stream
        .set_write_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    // The master stops reading at some point; what it has read is what counts.
    let _ = half
        .chunks(PART)
        .try_for_each(|part| stream.write_all(part));
    stream
}

#[test]
fn many_who_send_half_of_a_large_message_take_bounded_memory_and_no_one_is_shut_out() {
    let master = Master::start();
    let half = endless(
        r#"{"action":"SUBMIT_RESULT","peer_id":"p","result_data":""#,
        20 << 20,
    );
    let held: Vec<_> = thread::scope(|scope| {
        let holders: Vec<_> = (0..40)
            .map(|_| scope.spawn(|| hold(master.connect(), &half)))
            .collect();
        holders
            .into_iter()
            .map(|held| held.join().unwrap())
            .collect()
    });
    master.assert_serves("half messages");
    drop(held);
    put_task(
        &master.root().join("tasks"),
        "t.zip",
        &[("main.py", "print(1)")],
    );
    take_task(&mut master.connect());
    master.assert_serves("half messages that were given up");
}

/// A connection on which payloads may follow their messages.
fn agreed(master: &Master) -> TcpStream {
    let mut stream = master.connect();
    let register = json!({
        "action": "REGISTER", "peer_id": Uuid::new_v4(), "addr": ["127.0.0.1", 1], "protocol": 2,
        "boot_id": Uuid::new_v4(), "slots": 1, "capabilities": ["attempt", "sha256", "raw"],
    });
    let welcome = ask(&mut stream, register.to_string().as_bytes());
    assert_eq!(welcome["status"], "REGISTERED", "{welcome}");
    stream
}

#[test]
fn lengths_that_cannot_be_are_answered_with_an_error_and_the_next_honest_request_is_served() {
    let master = Master::start();
    let beyond = (64 << 20) + 1;
    for raw in [
        "-1",
        "1.5",
        "\"9\"",
        "[9]",
        "9,\"raw\":9",
        "18446744073709551617",
        &beyond.to_string(),
    ] {
        let mut stream = agreed(&master);
        let words = format!(r#"{{"action":"SUBMIT_RESULT","peer_id":"p","raw":{raw}}}"#);
        stream.write_all(words.as_bytes()).unwrap();
        // It goes on as if nothing were wrong, and can read why it is not heard.
        let _ = stream.write_all(&vec![b'{'; 5 << 20]);
        let _ = stream.shutdown(Shutdown::Write);
        let refused = next(&mut stream);
        assert_eq!(refused["code"], "broken", "{refused} to {raw}");
        master.assert_serves(raw);
    }
    let mut cut = agreed(&master);
    cut.write_all(br#"{"action":"SUBMIT_RESULT","peer_id":"p","raw":9}PK"#)
        .unwrap();
    cut.shutdown(Shutdown::Write).unwrap();
    assert_eq!(next(&mut cut)["code"], "broken");
    master.assert_contained();
}

#[test]
fn many_who_announce_much_behind_a_message_take_bounded_memory_and_no_one_is_shut_out() {
    let master = Master::start();
    let half = endless(
        r#"{"action":"SUBMIT_RESULT","peer_id":"p","raw":60000000}"#,
        20 << 20,
    );
    let held: Vec<_> = thread::scope(|scope| {
        let holders = (0..40).map(|_| scope.spawn(|| hold(agreed(&master), &half)));
        let holders: Vec<_> = holders.collect();
        holders
            .into_iter()
            .map(|held| held.join().unwrap())
            .collect()
    });
    master.assert_serves("half payloads");
    drop(held);
    let mut honest = agreed(&master);
    let whole = json!({
        "action": "SUBMIT_RESULT", "peer_id": "p", "raw": 12 << 20, "sha256": "0".repeat(64),
    });
    honest.write_all(whole.to_string().as_bytes()).unwrap();
    let refused = ask(&mut honest, &vec![b'x'; 12 << 20]);
    assert_eq!(refused["code"], "damaged", "{refused}");
    master.assert_serves("half payloads that were given up");
}

#[test]
fn who_stays_after_a_large_message_keeps_no_memory_for_it() {
    let master = Master::start();
    let large = result("x", &vec![b'x'; 12 << 20]);
    let kept: Vec<_> = (0..25)
        .map(|_| {
            let mut stream = master.connect();
            let answer = ask(&mut stream, &large);
            assert_eq!(answer["status"], "ERROR");
            stream
        })
        .collect();
    master.assert_serves("large messages");
    drop(kept);
}

/// Bytes that no compression makes fewer.
fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let byte = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    std::iter::repeat_with(byte).take(bytes).collect()
}

/// Bytes of a result that fills no room alone, and no buffer of a connection holds.
const MUCH: usize = 5 << 20;
/// What readers of results may make it use: the results' room, and as much again for connections and what it has printed.
const READ_AGAIN_MAX_KIB: u64 = 128 << 10;
/// Connections over HTTP that one address may have, save some for the honest ones.
const READERS: usize = 56;

impl Master {
    /// Has a task done that has printed much.
    fn with_much_printed() -> Self {
        let master = Self::start();
        let tasks = master.root().join("tasks");
        put_task(&tasks, "much.zip", &[("main.py", "print(1)")]);
        let mut peer = master.connect();
        take_task(&mut peer);
        let printed = noise(MUCH);
        let much = archive(&[("stdout.txt", &printed), ("stderr.txt", b"")]);
        assert_eq!(ask(&mut peer, &result("much.zip", &much))["status"], "OK");
        master
    }

    /// Asks for something of a task at one of the addresses of this machine.
    fn reads(&self, what: &str, from: [u8; 4]) -> TcpStream {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let from = SocketAddr::from((from, 0));
        socket.bind(&from.into()).unwrap();
        let to = SocketAddr::from(([127, 0, 0, 1], self.port));
        socket.connect(&to.into()).unwrap();
        let mut stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let asked = format!(
            "GET /api/v1/tasks/{what} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
        );
        // Where too many are open already it is closed at once.
        let _ = stream.write_all(asked.as_bytes());
        stream
    }

    /// Readers at one address, some of whom hold a result while the others wait; nobody reads.
    fn stalled(&self, from: [u8; 4]) -> Vec<TcpStream> {
        let readers: Vec<_> = (0..READERS)
            .map(|_| self.reads("much.zip/stdout", from))
            .collect();
        wait_until("some are answered", PATIENCE, || {
            let answered = readers.iter().filter(|reader| is_answered(reader));
            answered.count() >= 4
        });
        readers
    }
}

/// Whether there is something to read.
fn is_answered(reader: &TcpStream) -> bool {
    reader.set_nonblocking(true).unwrap();
    let is_answered = reader.peek(&mut [0]).is_ok_and(|bytes| bytes > 0);
    reader.set_nonblocking(false).unwrap();
    is_answered
}

#[test]
fn readers_of_results_who_stall_keep_no_task_and_no_reader_elsewhere_waiting() {
    let master = Master::with_much_printed();
    let stalled = master.stalled([127, 0, 0, 1]);
    let heavy = archive(&[("main.py", b"print(1)"), ("data", &noise(200 << 10))]);
    let accepted = shout(&master, &submission("heavy.zip", &heavy));
    assert_eq!(accepted["status"], "ACCEPTED", "{accepted}");
    take_task(&mut master.connect());
    let mut honest = master.reads("much.zip/stdout", [127, 0, 0, 2]);
    let mut whole = Vec::new();
    honest.read_to_end(&mut whole).unwrap();
    assert!(whole.len() > MUCH);
    master.assert_serves("readers who stall");
    drop(stalled);
}

#[test]
fn who_waits_for_a_result_is_written_to_so_that_one_who_hung_up_is_noticed() {
    let master = Master::with_much_printed();
    let stalled = master.stalled([127, 0, 0, 1]);
    let mut waits = master.reads("much.zip/output", [127, 0, 0, 1]);
    let mut told = String::new();
    while !told.contains("\n: ") {
        let mut part = [0; 1024];
        let read = waits.read(&mut part).unwrap();
        told.push_str(&String::from_utf8_lossy(&part[..read]));
        assert!(read > 0 && !told.contains("event: end"), "{told}");
    }
    drop(stalled);
}

#[test]
fn many_who_read_results_and_hang_up_take_bounded_memory() {
    let master = Master::with_much_printed();
    for what in ["much.zip/output", "much.zip/stdout", "much.zip/result"] {
        for _ in 0..3 {
            let readers: Vec<_> = (1..=4)
                .flat_map(|last| (0..READERS).map(move |_| [127, 0, 0, last]))
                .map(|from| master.reads(what, from))
                .collect();
            master.assert_serves(what);
            drop(readers);
        }
    }
    // Seats of those who hung up are given back one after the other.
    wait_until("an honest one is served", PATIENCE, || {
        let mut honest = master.reads("much.zip/stdout", [127, 0, 0, 9]);
        let mut whole = Vec::new();
        honest.read_to_end(&mut whole).is_ok() && whole.len() > MUCH
    });
    master.assert_serves_within(READ_AGAIN_MAX_KIB, "readers who hung up");
}
