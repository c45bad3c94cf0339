//! `mutirao cancel`: take back a group or a task.

use std::process::ExitCode;

use clap::Args;
use mutirao_actors::model::TaskId;
use mutirao_actors::wire::report::TaskState;
use mutirao_actors::wire::{Reply, Request};

use super::options::{FindOptions, NoMaster};
use super::wait::{Meant, meant};
use super::work::counted;
use crate::control::{Control, ControlError};

/// Take back a group or a task
#[derive(Debug, Clone, Args)]
pub struct Cancel {
    /// A group, a task's name or id, or `last` for the newest, with its group if it is of one
    what: String,
    #[command(flatten)]
    find: FindOptions,
}

/// Takes back, and says how much.
pub async fn run(args: Cancel) -> anyhow::Result<ExitCode> {
    let address = args.find.find().await?.ok_or(NoMaster)?;
    let mut control = Control::connect(address).await?;
    let tasks = match meant(&args.what, &mut control).await? {
        Meant::Task(report) => vec![report.task_id],
        Meant::Group(group) => group.tasks,
    };
    let mut cancelled = 0;
    // The last first: none is to begin because one before it ends.
    for task in tasks.into_iter().rev() {
        cancelled += u64::from(cancel(task, &mut control).await? == TaskState::Cancelled);
    }
    println!("{} cancelled", counted(cancelled, "task", "tasks"));
    Ok(ExitCode::SUCCESS)
}

async fn cancel(task_id: TaskId, control: &mut Control) -> Result<TaskState, ControlError> {
    let read = |reply: Reply<'_>| match reply {
        Reply::TaskState(report) => Some(report.state),
        _ => None,
    };
    control.ask(&Request::CancelTask { task_id }, read).await
}
