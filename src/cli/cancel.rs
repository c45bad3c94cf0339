//! `mutirao cancel`: take back groups and tasks.
//!
//! Rule: what is named is taken back; everything, which is that of others too, only for who says so twice.

use std::process::ExitCode;

use anyhow::{bail, ensure};
use clap::Args;
use mutirao_actors::model::TaskId;
use mutirao_actors::wire::Request;
use mutirao_actors::wire::report::{GroupReport, TaskReport, TaskState};
use mutirao_actors::wire::request::REASON_MAX;

use super::FAILED;
use super::ask::{read_report, read_task};
use super::master::report;
use super::options::{FindOptions, NoMaster};
use super::select::{Meant, NotFound, Selection, Target};
use super::sweep::sweep;
use super::work::counted;
use crate::control::{Control, ControlError};

/// Tasks that can be taken back.
const OPEN: [TaskState; 2] = [TaskState::Queued, TaskState::Leased];

/// Take back groups and tasks
#[derive(Debug, Clone, Args)]
pub struct Cancel {
    #[command(flatten)]
    selection: Selection,
    /// Why, for those who ask later
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// With `all`, or a state alone: do it, whoever handed it in
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    find: FindOptions,
}

/// Takes back, and says how much.
pub async fn run(args: Cancel) -> anyhow::Result<ExitCode> {
    let reason = args.reason.as_deref();
    let length = reason.map_or(0, |reason| reason.chars().count());
    ensure!(
        length <= REASON_MAX,
        "nothing is taken back: a --reason has at most {REASON_MAX} characters, and this one has {length}"
    );
    let address = args.find.find().await?.ok_or(NoMaster)?;
    let mut control = Control::connect(address).await?;
    let read = args.selection.read(&mut control).await?;
    let targets = read.targets(&OPEN, &mut control).await?;
    if !args.yes && read.is_everything() {
        let Some(all) = in_words(&targets, &mut control).await? else {
            return Err(NotFound::Empty.into());
        };
        bail!(
            "nothing is taken back yet: it would be {all}, whoever handed it in; say it with --yes"
        );
    }
    let (mut code, mut is_any) = (ExitCode::SUCCESS, false);
    for target in targets {
        let meant = match target {
            Target::One(meant) => meant,
            Target::Some(sought) => {
                let request = |from| Request::CancelTasks {
                    sought: sought.clone(),
                    reason: reason.map(Into::into),
                    from,
                };
                let swept = sweep(request, &mut control).await?;
                if swept.tasks > 0 {
                    is_any = true;
                    let (one, more) = ("task is cancelled", "tasks are cancelled");
                    println!("{}", counted(swept.tasks, one, more));
                }
                continue;
            }
        };
        is_any = true;
        match meant {
            Meant::Task(task) => {
                let report = cancel_task(task.task_id, reason, &mut control).await?;
                if report.state == TaskState::Cancelled {
                    println!("{} is cancelled", report.task_name);
                } else {
                    eprintln!("{} has ended already", report.task_name);
                    code = ExitCode::from(FAILED);
                }
            }
            Meant::Group(group) => {
                let request = Request::CancelGroup {
                    group: group.group.as_str().into(),
                    reason: reason.map(Into::into),
                };
                let report: GroupReport = control.ask(&request, read_report).await?;
                let (group, done) = (&report.group, report.done);
                let parts = counted(report.cancelled, "part", "parts");
                println!("{parts} of {group} are cancelled, {done} are done");
            }
        }
    }
    match is_any {
        true => Ok(code),
        false => Err(NotFound::Empty.into()),
    }
}

/// How much of everything would be taken back: what of these groups, and what is of none, or all that stands so; none if
/// nothing is there.
async fn in_words(targets: &[Target], control: &mut Control) -> anyhow::Result<Option<String>> {
    let group = |target: &Target| match target {
        Target::One(Meant::Group(group)) => Some(group.waiting + group.running),
        Target::One(Meant::Task(_)) | Target::Some(_) => None,
    };
    let parts: Vec<_> = targets.iter().filter_map(group).collect();
    let stand = |state| {
        targets.iter().any(|target| match target {
            Target::Some(sought) => sought.states.is_empty() || sought.states.contains(&state),
            Target::One(_) => true,
        })
    };
    let counts = report(control).await?.queue.tasks;
    let waiting = if stand(TaskState::Queued) {
        counts.queued
    } else {
        0
    };
    let running = if stand(TaskState::Leased) {
        counts.leased
    } else {
        0
    };
    let of_groups = parts.iter().fold(0_u64, |sum, of| sum.saturating_add(*of));
    let tasks = (waiting + running).saturating_sub(of_groups);
    let (one, more) = ("group", "groups");
    let groups = counted(parts.len() as u64, one, more);
    let single = counted(tasks, "task", "tasks");
    Ok(match (tasks, parts.is_empty()) {
        (0, true) => None,
        (_, true) => Some(single),
        (0, false) => Some(groups),
        (_, false) => Some(format!("{single} and {groups}")),
    })
}

async fn cancel_task(
    task_id: TaskId,
    reason: Option<&str>,
    control: &mut Control,
) -> Result<TaskReport, ControlError> {
    let reason = reason.map(Into::into);
    let request = Request::CancelTask { task_id, reason };
    control.ask(&request, read_task).await
}
