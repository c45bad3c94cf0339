//! `mutirao retry`: try again what failed or was cancelled.
//!
//! Rule: what is named is tried again; everything, which is that of others too, only for who says so twice.

use std::collections::BTreeSet;
use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use mutirao_actors::model::TaskId;
use mutirao_actors::wire::Request;
use mutirao_actors::wire::report::{GroupReport, Sought, TaskReport, TaskState};

use super::account::{Account, Came, Words};
use super::ask::{group_status, read_report, read_task};
use super::everything::in_words;
use super::options::{FindOptions, NoMaster};
use super::select::{Meant, Read, Selection, stands};
use super::sweep::sweep;
use super::telling::Telling;
use super::work::counted;
use crate::control::{Control, ControlError};

/// Try again what failed or was cancelled, and leave what is done as it is
#[derive(Debug, Clone, Args)]
pub struct Retry {
    #[command(flatten)]
    selection: Selection,
    /// With `all`, or a state alone: do it, whoever handed it in
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    find: FindOptions,
    /// Print what came of it as one JSON object
    #[arg(long)]
    json: bool,
}

/// Tasks that can be tried again.
const OVER: [TaskState; 2] = [TaskState::Failed, TaskState::Cancelled];

/// What is to be tried again.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Again {
    Group(String),
    Task(TaskId, String),
}

/// Has it tried again, and says how much.
pub async fn run(args: Retry, telling: Telling) -> anyhow::Result<ExitCode> {
    let telling = telling.json(args.json);
    let address = args.find.find().await?.ok_or(NoMaster)?;
    let mut control = Control::connect(address).await?;
    let read = args.selection.read(&mut control).await?;
    if !args.yes && read.is_of_everybody() {
        let groups = read.wholes(&OVER, None, usize::MAX, &mut control).await?;
        // By a state alone it is tasks, as `cancel` counts them.
        let groups = groups.groups.iter().filter(|_| read.leaves_nothing_out());
        let parts: Vec<_> = groups.map(|group| over(group, &[])).collect();
        let Some(all) = in_words(&OVER, &read, &parts, &mut control).await? else {
            return Err(read.nothing(&OVER).into());
        };
        bail!(
            "nothing is tried again yet: it would be {all}, whoever handed it in; say it with --yes"
        );
    }
    let chosen = chosen(&read, &mut control).await?;
    let mut account = Account::of(args.selection.asked(), None, telling);
    let went = try_again(chosen, read.states(), &mut account, &mut control).await;
    account.end(went, read.nothing(&OVER))
}

async fn try_again(
    (again, others): (BTreeSet<Again>, Option<Sought>),
    states: &[TaskState],
    account: &mut Account,
    control: &mut Control,
) -> anyhow::Result<()> {
    for again in again {
        let tried = match &again {
            Again::Group(group) => retry_group(group, states, account, control).await,
            Again::Task(task, _) => retry_task(*task, account, control).await,
        };
        let Err(error) = tried else { continue };
        let why = match error.downcast() {
            Ok(ControlError::Refused(why)) => why,
            Ok(error) => return Err(error.into()),
            Err(error) => return Err(error),
        };
        let untried = |name: &str| format!("{name} is not tried again: {why}");
        match &again {
            Again::Group(group) => account.refused_group(group, untried(group))?,
            Again::Task(task, name) => account.task(*task, name, Came::Left(untried(name)))?,
        }
    }
    match others {
        Some(sought) => retry_others(sought, account, control).await,
        None => Ok(()),
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
    let groups = read.wholes(&OVER, None, usize::MAX, control).await?.groups;
    let groups = groups.into_iter().filter(|group| over(group, states) > 0);
    let others = Sought {
        states: states.to_vec(),
        group: read.group().map(Into::into),
        single: true,
    };
    let groups = groups.map(|group| Again::Group(group.group)).collect();
    Ok((groups, Some(others)))
}

/// Tasks that are no parts of groups.
async fn retry_others(
    sought: Sought,
    account: &mut Account,
    control: &mut Control,
) -> anyhow::Result<()> {
    let request = |from| Request::RetryTasks {
        sought: sought.clone(),
        from,
    };
    let swept = sweep(request, control).await?;
    let mut words = Words::default();
    if swept.tasks > 0 {
        let tasks = counted(swept.tasks, "task", "tasks");
        words.done = Some(format!("{tasks} tried again → mutirao list --waiting"));
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
        words.left = Some(format!("{left} not tried again ({names}{more}): {why}"));
    }
    Ok(account.others(sought, swept, &words)?)
}

async fn retry_group(
    group: &str,
    states: &[TaskState],
    account: &mut Account,
    control: &mut Control,
) -> anyhow::Result<()> {
    let before = over(&group_status(group, control).await?, states);
    if before == 0 {
        let wanted = match states {
            [] => &OVER[..],
            states => states,
        };
        let none = format!("nothing of {group} {}", stands(wanted));
        return Ok(account.refused_group(group, none)?);
    }
    let request = Request::RetryGroup {
        group: group.into(),
        states: states.to_vec(),
    };
    let report: GroupReport = control.ask(&request, read_report).await?;
    let left = over(&report, states);
    let changed = before.saturating_sub(left);
    let parts = counted(changed, "part", "parts");
    let done = report.done;
    let done = format!("{group}: {parts} tried again, {done} done → mutirao wait {group}");
    let mut words = Words::done(done);
    if left > 0 {
        let parts = counted(left, "part", "parts");
        words.left = Some(format!(
            "{group}: {parts} left, whose ZIPs are not in tasks/failed/ any more: hand them in again"
        ));
    }
    Ok(account.group(report, (changed, left), &words)?)
}

/// How many parts ended without a result, of those in these states.
fn over(report: &GroupReport, states: &[TaskState]) -> u64 {
    let of = |state, count| match states.is_empty() || states.contains(&state) {
        true => count,
        false => 0,
    };
    of(TaskState::Failed, report.failed) + of(TaskState::Cancelled, report.cancelled)
}

async fn retry_task(
    task_id: TaskId,
    account: &mut Account,
    control: &mut Control,
) -> anyhow::Result<()> {
    let report: TaskReport = control
        .ask(&Request::RetryTask { task_id }, read_task)
        .await?;
    let name = report.task_name.stem();
    let came = match &report.reason {
        Some(why) if report.state.is_terminal() => Came::Left(format!(
            "{name} was cancelled again: {why}; try that one again, or its group"
        )),
        _ => Came::Changed(format!("{name} is tried again → mutirao wait {task_id}")),
    };
    Ok(account.task(task_id, report.task_name.as_str(), came)?)
}
