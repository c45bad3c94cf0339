//! What peers cost that have nothing to do: thousands of lasting connections with a heartbeat each five seconds, beside the
//! same crowd at a master that stores nothing. Meanwhile one peer works, slowly, and its requests are timed.

use std::time::Duration;

use mutirao_rig::clock;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::sides::accept;
use crate::archives;
use crate::figure::{Figure, Target, Unit, percentile};
use crate::load;
use crate::load::crowd::{allow_files, join, none_ended};
use crate::load::peer::Peer;
use crate::serve::{Lane, Mode};
use crate::server::{Server, folder};
use crate::stage::Stage;

/// How often the peer at work asks for a task.
const ASK_EVERY: Duration = Duration::from_millis(20);
/// Bytes of a task's and of a result's ZIP.
const BYTES: usize = 1000;

/// What was seen of one side.
#[derive(Debug, Default)]
struct Seen {
    rss: Vec<f64>,
    cpu: Vec<f64>,
    median: Vec<f64>,
    worst: Vec<f64>,
}

/// Runs it.
pub fn run(stage: &Stage) -> anyhow::Result<Vec<Figure>> {
    let peers = stage.pick(1_000, 4_000, 10_000);
    allow_files(peers)?;
    let window = Duration::from_secs(stage.pick(5, 10, 10));
    let asks = usize::try_from(window.as_millis() / ASK_EVERY.as_millis())?;
    let task = archives::task(BYTES, 0)?;

    let mut ours = Seen::default();
    let master = Server::ours(stage, &folder(stage, "master")?, &[])?;
    // The peers of an earlier round count as gone only after a while: all rounds have one crowd.
    accept(&master, &task, asks * stage.rounds)?;
    ours.watch(&master, peers, (stage.rounds, window))?;
    drop(master);

    let mut bare = Seen::default();
    let master = Server::baseline(&folder(stage, "bare")?, Mode::Bare, Lane::Json, &task)?;
    bare.watch(&master, peers, (stage.rounds, window))?;
    // Less is better of both, so that the ratio is the other way round.
    let over_bare = Figure::ratio("bare / ours: a hand-out", &bare.median, &ours.median);
    Ok(vec![
        over_bare,
        Figure::new(
            format!("memory with {peers} peers"),
            Unit::Megabytes,
            ours.rss,
        )
        .target(Target::AtMost(200.0)),
        Figure::new("CPU", Unit::PercentOfCore, ours.cpu).target(Target::AtMost(15.0)),
        Figure::new("a hand-out, median", Unit::Millis, ours.median),
        Figure::new("a hand-out, 99th of 100", Unit::Millis, ours.worst)
            .target(Target::AtMost(50.0)),
        Figure::new("bare: CPU", Unit::PercentOfCore, bare.cpu),
        Figure::new("bare: memory", Unit::Megabytes, bare.rss),
        Figure::new("bare: a hand-out, 99th of 100", Unit::Millis, bare.worst),
    ])
}

impl Seen {
    /// Looks so often at a crowd of so many: first at rest, then beside a peer that works.
    fn watch(
        &mut self,
        server: &Server,
        peers: usize,
        (rounds, window): (usize, Duration),
    ) -> anyhow::Result<()> {
        load::run(async {
            let mut crowd = join(server.address, peers).await?;
            let result = archives::result(BYTES, 0)?;
            let mut peer = Peer::join(server.address, &result).await?;
            for _ in 0..rounds {
                let before = server.process.cpu()?;
                sleep(window).await;
                let used = server.process.cpu()?.saturating_sub(before);
                self.cpu
                    .push(used.as_secs_f64() / window.as_secs_f64() * 100.0);
                self.rss.push(server.process.rss()? / 1e6);
                let took = work(&mut peer, window).await?;
                self.median.push(percentile(&took, 0.5));
                self.worst.push(percentile(&took, 0.99));
            }
            none_ended(&mut crowd)
        })
    }
}

/// Milliseconds that each request for a task took, one every [`ASK_EVERY`].
async fn work(peer: &mut Peer, window: Duration) -> anyhow::Result<Vec<f64>> {
    let count = window.as_millis() / ASK_EVERY.as_millis();
    let mut ticks = interval(ASK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut took = Vec::new();
    for _ in 0..count {
        ticks.tick().await;
        let began = clock::now();
        peer.take().await?;
        took.push(began.elapsed().as_secs_f64() * 1e3);
        peer.hand_in().await?;
    }
    Ok(took)
}
