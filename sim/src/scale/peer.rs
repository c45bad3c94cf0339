//! A peer of ours that runs nothing: a task lasts as long as it is told, on virtual time.

use std::cell::Cell;
use std::future::pending;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use mutirao_actors::wire::Scanner;
use mutirao_actors::wire::scanner::Caps;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::time::{Sleep, interval, sleep};
use uuid::Uuid;

/// How often it says that it lives, as a master of ours tells its peers to.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// How long its request waits at the master, as a peer of ours has it.
const WAIT_MS: u32 = 25_000;
/// Free room before each read: a package of a small task.
const READ: usize = 2 << 10;

/// How all of them stand.
#[derive(Debug, Default)]
pub struct Standings {
    /// Peers that are registered.
    pub joined: Cell<u32>,
    /// Tasks that run.
    pub running: Cell<u32>,
    /// Results that were answered with OK.
    pub done: Cell<u64>,
}

/// One of them.
pub struct Peer {
    /// Its way to the master.
    pub stream: DuplexStream,
    /// Which one.
    pub number: u32,
    /// How long a task of its lasts.
    pub task: Duration,
    /// What it hands in, in base64.
    pub result: Rc<str>,
    /// Where it is counted.
    pub standings: Rc<Standings>,
}

/// A task that runs: how long still, and what is then said.
struct Run {
    rest: Pin<Box<Sleep>>,
    submission: Vec<u8>,
}

impl Peer {
    /// Joins and works for as long as the connection lasts.
    ///
    /// # Errors
    /// When the master closes it, or says what no master should.
    pub async fn live(mut self) -> io::Result<()> {
        let peer_id = format!("peer-{}", self.number);
        let mut heard = Heard::default();
        let register = json!({
            "action": "REGISTER", "peer_id": peer_id, "protocol": 2, "boot_id": Uuid::from_u128(self.number.into()),
            "slots": 1, "agent": "scale/0", "capabilities": ["persistent", "attempt", "wait", "sha256", "outcome", "holds"],
        });
        self.stream
            .write_all(register.to_string().as_bytes())
            .await?;
        heard.next(&mut self.stream).await?;
        self.standings.joined.update(|joined| joined + 1);
        let ask =
            json!({"action": "REQUEST_TASK", "id": 1, "peer_id": peer_id, "wait_ms": WAIT_MS});
        let beat = json!({"action": "HEARTBEAT", "id": 2, "peer_id": peer_id});
        let (ask, beat) = (ask.to_string(), beat.to_string());
        let mut beats = interval(HEARTBEAT);
        let mut run: Option<Run> = None;
        self.stream.write_all(ask.as_bytes()).await?;
        loop {
            tokio::select! {
                biased;
                message = heard.next(&mut self.stream) => {
                    match said(&message?) {
                        Said::Alive => {}
                        Said::Task(task, attempt) => run = Some(self.begin(&peer_id, &task, &attempt)),
                        Said::Nothing => self.stream.write_all(ask.as_bytes()).await?,
                        Said::Ok => {
                            self.standings.done.update(|done| done + 1);
                            self.stream.write_all(ask.as_bytes()).await?;
                        }
                        Said::Other(words) => return Err(io::Error::other(words)),
                    }
                }
                submission = end(&mut run) => {
                    self.standings.running.update(|running| running - 1);
                    self.stream.write_all(&submission).await?;
                }
                _ = beats.tick() => self.stream.write_all(beat.as_bytes()).await?,
            }
        }
    }

    fn begin(&self, peer_id: &str, task: &Value, attempt: &Value) -> Run {
        self.standings.running.update(|running| running + 1);
        let submission = json!({
            "action": "SUBMIT_RESULT", "id": 3, "peer_id": peer_id, "result_name": "result.zip",
            "result_data": &*self.result, "task_id": task, "attempt": attempt,
            "ending": "exit", "exit_code": 0,
        });
        Run {
            rest: Box::pin(sleep(self.task)),
            submission: submission.to_string().into_bytes(),
        }
    }
}

/// What is said when the run is over, which is none then.
async fn end(run: &mut Option<Run>) -> Vec<u8> {
    if let Some(running) = run {
        running.rest.as_mut().await;
    }
    match run.take() {
        Some(run) => run.submission,
        None => pending().await,
    }
}

/// What has come and was not read yet.
struct Heard {
    scanner: Scanner,
    buffer: BytesMut,
}

impl Default for Heard {
    fn default() -> Self {
        Self {
            scanner: Scanner::new(Caps::REPLIES),
            buffer: BytesMut::new(),
        }
    }
}

impl Heard {
    /// The next message; what was read of it stays when this is dropped.
    async fn next(&mut self, stream: &mut DuplexStream) -> io::Result<Bytes> {
        loop {
            let next = self.scanner.split(&mut self.buffer);
            if let Some(message) = next.map_err(io::Error::other)? {
                return Ok(message.value().clone());
            }
            self.buffer.reserve(READ);
            if stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

/// What a master says.
enum Said {
    Alive,
    Nothing,
    Ok,
    Task(Value, Value),
    Other(String),
}

fn said(message: &[u8]) -> Said {
    let value: Value = serde_json::from_slice(message).unwrap_or_default();
    match (value["status"].as_str(), value["action"].as_str()) {
        (Some("ALIVE"), _) => Said::Alive,
        (Some("OK"), _) => Said::Ok,
        (_, Some("NO_TASK")) => Said::Nothing,
        (_, Some("TASK_PACKAGE")) => Said::Task(value["task_id"].clone(), value["attempt"].clone()),
        _ => Said::Other(String::from_utf8_lossy(message).into_owned()),
    }
}
