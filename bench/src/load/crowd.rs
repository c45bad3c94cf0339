//! Peers of ours that are connected and have nothing to do but to say that they live.

use std::net::SocketAddr;
use std::time::Duration;

use mutirao_actors::model::PeerId;
use mutirao_actors::wire::{Dialect, Request, encode_request};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval_at};

use super::link::Link;
use super::peer::{expect, registration};
use super::stranger::source;
use crate::clock;

/// Between two heartbeats of a peer.
const BEAT_EVERY: Duration = Duration::from_secs(5);

/// Has so many join, and leaves them beating until the set is dropped; one that ends there tells why.
pub async fn join(
    address: SocketAddr,
    peers: usize,
) -> anyhow::Result<JoinSet<anyhow::Result<()>>> {
    let mut crowd = JoinSet::new();
    for number in 0..peers {
        let peer_id = PeerId::random();
        let mut link = Link::dial_from(source(number), address).await?;
        let answer = link.ask(&registration(&peer_id, 1)).await?;
        expect(answer, br#"{"status":"REGISTERED""#)?;
        let beat = Request::Heartbeat { peer_id };
        let beat = encode_request(Dialect::Flat, None, &beat);
        // Their beats are spread over the time between two of one peer's.
        let first = BEAT_EVERY * u32::try_from(number)? / u32::try_from(peers)?;
        let first = Instant::from_std(clock::now() + first);
        crowd.spawn_local(async move {
            let mut beats = interval_at(first, BEAT_EVERY);
            loop {
                beats.tick().await;
                expect(link.ask(&beat).await?, br#"{"status":"ALIVE""#)?;
                link.slim();
            }
        });
    }
    Ok(crowd)
}
