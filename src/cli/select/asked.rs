//! What the master knows of what was typed, and what this folder remembers.
//!
//! Rule: a task is looked for before a group, as the master does, so that a name means the same everywhere. `last` is what
//! was handed in last from this folder, if the master knows it, for others hand in too; else the newest that it knows.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use mutirao_actors::model::{TaskChoice, TaskId};
use mutirao_actors::wire::Request;
use mutirao_actors::wire::report::{GroupReport, LIST_ROWS_MAX, Sought, TaskReport};

use super::words::WORDS;
use super::{Meant, NotFound};
use crate::cli::ask::{group_status, read_report, task_status};
use crate::cli::near::did_you_mean;
use crate::cli::options::root;
use crate::control::{Control, ControlError};

/// Some of the tasks that were looked for.
#[derive(Debug, Default)]
pub struct Listed {
    /// The newest first.
    pub tasks: Vec<TaskReport>,
    /// Where those go on that are left, if there may be more.
    pub next: Option<TaskId>,
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
            let names = names.iter().map(String::as_str).chain(WORDS);
            let near = did_you_mean(&what, names);
            Err(NotFound::Nothing { what, why, near }.into())
        }
        Err(error) => Err(error.into()),
    }
}

/// What goes by this very name and no other way, if anything does: a task, or else a group.
///
/// # Errors
/// When the master cannot be reached.
pub async fn by_name(what: &str, control: &mut Control) -> Result<Option<Meant>, ControlError> {
    match task_status(TaskChoice::typed(what), false, control).await {
        Ok(report) if report.task_name.stem() == what => return Ok(Some(Meant::Task(report))),
        Ok(_) | Err(ControlError::Refused(_)) => {}
        Err(error) => return Err(error),
    }
    match group_status(what, control).await {
        Ok(report) if report.group == what => Ok(Some(Meant::Group(report))),
        Ok(_) | Err(ControlError::Refused(_)) => Ok(None),
        Err(error) => Err(error),
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
        return task_status(TaskChoice::typed(what), why, control).await;
    };
    // The newest of all may be somebody else's.
    match task_status(TaskChoice::Id(task), why, control).await {
        Err(ControlError::Refused(_)) => Err(ControlError::Refused(format!(
            "this master does not know task {task}, which was handed in last from here: name another, or the master that \
             has it with --master HOST:PORT"
        ))),
        known => known,
    }
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

/// The tasks that are looked for, each by itself.
pub(super) async fn one_by_one(
    sought: &Sought,
    control: &mut Control,
) -> Result<Vec<Meant>, ControlError> {
    let listed = tasks(sought, None, usize::MAX, control).await?;
    Ok(listed.tasks.into_iter().map(Meant::Task).collect())
}

/// The parts of a group that are known, by their numbers.
///
/// # Errors
/// When the master cannot be reached.
pub async fn parts(
    group: &GroupReport,
    control: &mut Control,
) -> Result<BTreeMap<u32, TaskReport>, ControlError> {
    let listed = tasks(&of(&group.group), None, usize::MAX, control).await?;
    Ok(newest(group, listed.tasks))
}

/// All tasks of a group.
pub(super) fn of(group: &str) -> Sought {
    Sought {
        group: Some(group.to_owned()),
        ..Sought::default()
    }
}

/// The parts of a group by their numbers, of each the newest. The name may be that of earlier ones too, and tasks that are no
/// parts may have it: `listed` are all of these, the newest first.
fn newest(group: &GroupReport, listed: Vec<TaskReport>) -> BTreeMap<u32, TaskReport> {
    let counts = [group.waiting, group.running, group.done, group.failed];
    let arrived = counts.iter().sum::<u64>() + group.cancelled;
    let parts = listed.into_iter();
    let parts = parts.filter(|task| task.parts == Some(group.parts));
    let parts = parts.filter_map(|task| Some((task.part?, task)));
    let mut newest = BTreeMap::new();
    for (number, part) in parts.take(usize::try_from(arrived).unwrap_or(usize::MAX)) {
        newest.entry(number).or_insert(part);
    }
    newest
}

/// How the parts of the group of this very name stand, if it has some.
///
/// # Errors
/// When the master cannot be reached.
pub async fn parts_of(
    group: &str,
    control: &mut Control,
) -> Result<Option<GroupReport>, ControlError> {
    match group_status(group, control).await {
        // To the master `last` is the newest group, whatever its name.
        Ok(report) => Ok(Some(report).filter(|report| report.group == group)),
        Err(ControlError::Refused(_)) => Ok(None),
        Err(error) => Err(error),
    }
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
    use super::*;

    fn part(part: Option<u32>) -> TaskReport {
        let of = part.map(|_| 2);
        let report = serde_json::json!({
            "task_id": TaskId::new(), "task_name": "a.zip", "state": "done", "attempts": 1,
            "group": "nightly", "part": part, "parts": of,
        });
        serde_json::from_value(report).unwrap()
    }

    #[test]
    fn of_a_name_that_was_used_before_the_newest_parts_are_meant_and_each_once() {
        let group = serde_json::json!({
            "group": "nightly", "parts": 2, "waiting": 0, "running": 0, "done": 2, "failed": 0,
            "cancelled": 0, "failures": [], "complete": false,
        });
        let group: GroupReport = serde_json::from_value(group).unwrap();
        let listed = [Some(0), None, Some(0), Some(1), Some(0)].map(part);
        let meant = newest(&group, listed.to_vec());
        assert_eq!(meant.len(), 1, "the other is of the last night");
        assert_eq!(meant[&0].task_id, listed[0].task_id);
        let listed = [Some(1), Some(0), Some(1), Some(0)].map(part);
        let meant = newest(&group, listed.to_vec()).into_values();
        let ids: Vec<_> = meant.map(|task| task.task_id).collect();
        assert_eq!(ids, [listed[1].task_id, listed[0].task_id]);
    }
}
