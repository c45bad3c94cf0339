//! What came of changing tasks and groups: told to a reader thing by thing as it is done, and to a program as one object in
//! the end.
//!
//! Rule: what was done is told even if the command then ends with an error, for it stays done.

use std::io::{self, Write as _};
use std::process::ExitCode;

use mutirao_actors::model::{TaskId, TaskName};
use mutirao_actors::wire::report::{GroupReport, Sought, SweepReport};
use serde::Serialize;

use super::select::{Asked, NotFound};
use super::telling::{Outcome, Telling, code};

/// What was asked, and what came of it; with `--json`, exactly this is printed.
#[derive(Debug, Serialize)]
pub struct Account {
    asked: Asked,
    /// Why it is wanted, if that was said.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// How many tasks are cancelled, or are tried again, by this.
    changed: u64,
    /// How many were meant and are not.
    left: u64,
    groups: Vec<GroupRow>,
    tasks: Vec<TaskRow>,
    /// What the master chose by itself.
    others: Vec<OthersRow>,
    /// What kept the rest from being done.
    error: Option<String>,
    #[serde(skip)]
    is_well: bool,
    #[serde(skip)]
    is_any: bool,
    #[serde(skip)]
    telling: Telling,
}

/// What came of a group as a whole.
#[derive(Debug, Serialize)]
struct GroupRow {
    group: String,
    changed: u64,
    left: u64,
    /// Why something is left.
    reason: Option<String>,
    /// How its parts stand now; none if the master would not.
    report: Option<GroupReport>,
}

/// What came of a task.
#[derive(Debug, Serialize)]
struct TaskRow {
    task_id: TaskId,
    task_name: String,
    is_changed: bool,
    /// Why not.
    reason: Option<String>,
}

/// What came of the tasks that are like this.
#[derive(Debug, Serialize)]
struct OthersRow {
    sought: Sought,
    changed: u64,
    left: u64,
    /// Some of those that are left.
    examples: Vec<TaskName>,
    /// Why these are.
    reason: Option<String>,
}

/// What is told a reader of one thing: what was done to it, and what was not.
#[derive(Debug, Default)]
pub struct Words {
    /// What was done.
    pub done: Option<String>,
    /// What was not, and why.
    pub left: Option<String>,
}

/// What came of one task, in words for a reader.
#[derive(Debug)]
pub enum Came {
    /// It is as it was wanted now.
    Changed(String),
    /// It was so before.
    Was(String),
    /// It is not.
    Left(String),
}

impl Words {
    /// All of it was done.
    pub fn done(words: String) -> Self {
        Self {
            done: Some(words),
            left: None,
        }
    }

    /// Nothing of it was.
    fn left(words: String) -> Self {
        Self {
            done: None,
            left: Some(words),
        }
    }
}

impl Account {
    /// Of what was asked, before anything is done.
    pub fn of(asked: Asked, reason: Option<&str>, telling: Telling) -> Self {
        Self {
            asked,
            reason: reason.map(str::to_owned),
            changed: 0,
            left: 0,
            groups: Vec::new(),
            tasks: Vec::new(),
            others: Vec::new(),
            error: None,
            is_well: true,
            is_any: false,
            telling,
        }
    }

    /// What came of a task.
    ///
    /// # Errors
    /// When nobody reads what we print.
    pub fn task(&mut self, task_id: TaskId, name: &str, came: Came) -> io::Result<()> {
        let (changed, left) = match &came {
            Came::Changed(_) => (1, 0),
            Came::Was(_) => (0, 0),
            Came::Left(_) => (0, 1),
        };
        let (reason, words) = match came {
            Came::Changed(words) => (None, Words::done(words)),
            Came::Was(words) => (Some(words.clone()), Words::done(words)),
            Came::Left(words) => (Some(words.clone()), Words::left(words)),
        };
        if self.telling.is_json() {
            self.tasks.push(TaskRow {
                task_id,
                task_name: name.to_owned(),
                is_changed: changed > 0,
                reason,
            });
        }
        self.count(changed, left);
        self.tell(&words)
    }

    /// How many parts of a group are changed and left, and how it stands now.
    ///
    /// # Errors
    /// When nobody reads what we print.
    pub fn group(
        &mut self,
        report: GroupReport,
        (changed, left): (u64, u64),
        words: &Words,
    ) -> io::Result<()> {
        if self.telling.is_json() {
            self.groups.push(GroupRow {
                group: report.group.clone(),
                changed,
                left,
                reason: words.left.clone(),
                report: Some(report),
            });
        }
        self.count(changed, left);
        self.tell(words)
    }

    /// Why the master changes nothing of a group.
    ///
    /// # Errors
    /// When nobody reads what we print.
    pub fn refused_group(&mut self, group: &str, why: String) -> io::Result<()> {
        let words = Words::left(why);
        if self.telling.is_json() {
            self.groups.push(GroupRow {
                group: group.to_owned(),
                changed: 0,
                left: 0,
                reason: words.left.clone(),
                report: None,
            });
        }
        self.is_any = true;
        self.is_well = false;
        self.tell(&words)
    }

    /// What came of the tasks that the master chose by itself; of none nothing is told.
    ///
    /// # Errors
    /// When nobody reads what we print.
    pub fn others(&mut self, sought: Sought, swept: SweepReport, words: &Words) -> io::Result<()> {
        let (changed, left) = (swept.tasks, swept.left);
        if changed == 0 && left == 0 {
            return Ok(());
        }
        if self.telling.is_json() {
            self.others.push(OthersRow {
                sought,
                changed,
                left,
                examples: swept.examples,
                reason: swept.reason,
            });
        }
        self.count(changed, left);
        self.tell(words)
    }

    /// Whether nothing came of it so far.
    pub fn is_empty(&self) -> bool {
        !self.is_any
    }

    /// All that was meant was as it is wanted before.
    ///
    /// # Errors
    /// When nobody reads what we print.
    pub fn nothing_to_do(&mut self, words: String) -> io::Result<()> {
        self.is_any = true;
        self.tell(&Words::done(words))
    }

    /// Ends it, with how it went up to here.
    ///
    /// # Errors
    /// That with which it went wrong, or that nothing was meant, in the words for that.
    pub fn end(mut self, went: anyhow::Result<()>, none: NotFound) -> anyhow::Result<ExitCode> {
        self.stopped_by(&went);
        if self.is_any {
            self.telling.print(&self)?;
        }
        went?;
        match self.is_any {
            true => Ok(code(self.is_well)),
            false => Err(none.into()),
        }
    }

    fn stopped_by(&mut self, went: &anyhow::Result<()>) {
        self.error = went.as_ref().err().map(|error| format!("{error:#}"));
    }

    fn count(&mut self, changed: u64, left: u64) {
        self.changed = self.changed.saturating_add(changed);
        self.left = self.left.saturating_add(left);
        self.is_any = true;
        self.is_well &= left == 0;
    }

    fn tell(&self, words: &Words) -> io::Result<()> {
        if self.telling.is_json() {
            return Ok(());
        }
        if let Some(done) = &words.done {
            writeln!(io::stdout(), "{done}")?;
        }
        if let Some(left) = &words.left {
            eprintln!("{left}");
        }
        Ok(())
    }
}

impl Outcome for Account {
    fn in_words(&self, _: Telling) -> io::Result<()> {
        // It was told as it was done.
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::cli::select::{Only, Selection};

    #[test]
    fn what_was_done_before_an_error_is_told_with_it() {
        let asked = Selection::of(vec!["a".into(), "b".into()], Only::default()).asked();
        let telling = Telling::in_words(false).json(true);
        let mut account = Account::of(asked, None, telling);
        let task = TaskId(Uuid::from_u128(7));
        account
            .task(task, "a.zip", Came::Changed("a is cancelled".into()))
            .unwrap();
        account.stopped_by(&Err(anyhow!("the disk").context("b is not written down")));
        let told = serde_json::to_value(&account).unwrap();
        assert_eq!(told["error"], "b is not written down: the disk");
        let row =
            json!({ "task_id": task, "task_name": "a.zip", "is_changed": true, "reason": null });
        assert_eq!(
            (&told["changed"], &told["tasks"]),
            (&json!(1), &json!([row]))
        );
    }
}
