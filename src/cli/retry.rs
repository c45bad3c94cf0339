//! `mutirao retry`: try again what failed or was cancelled.

use std::collections::BTreeSet;
use std::process::ExitCode;

use clap::Args;
use mutirao_actors::model::TaskId;
use mutirao_actors::wire::Request;
use mutirao_actors::wire::report::{GroupReport, Sought, SweepReport, TaskReport, TaskState};

use super::FAILED;
use super::ask::{group_status, read_report, read_task};
use super::options::{FindOptions, NoMaster};
use super::select::{self, Meant, NotFound, Read, Selection};
use super::sweep::sweep;
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
    let (again, others) = chosen(&read, &mut control).await?;
    let (mut code, mut is_any) = (ExitCode::SUCCESS, !again.is_empty());
    for again in again {
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
    if let Some(sought) = others {
        let swept = retry_others(&sought, &mut control).await?;
        is_any |= swept.tasks + swept.left > 0;
        if swept.left > 0 {
            code = ExitCode::from(FAILED);
        }
    }
    match is_any {
        true => Ok(code),
        false => Err(NotFound::Empty.into()),
    }
}

/// Groups as wholes: the master knows best what of them failed. And which other tasks, of which it is to choose.
async fn chosen(
    read: &Read,
    control: &mut Control,
) -> anyhow::Result<(BTreeSet<Again>, Option<Sought>)> {
    let states = read.states();
    if read.is_named() {
        let is_meant = |task: &TaskReport| states.is_empty() || states.contains(&task.state);
        let again = |meant| match meant {
            Meant::Group(group) => Some(Again::Group(group.group)),
            Meant::Task(task) => {
                is_meant(&task).then(|| Again::Task(task.task_id, task.task_name.to_string()))
            }
        };
        let named = read.found_by_name(control).await?;
        return Ok((named.into_iter().filter_map(again).collect(), None));
    }
    let group = read.group();
    let groups = match group {
        Some(group) => select::parts_of(group, control)
            .await?
            .into_iter()
            .collect(),
        None => select::groups(usize::MAX, control).await?.0,
    };
    let groups = groups.into_iter().filter(|group| over(group, states) > 0);
    let others = Sought {
        states: states.to_vec(),
        group: group.map(Into::into),
        single: true,
    };
    let groups = groups.map(|group| Again::Group(group.group)).collect();
    Ok((groups, Some(others)))
}

/// Tasks that are no parts of groups.
async fn retry_others(sought: &Sought, control: &mut Control) -> Result<SweepReport, ControlError> {
    let request = |from| Request::RetryTasks {
        sought: sought.clone(),
        from,
    };
    let swept = sweep(request, control).await?;
    if swept.tasks > 0 {
        let tasks = counted(swept.tasks, "task", "tasks");
        println!("{tasks} tried again → mutirao list --waiting");
    }
    if swept.left > 0 {
        let names: Vec<_> = swept.examples.iter().map(|name| name.as_str()).collect();
        let more = match names.len() as u64 {
            named if named < swept.left => ", …",
            _ => "",
        };
        let (names, why) = (
            names.join(", "),
            swept.reason.as_deref().unwrap_or_default(),
        );
        let left = counted(swept.left, "task is", "tasks are");
        eprintln!("{left} not tried again ({names}{more}): {why}");
    }
    Ok(swept)
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
    let report: TaskReport = control
        .ask(&Request::RetryTask { task_id }, read_task)
        .await?;
    let name = report.task_name.stem();
    match &report.reason {
        Some(why) if report.state.is_terminal() => {
            eprintln!("{name} was cancelled again: {why}; try that one again, or its group");
        }
        _ => println!("{name} is tried again → mutirao wait {task_id}"),
    }
    Ok(!report.state.is_terminal())
}
