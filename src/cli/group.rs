//! A group from the outside: handed in, followed to its end, and where what it made lies.

use std::cell::Cell;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use futures_util::FutureExt as _;
use mutirao_actors::model::{Archive, TaskChoice, TaskId};
use mutirao_actors::wire::report::{GatheredReport, GroupReport, TaskState};
use mutirao_actors::wire::{Reply, Request};
use tokio::time::interval;

use super::ask::{group_status, read_report, task_status};
use super::master::{LOOK_EVERY, report};
use super::options::root;
use super::progress::{Progress, bar, ended};
use super::select::parts;
use super::telling::Telling;
use super::wanted::{Place, Wanted, tell_name};
use super::work::{Work, counted};
use crate::control::{Control, ControlError};
use crate::folders::folder_of;
use crate::store;

/// Parts that are handed in whatever becomes of the canary: a second's, and then `failed.csv` has the rows of all.
const HANDED_IN_ANYHOW: u32 = 1000;
/// Looks at which nothing of a group is open, though parts of it are missing, before it is given up: half a minute, in which
/// whoever still hands it in hands in the next.
const QUIET_LOOKS_MAX: u32 = 150;
/// Looks at which no more parts are put together, though all have ended, before that is given up: a minute and a half, in which
/// a disk writes some gigabytes.
const STILL_LOOKS_MAX: u32 = 450;

/// A group of more parts is not looked through for those that are missing: that is some hundred requests.
const LOOKED_THROUGH_MAX: u32 = 100_000;
/// Missing parts that are named; the others are counted.
const NAMED_MAX: usize = 5;

/// A group that was handed in.
#[derive(Debug, Clone)]
pub struct Group {
    /// Its name and how many parts it has.
    pub place: Place,
    /// Its tasks, in the order of the parts; the last ones are missing if the canary failed before they were handed in.
    pub tasks: Vec<TaskId>,
}

impl Group {
    /// Whether every part was handed in.
    pub fn is_whole(&self) -> bool {
        u32::try_from(self.tasks.len()) == Ok(self.place.parts)
    }
}

/// What keeps a group from its end.
#[derive(Debug, thiserror::Error)]
pub enum Unfinished {
    /// Nothing of it is open, and not all is there.
    #[error("{group} comes to no end, for nothing of it is open · {missing}")]
    Short {
        /// Its name.
        group: String,
        /// Which parts are missing, in words.
        missing: String,
    },
    /// Its master does not put it together.
    #[error(
        "all parts of {group} have ended, and the master has put {parts_in} of them together and comes no further: what it logs \
         says why; each result lies in its results/, and results/{group}/ is whole once manifest.json there ends with \
         \"complete\":true"
    )]
    Apart {
        /// Its name.
        group: String,
        /// How many parts are in.
        parts_in: u32,
    },
    /// The disk of its master.
    #[error("the master cannot put the group together now, and goes on trying: {0}")]
    Disk(String),
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
    tell_name(name, &group);
    Ok(Place { group, parts })
}

/// Hands in all parts, the first of which is packed already and waits for a task if one is named. All others wait for the
/// first, if it is a canary: once that has failed not many more are handed in, for none of them would begin. `handed_in` counts
/// along, for who is interrupted; on a terminal a line tells it too.
///
/// # Errors
/// When a part cannot be made, or the master cannot be reached or refuses it; says what to do with those that it has.
pub async fn submit(
    wanted: &Wanted,
    work: &mut Work,
    (first, mut after): (Archive, Option<TaskId>),
    place: Place,
    (handed_in, telling): (&Cell<u32>, Telling),
    control: &mut Control,
) -> anyhow::Result<Group> {
    let line = bar(place.parts, "handing in", telling);
    let mut tasks = Vec::new();
    let mut first = Some(first);
    let (mut canary, mut looks) = (None, interval(LOOK_EVERY));
    for number in 0..place.parts {
        let submitted = async {
            if let Some(canary) = canary
                && number >= HANDED_IN_ANYHOW
                && looks.tick().now_or_never().is_some()
                && has_failed(canary, control).await?
            {
                return Ok(None);
            }
            let task = match first.take() {
                Some(first) => first,
                None => Archive::new(work.part(number)?),
            };
            let at = (&place, number);
            let task = wanted.submit_part(&task, at, after, control).await?;
            anyhow::Ok(Some(task))
        };
        let submitted = submitted.await.with_context(|| {
            let group = &place.group;
            format!("only {number} of {} parts were handed in (to take them back: mutirao cancel {group})", place.parts)
        })?;
        let Some(task) = submitted else {
            break;
        };
        tasks.push(task);
        handed_in.set(number + 1);
        if number == 0 && !wanted.no_canary {
            (after, canary) = (Some(task), Some(task));
        }
        line.inc(1);
    }
    line.finish_and_clear();
    Ok(Group { place, tasks })
}

/// Whether a task is over and has no result.
async fn has_failed(task: TaskId, control: &mut Control) -> Result<bool, ControlError> {
    let report = task_status(TaskChoice::Id(task), false, control).await?;
    Ok(report.state.is_terminal() && report.state != TaskState::Done)
}

/// Comes back when nothing of a group is open.
///
/// # Errors
/// When the master cannot be asked.
pub async fn at_rest(group: &str, control: &mut Control) -> Result<GroupReport, ControlError> {
    loop {
        let report = group_status(group, control).await?;
        if report.waiting + report.running == 0 {
            return Ok(report);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Comes back when every part has ended; until then a line tells how they stand.
///
/// # Errors
/// When the master cannot be asked, or parts are missing of which nobody hands in any more.
pub async fn follow(
    group: &str,
    telling: Telling,
    control: &mut Control,
) -> anyhow::Result<GroupReport> {
    let mut report = group_status(group, control).await?;
    let mut progress = Progress::of(report.parts, telling);
    let mut quiet = 0;
    while !report.complete {
        progress.show(&report);
        progress.look_for_peers(&report, control).await?;
        quiet = match report.waiting + report.running {
            0 => quiet + 1,
            _ => 0,
        };
        if quiet > QUIET_LOOKS_MAX {
            progress.clear();
            return Err(short(report, control).await?.into());
        }
        tokio::time::sleep(LOOK_EVERY).await;
        report = group_status(group, control).await?;
    }
    progress.clear();
    Ok(report)
}

async fn short(report: GroupReport, control: &mut Control) -> Result<Unfinished, ControlError> {
    let missing = missing_in_full(&report, control).await?;
    Ok(Unfinished::Short {
        missing: missing.unwrap_or_default(),
        group: report.group,
    })
}

/// How many parts are not there; a hand-in that was cut off leaves them out.
pub fn missing(report: &GroupReport) -> u64 {
    let there = report.waiting + report.running + ended(report);
    u64::from(report.parts).saturating_sub(there)
}

/// What is to be said of parts that are missing, by what the report alone tells; nothing if none is.
pub fn missing_in_short(report: &GroupReport) -> Option<String> {
    let missing = missing(report);
    let parts = counted(missing, "part was", "parts were");
    (missing > 0).then(|| format!("{parts} not handed in: that was cut off, or goes on"))
}

/// The same with their numbers and with what else may have become of them, once nothing of the group is open.
///
/// # Errors
/// When the master cannot be asked.
pub async fn missing_in_full(
    report: &GroupReport,
    control: &mut Control,
) -> Result<Option<String>, ControlError> {
    let missing = missing(report);
    let is_open = report.waiting + report.running > 0;
    if missing == 0 || is_open || report.parts > LOOKED_THROUGH_MAX {
        return Ok(missing_in_short(report));
    }
    let known = parts(report, control).await?;
    let absent: Vec<_> = (0..report.parts)
        .filter(|number| !known.contains_key(number))
        .collect();
    // Others are only forgotten, for they ended long ago: then nobody knows which are missing.
    if absent.len() as u64 != missing {
        return Ok(missing_in_short(report));
    }
    let (group, which) = (&report.group, numbered(&absent));
    Ok(Some(format!(
        "{which}: not handed in, for that was cut off or goes on; or lost with the disk of its master, which logged so at its start. \
         Nothing else is lost if manifest.json in the results/{group}/ of the master ends with \"complete\":true; if not, hand in \
         again by itself what is missing"
    )))
}

/// `part 3`, `parts 3, 7 and 2 more`.
fn numbered(parts: &[u32]) -> String {
    let named: Vec<_> = parts.iter().take(NAMED_MAX).map(u32::to_string).collect();
    let named = named.join(", ");
    match (parts.len(), parts.len().saturating_sub(NAMED_MAX)) {
        (1, _) => format!("part {named}"),
        (_, 0) => format!("parts {named}"),
        (_, more) => format!("parts {named} and {more} more"),
    }
}

/// Whether every part has its result.
pub fn is_well(report: &GroupReport) -> bool {
    report.done == u64::from(report.parts)
}

/// How far what a group made is put together.
///
/// # Errors
/// When the master cannot be asked.
pub async fn how_far(group: &str, control: &mut Control) -> Result<GatheredReport, ControlError> {
    let request = Request::GroupGathered {
        group: group.into(),
    };
    control.ask(&request, read_report).await
}

/// Comes back when all that the group made is put together at its master.
///
/// # Errors
/// When the master cannot be asked, says that its disk refuses it, or does not come further.
pub async fn gathered(group: &str, control: &mut Control) -> anyhow::Result<()> {
    let (mut still, mut before) = (0, None);
    loop {
        let gathered = how_far(group, control).await?;
        if gathered.complete {
            return Ok(());
        }
        if let Some(trouble) = report(control).await?.queue.trouble {
            return Err(Unfinished::Disk(trouble).into());
        }
        still = match before.replace(gathered.parts_in) == Some(gathered.parts_in) {
            true => still + 1,
            false => 0,
        };
        if still > STILL_LOOKS_MAX {
            let (group, parts_in) = (group.to_owned(), gathered.parts_in);
            return Err(Unfinished::Apart { group, parts_in }.into());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// The folder of a group, if its master serves the folder that we are in: then it has opened the group's folder.
pub fn folder_here(group: &str, master: SocketAddr) -> Option<PathBuf> {
    // What a master calls a group is no path.
    let folder = Path::new("results").join(folder_of(group)?);
    (is_here(master) && folder.is_dir()).then_some(folder)
}

/// Where something lies that lies in no folder here: where its master put it, below `results/`, and what brings it.
pub fn at_master(path: &str, what: impl fmt::Display) -> String {
    format!("at the master, in its results/{path}: mutirao fetch {what} brings it here")
}

/// Whether this master serves the folder that we are in: then it runs on this machine, and keeps its records here.
pub fn is_here(master: SocketAddr) -> bool {
    let is_own = master.ip().is_loopback()
        || if_addrs::get_if_addrs()
            .is_ok_and(|ours| ours.iter().any(|own| own.ip() == master.ip()));
    is_own && root().join(store::FOLDER).is_dir()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_named_by_their_numbers_and_many_are_counted() {
        assert_eq!(numbered(&[3]), "part 3");
        assert_eq!(numbered(&[3, 7]), "parts 3, 7");
        assert_eq!(
            numbered(&[1, 2, 3, 4, 5, 6, 9]),
            "parts 1, 2, 3, 4, 5 and 2 more"
        );
    }
}
