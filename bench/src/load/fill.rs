//! Puts tasks into a master before the clock starts: by SUBMIT_TASK over many connections, as the command line does.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mutirao_actors::model::Digest;
use mutirao_actors::wire::{Dialect, Payload, Request, encode_request};
use tokio::task::JoinSet;

use super::link::Link;
use super::peer::expect;
use super::stranger::split;

/// Connections that hand tasks in: enough for a group commit to pay.
const CONNECTIONS: usize = 64;
/// Stands in the words where a task's own name belongs.
const NAME: &str = "?.zip";

/// Numbers the tasks of this process, so that each has a name of its own.
static LAST: AtomicUsize = AtomicUsize::new(0);

/// Has so many tasks accepted, all with this ZIP.
pub async fn fill(address: SocketAddr, task: &[u8], count: usize) -> anyhow::Result<()> {
    let left = Rc::new(Cell::new(count));
    let mut senders = JoinSet::new();
    for _ in 0..CONNECTIONS.min(count) {
        let left = Rc::clone(&left);
        let mut sender = Sender::dial(address, task).await?;
        senders.spawn_local(async move {
            while let Some(rest) = left.get().checked_sub(1) {
                left.set(rest);
                sender.send().await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(sent) = senders.join_next().await {
        sent??;
    }
    Ok(())
}

/// Hands in one task after the other over one connection.
pub struct Sender {
    link: Link,
    words: Words,
}

impl Sender {
    /// Connects; all tasks are to be this ZIP.
    pub async fn dial(address: SocketAddr, task: &[u8]) -> anyhow::Result<Self> {
        let (link, words) = (Link::dial(address).await?, Words::of(task));
        Ok(Self { link, words })
    }

    /// Has one more accepted.
    pub async fn send(&mut self) -> anyhow::Result<()> {
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        let answer = self.link.ask(&self.words.about(number)).await?;
        expect(answer, br#"{"status":"ACCEPTED""#)
    }
}

/// SUBMIT_TASK around the name.
struct Words {
    before: Vec<u8>,
    behind: Vec<u8>,
}

impl Words {
    fn of(task: &[u8]) -> Self {
        let request = Request::SubmitTask {
            task_name: NAME.into(),
            task_data: Payload::Inside(task.to_vec().into()),
            sha256: Some(Digest::of(task)),
            group: None,
            priority: None,
            time_limit_s: None,
            retries: None,
            max_fails: None,
            part: None,
            after: None,
            max_running: None,
        };
        let words = encode_request(Dialect::Flat, None, &request);
        let (before, behind) = split(&words, NAME);
        Self { before, behind }
    }

    fn about(&self, number: usize) -> Vec<u8> {
        let name = format!("task-{number}.zip");
        [&self.before, name.as_bytes(), &self.behind].concat()
    }
}
