//! Terminal tasks: which are forgotten, and which are opened again.

use std::sync::Arc;

use uuid::Uuid;

use super::{Entry, Ledger, State, TERMINAL_MAX};
use crate::model::{Task, TaskId};

impl Ledger {
    /// Opens a terminal task again: what a scheduler never does that fences.
    pub fn reopen(&mut self, task: &TaskId) {
        let terminal = |entry: &&mut Entry| entry.story.state.is_terminal();
        let Some(entry) = self.entries.get_mut(task).filter(terminal) else {
            return;
        };
        let story = entry.story.told();
        *self.counts.of(&story.state) -= 1;
        *self.counts.of(&State::Resting) += 1;
        self.tallies
            .moved(&entry.task, &story.state, &State::Resting);
        story.state = State::Resting;
        self.has_not_ended(task);
    }

    /// This terminal task is not forgotten before it is known whether it is to be tried again.
    pub fn hold(&mut self, task: &TaskId) {
        self.terminal.leave(task);
    }

    /// This task that was held stays as it is.
    pub fn let_go(&mut self, task: &TaskId) {
        self.has_ended(task);
    }

    /// Those that were to wait for this task and were cancelled, for whatever reason.
    pub fn cancelled_after(&self, task: &TaskId) -> impl Iterator<Item = &Entry> {
        let all = (*task, TaskId(Uuid::nil()))..=(*task, TaskId(Uuid::max()));
        let followers = self.cancelled_after.range(all);
        followers.filter_map(|(_, follower)| self.entries.get(follower))
    }

    /// This task that was held is open again, as was written down before; as what it ended.
    pub fn retry(&mut self, task: &TaskId) -> Option<(Arc<Task>, State)> {
        let is_over = |entry: &&mut Entry| entry.story.state.is_over_without_result();
        let entry = self.entries.get_mut(task).filter(is_over)?;
        let story = entry.story.told();
        *self.counts.of(&story.state) -= 1;
        *self.counts.of(&State::Waiting) += 1;
        self.tallies
            .moved(&entry.task, &story.state, &State::Waiting);
        let ended = std::mem::take(&mut story.state);
        story.forgive();
        let opened = Arc::clone(&entry.task);
        self.has_not_ended(task);
        Some((opened, ended))
    }

    /// Remembers it as the newest that ended, if it did, and the oldest no more.
    pub(super) fn has_ended(&mut self, task: &TaskId) {
        let entry = self.entries.get(task);
        let Some(entry) = entry.filter(|entry| entry.story.state.is_terminal()) else {
            return;
        };
        if let (State::Cancelled { .. }, Some(after)) =
            (&entry.story.state, entry.task.kind.wishes.after)
        {
            self.cancelled_after.insert((after, *task));
        }
        self.terminal.join(*task);
        while let Some(oldest) = self.terminal.beyond(TERMINAL_MAX) {
            self.forget(&oldest);
        }
    }

    fn has_not_ended(&mut self, task: &TaskId) {
        self.terminal.leave(task);
        let entry = self.entries.get(task);
        if let Some(after) = entry.and_then(|entry| entry.task.kind.wishes.after) {
            self.cancelled_after.remove(&(after, *task));
        }
    }

    fn forget(&mut self, task: &TaskId) {
        self.has_not_ended(task);
        let forgotten = self.entries.remove(task);
        for tried in forgotten.iter().flat_map(|entry| &entry.story.tries) {
            self.names.remove(&tried.name);
        }
    }
}
