//! Peers that are given nothing more, because somebody wants it.
//!
//! Rule: it is the peer's name that is drained, in any life of it and any life of ours. It ends what it has.

use super::Dispatch;
use crate::logic::effect::Effect;
use crate::logic::policy::Policy;
use crate::logic::record::Record;
use crate::model::{Moment, PeerId};

/// Peers that are drained at a time: more than a room has machines, and their names fit a line of the store.
pub const DRAINED_MAX: usize = 1000;

impl<P: Policy> Dispatch<P> {
    /// A peer is to be given nothing more, or something again; false if too many are drained.
    pub fn drain(&mut self, peer: &PeerId, is_drained: bool) -> bool {
        let is_so = self.drained.contains(peer);
        if is_drained && !is_so && self.drained.len() >= DRAINED_MAX {
            return false;
        }
        if is_drained != is_so {
            match is_drained {
                true => self.drained.insert(peer.clone()),
                false => self.drained.remove(peer),
            };
            self.ledger.note(Record::Drained {
                peer: peer.clone(),
                is_drained,
            });
            let here = self.peers.here().map(|(other, _)| other);
            let its: Vec<_> = here.filter(|other| other.peer == *peer).cloned().collect();
            for life in its {
                let gets_nothing = is_drained || self.health.is_sick(&life);
                self.peers.fell_sick(|other| *other == life, gets_nothing);
            }
        }
        true
    }

    /// Whether a peer is given nothing because somebody wants it.
    pub fn is_drained(&self, peer: &PeerId) -> bool {
        self.drained.contains(peer)
    }

    /// Gives what waits to those who wait for it, after one may be given something again.
    pub fn serve(&mut self, now: Moment) -> Vec<Effect> {
        self.serve_waiting(now)
    }

    /// How many tasks a peer has, in all its lives that are here.
    pub fn held_by(&self, peer: &PeerId) -> u64 {
        let its = self.peers.here().filter(|(other, _)| other.peer == *peer);
        its.map(|(_, standing)| standing.holds.len() as u64).sum()
    }
}
