//! What a run promised, held against what is left of it.
//!
//! Rule: the checker believes only what was seen outside the master: receipts, acks, commits, and the bytes on its disk
//! after the power was cut once more.

mod evidence;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use mutirao_actors::logic::record::{Fate, Remembered};
use mutirao_actors::model::Digest;

use crate::work::{Book, Habit};

pub use evidence::{Dropped, Evidence};
pub use verdict::Verdict;

/// The checker at work.
struct Check<'a> {
    seen: &'a Evidence,
    book: &'a Book,
    /// What lies in `results/`, without what failed: by name.
    results: BTreeMap<String, Digest>,
    verdict: Verdict,
}

/// Holds what was promised against what was seen.
pub fn check(seen: &Evidence, book: &Book) -> Verdict {
    let results = seen
        .files
        .iter()
        .filter(|(path, _)| path.parent() == Some(Path::new("results")));
    let results = results.map(|(path, bytes)| {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        (name, Digest::of(bytes))
    });
    let mut check = Check {
        seen,
        book,
        results: results.collect(),
        verdict: Verdict::default(),
    };
    check.nothing_broke();
    check.every_task_is_known();
    check.every_task_is_terminal();
    check.what_was_acked_is_there();
    check.one_result_each();
    check.calm_runs_once();
    check.verdict
}

impl Check<'_> {
    fn wrong(&mut self, why: String) {
        self.verdict.violations.push(why);
    }

    fn nothing_broke(&mut self) {
        if self.seen.panics > 0 {
            self.wrong(format!("{} panics", self.seen.panics));
        }
        for damage in &self.seen.damage {
            self.wrong(format!("the store is damaged: {damage}"));
        }
        for strange in &self.book.strange {
            self.verdict.findings.unexpected += 1;
            self.wrong(format!(
                "unexpected: a ZIP was handed out that nobody put in: {strange}"
            ));
        }
    }

    /// R1.
    fn every_task_is_known(&mut self) {
        for (id, name) in &self.seen.accepted {
            if !self.seen.recalled.contains_key(id) {
                self.verdict.findings.lost += 1;
                self.wrong(format!("lost: {name} was accepted as {id}"));
            }
        }
        for id in &self.seen.adopted {
            if !self.seen.recalled.contains_key(id) {
                self.verdict.findings.lost += 1;
                self.wrong(format!("lost: {id} was adopted"));
            }
        }
        for dropped in &self.seen.dropped {
            let known = self.seen.recalled.values();
            let times = known.filter(|known| known.task.sha256 == dropped.zip);
            let (times, name) = (times.count(), &dropped.name);
            if times == 0 && dropped.is_flushed {
                self.verdict.findings.lost += 1;
                self.wrong(format!("lost: {name} was put into tasks/, and is no task"));
            } else if times > 1 {
                self.verdict.findings.duplicated += 1;
                self.wrong(format!(
                    "duplicated: {name} was put into tasks/ once, and is {times} tasks"
                ));
            }
        }
    }

    /// R4.
    fn every_task_is_terminal(&mut self) {
        let before = self.verdict.violations.len();
        for (id, known) in &self.seen.recalled {
            if !known.course.fate.is_terminal() {
                self.wrong(format!(
                    "stuck: {} ({id}) is {:?}; tries: {:?}",
                    known.task.name, known.course.fate, known.course.tries
                ));
            } else if !known.settled {
                self.wrong(format!(
                    "stuck: the files of {} ({id}) were not put away: {:?}",
                    known.task.name, known.course.fate
                ));
            }
        }
        if let Some(why) = self
            .seen
            .unfinished
            .as_ref()
            .filter(|_| self.verdict.violations.len() == before)
        {
            self.wrong(format!("stuck: {why}"));
        }
        self.verdict.tasks = self.seen.recalled.len() as u64;
        self.verdict.executions = self.book.runs.values().map(|runs| u64::from(*runs)).sum();
    }

    /// R2.
    fn what_was_acked_is_there(&mut self) {
        let mut done = BTreeSet::new();
        for known in self.seen.recalled.values() {
            if let Fate::Done { submitted, file } = &known.course.fate {
                let lies = self.results.get(file) == Some(&submitted.sha256);
                let waits = !known.settled && self.lies_somewhere(submitted.sha256);
                if lies || waits {
                    done.insert(submitted.sha256);
                } else {
                    self.verdict.findings.acked_then_lost += 1;
                    self.wrong(format!(
                        "acked-then-lost: {} is done, and results/{file} is not its result",
                        known.task.name
                    ));
                }
            }
            self.verdict.findings.conflicts += known.course.conflicts.len() as u64;
        }
        let mut acked = BTreeSet::new();
        for ack in &self.seen.acks {
            acked.insert(ack.sha256);
            match self.book.made.get(&ack.sha256) {
                Some(made) if made.success && !done.contains(&ack.sha256) => {
                    self.verdict.findings.acked_then_lost += 1;
                    self.wrong(format!(
                        "acked-then-lost: a result of {} ({:?})",
                        made.of, ack.of
                    ));
                }
                Some(_) => {}
                None => {
                    self.verdict.findings.unexpected += 1;
                    self.wrong(format!(
                        "unexpected: OK for what nobody made: {}",
                        ack.sha256
                    ));
                }
            }
        }
        self.verdict.findings.recovered = done.difference(&acked).count() as u64;
    }

    fn lies_somewhere(&self, sha256: Digest) -> bool {
        let mut files = self.seen.files.iter();
        files.any(|(_, bytes)| Digest::of(bytes) == sha256)
    }

    /// R3, and that each result is its own task's.
    fn one_result_each(&mut self) {
        let mut owned = BTreeSet::new();
        for known in self.seen.recalled.values() {
            let Fate::Done { submitted, file } = &known.course.fate else {
                if let Fate::Cancelled { why } = &known.course.fate {
                    self.verdict.findings.lost += 1;
                    self.wrong(format!(
                        "lost: {} is cancelled, and nobody cancelled it: {why}",
                        known.task.name
                    ));
                }
                if self.would_succeed(known) && matches!(known.course.fate, Fate::Failed { .. }) {
                    self.verdict.unlucky += 1;
                }
                continue;
            };
            if !owned.insert(file.clone()) {
                self.verdict.findings.duplicated += 1;
                self.wrong(format!("duplicated: two tasks own results/{file}"));
            }
            let piece = self
                .book
                .pieces
                .get(&known.task.sha256)
                .map(|piece| piece.name.clone());
            match self.book.made.get(&submitted.sha256) {
                Some(made) if Some(&made.of) == piece.as_ref() && made.success => {}
                made => {
                    self.verdict.findings.unexpected += 1;
                    self.wrong(format!(
                        "unexpected: the result of {} is {made:?}",
                        known.task.name
                    ));
                }
            }
        }
        for (file, sha256) in self.results.clone() {
            if owned.contains(&file) || !file.ends_with(".zip") {
                continue;
            }
            match self.book.made.get(&sha256) {
                Some(made) => {
                    let of = made.of.clone();
                    self.verdict.findings.duplicated += 1;
                    self.wrong(format!(
                        "duplicated: results/{file} is another result of {of}"
                    ));
                }
                None => {
                    self.verdict.findings.unexpected += 1;
                    self.wrong(format!("unexpected: results/{file} is no result"));
                }
            }
        }
    }

    fn would_succeed(&self, known: &Remembered) -> bool {
        let piece = self.book.pieces.get(&known.task.sha256);
        piece.is_some_and(|piece| piece.habit == Habit::Succeeds)
    }

    /// Without faults everything runs once, and ends as it is made to.
    fn calm_runs_once(&mut self) {
        let kills = |habit| matches!(habit, Habit::KillsItsPeer(_));
        let is_calm =
            self.seen.is_calm && !self.book.pieces.values().any(|piece| kills(piece.habit));
        if !is_calm {
            return;
        }
        for known in self.seen.recalled.values() {
            let Some(piece) = self.book.pieces.get(&known.task.sha256) else {
                continue;
            };
            let (name, runs) = (&piece.name, self.book.runs.get(&piece.name));
            if piece.habit == Habit::Succeeds && runs != Some(&1) {
                let why = format!("{name} ran {runs:?} times although nothing went wrong");
                self.verdict.violations.push(why);
            }
            let is_done = matches!(known.course.fate, Fate::Done { .. });
            let is_doomed = matches!(piece.habit, Habit::Fails | Habit::Hangs);
            if is_done == is_doomed {
                let why = format!(
                    "{name} {:?}, and is {:?} although nothing went wrong",
                    piece.habit, known.course.fate
                );
                self.verdict.violations.push(why);
            }
        }
    }
}
