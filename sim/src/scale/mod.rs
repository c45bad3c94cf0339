//! How many peers a master could have: the production actors on virtual time, with peers by the ten thousand.
//!
//! Rule: all run in one thread, and what the peers use of the processor is taken off. What is left is the master's: its
//! actors, its database in memory, and its files, which are to lie in memory too. What sockets and disks add is measured
//! on real ones, by the bench.

mod meter;
mod peer;
mod pipes;

use std::fs;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use mutirao::archive::{Compression, pack};
use mutirao::disk::hands::Job;
use mutirao::disk::{Hands, Volume};
use mutirao::ground::{Ground, Ids};
use mutirao::master::{self, Config, Footing, Master, Memory};
use mutirao::store::SqliteStore;
use mutirao::web::Changes;
use mutirao_actors::clock::Clock;
use mutirao_actors::logic::dispatch::Rules;
use mutirao_actors::message_log::MessageLog;
use mutirao_actors::schedulers::SCHEDULERS;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::runtime::Builder;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{interval, sleep};

use self::meter::{Meter, thread_time};
use self::peer::{Peer, Standings};
use self::pipes::{Dialler, pipes};

/// Over how long peers join: a classroom that is switched on.
const JOINING: Duration = Duration::from_secs(10);
/// How long each state is watched: some heartbeats of each peer, and twice as long as a request waits.
const WATCHED: Duration = Duration::from_secs(60);
/// How long joining, or giving each its first task, may take on virtual time.
const WITHIN: Duration = Duration::from_secs(600);
/// How often it is looked whether it is done.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How often tasks are handed in.
const HAND_IN_EVERY: Duration = Duration::from_millis(100);
/// Longest answer to a task that is handed in, in bytes.
const ANSWER: usize = 1 << 10;

/// What so many peers are for a master.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// How many.
    pub peers: u32,
    /// The part of one core that the master uses while all wait for tasks and say that they live.
    pub waiting: f64,
    /// The same while each runs one task after the other.
    pub working: f64,
    /// Tasks a second meanwhile.
    pub rate: f64,
    /// Memory for each peer while it waits, in bytes: both ends of its connection.
    pub memory: f64,
}

/// Has so many peers work, each for so long at a task; the master's files go below the folder.
///
/// # Errors
/// When the master does not start, or a peer fails.
pub fn measure(peers: u32, task: Duration, folder: &Path) -> anyhow::Result<Load> {
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()?;
    let root = tempfile::tempdir_in(folder)?;
    LocalSet::new().block_on(&runtime, async {
        let (_master, dialler) = start(root.path()).await?;
        let crowd = Crowd::new(peers, task, dialler)?;
        crowd.watch().await
    })
}

/// A master whose work on files is done at once, in the one thread.
async fn start(root: &Path) -> anyhow::Result<(Master, Dialler)> {
    let (net, dialler) = pipes();
    let clock = Clock::at(Timestamp::UNIX_EPOCH);
    let (store, recalled) = SqliteStore::in_memory(clock.clone())?;
    let footing = Footing {
        ground: Ground {
            volume: Arc::new(Volume::real()),
            hands: Arc::new(AtOnce),
            ids: Ids::seeded(1),
            is_watched: false,
        },
        net: Arc::new(net),
        memory: Memory {
            store: Box::new(store),
            recalled,
        },
        claim: None,
    };
    let config = Config {
        name: "scale".into(),
        root: root.to_owned(),
        port: 50020,
        discovery_ports: Vec::new(),
        scheduler: &SCHEDULERS[0],
        rules: Rules::default(),
        changes: Changes::default(),
    };
    let log = MessageLog::new(clock.clone(), None);
    let master = master::act(config, footing, clock, log).await?;
    Ok((master, dialler))
}

#[derive(Debug)]
struct AtOnce;

impl Hands for AtOnce {
    fn take(&self, job: Job) {
        spawn_local(async { job() });
    }
}

/// All peers, and who hands in their tasks.
struct Crowd {
    peers: u32,
    task: Duration,
    dialler: Dialler,
    standings: Rc<Standings>,
    result: Rc<str>,
    package: String,
    /// What they all use.
    meter: Meter,
}

impl Crowd {
    fn new(peers: u32, task: Duration, dialler: Dialler) -> anyhow::Result<Self> {
        let result = pack(
            [("stdout.txt", &b"42\n"[..]), ("stderr.txt", b"")],
            Compression::Fast,
        )?;
        let package = pack(
            [("main.py", &b"print(42)\n"[..]), ("input.csv", b"")],
            Compression::Fast,
        )?;
        Ok(Self {
            peers,
            task,
            dialler,
            standings: Rc::default(),
            result: BASE64_STANDARD.encode(result).into(),
            package: BASE64_STANDARD.encode(package),
            meter: Meter::default(),
        })
    }

    async fn watch(self) -> anyhow::Result<Load> {
        let empty = memory()?;
        self.join();
        self.until("every peer has joined", |standings| standings.joined.get())
            .await?;
        let (waiting, _) = self.share().await;
        let memory = (memory()? - empty) / f64::from(self.peers);
        self.hand_in_for_ever();
        self.until("every peer has a task", |standings| standings.running.get())
            .await?;
        let (working, rate) = self.share().await;
        Ok(Load {
            peers: self.peers,
            waiting,
            working,
            rate,
            memory,
        })
    }

    fn join(&self) {
        for number in 0..self.peers {
            let peer = Peer {
                stream: self.dialler.dial(number),
                number,
                task: self.task,
                result: Rc::clone(&self.result),
                standings: Rc::clone(&self.standings),
            };
            let delay = JOINING * number / self.peers;
            spawn_local(self.meter.on(async move {
                sleep(delay).await;
                if let Err(error) = peer.live().await {
                    eprintln!("peer {number} failed: {error}");
                }
            }));
        }
    }

    /// As many tasks as the peers can do, one after the other.
    fn hand_in_for_ever(&self) {
        let stream = self.dialler.dial(self.peers);
        let rate = f64::from(self.peers) / self.task.as_secs_f64();
        let package = self.package.clone();
        spawn_local(self.meter.on(async move {
            if let Err(error) = hand_in(stream, &package, rate).await {
                eprintln!("who hands tasks in failed: {error:#}");
            }
        }));
    }

    async fn until(&self, what: &str, count: impl Fn(&Standings) -> u32) -> anyhow::Result<()> {
        // Between two of its tasks a peer has none.
        let most = self.peers - self.peers / 20;
        let looks = WITHIN.as_millis() / LOOK_EVERY.as_millis();
        for _ in 0..looks {
            if count(&self.standings) >= most {
                return Ok(());
            }
            sleep(LOOK_EVERY).await;
        }
        bail!("not within {WITHIN:?}: {what}")
    }

    /// The part of a core that the master uses, and the tasks a second that are done, from now on for a while.
    async fn share(&self) -> (f64, f64) {
        let ours = || thread_time().saturating_sub(self.meter.used());
        let (before, done) = (ours(), self.standings.done.get());
        sleep(WATCHED).await;
        let done = self.standings.done.get() - done;
        let watched = WATCHED.as_secs_f64();
        (
            (ours() - before).as_secs_f64() / watched,
            done as f64 / watched,
        )
    }
}

async fn hand_in(mut stream: DuplexStream, package: &str, rate: f64) -> anyhow::Result<()> {
    let (mut due, mut sent) = (0.0, 0_u64);
    let mut times = interval(HAND_IN_EVERY);
    loop {
        times.tick().await;
        due += rate * HAND_IN_EVERY.as_secs_f64();
        while (sent as f64) < due {
            sent += 1;
            let request = json!({
                "action": "SUBMIT_TASK", "task_name": format!("task-{sent}.zip"), "task_data": package,
            });
            stream.write_all(request.to_string().as_bytes()).await?;
            let mut answer = [0; ANSWER];
            let read = stream.read(&mut answer).await?;
            let answer = String::from_utf8_lossy(answer.get(..read).unwrap_or_default());
            ensure!(answer.contains("ACCEPTED"), "answered: {answer}");
        }
    }
}

/// The resident memory of this process, in bytes.
fn memory() -> anyhow::Result<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    Ok(kib.context("a status without VmRSS")? * 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_peer_joins_and_as_many_tasks_are_done_as_they_can_do() {
        let folder = tempfile::tempdir().unwrap();
        let load = measure(40, Duration::from_secs(20), folder.path()).unwrap();
        assert_eq!(load.peers, 40);
        assert!((1.5..=2.5).contains(&load.rate), "{load:?}");
        assert!(
            load.working > load.waiting && load.waiting > 0.0,
            "{load:?}"
        );
    }
}
