//! Has readers told how the tasks stand of which they read what is printed, and has that told by whoever runs them.
//!
//! Rule: it is looked for changes with each tick, so that what is decided in between costs nothing more.

use super::{Desk, NAME, Takes};
use crate::logic::following::{Teller, teller_of};
use crate::logic::outputs::LASTING;
use crate::logic::policy::Policy;
use crate::message_log::Cause;
use crate::messages::{FollowOutput, FollowTask, OutputWithheld, OutputsInbox, TaskStands};
use crate::model::{Attempt, Both, TaskId};
use crate::port::Port;

impl<P: Policy> Takes<FollowTask> for Desk<P> {
    fn take(&mut self, message: FollowTask, cause: Cause) {
        let FollowTask {
            task,
            known,
            listener,
        } = message;
        let now = self.now();
        let own = listener.used_by(NAME);
        self.following.follow(task, known.is_some(), own, now);
        self.tell_follower(task, cause);
        if let Some((attempt, from)) = known {
            self.order_output((task, attempt), from, listener, cause);
        }
    }
}

impl<P: Policy> Desk<P> {
    /// Tells of each task that is followed how it stands, if that has changed.
    pub(super) fn tell_followers(&mut self) {
        for task in self.following.still(self.cast.clock.now()) {
            self.tell_follower(task, Cause::OUTSIDE);
        }
    }

    fn tell_follower(&mut self, task: TaskId, cause: Cause) {
        let entry = self.mind.ledger().get(&task);
        if let Some((listener, standing)) = self.following.news(&task, entry) {
            let listener = listener.clone();
            self.report(move |_| listener.tell(TaskStands { task, standing }, cause));
        }
    }

    /// Has whoever runs this try tell what it prints.
    fn order_output(
        &self,
        (task, attempt): (TaskId, Attempt),
        from: Option<Both<u64>>,
        listener: Port<OutputsInbox>,
        cause: Cause,
    ) {
        match teller_of(self.mind.ledger().get(&task), attempt) {
            Teller::Nobody => {}
            Teller::Result => {
                let listener = listener.used_by(NAME);
                listener.tell(OutputWithheld { task, attempt }, cause);
            }
            // One that is not here comes back, or its lease ends.
            Teller::Peer(peer) => {
                if let Some(session) = self.holders.get(peer) {
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
    }
}
