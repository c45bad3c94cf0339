//! What was typed, a page at a time, for who shows it: it may be a million tasks.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::str::FromStr;

use anyhow::bail;
use mutirao_actors::model::{TaskChoice, TaskId};
use mutirao_actors::wire::report::{GroupReport, LIST_ROWS_MAX, Sought, TaskReport, TaskState};
use uuid::Uuid;

use super::Meant;
use super::asked::{Listed, ListedGroups, Newest, groups, of, parts_of, tasks, tasks_like};
use super::read::{Named, Read, check, has_any, sought};
use crate::cli::ask::task_status;
use crate::cli::near::did_you_mean;
use crate::control::{Control, ControlError};

/// Behind what the next page begins, as the page before it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Before {
    /// Behind this task.
    Task(TaskId),
    /// Behind this group.
    Group(String),
}

/// Which tasks are shown one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tasks {
    /// All that are meant; where nothing is said, no parts of groups.
    All,
    /// Those only that are not told with their group.
    BesideGroups,
}

impl FromStr for Before {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        let task = text.parse::<Uuid>();
        Ok(task.map_or_else(
            |_| Self::Group(text.to_owned()),
            |task| Self::Task(TaskId(task)),
        ))
    }
}

impl Before {
    /// Refuses what nothing comes behind: an empty page would look like the last one.
    ///
    /// # Errors
    /// When it is neither the whole id of a task nor a group that the master knows, or the master cannot be reached.
    pub async fn check(&self, control: &mut Control) -> anyhow::Result<()> {
        let Self::Group(typed) = self else {
            return Ok(());
        };
        if parts_of(typed, control).await?.is_some() {
            return Ok(());
        }
        let near = match task_status(TaskChoice::typed(typed), false, control).await {
            Ok(task) if task.task_id.to_string().starts_with(typed) => {
                format!("; did you mean {}?", task.task_id)
            }
            Ok(_) | Err(ControlError::Refused(_)) => {
                let known = groups(None, LIST_ROWS_MAX, |_| true, control).await?.groups;
                did_you_mean(typed, known.iter().map(|group| group.group.as_str()))
            }
            Err(error) => return Err(error.into()),
        };
        bail!(
            "--before takes the whole id of a task, or the name of a group that the master knows, as the page before it says in the end; \
             {typed:?} is neither{near}"
        )
    }

    /// The task, if tasks go on.
    pub fn task(&self) -> Option<TaskId> {
        match self {
            Self::Task(task) => Some(*task),
            Self::Group(_) => None,
        }
    }

    /// The group, if groups go on.
    pub fn group(&self) -> Option<&str> {
        match self {
            Self::Group(group) => Some(group),
            Self::Task(_) => None,
        }
    }
}

impl Read {
    /// Whether neither a name nor a state nor a group leaves anything out.
    pub fn leaves_nothing_out(&self) -> bool {
        self.named.is_empty() && self.states.is_empty() && self.group.is_none()
    }

    /// The groups that are told as wholes: those that are named, else those that have parts which stand as is said, or so where
    /// nothing is said.
    ///
    /// # Errors
    /// When the master cannot be reached.
    pub async fn wholes(
        &self,
        of_all: &[TaskState],
        before: Option<&str>,
        limit: usize,
        control: &mut Control,
    ) -> anyhow::Result<ListedGroups> {
        let states = match self.states.is_empty() {
            true => of_all,
            false => &self.states,
        };
        if self.named.is_empty() && self.group.is_none() {
            let is_wanted = |group: &GroupReport| has_any(group, states);
            return Ok(groups(before, limit, is_wanted, control).await?);
        }
        let mut listed = ListedGroups::default();
        match &self.group {
            Some(group) if self.named.is_empty() => {
                let report = parts_of(group, control).await?;
                listed
                    .groups
                    .extend(report.filter(|report| has_any(report, states)));
            }
            _ => {
                for named in &self.named {
                    if let Named::Whole(Meant::Group(report)) = named
                        && self.is_of_group(named, control).await?
                    {
                        listed.groups.push(report.clone());
                    }
                }
            }
        }
        Ok(listed)
    }

    /// Whether anything is meant, however it stands where that was not said.
    ///
    /// # Errors
    /// When the master cannot be reached, or a group has no such part.
    pub async fn is_any(&self, control: &mut Control) -> anyhow::Result<bool> {
        let listed = self.page(Tasks::All, None, 1, control).await?;
        if !listed.tasks.is_empty() || !self.leaves_nothing_out() {
            return Ok(!listed.tasks.is_empty());
        }
        // Where all is meant, parts are listed with their groups alone.
        let groups = self.wholes(&[], None, 1, control).await?.groups;
        Ok(!groups.is_empty())
    }

    /// The newest tasks that are meant, so many at most, behind this one if it is said.
    ///
    /// # Errors
    /// When the master cannot be reached, or a group has no such part.
    pub async fn page(
        &self,
        which: Tasks,
        before: Option<TaskId>,
        limit: usize,
        control: &mut Control,
    ) -> anyhow::Result<Listed> {
        if self.named.is_empty() {
            let sought = Sought {
                single: which == Tasks::BesideGroups || self.leaves_nothing_out(),
                ..sought(self.group.clone(), &self.states)
            };
            return Ok(tasks(&sought, before, limit, control).await?);
        }
        let (mut newest, mut is_cut) = (BTreeMap::new(), false);
        for named in &self.named {
            if !self.is_of_group(named, control).await? {
                continue;
            }
            let listed = self.page_of(named, which, before, limit, control).await?;
            is_cut |= listed.next.is_some();
            let rows = listed.tasks.into_iter();
            newest.extend(rows.map(|task| (Reverse(task.task_id), task)));
            while newest.len() > limit {
                is_cut |= newest.pop_last().is_some();
            }
        }
        let tasks: Vec<_> = newest.into_values().collect();
        let next = tasks.last().map(|task| task.task_id);
        Ok(Listed {
            tasks,
            next: next.filter(|_| is_cut),
        })
    }

    /// The newest tasks of what goes by one name.
    async fn page_of(
        &self,
        named: &Named,
        which: Tasks,
        before: Option<TaskId>,
        limit: usize,
        control: &mut Control,
    ) -> anyhow::Result<Listed> {
        let is_meant = |task: &TaskReport| {
            let is_older = before.is_none_or(|before| task.task_id < before);
            is_older && (self.states.is_empty() || self.states.contains(&task.state))
        };
        Ok(match named {
            Named::Whole(Meant::Task(task)) => Listed {
                tasks: Some((**task).clone())
                    .filter(is_meant)
                    .into_iter()
                    .collect(),
                next: None,
            },
            Named::Whole(Meant::Group(_)) if which == Tasks::BesideGroups => Listed::default(),
            Named::Whole(Meant::Group(group)) => {
                let sought = sought(Some(group.group.clone()), &self.states);
                tasks(&sought, before, limit, control).await?
            }
            Named::Parts(group, numbers) => {
                check(group, numbers)?;
                let mut newest = Newest::of(group);
                // Which is the newest part of a number is known only to who has seen all that came after it.
                let is_wanted = |task: &TaskReport| {
                    let part = newest.part(task);
                    part.is_some_and(|part| numbers.has(part)) && is_meant(task)
                };
                tasks_like(&of(&group.group), None, limit, is_wanted, control).await?
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use mutirao_actors::wire::Request;
    use serde_json::{Value, json};

    use super::*;
    use crate::cli::select::{Only, Selection};
    use crate::control::fake;

    /// Parts of the one group, all of them done but the third of each hundred, and a task of none.
    const PARTS: u128 = 1000;
    const LONER: u128 = 500_000;

    fn id(number: u128) -> Value {
        json!(TaskId(Uuid::from_u128(number)))
    }

    fn row(number: u128) -> Value {
        let is_loner = number == LONER;
        let state = match number % 100 == 3 {
            true => "failed",
            false => "done",
        };
        let mut row = json!({
            "task_id": id(number), "task_name": format!("main-1.{number}.zip"), "state": state, "attempts": 1,
        });
        if is_loner {
            row["task_name"] = json!("sim.zip");
        } else {
            row["group"] = json!("main-1");
            row["part"] = json!(number);
            row["parts"] = json!(PARTS);
        }
        row
    }

    fn answer(request: Request<'_>) -> Value {
        let unknown = || json!({ "status": "ERROR", "message": "it is not known" });
        match request {
            Request::TaskStatus { task, .. } if format!("{task:?}").contains("sim.zip") => {
                json!({ "status": "TASK_STATE", "task": row(LONER) })
            }
            Request::TaskStatus { .. } => unknown(),
            Request::GroupStatus { group, .. } if group == "main-1" => fake::report(&json!({
                "group": group, "parts": PARTS, "waiting": 0, "running": 0, "done": PARTS - 10, "failed": 10,
                "cancelled": 0, "complete": true,
            })),
            Request::GroupStatus { .. } => unknown(),
            Request::ListTasks {
                sought,
                before,
                limit,
            } => {
                let before = before.map_or(u128::MAX, |before| before.0.as_u128());
                let all = (0..PARTS).chain([LONER]).rev();
                let rows = all.filter(|number| *number < before).map(row);
                let rows = rows.filter(|row| {
                    let state = row["state"].as_str().unwrap_or_default();
                    let states = &sought.states;
                    (states.is_empty() || states.iter().any(|wanted| wanted.word() == state))
                        && (sought.group.is_none() || row["group"] == json!(sought.group))
                        && !(sought.single && row.get("group").is_some())
                });
                fake::report(&rows.take(limit.unwrap_or(1) as usize).collect())
            }
            other => panic!("{other:?} was not asked"),
        }
    }

    /// What is listed page by page of so many, as the numbers of tasks.
    async fn pages(words: &[&str], which: Tasks, limit: usize) -> Vec<Vec<u128>> {
        let mut control = fake::master(answer).await;
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        let only = Only {
            failed: false,
            waiting: false,
            running: false,
            done: false,
            cancelled: false,
            group: None,
        };
        let read = Selection::of(words, only).read(&mut control).await.unwrap();
        let (mut pages, mut before) = (Vec::new(), None);
        loop {
            let listed = read.page(which, before, limit, &mut control).await.unwrap();
            let numbers = listed.tasks.iter().map(|task| task.task_id.0.as_u128());
            pages.push(numbers.collect());
            before = listed.next;
            if before.is_none() {
                return pages;
            }
        }
    }

    #[actix_rt::test]
    async fn what_is_named_is_listed_page_by_page_the_newest_first_and_each_once() {
        let words = ["main-1", "1-3", "7", "sim", "sim"];
        let listed = pages(&words, Tasks::All, 2).await;
        assert_eq!(listed, [vec![LONER, 7], vec![3, 2], vec![1]]);
        // Each has no more than one, and the page has room for one of them.
        let single = pages(&["main-1", "0", "sim"], Tasks::All, 1).await;
        assert_eq!(single, [[LONER], [0]]);
        let whole = pages(&["main-1", "sim"], Tasks::All, 400).await.concat();
        let all: Vec<_> = (0..PARTS).chain([LONER]).rev().collect();
        assert_eq!(whole, all);
    }

    #[actix_rt::test]
    async fn a_state_is_of_what_is_named_or_of_everything_and_pages() {
        let failed: Vec<u128> = (0..10).rev().map(|number| number * 100 + 3).collect();
        for words in [&["failed"][..], &["main-1", "failed"]] {
            let listed = pages(words, Tasks::All, 4).await;
            assert_eq!(listed.concat(), failed, "{words:?}");
            assert_eq!(listed[0].len(), 4);
        }
        let some = pages(&["main-1", "0-150", "failed"], Tasks::All, 50).await;
        assert_eq!(some, [[103, 3]]);
    }

    #[actix_rt::test]
    async fn beside_groups_that_are_told_as_wholes_only_other_tasks_are_left() {
        let listed = pages(&["main-1", "sim"], Tasks::BesideGroups, 9).await;
        assert_eq!(listed, [[LONER]]);
        let parts = pages(&["main-1", "5"], Tasks::BesideGroups, 9).await;
        assert_eq!(parts, [[5]], "parts that are named are told one by one");
        let none = pages(&["failed"], Tasks::BesideGroups, 9).await;
        assert_eq!(none, [[0; 0]]);
    }

    #[test]
    fn a_page_goes_on_behind_a_task_or_a_group() {
        let before = |text: &str| text.parse::<Before>().unwrap();
        let task = TaskId(Uuid::from_u128(7));
        assert_eq!(before(&task.to_string()), Before::Task(task));
        assert_eq!(before("main-7"), Before::Group("main-7".into()));
    }
}
