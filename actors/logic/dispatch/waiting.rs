//! Requests that wait for a task, in the order in which they came.

use std::collections::{BTreeMap, BTreeSet};

use super::Ask;
use crate::logic::effect::Asker;
use crate::model::{Endpoint, Moment, SessionId};

/// Requests that wait at a time: one for each of some thousand peers, and room for their idle slots.
const WAITING_MAX: usize = 65_536;

/// The waiting requests.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    asks: BTreeMap<u64, (Ask, Moment)>,
    ends: BTreeSet<(Moment, u64)>,
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
        let until = now.after(ask.wait);
        self.ends.insert((until, self.last));
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
        self.drop_if(|ask| ask.asker.session == session);
    }

    /// A peer is gone.
    pub(super) fn drop_peer(&mut self, peer: &Endpoint) {
        self.drop_if(|ask| ask.peer == *peer);
    }

    fn drop_if(&mut self, gone: impl Fn(&Ask) -> bool) {
        let gone = self.asks.iter().filter(|(_, (ask, _))| gone(ask));
        for number in gone.map(|(number, _)| *number).collect::<Vec<_>>() {
            self.remove(number);
        }
    }
}
