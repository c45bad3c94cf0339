//! Results that were looked over: what follows when one is kept, is refused, or cannot be stored.

use std::time::Duration;

use super::{Dispatch, Due};
use crate::logic::effect::{Effect, End, Verdict};
use crate::logic::fault::Fault;
use crate::logic::health::is_same_machine;
use crate::logic::ledger::{Lease, State, Submitted};
use crate::logic::policy::Policy;
use crate::model::{Endpoint, Moment, TaskId};

/// How long nothing is handed out after our disk did not take a result: long enough not to run tasks in vain, short
/// enough to resume within seconds (promise R6).
const DISK_REST: Duration = Duration::from_secs(5);

impl<P: Policy> Dispatch<P> {
    /// The result lies in its place.
    pub fn result_kept(&mut self, task: &TaskId, file: String, now: Moment) -> Vec<Effect> {
        let Some(State::Keeping { submitted, .. }) =
            self.ledger.get(task).map(|entry| entry.story.state.clone())
        else {
            return Vec::new();
        };
        let mut effects = self.answer_keepers(task, Verdict::Taken, Verdict::TakenBefore);
        match submitted.failure.clone() {
            None => {
                effects.extend(self.learn(task, &submitted, now));
                effects.extend(self.end(task, End::Done, State::Done { submitted, file }));
            }
            Some(fault) => {
                let why = fault.to_string();
                self.blame(task, submitted.attempt, &fault, now);
                self.ledger.end_try(task, submitted.attempt, fault);
                let output = Some((submitted, file));
                let state = State::Failed {
                    why: why.clone(),
                    output,
                };
                effects.extend(self.end(task, End::Failed(why), state));
            }
        }
        effects
    }

    /// A task succeeded: that tells how long its code takes, and who did well or badly with it.
    fn learn(&mut self, task: &TaskId, submitted: &Submitted, now: Moment) -> Vec<Effect> {
        let mut effects = Vec::new();
        let Some(entry) = self.ledger.get(task) else {
            return effects;
        };
        if !submitted.took.is_zero() {
            self.queue.finished(&entry.task, submitted.took);
        }
        for tried in &entry.story.tries {
            let holder = &tried.holder;
            if tried.attempt == submitted.attempt {
                if self.health.passed(holder) {
                    let drained = &self.drained;
                    let is_given = |peer: &Endpoint| !drained.contains(&peer.peer);
                    self.peers.fell_sick(
                        |peer| is_same_machine(peer, holder) && is_given(peer),
                        false,
                    );
                }
                if let Some(standing) = self.peers.get_mut(holder) {
                    standing.came_back_with();
                    self.peers.forget(holder);
                }
            } else if tried.has_failed() && holder.peer != submitted.peer {
                let sick = self
                    .health
                    .passed_elsewhere(holder, *task, tried.attempt, now);
                if let Some(sick) = sick {
                    self.peers
                        .fell_sick(|peer| is_same_machine(peer, holder), true);
                    effects.push(Effect::Quarantine(holder.clone(), sick));
                }
            }
        }
        effects
    }

    /// The result was no sound ZIP: the try has failed.
    pub fn result_refused(&mut self, task: &TaskId, why: String, now: Moment) -> Vec<Effect> {
        let Some(State::Keeping { lease, submitted }) =
            self.ledger.get(task).map(|entry| entry.story.state.clone())
        else {
            return Vec::new();
        };
        let refused = Verdict::Refused(why.clone());
        let mut effects = self.answer_keepers(task, refused.clone(), refused);
        let attempt = submitted.attempt;
        let story = self.ledger.get_mut(task);
        if let Some(tried) = story.and_then(|story| story.tried_mut(attempt)) {
            tried.refusals = tried.refusals.saturating_add(1);
            let holder = tried.holder.clone();
            self.health.failed(&holder, *task, attempt, now);
        }
        if let Some(fault) = submitted.failure {
            let why = fault.to_string();
            self.blame(task, attempt, &fault, now);
            self.ledger.end_try(task, attempt, fault);
            let state = State::Failed {
                why: why.clone(),
                output: None,
            };
            effects.extend(self.end(task, End::Failed(why), state));
            return effects;
        }
        match lease {
            Some(lease) if lease.attempt == attempt => {
                self.disarm(*task, attempt, lease.deadline);
                let of = (&submitted.peer, attempt);
                effects.extend(self.put_back(task, of, Fault::BadResult(why), now));
            }
            // A late result was a gift: that it was no good is no new failure of the task.
            lease => self.unkeep(task, lease, now),
        }
        effects.extend(self.serve_waiting(now));
        effects
    }

    /// Our disk would not take the result: nobody is to blame, and whoever has it is to hand it in again.
    pub fn result_not_stored(&mut self, task: &TaskId, why: String, now: Moment) -> Vec<Effect> {
        let Some(State::Keeping { lease, submitted }) =
            self.ledger.get(task).map(|entry| entry.story.state.clone())
        else {
            return Vec::new();
        };
        let not_stored = Verdict::NotStored(why.clone());
        let mut effects = self.answer_keepers(task, not_stored.clone(), not_stored);
        self.disk_rests_until = now.after(DISK_REST);
        match lease {
            Some(lease) if lease.attempt == submitted.attempt => {
                self.disarm(*task, lease.attempt, lease.deadline);
                effects.extend(self.not_stored_of(*task, lease, why, now));
            }
            lease => self.unkeep(task, lease, now),
        }
        effects
    }

    /// The holder of a lease has a result that our disk did not take. One of ours keeps it, and so its lease;
    /// others do not, and the task is run again.
    fn not_stored_of(
        &mut self,
        task: TaskId,
        lease: Lease,
        why: String,
        now: Moment,
    ) -> Vec<Effect> {
        if lease.holder.is_ours() && self.peers.is_present(&lease.holder) {
            self.peers.of(&lease.holder).owe_again(task, lease.attempt);
            let is_timed = lease.deadline.is_some();
            self.ledger.set(&task, State::Leased(lease));
            if is_timed {
                self.extend_lease(&task, now);
            }
            return Vec::new();
        }
        let of = (&lease.holder.peer, lease.attempt);
        self.put_back(&task, of, Fault::NotStored(why), now)
    }

    /// The task stands again as it stood before the result came.
    fn unkeep(&mut self, task: &TaskId, lease: Option<Lease>, now: Moment) {
        let Some(lease) = lease else {
            self.ledger.set(task, State::Resting);
            self.due.insert((now, Due::Rested(*task)));
            return;
        };
        self.ledger.set(task, State::Leased(lease));
    }

    /// Answers whoever waits for a result to be kept: the first with one verdict, who sent the same again
    /// with another.
    pub(super) fn answer_keepers(
        &mut self,
        task: &TaskId,
        first: Verdict,
        again: Verdict,
    ) -> Vec<Effect> {
        let keepers = self.keepers.remove(task).unwrap_or_default();
        let verdicts = std::iter::once(first).chain(std::iter::repeat(again));
        keepers
            .into_iter()
            .zip(verdicts)
            .map(|(asker, verdict)| Effect::Answer(asker, verdict))
            .collect()
    }
}
