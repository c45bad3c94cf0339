//! `mutirao retry`: try again what failed or was cancelled.

use std::collections::BTreeSet;
use std::process::ExitCode;

use clap::Args;
use mutirao_actors::model::TaskId;
use mutirao_actors::wire::report::{GroupReport, TaskReport, TaskState};
use mutirao_actors::wire::{Reply, Request};

use super::FAILED;
use super::group::group_status;
use super::options::{FindOptions, NoMaster};
use super::select::{self, Meant, Read, Selection};
use super::status::read_report;
use super::work::counted;
use crate::control::{Control, ControlError};

/// Try again what failed or was cancelled, and leave what is done as it is
#[derive(Debug, Clone, Args)]
pub struct Retry {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    find: FindOptions,
}

/// Tasks that can be tried again.
const AGAIN: [TaskState; 2] = [TaskState::Failed, TaskState::Cancelled];

/// What is to be tried again.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Again {
    Group(String),
    Task(TaskId, String),
}

/// Has it tried again, and says how much.
pub async fn run(args: Retry) -> anyhow::Result<ExitCode> {
    let address = args.find.find().await?.ok_or(NoMaster)?;
    let mut control = Control::connect(address).await?;
    let read = args.selection.read(&mut control).await?;
    let mut code = ExitCode::SUCCESS;
    for again in chosen(&read, &mut control).await? {
        let tried = match &again {
            Again::Group(group) => retry_group(group, read.states(), &mut control).await,
            Again::Task(task, _) => retry_task(*task, &mut control).await,
        };
        match tried {
            Ok(true) => {}
            Ok(false) => code = ExitCode::from(FAILED),
            Err(ControlError::Refused(why)) => {
                let (Again::Group(name) | Again::Task(_, name)) = &again;
                eprintln!("{name} is not tried again: {why}");
                code = ExitCode::from(FAILED);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(code)
}

/// Groups as wholes: the master knows best what of them failed.
async fn chosen(read: &Read, control: &mut Control) -> anyhow::Result<BTreeSet<Again>> {
    let states = read.states();
    let named = read.found_by_name(control).await?;
    let by_state = named.is_empty();
    let meant = match by_state {
        true => read.found(&AGAIN, control).await?,
        false => named,
    };
    let is_meant = |task: &TaskReport| states.is_empty() || states.contains(&task.state);
    let again = |meant| match meant {
        Meant::Group(group) => Some(Again::Group(group.group)),
        Meant::Task(task) if !is_meant(&task) => None,
        Meant::Task(task) => Some(match task.group {
            Some(group) if by_state => Again::Group(group),
            _ => Again::Task(task.task_id, task.task_name.to_string()),
        }),
    };
    let again: BTreeSet<_> = meant.into_iter().filter_map(again).collect();
    match again.is_empty() {
        true => Err(select::NotFound::Empty.into()),
        false => Ok(again),
    }
}

/// Whether all that was meant is tried again.
async fn retry_group(
    group: &str,
    states: &[TaskState],
    control: &mut Control,
) -> Result<bool, ControlError> {
    let before = over(&group_status(group, control).await?, states);
    let request = Request::RetryGroup {
        group: group.into(),
        states: states.to_vec(),
    };
    let report: GroupReport = control.ask(&request, read_report).await?;
    let left = over(&report, states);
    let parts = counted(before.saturating_sub(left), "part", "parts");
    let done = report.done;
    println!("{group}: {parts} tried again, {done} done → mutirao wait {group}");
    if left > 0 {
        let parts = counted(left, "part", "parts");
        eprintln!(
            "{group}: {parts} left, whose ZIPs are not in tasks/failed/ any more: hand them in again"
        );
    }
    Ok(left == 0)
}

/// How many parts ended without a result, of those in these states.
fn over(report: &GroupReport, states: &[TaskState]) -> u64 {
    let of = |state, count| match states.is_empty() || states.contains(&state) {
        true => count,
        false => 0,
    };
    of(TaskState::Failed, report.failed) + of(TaskState::Cancelled, report.cancelled)
}

/// Whether it is tried again.
async fn retry_task(task_id: TaskId, control: &mut Control) -> Result<bool, ControlError> {
    let read = |reply: Reply<'_>| match reply {
        Reply::TaskState(report) => Some(report),
        _ => None,
    };
    let report: TaskReport = control.ask(&Request::RetryTask { task_id }, read).await?;
    let name = report.task_name.stem();
    match &report.reason {
        Some(why) if report.state.is_terminal() => {
            eprintln!("{name} was cancelled again: {why}; try that one again, or its group");
        }
        _ => println!("{name} is tried again → mutirao wait {task_id}"),
    }
    Ok(!report.state.is_terminal())
}
