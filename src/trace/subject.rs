//! Which letters are about a task: those that name it, and the answers to them that name none.
//!
//! Rule: a name belongs to the task that it was given to last, for names come back and ids do not.

use std::collections::{BTreeSet, HashSet};

use serde_json::Value;

use super::body::{self, Named};
use super::record::Record;

/// Letters of those who look: nothing happens to the task, and a look that is repeated would hide what does.
const LOOKS: [&str; 16] = [
    "QueueDescribed",
    "PeerReported",
    "DescribeTask",
    "TaskDescribed",
    "TasksListed",
    "GroupDescribed",
    "ReadOutput",
    "ReaderLeft",
    "OutputTold",
    "FollowTask",
    "TaskStands",
    "FollowOutput",
    "OutputWithheld",
    "OutputCame",
    "SeePrinted",
    "PrintedSeen",
];
/// Shortest part of an id that is taken as one, in characters.
const ID_PART_MIN: usize = 4;
/// Letters of which an answer is known as one; the newest, for an answer comes soon or never.
const NAMING_MAX: usize = 10_000;

/// One task, or all tasks that go by one name.
#[derive(Debug)]
pub struct Subject {
    asked: String,
    ids: HashSet<String>,
    names: HashSet<String>,
    /// The letters of this run that name it.
    naming: BTreeSet<u64>,
}

impl Subject {
    /// The tasks with this id, beginning or end of an id, or name with or without `.zip`.
    pub fn of(asked: &str) -> Self {
        let asked = asked.trim_start_matches('…');
        Self {
            asked: asked.into(),
            ids: HashSet::new(),
            names: HashSet::from([asked.into(), format!("{asked}.zip")]),
            naming: BTreeSet::new(),
        }
    }

    /// Ids of the tasks that were named.
    pub fn tasks(&self) -> impl ExactSizeIterator<Item = &str> {
        self.ids.iter().map(String::as_str)
    }

    /// Another run begins: its numbers say nothing about the letters before.
    pub fn start_run(&mut self) {
        self.naming.clear();
    }

    /// Whether the letter is about it. Letters are to come in their order: names are learned where they are given.
    pub fn is_of(&mut self, record: &Record) -> bool {
        if LOOKS.contains(&record.kind.as_str()) {
            return false;
        }
        let text = record.body.get();
        let is_answer = record
            .cause
            .is_some_and(|cause| self.naming.contains(&cause));
        if !is_answer && !self.may_name(text) {
            return false;
        }
        let Ok(body) = serde_json::from_str::<Value>(text) else {
            return false;
        };
        let tasks = body::tasks(&body);
        let mut is_named = false;
        for task in &tasks {
            is_named |= self.learn(&record.kind, task);
        }
        is_named |= self.ids.iter().any(|id| text.contains(id));
        is_named |= tasks.is_empty() && self.has_name(text);
        if is_named {
            self.naming.insert(record.seq);
            if self.naming.len() > NAMING_MAX {
                self.naming.pop_first();
            }
        }
        is_named || is_answer && tasks.is_empty()
    }

    fn has_name(&self, text: &str) -> bool {
        let mut names = self.names.iter();
        names.any(|name| text.contains(&in_quotes(name)))
    }

    /// A cheap look that spares most letters the closer one.
    fn may_name(&self, text: &str) -> bool {
        let mut known = self.ids.iter().chain(&self.names);
        text.contains(&self.asked) || known.any(|word| text.contains(word))
    }

    /// Whether the task is one that is asked for; its names are learned where they are given.
    fn learn(&mut self, kind: &str, task: &Named) -> bool {
        let is_ours = self.ids.contains(&task.id) || self.is_asked(task);
        if is_ours {
            self.ids.insert(task.id.clone());
        }
        if let Some(name) = &task.name
            && matches!(kind, "TaskArrived" | "TaskOffered")
        {
            if is_ours {
                self.names.insert(name.clone());
            } else {
                self.names.remove(name);
            }
        }
        is_ours
    }

    fn is_asked(&self, task: &Named) -> bool {
        let is_part = self.asked.len() >= ID_PART_MIN;
        let by_id = task.id.starts_with(&self.asked) || task.id.ends_with(&self.asked);
        let by_name = task.name.as_ref().is_some_and(|name| {
            *name == self.asked || name.strip_suffix(".zip") == Some(self.asked.as_str())
        });
        is_part && by_id || by_name
    }
}

/// The name as it stands in JSON: none holds anything that would be escaped.
fn in_quotes(name: &str) -> String {
    format!("\"{name}\"")
}
