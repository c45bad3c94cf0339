//! A group from the outside: handed in, followed to its end, and where what it made lies.

use std::collections::VecDeque;
use std::io::{self, IsTerminal as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::{SignedDuration, Zoned};
use mutirao_actors::model::{Archive, TaskChoice, TaskId};
use mutirao_actors::wire::report::{TaskReport, TaskState};
use mutirao_actors::wire::{Reply, Request};
use serde::Serialize;

use super::master::{LOOK_EVERY, report};
use super::wanted::{Place, Wanted, part_name};
use super::work::{Work, counted};
use crate::control::{Control, ControlError};
use crate::gather::is_complete_in;

/// Parts that are asked for at one look; of more, each look asks for others.
const LOOKS_MAX: usize = 256;
/// Looks for what a group made when all its parts have ended: a minute and a half, in which a disk writes some gigabytes.
const GATHER_LOOKS_MAX: u32 = 450;

/// A group that was handed in.
#[derive(Debug, Clone)]
pub struct Group {
    /// Its name and how many parts it has.
    pub place: Place,
    /// Its tasks, in the order of the parts.
    pub tasks: Vec<TaskId>,
}

impl Group {
    /// Whether parts of it were not handed in.
    pub fn is_short(&self) -> bool {
        self.tasks.len() < self.place.parts as usize
    }
}

/// How many of a group's parts ended how.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Tally {
    /// Its name.
    pub group: String,
    /// Parts.
    pub parts: u32,
    /// Have their result.
    pub done: u32,
    /// Failed for good.
    pub failed: u32,
    /// Were cancelled.
    pub cancelled: u32,
    /// The first that was seen to fail, and why.
    #[serde(skip)]
    pub first_failure: Option<(String, String)>,
}

impl Tally {
    /// How many have ended.
    fn ended(&self) -> u32 {
        self.done + self.failed + self.cancelled
    }

    fn count(&mut self, report: &TaskReport) {
        match report.state {
            TaskState::Done => self.done += 1,
            TaskState::Failed => self.failed += 1,
            _ => self.cancelled += 1,
        }
        // A part that failed tells more than those that were cancelled for its sake.
        if report.state == TaskState::Failed && self.failed == 1 {
            let why = report.reason.clone().unwrap_or_default();
            self.first_failure = Some((report.task_name.to_string(), why));
        }
    }

    /// Whether every part has its result.
    pub fn is_well(&self) -> bool {
        self.done == self.parts
    }
}

/// Opens a group.
///
/// # Errors
/// When the master cannot be reached or refuses it.
pub async fn open(name: &str, parts: u32, control: &mut Control) -> Result<Place, ControlError> {
    let request = Request::OpenGroup { name: name.into() };
    let read = |reply: Reply<'_>| match reply {
        Reply::GroupOpen { group } => Some(group.into_owned()),
        _ => None,
    };
    let group = control.ask(&request, read).await?;
    Ok(Place { group, parts })
}

/// Hands in all parts, the first of which is packed already. All others wait for that one, if it is a canary.
///
/// # Errors
/// When a part cannot be made, or the master cannot be reached or refuses it; says what to do with those that it has.
pub async fn submit(
    wanted: &Wanted,
    work: &mut Work,
    first: Archive,
    place: Place,
    control: &mut Control,
) -> anyhow::Result<Group> {
    let line = bar(place.parts, "handing in");
    let mut after = wanted.after(control).await?;
    let mut tasks = Vec::new();
    let mut first = Some(first);
    for number in 0..place.parts {
        let handed_in = async {
            let task = match first.take() {
                Some(first) => first,
                None => Archive::new(work.part(number)?),
            };
            let at = (&place, number);
            anyhow::Ok(wanted.submit_part(&task, at, after, control).await?)
        };
        let task = handed_in.await.with_context(|| {
            let group = &place.group;
            format!("only {number} of {} parts were handed in (to take them back: mutirao cancel {group})", place.parts)
        })?;
        tasks.push(task);
        if number == 0 && !wanted.no_canary {
            after = Some(task);
        }
        line.inc(1);
    }
    line.finish_and_clear();
    Ok(Group { place, tasks })
}

/// How a task stands.
///
/// # Errors
/// When the master cannot be reached, or does not know it.
pub async fn status(task: TaskChoice, control: &mut Control) -> Result<TaskReport, ControlError> {
    let request = Request::TaskStatus { task, why: false };
    let read = |reply: Reply<'_>| match reply {
        Reply::TaskState(report) => Some(report),
        _ => None,
    };
    control.ask(&request, read).await
}

/// The group of this name, with those of its parts that were handed in: all, unless somebody was interrupted meanwhile.
///
/// # Errors
/// When the master cannot be reached, or does not know it.
pub async fn find(name: &str, control: &mut Control) -> anyhow::Result<Group> {
    let part = |number| TaskChoice::typed(&part_name(name, number));
    let first = status(part(0), control).await?;
    let (Some(group), Some(parts)) = (first.group, first.parts) else {
        bail!("{name} is a task and no group");
    };
    let mut tasks = vec![first.task_id];
    for number in 1..parts {
        match status(part(number), control).await {
            Ok(report) => tasks.push(report.task_id),
            Err(ControlError::Refused(_)) => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Group {
        place: Place { group, parts },
        tasks,
    })
}

/// Comes back when every part has ended; until then a line tells how they stand.
///
/// # Errors
/// When the master cannot be asked.
pub async fn follow(group: &Group, control: &mut Control) -> Result<Tally, ControlError> {
    let mut tally = Tally {
        group: group.place.group.clone(),
        parts: group.place.parts,
        ..Tally::default()
    };
    let line = bar(tally.parts, "");
    let mut open: VecDeque<TaskId> = group.tasks.iter().copied().collect();
    while !open.is_empty() {
        for _ in 0..open.len().min(LOOKS_MAX) {
            let Some(task) = open.pop_front() else { break };
            let report = status(TaskChoice::Id(task), control).await?;
            match report.state.is_terminal() {
                true => tally.count(&report),
                false => open.push_back(task),
            }
        }
        line.set_position(tally.ended().into());
        line.set_message(in_words(&tally, line.eta()));
        if !open.is_empty() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
    line.finish_and_clear();
    Ok(tally)
}

fn in_words(tally: &Tally, left: Duration) -> String {
    let mut words = String::new();
    if tally.failed > 0 {
        words.push_str(&format!(" · {} failed", tally.failed));
    }
    let end = SignedDuration::try_from(left)
        .ok()
        .filter(|_| tally.ended() > 0)
        .and_then(|left| Zoned::now().checked_add(left).ok());
    if let Some(end) = end {
        words.push_str(&end.strftime(" · about %H:%M").to_string());
    }
    words
}

fn bar(parts: u32, what: &str) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(parts.into());
    let template = format!("{what} {{bar:20}} {{percent}} %  {{pos}}/{{len}}{{msg}}");
    if let Ok(style) = ProgressStyle::with_template(&template) {
        bar.set_style(style.progress_chars("█▌░"));
    }
    bar
}

/// Comes back when all that the group made lies in this folder; false when it takes too long.
///
/// # Errors
/// When the master cannot be asked, or says that its disk refuses it.
pub async fn gathered(folder: &Path, control: &mut Control) -> anyhow::Result<bool> {
    for _ in 0..GATHER_LOOKS_MAX {
        if is_complete_in(folder) {
            return Ok(true);
        }
        if let Some(trouble) = report(control).await?.queue.trouble {
            bail!("the master cannot put it together now, and goes on trying: {trouble}");
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(false)
}

/// The folder of a group, if its master serves the folder that we are in.
pub fn folder_here(group: &str, master: SocketAddr) -> Option<PathBuf> {
    let folder = Path::new("results").join(group);
    let is_own = master.ip().is_loopback()
        || if_addrs::get_if_addrs()
            .is_ok_and(|ours| ours.iter().any(|own| own.ip() == master.ip()));
    (is_own && folder.is_dir()).then_some(folder)
}

/// What was made of the work, in words: `10,000 rows as 200 tasks on 29 peers`.
///
/// # Errors
/// When the master cannot be asked.
pub async fn described(work: &Work, control: &mut Control) -> Result<String, ControlError> {
    let peers = report(control).await?.queue.peers;
    let tasks = counted(work.parts().into(), "task", "tasks");
    let peers = counted(peers, "peer", "peers");
    Ok(format!("{} as {tasks} on {peers}", work.in_words()))
}
