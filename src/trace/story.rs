//! The whole way of one task: every letter that is about it, and what caused those.

use std::collections::{HashMap, HashSet, VecDeque};

use super::filter::Filter;
use super::record::{Line, Record};
use super::subject::Subject;

/// Letters kept of a story: a task that is tried five times makes some hundred, so this is many tasks
/// of one name; the later ones are left out.
pub const STORY_MAX: usize = 10_000;
/// Letters in which a cause is looked for: some seconds of a very busy master in about 20 MB. A letter
/// waits in a mailbox or for a disk before it causes the next, and both take less.
pub const LOOKBACK_MAX: usize = 65_536;

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
}

/// The letters of one task, gathered while the log is read.
#[derive(Debug)]
pub struct Story {
    subject: Subject,
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
        Self {
            subject: Subject::of(asked),
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
        self.subject.tasks()
    }

    /// Letters that belong here and found no room.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Another run begins: its numbers say nothing about the letters before.
    pub fn start_run(&mut self) {
        self.run += 1;
        self.subject.start_run();
        self.places.clear();
        self.window.clear();
        self.window_order.clear();
    }

    /// Takes the next letter of the log; what has come into the story with it, causes first.
    pub fn hear(&mut self, record: Record, raw: &[u8]) -> &[Member] {
        let before = self.members.len();
        match self.subject.is_of(&record) {
            true => {
                self.fetch_causes(record.cause);
                self.join(record, raw.into());
            }
            false => self.remember(record.seq, raw),
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
            self.join(record, raw);
        }
    }

    fn join(&mut self, record: Record, raw: Box<[u8]>) {
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
