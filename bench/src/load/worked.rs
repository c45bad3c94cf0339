//! Peers that do nothing but ask for tasks and hand results in, until so many are done.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use anyhow::ensure;
use tokio::task::JoinSet;

use super::peer::{Cycle, Peer};
use crate::archives;
use crate::clock;

/// What a load is made of.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Peers at a time, each with a connection of its own.
    pub peers: usize,
    /// Cycles of all of them together.
    pub cycles: usize,
    /// Bytes of a result's ZIP.
    pub result: usize,
}

/// Joins the peers, then has them work: how long that took, without the joining.
pub async fn work(address: SocketAddr, load: Load) -> anyhow::Result<Duration> {
    let mut joined = Vec::with_capacity(load.peers);
    for number in 0..load.peers {
        // No two peers hand in the same bytes, so that nobody gains by knowing them already.
        let result = archives::result(load.result, number as u64 + 1)?;
        joined.push(Peer::join(address, &result).await?);
    }
    let left = Rc::new(Cell::new(load.cycles));
    let began = clock::now();
    let mut working = JoinSet::new();
    for mut peer in joined {
        let left = Rc::clone(&left);
        working.spawn_local(async move {
            while let Some(rest) = left.get().checked_sub(1) {
                left.set(rest);
                ensure!(peer.cycle().await? == Cycle::Done, "the master has no task");
            }
            // The connection stays until all are done: its end is no part of the work.
            anyhow::Ok(peer)
        });
    }
    let mut done = Vec::with_capacity(load.peers);
    while let Some(peer) = working.join_next().await {
        done.push(peer??);
    }
    Ok(began.elapsed())
}
