//! `mutirao cancel`: take back a group or a task.

use std::process::ExitCode;

use anyhow::ensure;
use clap::Args;
use mutirao_actors::model::TaskId;
use mutirao_actors::wire::report::{GroupReport, TaskReport, TaskState};
use mutirao_actors::wire::{Reply, Request};

use super::FAILED;
use super::options::{FindOptions, NoMaster};
use super::status::read_report;
use super::wait::{Meant, meant};
use super::work::counted;
use crate::control::{Control, ControlError};

/// Take back a group or a task
#[derive(Debug, Clone, Args)]
pub struct Cancel {
    /// A group, a task's name or id, or `last` for the newest, with its group if it is of one
    what: String,
    /// Why, for those who ask later; of a group
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    find: FindOptions,
}

/// Takes back, and says how much.
pub async fn run(args: Cancel) -> anyhow::Result<ExitCode> {
    let address = args.find.find().await?.ok_or(NoMaster)?;
    let mut control = Control::connect(address).await?;
    match meant(&args.what, &mut control).await? {
        Meant::Task(task_id) => {
            ensure!(
                args.reason.is_none(),
                "{} is a task; --reason goes with a group",
                args.what
            );
            let report = cancel_task(task_id, &mut control).await?;
            if report.state != TaskState::Cancelled {
                eprintln!("{} has ended already", report.task_name);
                return Ok(ExitCode::from(FAILED));
            }
            println!("{} is cancelled", report.task_name);
        }
        Meant::Group(group) => {
            let request = Request::CancelGroup {
                group: group.as_str().into(),
                reason: args.reason.as_deref().map(Into::into),
            };
            let report: GroupReport = control.ask(&request, read_report).await?;
            let parts = counted(report.cancelled, "part", "parts");
            println!("{parts} of {group} are cancelled, {} are done", report.done);
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn cancel_task(task_id: TaskId, control: &mut Control) -> Result<TaskReport, ControlError> {
    let read = |reply: Reply<'_>| match reply {
        Reply::TaskState(report) => Some(report),
        _ => None,
    };
    control.ask(&Request::CancelTask { task_id }, read).await
}
