//! `mutirao cancel`: take back groups and tasks.
//!
//! Rule: what is named is taken back; everything, which is that of others too, only for who says so twice.

use std::process::ExitCode;

use anyhow::ensure;
use clap::Args;
use mutirao_actors::model::TaskId;
use mutirao_actors::wire::report::{GroupReport, TaskReport, TaskState};
use mutirao_actors::wire::{Reply, Request};

use super::FAILED;
use super::options::{FindOptions, NoMaster};
use super::select::{Meant, Selection};
use super::status::read_report;
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
    /// With `all`: do it, whoever handed it in
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    find: FindOptions,
}

/// Takes back, and says how much.
pub async fn run(args: Cancel) -> anyhow::Result<ExitCode> {
    let address = args.find.find().await?.ok_or(NoMaster)?;
    let mut control = Control::connect(address).await?;
    let read = args.selection.read(&mut control).await?;
    let found = read.found(&OPEN, &mut control).await?;
    ensure!(
        args.yes || !read.is_everything(),
        "nothing is taken back yet: it would be {}, whoever handed it in; say it with --yes",
        in_words(&found)
    );
    let reason = args.reason.as_deref();
    let mut code = ExitCode::SUCCESS;
    for meant in found {
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
    Ok(code)
}

fn in_words(found: &[Meant]) -> String {
    let groups = found
        .iter()
        .filter(|meant| matches!(meant, Meant::Group(_)));
    let groups = groups.count() as u64;
    let tasks = found.len() as u64 - groups;
    match (
        counted(tasks, "task", "tasks"),
        counted(groups, "group", "groups"),
    ) {
        (tasks, _) if groups == 0 => tasks,
        (_, groups) if tasks == 0 => groups,
        (tasks, groups) => format!("{tasks} and {groups}"),
    }
}

async fn cancel_task(
    task_id: TaskId,
    reason: Option<&str>,
    control: &mut Control,
) -> Result<TaskReport, ControlError> {
    let read = |reply: Reply<'_>| match reply {
        Reply::TaskState(report) => Some(report),
        _ => None,
    };
    let reason = reason.map(Into::into);
    let request = Request::CancelTask { task_id, reason };
    control.ask(&request, read).await
}
