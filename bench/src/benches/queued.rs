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
    let (mut at_few, mut at_many, mut restarts) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..stage.rounds {
        let short = Server::ours(stage, &folder(stage, &format!("few-{round}"))?, &[])?;
        accept(&short, &task, FEW)?;
        at_few.push(hand_out(&short)?);
        // What it does behind its answers would take from the other.
        short.process.quiet()?;
        drop(short);
        at_many.push(hand_out(&master)?);
        master.process.quiet()?;
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
        Figure::ratio(format!("hand-out at {many} / at {FEW}"), &at_many, &at_few)
            .target(Target::AtLeast(0.9)),
        Figure::new(format!("hand-out at {FEW}"), Unit::PerSecond, at_few),
        Figure::new(format!("hand-out at {many}"), Unit::PerSecond, at_many),
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
