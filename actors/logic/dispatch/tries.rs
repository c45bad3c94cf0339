//! How a try ends without a result, and how a task ends for good.

use std::time::Duration;

use super::{Dispatch, Due};
use crate::logic::effect::{Effect, End, Verdict};
use crate::logic::fault::{Blame, Fault};
use crate::logic::ledger::State;
use crate::logic::policy::Policy;
use crate::model::{Attempt, Moment, PeerId, TaskId};

/// How long a peer that failed a task does not get it again while others are here: long enough for those
/// to show whether the task or the peer is to blame, else a sick peer would fail a whole queue by itself.
const FAILED_AVOIDED: Duration = Duration::from_secs(600);
/// The same for a peer that was lost with a task: likelier an accident.
const LOST_AVOIDED: Duration = Duration::from_secs(120);
/// The rest of a task after its first failure; doubled with each.
const REST_FIRST: Duration = Duration::from_secs(1);
/// The longest rest.
const REST_MAX: Duration = Duration::from_secs(60);

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
        if let Some(tried) = entry.tried(attempt) {
            self.peers.settle(&tried.holder, *task, attempt);
        }
        match &entry.state {
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
            self.ledger.get(task).map(|entry| &entry.state)
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
        let failures_max = self.failures_max(task);
        let (why, blame) = (fault.on(peer), fault.blame());
        let avoided = match (blame, &fault) {
            (Blame::Run, _) => Some(FAILED_AVOIDED),
            (Blame::Peer, _) | (_, Fault::Run(_)) => Some(LOST_AVOIDED),
            (Blame::None, _) => None,
        };
        self.ledger.end_try(task, attempt, fault);
        let Some(entry) = self.ledger.get_mut(task) else {
            return Vec::new();
        };
        entry.trouble = Some(why.clone());
        if let Some(avoided) = avoided {
            entry
                .avoided
                .retain(|(id, until)| id != peer && now < *until);
            entry.avoided.push((peer.clone(), now.after(avoided)));
        }
        let doubled = REST_FIRST.saturating_mul(1 << entry.failures.saturating_sub(1).min(16));
        let given_up = entry.failures >= failures_max || entry.losses >= self.rules.losses_max;
        self.ledger.set(task, State::Resting);
        if given_up {
            let output = None;
            return self.end(
                task,
                End::Failed(why.clone()),
                State::Failed { why, output },
            );
        }
        let rested = match blame {
            Blame::Run => now.after(doubled.min(REST_MAX)),
            Blame::Peer => now,
            // Whatever kept the task from being delivered may last a moment.
            Blame::None => now.after(REST_FIRST),
        };
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
