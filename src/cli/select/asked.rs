//! What the master knows of what was typed, and what this folder remembers.
//!
//! Rule: a task is looked for before a group, as the master does, so that a name means the same everywhere. `last` is what
//! was handed in last from this folder, if the master knows it, for others hand in too; else the newest that it knows.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::PathBuf;

use mutirao_actors::model::{TaskChoice, TaskId};
use mutirao_actors::wire::Request;
use mutirao_actors::wire::report::{GroupReport, LIST_ROWS_MAX, Sought, TaskReport};
use uuid::Uuid;

use super::held::{Room, cut_group, cut_task};
use super::words::{WORDS, upward};
use super::{Meant, NotFound};
use crate::cli::ask::{group_status, read_report, task_status};
use crate::cli::near::did_you_mean;
use crate::cli::options::root;
use crate::control::{Control, ControlError};

/// Tasks or groups that are read at most, for whoever answers may never come to an end: several times as many as a master keeps.
const ROWS_MAX: usize = 5_000_000;
/// Pages of groups that bring nothing new, for the first ones come again when a group gets a part while it is read behind it.
const STALE_MAX: usize = 20;

/// Some of the tasks that were looked for.
#[derive(Debug, Default)]
pub struct Listed {
    /// The newest first.
    pub tasks: Vec<TaskReport>,
    /// Where those go on that are left, if there may be more.
    pub next: Option<TaskId>,
}

/// Some of the groups that were looked for.
#[derive(Debug, Default)]
pub struct ListedGroups {
    /// The one with the newest part first, each once.
    pub groups: Vec<GroupReport>,
    /// The group behind which those go on that are left, if there may be more.
    pub next: Option<String>,
}

/// What a name came to.
#[derive(Debug)]
pub enum Found {
    /// Something goes by it.
    Known(Meant),
    /// No task and no group does.
    Unknown(Unknown),
}

/// A name by which no task and no group goes.
#[derive(Debug)]
pub struct Unknown {
    /// What was typed.
    pub what: String,
    /// What the master says of it.
    pub why: String,
}

impl Unknown {
    /// The same as an error, with the name that was likely meant.
    ///
    /// # Errors
    /// When the master cannot be reached.
    pub async fn refused(self, control: &mut Control) -> Result<NotFound, ControlError> {
        if self.what == "last" {
            return Ok(NotFound::NoLast);
        }
        if let Some(loose) = loose(&self.what, control).await? {
            return Ok(loose);
        }
        let names = names(control).await?;
        let names = names.iter().map(String::as_str).chain(WORDS);
        let near = match upward(&self.what) {
            Some(meant) => format!("; numbers of parts go upward: {meant}"),
            None => did_you_mean(&self.what, names),
        };
        let Self { what, why } = self;
        Ok(NotFound::Nothing { what, why, near })
    }
}

/// What goes by this name: a task, or else a group; `last` is the group of the task, if that is of one.
///
/// # Errors
/// When the master cannot be reached, or knows nothing of the `last` that this folder remembers.
pub async fn find(what: &str, control: &mut Control) -> Result<Found, ControlError> {
    let known = |meant| Ok(Found::Known(meant));
    let why = match task(what, false, control).await {
        Ok(report) => match &report.group {
            Some(group) if what == "last" => match group_status(group, control).await {
                Err(ControlError::Refused(_)) => return known(Meant::task(report)),
                found => return known(Meant::Group(found?)),
            },
            _ => return known(Meant::task(report)),
        },
        // Nor is the newest group of all what was handed in last from here.
        Err(ControlError::Refused(why)) if what == "last" && remembered().is_some() => {
            return Err(ControlError::Refused(why));
        }
        Err(ControlError::Refused(why)) => why,
        Err(error) => return Err(error),
    };
    match group_status(what, control).await {
        Ok(report) => known(Meant::Group(report)),
        Err(ControlError::Refused(_)) => {
            let what = what.to_owned();
            Ok(Found::Unknown(Unknown { what, why }))
        }
        Err(error) => Err(error),
    }
}

/// What to say instead of a name that is only that of a group of tasks which are no parts.
///
/// # Errors
/// When the master cannot be reached.
pub async fn loose(what: &str, control: &mut Control) -> Result<Option<NotFound>, ControlError> {
    let listed = tasks(&of(what), None, 1, control).await?;
    let is_any = !listed.tasks.is_empty();
    Ok(is_any.then(|| NotFound::Loose(what.to_owned())))
}

/// What goes by this very name and no other way, if anything does: a task, or else a group.
///
/// # Errors
/// When the master cannot be reached.
pub async fn by_name(what: &str, control: &mut Control) -> Result<Option<Meant>, ControlError> {
    match task_status(TaskChoice::typed(what), false, control).await {
        Ok(report) if report.task_name.stem() == what => return Ok(Some(Meant::task(report))),
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
/// When the master cannot be reached, or comes to no end.
pub async fn tasks(
    sought: &Sought,
    before: Option<TaskId>,
    limit: usize,
    control: &mut Control,
) -> Result<Listed, ControlError> {
    tasks_like(sought, before, limit, |_| true, control).await
}

/// The same of those only that are wanted, for who can tell that better than the master; each is looked at once, in their order.
///
/// # Errors
/// When the master cannot be reached, or comes to no end.
pub(super) async fn tasks_like(
    sought: &Sought,
    before: Option<TaskId>,
    limit: usize,
    is_wanted: impl FnMut(&TaskReport) -> bool,
    control: &mut Control,
) -> Result<Listed, ControlError> {
    tasks_in(Room::default(), sought, before, limit, is_wanted, control).await
}

async fn tasks_in(
    mut room: Room,
    sought: &Sought,
    before: Option<TaskId>,
    limit: usize,
    mut is_wanted: impl FnMut(&TaskReport) -> bool,
    control: &mut Control,
) -> Result<Listed, ControlError> {
    let (mut listed, mut behind, mut looked_at) = (Listed::default(), before, 0);
    let mut rows = limit.min(LIST_ROWS_MAX);
    loop {
        let request = Request::ListTasks {
            sought: sought.clone(),
            before: behind,
            limit: u32::try_from(rows).ok(),
        };
        let page: Vec<TaskReport> = control.ask(&request, read_report).await?;
        let mut at = behind;
        let goes_on = page.iter().all(|task| {
            let behind = at.replace(task.task_id);
            behind.is_none_or(|behind| task.task_id < behind)
        });
        if !goes_on || page.len() > rows || looked_at > ROWS_MAX {
            return Err(control.endless());
        }
        let is_last = page.len() < rows;
        looked_at += page.len();
        behind = at;
        let mut wanted = page.into_iter().filter(&mut is_wanted);
        let left = limit - listed.tasks.len();
        for mut task in wanted.by_ref().take(left) {
            let taken = room.take(cut_task(&mut task));
            taken.ok_or_else(|| control.too_much())?;
            listed.tasks.push(task);
        }
        let is_cut = wanted.next().is_some();
        if is_cut || (listed.tasks.len() == limit && !is_last) {
            listed.next = listed.tasks.last().map(|task| task.task_id);
            return Ok(listed);
        }
        if is_last {
            return Ok(listed);
        }
        // Few of these were wanted, so many are looked at for the rest.
        rows = LIST_ROWS_MAX;
    }
}

/// The tasks that are looked for, each by itself.
pub(super) async fn one_by_one(
    sought: &Sought,
    control: &mut Control,
) -> Result<Vec<Meant>, ControlError> {
    let listed = tasks(sought, None, usize::MAX, control).await?;
    Ok(listed.tasks.into_iter().map(Meant::task).collect())
}

/// The parts of a group that are known, by their numbers.
///
/// # Errors
/// When the master cannot be reached.
pub async fn parts(
    group: &GroupReport,
    control: &mut Control,
) -> Result<BTreeMap<u32, TaskReport>, ControlError> {
    some_parts(group, |_| true, control).await
}

/// Those of them whose numbers are wanted.
pub(super) async fn some_parts(
    group: &GroupReport,
    is_wanted: impl Fn(u32) -> bool,
    control: &mut Control,
) -> Result<BTreeMap<u32, TaskReport>, ControlError> {
    let mut newest = Newest::of(group);
    let is_wanted = |task: &TaskReport| newest.part(task).is_some_and(&is_wanted);
    let listed = tasks_like(&of(&group.group), None, usize::MAX, is_wanted, control).await?;
    let parts = listed.tasks.into_iter();
    Ok(parts.filter_map(|task| Some((task.part?, task))).collect())
}

/// Whether a task is of this group. A report of a task names its group only if it is a part.
pub(super) async fn is_of(
    task: TaskId,
    group: &str,
    control: &mut Control,
) -> Result<bool, ControlError> {
    // So it would be the next that is listed.
    let before = TaskId(Uuid::from_u128(task.0.as_u128().saturating_add(1)));
    let listed = tasks(&of(group), Some(before), 1, control).await?;
    Ok(listed.tasks.iter().any(|listed| listed.task_id == task))
}

/// All tasks of a group.
pub(super) fn of(group: &str) -> Sought {
    Sought {
        group: Some(group.to_owned()),
        ..Sought::default()
    }
}

/// Tells the parts of a group, of each number the newest. The name may be that of earlier ones too, and tasks that are no parts
/// may have it: it is asked of all of these, the newest first.
pub(super) struct Newest {
    parts: u32,
    /// How many parts are still to come.
    left: u64,
    known: HashSet<u32>,
}

impl Newest {
    pub(super) fn of(group: &GroupReport) -> Self {
        let counts = [group.waiting, group.running, group.done, group.failed];
        Self {
            parts: group.parts,
            left: counts.iter().sum::<u64>().saturating_add(group.cancelled),
            known: HashSet::new(),
        }
    }

    /// The number of the part that the next task is, if it is one.
    pub(super) fn part(&mut self, task: &TaskReport) -> Option<u32> {
        let number = task.part.filter(|_| task.parts == Some(self.parts))?;
        self.left = self.left.checked_sub(1)?;
        self.known.insert(number).then_some(number)
    }
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

/// The newest groups that are wanted, so many at most and each once, behind this one if it is said.
///
/// # Errors
/// When the master cannot be reached, or comes to no end.
pub async fn groups(
    before: Option<&str>,
    limit: usize,
    is_wanted: impl Fn(&GroupReport) -> bool,
    control: &mut Control,
) -> Result<ListedGroups, ControlError> {
    groups_in(Room::default(), before, limit, is_wanted, control).await
}

async fn groups_in(
    mut room: Room,
    before: Option<&str>,
    limit: usize,
    is_wanted: impl Fn(&GroupReport) -> bool,
    control: &mut Control,
) -> Result<ListedGroups, ControlError> {
    let (mut listed, mut known) = (ListedGroups::default(), HashSet::new());
    let (mut behind, mut stale) = (before.map(str::to_owned), 0);
    let mut rows = limit.min(LIST_ROWS_MAX);
    loop {
        let request = Request::ListGroups {
            before: behind.take().map(Into::into),
            limit: u32::try_from(rows).ok(),
        };
        let mut page: Vec<GroupReport> = control.ask(&request, read_report).await?;
        // Of those that are not wanted the names are kept.
        let taken = room.take(page.iter_mut().map(cut_group).sum());
        taken.ok_or_else(|| control.too_much())?;
        let (length, so_far) = (page.len(), known.len());
        behind = page.last().map(|group| group.group.clone());
        let fresh = page.into_iter();
        let fresh = fresh.filter(|group| known.insert(group.group.clone()));
        let mut wanted = fresh.filter(&is_wanted);
        let left = limit - listed.groups.len();
        listed.groups.extend(wanted.by_ref().take(left));
        let is_cut = wanted.next().is_some();
        stale += usize::from(known.len() == so_far);
        if length > rows || stale > STALE_MAX || known.len() > ROWS_MAX {
            return Err(control.endless());
        }
        let is_last = length < rows;
        if is_cut || (listed.groups.len() == limit && !is_last) {
            listed.next = listed.groups.last().map(|group| group.group.clone());
            return Ok(listed);
        }
        if is_last {
            return Ok(listed);
        }
        rows = LIST_ROWS_MAX;
    }
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
    let listed_groups = groups(None, LIST_ROWS_MAX, |_| true, control).await?;
    let tasks = listed.tasks.into_iter();
    let tasks = tasks.map(|task| task.task_name.stem().to_owned());
    Ok(tasks
        .chain(listed_groups.groups.into_iter().map(|group| group.group))
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
    use serde_json::{Value, json};

    use super::*;
    use crate::control::fake;

    fn group(name: &str) -> Value {
        json!({
            "group": name, "parts": 2, "waiting": 0, "running": 0, "done": 2, "failed": 0, "cancelled": 0,
            "failures": [], "complete": false,
        })
    }

    fn task_of(id: u128) -> Value {
        json!({ "task_id": TaskId(Uuid::from_u128(id)), "task_name": "a.zip", "state": "done", "attempts": 1 })
    }

    /// What is listed when the master answers so to the number of the task behind which a page is to begin.
    async fn all_tasks(
        page: impl Fn(Option<u128>, u32) -> Vec<u128> + 'static,
    ) -> Result<Listed, ControlError> {
        let answer = move |request: Request<'_>| match request {
            Request::ListTasks { before, limit, .. } => {
                let before = before.map(|before| before.0.as_u128());
                let page = page(before, limit.unwrap()).into_iter().map(task_of);
                fake::report(&page.collect())
            }
            other => panic!("{other:?} was not asked"),
        };
        let mut control = fake::master(answer).await;
        tasks(&Sought::default(), None, usize::MAX, &mut control).await
    }

    #[actix_rt::test]
    async fn pages_of_tasks_are_read_to_the_last_one() {
        let all = |before: Option<u128>, limit: u32| {
            let behind = (1..before.unwrap_or(1201)).rev();
            behind.take(limit as usize).collect()
        };
        let listed = all_tasks(all).await.unwrap();
        assert_eq!((listed.tasks.len(), listed.next), (1200, None));
    }

    #[actix_rt::test]
    async fn pages_of_tasks_that_do_not_go_on_are_read_no_further() {
        type Page = fn(Option<u128>, u32) -> Vec<u128>;
        let again: Page = |_, limit| (1..=limit.into()).rev().collect();
        let the_same: Page = |_, limit| vec![1; limit as usize];
        let backwards: Page = |_, limit| (1..=limit.into()).collect();
        let too_many: Page = |_, limit| (0..=limit.into()).rev().collect();
        for page in [again, the_same, backwards, too_many] {
            let error = all_tasks(page).await.unwrap_err();
            assert!(matches!(error, ControlError::Endless(_)), "{error}");
        }
    }

    /// The names that are listed when the master answers so to the name of the group behind which a page is to begin.
    async fn all_groups(
        mut page: impl FnMut(Option<&str>, usize) -> Vec<String> + 'static,
    ) -> Result<Vec<String>, ControlError> {
        let answer = move |request: Request<'_>| match request {
            Request::ListGroups { before, limit } => {
                let names = page(before.as_deref(), limit.unwrap() as usize);
                fake::report(&names.iter().map(|name| group(name)).collect())
            }
            other => panic!("{other:?} was not asked"),
        };
        let mut control = fake::master(answer).await;
        let listed = groups(None, usize::MAX, |_| true, &mut control).await?;
        Ok(listed.groups.into_iter().map(|group| group.group).collect())
    }

    #[actix_rt::test]
    async fn a_group_that_comes_again_because_it_got_a_part_is_listed_once() {
        let mut turn = 0;
        let page = move |before: Option<&str>, limit: usize| {
            turn += 1;
            // The second time the group behind which it goes on is the newest.
            let from = match (turn, before) {
                (2, _) | (_, None) => 0,
                (_, Some(before)) => before.parse::<usize>().unwrap() + 1,
            };
            let page = (from..700).take(limit);
            page.map(|number| number.to_string()).collect()
        };
        let all: Vec<_> = (0..700).map(|number| number.to_string()).collect();
        assert_eq!(all_groups(page).await.unwrap(), all);
    }

    #[actix_rt::test]
    async fn pages_of_groups_that_do_not_go_on_are_read_no_further() {
        let page = |_: Option<&str>, limit: usize| {
            let page = (0..limit).map(|number| number.to_string());
            page.collect()
        };
        let error = all_groups(page).await.unwrap_err();
        assert!(matches!(error, ControlError::Endless(_)), "{error}");
    }

    /// Room for some pages of rows as ours, and for one of rows with so many words.
    const ROOM: usize = 4 << 20;

    #[actix_rt::test]
    async fn a_master_cannot_make_us_keep_more_than_there_is_room_for() {
        let page = |request: Request<'_>| match request {
            Request::ListTasks { before, limit, .. } => {
                let newest = before.map_or(u128::MAX, |before| before.0.as_u128());
                let rows = (1..=u128::from(limit.unwrap())).map(|behind| {
                    let mut row = task_of(newest - behind);
                    row["reason"] = json!("x".repeat(5000));
                    row
                });
                fake::report(&rows.collect())
            }
            Request::ListGroups { before, limit } => {
                let newest = before.map_or(0, |before| before.trim().parse().unwrap());
                let rows =
                    (1..=limit.unwrap()).map(|behind| group(&format!("{:5000}", newest + behind)));
                fake::report(&rows.collect())
            }
            other => panic!("{other:?} was not asked"),
        };
        let mut control = fake::master(page).await;
        let all = Sought::default();
        let kept = tasks_in(Room(ROOM), &all, None, usize::MAX, |_| true, &mut control).await;
        assert!(matches!(kept, Err(ControlError::TooMuch(_))), "{kept:?}");
        let kept = groups_in(Room(ROOM), None, usize::MAX, |_| false, &mut control).await;
        assert!(matches!(kept, Err(ControlError::TooMuch(_))), "{kept:?}");
        let some = tasks_in(Room(ROOM), &all, None, 500, |_| true, &mut control).await;
        assert_eq!(some.unwrap().tasks.len(), 500, "there is room for these");
    }

    fn part(part: Option<u32>) -> TaskReport {
        let of = part.map(|_| 2);
        let report = json!({
            "task_id": TaskId::new(), "task_name": "a.zip", "state": "done", "attempts": 1,
            "group": "nightly", "part": part, "parts": of,
        });
        serde_json::from_value(report).unwrap()
    }

    #[test]
    fn of_a_name_that_was_used_before_the_newest_parts_are_meant_and_each_once() {
        let group: GroupReport = serde_json::from_value(group("nightly")).unwrap();
        let listed = [Some(0), None, Some(0), Some(1), Some(0)].map(part);
        let meant = |listed: &[TaskReport]| {
            let mut newest = Newest::of(&group);
            let parts = listed.iter().map(|task| newest.part(task));
            parts.collect::<Vec<_>>()
        };
        let last_night = meant(&listed);
        assert_eq!(last_night, [Some(0), None, None, None, None]);
        let listed = [Some(1), Some(0), Some(1), Some(0)].map(part);
        assert_eq!(meant(&listed), [Some(1), Some(0), None, None]);
    }
}
