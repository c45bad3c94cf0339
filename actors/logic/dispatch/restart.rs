//! A restart: the tasks of earlier lives, and the peers that come back with what they had.
//!
//! Rule: a try that was leased stays leased until its peer is back, or has had the time to come back. Who is sick is not
//! written down, but what was tried where and what came of it is: so it is found out from that again. That the tasks are
//! looked at in the order of their arrival, which is not quite that of their runs, may find somebody sick who is not, so
//! all are on probation: one success forgives them.

use std::time::Duration;

use super::leases::{HAND_IN, SILENT_WORK};
use super::{Dispatch, Due};
use crate::logic::ledger::{Lease, State};
use crate::logic::policy::Policy;
use crate::logic::record::{Fate, Past, Remembered};
use crate::model::{Attempt, Endpoint, Moment, Task, TaskId};

/// How long a peer of ours has to come back to a master that was away. It looks for its master about every ten
/// seconds, and the answer may be lost some times.
const RETURN: Duration = Duration::from_secs(60);

impl<P: Policy> Dispatch<P> {
    /// Takes the tasks of earlier lives.
    pub fn restore(&mut self, past: &Past, now: Moment) {
        self.drained = past.drained.iter().cloned().collect();
        let mut forgotten = past.counts;
        let mut waiting = Vec::new();
        self.ledger.expect(past.tasks.len());
        for known in &past.tasks {
            forgotten.without(&known.course.fate);
            match &known.course.fate {
                Fate::Queued | Fate::Leased(_) => self.groups.opened(&known.task),
                Fate::Failed { .. } => self.groups.had_failed(&known.task),
                Fate::Done { .. } | Fate::Cancelled { .. } => {}
            }
            self.look_back(known, now);
            let task = &known.task;
            let state = self.recall(known, now);
            let lease = state.lease().cloned();
            let waits = state == State::Waiting;
            let seat = self.ledger.restore(known, state);
            if let Some(lease) = lease {
                let deadline = lease.deadline.unwrap_or(now);
                self.due
                    .insert((deadline, Due::LeaseEnds(task.id, lease.attempt)));
                self.peers.of(&lease.holder).take(task.id, lease.attempt);
                self.rooms.enter(task);
            } else if waits {
                waiting.extend(seat);
            }
        }
        // Not before it is known what runs and what is done.
        waiting.into_iter().for_each(|seat| self.enqueue_at(seat));
        self.ledger.count_forgotten(forgotten, &past.older_parts);
        self.health.cut_terms(now);
    }

    /// What a task of earlier lives says of the peers that tried it, as it was learned then.
    fn look_back(&mut self, known: &Remembered, now: Moment) {
        let passed = match &known.course.fate {
            Fate::Done { submitted, .. } => Some(submitted),
            Fate::Queued | Fate::Leased(_) => None,
            Fate::Failed { .. } | Fate::Cancelled { .. } => return,
        };
        let task = known.task.id;
        for tried in &known.course.tries {
            let (holder, attempt) = (&tried.holder, tried.attempt);
            match passed {
                Some(passed) if passed.attempt == attempt => {
                    self.health.passed(holder);
                }
                _ if !tried.has_failed() => {}
                None => self.health.failed(holder, task, attempt, now),
                Some(passed) if passed.peer == holder.peer => {}
                Some(_) => {
                    self.health.failed(holder, task, attempt, now);
                    self.health.passed_elsewhere(holder, task, attempt, now);
                }
            }
        }
    }

    fn recall(&self, known: &Remembered, now: Moment) -> State {
        match known.course.fate.clone() {
            Fate::Queued => State::Waiting,
            Fate::Leased(attempt) => {
                let tried = known
                    .course
                    .tries
                    .iter()
                    .find(|tried| tried.attempt == attempt);
                tried.map_or(State::Waiting, |tried| {
                    State::Leased(self.believed(&known.task, attempt, &tried.holder, now))
                })
            }
            Fate::Done { submitted, file } => State::Done { submitted, file },
            Fate::Failed { why, output } => State::Failed { why, output },
            Fate::Cancelled { why } => State::Cancelled { why },
        }
    }

    /// A lease of an earlier life: nobody remembers how much of it was over.
    fn believed(&self, task: &Task, attempt: Attempt, holder: &Endpoint, now: Moment) -> Lease {
        let term = match holder.is_ours() {
            true => RETURN,
            false => self.limit_of(task).unwrap_or(SILENT_WORK) + HAND_IN,
        };
        Lease {
            attempt,
            holder: holder.clone(),
            granted: now,
            deadline: Some(now.after(term)),
            confirmed: false,
        }
    }

    /// A peer of ours is back and says that it has this try: if it is leased to it, or to an earlier life of it,
    /// the lease runs on from now.
    pub(super) fn confirm(&mut self, peer: &Endpoint, task: TaskId, attempt: Attempt, now: Moment) {
        let Some(entry) = self.ledger.get(&task) else {
            return;
        };
        let State::Leased(lease) = &entry.story.state else {
            return;
        };
        let own = lease.holder == *peer && !lease.confirmed;
        let inherited = self.is_earlier_life(&lease.holder, peer);
        if lease.attempt != attempt || !(own || inherited) {
            return;
        }
        let (holder, deadline) = (lease.holder.clone(), lease.deadline);
        let time_limit = self.limit_of(&entry.task);
        self.disarm(task, attempt, deadline);
        self.peers.settle(&holder, task, attempt);
        if inherited {
            self.ledger.take_up(&task, attempt, peer);
        }
        self.lease(peer, task, attempt, time_limit, now);
    }

    /// Whether the one is a life of the other that is over: ours keep their names from life to life.
    pub(super) fn is_earlier_life(&self, earlier: &Endpoint, peer: &Endpoint) -> bool {
        let same = earlier.peer == peer.peer && earlier.is_ours() && peer.is_ours();
        same && earlier.life != peer.life && !self.peers.is_present(earlier)
    }
}
