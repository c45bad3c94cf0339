//! What peers of ours cost that wait for work: each holds a request open besides its heartbeats. Then tasks come, one by
//! one, and each is timed from being handed in to its arrival at a peer; it was stored in between.

use std::time::Duration;

use anyhow::Context as _;
use mutirao_rig::clock;
use tokio::time::{sleep, timeout};

use crate::archives;
use crate::figure::{Figure, Target, Unit, percentile};
use crate::load;
use crate::load::crowd::{allow_files, none_ended};
use crate::load::fill::Sender;
use crate::load::waiting::Waiting;
use crate::server::{Server, folder};
use crate::stage::Stage;

/// How long one task may take.
const WITHIN: Duration = Duration::from_secs(30);
/// Between two tasks: all is at rest again.
const REST: Duration = Duration::from_millis(20);
/// Bytes of a task's and of a result's ZIP.
const BYTES: usize = 1000;

/// Runs it.
pub fn run(stage: &Stage) -> anyhow::Result<Vec<Figure>> {
    let peers = stage.pick(1_000, 4_000, 10_000);
    allow_files(peers)?;
    let window = Duration::from_secs(stage.pick(5, 10, 30));
    let tasks = stage.pick(100, 300, 500);
    let task = archives::task(BYTES, 0)?;
    let master = Server::ours(stage, &folder(stage, "master")?, &[])?;
    let (mut rss, mut cpu) = (Vec::new(), Vec::new());
    let (mut medians, mut worst) = (Vec::new(), Vec::new());
    load::run(async {
        let result = archives::result(BYTES, 0)?;
        let mut waiting = Waiting::join(master.address, peers, result).await?;
        for _ in 0..stage.rounds {
            let before = master.process.cpu()?;
            sleep(window).await;
            let used = master.process.cpu()?.saturating_sub(before);
            cpu.push(used.as_secs_f64() / window.as_secs_f64() * 100.0);
            rss.push(master.process.rss()? / 1e6);
            // One that says nothing for as long as that is closed.
            let mut sender = Sender::dial(master.address, &task).await?;
            let took = arrivals(&mut waiting, &mut sender, tasks).await?;
            medians.push(percentile(&took, 0.5));
            worst.push(percentile(&took, 0.99));
        }
        none_ended(&mut waiting.peers)
    })?;
    let memory = format!("memory with {peers} peers");
    Ok(vec![
        Figure::new(memory, Unit::Megabytes, rss).target(Target::AtMost(200.0)),
        Figure::new("CPU", Unit::PercentOfCore, cpu).target(Target::AtMost(15.0)),
        Figure::new("a task's arrival, median", Unit::Millis, medians),
        Figure::new("a task's arrival, 99th of 100", Unit::Millis, worst)
            .target(Target::AtMost(50.0)),
    ])
}

/// Milliseconds that each task took to a peer, one after the other.
async fn arrivals(
    waiting: &mut Waiting,
    sender: &mut Sender,
    tasks: usize,
) -> anyhow::Result<Vec<f64>> {
    let mut took = Vec::with_capacity(tasks);
    for _ in 0..tasks {
        sleep(REST).await;
        let began = clock::now();
        sender.send().await?;
        let arrived = timeout(WITHIN, waiting.next()).await;
        let arrived = arrived.context("a task did not arrive at any peer")??;
        took.push(arrived.saturating_duration_since(began).as_secs_f64() * 1e3);
    }
    Ok(took)
}
