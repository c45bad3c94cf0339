//! Groups whose parts have ended are put together in `results/<group>/`: see [`crate::gather`].
//!
//! Rule: one job at a time, beside all other work, and only when a part's files lie where they belong. A group has its folder
//! since it was opened; where there is none, nobody wants it. After a restart a group that is not complete is made anew from
//! the parts that are remembered. One that is complete is not replaced by less: of that the results may be gone by then.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fs::File;
use std::io::{self, BufReader, ErrorKind};
use std::path::Path;
use std::sync::Arc;

use actix::Context;
use mutirao_actors::logic::effect::End;
use mutirao_actors::logic::record::Remembered;
use mutirao_actors::messages::{EndedPart, TaskEnded};
use mutirao_actors::model::{self, Digest, TaskId, TaskName};
use mutirao_actors::wire::report::TaskState;

use super::Folders;
use super::kept::Kept;
use super::places::Places;
use super::plans::FAILED;
use super::stay::Copies;
use crate::disk::{DiskError, OnDisk as _};
use crate::gather::{Gather, Part, Whole, is_complete_in};

/// Parts that one job puts in: a program that ends waits for the job.
const BATCH_MAX: usize = 64;

/// A part whose files may not lie where they belong yet.
#[derive(Debug, Clone)]
struct Ending {
    group: Arc<str>,
    parts: u32,
    name: TaskName,
    size: u32,
    part: Part,
    /// The file of its result, below `results/`.
    file: Option<String>,
}

/// Where a result lies, below `results/`, and its SHA-256; none if there is none.
type Told = Option<(String, Digest)>;

impl Ending {
    /// The same with its result.
    fn with(mut self, result: Told) -> Self {
        if let Some((file, sha256)) = result {
            self.part.result_sha256 = Some(sha256);
            self.file = Some(file);
        }
        self
    }
}

/// A group of which not all is put together.
#[derive(Debug)]
struct Assembly {
    parts: u32,
    /// What is put together; none before it is begun, and while it is being worked on.
    gather: Option<Box<Gather>>,
    /// Those that are not in; no more than the group has.
    ended: BTreeMap<u32, Ending>,
    /// The numbers of those that were open when it was to be made anew.
    open: BTreeSet<u32>,
    /// Which goes in next.
    next: u32,
    /// Whether what is put together already is of no use, for parts of it were tried again.
    is_anew: bool,
    /// Which making of it this is: what a job made of an earlier one is of no use either.
    turn: u64,
}

impl Assembly {
    /// Of so many parts, none of which has ended.
    fn of(parts: u32) -> Self {
        Self {
            parts,
            gather: None,
            ended: BTreeMap::new(),
            open: BTreeSet::new(),
            next: 0,
            is_anew: false,
            turn: 0,
        }
    }

    /// Of what it is made anew, when each part is to come, is being put away (`unsettled`), or has ended.
    fn sources(&self, unsettled: &BTreeSet<u32>) -> Anew {
        let is_known = |number: &u32| {
            self.ended.contains_key(number)
                || self.open.contains(number)
                || unsettled.contains(number)
        };
        if !(0..self.parts).all(|number| is_known(&number)) {
            return Anew::Forgotten;
        }
        let done = self.ended.values();
        let done = done.filter(|ending| ending.part.state == TaskState::Done);
        Anew::Of(done.map(|ending| ending.file.clone()).collect())
    }
}

/// Whether what was put together whole is replaced.
#[derive(Debug)]
enum Anew {
    /// No part of it is open again.
    No,
    /// By what is made of these results, below `results/`, and of what is still to come; none is one that is not remembered.
    Of(Vec<Option<String>>),
    /// Some parts are not remembered.
    Forgotten,
}

/// Groups that are put together, whose names are remembered: a part of one that is handed in again is passed over. One of an
/// older group is held until the next start, beside nothing else of it.
const OVER_MAX: usize = 10_000;

/// Groups that are not complete, no more than there are tasks, and the names of the newest that are.
#[derive(Debug, Default)]
pub(super) struct Assemblies {
    ending: HashMap<TaskId, Ending>,
    groups: HashMap<Arc<str>, Assembly>,
    /// Those of them that are over, the oldest first.
    over: VecDeque<Arc<str>>,
    /// Which have something to be put in, in turns: one that the disk refuses keeps no other waiting.
    due: VecDeque<Arc<str>>,
    is_busy: bool,
    last_turn: u64,
}

/// What a job is given: a group, of which parts are put in now.
struct Work {
    whole: Whole,
    turn: u64,
    anew: Anew,
    gather: Option<Box<Gather>>,
    batch: Vec<Ending>,
}

/// What a job made of a group.
enum Assembled {
    /// It goes on, with these that are not in.
    Open(Option<Box<Gather>>, Vec<Ending>),
    /// All is in, or nobody wants it.
    Over,
}

impl Assemblies {
    /// A part has ended, and its files are to be put where they belong.
    pub fn ends(&mut self, task: TaskId, ended: EndedPart, name: &TaskName, end: &End) {
        let ending = ending(task, ended, name, end);
        self.ending.extend(ending.map(|ending| (task, ending)));
    }

    /// Its files lie where they belong: of its result under this name.
    pub fn settled(&mut self, task: TaskId, result: Told) {
        let Some(ending) = self.ending.remove(&task) else {
            return;
        };
        let ending = ending.with(result);
        let group = Arc::clone(&ending.group);
        let assembly = self.groups.entry(Arc::clone(&group));
        let assembly = assembly.or_insert_with(|| Assembly::of(ending.parts));
        // Whoever hands a part in twice has the first one.
        if assembly.parts != ending.parts || ending.part.part < assembly.next {
            return;
        }
        assembly.ended.entry(ending.part.part).or_insert(ending);
        if assembly.ended.contains_key(&assembly.next) && !self.due.contains(&group) {
            self.due.push_back(group);
        }
    }

    /// The names of the groups that are known.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let ending = self.ending.values().map(|ending| &*ending.group);
        ending.chain(self.groups.keys().map(|group| &**group))
    }

    /// Parts of a group are open again that had ended, and these are open now: it is put together anew, of what has ended and of
    /// what ends from now on. Where parts are not remembered it stays as it is, for less would be made of it; whether it does not.
    pub fn reopen(
        &mut self,
        group: Arc<str>,
        parts: u32,
        open: BTreeSet<u32>,
        ended: Vec<(TaskEnded, Told)>,
    ) -> bool {
        self.last_turn += 1;
        let mut assembly = Assembly {
            is_anew: true,
            turn: self.last_turn,
            open,
            ..Assembly::of(parts)
        };
        for (ended, result) in ended {
            let TaskEnded {
                task,
                name,
                end,
                part,
            } = ended;
            let ending = part.and_then(|part| ending(task, *part, &name, &end));
            if let Some(ending) = ending.filter(|ending| ending.parts == parts) {
                let number = ending.part.part;
                assembly.ended.entry(number).or_insert(ending.with(result));
            }
        }
        if let Anew::Forgotten = assembly.sources(&self.unsettled(&group)) {
            return false;
        }
        self.over.retain(|over| *over != group);
        self.groups.insert(Arc::clone(&group), assembly);
        // Also when nothing can be put in: what is complete there is so no more.
        if !self.due.contains(&group) {
            self.due.push_back(group);
        }
        true
    }

    /// The parts of a group that have ended and whose files are not where they belong.
    fn unsettled(&self, group: &str) -> BTreeSet<u32> {
        let ending = self.ending.values();
        let ending = ending.filter(|ending| *ending.group == *group);
        ending.map(|ending| ending.part.part).collect()
    }

    /// A part is open in this life. If its group was complete in an earlier one, it was tried again.
    pub fn is_open(&mut self, group: &Arc<str>, part: model::Part) {
        let assembly = self.groups.entry(Arc::clone(group));
        let assembly = assembly.or_insert_with(|| Assembly::of(part.of()));
        assembly.open.insert(part.number());
        if !std::mem::replace(&mut assembly.is_anew, true) && !self.due.contains(group) {
            self.due.push_back(Arc::clone(group));
        }
    }

    /// A part that has ended in an earlier life.
    pub fn recall(&mut self, known: &Remembered, end: &End, kept: Option<&Kept>) {
        let Some(part) = known.task.part() else {
            return;
        };
        let ended = EndedPart {
            group: Arc::clone(&known.task.kind.group),
            part,
            sha256: known.task.sha256,
            size: known.task.size,
            peer: known.tries.last().map(|tried| tried.holder.peer.clone()),
            attempts: u32::try_from(known.tries.len()).unwrap_or(u32::MAX),
        };
        self.ends(known.task.id, ended, &known.task.name, end);
        if known.settled {
            let result = kept.map(|kept| (kept.file.clone(), kept.sha256));
            self.settled(known.task.id, result);
        }
    }

    /// The next work, if there is some and none is under way.
    fn begin(&mut self) -> Option<Work> {
        if self.is_busy {
            return None;
        }
        let group = self.due.pop_front()?;
        let anew = match self.groups.get(&group)? {
            assembly if assembly.is_anew && assembly.gather.is_none() => {
                assembly.sources(&self.unsettled(&group))
            }
            _ => Anew::No,
        };
        let assembly = self.groups.get_mut(&group)?;
        let mut batch = Vec::new();
        while batch.len() < BATCH_MAX
            && let Some(ending) = assembly.ended.remove(&assembly.next)
        {
            assembly.next += 1;
            batch.push(ending);
        }
        self.is_busy = true;
        let whole = Whole {
            group: group.to_string(),
            parts: assembly.parts,
        };
        Some(Work {
            whole,
            turn: assembly.turn,
            anew,
            gather: assembly.gather.take(),
            batch,
        })
    }

    /// A job has ended; what it left is due again, at once if all went well.
    fn ended(&mut self, group: &str, turn: u64, assembled: Assembled) {
        self.is_busy = false;
        let Some((group, assembly)) = self.groups.get_key_value(group) else {
            return;
        };
        if assembly.turn != turn {
            return;
        }
        let (group, parts) = (Arc::clone(group), assembly.parts);
        match assembled {
            Assembled::Over => {
                if let Some(assembly) = self.groups.get_mut(&group) {
                    assembly.next = parts;
                    assembly.ended = BTreeMap::new();
                    self.over.push_back(group);
                }
                if self.over.len() > OVER_MAX
                    && let Some(oldest) = self.over.pop_front()
                {
                    self.groups.remove(&oldest);
                }
            }
            Assembled::Open(gather, left) => {
                if let Some(assembly) = self.groups.get_mut(&group) {
                    assembly.is_anew &= gather.is_none();
                    assembly.gather = gather;
                    assembly.next -= u32::try_from(left.len()).unwrap_or_default();
                    let left = left.into_iter().map(|ending| (ending.part.part, ending));
                    assembly.ended.extend(left);
                    let is_due = assembly.ended.contains_key(&assembly.next)
                        || assembly.next == assembly.parts;
                    if is_due && !self.due.contains(&group) {
                        self.due.push_back(group);
                    }
                }
            }
        }
    }
}

impl Folders {
    /// Puts together what can be, unless that is being done.
    pub(super) fn assemble(&mut self, ctx: &mut Context<Self>) {
        let Some(work) = self.assemblies.begin() else {
            return;
        };
        let places = Arc::clone(&self.places);
        let (group, turn) = (work.whole.group.clone(), work.turn);
        let assemble = move || assemble(&places, work);
        self.work(ctx, assemble, move |desk, (assembled, trouble), ctx| {
            let folder = desk.places.results.join(&group);
            desk.troubles.hear("assemble", &folder, trouble.as_ref());
            desk.assemblies.ended(&group, turn, assembled);
            // Otherwise when the disk is tried again.
            if trouble.is_none() {
                desk.assemble(ctx);
            }
        });
    }
}

/// Puts these parts in, and shows what there is.
fn assemble(places: &Places, work: Work) -> (Assembled, Option<DiskError>) {
    let Work {
        whole,
        anew,
        gather,
        batch,
        ..
    } = work;
    let folder = places.results.join(&whole.group);
    let is_complete = gather.is_none() && is_complete_in(&folder);
    if !folder.is_dir() || (is_complete && !may_replace(places, &folder, &anew)) {
        return (Assembled::Over, None);
    }
    let begun = match gather {
        Some(gather) => Ok(gather),
        None if is_complete => Gather::begin_anew(&folder, whole).map(Box::new),
        None => Gather::begin(&folder, whole).map(Box::new),
    };
    let mut gather = match begun.on_disk("begin to put together", &folder) {
        Ok(gather) => gather,
        Err(error) => return (Assembled::Open(None, batch), Some(error)),
    };
    let mut left = batch.into_iter();
    let (mut trouble, mut failed) = (None, None);
    while let Some(ending) = left.as_slice().first() {
        match add(places, &mut gather, ending, &mut failed) {
            Ok(()) => drop(left.next()),
            Err(error) => {
                trouble = Some(error);
                break;
            }
        }
    }
    let shown = gather.show().on_disk("put together", &folder);
    let trouble = trouble.or(shown.err());
    match gather.is_complete() && trouble.is_none() {
        true => (Assembled::Over, None),
        false => (Assembled::Open(Some(gather), left.collect()), trouble),
    }
}

/// Whether what was put together whole is made anew: if nothing of it is lost by that.
fn may_replace(places: &Places, folder: &Path, anew: &Anew) -> bool {
    let is_there = |file: &Option<String>| {
        let path = file.as_ref().map(|file| places.results.join(file));
        path.is_some_and(|path| path.is_file())
    };
    match anew {
        Anew::No => false,
        Anew::Of(files) => match files.iter().find(|file| !is_there(file)) {
            None => true,
            Some(file) => {
                let file = file.as_deref().unwrap_or("a result");
                stays(folder, &format!("{file} is not in results/ any more"));
                false
            }
        },
        Anew::Forgotten => {
            stays(folder, TOO_MANY);
            false
        }
    }
}

/// Why a group cannot be put together anew.
pub(super) const TOO_MANY: &str = "so much has ended since that some parts are not remembered";

/// Says that what was put together stays, though parts are tried again.
pub(super) fn stays(folder: &Path, why: &str) {
    tracing::warn!(
        "{} stays as it is, without what is tried again now: {why}; each of these results comes into results/ by itself",
        folder.display()
    );
}

/// Puts a part in; `failed` is what lies where the ZIPs of those go that were not done, once that was needed.
fn add(
    places: &Places,
    gather: &mut Gather,
    ending: &Ending,
    failed: &mut Option<Copies>,
) -> Result<(), DiskError> {
    let open = |path: &Path| match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        opened => opened.map(|file| Some(BufReader::new(file))),
    };
    let result = match &ending.file {
        Some(file) => {
            let path = places.results.join(file);
            open(&path).on_disk("read", &path)?
        }
        None => None,
    };
    let task = match ending.part.state {
        TaskState::Done => None,
        _ => {
            let (name, size) = (ending.name.as_str(), u64::from(ending.size));
            let copies = match failed.take() {
                Some(copies) => copies,
                None => Copies::list(&places.volume, &[places.failed()])?,
            };
            let sha256 = ending.part.input_sha256;
            let found = failed
                .insert(copies)
                .find(&places.volume, name, size, sha256)?;
            let opened: io::Result<_> = found.as_deref().map_or(Ok(None), open);
            opened.on_disk("read", &places.failed())?
        }
    };
    let added = gather.add(&ending.part, result, task);
    added.on_disk("put together", &places.results.join(&*ending.group))
}

/// A part that has ended, if its group can have a folder.
fn ending(task: TaskId, ended: EndedPart, name: &TaskName, end: &End) -> Option<Ending> {
    // The last output of tasks that failed is kept there.
    let is_taken = &*ended.group == FAILED.trim_end_matches('/');
    if is_taken || TaskName::tamed(&ended.group).stem() != &*ended.group {
        return None;
    }
    let (state, reason) = told(end);
    let part = Part {
        part: ended.part.number(),
        task_id: task,
        state,
        peer: ended.peer,
        attempts: ended.attempts,
        input_sha256: ended.sha256,
        result_sha256: None,
        reason,
    };
    Some(Ending {
        group: ended.group,
        parts: ended.part.of(),
        name: name.clone(),
        size: ended.size,
        part,
        file: None,
    })
}

/// How it ended, as reports say it.
fn told(end: &End) -> (TaskState, Option<String>) {
    match end {
        End::Done => (TaskState::Done, None),
        End::Failed(why) => (TaskState::Failed, Some(why.clone())),
        End::Cancelled(why) => (TaskState::Cancelled, Some(why.clone())),
    }
}

#[cfg(test)]
mod tests;
