//! A peer that is killed and started again in its folder keeps its word: what it left running is ended, and what it had
//! not handed in is.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod common;

use std::fs;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::archives::{put_task, text_in, zips_in};
use common::desk::Desk;
use common::program::Program;
use common::{PATIENCE, wait_until};
use mutirao_actors::model::Digest;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use serde_json::{Value, json};

/// The task of the played master.
const TASK: &str = "0190a1b2-0000-7000-8000-000000000001";

/// A folder for a master and one for a peer.
struct Room(Desk);

impl Room {
    fn new() -> Self {
        let room = Self(Desk::new());
        for folder in ["master", "peer"] {
            fs::create_dir(room.path(folder)).unwrap();
        }
        room
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path(name)
    }

    fn start(&self, words: &[&str]) -> Program {
        let mut command = self.0.command(words);
        Program::spawn(words[0], command.current_dir(self.path(words[0])))
    }

    /// A script that notes its process in a file of its own, and prints and ends when `go` is there.
    fn patient_script(&self) -> String {
        let home = self.0.folder.path();
        format!(
            "import os, time
open(os.path.join({home:?}, f'runs-{{os.getpid()}}'), 'w').close()
while not os.path.exists(os.path.join({home:?}, 'go')):
    time.sleep(0.01)
print('finished')
"
        )
    }

    /// The processes of the scripts that have begun.
    fn begun(&self) -> Vec<i32> {
        let entries = fs::read_dir(self.0.folder.path()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names
            .filter_map(|name| name.strip_prefix("runs-")?.parse().ok())
            .collect()
    }

    fn is_empty(&self, folder: &str) -> bool {
        fs::read_dir(self.path(folder)).unwrap().next().is_none()
    }
}

fn lives(id: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    kill(Pid::from_raw(id), None).is_ok() && !stat.contains(") Z ")
}

#[test]
fn what_a_killed_peer_left_running_is_ended_by_the_next_and_the_task_is_done() {
    let room = Room::new();
    let master = room.start(&["master", "--name", "lab"]);
    master.wait_line(|line| line.contains("serving \"lab\""), PATIENCE);
    let killed = room.start(&["peer", "--slots", "1"]);
    let script = room.patient_script();
    put_task(
        &room.path("master/tasks"),
        "long.zip",
        &[("main.py", &script)],
    );
    wait_until("the script runs", PATIENCE, || room.begun().len() == 1);
    let orphan = room.begun()[0];
    let identity = || fs::read_to_string(room.path("peer/.mutirao/peer-1/identity")).unwrap();
    let was = identity();

    killed.kill();
    killed.wait_end(PATIENCE);
    assert!(lives(orphan), "it does not die with its peer");
    let _peer = room.start(&["peer", "--slots", "1"]);
    wait_until("the orphan is ended", PATIENCE, || !lives(orphan));
    wait_until("the task is begun anew", PATIENCE, || {
        room.begun().len() == 2
    });
    fs::write(room.path("go"), "").unwrap();

    let done = room.path("master/tasks/done");
    wait_until("the task is done", PATIENCE, || {
        zips_in(&done) == ["long.zip"]
    });
    let printed = text_in(&room.path("master/results/long.zip"), "stdout.txt");
    assert_eq!(printed, "finished\n");
    assert_eq!(identity(), was);
    for folder in ["work", ".mutirao/peer-1/runs", ".mutirao/peer-1/spool"] {
        let folder = format!("peer/{folder}");
        wait_until(&format!("{folder} is empty"), PATIENCE, || {
            room.is_empty(&folder)
        });
    }
}

/// A master of ours that says what the test wants, one peer on one connection.
struct Played {
    stream: TcpStream,
    heard: Box<dyn Iterator<Item = serde_json::Result<Value>>>,
}

impl Played {
    /// Waits for the peer, and takes what it says to register.
    fn meet(listener: &TcpListener) -> (Self, Value) {
        let (stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let reader = stream.try_clone().unwrap();
        let mut played = Self {
            stream,
            heard: Box::new(serde_json::Deserializer::from_reader(reader).into_iter()),
        };
        let register = played.hear("REGISTER");
        let welcome = json!({
            "status": "REGISTERED", "protocol": 2, "master_id": TASK, "epoch": 1, "heartbeat_s": 5,
            "capabilities": ["persistent", "attempt", "wait", "sha256", "outcome", "holds"],
        });
        played.answer(&register, welcome);
        (played, register)
    }

    /// The next message of this kind; heartbeats are answered meanwhile.
    fn hear(&mut self, action: &str) -> Value {
        loop {
            let message = self.heard.next().unwrap().unwrap();
            if message["action"] == action {
                return message;
            }
            if message["action"] == "HEARTBEAT" {
                self.answer(&message, json!({"status": "ALIVE"}));
            }
        }
    }

    fn answer(&mut self, to: &Value, mut reply: Value) {
        if !to["id"].is_null() {
            reply["id"] = to["id"].clone();
        }
        self.stream.write_all(reply.to_string().as_bytes()).unwrap();
    }
}

fn zip_of(folder: &Path, script: &str) -> Vec<u8> {
    put_task(folder, "long.zip", &[("main.py", script)]);
    fs::read(folder.join("long.zip")).unwrap()
}

#[test]
fn a_result_that_was_kept_is_handed_in_by_the_next_life_until_the_master_has_stored_it() {
    let room = Room::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    let master = address.to_string();
    let words = ["peer", "--slots", "1", "--master", &master];
    let killed = room.start(&words);
    let zip = zip_of(&room.path("master"), &room.patient_script());
    {
        let (mut played, register) = Played::meet(&listener);
        assert!(register["holds"].is_null());
        let request = played.hear("REQUEST_TASK");
        let task = json!({
            "action": "TASK_PACKAGE", "task_name": "long.zip", "task_data": STANDARD.encode(&zip),
            "task_id": TASK, "attempt": 3, "sha256": Digest::of(&zip).to_string(),
        });
        played.answer(&request, task);
        wait_until("the script runs", PATIENCE, || room.begun().len() == 1);
    }
    // The master is gone when the script ends, and then the peer is killed.
    drop(listener);
    fs::write(room.path("go"), "").unwrap();
    let label = room.path(&format!("peer/.mutirao/peer-1/spool/{TASK}-3.json"));
    wait_until("the result is kept", PATIENCE, || label.exists());
    killed.kill();
    killed.wait_end(PATIENCE);

    let listener = TcpListener::bind(address).unwrap();
    let peer = room.start(&words);
    let (mut played, register) = Played::meet(&listener);
    assert_eq!(register["holds"], json!([format!("{TASK}/3")]));
    let first = played.hear("SUBMIT_RESULT");
    assert_eq!(
        (&first["task_id"], &first["attempt"], &first["exit_code"]),
        (&json!(TASK), &json!(3), &json!(0))
    );
    let full = json!({"status": "ERROR", "message": "no space left", "code": "not_stored"});
    played.answer(&first, full);
    let second = played.hear("SUBMIT_RESULT");
    assert_eq!(second["result_data"], first["result_data"]);
    assert!(label.exists(), "it is kept until it is stored");
    played.answer(&second, json!({"status": "OK"}));
    for folder in ["peer/.mutirao/peer-1/spool", "peer/work"] {
        wait_until(&format!("{folder} is empty"), PATIENCE, || {
            room.is_empty(folder)
        });
    }
    let result = STANDARD.decode(second["result_data"].as_str().unwrap());
    let kept = room.path("result.zip");
    fs::write(&kept, result.unwrap()).unwrap();
    assert_eq!(text_in(&kept, "stdout.txt"), "finished\n");
    assert_eq!(room.begun().len(), 1, "it ran once");
    peer.terminate();
    let leave = played.hear("LEAVE");
    played.answer(&leave, json!({"status": "LEFT"}));
    assert_eq!(peer.wait_end(PATIENCE), Some(0));
}
