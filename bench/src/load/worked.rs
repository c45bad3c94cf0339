//! Peers that do nothing but ask for tasks and hand results in, until so many are done.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use mutirao_rig::clock;
use tokio::task::JoinSet;

use super::peer::Peer;
use super::stranger::Stranger;
use crate::archives;
use crate::serve::Lane;

/// Whose peers they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Ours: a lasting connection each, with payloads in this lane.
    Lasting(Lane),
    /// Others': a connection for each message.
    OneShot,
}

/// What a load is made of.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Whose peers they are.
    pub kind: Kind,
    /// Peers at a time.
    pub peers: usize,
    /// Cycles of all of them together.
    pub cycles: usize,
    /// Bytes of a result's ZIP.
    pub result: usize,
}

enum Worker {
    Ours(Peer),
    Others(Stranger),
}

/// Joins the peers, then has them work: how long that took, without the joining.
pub async fn work(address: SocketAddr, load: Load) -> anyhow::Result<Duration> {
    let mut joined = Vec::with_capacity(load.peers);
    for number in 0..load.peers {
        // No two peers hand in the same bytes, so that nobody gains by knowing them already.
        let result = archives::result(load.result, number as u64 + 1)?;
        joined.push(match load.kind {
            Kind::Lasting(lane) => Worker::Ours(Peer::join_with(address, &result, 1, lane).await?),
            Kind::OneShot => Worker::Others(Stranger::join(address, number, &result).await?),
        });
    }
    let left = Rc::new(Cell::new(load.cycles));
    let began = clock::now();
    let mut working = JoinSet::new();
    for mut worker in joined {
        let left = Rc::clone(&left);
        working.spawn_local(async move {
            while let Some(rest) = left.get().checked_sub(1) {
                left.set(rest);
                match &mut worker {
                    Worker::Ours(peer) => peer.cycle().await?,
                    Worker::Others(stranger) => stranger.cycle().await?,
                }
            }
            // A lasting connection lasts until all are done: its end is no part of the work.
            anyhow::Ok(worker)
        });
    }
    let mut done = Vec::with_capacity(load.peers);
    while let Some(worker) = working.join_next().await {
        done.push(worker??);
    }
    Ok(began.elapsed())
}
