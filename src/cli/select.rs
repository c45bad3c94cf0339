//! What is meant by what was typed: one way for all commands that are of tasks and groups.
//!
//! Rule: a task is looked for before a group, as the master does, so that a name means the same everywhere. `last` is what
//! was handed in last from this folder, if the master knows it, for others hand in too; else the newest that it knows.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;

use clap::Args;
use mutirao_actors::model::{TaskChoice, TaskId};
use mutirao_actors::wire::report::{GroupReport, LIST_ROWS_MAX, Sought, TaskReport, TaskState};
use mutirao_actors::wire::{Reply, Request};

use super::group::group_status;
use super::near::did_you_mean;
use super::options::root;
use super::status::read_report;
use crate::control::{Control, ControlError};

/// What was typed.
#[derive(Debug, Clone, Args)]
pub struct Selection {
    /// Groups, and tasks by name, by id or by the beginning of one; `last` is what was handed in last from this folder
    #[arg(value_name = "WHAT", required_unless_present = "only")]
    what: Vec<String>,
    #[command(flatten)]
    only: Only,
}

/// Which of them only.
#[derive(Debug, Clone, Args)]
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

/// What was meant.
#[derive(Debug, Clone)]
pub enum Meant {
    /// All parts of a group.
    Group(GroupReport),
    /// One task.
    Task(TaskReport),
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
    /// No task is like that.
    #[error("no such task is there; `mutirao list` shows what there is")]
    Empty,
}

/// Some of the tasks that were looked for.
#[derive(Debug, Default)]
pub struct Listed {
    /// The newest first.
    pub tasks: Vec<TaskReport>,
    /// Where those go on that are left, if there may be more.
    pub next: Option<TaskId>,
}

impl Only {
    /// Whether it leaves nothing out.
    pub fn is_all(&self) -> bool {
        self.states().is_empty() && self.group.is_none()
    }

    /// In which states; in any if none is named.
    fn states(&self) -> Vec<TaskState> {
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

    /// What the master is to look for.
    pub fn sought(&self) -> Sought {
        Sought {
            states: self.states(),
            group: self.group.clone(),
            single: false,
        }
    }
}

impl Selection {
    /// All that is meant, each once.
    ///
    /// # Errors
    /// When the master cannot be reached, or nothing is meant by a word or by all of it.
    pub async fn find(&self, control: &mut Control) -> anyhow::Result<Vec<Meant>> {
        let states = self.only.states();
        let mut found = match (self.what.is_empty(), &self.only.group) {
            (false, _) => self.named(&states, control).await?,
            (true, Some(group)) if states.is_empty() => whole(group, control).await?,
            (true, _) => one_by_one(&self.only.sought(), control).await?,
        };
        let mut seen = HashSet::new();
        found.retain(|meant| seen.insert(meant.key()));
        match found.is_empty() {
            true => Err(NotFound::Empty.into()),
            false => Ok(found),
        }
    }

    /// What goes by the names that were typed, or is of the group alone, however it stands; nothing if neither was said.
    ///
    /// # Errors
    /// When the master cannot be reached, or nothing is meant by a name.
    pub async fn find_named(&self, control: &mut Control) -> anyhow::Result<Vec<Meant>> {
        match (self.what.is_empty(), &self.only.group) {
            (false, _) => self.named(&[], control).await,
            (true, Some(group)) => Ok(whole(group, control).await?),
            (true, None) => Ok(Vec::new()),
        }
    }

    /// The states that were named.
    pub fn states(&self) -> Vec<TaskState> {
        self.only.states()
    }

    /// What goes by the names that were typed, in these states, and of the group if one was said.
    async fn named(
        &self,
        states: &[TaskState],
        control: &mut Control,
    ) -> anyhow::Result<Vec<Meant>> {
        let mut found = Vec::new();
        for what in &self.what {
            match find(what, control).await? {
                Meant::Group(report) if !states.is_empty() => {
                    let sought = Sought {
                        states: states.to_vec(),
                        group: Some(report.group),
                        single: false,
                    };
                    found.extend(one_by_one(&sought, control).await?);
                }
                Meant::Task(task) if !states.is_empty() && !states.contains(&task.state) => {}
                meant => found.push(meant),
            }
        }
        if let Some(group) = &self.only.group {
            // A report of a task names its group only if it is a part.
            let listed = one_by_one(&of(group), control).await?;
            let listed: HashSet<_> = listed.iter().map(Meant::key).collect();
            found.retain(|meant| match meant {
                Meant::Group(report) => report.group == *group,
                Meant::Task(_) => listed.contains(&meant.key()),
            });
        }
        Ok(found)
    }
}

/// All tasks of a group.
fn of(group: &str) -> Sought {
    Sought {
        group: Some(group.to_owned()),
        ..Sought::default()
    }
}

/// All that is of a group: its tasks that are no parts, one by one, and its parts as a whole.
async fn whole(group: &str, control: &mut Control) -> Result<Vec<Meant>, ControlError> {
    let parts = match group_status(group, control).await {
        // To the master `last` is the newest group, whatever its name.
        Ok(report) => Some(report).filter(|report| report.group == group),
        Err(ControlError::Refused(_)) => None,
        Err(error) => return Err(error),
    };
    let others = Sought {
        single: parts.is_some(),
        ..of(group)
    };
    // The others go first: whoever takes back the whole would take them back too.
    let mut found = one_by_one(&others, control).await?;
    found.extend(parts.map(Meant::Group));
    Ok(found)
}

/// The tasks that are looked for, each by itself.
async fn one_by_one(sought: &Sought, control: &mut Control) -> Result<Vec<Meant>, ControlError> {
    let listed = tasks(sought, None, usize::MAX, control).await?;
    Ok(listed.tasks.into_iter().map(Meant::Task).collect())
}

impl Meant {
    /// What tells it from all others.
    fn key(&self) -> (Option<TaskId>, Option<String>) {
        match self {
            Self::Group(report) => (None, Some(report.group.clone())),
            Self::Task(report) => (Some(report.task_id), None),
        }
    }
}

/// What goes by this name: a task, or else a group; `last` is the group of the task, if that is of one.
///
/// # Errors
/// When the master cannot be reached, or knows nothing of the name.
pub async fn find(what: &str, control: &mut Control) -> anyhow::Result<Meant> {
    let why = match task(what, false, control).await {
        Ok(report) => match &report.group {
            Some(group) if what == "last" => match group_status(group, control).await {
                Err(ControlError::Refused(_)) => return Ok(Meant::Task(report)),
                found => return Ok(Meant::Group(found?)),
            },
            _ => return Ok(Meant::Task(report)),
        },
        // Nor is the newest group of all what was handed in last from here.
        Err(ControlError::Refused(why)) if what == "last" && remembered().is_some() => {
            return Err(ControlError::Refused(why).into());
        }
        Err(ControlError::Refused(why)) => why,
        Err(error) => return Err(error.into()),
    };
    match group_status(what, control).await {
        Ok(report) => Ok(Meant::Group(report)),
        Err(ControlError::Refused(_)) => {
            let names = names(control).await?;
            let what = what.to_owned();
            let near = did_you_mean(&what, names.iter().map(String::as_str));
            Err(NotFound::Nothing { what, why, near }.into())
        }
        Err(error) => Err(error.into()),
    }
}

/// How the task stands that was typed; with `why` in full.
///
/// # Errors
/// When the master cannot be reached, or does not know it.
pub async fn task(
    what: &str,
    why: bool,
    control: &mut Control,
) -> Result<TaskReport, ControlError> {
    let remembered = (what == "last").then(remembered).flatten();
    let Some(task) = remembered else {
        return status(TaskChoice::typed(what), why, control).await;
    };
    // The newest of all may be somebody else's.
    match status(TaskChoice::Id(task), why, control).await {
        Err(ControlError::Refused(_)) => Err(ControlError::Refused(format!(
            "this master does not know task {task}, which was handed in last from here: name another, or the master that \
             has it with --master HOST:PORT"
        ))),
        known => known,
    }
}

async fn status(
    task: TaskChoice,
    why: bool,
    control: &mut Control,
) -> Result<TaskReport, ControlError> {
    let request = Request::TaskStatus { task, why };
    let read = |reply: Reply<'_>| match reply {
        Reply::TaskState(report) => Some(report),
        _ => None,
    };
    control.ask(&request, read).await
}

/// The newest tasks that are looked for, so many at most, behind this one if it is said.
///
/// # Errors
/// When the master cannot be reached.
pub async fn tasks(
    sought: &Sought,
    before: Option<TaskId>,
    limit: usize,
    control: &mut Control,
) -> Result<Listed, ControlError> {
    let (mut listed, mut before) = (Listed::default(), before);
    while listed.tasks.len() < limit {
        let rows = (limit - listed.tasks.len()).min(LIST_ROWS_MAX);
        let request = Request::ListTasks {
            sought: sought.clone(),
            before,
            limit: u32::try_from(rows).ok(),
        };
        let page: Vec<TaskReport> = control.ask(&request, read_report).await?;
        let is_last = page.len() < rows;
        before = page.last().map(|task| task.task_id);
        listed.tasks.extend(page);
        listed.next = before.filter(|_| !is_last);
        if is_last {
            break;
        }
    }
    Ok(listed)
}

/// The newest groups, so many at most, and whether there may be more.
///
/// # Errors
/// When the master cannot be reached.
pub async fn groups(
    limit: usize,
    control: &mut Control,
) -> Result<(Vec<GroupReport>, bool), ControlError> {
    let mut listed: Vec<GroupReport> = Vec::new();
    while listed.len() < limit {
        let rows = (limit - listed.len()).min(LIST_ROWS_MAX);
        let before = listed.last().map(|group| group.group.clone().into());
        let limit = u32::try_from(rows).ok();
        let request = Request::ListGroups { before, limit };
        let page: Vec<GroupReport> = control.ask(&request, read_report).await?;
        let is_last = page.len() < rows;
        listed.extend(page);
        if is_last {
            return Ok((listed, false));
        }
    }
    Ok((listed, true))
}

/// Names that may have been meant: those of the newest tasks and groups.
///
/// # Errors
/// When the master cannot be reached.
pub async fn names(control: &mut Control) -> Result<Vec<String>, ControlError> {
    let single = Sought {
        single: true,
        ..Sought::default()
    };
    let listed = tasks(&single, None, LIST_ROWS_MAX, control).await?;
    let (groups, _) = groups(LIST_ROWS_MAX, control).await?;
    let tasks = listed.tasks.into_iter();
    let tasks = tasks.map(|task| task.task_name.stem().to_owned());
    Ok(tasks
        .chain(groups.into_iter().map(|group| group.group))
        .collect())
}

/// Remembers in this folder that this was handed in last. A folder that takes nothing is no reason to fail: then `last` is
/// the newest task of all.
pub fn remember(task: TaskId) {
    let path = last_file();
    let made = path.parent().map_or(Ok(()), fs::create_dir_all);
    let written = made.and_then(|()| fs::write(&path, format!("{task}\n")));
    if let Err(error) = written {
        tracing::debug!("failed to write {}: {error}", path.display());
    }
}

/// What was handed in last from this folder, if that is remembered.
pub fn remembered() -> Option<TaskId> {
    let text = fs::read_to_string(last_file()).ok()?;
    text.trim().parse().ok().map(TaskId)
}

/// Where it stands which task was handed in last from here.
fn last_file() -> PathBuf {
    root().join(".mutirao/last")
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
        assert_eq!(some.only.sought().states, states);
        assert!(!some.only.is_all());
        let group = typed(&["--group", "main-7"]).unwrap();
        assert_eq!(group.only.group.as_deref(), Some("main-7"));
    }
}
