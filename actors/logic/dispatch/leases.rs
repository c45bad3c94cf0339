//! Leases: who gets which task, for how long, and what happens when a try ends without a result.

use std::time::Duration;

use super::{Ask, Blame, Dispatch, Due};
use crate::logic::effect::{Effect, End, Offer};
use crate::logic::ledger::{Lease, State};
use crate::logic::policy::Policy;
use crate::model::{Attempt, Endpoint, Moment, PeerId, TaskId};

/// Tasks that one peer of ours holds at a time: more than any machine has CPUs.
const HOLDS_MAX: usize = 1024;
/// After its limit a run gets this long to pack and hand in its result.
const HAND_IN: Duration = Duration::from_secs(60);
/// How long a peer that says nothing while it works is believed to be working, when the task has no limit.
const SILENT_WORK: Duration = Duration::from_secs(600);
/// How long a peer that failed a task does not get it again while others are here.
const AVOIDED_FOR: Duration = Duration::from_secs(120);
/// The rest of a task after its first failure; doubled with each.
const REST_FIRST: Duration = Duration::from_secs(1);
/// The longest rest.
const REST_MAX: Duration = Duration::from_secs(60);

impl<P: Policy> Dispatch<P> {
    /// A speaker of section 1 that asks again has given up what it held.
    pub(super) fn give_up_held(&mut self, peer: &Endpoint, now: Moment) -> Vec<Effect> {
        if peer.is_ours() {
            return Vec::new();
        }
        let held = self
            .peers
            .get(peer)
            .map(|standing| standing.holds.clone())
            .unwrap_or_default();
        let mut effects = Vec::new();
        for (task, attempt) in held {
            let why = format!("{peer} came back without a result");
            if self
                .ledger
                .get(&task)
                .is_some_and(|entry| !entry.state.is_terminal())
            {
                self.peers.of(peer).came_back_without(now);
            }
            effects.extend(self.try_ended(&task, attempt, Blame::Run, why, now));
        }
        effects
    }

    /// Gives the asker the next task that it may have.
    pub(super) fn offer(&mut self, ask: &Ask, now: Moment) -> Option<Effect> {
        if self.closed {
            return None;
        }
        let standing = self.peers.of(&ask.peer);
        if standing.owes.is_some()
            || now < standing.pause_until
            || standing.holds.len() >= HOLDS_MAX
        {
            return None;
        }
        let id = self.queue.next(|id| self.suits(id, &ask.peer, now))?;
        let tried = self.ledger.begin_try(&id, &ask.peer)?;
        self.queue.remove(&id);
        let task = &self.ledger.get(&id)?.task;
        self.queue.handed_out(task);
        let time_limit = task.wishes.time_limit.or(self.rules.time_limit);
        let offer = Offer {
            task: id,
            attempt: tried.attempt,
            name: tried.name,
            sha256: task.sha256,
            time_limit,
        };
        let believed = if ask.peer.is_ours() {
            time_limit
        } else {
            time_limit.or(Some(SILENT_WORK))
        };
        let deadline = believed.map(|limit| now.after(limit + HAND_IN));
        if let Some(deadline) = deadline {
            self.due
                .insert((deadline, Due::LeaseEnds(id, tried.attempt)));
        }
        let lease = Lease {
            attempt: tried.attempt,
            holder: tried.holder,
            granted: now,
            deadline,
        };
        self.ledger.set(&id, State::Leased(lease));
        self.peers.of(&ask.peer).holds.push((id, tried.attempt));
        Some(Effect::Offer(ask.asker, offer))
    }

    /// Whether a peer may have a task that waits: not what it just failed, unless everybody here has.
    pub(super) fn suits(&self, task: &TaskId, peer: &Endpoint, now: Moment) -> bool {
        self.ledger.get(task).is_some_and(|entry| {
            let mut avoided = entry.avoided.iter().filter(|(_, until)| now < *until);
            let everybody = avoided.clone().count() >= self.peers.present();
            everybody || !avoided.any(|(id, _)| *id == peer.peer)
        })
    }

    pub(super) fn failures_max(&self, task: &TaskId) -> u32 {
        let wished = self
            .ledger
            .get(task)
            .and_then(|entry| entry.task.wishes.retries);
        wished.map_or(self.rules.failures_max, |retries| retries.saturating_add(1))
    }

    /// A lease's time is over: the holder is no longer believed.
    pub(super) fn lease_due(
        &mut self,
        task: &TaskId,
        attempt: Attempt,
        now: Moment,
    ) -> Vec<Effect> {
        let Some(entry) = self.ledger.get(task) else {
            return Vec::new();
        };
        let holder = match (&entry.state, entry.state.lease()) {
            (State::Keeping { .. }, Some(lease)) if lease.attempt == attempt => {
                // Another result is being looked over; if it is refused, this lease goes on.
                self.extend_lease(task, now);
                return Vec::new();
            }
            (State::Leased(lease), _) if lease.attempt == attempt => lease.holder.clone(),
            _ => return Vec::new(),
        };
        let limited = entry
            .task
            .wishes
            .time_limit
            .or(self.rules.time_limit)
            .is_some();
        if !limited && self.peers.is_present(&holder) {
            self.extend_lease(task, now);
            return Vec::new();
        }
        let why = format!("no result from {holder} in time");
        let mut effects = Vec::new();
        if holder.is_ours() {
            effects.push(Effect::Cancel(holder.clone(), *task, attempt));
        }
        effects.extend(self.try_ended(task, attempt, Blame::Peer, why, now));
        let standing = self.peers.of(&holder);
        if !standing.names && !holder.is_ours() {
            standing.owes = Some((*task, attempt));
        }
        effects
    }

    /// The holder still speaks and the task has no limit: it is believed for another while.
    pub(super) fn extend_lease(&mut self, task: &TaskId, now: Moment) {
        let entry = self.ledger.get_mut(task);
        let lease = entry.and_then(|entry| match &mut entry.state {
            State::Leased(lease) => Some(lease),
            State::Keeping { lease, .. } => lease.as_mut(),
            _ => None,
        });
        if let Some(lease) = lease {
            let deadline = now.after(HAND_IN);
            lease.deadline = Some(deadline);
            self.due
                .insert((deadline, Due::LeaseEnds(*task, lease.attempt)));
        }
    }

    /// A try is over without a result; if the task was leased for it, the task goes back or is failed.
    pub(super) fn try_ended(
        &mut self,
        task: &TaskId,
        attempt: Attempt,
        blame: Blame,
        why: String,
        now: Moment,
    ) -> Vec<Effect> {
        let Some(entry) = self.ledger.get(task) else {
            return Vec::new();
        };
        if let Some(tried) = entry.tries.iter().find(|tried| tried.attempt == attempt) {
            self.peers.settle(&tried.holder, *task, attempt);
        }
        match &entry.state {
            State::Leased(lease) if lease.attempt == attempt => {
                let (peer, deadline) = (lease.holder.peer.clone(), lease.deadline);
                self.disarm(*task, attempt, deadline);
                self.put_back(task, &peer, blame, why, now)
            }
            _ => Vec::new(),
        }
    }

    /// Back into the queue, at once or after a rest; or failed, if that was once too often.
    pub(super) fn put_back(
        &mut self,
        task: &TaskId,
        peer: &PeerId,
        blame: Blame,
        why: String,
        now: Moment,
    ) -> Vec<Effect> {
        let failures_max = self.failures_max(task);
        let Some(entry) = self.ledger.get_mut(task) else {
            return Vec::new();
        };
        entry.trouble = Some(why.clone());
        match blame {
            Blame::Run => entry.failures += 1,
            Blame::Peer => entry.losses += 1,
            Blame::None => {}
        }
        if blame != Blame::None {
            entry.avoided.retain(|(id, _)| id != peer);
            entry.avoided.push((peer.clone(), now.after(AVOIDED_FOR)));
        }
        if entry.failures >= failures_max || entry.losses >= self.rules.losses_max {
            return self.end(task, End::Failed(why.clone()), State::Failed { why });
        }
        let doubled = REST_FIRST.saturating_mul(1 << entry.failures.saturating_sub(1).min(16));
        let rested = match blame {
            Blame::Run => now.after(doubled.min(REST_MAX)),
            Blame::Peer => now,
            // Whatever kept the task from being delivered may last a moment.
            Blame::None => now.after(REST_FIRST),
        };
        self.ledger.set(task, State::Resting);
        self.due.insert((rested, Due::Rested(*task)));
        Vec::new()
    }

    pub(super) fn enqueue(&mut self, task: &TaskId) {
        if let Some(entry) = self.ledger.get(task) {
            self.queue.push(&entry.task);
        }
    }

    /// Ends a task for good: out of the queue, its lease over, whoever still runs it told.
    pub(super) fn end(&mut self, task: &TaskId, end: End, state: State) -> Vec<Effect> {
        self.queue.remove(task);
        let Some(left) = self.ledger.set(task, state) else {
            return Vec::new();
        };
        let finished = match &left {
            State::Keeping { submitted, .. } => Some(submitted.attempt),
            _ => None,
        };
        let mut effects = Vec::new();
        if let Some(lease) = left.lease() {
            self.disarm(*task, lease.attempt, lease.deadline);
            // Others cannot be told; they keep what they hold until they hand it in or ask again.
            if lease.holder.is_ours() && finished != Some(lease.attempt) {
                effects.push(Effect::Cancel(lease.holder.clone(), *task, lease.attempt));
                self.peers.settle(&lease.holder, *task, lease.attempt);
            }
        }
        if let Some(entry) = self.ledger.get(task) {
            effects.push(Effect::End(*task, entry.task.name.clone(), end));
        }
        effects
    }

    pub(super) fn disarm(&mut self, task: TaskId, attempt: Attempt, deadline: Option<Moment>) {
        if let Some(deadline) = deadline {
            self.due.remove(&(deadline, Due::LeaseEnds(task, attempt)));
        }
    }
}
