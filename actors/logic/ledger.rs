//! Every accepted task and how it stands: nothing is ever taken out before it is terminal.
//!
//! ```text
//!            ┌──────────── failed, lost, given up, handed back ───────────┐
//!            ▼                                                            │
//! arrived ─► Waiting ── handed out ─► Leased ── result handed in ─► Keeping ─► Done
//!            │  ▲                       │                             │
//!            ▼  │ rested                └───── too many failures ─────┴──────► Failed
//!          Resting            taken back, from any state but the last three ─► Cancelled
//! ```
//!
//! Invariants: a task has at most one lease; a terminal task has none and changes no more; the counts
//! add up to the number of tasks that ever arrived.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use serde::Serialize;

use crate::model::{Attempt, Digest, Endpoint, Moment, PeerId, Task, TaskId, TaskName};

/// Terminal tasks that are remembered, to recognise late results and to answer for them: some 50 MB.
pub const TERMINAL_MAX: usize = 100_000;

/// How a task stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It is in the queue.
    Waiting,
    /// It failed and is put back into the queue later.
    Resting,
    /// A peer has it.
    Leased(Lease),
    /// A result was handed in and is being looked over and written.
    Keeping {
        /// The lease under which another try still runs, or this one ran.
        lease: Option<Lease>,
        /// What is being kept.
        submitted: Submitted,
    },
    /// Its result is kept.
    Done {
        /// What was handed in.
        submitted: Submitted,
        /// Its file below `results/`.
        file: String,
    },
    /// It failed as often as it may.
    Failed {
        /// The last reason, in words for a reader.
        why: String,
    },
    /// It was taken back.
    Cancelled {
        /// In words for a reader.
        why: String,
    },
}

impl State {
    /// Whether nothing changes it any more.
    pub fn is_terminal(&self) -> bool {
        matches!(
            self,
            Self::Done { .. } | Self::Failed { .. } | Self::Cancelled { .. }
        )
    }

    /// The lease, if a peer has the task.
    pub fn lease(&self) -> Option<&Lease> {
        match self {
            Self::Leased(lease) => Some(lease),
            Self::Keeping { lease, .. } => lease.as_ref(),
            _ => None,
        }
    }
}

/// One peer's claim on one try of one task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Which try.
    pub attempt: Attempt,
    /// Whose; a word of another life or of a namesake does not touch it.
    pub holder: Endpoint,
    /// Since when.
    pub granted: Moment,
    /// Until when, whatever the holder says; none: as long as the holder is here.
    pub deadline: Option<Moment>,
}

/// A result that was handed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submitted {
    /// Of which try.
    pub attempt: Attempt,
    /// By whom.
    pub peer: PeerId,
    /// SHA-256 of the bytes as they were sent.
    pub sha256: Digest,
    /// How long the run took, as the peer says or since the lease.
    pub took: Duration,
    /// Whether it is a success; else the last output of a failure, with its reason.
    pub failure: Option<String>,
}

/// A try that was handed out, kept to recognise its result whenever it comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// Which.
    pub attempt: Attempt,
    /// The name under which it was handed out.
    pub name: TaskName,
    /// To whom.
    pub holder: Endpoint,
}

/// A task with all that is known of it.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The task.
    pub task: Task,
    /// How it stands.
    pub state: State,
    /// Every try that was handed out, oldest first; as many as the rules allow.
    pub tries: Vec<Tried>,
    /// Tries that failed by themselves.
    pub failures: u32,
    /// Tries whose peer was lost.
    pub losses: u32,
    /// Peers that should not get it while others are here, each until a moment.
    pub avoided: Vec<(PeerId, Moment)>,
    /// What went wrong last, in words for a reader.
    pub trouble: Option<String>,
}

/// How many tasks stand how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Counts {
    /// Waiting or resting.
    pub queued: u64,
    /// With a peer, or with their result being kept.
    pub leased: u64,
    /// Terminal with a result.
    pub done: u64,
    /// Terminal without one.
    pub failed: u64,
    /// Terminal because taken back.
    pub cancelled: u64,
}

impl Counts {
    fn of(&mut self, state: &State) -> &mut u64 {
        match state {
            State::Waiting | State::Resting => &mut self.queued,
            State::Leased(_) | State::Keeping { .. } => &mut self.leased,
            State::Done { .. } => &mut self.done,
            State::Failed { .. } => &mut self.failed,
            State::Cancelled { .. } => &mut self.cancelled,
        }
    }

    /// How many tasks are not terminal.
    pub fn open(&self) -> u64 {
        self.queued + self.leased
    }
}

/// All tasks.
#[derive(Debug, Default)]
pub struct Ledger {
    entries: HashMap<TaskId, Entry>,
    names: HashMap<TaskName, (TaskId, Attempt)>,
    leased: BTreeSet<TaskId>,
    terminal: VecDeque<TaskId>,
    counts: Counts,
    names_given: u64,
}

impl Ledger {
    /// How many tasks stand how, of all that ever arrived.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Takes a new task in; whether it is new.
    pub fn insert(&mut self, task: Task) -> bool {
        if self.entries.contains_key(&task.id) {
            return false;
        }
        self.counts.queued += 1;
        let entry = Entry {
            state: State::Waiting,
            tries: Vec::new(),
            failures: 0,
            losses: 0,
            avoided: Vec::new(),
            trouble: None,
            task,
        };
        self.entries.insert(entry.task.id, entry);
        true
    }

    /// What is known of a task.
    pub fn get(&self, task: &TaskId) -> Option<&Entry> {
        self.entries.get(task)
    }

    /// What is known of a task, to change all but its state.
    pub fn get_mut(&mut self, task: &TaskId) -> Option<&mut Entry> {
        self.entries.get_mut(task)
    }

    /// The tasks that peers have, the longest known first.
    pub fn leased(&self) -> impl Iterator<Item = &Entry> {
        self.leased.iter().filter_map(|task| self.entries.get(task))
    }

    /// The newest terminal tasks, newest first.
    pub fn newest_terminal(&self) -> impl Iterator<Item = &Entry> {
        self.terminal
            .iter()
            .rev()
            .filter_map(|task| self.entries.get(task))
    }

    /// The try that was handed out under this name, if it is remembered.
    pub fn named(&self, name: &str) -> Option<(TaskId, Attempt)> {
        let name: TaskName = name.parse().ok()?;
        self.names.get(&name).copied()
    }

    /// Writes a new try down, under a name that no other remembered try has.
    pub fn begin_try(&mut self, task: &TaskId, holder: &Endpoint) -> Option<Tried> {
        let name = self.free_name(task)?;
        let entry = self.entries.get_mut(task)?;
        let attempt = Attempt(entry.tries.last().map_or(1, |last| last.attempt.0 + 1));
        let tried = Tried {
            attempt,
            name: name.clone(),
            holder: holder.clone(),
        };
        entry.tries.push(tried.clone());
        self.names.insert(name, (*task, attempt));
        Some(tried)
    }

    fn free_name(&mut self, task: &TaskId) -> Option<TaskName> {
        let entry = self.entries.get(task)?;
        let own = &entry.task.name;
        let next_try = entry.tries.len() as u64 + 1;
        let mut name = if next_try == 1 {
            own.clone()
        } else {
            own.numbered(next_try)
        };
        while self.names.contains_key(&name) {
            self.names_given += 1;
            name = own.numbered(self.names_given);
        }
        Some(name)
    }

    /// Moves a task to another state and gives back the one it left; a terminal task does not move.
    pub fn set(&mut self, task: &TaskId, state: State) -> Option<State> {
        let entry = self
            .entries
            .get_mut(task)
            .filter(|entry| !entry.state.is_terminal())?;
        *self.counts.of(&entry.state) -= 1;
        *self.counts.of(&state) += 1;
        let ended = state.is_terminal();
        match state.lease() {
            Some(_) => self.leased.insert(*task),
            None => self.leased.remove(task),
        };
        let left = std::mem::replace(&mut entry.state, state);
        if ended {
            self.terminal.push_back(*task);
            self.forget_oldest();
        }
        Some(left)
    }

    fn forget_oldest(&mut self) {
        while self.terminal.len() > TERMINAL_MAX {
            let oldest = self
                .terminal
                .pop_front()
                .and_then(|task| self.entries.remove(&task));
            for tried in oldest.into_iter().flat_map(|entry| entry.tries) {
                self.names.remove(&tried.name);
            }
        }
    }
}
