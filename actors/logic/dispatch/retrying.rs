//! What failed or was cancelled is tried again, because somebody wants it.
//!
//! Rule: it begins anew. What went wrong with its earlier tries is forgiven and counts against nobody, but the tries are
//! remembered: their numbers are not given twice, and a result of one that comes late is the task's (promise R3). It is open
//! as soon as that is written down, and not before: until its ZIP is brought back it stays as it is, and is not forgotten.

use std::collections::HashSet;
use std::sync::Arc;

use super::Dispatch;
use super::gates::Before;
use crate::logic::effect::Effect;
use crate::logic::ledger::{Entry, State};
use crate::logic::policy::Policy;
use crate::model::{Moment, Task, TaskId};

impl<P: Policy> Dispatch<P> {
    /// Of these tasks those that can be tried again and are not about to be, and whatever was cancelled because it waited for
    /// one of them. Until [`retried`](Self::retried) or [`not_retried`](Self::not_retried) is told of each they stay as they are.
    pub fn begin_retry(&mut self, chosen: impl IntoIterator<Item = TaskId>) -> Vec<Arc<Task>> {
        let mut chosen: Vec<TaskId> = chosen.into_iter().collect();
        chosen.retain(|task| self.may_retry(task));
        let mut known: HashSet<TaskId> = chosen.iter().copied().collect();
        let mut looked_at = 0;
        while let Some(task) = chosen.get(looked_at) {
            looked_at += 1;
            let mut more = self.cancelled_with(task);
            more.retain(|task| known.insert(*task) && self.may_retry(task));
            chosen.extend(more);
        }
        chosen.iter().for_each(|task| self.ledger.hold(task));
        self.retrying.extend(&chosen);
        let tasks = chosen.iter().filter_map(|task| self.ledger.get(task));
        tasks.map(|entry| Arc::clone(&entry.task)).collect()
    }

    fn may_retry(&self, task: &TaskId) -> bool {
        let state = self.ledger.get(task).map(|entry| &entry.story.state);
        state.is_some_and(State::is_over_without_result) && !self.retrying.contains(task)
    }

    /// Those that were cancelled because this task ended, for which they waited.
    fn cancelled_with(&self, task: &TaskId) -> Vec<TaskId> {
        let Before::Over(because) = self.before(task) else {
            return Vec::new();
        };
        let is_meant = |entry: &&Entry| match &entry.story.state {
            State::Cancelled { why } => *why == because,
            _ => false,
        };
        let followers = self.ledger.cancelled_after(task).filter(is_meant);
        followers.map(|entry| entry.task.id).collect()
    }

    /// It is written down that these are to be tried again, and their ZIPs can be handed out.
    pub fn retried(&mut self, tasks: &[TaskId], now: Moment) -> Vec<Effect> {
        let mut open = Vec::new();
        for id in tasks {
            self.retrying.remove(id);
            if let Some((task, ended)) = self.ledger.retry(id) {
                self.leaders.forget(id);
                let had_failed = matches!(ended, State::Failed { .. });
                self.groups.retried(&task, had_failed);
                open.push(*id);
            }
        }
        // Not before all of them are open: some wait for others.
        open.iter().for_each(|task| self.enqueue(task));
        let mut effects = self.end_doomed();
        effects.extend(self.serve_waiting(now));
        effects
    }

    /// These are not to be tried again: their ZIPs are nowhere, or the disk refuses it.
    pub fn not_retried(&mut self, tasks: &[TaskId]) {
        for task in tasks {
            if self.retrying.remove(task) {
                self.ledger.let_go(task);
            }
        }
    }
}
