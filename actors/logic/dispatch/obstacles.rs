//! Why a task waits, in words for a reader: what keeps each peer from it, counted.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::others::Workers;
use super::{Dispatch, Due};
use crate::logic::ledger::{Entry, State};
use crate::logic::policy::Policy;
use crate::logic::standing::Standing;
use crate::model::{Endpoint, Moment, PeerId, TaskId};
use crate::wire::report::ReasonRow;

/// Tasks of a group that wait to be tried again of which each is asked what keeps the peers from it.
const TRIED_MAX: usize = 64;

/// What keeps a peer that is here from a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Obstacle {
    Busy,
    Tried,
    Quarantined,
    Drained,
    Leaving,
    Pausing,
    Owing,
    NotAsking,
}

impl Obstacle {
    /// What helps, where one of those peers is this.
    fn help(self, peer: &PeerId) -> Option<String> {
        match self {
            Self::Busy => Some("mutirao peer, on one more machine".into()),
            Self::Drained => Some(format!("mutirao drain {peer} --undo")),
            Self::Quarantined | Self::NotAsking => Some(format!("mutirao why {peer}")),
            Self::Tried | Self::Leaving | Self::Pausing | Self::Owing => None,
        }
    }

    fn of(self, peers: usize) -> String {
        let (one, more) = match self {
            Self::Busy => ("is busy", "are busy"),
            Self::Tried => (
                "had it already, and others are to try it first",
                "had it already, and others are to try it first",
            ),
            Self::Quarantined => ("is quarantined", "are quarantined"),
            Self::Drained => ("is drained", "are drained"),
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

/// Reasons that are told of a group, those of the most tasks first; more than peers can have.
const WAITS_MAX: usize = 100;

/// Why tasks wait, as it is counted: the reason, and what helps.
type Reason = (String, Option<String>);

impl<P: Policy> Dispatch<P> {
    /// What a task waits for; nothing if it does not wait.
    pub fn waits_for(&self, task: &TaskId, now: Moment) -> Vec<ReasonRow> {
        let Some(entry) = self.ledger.get(task) else {
            return Vec::new();
        };
        let rests = match entry.story.state {
            State::Resting => {
                let rested = |(_, due): &&(Moment, Due)| *due == Due::Rested(*task);
                let until = self.due.iter().find(rested).map(|(until, _)| *until);
                until.map(|until| {
                    let left = until.since(now).as_secs() + 1;
                    (
                        format!("it rests for {left} s before it is tried again"),
                        None,
                    )
                })
            }
            State::Waiting => None,
            _ => return Vec::new(),
        };
        let mut reasons = self.general(now);
        reasons.extend(rests);
        match self.held(&entry.task) {
            Some(held) => reasons.push(held),
            None => {
                reasons.extend(self.peers_in_words(entry, now));
                reasons.extend(self.others(entry));
            }
        }
        let row = |(reason, help)| row(reason, help, 1);
        reasons.into_iter().map(row).collect()
    }

    /// What those of a group wait for that do, each reason with how many. Those that have not been tried are kept from every
    /// peer by the same, so that is looked up once; of the others so many are asked as a reader may mend.
    pub fn group_waits_for(&self, group: &str, now: Moment) -> Vec<ReasonRow> {
        let mut counts: BTreeMap<Reason, u64> = BTreeMap::new();
        let (mut untried, mut tried) = (None, Vec::new());
        let mut waiting = 0;
        for entry in self.ledger.of_group(group) {
            let story = &*entry.story;
            match story.state {
                State::Resting => {
                    let rests = "it rests for up to a minute before it is tried again".into();
                    *counts.entry((rests, None)).or_default() += 1;
                }
                State::Waiting => match self.held(&entry.task) {
                    Some(held) => *counts.entry(held).or_default() += 1,
                    None if story.tries.is_empty() => {
                        let (_, count) = untried.get_or_insert((entry, 0));
                        *count += 1;
                    }
                    None if tried.len() < TRIED_MAX => tried.push((entry, 1)),
                    None => {}
                },
                _ => continue,
            }
            waiting += 1;
        }
        for (entry, count) in untried.into_iter().chain(tried) {
            for reason in self.peers_in_words(entry, now) {
                *counts.entry(reason).or_default() += count;
            }
        }
        let general = self.general(now).into_iter().filter(|_| waiting > 0);
        let general = general.map(|(reason, help)| row(reason, help, waiting));
        let mut counted: Vec<_> = counts
            .into_iter()
            .map(|((reason, help), tasks)| row(reason, help, tasks))
            .collect();
        // Each may wait for a task of its own.
        counted.sort_by_key(|row| Reverse(row.tasks));
        let rest = counted.iter().skip(WAITS_MAX).map(|row| row.tasks).sum();
        counted.truncate(WAITS_MAX);
        if rest > 0 {
            counted.push(row(
                "they wait for others, each for its own reason".into(),
                None,
                rest,
            ));
        }
        general.chain(counted).collect()
    }

    /// What keeps every task from being handed out.
    fn general(&self, now: Moment) -> Vec<Reason> {
        let mut reasons = Vec::new();
        if self.closed {
            let ends = "the master is about to end and hands nothing out";
            reasons.push((
                ends.into(),
                Some("mutirao master, once it has ended".into()),
            ));
        }
        if self.stalled || now < self.disk_rests_until {
            let disk = "the master's disk takes nothing, so nothing is handed out";
            reasons.push((
                disk.into(),
                Some("mutirao status says what the disk refuses".into()),
            ));
        }
        if self.peers.present() == 0 {
            let nobody = "no peer is here";
            reasons.push((
                nobody.into(),
                Some("mutirao peer starts one, on any machine".into()),
            ));
        }
        reasons
    }

    fn others(&self, entry: &Entry) -> Option<Reason> {
        let others = self.queue.len().saturating_sub(1);
        if others == 0 || entry.story.state != State::Waiting {
            return None;
        }
        let tasks = match others {
            1 => "task waits",
            _ => "tasks wait",
        };
        Some((format!("{others} other {tasks} too"), None))
    }

    fn peers_in_words(&self, entry: &Entry, now: Moment) -> Vec<Reason> {
        let mut counts: BTreeMap<Obstacle, (usize, &PeerId)> = BTreeMap::new();
        let workers = Workers::new();
        for peer in self.peers.here() {
            if let Some(obstacle) = self.obstacle(entry, peer, &workers, now) {
                let (count, _) = counts.entry(obstacle).or_insert((0, &peer.0.peer));
                *count += 1;
            }
        }
        let counts = counts.into_iter();
        counts
            .map(|(obstacle, (count, first))| (obstacle.of(count), obstacle.help(first)))
            .collect()
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
        if self.is_drained(&peer.peer) {
            Some(Obstacle::Drained)
        } else if !self.may_have_one(peer, now) {
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

fn row(reason: String, help: Option<String>, tasks: u64) -> ReasonRow {
    ReasonRow {
        reason,
        tasks,
        help,
    }
}
