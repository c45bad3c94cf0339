//! Peers of ours that are connected and have nothing to do but to say that they live.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, bail};
use mutirao_actors::model::PeerId;
use mutirao_actors::wire::{Dialect, Request, encode_request};
use mutirao_rig::clock;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::task::JoinSet;
use tokio::time::{Instant, Interval, interval_at};

use super::link::Link;
use super::peer::{expect, registration};
use super::stranger::source;
use crate::serve::Lane;

/// Between two heartbeats of a peer.
const BEAT_EVERY: Duration = Duration::from_secs(5);
/// Open files for so many peers: a master lets six connections in for ten files that it may open.
const FILES_FOR_PEERS: (u64, u64) = (10, 6);
/// Open files besides.
const FILES_BESIDES: u64 = 1_000;

/// Has so many join, and leaves them beating until the set is dropped; one that ends there tells why.
pub async fn join(
    address: SocketAddr,
    peers: usize,
) -> anyhow::Result<JoinSet<anyhow::Result<()>>> {
    let mut crowd = JoinSet::new();
    for number in 0..peers {
        let peer_id = PeerId::random();
        let mut link = Link::dial_from(source(number), address).await?;
        let answer = link.ask(&registration(&peer_id, 1, Lane::Json)).await?;
        expect(answer, br#"{"status":"REGISTERED""#)?;
        let beat = Request::Heartbeat { peer_id };
        let beat = encode_request(Dialect::Flat, None, &beat);
        let mut beats = beats(number, peers);
        crowd.spawn_local(async move {
            loop {
                beats.tick().await;
                expect(link.ask(&beat).await?, br#"{"status":"ALIVE""#)?;
                link.slim();
            }
        });
    }
    Ok(crowd)
}

/// When the peer of this number among so many says that it lives: all together spread over the time between two beats.
pub fn beats(number: usize, peers: usize) -> Interval {
    let part = number as f64 / peers as f64;
    let first = clock::now() + BEAT_EVERY.mul_f64(part);
    interval_at(Instant::from_std(first), BEAT_EVERY)
}

/// Fails when a peer was turned away or not answered.
pub fn none_ended(peers: &mut JoinSet<anyhow::Result<()>>) -> anyhow::Result<()> {
    match peers.try_join_next() {
        None => Ok(()),
        Some(ended) => {
            ended??;
            bail!("a peer ended by itself")
        }
    }
}

/// Has this process and its children open enough files for so many peers; beyond the hard limit only root may.
pub fn allow_files(peers: usize) -> anyhow::Result<()> {
    let (files, seats) = FILES_FOR_PEERS;
    let wanted = FILES_BESIDES + peers as u64 * files / seats;
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft < wanted {
        let raised = setrlimit(Resource::RLIMIT_NOFILE, wanted, hard.max(wanted));
        raised.with_context(|| format!("{wanted} files may not be open: be root"))?;
    }
    Ok(())
}
