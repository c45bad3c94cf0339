//! Results: of which try one is, whether it is taken, and what follows when it is kept or refused.

use super::{Blame, Dispatch, Submission};
use crate::logic::attribution::{Match, attribute};
use crate::logic::effect::{Effect, End, Verdict};
use crate::logic::ledger::{State, Submitted};
use crate::logic::policy::Policy;
use crate::model::{Endpoint, Moment, TaskId};

impl<P: Policy> Dispatch<P> {
    /// A peer hands a result in.
    pub fn result_submitted(&mut self, submission: Submission, now: Moment) -> Vec<Effect> {
        let speaker = &submission.peer;
        let owed = self.peers.get(speaker).and_then(|standing| standing.sole());
        let lives = |other: &Endpoint| self.peers.is_present(other);
        let matched = match attribute(&self.ledger, speaker, &submission.claim, owed, lives) {
            Ok(matched) => matched,
            Err(why) => return vec![Effect::Answer(submission.asker, Verdict::Unmatched(why))],
        };
        let standing = self.peers.of(speaker);
        standing.settle(matched.task, matched.attempt);
        standing.names |= matched.named;
        standing.came_back_with();
        match submission.outcome.ending.is_success() {
            true => standing.done += 1,
            false => standing.failed += 1,
        }
        self.peers.forget(speaker);
        let mut effects = self.judge(submission, matched, now);
        effects.extend(self.serve_waiting(now));
        effects
    }

    /// The result lies in its place.
    pub fn result_kept(&mut self, task: &TaskId, file: String) -> Vec<Effect> {
        let Some(State::Keeping { submitted, .. }) =
            self.ledger.get(task).map(|entry| entry.state.clone())
        else {
            return Vec::new();
        };
        let mut effects = self.answer_keeper(task, Verdict::Taken);
        match submitted.failure.clone() {
            None => {
                let took = submitted.took;
                effects.extend(self.end(task, End::Done, State::Done { submitted, file }));
                if let Some(entry) = self.ledger.get(task) {
                    self.queue.finished(&entry.task, took);
                }
            }
            Some(why) => {
                effects.extend(self.end(task, End::Failed(why.clone()), State::Failed { why }))
            }
        }
        effects
    }

    /// The result was no sound ZIP or could not be stored: the try has failed.
    pub fn result_refused(&mut self, task: &TaskId, why: String, now: Moment) -> Vec<Effect> {
        let Some(State::Keeping { lease, submitted }) =
            self.ledger.get(task).map(|entry| entry.state.clone())
        else {
            return Vec::new();
        };
        let mut effects = self.answer_keeper(task, Verdict::Refused(why.clone()));
        if let Some(why) = submitted.failure {
            effects.extend(self.end(task, End::Failed(why.clone()), State::Failed { why }));
            return effects;
        }
        match lease {
            Some(other) if other.attempt != submitted.attempt => {
                self.ledger.set(task, State::Leased(other));
            }
            _ => effects.extend(self.put_back(task, &submitted.peer, Blame::Run, why, now)),
        }
        effects.extend(self.serve_waiting(now));
        effects
    }

    /// Decides about a result whose try is known.
    fn judge(&mut self, submission: Submission, of: Match, now: Moment) -> Vec<Effect> {
        let Some(entry) = self.ledger.get(&of.task) else {
            return Vec::new();
        };
        let asker = submission.asker;
        let answer = |verdict| vec![Effect::Answer(asker, verdict)];
        let lease = match &entry.state {
            State::Done { submitted, .. } if submitted.sha256 == submission.sha256 => {
                return answer(Verdict::TakenBefore);
            }
            State::Done { .. }
            | State::Failed { .. }
            | State::Cancelled { .. }
            | State::Keeping { .. } => {
                return answer(Verdict::TooLate);
            }
            State::Leased(lease) => Some(lease.clone()),
            State::Waiting | State::Resting => None,
        };
        let current = lease
            .as_ref()
            .is_some_and(|lease| lease.attempt == of.attempt);
        let ending = &submission.outcome.ending;
        let name = entry.task.name.clone();
        let failure = (!ending.is_success()).then(|| ending.to_string());
        if failure.is_some() && !current {
            // A late word of an old try: it neither counts again nor stops the present one.
            return answer(Verdict::Taken);
        }
        if failure.is_some() && entry.failures + 1 < self.failures_max(&of.task) {
            let why = format!("{} on {}", ending, submission.peer);
            let mut effects = answer(Verdict::Taken);
            effects.extend(self.try_ended(&of.task, of.attempt, Blame::Run, why, now));
            return effects;
        }
        let since_lease = lease
            .as_ref()
            .filter(|_| current)
            .map(|lease| now.since(lease.granted));
        let unsaid = submission.outcome.took.is_zero();
        let submitted = Submitted {
            attempt: of.attempt,
            peer: submission.peer.peer,
            sha256: submission.sha256,
            took: since_lease
                .filter(|_| unsaid)
                .unwrap_or(submission.outcome.took),
            failure,
        };
        let success = submitted.failure.is_none();
        if !success && let Some(entry) = self.ledger.get_mut(&of.task) {
            entry.failures += 1;
        }
        self.queue.remove(&of.task);
        self.ledger
            .set(&of.task, State::Keeping { lease, submitted });
        self.keepers.insert(of.task, asker);
        vec![Effect::Keep {
            task: of.task,
            name,
            attempt: of.attempt,
            success,
        }]
    }

    fn answer_keeper(&mut self, task: &TaskId, verdict: Verdict) -> Vec<Effect> {
        let keeper = self.keepers.remove(task);
        keeper
            .map(|asker| Effect::Answer(asker, verdict))
            .into_iter()
            .collect()
    }
}
