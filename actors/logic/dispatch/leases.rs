//! Leases: who gets which task, and for how long.

use std::time::Duration;

use super::{Ask, Dispatch, Due};
use crate::logic::effect::{Effect, Offer};
use crate::logic::fault::Fault;
use crate::logic::ledger::{Lease, State};
use crate::logic::policy::Policy;
use crate::logic::when::When;
use crate::model::{Attempt, Endpoint, Moment, Task, TaskId};

/// After its limit a run gets this long to pack and hand in its result.
pub(super) const HAND_IN: Duration = Duration::from_secs(60);
/// How long a peer that says nothing while it works is believed to be working, when the task has no limit.
pub(super) const SILENT_WORK: Duration = Duration::from_secs(600);

impl<P: Policy> Dispatch<P> {
    /// A speaker of section 1 that asks again has given up what it held. What it has from an earlier life of ours it
    /// may have dropped for want of us: that counts against nobody.
    ///
    /// Asking again is no proof that nothing runs there: some ask while they work. So it owes the result as if its
    /// lease had expired. Meanwhile it may have the same task once more, for bytes of either try are of that task: an
    /// honest peer that failed, or missed our answer, keeps no task of its from being tried.
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
            let standing = self.peers.of(peer);
            // The task itself may be forgotten by now.
            standing.settle(task, attempt);
            let state = self.ledger.get(&task).map(|entry| &entry.story.state);
            let is_known = state.is_some();
            let lease = state.and_then(State::lease);
            let fault = if lease.is_some_and(|lease| lease.attempt == attempt && !lease.confirmed) {
                Fault::HandedBack(format!("{peer} asked anew after this master was restarted"))
            } else {
                if state.is_some_and(|state| !state.is_terminal()) {
                    standing.came_back_without(now);
                    self.health.failed(peer, task, attempt, now);
                }
                Fault::GivenUp
            };
            effects.extend(self.try_ended(&task, attempt, fault, now));
            if is_known {
                self.peers.of(peer).owe(task, attempt, now);
            }
        }
        effects
    }

    /// Gives the asker the next tasks that it may have, as many as it takes at once. Others than ours have one at a time:
    /// asking again gives up all that they hold, and what they hand in may name nothing.
    pub(super) fn offer_several(&mut self, ask: &Ask, now: Moment) -> Vec<Effect> {
        let most = if ask.peer.is_ours() { ask.count } else { 1 };
        let mut offers = Vec::new();
        for _ in 0..most {
            let is_wanted = !ask.is_spare || self.has_to_spare();
            let offer = is_wanted.then(|| self.offer(ask, now)).flatten();
            let Some(offer) = offer else {
                break;
            };
            offers.push(offer);
        }
        for (more, offer) in (0..).zip(offers.iter_mut().rev()) {
            offer.more = more;
        }
        let offers = offers.into_iter();
        offers
            .map(|offer| Effect::Offer(ask.asker, offer))
            .collect()
    }

    /// Gives the asker the next task that it may have.
    pub(super) fn offer(&mut self, ask: &Ask, now: Moment) -> Option<Offer> {
        if self.closed || self.stalled || now < self.disk_rests_until {
            return None;
        }
        let standing = self.peers.get(&ask.peer);
        if standing.is_some_and(|standing| !standing.is_rested(now)) {
            return None;
        }
        if self.is_drained(&ask.peer.peer) || !self.may_have_one(&ask.peer, now) {
            return None;
        }
        let id = match standing.and_then(|standing| standing.debt(now)) {
            Some(owed) => self.pick_again(owed, &ask.peer.peer, now)?,
            None => self.pick(&ask.peer.peer, now)?,
        };
        let tried = self.ledger.begin_try(&id, &ask.peer)?;
        self.ledger.get_mut(&id)?.times.began = When::Here(now);
        self.dequeue(&id);
        let task = &self.ledger.get(&id)?.task;
        self.queue.handed_out(task);
        let time_limit = self.limit_of(task);
        let offer = Offer {
            task: id,
            attempt: tried.attempt,
            name: tried.name,
            sha256: task.sha256,
            time_limit,
            more: 0,
        };
        self.lease(&ask.peer, id, tried.attempt, time_limit, now);
        self.health.handed_out(&ask.peer, id, tried.attempt, now);
        Some(offer)
    }

    pub(super) fn lease(
        &mut self,
        peer: &Endpoint,
        task: TaskId,
        attempt: Attempt,
        time_limit: Option<Duration>,
        now: Moment,
    ) {
        // Only of a peer of ours will we be told that it is gone; whoever of them is given a task is here.
        let believed = match peer.is_ours() {
            true => time_limit,
            false => time_limit.or(Some(SILENT_WORK)),
        };
        let deadline = believed.map(|limit| now.after(limit.saturating_add(HAND_IN)));
        if let Some(deadline) = deadline {
            self.due.insert((deadline, Due::LeaseEnds(task, attempt)));
        }
        let lease = Lease {
            attempt,
            holder: peer.clone(),
            granted: now,
            deadline,
            confirmed: true,
        };
        self.ledger.set(&task, State::Leased(lease));
        self.has_room(&task);
        self.peers.of(peer).take(task, attempt);
    }

    /// A peer that was given up is back and still has the task, which nobody else has taken: its try goes on,
    /// and what it has done so far is not done again.
    pub(super) fn take_up(&mut self, peer: &Endpoint, task: TaskId, attempt: Attempt, now: Moment) {
        let Some(entry) = self.ledger.get(&task) else {
            return;
        };
        let waits = matches!(entry.story.state, State::Waiting | State::Resting);
        let open = entry.story.tried(attempt).is_some_and(|tried| {
            tried.holder == *peer && !tried.has_failed() && tried.refusals == 0
        });
        if !waits || !open || self.peers.of(peer).is_full() {
            return;
        }
        let time_limit = self.limit_of(&entry.task);
        self.dequeue(&task);
        self.ledger.take_up(&task, attempt, peer);
        self.lease(peer, task, attempt, time_limit, now);
    }

    /// The time limit of a task's run, if there is one.
    pub(super) fn limit_of(&self, task: &Task) -> Option<Duration> {
        task.kind.wishes.time_limit.or(self.rules.time_limit)
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
        let holder = match (&entry.story.state, entry.story.state.lease()) {
            (State::Leased(_), Some(lease)) if lease.attempt == attempt && self.stalled => {
                // What its holder hands in is turned away meanwhile: that is not its fault.
                self.extend_lease(task, now);
                return Vec::new();
            }
            (State::Keeping { .. }, Some(lease)) if lease.attempt == attempt => {
                // Another result is being looked over; if it is refused, this lease goes on.
                self.extend_lease(task, now);
                return Vec::new();
            }
            (State::Leased(lease), _) if lease.attempt == attempt => lease.holder.clone(),
            _ => return Vec::new(),
        };
        if self.limit_of(&entry.task).is_none() && self.peers.is_present(&holder) {
            self.extend_lease(task, now);
            return Vec::new();
        }
        let mut effects = Vec::new();
        if holder.is_ours() {
            effects.push(Effect::Cancel(holder.clone(), *task, attempt));
        }
        effects.extend(self.try_ended(task, attempt, Fault::Late, now));
        if !holder.is_ours() {
            self.peers.of(&holder).owe(*task, attempt, now);
        }
        effects
    }

    /// The holder still speaks and the task has no limit: it is believed for another while.
    pub(super) fn extend_lease(&mut self, task: &TaskId, now: Moment) {
        let story = self.ledger.get_mut(task);
        let lease = story.and_then(|story| match &mut story.state {
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
}
