//! What a scheduler remembers of each peer: what it owes, how far it can be trusted, and when it may ask again.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::model::{Attempt, Endpoint, Moment, TaskId};

/// Departed peers that still owe a result and are remembered for it.
const DEPARTED_MAX: usize = 10_000;
/// The first pause of a peer that hands a task back without a result; doubled each time in a row.
const PAUSE_FIRST: Duration = Duration::from_secs(1);
/// The longest such pause: long enough to keep a broken peer quiet, short enough to see it mended.
const PAUSE_MAX: Duration = Duration::from_secs(300);

/// How one peer stands.
#[derive(Debug, Clone, Default)]
pub struct Standing {
    /// Whether the registry says that it is here.
    pub present: bool,
    /// The tries that it has and has not answered for.
    pub holds: Vec<(TaskId, Attempt)>,
    /// A try whose lease expired and whose result may still come, from a peer that does not name what
    /// it hands in: until then it gets nothing, else those bytes would be filed as another task's.
    pub owes: Option<(TaskId, Attempt)>,
    /// Whether it has shown that it names what it hands in.
    pub names: bool,
    /// Tasks in a row that it came back without.
    fruitless: u32,
    /// It gets nothing before this.
    pub pause_until: Moment,
    /// Results of its that were taken as successes.
    pub done: u64,
    /// Tries of its that failed.
    pub failed: u64,
}

impl Standing {
    /// The one try that an unnamed result of this peer can be of.
    pub fn sole(&self) -> Option<(TaskId, Attempt)> {
        match (self.owes, self.holds.as_slice()) {
            (Some(owed), []) => Some(owed),
            (None, [held]) => Some(*held),
            _ => None,
        }
    }

    /// It has answered for this try, one way or another.
    pub fn settle(&mut self, task: TaskId, attempt: Attempt) {
        self.holds.retain(|held| *held != (task, attempt));
        self.owes = self.owes.filter(|owed| *owed != (task, attempt));
    }

    /// It came back without a result: it waits before it gets the next task, longer each time in a row.
    pub fn came_back_without(&mut self, now: Moment) {
        let pause = PAUSE_FIRST
            .saturating_mul(1 << self.fruitless.min(16))
            .min(PAUSE_MAX);
        self.fruitless += 1;
        self.pause_until = now.after(pause);
    }

    /// It handed in a result.
    pub fn came_back_with(&mut self) {
        self.fruitless = 0;
    }

    fn is_forgettable(&self) -> bool {
        !self.present && self.holds.is_empty() && self.owes.is_none()
    }
}

/// All peers that a scheduler remembers.
#[derive(Debug, Default)]
pub struct Standings {
    peers: HashMap<Endpoint, Standing>,
    departed: VecDeque<Endpoint>,
    present: usize,
}

impl Standings {
    /// How many are here.
    pub fn present(&self) -> usize {
        self.present
    }

    /// Whether this one is here.
    pub fn is_present(&self, peer: &Endpoint) -> bool {
        self.peers
            .get(peer)
            .is_some_and(|standing| standing.present)
    }

    /// How one stands, if it is remembered.
    pub fn get(&self, peer: &Endpoint) -> Option<&Standing> {
        self.peers.get(peer)
    }

    /// How one stands; a stranger stands well.
    pub fn of(&mut self, peer: &Endpoint) -> &mut Standing {
        self.peers.entry(peer.clone()).or_default()
    }

    /// It has answered for this try, one way or another.
    pub fn settle(&mut self, peer: &Endpoint, task: TaskId, attempt: Attempt) {
        if let Some(standing) = self.peers.get_mut(peer) {
            standing.settle(task, attempt);
            self.forget(peer);
        }
    }

    /// It is here.
    pub fn arrive(&mut self, peer: &Endpoint) {
        let standing = self.of(peer);
        if !std::mem::replace(&mut standing.present, true) {
            self.present += 1;
        }
    }

    /// It is gone; what it owes is remembered.
    pub fn depart(&mut self, peer: &Endpoint) {
        let Some(standing) = self.peers.get_mut(peer) else {
            return;
        };
        if std::mem::replace(&mut standing.present, false) {
            self.present -= 1;
            self.departed.push_back(peer.clone());
        }
        self.forget(peer);
        while self.departed.len() > DEPARTED_MAX {
            let Some(oldest) = self.departed.pop_front() else {
                break;
            };
            if !self.is_present(&oldest) {
                self.peers.remove(&oldest);
            }
        }
    }

    /// Drops a peer that is gone and owes nothing.
    pub fn forget(&mut self, peer: &Endpoint) {
        if self.peers.get(peer).is_some_and(Standing::is_forgettable) {
            self.peers.remove(peer);
        }
    }
}
