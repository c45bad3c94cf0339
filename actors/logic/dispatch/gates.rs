//! Tasks come into the queue and go from it: at once, or when that for which they wait is done and their group has room.
//!
//! Rule: a task that waits for another ends in the same turn as that one, if it does not succeed, so both are written down
//! together. So one of which nothing is known any more, after a restart, was done.

use std::sync::Arc;

use super::Dispatch;
use crate::logic::effect::{Effect, End};
use crate::logic::ledger::State;
use crate::logic::policy::Policy;
use crate::logic::queue::Gate;
use crate::logic::seats::Seat;
use crate::model::{Task, TaskId};

/// What became of a task for which another waits.
pub(super) enum Before {
    Open,
    Done,
    /// It ended otherwise, in words for a reader.
    Over(String),
}

impl<P: Policy> Dispatch<P> {
    /// Puts a task that waits into the queue, or holds it. What failed goes first, a little of it at a time: the sooner
    /// another peer has tried it, the sooner it shows who is to blame.
    pub(super) fn enqueue(&mut self, id: &TaskId) {
        if let Some(seat) = self.ledger.seat(id) {
            self.enqueue_at(seat);
        }
    }

    /// The same for the one that sits there.
    pub(super) fn enqueue_at(&mut self, seat: Seat) {
        let Some(entry) = self.ledger.at(seat) else {
            return;
        };
        let (task, has_failed) = (&*entry.task, entry.story.failures > 0);
        let before = task
            .kind
            .wishes
            .after
            .map(|after| (after, self.before(&after)));
        match &before {
            Some((after, Before::Done)) => self.leaders.ended(*after, None),
            Some((after, Before::Over(why))) => self.leaders.ended(*after, Some(why.clone())),
            Some((_, Before::Open)) | None => {}
        }
        let before = before.map(|(_, before)| before);
        match before {
            Some(Before::Open) => self.queue.hold_after(seat, task),
            Some(Before::Over(why)) => self.doomed.push_back((task.id, why)),
            Some(Before::Done) | None if !self.rooms.admits(task) => {
                self.queue.hold_for_room(seat, task, has_failed);
            }
            Some(Before::Done) | None => {
                self.rooms.enter(task);
                match has_failed {
                    true => self.queue.push_again(seat, task),
                    false => self.queue.push(seat, task),
                }
            }
        }
    }

    pub(super) fn before(&self, task: &TaskId) -> Before {
        let Some(entry) = self.ledger.get(task) else {
            let ill = self.leaders.find(task).cloned().flatten();
            return ill.map_or(Before::Done, Before::Over);
        };
        let over = |how| Before::Over(format!("{}, for which it waited, {how}", entry.task.name));
        match &entry.story.state {
            State::Done { .. } => Before::Done,
            State::Failed { .. } => over("failed"),
            State::Cancelled { .. } => over("was cancelled"),
            _ => Before::Open,
        }
    }

    /// Whether others may wait for this task.
    pub fn may_lead(&self, task: &TaskId) -> bool {
        self.ledger.get(task).is_some() || self.leaders.find(task).is_some()
    }

    /// It does not wait any more, if it did.
    pub(super) fn dequeue(&mut self, task: &TaskId) {
        let seat = self.ledger.seat(task);
        if let Some((seat, entry)) = seat.and_then(|seat| Some((seat, self.ledger.at(seat)?))) {
            self.queue.remove(seat, &entry.task);
        }
    }

    /// A task is neither leased nor about to be: another of its group comes into the queue for it.
    pub(super) fn make_room(&mut self, task: &Task) {
        if !self.rooms.leave(task) {
            return;
        }
        let gate = Gate::Room(Arc::clone(&task.kind.group));
        while let Some(next) = self.first_at(&gate).filter(|next| self.rooms.admits(next)) {
            self.dequeue(&next.id);
            self.enqueue(&next.id);
        }
    }

    /// A task is leased. If it came in though its group had no room, because a peer came back with it, another that only
    /// stands in the queue makes place.
    pub(super) fn has_room(&mut self, id: &TaskId) {
        let Some(task) = self.ledger.get(id).map(|entry| Arc::clone(&entry.task)) else {
            return;
        };
        self.rooms.enter(&task);
        let stands = |other: &&TaskId| {
            let entry = self.ledger.get(other);
            entry.is_some_and(|entry| entry.story.state == State::Waiting)
        };
        let Some(other) = self.rooms.crowd(&task).find(stands).copied() else {
            return;
        };
        self.dequeue(&other);
        if let Some(entry) = self.ledger.get(&other) {
            self.rooms.leave(&entry.task);
        }
        self.enqueue(&other);
    }

    /// A task ended: those that waited for it come into the queue, or are to end too.
    pub(super) fn let_follow(&mut self, task: &TaskId) {
        let gate = Gate::After(*task);
        while let Some(next) = self.first_at(&gate) {
            self.dequeue(&next.id);
            self.enqueue(&next.id);
        }
    }

    fn first_at(&self, gate: &Gate) -> Option<Arc<Task>> {
        let seat = self.queue.first_at(gate)?;
        Some(Arc::clone(&self.ledger.at(seat)?.task))
    }

    /// Cancels those that are to end with others, and whoever waits for these: one after the other, for a chain of them may
    /// be as long as the queue.
    pub(super) fn end_doomed(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        while let Some((task, why)) = self.doomed.pop_front() {
            let end = End::Cancelled(why.clone());
            effects.extend(self.end_one(&task, end, State::Cancelled { why }));
        }
        effects
    }

    /// Where a task is held, if it is.
    pub(super) fn gate_of(&self, task: &Task) -> Option<Gate> {
        self.queue.gate_of(self.ledger.seat(&task.id)?, task)
    }

    /// Why a task that waits may not be handed out to anybody, and what helps, in words for a reader.
    pub(super) fn held(&self, task: &Task) -> Option<(String, Option<String>)> {
        Some(match self.gate_of(task)? {
            Gate::After(before) => match self.ledger.get(&before) {
                Some(entry) => {
                    let name = &entry.task.name;
                    let help = format!("mutirao why {}", name.stem());
                    (format!("it waits for {name} to be done"), Some(help))
                }
                None => (format!("it waits for the task {before} to be done"), None),
            },
            Gate::Room(group) => {
                let (inside, most) = (self.rooms.inside(task), task.kind.wishes.max_running);
                let most = most.map_or(0, std::num::NonZero::get);
                let more = format!(
                    "hand it in with --max-running {} or more",
                    most.saturating_add(1)
                );
                let help = format!("{more}, or wait: mutirao wait {group}");
                let held =
                    format!("of group {group} {inside} run or are next, and at most {most} may");
                (held, Some(help))
            }
        })
    }
}
