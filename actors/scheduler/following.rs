//! Tasks of which somebody reads what they print: how they stand, and who is to tell what they print.
//!
//! Rule: it is looked for changes with each tick, so that what is decided in between costs nothing more.

use super::{Desk, NAME, Takes, report};
use crate::logic::ledger::{Entry, State};
use crate::logic::outputs::{LASTING, Standing, TASKS_MAX};
use crate::logic::policy::Policy;
use crate::message_log::Cause;
use crate::messages::{FollowOutput, FollowTask, OutputWithheld, OutputsInbox, TaskStands};
use crate::model::{Attempt, Both, Moment, TaskId};
use crate::port::Port;

/// A task that is followed.
#[derive(Debug)]
pub struct Followed {
    listener: Port<OutputsInbox>,
    until: Moment,
    /// How it stands, as was told last.
    told: Option<Standing>,
}

impl<P: Policy> Takes<FollowTask> for Desk<P> {
    fn take(&mut self, message: FollowTask, cause: Cause) {
        let FollowTask {
            task,
            known,
            listener,
        } = message;
        let now = self.now();
        if !self.followed.contains_key(&task) && self.followed.len() >= TASKS_MAX {
            // It is said again of each that is read: the one of which that is the longest ago is read no more.
            let oldest = self.followed.iter();
            let oldest = oldest.min_by_key(|(_, followed)| followed.until);
            if let Some(oldest) = oldest.map(|(task, _)| *task) {
                self.followed.remove(&oldest);
            }
        }
        let followed = self.followed.entry(task).or_insert(Followed {
            listener: listener.used_by(NAME),
            until: now,
            told: None,
        });
        followed.until = now.after(LASTING);
        let Some((attempt, from)) = known else {
            followed.told = None;
            return self.tell_follower(task, cause);
        };
        self.tell_follower(task, cause);
        self.order_output((task, attempt), from, listener, cause);
    }
}

impl<P: Policy> Desk<P> {
    /// Tells of each task that is followed how it stands, if that has changed.
    pub(super) fn tell_followers(&mut self) {
        if self.followed.is_empty() {
            return;
        }
        let now = self.now();
        self.followed.retain(|_, followed| now < followed.until);
        let tasks: Vec<TaskId> = self.followed.keys().copied().collect();
        for task in tasks {
            self.tell_follower(task, Cause::OUTSIDE);
        }
    }

    fn tell_follower(&mut self, task: TaskId, cause: Cause) {
        let standing = match self.mind.ledger().get(&task) {
            Some(entry) => standing(entry),
            None => Some(Standing::Unknown),
        };
        let Some(followed) = self.followed.get_mut(&task) else {
            return;
        };
        let news = standing.filter(|standing| followed.told.as_ref() != Some(standing));
        if let Some(standing) = news {
            followed.told = Some(standing.clone());
            let listener = followed.listener.clone();
            self.report(move |_| listener.tell(TaskStands { task, standing }, cause));
        }
    }

    /// Has whoever runs this try tell what it prints; only peers of ours know how.
    fn order_output(
        &self,
        (task, attempt): (TaskId, Attempt),
        from: Option<Both<u64>>,
        listener: Port<OutputsInbox>,
        cause: Cause,
    ) {
        let entry = self.mind.ledger().get(&task);
        let lease = entry.and_then(|entry| entry.story.state.lease());
        let Some(lease) = lease.filter(|lease| lease.attempt == attempt) else {
            return;
        };
        if !lease.holder.is_ours() {
            let listener = listener.used_by(NAME);
            return listener.tell(OutputWithheld { task, attempt }, cause);
        }
        // One that is not here comes back, or its lease ends.
        if let Some(session) = self.holders.get(&lease.holder) {
            let order = FollowOutput {
                task,
                attempt,
                from,
                lasting: LASTING,
                listener,
            };
            session.tell(order, cause);
        }
    }
}

/// How a task stands for a reader of its output; nothing while that is about to change.
fn standing(entry: &Entry) -> Option<Standing> {
    let state = &entry.story.state;
    let of_result = match state {
        State::Done { submitted, .. } => Some(submitted.attempt),
        State::Failed { output, .. } => output.as_ref().map(|(submitted, _)| submitted.attempt),
        _ => None,
    };
    match state {
        State::Waiting | State::Resting => Some(Standing::Waiting),
        State::Leased(lease) => Some(Standing::Running {
            attempt: lease.attempt,
            peer: lease.holder.peer.clone(),
        }),
        State::Keeping { .. } => None,
        State::Done { .. } | State::Failed { .. } | State::Cancelled { .. } => {
            Some(Standing::Over {
                state: report::state_of(state),
                reason: report::of_task(entry).reason,
                attempt: of_result,
            })
        }
    }
}
