//! What `run` and `submit` have in common: what is to be run, and how.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{anyhow, bail, ensure};
use clap::Args;
use mutirao_actors::model::{Archive, Part, TaskId, TaskName};
use mutirao_actors::wire::report::TaskReport;
use mutirao_actors::wire::{Payload, Reply, Request};

use super::options::{duration, from_one};
use super::select;
use super::typed::{pack, stem};
use super::work::{CutOptions, Work};
use crate::control::{Control, ControlError};

/// What is to be run.
#[derive(Debug, Clone, Args)]
pub struct Wanted {
    /// main.py (or any script), a folder that holds a main.py, or a task ZIP
    pub what: PathBuf,
    /// The script's input; it finds it as input.csv and as its first argument
    pub input: Option<PathBuf>,
    #[command(flatten)]
    pub cut: CutOptions,
    /// Its master ends with the command, and nobody can ask for it afterwards.
    #[arg(skip)]
    pub is_passing: bool,
    /// What it is called [default: as the script or the folder]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Higher goes first under the `priority` scheduler
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    priority: i32,
    /// Kill the script after this long, such as 90s, 10m or 2h
    #[arg(long, value_name = "TIME", value_parser = duration)]
    time_limit: Option<Duration>,
    /// How often a failed run is tried again [default: what task.toml says, else 2]
    #[arg(long, value_name = "N")]
    retries: Option<u32>,
    /// The group that one task belongs to [default: all that this machine submits]
    #[arg(long, value_name = "NAME", conflicts_with = "cut")]
    group: Option<String>,
    /// Cancel what is left when more than N tasks of the group have failed, or N% of what was cut
    #[arg(long, value_name = "N|N%")]
    max_fails: Option<Fails>,
    /// Run at most so many tasks of the group at a time
    #[arg(long, value_name = "N", value_parser = from_one::<NonZeroU32>)]
    max_running: Option<NonZeroU32>,
    /// Begin when this task is done: its name or id, or `last`; for a group wait first: mutirao wait GROUP && ...
    #[arg(long, value_name = "TASK")]
    after: Option<String>,
    /// Do not try the first task before the others may begin
    #[arg(long)]
    pub no_canary: bool,
    /// Say what would be made, and make nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// How many may fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fails {
    /// So many.
    Count(u32),
    /// So many of a hundred.
    Percent(u32),
}

impl FromStr for Fails {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |_| "a number of tasks, or a percentage such as 5%".to_owned();
        match text.strip_suffix('%') {
            Some(number) => match number.parse().map_err(wrong)? {
                percent @ 0..=100 => Ok(Self::Percent(percent)),
                _ => Err("no more than 100% can fail".into()),
            },
            None => text.parse().map(Self::Count).map_err(wrong),
        }
    }
}

impl Fails {
    /// How many of so many, rounded down.
    fn of(self, parts: u32) -> u32 {
        match self {
            Self::Count(count) => count,
            Self::Percent(percent) => {
                u32::try_from(u64::from(parts) * u64::from(percent) / 100).unwrap_or(parts)
            }
        }
    }
}

/// A group that is being handed in.
#[derive(Debug, Clone)]
pub struct Place {
    /// Its name.
    pub group: String,
    /// Of how many parts.
    pub parts: u32,
}

impl Wanted {
    /// Whether it becomes a group.
    pub fn is_cut(&self) -> bool {
        self.cut.is_cut()
    }

    /// What it is called.
    pub fn name(&self) -> String {
        self.name.clone().unwrap_or_else(|| stem(&self.what))
    }

    /// The one task that it is.
    ///
    /// # Errors
    /// What was typed is not there, cannot be read, or can be no task.
    pub fn pack(&self) -> anyhow::Result<Vec<u8>> {
        let limits = self.max_fails.is_some() || self.max_running.is_some();
        ensure!(
            !limits || self.group.is_some(),
            "--max-fails and --max-running are of a group: name it with --group, or cut the work"
        );
        ensure!(
            !matches!(self.max_fails, Some(Fails::Percent(_))),
            "a percentage of failures needs to know of how many: give --max-fails a number"
        );
        match self.cut.has_args() {
            false => pack(&self.what, self.input.as_deref()),
            true => Work::of(&self.what, self.input.as_deref(), &self.cut)?.part(0),
        }
    }

    /// The task for which it is to wait, if it is to wait for one.
    ///
    /// # Errors
    /// When the master cannot be asked, or does not know it.
    pub async fn after(&self, control: &mut Control) -> anyhow::Result<Option<TaskId>> {
        let Some(after) = &self.after else {
            return Ok(None);
        };
        let why = match select::task(after, false, control).await {
            // Of a group that was handed in last it is the last part, which may be done before the others.
            Ok(TaskReport {
                group: Some(group),
                part: Some(_),
                ..
            }) if after == "last" => return Err(after_a_group(&group)),
            Ok(report) => return Ok(Some(report.task_id)),
            Err(ControlError::Refused(why)) => why,
            Err(error) => return Err(error.into()),
        };
        match select::parts_of(after, control).await? {
            Some(group) => Err(after_a_group(&group.group)),
            None => bail!("it cannot wait for {after}: {why}; `mutirao list` shows what there is"),
        }
    }

    /// Hands in the one task that it is.
    ///
    /// # Errors
    /// When the master cannot be reached or refuses it.
    pub async fn submit(
        &self,
        task: &Archive,
        after: Option<TaskId>,
        control: &mut Control,
    ) -> Result<(TaskId, String), ControlError> {
        let name = TaskName::tamed(&format!("{}.zip", self.name()));
        let mut request = self.request(name.as_str(), task, after);
        if let Request::SubmitTask {
            group, max_fails, ..
        } = &mut request
        {
            *group = self.group.as_deref().map(Into::into);
            *max_fails = self.max_fails.map(|fails| fails.of(1));
        }
        let accepted = accepted(&request, control).await?;
        self.remember(accepted.0);
        tell_name(&self.name(), accepted.1.trim_end_matches(".zip"));
        Ok(accepted)
    }

    /// Hands in a part of a group, from 0.
    ///
    /// # Errors
    /// When the master cannot be reached or refuses it.
    pub async fn submit_part(
        &self,
        task: &Archive,
        (place, number): (&Place, u32),
        after: Option<TaskId>,
        control: &mut Control,
    ) -> Result<TaskId, ControlError> {
        let name = part_name(&place.group, number);
        let mut request = self.request(&name, task, after);
        if let Request::SubmitTask {
            group,
            max_fails,
            part,
            ..
        } = &mut request
        {
            *group = Some(place.group.as_str().into());
            *max_fails = self.max_fails.map(|fails| fails.of(place.parts));
            *part = Part::new(number, place.parts);
        }
        let task = accepted(&request, control).await?.0;
        // The first for who is interrupted soon, the last for it is known the longest.
        if number == 0 || number + 1 == place.parts {
            self.remember(task);
        }
        Ok(task)
    }

    fn remember(&self, task: TaskId) {
        if !self.is_passing {
            select::remember(task);
        }
    }

    fn request<'a>(&self, name: &'a str, task: &Archive, after: Option<TaskId>) -> Request<'a> {
        Request::SubmitTask {
            task_name: name.into(),
            task_data: Payload::Inside(task.bytes().clone()),
            sha256: Some(task.digest()),
            group: None,
            priority: Some(self.priority),
            time_limit_s: self
                .time_limit
                .map(|limit| u32::try_from(limit.as_secs().max(1)).unwrap_or(u32::MAX)),
            retries: self.retries,
            max_fails: None,
            part: None,
            after,
            max_running: self.max_running,
        }
    }
}

/// Says what something is called, if it cannot be called as was typed: it is asked for by that name.
pub fn tell_name(typed: &str, got: &str) {
    if TaskName::tamed(&format!("{typed}.zip")).stem() != typed {
        eprintln!(
            "{typed:?} is called {got} here: names are of letters from a to z, digits, and . _ -"
        );
    }
}

/// Why nothing is handed in behind a group: to begin when one part of it is done would be too early.
fn after_a_group(group: &str) -> anyhow::Error {
    anyhow!(
        "{group} is a group, and --after takes one task: wait for all of it first, with `mutirao wait {group} && mutirao …` \
         and the same without --after"
    )
}

/// What a part's task is called.
pub fn part_name(group: &str, number: u32) -> String {
    format!("{group}.{number}.zip")
}

async fn accepted(
    request: &Request<'_>,
    control: &mut Control,
) -> Result<(TaskId, String), ControlError> {
    let read = |reply: Reply<'_>| match reply {
        Reply::Accepted { task_id, task_name } => Some((task_id, task_name.into_owned())),
        _ => None,
    };
    control.ask(request, read).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_may_fail_or_so_many_of_a_hundred() {
        let of = |text: &str, parts| text.parse::<Fails>().unwrap().of(parts);
        assert_eq!(of("3", 10), 3);
        assert_eq!(of("5%", 199), 9);
        assert_eq!(of("100%", 1_000_000), 1_000_000);
        for text in ["", "%", "-1", "101%", "some"] {
            assert!(text.parse::<Fails>().is_err(), "{text}");
        }
    }
}
