//! What a long queue costs: memory, the rate of handing out, and the time of a restart, beside a short queue.

use std::fs;
use std::path::Path;
use std::time::Duration;

use mutirao_actors::wire::report::QueueReport;
use mutirao_rig::clock;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::sides::{accept, per_second};
use crate::archives;
use crate::figure::{Figure, Target, Unit};
use crate::load;
use crate::load::peer::Peer;
use crate::serve::Lane;
use crate::server::{Server, folder};
use crate::stage::Stage;
use crate::status;

/// The short queue; all of it is handed out.
const FEW: usize = 1_000;
/// So many tasks a master takes over the wire.
const SENT_MAX: usize = 200_000;
/// How long it may take to look at all that lies in its folder.
const TAKEN_WITHIN: Duration = Duration::from_secs(1800);
/// Peers at a time.
const PEERS: usize = 64;
/// Tasks that each holds at most: they only take, and together all that is handed out in any bench.
const SLOTS: u32 = 1024;
/// Bytes of a task's ZIP.
const BYTES: usize = 1000;
/// How often a peer asks again whether a restarted master has a task for it.
const ASK_EVERY: Duration = Duration::from_millis(5);

/// Runs it.
pub fn run(stage: &Stage) -> anyhow::Result<Vec<Figure>> {
    let many = stage.pick(10_000, 100_000, 1_000_000);
    let task = archives::task(BYTES, 0)?;
    let home = folder(stage, "many")?;
    let mut master = Server::ours(stage, &home, &[])?;
    let empty = master.process.rss()?;
    queue(&master, &home, &task, many)?;
    let full = master.process.rss()?;
    let (mut at_few, mut at_many, mut restarts) = (Taken::default(), Taken::default(), Vec::new());
    for round in 0..stage.rounds {
        let short = Server::ours(stage, &folder(stage, &format!("few-{round}"))?, &[])?;
        accept(&short, &task, FEW)?;
        at_few.add(&short)?;
        drop(short);
        at_many.add(&master)?;
    }
    for _ in 0..stage.rounds {
        // Killed as it stands.
        drop(master);
        let began = clock::now();
        master = Server::ours(stage, &home, &[])?;
        load::run(first_task(&master))?;
        restarts.push(began.elapsed().as_secs_f64() * 1e3);
        master.process.quiet()?;
    }
    let rss = Figure::new(
        format!("memory with {many} queued"),
        Unit::Megabytes,
        vec![full / 1e6],
    );
    let each = vec![(full - empty) / many as f64];
    Ok(vec![
        Figure::ratio(
            format!("hand-out at {many} / at {FEW}"),
            &at_many.rate,
            &at_few.rate,
        )
        .target(Target::AtLeast(0.9)),
        Figure::new(format!("hand-out at {FEW}"), Unit::PerSecond, at_few.rate),
        Figure::new(format!("CPU a task at {FEW}"), Unit::Micros, at_few.cpu),
        Figure::new(format!("hand-out at {many}"), Unit::PerSecond, at_many.rate),
        Figure::new(format!("CPU a task at {many}"), Unit::Micros, at_many.cpu),
        rss.target(Target::AtMost(200.0)),
        Figure::new("memory a queued task", Unit::Bytes, each),
        Figure::new("killed, to its first task", Unit::Millis, restarts)
            .target(Target::AtMost(5000.0)),
    ])
}

/// Queues so many tasks: by the wire as many as a master takes there, the others by its folder.
fn queue(master: &Server, home: &Path, task: &[u8], count: usize) -> anyhow::Result<()> {
    let sent = count.min(SENT_MAX);
    accept(master, task, sent)?;
    for number in sent..count {
        let hidden = home.join("tasks/.next");
        fs::write(&hidden, task)?;
        fs::rename(hidden, home.join(format!("tasks/t{number}.zip")))?;
    }
    let is_queued = |queue: &QueueReport| queue.tasks.queued == count as u64;
    load::run(status::until(master.address, TAKEN_WITHIN, is_queued))?;
    master.process.quiet().map(drop)
}

/// What handing out took, round by round.
#[derive(Debug, Default)]
struct Taken {
    rate: Vec<f64>,
    cpu: Vec<f64>,
}

impl Taken {
    /// One more round, with what goes on behind it: that would take from the next.
    fn add(&mut self, master: &Server) -> anyhow::Result<()> {
        let before = master.process.cpu()?;
        self.rate.push(hand_out(master)?);
        master.process.quiet()?;
        let cpu = master.process.cpu()?.saturating_sub(before);
        self.cpu.push(cpu.as_secs_f64() * 1e6 / FEW as f64);
        Ok(())
    }
}

/// Takes as many tasks as the short queue has: tasks a second.
fn hand_out(master: &Server) -> anyhow::Result<f64> {
    load::run(async {
        let mut peers = Vec::with_capacity(PEERS);
        for _ in 0..PEERS {
            peers.push(Peer::join_with(master.address, &[], SLOTS, Lane::Json).await?);
        }
        let began = clock::now();
        let mut taking = JoinSet::new();
        for (number, mut peer) in peers.into_iter().enumerate() {
            let share = FEW / PEERS + usize::from(number < FEW % PEERS);
            taking.spawn_local(async move {
                for _ in 0..share {
                    peer.take().await?;
                }
                anyhow::Ok(peer)
            });
        }
        let mut taken = Vec::with_capacity(PEERS);
        while let Some(peer) = taking.join_next().await {
            taken.push(peer??);
        }
        Ok(per_second(FEW, began.elapsed()))
    })
}

/// Waits until the master hands a task out.
async fn first_task(master: &Server) -> anyhow::Result<()> {
    let mut peer = Peer::join_with(master.address, &[], SLOTS, Lane::Json).await?;
    while !peer.try_take().await? {
        sleep(ASK_EVERY).await;
    }
    Ok(())
}
