//! Everybody of whom a scheduler remembers how they stand, and how many may be given tasks.

use std::collections::{BTreeMap, HashMap};

use super::Standing;
use crate::model::{Attempt, Endpoint, SessionId, TaskId};

/// Peers that are not here and are remembered for what they owe, or for how they did: some 3 MB.
const ABSENT_MAX: usize = 10_000;

/// All peers that a scheduler remembers.
#[derive(Debug, Default)]
pub struct Standings {
    peers: HashMap<Endpoint, Standing>,
    /// Those that are not here, the longest gone first.
    absent: BTreeMap<u64, Endpoint>,
    absences: u64,
    present: usize,
    /// Of all that are here and are given tasks.
    slots: u64,
}

impl Standings {
    /// How many are here.
    pub fn present(&self) -> usize {
        self.present
    }

    /// How many tasks those run at a time that are here and are given any.
    pub fn slots(&self) -> u64 {
        self.slots
    }

    /// Those that are here, in no order.
    pub fn here(&self) -> impl Iterator<Item = (&Endpoint, &Standing)> {
        self.peers
            .iter()
            .filter(|(_, standing)| standing.is_present())
    }

    /// Whether this one is here.
    pub fn is_present(&self, peer: &Endpoint) -> bool {
        self.peers.get(peer).is_some_and(Standing::is_present)
    }

    /// Whether what is answered on this connection reaches it. One of ours has the one on which it registered last; any
    /// other may open one for each message.
    pub fn is_reached_on(&self, peer: &Endpoint, session: SessionId) -> bool {
        let standing = self.peers.get(peer);
        !peer.is_ours() || standing.is_some_and(|standing| standing.session == Some(session))
    }

    /// How one stands, if it is remembered.
    pub fn get(&self, peer: &Endpoint) -> Option<&Standing> {
        self.peers.get(peer)
    }

    /// How one stands, to change it, if it is remembered.
    pub fn get_mut(&mut self, peer: &Endpoint) -> Option<&mut Standing> {
        self.peers.get_mut(peer)
    }

    /// How one stands; a stranger stands well, and is remembered as one that is not here.
    pub fn of(&mut self, peer: &Endpoint) -> &mut Standing {
        if !self.peers.contains_key(peer) {
            self.peers.insert(peer.clone(), Standing::default());
            self.remember_absent(peer);
        }
        self.peers.entry(peer.clone()).or_default()
    }

    /// It has answered for this try, one way or another.
    pub fn settle(&mut self, peer: &Endpoint, task: TaskId, attempt: Attempt) {
        if let Some(standing) = self.peers.get_mut(peer) {
            standing.settle(task, attempt);
            self.forget(peer);
        }
    }

    /// It is here, on this connection, and runs so many tasks at a time; sick or not.
    pub fn arrive(&mut self, peer: &Endpoint, session: SessionId, slots: u32, is_sick: bool) {
        let standing = self.of(peer);
        let before = standing.open_slots();
        let was_absent = standing.session.replace(session).is_none();
        (standing.slots, standing.is_sick) = (slots, is_sick);
        let (now, absence) = (standing.open_slots(), standing.absence);
        self.slots = self.slots + now - before;
        if was_absent {
            self.absent.remove(&absence);
            self.present += 1;
        }
    }

    /// Whoever it is fell sick, or is well again. Looks at everybody: it is told only when that changes.
    pub fn fell_sick(&mut self, is_it: impl Fn(&Endpoint) -> bool, is_sick: bool) {
        for (_, standing) in self.peers.iter_mut().filter(|(peer, _)| is_it(peer)) {
            let before = standing.open_slots();
            standing.is_sick = is_sick;
            self.slots = self.slots + standing.open_slots() - before;
        }
    }

    /// It is gone; what it owes is remembered.
    pub fn depart(&mut self, peer: &Endpoint) {
        let known = self.peers.get_mut(peer);
        let Some(standing) = known.filter(|known| known.is_present()) else {
            return;
        };
        self.slots -= standing.open_slots();
        standing.session = None;
        self.present -= 1;
        self.remember_absent(peer);
        self.forget(peer);
    }

    /// Drops a peer that is gone and of whom there is nothing to remember.
    pub fn forget(&mut self, peer: &Endpoint) {
        if let Some(known) = self.peers.get(peer).filter(|known| known.is_forgettable()) {
            self.absent.remove(&known.absence);
            self.peers.remove(peer);
        }
    }

    fn remember_absent(&mut self, peer: &Endpoint) {
        self.absences += 1;
        if let Some(standing) = self.peers.get_mut(peer) {
            standing.absence = self.absences;
            self.absent.insert(self.absences, peer.clone());
        }
        while self.absent.len() > ABSENT_MAX {
            if let Some((_, longest_gone)) = self.absent.pop_first() {
                self.peers.remove(&longest_gone);
            }
        }
    }
}

#[cfg(test)]
mod tests;
