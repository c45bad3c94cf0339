//! Results that come in: of which try one is, and whether it is looked over.

use super::{Dispatch, Submission};
use crate::logic::attribution::{Match, attribute};
use crate::logic::effect::{Effect, Verdict};
use crate::logic::fault::{Blame, Fault};
use crate::logic::ledger::{Lease, State, Submitted};
use crate::logic::policy::Policy;
use crate::logic::record::Conflict;
use crate::model::{Attempt, Endpoint, Moment};

/// Who waits for one result to be kept: a peer whose connection breaks sends the same again, some times.
const KEEPERS_MAX: usize = 8;
/// Refused results of one try, after which no more of it is looked at: a disk that was full gets another
/// chance, a peer that sends rubbish does not keep its task from the others.
const REFUSALS_MAX: u8 = 3;

impl<P: Policy> Dispatch<P> {
    /// A peer hands a result in.
    pub fn result_submitted(&mut self, submission: Submission, now: Moment) -> Vec<Effect> {
        let speaker = &submission.peer;
        let owed = self.peers.get(speaker).and_then(|standing| standing.sole());
        let lives = |other: &Endpoint| self.peers.is_present(other);
        let matched = match attribute(&self.ledger, speaker, &submission.claim, owed, lives) {
            Ok(matched) => matched,
            Err(why) => {
                let Some(verdict) = self.taken_before(&submission) else {
                    self.unmatched += 1;
                    let set_aside = Effect::SetAside(submission.peer.peer, why.clone());
                    let unmatched = Verdict::Unmatched(why);
                    return vec![set_aside, Effect::Answer(submission.asker, unmatched)];
                };
                return vec![Effect::Answer(submission.asker, verdict)];
            }
        };
        if self.stalled {
            return self.turned_away(&submission, matched, now);
        }
        let standing = self.peers.of(speaker);
        standing.settle(matched.task, matched.attempt);
        standing.names |= matched.named;
        standing.answered = Some(matched.task);
        match submission.outcome.ending.is_success() {
            true => standing.done += 1,
            false => standing.failed += 1,
        }
        self.peers.forget(speaker);
        // An earlier life of the speaker, or the same under another address, may be who had it.
        let entry = self.ledger.get(&matched.task);
        if let Some(tried) = entry.and_then(|entry| entry.story.tried(matched.attempt)) {
            self.peers
                .settle(&tried.holder, matched.task, matched.attempt);
        }
        let mut effects = self.judge(submission, matched, now);
        effects.extend(self.serve_waiting(now));
        effects
    }

    /// A peer that names nothing and missed our answer sends the same again.
    fn taken_before(&self, submission: &Submission) -> Option<Verdict> {
        let answered = self.peers.get(&submission.peer)?.answered?;
        match &self.ledger.get(&answered)?.story.state {
            State::Done { submitted, .. } if submitted.sha256 == submission.sha256 => {
                Some(Verdict::TakenBefore)
            }
            _ => None,
        }
    }

    /// A result came while the store does not take it.
    pub(super) fn turned_away(
        &mut self,
        submission: &Submission,
        of: Match,
        now: Moment,
    ) -> Vec<Effect> {
        let why = "the master's disk does not take it now: hand it in again later";
        let verdict = Verdict::NotStored(why.into());
        let mut effects = vec![Effect::Answer(submission.asker, verdict)];
        // Others do not hand it in again.
        if !submission.peer.is_ours() {
            let fault = Fault::NotStored(why.into());
            effects.extend(self.try_ended(&of.task, of.attempt, fault, now));
        }
        effects
    }

    /// Decides about a result whose try is known.
    fn judge(&mut self, submission: Submission, of: Match, now: Moment) -> Vec<Effect> {
        let Some(entry) = self.ledger.get(&of.task) else {
            return Vec::new();
        };
        let answer = |verdict| vec![Effect::Answer(submission.asker, verdict)];
        match &entry.story.state {
            state if self.is_unfenced(state, &submission) => {
                self.ledger.reopen(&of.task);
                self.look_over(submission, of, None, now)
            }
            State::Done { submitted, .. } if submitted.sha256 == submission.sha256 => {
                answer(Verdict::TakenBefore)
            }
            State::Done { submitted, .. } => {
                let taken = submitted.attempt;
                self.conflicting(&submission, &of, taken)
            }
            State::Failed { .. } | State::Cancelled { .. } => answer(Verdict::TooLate),
            State::Keeping { submitted, .. } => {
                let (same, kept) = (submitted.sha256 == submission.sha256, submitted.attempt);
                self.release(&of.task, of.attempt);
                self.while_keeping(&submission, &of, (same, kept))
            }
            State::Leased(lease) => {
                let lease = Some(lease.clone());
                self.look_over(submission, of, lease, now)
            }
            State::Waiting | State::Resting => self.look_over(submission, of, None, now),
        }
    }

    /// Whether a result is taken although the task has one.
    fn is_unfenced(&self, state: &State, submission: &Submission) -> bool {
        let is_second = matches!(state, State::Done { .. });
        !self.rules.is_fenced && is_second && submission.outcome.ending.is_success()
    }

    /// Has a result of an open task looked over, if it says anything new.
    fn look_over(
        &mut self,
        submission: Submission,
        of: Match,
        lease: Option<Lease>,
        now: Moment,
    ) -> Vec<Effect> {
        let Some(entry) = self.ledger.get(&of.task) else {
            return Vec::new();
        };
        let asker = submission.asker;
        let answer = |verdict| vec![Effect::Answer(asker, verdict)];
        let current = lease
            .as_ref()
            .is_some_and(|lease| lease.attempt == of.attempt);
        let ending = &submission.outcome.ending;
        let name = entry.task.name.clone();
        let failure = (!ending.is_success()).then(|| Fault::Run(ending.clone()));
        let tried = entry.story.tried(of.attempt);
        if tried.is_some_and(|tried| tried.refusals >= REFUSALS_MAX) {
            return answer(Verdict::TooLate);
        }
        if failure.is_some() && !current {
            // A late word of an old try: it neither counts again nor stops the present one.
            return answer(Verdict::Taken);
        }
        if let Some(fault) = &failure
            && fault.blame() == Blame::Run
        {
            let peer = &submission.peer;
            self.health.failed(peer, of.task, of.attempt, now);
        }
        if let Some(fault) = &failure
            && (fault.blame() != Blame::Run
                || !self.has_failed(entry, Some((&submission.peer, fault)), now))
        {
            let mut effects = answer(Verdict::Taken);
            effects.extend(self.try_ended(&of.task, of.attempt, fault.clone(), now));
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
            size: submission.size,
            took: since_lease
                .filter(|_| unsaid)
                .unwrap_or(submission.outcome.took),
            failure,
        };
        let success = submitted.failure.is_none();
        self.dequeue(&of.task);
        self.ledger
            .set(&of.task, State::Keeping { lease, submitted });
        self.keepers.insert(of.task, vec![asker]);
        vec![Effect::Keep {
            task: of.task,
            name,
            attempt: of.attempt,
            success,
        }]
    }

    /// A result of a task whose result is just being kept, the same or another. That one may still be refused: a
    /// peer of ours keeps the other and hands it in again; what others send is set aside, for they do not.
    fn while_keeping(
        &mut self,
        submission: &Submission,
        of: &Match,
        (same, kept): (bool, Attempt),
    ) -> Vec<Effect> {
        let keepers = self.keepers.entry(of.task).or_default();
        if same && keepers.len() < KEEPERS_MAX {
            keepers.push(submission.asker);
            return Vec::new();
        }
        let counts = submission.outcome.ending.is_success() || of.attempt == kept;
        if same || (counts && submission.peer.is_ours()) {
            let why = "a result of this task is just being kept: hand this one in again later";
            let verdict = Verdict::NotStored(why.into());
            return vec![Effect::Answer(submission.asker, verdict)];
        }
        self.conflicting(submission, of, kept)
    }

    /// Another result of a task that has one: the first stays (promise R3), and this one is remembered.
    fn conflicting(&mut self, submission: &Submission, of: &Match, taken: Attempt) -> Vec<Effect> {
        let too_late = Effect::Answer(submission.asker, Verdict::TooLate);
        // The failure of another try says nothing against the result that was taken.
        if submission.outcome.ending.is_success() || of.attempt == taken {
            let conflict = Conflict {
                attempt: of.attempt,
                peer: submission.peer.peer.clone(),
                sha256: submission.sha256,
            };
            self.ledger.conflict(&of.task, conflict);
            let why = format!("task {} has another result", of.task);
            let peer = submission.peer.peer.clone();
            return vec![Effect::SetAside(peer, why), too_late];
        }
        vec![too_late]
    }
}
