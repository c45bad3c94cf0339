//! A peer of ours: the production actors, and a runner that pretends.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mutirao::disk::Volume;
use mutirao::peer::spool::Spool;
use mutirao::peer::spooling::Spooling;
use mutirao::peer::{self, Footing, Part};
use mutirao::sockets::udp::Everywhere;
use mutirao_actors::model::{BootId, PeerId};
use uuid::Uuid;

use super::{DISCOVERY_PORT, Seat, SlowHands};
use crate::disk::SimDisk;
use crate::net::SimNet;
use crate::tally::{Met, Tally};
use crate::tap::{Acks, Tap};
use crate::work::{Pretence, Works};

/// The port on which it tells how it is.
const OWN_PORT: u16 = 50021;

/// Where its results lie until they are taken.
const SPOOL: &str = "spool";

/// What a peer's machine is.
#[derive(Debug, Clone)]
pub struct PeerHost {
    /// Its seat.
    pub seat: Seat,
    /// Who it is, over all of its lives.
    pub id: PeerId,
    /// Tasks at a time.
    pub slots: u32,
    /// Its disk.
    pub disk: SimDisk,
    /// The longest that work on the disk takes.
    pub slowest: Duration,
    /// The tasks.
    pub works: Works,
    /// Where acks are noted.
    pub acks: Acks,
    /// Whether it sends results under another task's name.
    pub misattributes: bool,
    /// Datagrams of a hundred that are lost.
    pub loss: Arc<AtomicU64>,
    /// Where what it meets is counted.
    pub tally: Tally,
}

impl PeerHost {
    /// Works until the host is crashed.
    pub async fn work(self) -> turmoil::Result {
        let mut begun = self.seat.begin();
        let tap = Tap {
            acks: self.acks,
            life: begun.life.clone(),
            misattributes: self.misattributes.then(Arc::default),
        };
        let net = SimNet {
            ip: turmoil::lookup(self.seat.name),
            loss: Arc::clone(&self.loss),
            dice: Arc::new(Mutex::new(begun.dice.fork("net"))),
            tally: self.tally.clone(),
            tap: Some(tap),
        };
        self.disk.revive();
        let volume = Arc::new(Volume::new(Arc::new(self.disk)));
        let (spool, kept) = match Spool::open(volume, SPOOL.into()) {
            Ok(opened) => opened,
            Err(error) => {
                self.seat
                    .transcript
                    .say(self.seat.name, &format!("did not start: {error}"));
                begun.life.wish_to_die();
                return std::future::pending().await;
            }
        };
        if !kept.is_empty() {
            self.tally.count(Met::SpoolFound);
        }
        let hands = SlowHands::new(begun.dice.fork("hands"), self.slowest);
        let pretence = Pretence {
            works: self.works,
            life: begun.life,
        };
        let runner = Spooling::new(pretence, Arc::new(spool), Arc::new(hands));
        let footing = Footing {
            id: self.id,
            boot: BootId(Uuid::from_u64_pair(begun.dice.throw(), begun.number)),
            python: None,
            kept,
            runner: Arc::new(runner),
            net: Arc::new(net),
        };
        let part = Part {
            port: OWN_PORT,
            slots: self.slots,
            time_limit: None,
            master: None,
            everywhere: Everywhere {
                ports: vec![DISCOVERY_PORT],
                places: Vec::new(),
            },
        };
        let _acting = peer::act(part, footing, begun.clock, begun.log).await?;
        std::future::pending().await
    }
}
