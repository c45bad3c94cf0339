//! Groups whose parts have ended are put together in `results/<group>/`: see [`crate::gather`].
//!
//! Rule: one job at a time, beside all other work, and only when a part's files lie where they belong. A group has its folder
//! since it was opened; where there is none, nobody wants it. After a restart a group that is not complete is made anew from
//! the parts that are remembered. One that is complete is not replaced by less: of that the results may be gone by then.

mod anew;
mod ending;
mod job;
mod older;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use actix::Context;
use mutirao_actors::logic::effect::End;
use mutirao_actors::logic::record::{OlderParts, Remembered};
use mutirao_actors::messages::EndedPart;
use mutirao_actors::model::{TaskId, TaskName};

use self::anew::Anew;
use self::ending::{Ending, Told};
use self::job::{Assembled, Work, assemble};
use self::older::{Next, Older};
use super::Folders;
use super::kept::Kept;
use crate::gather::{Gather, Whole};

pub(super) use anew::{TOO_MANY, stays};
pub use ending::folder_of;
pub(super) use job::nothing_is_to_come;

/// Parts that one job puts in: a program that ends waits for the job.
const BATCH_MAX: usize = 64;

/// A group of which not all is put together.
#[derive(Debug)]
struct Assembly {
    parts: u32,
    /// What is put together; none before it is begun, and while it is being worked on.
    gather: Option<Box<Gather>>,
    /// Those that are not in; no more than the group has.
    ended: BTreeMap<u32, Ending>,
    /// Those that ended in an earlier life, so long ago that they are not remembered.
    older: Older,
    /// The numbers of those that were open when it was to be made anew.
    open: BTreeSet<u32>,
    /// Which goes in next.
    next: u32,
    /// Whether all is in, or nobody wants it.
    is_over: bool,
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
            older: Older::default(),
            open: BTreeSet::new(),
            next: 0,
            is_over: false,
            is_anew: false,
            turn: 0,
        }
    }
}

/// How far a group is put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gathered {
    /// Parts that are in, or just being put in.
    pub parts_in: u32,
    /// Whether all is in, or nobody wants it.
    pub is_over: bool,
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

impl Assemblies {
    /// A part has ended, and its files are to be put where they belong.
    pub fn ends(&mut self, task: TaskId, ended: EndedPart, name: &TaskName, end: &End) {
        let ending = Ending::of(task, ended, name, end);
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

    /// How far a group is, if something is known of it.
    pub fn stands(&self, group: &str) -> Option<Gathered> {
        let mut ending = self.ending.values();
        let is_ending = ending.any(|ending| *ending.group == *group);
        let assembly = self.groups.get(group);
        (is_ending || assembly.is_some()).then(|| Gathered {
            parts_in: assembly.map_or(0, |assembly| assembly.next),
            is_over: !is_ending && assembly.is_some_and(|assembly| assembly.is_over),
        })
    }

    /// The names of the groups that are known.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let ending = self.ending.values().map(|ending| &*ending.group);
        ending.chain(self.groups.keys().map(|group| &**group))
    }

    /// A part that has ended in an earlier life.
    pub fn recall(&mut self, known: &Remembered, end: &End, kept: Option<&Kept>) {
        let Some((ended, result)) = older::told_of(known, kept) else {
            return;
        };
        self.ends(known.task.id, ended, &known.task.name, end);
        if known.settled {
            self.settled(known.task.id, result);
        }
    }

    /// Parts that ended in an earlier life, of which no more is remembered; said after all that is.
    pub fn recall_older(&mut self, parts: &OlderParts) {
        if folder_of(&parts.group).is_none() {
            return;
        }
        let unsettled = self.unsettled(&parts.group);
        let assembly = self.groups.entry(Arc::clone(&parts.group));
        let assembly = assembly.or_insert_with(|| Assembly::of(parts.parts));
        let is_known = |number| {
            assembly.ended.contains_key(&number)
                || assembly.open.contains(&number)
                || unsettled.contains(&number)
        };
        assembly.older = Older::of(&parts.tasks, is_known);
        if assembly.older.find(assembly.next).is_some() && !self.due.contains(&parts.group) {
            self.due.push_back(Arc::clone(&parts.group));
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
        while batch.len() < BATCH_MAX {
            let known = assembly.ended.remove(&assembly.next).map(Box::new);
            let (number, older) = (assembly.next, &assembly.older);
            let older = || older.find(number).map(|task| Next::Older(number, task));
            let Some(next) = known.map(Next::Known).or_else(older) else {
                break;
            };
            assembly.next += 1;
            batch.push(next);
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
                    assembly.is_over = true;
                    assembly.ended = BTreeMap::new();
                    assembly.older = Older::default();
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
                    // The older ones are found again.
                    let known = left.into_iter().filter_map(|next| match next {
                        Next::Known(ending) => Some((ending.part.part, *ending)),
                        Next::Older(..) => None,
                    });
                    assembly.ended.extend(known);
                    let is_due = assembly.ended.contains_key(&assembly.next)
                        || assembly.older.find(assembly.next).is_some()
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

#[cfg(test)]
mod tests;
