//! Why a task waits, in words for a reader: what keeps each peer from it, counted.

use std::collections::BTreeMap;

use super::others::Workers;
use super::{Dispatch, Due};
use crate::logic::ledger::{Entry, State};
use crate::logic::policy::Policy;
use crate::logic::standing::Standing;
use crate::model::{Endpoint, Moment, TaskId};

/// What keeps a peer that is here from a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Obstacle {
    Busy,
    Tried,
    Quarantined,
    Leaving,
    Pausing,
    Owing,
    NotAsking,
}

impl Obstacle {
    fn of(self, peers: usize) -> String {
        let (one, more) = match self {
            Self::Busy => ("is busy", "are busy"),
            Self::Tried => (
                "had it already, and others are to try it first",
                "had it already, and others are to try it first",
            ),
            Self::Quarantined => ("is quarantined", "are quarantined"),
            Self::Leaving => ("is about to leave", "are about to leave"),
            Self::Pausing => (
                "pauses, for it came back without a result",
                "pause, for they came back without a result",
            ),
            Self::Owing => (
                "still owes the result of another task",
                "still owe the results of other tasks",
            ),
            Self::NotAsking => ("does not ask for tasks", "do not ask for tasks"),
        };
        match peers {
            1 => format!("1 peer {one}"),
            _ => format!("{peers} peers {more}"),
        }
    }
}

impl<P: Policy> Dispatch<P> {
    /// What a task waits for, in words for a reader; nothing if it does not wait.
    pub fn waits_for(&self, task: &TaskId, now: Moment) -> Vec<String> {
        let Some(entry) = self.ledger.get(task) else {
            return Vec::new();
        };
        let mut reasons = Vec::new();
        match entry.story.state {
            State::Resting => {
                let rested = |(_, due): &&(Moment, Due)| *due == Due::Rested(*task);
                if let Some((until, _)) = self.due.iter().find(rested) {
                    let left = until.since(now).as_secs() + 1;
                    reasons.push(format!("it rests for {left} s before it is tried again"));
                }
            }
            State::Waiting => {}
            _ => return reasons,
        }
        if self.closed {
            reasons.push("the master is about to end and hands nothing out".into());
        }
        if self.stalled || now < self.disk_rests_until {
            reasons.push("the master's disk takes nothing, so nothing is handed out".into());
        }
        if self.peers.present() == 0 {
            reasons.push("no peer is here: start one with `mutirao peer`".into());
        }
        if let Some(held) = self.held_for(&entry.task) {
            reasons.push(held);
            return reasons;
        }
        reasons.extend(self.peers_in_words(entry, now));
        let others = self.queue.len().saturating_sub(1);
        if others > 0 && entry.story.state == State::Waiting {
            let tasks = if others == 1 {
                "task waits"
            } else {
                "tasks wait"
            };
            reasons.push(format!("{others} other {tasks} too"));
        }
        reasons
    }

    fn peers_in_words(&self, entry: &Entry, now: Moment) -> Vec<String> {
        let mut counts: BTreeMap<Obstacle, usize> = BTreeMap::new();
        let workers = Workers::new();
        for peer in self.peers.here() {
            if let Some(obstacle) = self.obstacle(entry, peer, &workers, now) {
                *counts.entry(obstacle).or_default() += 1;
            }
        }
        let counts = counts.into_iter();
        counts.map(|(obstacle, peers)| obstacle.of(peers)).collect()
    }

    /// None if the peer gets it as soon as it asks and the task's turn has come.
    fn obstacle<'d>(
        &'d self,
        entry: &Entry,
        (peer, standing): (&Endpoint, &Standing),
        workers: &Workers<'d>,
        now: Moment,
    ) -> Option<Obstacle> {
        let suits = || self.suits(entry, &peer.peer, false, workers, now);
        if !self.may_have_one(peer, now) {
            Some(Obstacle::Quarantined)
        } else if standing.is_leaving() {
            Some(Obstacle::Leaving)
        } else if now < standing.pause_until {
            Some(Obstacle::Pausing)
        } else if !suits() {
            Some(Obstacle::Tried)
        } else if !standing.holds.is_empty() {
            Some(Obstacle::Busy)
        } else if standing
            .debt(now)
            .is_some_and(|(owed, _)| owed != entry.task.id)
        {
            Some(Obstacle::Owing)
        } else {
            (!self.works(peer, standing, now)).then_some(Obstacle::NotAsking)
        }
    }
}
