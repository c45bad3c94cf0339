//! `mutirao cat`: what tasks printed, one after the other.
//!
//! Rule: one result is in memory at a time, and is written before the next is fetched. Parts of a group come in their order.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Args;
use mutirao_actors::model::{Archive, TaskId};
use mutirao_actors::wire::report::{GroupReport, Sought, TaskReport, TaskState};

use super::FAILED;
use super::list::state;
use super::options::{FindOptions, NoMaster};
use super::run::{fetch, text_of};
use super::select::{self, Meant, Selection};
use super::work::counted;
use crate::control::{Control, ControlError};

/// Print what tasks printed; of a failed one what its last try did
#[derive(Debug, Clone, Args)]
pub struct Cat {
    #[command(flatten)]
    selection: Selection,
    /// What they printed as errors instead
    #[arg(long)]
    stderr: bool,
    #[command(flatten)]
    find: FindOptions,
}

/// Fetches and prints.
pub async fn run(args: Cat) -> anyhow::Result<ExitCode> {
    let address = args.find.find().await?.ok_or(NoMaster)?;
    let mut control = Control::connect(address).await?;
    let file = if args.stderr {
        "stderr.txt"
    } else {
        "stdout.txt"
    };
    let mut is_whole = true;
    for meant in args.selection.find(&mut control).await? {
        let printed = match meant {
            Meant::Task(task) => {
                let why = print(task.task_id, file, &mut control).await?;
                let untold = |why| eprintln!("{} ({}): {why}", task.task_name, state(task.state));
                why.map(untold).is_none()
            }
            Meant::Group(group) => parts(&group, file, &mut control).await?,
        };
        is_whole &= printed;
    }
    Ok(match is_whole {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(FAILED),
    })
}

/// Prints all parts of a group that have ended; whether these are all.
async fn parts(group: &GroupReport, file: &str, control: &mut Control) -> anyhow::Result<bool> {
    let sought = Sought {
        group: Some(group.group.clone()),
        ..Sought::default()
    };
    let listed = select::tasks(&sought, None, usize::MAX, control).await?;
    let mut missing = u64::from(group.parts);
    for (task, state) in newest(group, &listed.tasks).into_values() {
        let is_over = matches!(state, TaskState::Done | TaskState::Failed);
        if is_over && print(task, file, control).await?.is_none() {
            missing = missing.saturating_sub(1);
        }
    }
    if missing > 0 {
        let parts = counted(missing, "part", "parts");
        let group = &group.group;
        eprintln!("nothing is here of {parts} of {group}: mutirao info {group}");
    }
    Ok(missing == 0)
}

/// The parts of a group by their numbers, of each the newest. The name may be that of earlier ones too, and tasks that are no
/// parts may have it: `listed` are all of these, the newest first.
fn newest(group: &GroupReport, listed: &[TaskReport]) -> BTreeMap<u32, (TaskId, TaskState)> {
    let counts = [group.waiting, group.running, group.done, group.failed];
    let arrived = counts.iter().sum::<u64>() + group.cancelled;
    let parts = listed.iter().filter(|task| task.parts == Some(group.parts));
    let parts = parts.filter_map(|task| Some((task.part?, (task.task_id, task.state))));
    let mut newest = BTreeMap::new();
    for (number, part) in parts.take(usize::try_from(arrived).unwrap_or(usize::MAX)) {
        newest.entry(number).or_insert(part);
    }
    newest
}

/// Prints what one task printed; why that is not here, if so.
async fn print(task: TaskId, file: &str, control: &mut Control) -> anyhow::Result<Option<String>> {
    let archive: Archive = match fetch(task, control).await {
        Ok((_, archive)) => archive,
        Err(ControlError::Refused(why)) => return Ok(Some(why)),
        Err(error) => return Err(error.into()),
    };
    io::stdout().write_all(&text_of(&archive, file)?)?;
    Ok(None)
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
        let meant = newest(&group, &listed);
        assert_eq!(meant.len(), 1, "the other is of the last night");
        assert_eq!(meant[&0].0, listed[0].task_id);
        let listed = [Some(1), Some(0), Some(1), Some(0)].map(part);
        let meant: Vec<_> = newest(&group, &listed).into_values().collect();
        let ids: Vec<_> = meant.iter().map(|(task, _)| *task).collect();
        assert_eq!(ids, [listed[1].task_id, listed[0].task_id]);
    }
}
