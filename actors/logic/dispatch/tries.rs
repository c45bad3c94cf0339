//! How a try ends without a result, and how a task ends for good.

use std::sync::Arc;

use super::others::patience;
use super::{Dispatch, Due};
use crate::logic::effect::{Effect, End, Verdict};
use crate::logic::fault::{Blame, Fault};
use crate::logic::groups::GivenUp;
use crate::logic::ledger::State;
use crate::logic::policy::Policy;
use crate::model::{Attempt, Moment, PeerId, TaskId};

impl<P: Policy> Dispatch<P> {
    /// A try is over without a result; if the task was leased for it, the task goes back or is failed.
    pub(super) fn try_ended(
        &mut self,
        task: &TaskId,
        attempt: Attempt,
        fault: Fault,
        now: Moment,
    ) -> Vec<Effect> {
        let Some(entry) = self.ledger.get(task) else {
            return Vec::new();
        };
        if let Some(tried) = entry.story.tried(attempt) {
            self.peers.settle(&tried.holder, *task, attempt);
        }
        match &entry.story.state {
            State::Leased(lease) if lease.attempt == attempt => {
                let (peer, deadline) = (lease.holder.peer.clone(), lease.deadline);
                self.disarm(*task, attempt, deadline);
                self.put_back(task, (&peer, attempt), fault, now)
            }
            _ => {
                self.release(task, attempt);
                Vec::new()
            }
        }
    }

    /// A try is over while the result of another is looked over: should that be refused, this one is not
    /// waited for.
    pub(super) fn release(&mut self, task: &TaskId, attempt: Attempt) {
        let Some(State::Keeping { lease, submitted }) =
            self.ledger.get(task).map(|entry| &entry.story.state)
        else {
            return;
        };
        let over = lease
            .as_ref()
            .filter(|lease| lease.attempt == attempt && submitted.attempt != attempt);
        let Some(deadline) = over.map(|lease| lease.deadline) else {
            return;
        };
        let submitted = submitted.clone();
        let lease = None;
        self.ledger.set(task, State::Keeping { lease, submitted });
        self.disarm(*task, attempt, deadline);
    }

    /// Back into the queue, at once or after a rest; or failed, if that was once too often.
    pub(super) fn put_back(
        &mut self,
        task: &TaskId,
        (peer, attempt): (&PeerId, Attempt),
        fault: Fault,
        now: Moment,
    ) -> Vec<Effect> {
        let (why, sequel) = (fault.on(peer), fault.sequel());
        self.blame(task, attempt, &fault, now);
        self.ledger.end_try(task, attempt, fault);
        let Some(story) = self.ledger.get_mut(task) else {
            return Vec::new();
        };
        story.trouble = Some(why.clone());
        if !sequel.avoided.is_zero() {
            story
                .avoided
                .retain(|(id, until)| id != peer && now < *until);
            let until = now.after(sequel.avoided);
            story.avoided.push((peer.clone(), until));
        }
        let rested = now.after(sequel.rest(story.failures));
        story.patient_until = rested.after(patience(story.tries.len()));
        let Some(entry) = self.ledger.get(task) else {
            return Vec::new();
        };
        let given_up = match sequel.blame {
            Blame::Run => self.has_failed(entry, None, now),
            Blame::Peer => entry.story.losses >= self.rules.losses_max,
            Blame::None => false,
        };
        self.ledger.set(task, State::Resting);
        let of_group = self.ledger.get(task).map(|entry| Arc::clone(&entry.task));
        of_group.iter().for_each(|task| self.make_room(task));
        if given_up {
            let output = None;
            return self.end(
                task,
                End::Failed(why.clone()),
                State::Failed { why, output },
            );
        }
        self.due.insert((rested, Due::Rested(*task)));
        Vec::new()
    }

    /// Remembers a fault with the peer whose it is.
    pub(super) fn blame(&mut self, task: &TaskId, attempt: Attempt, fault: &Fault, now: Moment) {
        let entry = self.ledger.get(task);
        let Some(tried) = entry.and_then(|entry| entry.story.tried(attempt)) else {
            return;
        };
        if let Some(standing) = self.peers.get_mut(&tried.holder) {
            standing.remember(*task, attempt, fault.clone(), now);
        }
    }

    /// Ends a task for good: out of the queue, its lease over, whoever still runs it told; and with it those that are not
    /// to be run without it.
    pub(super) fn end(&mut self, task: &TaskId, end: End, state: State) -> Vec<Effect> {
        let mut effects = self.end_one(task, end, state);
        effects.extend(self.end_doomed());
        effects
    }

    pub(super) fn end_one(&mut self, task: &TaskId, end: End, state: State) -> Vec<Effect> {
        self.dequeue(task);
        let has_failed = matches!(state, State::Failed { .. });
        let Some(left) = self.ledger.set(task, state) else {
            return Vec::new();
        };
        let finished = match &left {
            State::Keeping { submitted, .. } => Some(submitted.attempt),
            _ => None,
        };
        // Whoever handed in a result that is still being looked over must hear of it.
        let mut effects = self.answer_keepers(task, Verdict::TooLate, Verdict::TooLate);
        if let Some(lease) = left.lease() {
            self.disarm(*task, lease.attempt, lease.deadline);
            // Others cannot be told; they keep what they hold until they hand it in or ask again.
            if lease.holder.is_ours() && finished != Some(lease.attempt) {
                effects.push(Effect::Cancel(lease.holder.clone(), *task, lease.attempt));
                self.peers.settle(&lease.holder, *task, lease.attempt);
            }
        }
        if let Some(entry) = self.ledger.get(task) {
            for tried in &entry.story.tries {
                self.health.ended(&tried.holder, *task, tried.attempt);
            }
            effects.push(Effect::End(*task, entry.task.name.clone(), end));
            let ended = Arc::clone(&entry.task);
            let failed_parts = self.ledger.tallies().failed_beside(&ended);
            let given_up = self.groups.ended(&ended, has_failed, failed_parts);
            if let Some(GivenUp { open, why }) = given_up {
                let given_up = open.into_iter().map(|id| (id, why.clone()));
                self.doomed.extend(given_up);
            }
            self.let_follow(task);
            self.make_room(&ended);
        }
        effects
    }

    pub(super) fn disarm(&mut self, task: TaskId, attempt: Attempt, deadline: Option<Moment>) {
        if let Some(deadline) = deadline {
            self.due.remove(&(deadline, Due::LeaseEnds(task, attempt)));
        }
    }
}
