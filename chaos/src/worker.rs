//! A scripted peer: speaks as one of ours, runs nothing, and keeps each result until it was answered.
//!
//! Where the master is the one on trial, it stands in for real peers: it costs no interpreter, and it knows exactly
//! which results were answered with OK.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use mutirao_rig::clock;
use mutirao_rig::dice::Dice;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::archives::{pack, sha256};
use crate::background::{Background, Stop};
use crate::checker::{Promise, expected_print};
use crate::client::Client;
use crate::tasks::Tasks;

/// How long it waits before it dials again, or hands in again what was not stored.
const AGAIN: Duration = Duration::from_millis(50);
/// How long the master may hold a request for a task.
const WAIT_MS: u64 = 200;
/// Words of a master that keeps nothing of a result and does not want it again.
const FINAL: [&str; 3] = ["unmatched", "too_late", "refused"];

/// A scripted peer on a thread of its own, which ends when this is dropped.
pub struct Worker {
    acked: Arc<AtomicU64>,
    _thread: Background,
}

struct Work {
    tasks: Tasks,
    bytes: usize,
    takes: Duration,
    peer_id: Uuid,
    boot_id: Uuid,
    held: Vec<Held>,
    acked: Arc<AtomicU64>,
    on_ack: Box<dyn FnMut(u64) + Send>,
}

struct Held {
    key: String,
    task_id: String,
    attempt: u64,
    result: Vec<u8>,
}

impl Worker {
    /// Starts one whose results carry so many bytes of noise.
    pub fn start(tasks: &Tasks, bytes: usize) -> Self {
        Self::start_with(tasks, bytes, |_| {})
    }

    /// The same, and each task takes it so long.
    pub fn start_slow(tasks: &Tasks, bytes: usize, takes: Duration) -> Self {
        let work = Work {
            takes,
            ..Work::new(tasks, bytes, |_| {})
        };
        work.start()
    }

    /// The same, and says how many results were answered with OK, each time before it does anything else.
    pub fn start_with(
        tasks: &Tasks,
        bytes: usize,
        on_ack: impl FnMut(u64) + Send + 'static,
    ) -> Self {
        Work::new(tasks, bytes, on_ack).start()
    }

    /// How many results were answered with OK.
    pub fn acked(&self) -> u64 {
        self.acked.load(Ordering::Acquire)
    }
}

impl Work {
    fn new(tasks: &Tasks, bytes: usize, on_ack: impl FnMut(u64) + Send + 'static) -> Self {
        Self {
            tasks: tasks.clone(),
            bytes,
            takes: Duration::ZERO,
            peer_id: Uuid::new_v4(),
            boot_id: Uuid::new_v4(),
            held: Vec::new(),
            acked: Arc::default(),
            on_ack: Box::new(on_ack),
        }
    }

    fn start(mut self) -> Worker {
        let acked = Arc::clone(&self.acked);
        let live = move |stop: &Stop| {
            // A master that is away or ends in between is what the trial is about.
            let _ = self.live(stop);
            clock::pause(AGAIN);
        };
        Worker {
            acked,
            _thread: Background::repeat(live),
        }
    }

    /// One connection, from its beginning to its end.
    fn live(&mut self, stop: &Stop) -> anyhow::Result<()> {
        let mut client = Client::connect(self.tasks.address)?;
        client.ask(&self.registration())?;
        while !stop.is_asked() {
            if let Some(held) = self.held.first() {
                let submission = self.submission(held);
                let asked = clock::now();
                let reply = client.ask(&submission)?;
                self.hear(&reply, asked);
                continue;
            }
            let request =
                json!({"action": "REQUEST_TASK", "peer_id": self.peer_id, "wait_ms": WAIT_MS});
            let reply = client.ask(&request)?;
            if reply["action"] == "TASK_PACKAGE" && reply["task_id"].is_string() {
                self.run(&reply)?;
            }
        }
        Ok(())
    }

    fn registration(&self) -> Value {
        let holds = self.held.iter();
        let holds: Vec<_> = holds
            .map(|held| format!("{}/{}", held.task_id, held.attempt))
            .collect();
        json!({
            "action": "REGISTER", "peer_id": self.peer_id, "addr": ["127.0.0.1", 9], "protocol": 2,
            "agent": "mutirao-chaos/0", "boot_id": self.boot_id, "slots": 1, "holds": holds,
            "capabilities": ["persistent", "attempt", "wait", "sha256", "outcome", "holds"],
        })
    }

    fn submission(&self, held: &Held) -> Value {
        json!({
            "action": "SUBMIT_RESULT", "peer_id": self.peer_id, "result_name": format!("{}.zip", held.key),
            "result_data": BASE64_STANDARD.encode(&held.result), "sha256": sha256(&held.result),
            "task_id": held.task_id, "attempt": held.attempt, "ending": "exit", "exit_code": 0, "took_ms": 1,
        })
    }

    /// Leaves the task's mark and makes a result as no other try has it: one that was answered with OK and then made
    /// anew is seen to be lost.
    fn run(&mut self, package: &Value) -> anyhow::Result<()> {
        let word = |name: &str| package[name].as_str().context("a package without a word");
        let key = word("task_name")?
            .split('.')
            .next()
            .unwrap_or_default()
            .to_owned();
        mark(&self.tasks.marks, &key)?;
        clock::pause(self.takes);
        let noise = Dice::of(Uuid::new_v4().as_u64_pair().0).noise(self.bytes);
        let printed = expected_print(&key);
        let files: [(&str, &[u8]); 3] = [
            ("stdout.txt", printed.as_bytes()),
            ("stderr.txt", b""),
            ("noise", &noise),
        ];
        self.held.push(Held {
            task_id: word("task_id")?.to_owned(),
            attempt: package["attempt"]
                .as_u64()
                .context("a package without a try")?,
            result: pack(&files)?,
            key,
        });
        Ok(())
    }

    /// What the master says of the first result that is held.
    fn hear(&mut self, reply: &Value, asked: Instant) {
        let is_final = reply["code"]
            .as_str()
            .is_some_and(|code| FINAL.contains(&code));
        if reply["status"] == "OK" {
            let held = self.held.remove(0);
            let mut history = self.tasks.history();
            history.promises.push(Promise::heard(&held.key, asked));
            let acked = history.acked.entry(held.key).or_default();
            acked.insert(sha256(&held.result));
            drop(history);
            let earlier = self.acked.fetch_add(1, Ordering::Release);
            (self.on_ack)(earlier + 1);
        } else if is_final {
            self.held.remove(0);
        } else {
            // One that cannot be stored now waits behind the others.
            self.held.rotate_left(1);
            clock::pause(AGAIN);
        }
    }
}

fn mark(marks: &Path, key: &str) -> anyhow::Result<()> {
    let mut file = File::options().create(true).append(true).open(marks)?;
    Ok(file.write_all(format!("{key}\n").as_bytes())?)
}
