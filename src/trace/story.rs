//! The whole way of one task: every letter that names it, what caused those, and what answered them.
//!
//! Rule: a name belongs to the task that it was given to last, for names come back and ids do not.

use std::collections::{HashMap, HashSet, VecDeque};

use serde_json::Value;

use super::body::{self, Named};
use super::filter::Filter;
use super::record::{Line, Record};

/// Letters kept of a story: a task that is tried five times makes some hundred, so this is many tasks
/// of one name; the later ones are left out.
pub const STORY_MAX: usize = 10_000;
/// Letters in which a cause is looked for: some seconds of a very busy master in about 20 MB. A letter
/// waits in a mailbox or for a disk before it causes the next, and both take less.
pub const LOOKBACK_MAX: usize = 65_536;
/// Letters that list all that runs: somebody looked, and nothing happened to the task.
const OVERVIEWS: [&str; 2] = ["QueueDescribed", "PeerReported"];
/// Shortest part of an id that is taken as one, in characters.
const ID_PART_MIN: usize = 4;

/// A letter of the story.
#[derive(Debug)]
pub struct Member {
    /// The letter.
    pub record: Record,
    /// Its line as it was logged.
    pub raw: Box<[u8]>,
    /// How many letters of the story it follows from.
    pub depth: usize,
    run: u32,
    /// Where in the story its cause stands.
    parent: Option<usize>,
    bond: Bond,
}

/// Why a letter is in the story.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bond {
    /// It names the task.
    Names,
    /// It names no task, and a letter that does caused it: an answer.
    Answers,
    /// It caused one that belongs here.
    Causes,
}

/// The letters of one task, gathered while the log is read.
#[derive(Debug)]
pub struct Story {
    asked: String,
    ids: HashSet<String>,
    names: HashSet<String>,
    members: Vec<Member>,
    /// Where the letters of this run stand among the members, by their numbers.
    places: HashMap<u64, usize>,
    /// Lines of this run in which a cause may still be found, by their numbers.
    window: HashMap<u64, Box<[u8]>>,
    window_order: VecDeque<u64>,
    run: u32,
    left_out: u64,
}

impl Story {
    /// The story of the tasks with this id, beginning or end of an id, or name with or without `.zip`.
    pub fn of(asked: &str) -> Self {
        let asked = asked.trim_start_matches('…');
        Self {
            asked: asked.into(),
            ids: HashSet::new(),
            names: HashSet::from([asked.into(), format!("{asked}.zip")]),
            members: Vec::new(),
            places: HashMap::new(),
            window: HashMap::new(),
            window_order: VecDeque::new(),
            run: 0,
            left_out: 0,
        }
    }

    /// Ids of the tasks that it tells of.
    pub fn tasks(&self) -> impl ExactSizeIterator<Item = &str> {
        self.ids.iter().map(String::as_str)
    }

    /// Letters that belong here and found no room.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Another run begins: its numbers say nothing about the letters before.
    pub fn start_run(&mut self) {
        self.run += 1;
        self.places.clear();
        self.window.clear();
        self.window_order.clear();
    }

    /// Takes the next letter of the log; what has come into the story with it, causes first.
    pub fn hear(&mut self, record: Record, raw: &[u8]) -> &[Member] {
        let before = self.members.len();
        match self.bond(&record) {
            Some(bond) => {
                self.fetch_causes(record.cause);
                self.join(record, raw.into(), bond);
            }
            None => self.remember(record.seq, raw),
        }
        self.members.get(before..).unwrap_or_default()
    }

    /// All letters that the filter accepts, in their order and not indented.
    pub fn in_order(&self, filter: &mut Filter) -> Vec<(usize, &Member)> {
        let order = self.order(filter).into_iter();
        let members = order.filter_map(|place| self.members.get(place));
        members.map(|member| (0, member)).collect()
    }

    /// All letters that the filter accepts, each below its cause and indented by the number it stands with.
    pub fn as_tree(&self, filter: &mut Filter) -> Vec<(usize, &Member)> {
        let order = self.order(filter);
        let shown: HashSet<usize> = order.iter().copied().collect();
        let mut below: HashMap<Option<usize>, Vec<usize>> = HashMap::new();
        for place in order.iter().rev() {
            let parent = self.members.get(*place).and_then(|member| member.parent);
            let parent = parent.filter(|parent| shown.contains(parent));
            below.entry(parent).or_default().push(*place);
        }
        let mut tree = Vec::with_capacity(order.len());
        let roots = below.remove(&None).unwrap_or_default();
        let mut open: Vec<_> = roots.into_iter().map(|place| (0, place)).collect();
        while let Some((depth, place)) = open.pop() {
            tree.extend(self.members.get(place).map(|member| (depth, member)));
            let caused = below.remove(&Some(place)).unwrap_or_default();
            open.extend(caused.into_iter().map(|place| (depth + 1, place)));
        }
        tree
    }

    fn order(&self, filter: &mut Filter) -> Vec<usize> {
        let mut order: Vec<_> = self.members.iter().enumerate().collect();
        order.sort_by_key(|(_, member)| (member.run, member.record.seq));
        let mut run = 0;
        order.retain(|(_, member)| {
            if std::mem::replace(&mut run, member.run) != member.run {
                filter.start_run();
            }
            filter.accepts(&member.record)
        });
        order.into_iter().map(|(place, _)| place).collect()
    }

    /// Whether the letter belongs here by itself.
    fn bond(&mut self, record: &Record) -> Option<Bond> {
        if OVERVIEWS.contains(&record.kind.as_ref()) {
            return None;
        }
        let text = record.body.get();
        let cause = record.cause.and_then(|seq| self.places.get(&seq));
        let is_answer = cause
            .and_then(|place| self.members.get(*place))
            .is_some_and(|cause| cause.bond == Bond::Names);
        if !is_answer && !self.may_name(text) {
            return None;
        }
        let body: Value = serde_json::from_str(text).ok()?;
        let tasks = body::tasks(&body);
        let mut is_named = false;
        for task in &tasks {
            is_named |= self.learn(&record.kind, task);
        }
        if is_named || self.ids.iter().any(|id| text.contains(id)) {
            Some(Bond::Names)
        } else if !tasks.is_empty() {
            None
        } else if self
            .names
            .iter()
            .any(|name| text.contains(&in_quotes(name)))
        {
            Some(Bond::Names)
        } else {
            is_answer.then_some(Bond::Answers)
        }
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

    /// Brings in the letters that led here, as far back as they are remembered.
    fn fetch_causes(&mut self, mut cause: Option<u64>) {
        let mut chain = Vec::new();
        while let Some(raw) = cause.and_then(|seq| self.window.remove(&seq)) {
            let Ok(Line::Letter(record)) = Line::read(&raw) else {
                break;
            };
            cause = record.cause;
            chain.push((record, raw));
        }
        for (record, raw) in chain.into_iter().rev() {
            self.join(record, raw, Bond::Causes);
        }
    }

    fn join(&mut self, record: Record, raw: Box<[u8]>, bond: Bond) {
        if self.members.len() >= STORY_MAX {
            self.left_out += 1;
            return;
        }
        let parent = record.cause.and_then(|seq| self.places.get(&seq)).copied();
        let above = parent.and_then(|place| self.members.get(place));
        let depth = above.map_or(0, |member| member.depth + 1);
        self.places.insert(record.seq, self.members.len());
        self.members.push(Member {
            record,
            raw,
            depth,
            run: self.run,
            parent,
            bond,
        });
    }

    fn remember(&mut self, seq: u64, raw: &[u8]) {
        self.window.insert(seq, raw.into());
        self.window_order.push_back(seq);
        if self.window_order.len() > LOOKBACK_MAX
            && let Some(oldest) = self.window_order.pop_front()
        {
            self.window.remove(&oldest);
        }
    }
}

/// The name as it stands in JSON: none holds anything that would be escaped.
fn in_quotes(name: &str) -> String {
    format!("\"{name}\"")
}
