//! A group that was put together and of which parts are tried again is put together anew, if nothing of it is lost by that.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use mutirao_actors::messages::TaskEnded;
use mutirao_actors::model;
use mutirao_actors::wire::report::TaskState;

use super::ending::{Ending, Told};
use super::{Assemblies, Assembly};
use crate::folders::places::Places;

/// Whether what was put together whole is replaced.
#[derive(Debug)]
pub enum Anew {
    /// No part of it is open again.
    No,
    /// By what is made of these results, below `results/`, and of what is still to come; none is one that is not remembered.
    Of(Vec<Option<String>>),
    /// Some parts are not remembered well enough.
    Forgotten,
}

impl Assembly {
    /// Whether each part is to come, is being put away (`unsettled`), or has ended.
    fn knows_all(&self, unsettled: &BTreeSet<u32>) -> bool {
        let is_known = |number: &u32| {
            self.ended.contains_key(number)
                || self.open.contains(number)
                || unsettled.contains(number)
                || self.older.find(*number).is_some()
        };
        (0..self.parts).all(|number| is_known(&number))
    }

    /// Of what it is made anew. Where the results of older parts lie is not remembered, nor whether they still do.
    pub(super) fn sources(&self, unsettled: &BTreeSet<u32>) -> Anew {
        if !self.older.is_empty() || !self.knows_all(unsettled) {
            return Anew::Forgotten;
        }
        let done = self.ended.values();
        let done = done.filter(|ending| ending.part.state == TaskState::Done);
        Anew::Of(done.map(|ending| ending.file.clone()).collect())
    }
}

impl Assemblies {
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
            let ending = part.and_then(|part| Ending::of(task, *part, &name, &end));
            if let Some(ending) = ending.filter(|ending| ending.parts == parts) {
                let number = ending.part.part;
                assembly.ended.entry(number).or_insert(ending.with(result));
            }
        }
        let unsettled = self.unsettled(&group);
        let mut before = self.groups.get_mut(&group);
        let older = before
            .as_mut()
            .map(|known| std::mem::take(&mut known.older));
        let is_told =
            |number| assembly.ended.contains_key(&number) || assembly.open.contains(&number);
        let older = older.unwrap_or_default().but(is_told);
        assembly.older = older;
        if !assembly.knows_all(&unsettled) {
            if let Some(before) = before {
                before.older = assembly.older;
            }
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
    pub(super) fn unsettled(&self, group: &str) -> BTreeSet<u32> {
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
}

/// Whether what was put together whole is made anew: if nothing of it is lost by that.
pub fn may_replace(places: &Places, folder: &Path, anew: &Anew) -> bool {
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
pub const TOO_MANY: &str = "so much has ended since that some parts are not remembered";

/// Says that what was put together stays, though parts are tried again.
pub fn stays(folder: &Path, why: &str) {
    tracing::warn!(
        "{} stays as it is, without what is tried again now: {why}; each of these results comes into results/ by itself",
        folder.display()
    );
}
