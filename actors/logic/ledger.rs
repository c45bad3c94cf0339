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
//! Somebody may want one that is Failed or Cancelled tried again: then it is Waiting, and its tries are forgiven.
//!
//! Invariants: a task has at most one lease; a terminal task has none and changes no more by itself; the counts
//! add up to the number of tasks that ever arrived.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

mod counts;
mod groups;
mod sweep;
mod terminal;

pub use counts::Counts;
pub use sweep::{FOUND_MAX, Meant, Sweep};

use super::fault::{Blame, Fault};
use super::line::Line;
use super::rare::{Rare, Untold};
use super::record::{Conflict, Fate, OlderParts, Record, Remembered};
use super::seats::{Seat, Seated, Seats};
use super::tallies::Tallies;
use super::when::{Times, When};
use crate::model::{Attempt, Digest, Endpoint, Moment, PeerId, Task, TaskId, TaskName};

/// Terminal tasks that are remembered, to recognise late results and to answer for them: some 50 MB.
pub const TERMINAL_MAX: usize = 100_000;

/// Tries of one task that are remembered, to recognise their results: more than any sound task needs, and
/// a task that is handed back without blame for ever stays small.
pub const TRIES_MAX: usize = 64;

/// Conflicting results of one task that are remembered: enough to see who sends them.
pub const CONFLICTS_MAX: usize = 16;

/// Shortest beginning of an id that is looked for: less is likelier the slip of a name.
const BEGINNING_MIN: usize = 4;

/// How a task stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum State {
    /// It is in the queue.
    #[default]
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
        /// What the last try handed in, and its file below `results/`.
        output: Option<(Submitted, String)>,
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

    /// Whether it is terminal and has no result: then it may be tried again.
    pub fn is_over_without_result(&self) -> bool {
        matches!(self, Self::Failed { .. } | Self::Cancelled { .. })
    }

    /// How the task ended, if it did.
    fn fate(&self) -> Option<Fate> {
        match self.clone() {
            Self::Done { submitted, file } => Some(Fate::Done { submitted, file }),
            Self::Failed { why, output } => Some(Fate::Failed { why, output }),
            Self::Cancelled { why } => Some(Fate::Cancelled { why }),
            Self::Waiting | Self::Resting | Self::Leased(_) | Self::Keeping { .. } => None,
        }
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
    /// Whether the holder has spoken of it in this life of the master.
    pub confirmed: bool,
}

/// A result that was handed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submitted {
    /// Of which try.
    pub attempt: Attempt,
    /// By whom.
    pub peer: PeerId,
    /// SHA-256 of the bytes as they were sent.
    pub sha256: Digest,
    /// How many bytes.
    pub size: u64,
    /// How long the run took, as the peer says or since the lease.
    pub took: Duration,
    /// Whether it is a success; else the last output of a failure, with its reason.
    pub failure: Option<Fault>,
}

/// A try that was handed out, kept to recognise its result whenever it comes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tried {
    /// Which.
    pub attempt: Attempt,
    /// The name under which it was handed out.
    pub name: TaskName,
    /// To whom.
    pub holder: Endpoint,
    /// Why it ended without a result that counts, if it did; a late result of it may still be taken.
    pub fault: Option<Fault>,
    /// How many of its results were refused.
    pub refusals: u8,
}

impl Tried {
    /// Whether the run failed by itself.
    pub fn has_failed(&self) -> bool {
        let fault = self.fault.as_ref();
        fault.is_some_and(|fault| fault.blame() == Blame::Run)
    }
}

/// A task with all that is known of it.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The task.
    pub task: Arc<Task>,
    /// What became of it; nothing is remembered of one that still waits for its first try.
    pub story: Rare<Story>,
}

/// What became of a task.
#[derive(Debug, Clone, Default)]
pub struct Story {
    /// How it stands.
    pub state: State,
    /// The newest tries that were handed out, oldest first.
    pub tries: Vec<Tried>,
    /// Tries that failed by themselves.
    pub failures: u32,
    /// Tries whose peer was lost.
    pub losses: u32,
    /// Results that came and are not the one that was taken; at most [`CONFLICTS_MAX`], the first ones.
    pub conflicts: Vec<Conflict>,
    /// Peers that should not get it while others are here, each until a moment.
    pub avoided: Vec<(PeerId, Moment)>,
    /// Until when it waits for a peer that is busy, rather than go to one that should not get it.
    pub patient_until: Moment,
    /// What went wrong last, in words for a reader.
    pub trouble: Option<String>,
    /// When.
    pub times: Times,
}

impl Untold for Story {
    fn untold() -> &'static Self {
        static UNTOLD: Story = Story {
            state: State::Waiting,
            tries: Vec::new(),
            failures: 0,
            losses: 0,
            conflicts: Vec::new(),
            avoided: Vec::new(),
            patient_until: Moment(0),
            trouble: None,
            times: Times::UNKNOWN,
        };
        &UNTOLD
    }
}

impl Story {
    /// A try of it, if it is remembered.
    pub fn tried(&self, attempt: Attempt) -> Option<&Tried> {
        self.tries.iter().find(|tried| tried.attempt == attempt)
    }

    /// The same, to change it.
    pub fn tried_mut(&mut self, attempt: Attempt) -> Option<&mut Tried> {
        self.tries.iter_mut().find(|tried| tried.attempt == attempt)
    }

    /// As if nothing had gone wrong yet: only the tries are remembered, for a result of theirs may still come.
    fn forgive(&mut self) {
        for tried in &mut self.tries {
            tried.fault = tried.fault.take().map(Fault::forgiven);
        }
        (self.failures, self.losses, self.trouble) = (0, 0, None);
        self.avoided = Vec::new();
        self.patient_until = Moment::default();
        self.times.ended = When::Unknown;
    }

    /// Gives back what is not used; nothing more will come.
    fn close(&mut self) {
        self.avoided = Vec::new();
        self.tries.shrink_to_fit();
        self.conflicts.shrink_to_fit();
    }
}

impl Seated for Entry {
    type Key = TaskId;

    fn key(&self) -> &TaskId {
        &self.task.id
    }
}

/// All tasks.
#[derive(Debug, Default)]
pub struct Ledger {
    entries: Seats<Entry>,
    names: HashMap<TaskName, (TaskId, Attempt)>,
    leased: BTreeSet<TaskId>,
    /// In the order in which they ended.
    terminal: Line,
    /// Those of them that were cancelled, each behind the one for which it was to wait.
    cancelled_after: BTreeSet<(TaskId, TaskId)>,
    counts: Counts,
    tallies: Tallies,
    names_given: u64,
    conflicts: u64,
    /// What happened since it was last taken out to be written down.
    news: Vec<Record>,
}

impl Ledger {
    /// How many results came that are not the one that was taken, of the tasks that are remembered.
    pub fn conflicts(&self) -> u64 {
        self.conflicts
    }

    /// How many tasks stand how, of all that ever arrived.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// What happened since this was last asked, to be written down.
    pub fn take_news(&mut self) -> Vec<Record> {
        std::mem::take(&mut self.news)
    }

    /// Has it written down with what happens to the tasks, in its order.
    pub fn note(&mut self, record: Record) {
        self.news.push(record);
    }

    /// Takes a new task in, which was written down before; whether it is new.
    pub fn insert(&mut self, task: Arc<Task>) -> bool {
        if self.entries.find(&task.id).is_some() {
            return false;
        }
        self.counts.queued += 1;
        self.tallies.add(&task, &State::Waiting);
        self.seat_it(task, Rare::default());
        true
    }

    /// Where a task sits; nobody else does until it is forgotten, and a task is not forgotten before it is terminal.
    pub fn seat(&self, task: &TaskId) -> Option<Seat> {
        self.entries.find(task)
    }

    /// Who sits there.
    pub fn at(&self, seat: Seat) -> Option<&Entry> {
        self.entries.at(seat)
    }

    /// What is known of a task.
    pub fn get(&self, task: &TaskId) -> Option<&Entry> {
        self.entries.get(task)
    }

    /// How the parts of each group stand.
    pub fn tallies(&self) -> &Tallies {
        &self.tallies
    }

    /// The newest task of this name, or of any; looks at every task.
    pub fn newest(&self, name: Option<&TaskName>) -> Option<&Entry> {
        let named = |entry: &&Entry| name.is_none_or(|name| entry.task.name == *name);
        let named = self.entries.iter().filter(named);
        named.max_by_key(|entry| entry.task.id)
    }

    /// The task whose id begins so, if that is the beginning of one: hexadecimal, with the dashes of ids. Looks at every
    /// task.
    ///
    /// # Errors
    /// How many there are, if more than one is.
    pub fn beginning(&self, id: &str) -> Result<Option<&Entry>, usize> {
        let is_of_id = |c: char| c.is_ascii_hexdigit() || c == '-';
        if id.len() < BEGINNING_MIN || !id.chars().all(is_of_id) {
            return Ok(None);
        }
        let mut spelled = [0; uuid::fmt::Hyphenated::LENGTH];
        let mut begins = |entry: &&Entry| {
            let whole = entry.task.id.0.as_hyphenated().encode_lower(&mut spelled);
            let begins = whole.as_bytes().get(..id.len());
            begins.is_some_and(|begins| begins.eq_ignore_ascii_case(id.as_bytes()))
        };
        let mut found = self.entries.iter().filter(|entry| begins(entry));
        match (found.next(), found.count()) {
            (first, 0) => Ok(first),
            (_, more) => Err(more + 1),
        }
    }

    /// The newest tasks that are wanted, of those that came before one, newest first; looks at every task.
    pub fn page(
        &self,
        before: Option<TaskId>,
        limit: usize,
        is_wanted: impl Fn(&Entry) -> bool,
    ) -> Vec<&Entry> {
        let mut page = BTreeMap::new();
        for entry in self.entries.iter() {
            let id = entry.task.id;
            let is_older = before.is_none_or(|before| id < before);
            let is_full = page.len() == limit;
            let is_newer = page
                .first_key_value()
                .is_some_and(|(oldest, _)| id > *oldest);
            if is_older && (!is_full || is_newer) && is_wanted(entry) {
                page.insert(id, entry);
                if is_full {
                    page.pop_first();
                }
            }
        }
        page.into_values().rev().collect()
    }

    /// What became of a task, to change all but its state.
    pub fn get_mut(&mut self, task: &TaskId) -> Option<&mut Story> {
        Some(self.entries.get_mut(task)?.story.told())
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
        let entry = self.entries.get_mut(task)?;
        let story = entry.story.told();
        let last = story.tries.last().map_or(0, |last| last.attempt.0);
        let attempt = Attempt(last.saturating_add(1));
        let own = &entry.task.name;
        let mut name = match attempt {
            Attempt(1) => own.clone(),
            Attempt(number) => own.numbered(number.into()),
        };
        while self.names.contains_key(&name) {
            self.names_given += 1;
            name = own.numbered(self.names_given);
        }
        let tried = Tried {
            attempt,
            name: name.clone(),
            holder: holder.clone(),
            fault: None,
            refusals: 0,
        };
        if story.tries.len() >= TRIES_MAX {
            let oldest = story.tries.remove(0);
            self.names.remove(&oldest.name);
        }
        // Most tasks have one try, and a million may run.
        story.tries.reserve_exact(1);
        story.tries.push(tried.clone());
        self.names.insert(name.clone(), (*task, attempt));
        self.news.push(Record::Leased {
            task: *task,
            attempt,
            name,
            holder: holder.clone(),
        });
        Some(tried)
    }

    /// A peer goes on with a try that was believed over, perhaps in another life.
    pub fn take_up(&mut self, task: &TaskId, attempt: Attempt, holder: &Endpoint) {
        let story = self.get_mut(task);
        let Some(tried) = story.and_then(|story| story.tried_mut(attempt)) else {
            return;
        };
        (tried.fault, tried.holder) = (None, holder.clone());
        self.news.push(Record::TakenUp {
            task: *task,
            attempt,
            holder: holder.clone(),
        });
    }

    /// Writes down that a try ended without a result that counts, and counts it.
    pub fn end_try(&mut self, task: &TaskId, attempt: Attempt, fault: Fault) {
        let Some(story) = self.get_mut(task) else {
            return;
        };
        match fault.blame() {
            Blame::Run => story.failures += 1,
            Blame::Peer => story.losses += 1,
            Blame::None => {}
        }
        if let Some(tried) = story.tried_mut(attempt) {
            tried.fault = Some(fault.clone());
        }
        self.news.push(Record::TryEnded {
            task: *task,
            attempt,
            fault,
        });
    }

    /// Writes down that a result came which is not the one that was taken.
    pub fn conflict(&mut self, task: &TaskId, conflict: Conflict) {
        let Some(story) = self.get_mut(task) else {
            return;
        };
        if story.conflicts.contains(&conflict) || story.conflicts.len() >= CONFLICTS_MAX {
            return;
        }
        story.conflicts.push(conflict.clone());
        self.conflicts += 1;
        let Conflict {
            attempt,
            peer,
            sha256,
        } = conflict;
        self.news.push(Record::Conflict {
            task: *task,
            attempt,
            peer,
            sha256,
        });
    }

    /// Counts the terminal tasks of earlier lives that are not remembered themselves, and which of them were parts.
    pub fn count_forgotten(&mut self, forgotten: Counts, parts: &[OlderParts]) {
        for older in parts {
            self.tallies.count_forgotten(&older.group, older.counts);
        }
        self.counts.done += forgotten.done;
        self.counts.failed += forgotten.failed;
        self.counts.cancelled += forgotten.cancelled;
    }

    /// So many tasks are about to be taken in.
    pub fn expect(&mut self, count: usize) {
        self.entries.reserve(count);
    }

    /// Takes a task in as the records gave it back; `state` is what its fate comes to in this life. Tells where it sits.
    pub fn restore(&mut self, remembered: &Remembered, state: State) -> Option<Seat> {
        let (task, tries) = (
            Arc::clone(&remembered.task),
            remembered.course.tries.clone(),
        );
        let conflicts = remembered.course.conflicts.clone();
        let id = task.id;
        let blamed = |blame| {
            let faults = tries.iter().filter_map(|tried| tried.fault.as_ref());
            let count = faults.filter(|fault| fault.blame() == blame).count();
            u32::try_from(count).unwrap_or(u32::MAX)
        };
        let last_fault = tries
            .iter()
            .rev()
            .find_map(|tried| Some(tried.fault.as_ref()?.on(&tried.holder.peer)));
        for tried in &tries {
            self.names.insert(tried.name.clone(), (id, tried.attempt));
        }
        if state.lease().is_some() {
            self.leased.insert(id);
        }
        *self.counts.of(&state) += 1;
        self.tallies.add(&task, &state);
        self.conflicts += conflicts.len() as u64;
        let mut story = Rare::<Story>::default();
        if state != State::Waiting || !tries.is_empty() || !conflicts.is_empty() {
            *story.told() = Story {
                failures: blamed(Blame::Run),
                losses: blamed(Blame::Peer),
                trouble: last_fault,
                times: Times::earlier(remembered),
                state,
                tries,
                conflicts,
                ..Story::default()
            };
        }
        let seat = self.seat_it(task, story);
        self.has_ended(&id);
        seat
    }

    /// Moves a task to another state and gives back the one it left; a terminal task does not move.
    pub fn set(&mut self, task: &TaskId, state: State) -> Option<State> {
        let entry = self
            .entries
            .get_mut(task)
            .filter(|entry| !entry.story.state.is_terminal())?;
        let story = entry.story.told();
        *self.counts.of(&story.state) -= 1;
        *self.counts.of(&state) += 1;
        self.tallies.moved(&entry.task, &story.state, &state);
        let ended = state.is_terminal();
        match state.lease() {
            Some(_) => self.leased.insert(*task),
            None => self.leased.remove(task),
        };
        let left = std::mem::replace(&mut story.state, state);
        if let Some(fate) = story.state.fate() {
            self.news.push(Record::Ended { task: *task, fate });
        }
        if ended {
            story.close();
            self.has_ended(task);
        }
        Some(left)
    }
}

#[cfg(test)]
mod tests;
