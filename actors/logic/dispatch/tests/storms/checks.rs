//! What holds after every fact.

use std::collections::HashSet;

use super::Storm;
use crate::logic::dispatch::Due;
use crate::logic::effect::End;
use crate::logic::ledger::{Counts, Entry, Lease, State};
use crate::logic::queue::Gate;
use crate::model::{Moment, TaskId};

impl Storm {
    pub(super) fn check(&self) {
        let ledger = self.mind.ledger();
        let mut counts = Counts::default();
        let mut names = HashSet::new();
        let entries: Vec<&Entry> = self
            .arrived
            .iter()
            .map(|task| ledger.get(task).expect("lost"))
            .collect();
        for entry in &entries {
            self.check_entry(entry);
            match entry.story.state {
                State::Waiting | State::Resting => counts.queued += 1,
                State::Leased(_) | State::Keeping { .. } => counts.leased += 1,
                State::Done { .. } => counts.done += 1,
                State::Failed { .. } => counts.failed += 1,
                State::Cancelled { .. } => counts.cancelled += 1,
            }
            for tried in &entry.story.tries {
                assert!(names.insert(tried.name.clone()), "two tries share a name");
            }
        }
        assert_eq!(ledger.counts(), counts);
        self.check_tally(&entries);
        let waiting =
            |entry: &&&Entry| entry.story.state == State::Waiting && self.gate_of(entry).is_none();
        assert_eq!(
            self.mind.queue.len(),
            entries.iter().filter(waiting).count()
        );
        let leased = |entry: &&&Entry| entry.story.state.lease().is_some();
        let leased = entries.iter().filter(leased).map(|entry| entry.task.id);
        assert!(ledger.leased().map(|entry| entry.task.id).eq(leased));
        let keepers = self.mind.keepers.values().map(Vec::len).sum::<usize>();
        assert_eq!(keepers, self.submitting.len(), "unanswered");
    }

    fn check_tally(&self, entries: &[&Entry]) {
        let parts = entries.iter().filter(|entry| entry.task.part().is_some());
        let parts: Vec<_> = parts.map(|entry| &entry.story.state).collect();
        let Some((_, tally)) = self.mind.ledger().tallies().find("group 0") else {
            return assert!(parts.is_empty(), "not counted");
        };
        let of = |is: fn(&State) -> bool| parts.iter().filter(|state| is(state)).count() as u64;
        assert_eq!(tally.counts.open(), of(|state| !state.is_terminal()));
        assert_eq!(
            tally.counts.done,
            of(|state| matches!(state, State::Done { .. }))
        );
        let failed = of(|state| matches!(state, State::Failed { .. }));
        let told: u64 = tally.reasons.iter().map(|(_, tasks)| tasks).sum();
        assert_eq!((tally.counts.failed, told), (failed, failed));
        assert_eq!(tally.is_complete(), of(State::is_terminal) == 3);
    }

    fn check_entry(&self, entry: &Entry) {
        let id = entry.task.id;
        let seat = self.mind.ledger.seat(&id);
        let queued = self.mind.queue.next(|other| Some(other) == seat).is_some();
        let waits = entry.story.state == State::Waiting;
        assert_eq!(queued, waits && self.gate_of(entry).is_none());
        assert!(waits || self.gate_of(entry).is_none());
        self.check_gate(entry);
        let ended = self.ended.contains_key(&id);
        assert_eq!(ended, entry.story.state.is_terminal());
        assert_eq!(
            self.mind.keepers.contains_key(&id),
            matches!(entry.story.state, State::Keeping { .. })
        );
        match &entry.story.state {
            State::Resting => {
                let rested = |(_, due): &(Moment, Due)| *due == Due::Rested(id);
                assert!(self.mind.due.iter().any(rested), "rests for ever");
            }
            State::Leased(lease) => self.check_lease(id, lease),
            State::Keeping { lease, submitted } => {
                assert!(self.keeping.contains(&id));
                if let Some(lease) = lease
                    .as_ref()
                    .filter(|lease| lease.attempt != submitted.attempt)
                {
                    self.check_lease(id, lease);
                }
            }
            _ => {}
        }
    }

    fn gate_of(&self, entry: &Entry) -> Option<Gate> {
        let seat = self.mind.ledger.seat(&entry.task.id)?;
        self.mind.queue.gate_of(seat, &entry.task)
    }

    fn check_gate(&self, entry: &Entry) {
        let wishes = &entry.task.kind.wishes;
        let before = wishes.after.map(|after| self.ended.get(&after));
        match self.gate_of(entry) {
            Some(Gate::After(_)) => assert_eq!(before, Some(None), "held for what is over"),
            Some(Gate::Room(_)) => {
                assert!(!self.mind.rooms.admits(&entry.task), "held for no reason");
            }
            None if entry.story.state == State::Waiting => {
                assert!(matches!(before, None | Some(Some(End::Done))), "too early");
            }
            None => {}
        }
        let is_over = matches!(before, Some(Some(End::Failed(_) | End::Cancelled(_))));
        assert!(
            !is_over || entry.story.state.is_terminal(),
            "waits for ever"
        );
    }

    /// How many of the task's group are leased, if they are to be few; and how few.
    pub(super) fn check_room(&self, task: TaskId) {
        let ledger = self.mind.ledger();
        let kind = &ledger.get(&task).unwrap().task.kind;
        let leased = ledger
            .leased()
            .filter(|entry| entry.task.kind.group == kind.group);
        let most = kind
            .wishes
            .max_running
            .map_or(usize::MAX, |most| most.get() as usize);
        assert!(leased.count() <= most, "too many at a time");
    }

    fn check_lease(&self, task: TaskId, lease: &Lease) {
        let holder = self.mind.peers.get(&lease.holder).unwrap();
        assert!(holder.holds.contains(&(task, lease.attempt)));
        match lease.deadline {
            Some(deadline) => {
                let due = (deadline, Due::LeaseEnds(task, lease.attempt));
                assert!(self.mind.due.contains(&due), "a deadline without an alarm");
            }
            None => assert!(
                lease.holder.is_ours() && holder.is_present(),
                "leased for ever"
            ),
        }
    }
}
