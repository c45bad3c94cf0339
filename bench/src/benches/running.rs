//! What tasks cost in memory while they run: the master, which has handed out many, and a peer with its scripts.

use std::fs::OpenOptions;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use tokio::task::JoinSet;

use super::sides::accept;
use crate::archives::{self, pack};
use crate::family;
use crate::figure::{Figure, Unit};
use crate::load;
use crate::load::fill::fill;
use crate::load::peer::Peer;
use crate::process::Process;
use crate::serve::Lane;
use crate::server::{Server, folder};
use crate::stage::Stage;
use crate::status;
use crate::worker::{self, Start};

/// Tasks that a peer which runs nothing holds: as many as the program lets one have.
const HELD: usize = 1024;
/// Bytes of a task's ZIP.
const BYTES: usize = 1000;
/// Tasks that the real peer runs at a time.
const SLOTS: usize = 32;
/// How long that peer's tasks may take to be all running, or all done.
const WITHIN: Duration = Duration::from_secs(60);

/// Runs it.
pub fn run(stage: &Stage) -> anyhow::Result<Vec<Figure>> {
    let count = stage.pick(10_000, 50_000, 100_000);
    let (mut beyond, mut whole) = (Vec::new(), Vec::new());
    let starts = Start::known(stage)?;
    let mut at_peer = vec![(Vec::new(), Vec::new()); starts.len()];
    for round in 0..stage.rounds {
        let (running, queued) = at_master(stage, round, count)?;
        beyond.push(running - queued);
        whole.push(running);
        for (start, (peer, script)) in starts.iter().zip(&mut at_peer) {
            let (of_peer, of_script) = worked(stage, round, *start)?;
            peer.push(of_peer);
            script.push(of_script);
        }
    }
    let master = format!("master with {count}: a running task");
    let mut figures = vec![
        Figure::new(master, Unit::Bytes, whole),
        Figure::new("of it beyond a queued one", Unit::Bytes, beyond),
    ];
    for (start, (peer, script)) in starts.iter().zip(at_peer) {
        let (word, of) = (start.word(), |what, word| format!("{what}, {word}"));
        figures.push(Figure::new(
            of("peer: a running task", word),
            Unit::Bytes,
            peer,
        ));
        figures.push(Figure::new(of("its script", word), Unit::Megabytes, script));
    }
    Ok(figures)
}

/// Bytes a task of a fresh master, when so many run and when they were queued.
fn at_master(stage: &Stage, round: usize, count: usize) -> anyhow::Result<(f64, f64)> {
    let master = Server::ours(stage, &folder(stage, &format!("master-{round}"))?, &[])?;
    master.process.quiet()?;
    let empty = master.process.rss()?;
    accept(&master, &archives::task(BYTES, 0)?, count)?;
    let queued = master.process.rss()?;
    let peers = load::run(take(&master, count))?;
    master.process.quiet()?;
    let running = master.process.rss()?;
    drop(peers);
    let a_task = |bytes: f64| (bytes - empty) / count as f64;
    Ok((a_task(running), a_task(queued)))
}

/// Takes so many tasks with as few peers as may hold them.
async fn take(master: &Server, count: usize) -> anyhow::Result<Vec<Peer>> {
    let mut taking = JoinSet::new();
    for first in (0..count).step_by(HELD) {
        let slots = u32::try_from(HELD)?;
        let mut peer = Peer::join_with(master.address, &[], slots, Lane::Json).await?;
        taking.spawn_local(async move {
            for _ in first..count.min(first + HELD) {
                peer.take().await?;
            }
            anyhow::Ok(peer)
        });
    }
    let mut peers = Vec::new();
    while let Some(peer) = taking.join_next().await {
        peers.push(peer??);
    }
    Ok(peers)
}

/// Bytes a running task of a real peer itself, and megabytes of its scripts.
fn worked(stage: &Stage, round: usize, start: Start) -> anyhow::Result<(f64, f64)> {
    let name = |who| format!("{who}-{}-{round}", start.word());
    let home = folder(stage, &name("desk"))?;
    let pipe = home.join("pipe");
    mkfifo(&pipe, Mode::S_IRUSR | Mode::S_IWUSR)?;
    let task = waits_for(&pipe)?;
    let master = Server::ours(stage, &home, &[])?;
    let python = worker::python()?;
    let mut peer = worker::start(stage, &name("peer"), &master, &python, (SLOTS, start))?;
    // The first run finds nothing prepared, and some of what it makes stays.
    run_together(&master, &task, &pipe, || Ok(()))?;
    peer.quiet()?;
    let before = seen(&peer)?;
    let mut during = before;
    run_together(&master, &task, &pipe, || {
        peer.quiet()?;
        during = seen(&peer)?;
        Ok(())
    })?;
    peer.leave()?;
    let a_task = |during: f64, before: f64| (during - before) / SLOTS as f64;
    Ok((a_task(during.0, before.0), a_task(during.1, before.1) / 1e6))
}

/// A script that runs until somebody opens the pipe.
fn waits_for(pipe: &Path) -> anyhow::Result<Vec<u8>> {
    let main = format!("open({:?}).close()\n", pipe.to_str().context("no text")?);
    pack(&[("main.py", main.as_bytes()), ("input.csv", b"")])
}

/// Bytes of the peer itself, and of all that it has started.
fn seen(peer: &Process) -> anyhow::Result<(f64, f64)> {
    Ok((peer.rss()?, family::memory_below(peer.pid())?))
}

/// Fills the peer with tasks, does something while all of them run, and has them end.
fn run_together(
    master: &Server,
    task: &[u8],
    pipe: &Path,
    meanwhile: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    load::run(fill(master.address, task, SLOTS))?;
    let until = |holds: fn(&_) -> bool| status::until(master.address, WITHIN, holds);
    load::run(until(|queue| queue.tasks.leased == SLOTS as u64))?;
    meanwhile()?;
    // Whoever waits to read goes on, and one that comes later does not wait.
    let _writer = OpenOptions::new().write(true).open(pipe)?;
    load::run(until(|queue| queue.tasks.leased + queue.tasks.queued == 0))
}
