//! Terminal tasks: which are forgotten, and which are opened again.

use std::collections::HashSet;
use std::sync::Arc;

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
        self.terminal.retain(|other| other != task);
    }

    /// These terminal tasks are not forgotten before it is known whether they are to be tried again.
    pub fn hold(&mut self, tasks: &HashSet<TaskId>) {
        self.terminal.retain(|task| !tasks.contains(task));
    }

    /// This task that was held stays as it is.
    pub fn let_go(&mut self, task: &TaskId) {
        if self.entries.find(task).is_some() {
            self.terminal.push_back(*task);
            self.forget_oldest();
        }
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
        Some((Arc::clone(&entry.task), ended))
    }

    pub(super) fn forget_oldest(&mut self) {
        while self.terminal.len() > TERMINAL_MAX {
            let oldest = self
                .terminal
                .pop_front()
                .and_then(|task| self.entries.remove(&task));
            for tried in oldest.iter().flat_map(|entry| &entry.story.tries) {
                self.names.remove(&tried.name);
            }
        }
    }
}
