//! Why a task or a group waited, ran or failed at a moment of the past, from what its master wrote down.
//!
//! Rule: what the store tells is looked at with the same eyes as what a living master knows. Who was here stands in the message
//! log alone, so that is told only where the log reaches so far.

mod here;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::path::Path;

use jiff::Timestamp;
use mutirao_actors::logic::diagnosis::Diagnosis;
use mutirao_actors::logic::fault::Blame;
use mutirao_actors::logic::ledger::{Entry, State};
use mutirao_actors::model::{Moment, Part, PeerId, TaskId};
use mutirao_actors::wire::report::{
    Against, Findings, GroupReport, ReasonRow, TaskReport, TaskState, TryRow,
};

use crate::store::StoreError;
use crate::store::past::{Past, Seen};

/// Characters of an id that are enough to look for a task by its beginning, as the master takes it.
const ID_PART_MIN: usize = 4;

/// What was asked for.
#[derive(Debug)]
pub enum Told {
    /// A group.
    Group(GroupReport),
    /// A task.
    Task(TaskReport),
}

/// What all tasks together tell of that moment.
#[derive(Debug, Default)]
struct Scene {
    /// The newest task that goes by the name, and the group of which it is a part.
    task: Option<(TaskId, Option<String>)>,
    /// Whether a group does.
    is_group: bool,
    /// How many tasks ran where.
    running: BTreeMap<PeerId, u64>,
    /// Who was here, if that is known.
    here: Option<BTreeSet<String>>,
}

/// What goes by this name: a task, or else a group; `last` is the newest task of that time, or the group of which it is a part.
///
/// # Errors
/// When there is no store in this folder, or it cannot be read.
pub fn ask(root: &Path, what: &str, at: Timestamp) -> Result<Option<Told>, StoreError> {
    let past = Past::open(root, at)?;
    let mut scene = Scene::default();
    past.each(|seen| scene.see(what, &seen.entry))?;
    scene.here = here::at(root, at);
    let group = match scene.task.take() {
        Some((_, Some(group))) if what == "last" => group,
        Some((task, group)) => {
            let Some(entry) = past.one(task)? else {
                return Ok(None);
            };
            let beside = match &group {
                Some(group) => of_group(&past, group, Some(task))?,
                None => vec![entry.clone()],
            };
            return Ok(Some(Told::Task(scene.of_task(&past, &entry, &beside)?)));
        }
        None if scene.is_group => what.to_owned(),
        None => return Ok(None),
    };
    let entries = of_group(&past, &group, None)?;
    Ok(Some(Told::Group(scene.of_group(&past, group, &entries)?)))
}

/// Parts that were handed in under the name of a group between two times at which all of these had ended: a name may be used
/// again, every night for the same work.
#[derive(Debug, Default)]
struct Run {
    entries: Vec<Entry>,
    parts: u32,
    /// When parts ended that had not when the newest came.
    ends: BinaryHeap<Reverse<Moment>>,
    ended: u32,
}

impl Run {
    /// Whether all of it had ended by then; it is asked of later times only.
    fn is_over(&mut self, at: Moment) -> bool {
        while self.ends.peek().is_some_and(|Reverse(ended)| *ended <= at) {
            self.ends.pop();
            self.ended += 1;
        }
        self.parts > 0 && self.ended >= self.parts
    }

    fn add(&mut self, seen: Seen, part: Part) {
        self.parts = part.of();
        self.ends.extend(seen.ended_first.map(Reverse));
        self.entries.push(seen.entry);
    }

    fn has(&self, task: TaskId) -> bool {
        self.entries.iter().any(|entry| entry.task.id == task)
    }
}

/// The parts of the group of this name that came last, or together with one of them.
fn of_group(past: &Past, group: &str, with: Option<TaskId>) -> Result<Vec<Entry>, StoreError> {
    let (mut run, mut is_found) = (Run::default(), false);
    past.each(|seen| {
        let task = &seen.entry.task;
        let Some(part) = task.part().filter(|_| *task.kind.group == *group) else {
            return;
        };
        if !is_found && run.is_over(seen.adopted_at) {
            is_found = with.is_some_and(|task| run.has(task));
            if !is_found {
                run = Run::default();
            }
        }
        if !is_found {
            run.add(seen, part);
        }
    })?;
    Ok(run.entries)
}

impl Scene {
    /// Looks at one task.
    fn see(&mut self, what: &str, entry: &Entry) {
        let task = &entry.task;
        if let State::Leased(lease) = &entry.story.state {
            *self.running.entry(lease.holder.peer.clone()).or_default() += 1;
        }
        let is_part_of = task.part().map(|_| task.kind.group.as_ref().to_owned());
        self.is_group |= is_part_of.as_deref() == Some(what);
        let id = task.id.to_string();
        let begins = what.len() >= ID_PART_MIN && id.starts_with(what);
        let is_named = task.name.as_str() == what || task.name.stem() == what;
        let is_newest = self
            .task
            .as_ref()
            .is_none_or(|(newest, _)| task.id > *newest);
        if is_newest && (what == "last" || begins || is_named) {
            self.task = Some((task.id, is_part_of));
        }
    }

    fn of_task(
        &self,
        past: &Past,
        entry: &Entry,
        beside: &[Entry],
    ) -> Result<TaskReport, StoreError> {
        let mut diagnosis = Diagnosis::default();
        beside.iter().for_each(|entry| diagnosis.look_at(entry));
        let why = Findings {
            waits: self.waits(past, &[entry], beside)?,
            ..diagnosis.of_one(entry, past.now())
        };
        Ok(task_report(entry, why))
    }

    fn of_group(
        &self,
        past: &Past,
        group: String,
        entries: &[Entry],
    ) -> Result<GroupReport, StoreError> {
        let mut diagnosis = Diagnosis::default();
        entries.iter().for_each(|entry| diagnosis.look_at(entry));
        let all: Vec<_> = entries.iter().collect();
        let why = Findings {
            waits: self.waits(past, &all, entries)?,
            ..diagnosis.of_all(past.now())
        };
        let count = |state| {
            entries
                .iter()
                .filter(|entry| state_of(entry) == state)
                .count() as u64
        };
        let parts = entries.iter().find_map(|entry| entry.task.part());
        let parts = parts.map_or(0, Part::of);
        let (done, failed) = (count(TaskState::Done), count(TaskState::Failed));
        let cancelled = count(TaskState::Cancelled);
        Ok(GroupReport {
            group,
            parts,
            waiting: count(TaskState::Queued),
            running: count(TaskState::Leased),
            done,
            failed,
            cancelled,
            failures: Vec::new(),
            complete: done + failed + cancelled >= u64::from(parts),
            why: Some(Box::new(why)),
        })
    }

    /// What those of these waited for that did, each reason with how many.
    fn waits(
        &self,
        past: &Past,
        entries: &[&Entry],
        group: &[Entry],
    ) -> Result<Vec<ReasonRow>, StoreError> {
        let waited = |entry: &&&Entry| entry.story.state == State::Waiting;
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        let mut open = BTreeMap::new();
        for entry in entries.iter().filter(waited) {
            if let Some(before) = entry.task.kind.wishes.after
                && !open.contains_key(&before)
            {
                open.insert(before, open_name(past, before)?);
            }
            for reason in self.reasons(entry, &open, group) {
                *counts.entry(reason).or_default() += 1;
            }
        }
        let rows = counts.into_iter().map(|(reason, tasks)| ReasonRow {
            reason,
            tasks,
            help: None,
        });
        Ok(rows.collect())
    }

    fn reasons(
        &self,
        entry: &Entry,
        open: &BTreeMap<TaskId, Option<String>>,
        group: &[Entry],
    ) -> Vec<String> {
        let wishes = &entry.task.kind.wishes;
        let before = wishes.after.and_then(|before| open.get(&before)?.as_ref());
        if let Some(before) = before {
            return vec![format!("it waits for {before} to be done")];
        }
        if let Some(most) = wishes.max_running {
            let inside = |entry: &&Entry| state_of(entry) == TaskState::Leased;
            let inside = group.iter().filter(inside).count();
            if inside >= most.get() as usize {
                let group = &entry.task.kind.group;
                return vec![format!(
                    "of group {group} {inside} run, and at most {most} may"
                )];
            }
        }
        let failed = entry.story.failures > 0;
        let failed = failed.then(|| "it failed, and is to be tried again".to_owned());
        failed.into_iter().chain(self.peers()).collect()
    }

    /// What the peers did then.
    fn peers(&self) -> Vec<String> {
        let busy = self.running.len();
        let mut told = Vec::new();
        match (busy, &self.here) {
            (_, Some(here)) if here.is_empty() => told.push("no peer is here".to_owned()),
            (0, None) => {
                told.push("nothing runs anywhere: no peer is here, or none asks".to_owned())
            }
            (0, Some(_)) => {}
            (1, _) => told.push("1 peer is busy".to_owned()),
            _ => told.push(format!("{busy} peers are busy")),
        }
        if let Some(here) = &self.here {
            let is_busy = |peer: &&String| self.running.keys().any(|busy| busy.as_str() == **peer);
            match here.len() - here.iter().filter(is_busy).count() {
                0 => {}
                1 => told.push("1 peer is here and runs nothing".to_owned()),
                idle => told.push(format!("{idle} peers are here and run nothing")),
            }
        }
        told
    }
}

/// The name of a task that was not done then; none if it was, or is not known.
fn open_name(past: &Past, task: TaskId) -> Result<Option<String>, StoreError> {
    let entry = past.one(task)?;
    let open = entry.filter(|entry| state_of(entry) != TaskState::Done);
    Ok(open.map(|entry| entry.task.name.to_string()))
}

fn state_of(entry: &Entry) -> TaskState {
    match &entry.story.state {
        State::Waiting | State::Resting => TaskState::Queued,
        State::Leased(_) | State::Keeping { .. } => TaskState::Leased,
        State::Done { .. } => TaskState::Done,
        State::Failed { .. } => TaskState::Failed,
        State::Cancelled { .. } => TaskState::Cancelled,
    }
}

fn task_report(entry: &Entry, why: Findings) -> TaskReport {
    let (task, story) = (&entry.task, &*entry.story);
    let (reason, file, took) = match &story.state {
        State::Done { submitted, file } => (None, Some(file.clone()), Some(submitted.took)),
        State::Failed { why, output } => {
            let output = output.as_ref();
            let took = output.map(|(submitted, _)| submitted.took);
            (
                Some(why.clone()),
                output.map(|(_, file)| file.clone()),
                took,
            )
        }
        State::Cancelled { why } => (Some(why.clone()), None, None),
        _ => (story.trouble.clone(), None, None),
    };
    let part = task.part();
    let tries = story.tries.iter().map(|tried| TryRow {
        attempt: tried.attempt,
        peer_id: tried.holder.peer.clone(),
        ended: match (&tried.fault, &story.state) {
            (Some(fault), _) => fault.to_string(),
            (None, State::Leased(lease)) if lease.attempt == tried.attempt => "runs".into(),
            (None, State::Done { submitted, .. }) if submitted.attempt == tried.attempt => {
                "its result was taken".into()
            }
            (None, _) => "called off".into(),
        },
        against: tried.fault.as_ref().map(|fault| match fault.blame() {
            Blame::Run => Against::Task,
            Blame::Peer => Against::Peer,
            Blame::None => Against::Nobody,
        }),
    });
    TaskReport {
        task_id: task.id,
        task_name: task.name.clone(),
        state: state_of(entry),
        peer: story.tries.last().map(|tried| tried.holder.peer.clone()),
        attempts: u32::try_from(story.tries.len()).unwrap_or(u32::MAX),
        reason,
        result_file: file,
        took_ms: took.and_then(|took| u64::try_from(took.as_millis()).ok()),
        submitted_at: task.id.given_at(),
        started_at: None,
        ended_at: None,
        group: part.map(|_| task.kind.group.as_ref().to_owned()),
        part: part.map(Part::number),
        parts: part.map(Part::of),
        tries: tries.collect(),
        conflicts: Vec::new(),
        why: Some(Box::new(why)),
    }
}
