//! Requests that wait for a task, in the order in which they came.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;
use std::time::Duration;

use super::Ask;
use crate::logic::effect::Asker;
use crate::model::{Endpoint, Moment, SessionId};

/// Requests that wait at a time: one for each of some thousand peers, and room for their idle slots.
const WAITING_MAX: usize = 65_536;

/// The longest that a request waits, whatever it says: a peer that is alive asks again.
const WAIT_MAX: Duration = Duration::from_secs(300);

/// The waiting requests.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    asks: BTreeMap<u64, (Ask, Moment)>,
    ends: BTreeSet<(Moment, u64)>,
    by_session: HashMap<SessionId, BTreeSet<u64>>,
    by_peer: HashMap<Endpoint, BTreeSet<u64>>,
    last: u64,
}

impl Waiting {
    /// Lets a request wait as long as it may; gives its asker back if it may not.
    pub(super) fn add(&mut self, ask: Ask, now: Moment) -> Option<Asker> {
        // Others give up after some seconds and would take a late answer for that to their next message.
        if !ask.peer.is_ours() || ask.wait.is_zero() || self.asks.len() >= WAITING_MAX {
            return Some(ask.asker);
        }
        self.last += 1;
        let until = now.after(ask.wait.min(WAIT_MAX));
        self.ends.insert((until, self.last));
        let of_session = self.by_session.entry(ask.asker.session).or_default();
        of_session.insert(self.last);
        let of_peer = self.by_peer.entry(ask.peer.clone()).or_default();
        of_peer.insert(self.last);
        self.asks.insert(self.last, (ask, until));
        None
    }

    /// The first request that came after this one.
    pub(super) fn next(&self, last: u64) -> Option<(u64, Ask)> {
        let next = self.asks.range(last + 1..).next();
        next.map(|(number, (ask, _))| (*number, ask.clone()))
    }

    /// The request waits no longer.
    pub(super) fn remove(&mut self, number: u64) -> Option<Ask> {
        let (ask, until) = self.asks.remove(&number)?;
        self.ends.remove(&(until, number));
        strike(&mut self.by_session, &ask.asker.session, number);
        strike(&mut self.by_peer, &ask.peer, number);
        Some(ask)
    }

    /// Takes out those that have waited as long as they may.
    pub(super) fn take_expired(&mut self, now: Moment) -> Vec<Asker> {
        let mut expired = Vec::new();
        while let Some((_, number)) = self
            .ends
            .first()
            .copied()
            .filter(|(until, _)| *until <= now)
        {
            expired.extend(self.remove(number).map(|ask| ask.asker));
        }
        expired
    }

    /// A connection has ended.
    pub(super) fn drop_session(&mut self, session: SessionId) {
        for number in self.by_session.remove(&session).unwrap_or_default() {
            self.remove(number);
        }
    }

    /// A peer is on this connection now; those who asked for it on others, which may still live.
    pub(super) fn take_elsewhere(&mut self, peer: &Endpoint, session: SessionId) -> Vec<Asker> {
        let numbers = self.by_peer.get(peer).into_iter().flatten().copied();
        let is_elsewhere = |number: &u64| {
            let waits = self.asks.get(number);
            waits.is_some_and(|(ask, _)| ask.asker.session != session)
        };
        let elsewhere: Vec<u64> = numbers.filter(is_elsewhere).collect();
        let asks = elsewhere
            .into_iter()
            .filter_map(|number| self.remove(number));
        asks.map(|ask| ask.asker).collect()
    }

    /// A peer is gone; those who asked for it, on connections that may still live.
    pub(super) fn take_peer(&mut self, peer: &Endpoint) -> Vec<Asker> {
        let numbers = self.by_peer.remove(peer).unwrap_or_default();
        let asks = numbers.into_iter().filter_map(|number| self.remove(number));
        asks.map(|ask| ask.asker).collect()
    }
}

/// Takes a number from those of one owner, and the owner with the last of them.
fn strike<K: Eq + Hash>(owners: &mut HashMap<K, BTreeSet<u64>>, owner: &K, number: u64) {
    if let Some(numbers) = owners.get_mut(owner) {
        numbers.remove(&number);
        if numbers.is_empty() {
            owners.remove(owner);
        }
    }
}
