//! What is meant by what was typed: one way for all commands that are of tasks and groups.

mod asked;
mod held;
mod page;
mod read;
mod words;

use clap::Args;
use mutirao_actors::model::TaskId;
use mutirao_actors::wire::report::{GroupReport, Sought, TaskReport, TaskState};
use serde::Serialize;

use crate::control::Control;

pub use asked::{
    Listed, ListedGroups, Unknown, groups, loose, names, parts, parts_of, remember, remembered,
    task, tasks,
};
pub use page::{Before, Tasks};
pub use read::{Read, stands};
pub use words::{NoNames, Then, then};

/// What was typed.
#[derive(Debug, Clone, Args)]
pub struct Selection {
    /// Groups, and tasks by name, by id or by the beginning of one; `last` is what was handed in last from this folder,
    /// `1-5` parts of the group before it, `failed` the same as --failed, and `all` everything
    #[arg(value_name = "WHAT", required_unless_present = "only")]
    what: Vec<String>,
    #[command(flatten)]
    only: Only,
}

/// Which of them only.
#[derive(Debug, Clone, Default, Args)]
#[group(id = "only", multiple = true)]
pub struct Only {
    /// Only tasks that failed for good
    #[arg(long)]
    failed: bool,
    /// Only tasks that wait
    #[arg(long)]
    waiting: bool,
    /// Only tasks that run
    #[arg(long)]
    running: bool,
    /// Only tasks that are done
    #[arg(long)]
    done: bool,
    /// Only tasks that were cancelled
    #[arg(long)]
    cancelled: bool,
    /// Only tasks of this group
    #[arg(long, value_name = "GROUP")]
    pub group: Option<String>,
}

/// What was typed, for who is told what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Asked {
    /// The words.
    what: Vec<String>,
    /// The states that options name.
    states: Vec<TaskState>,
    /// The group that an option names.
    group: Option<String>,
}

/// What was meant.
#[derive(Debug, Clone)]
pub enum Meant {
    /// All parts of a group.
    Group(GroupReport),
    /// One task.
    Task(Box<TaskReport>),
}

/// Of what is meant, what is changed together.
#[derive(Debug, Clone)]
pub enum Target {
    /// One task, or all parts of a group.
    One(Meant),
    /// All tasks that are like this, which the master finds by itself.
    Some(Sought),
}

/// Nothing is meant by it.
#[derive(Debug, thiserror::Error)]
pub enum NotFound {
    /// Nothing goes by that name.
    #[error(
        "the master knows no task and no group {what:?} ({why}){near}; `mutirao list` shows what there is"
    )]
    Nothing {
        /// What was typed.
        what: String,
        /// What the master says of it.
        why: String,
        /// Which name is near.
        near: String,
    },
    /// `last` is of nothing.
    #[error("nothing was handed in yet, here or by others; `mutirao run` and `mutirao submit` do")]
    NoLast,
    /// A name that tasks were given as that of their group, though they are no parts of one.
    #[error(
        "{0} is the name of no task and of no group that was cut, but tasks were handed in with --group {0}: say --group {0}, as \
         in `mutirao list --group {0}`"
    )]
    Loose(String),
    /// No task is like that, in words.
    #[error("{0}; `mutirao list` shows what there is")]
    Empty(String),
    /// The group has no such part.
    #[error("{group} has no part {number}: it has {parts}, which are counted from 0")]
    NoPart {
        /// The group's name.
        group: String,
        /// The part's number.
        number: u32,
        /// How many the group has.
        parts: u32,
    },
    /// What was handed in last has no parts.
    #[error("{0} has no parts, for it is no group: name the group before the numbers of its parts")]
    NoGroup(String),
}

impl Only {
    /// Whether it leaves nothing out.
    pub fn leaves_nothing_out(&self) -> bool {
        self.states().is_empty() && self.group.is_none()
    }

    /// In which states; in any if none is named.
    pub fn states(&self) -> Vec<TaskState> {
        let named = [
            (self.waiting, TaskState::Queued),
            (self.running, TaskState::Leased),
            (self.done, TaskState::Done),
            (self.failed, TaskState::Failed),
            (self.cancelled, TaskState::Cancelled),
        ];
        let named = named.into_iter().filter(|(is_named, _)| *is_named);
        named.map(|(_, state)| state).collect()
    }
}

impl Selection {
    /// These words, and which tasks only.
    pub fn of(what: Vec<String>, only: Only) -> Self {
        Self { what, only }
    }

    /// The same, to be told.
    pub fn asked(&self) -> Asked {
        Asked {
            what: self.what.clone(),
            states: self.only.states(),
            group: self.only.group.clone(),
        }
    }

    /// All that is meant, each once; by `all`, what stands so.
    ///
    /// # Errors
    /// When the master cannot be reached, or nothing is meant by a word or by all of it.
    pub async fn find(
        &self,
        of_all: &[TaskState],
        control: &mut Control,
    ) -> anyhow::Result<Vec<Meant>> {
        let read = self.read(control).await?;
        read.found(of_all, control).await
    }

    /// What each word means.
    ///
    /// # Errors
    /// When the master cannot be reached, or nothing is meant by a word.
    pub async fn read(&self, control: &mut Control) -> anyhow::Result<Read> {
        let (read, unknown) = self.read_with_unknown(control).await?;
        match unknown.into_iter().next() {
            Some(unknown) => Err(unknown.refused(control).await?.into()),
            None => Ok(read),
        }
    }

    /// The same, and the names by which no task and no group goes: something else may.
    ///
    /// # Errors
    /// When the master cannot be reached, or nothing is meant by a word that can be no name.
    pub async fn read_with_unknown(
        &self,
        control: &mut Control,
    ) -> anyhow::Result<(Read, Vec<Unknown>)> {
        Read::of(&self.what, &self.only, control).await
    }
}

impl Meant {
    /// This task.
    fn task(report: TaskReport) -> Self {
        Self::Task(Box::new(report))
    }

    /// What tells it from all others.
    fn key(&self) -> (Option<TaskId>, Option<String>) {
        match self {
            Self::Group(report) => (None, Some(report.group.clone())),
            Self::Task(report) => (Some(report.task_id), None),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Typed {
        #[command(flatten)]
        selection: Selection,
    }

    fn typed(words: &[&str]) -> Result<Selection, clap::Error> {
        let words = ["x"].iter().chain(words);
        Typed::try_parse_from(words).map(|typed| typed.selection)
    }

    #[test]
    fn something_is_to_be_said_by_name_or_by_state() {
        assert!(typed(&[]).is_err());
        assert_eq!(typed(&["a", "last"]).unwrap().what, ["a", "last"]);
        let some = typed(&["--failed", "--running"]).unwrap();
        let states = [TaskState::Leased, TaskState::Failed];
        assert_eq!(some.only.states(), states);
        assert!(!some.only.leaves_nothing_out());
        let group = typed(&["--group", "main-7"]).unwrap();
        assert_eq!(group.only.group.as_deref(), Some("main-7"));
    }
}
