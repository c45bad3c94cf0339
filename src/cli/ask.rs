//! What commands ask a master of tasks and groups, and how its replies are read.

use mutirao_actors::model::TaskChoice;
use mutirao_actors::wire::report::{GroupReport, TaskReport};
use mutirao_actors::wire::{Reply, Request};
use serde::de::DeserializeOwned;

use crate::control::{Control, ControlError};

/// The report in a reply, if it is of this kind.
pub fn read_report<T: DeserializeOwned>(reply: Reply<'_>) -> Option<T> {
    match reply {
        Reply::Report(text) => serde_json::from_str(&text).ok(),
        _ => None,
    }
}

/// How a task stands, if the reply tells that.
pub fn read_task(reply: Reply<'_>) -> Option<TaskReport> {
    match reply {
        Reply::TaskState(report) => Some(report),
        _ => None,
    }
}

/// How a task stands; with `why` in full.
///
/// # Errors
/// When the master cannot be reached, or does not know it.
pub async fn task_status(
    task: TaskChoice,
    why: bool,
    control: &mut Control,
) -> Result<TaskReport, ControlError> {
    let request = Request::TaskStatus { task, why };
    control.ask(&request, read_task).await
}

/// How the parts of a group stand.
///
/// # Errors
/// When the master cannot be reached, or does not know it.
pub async fn group_status(group: &str, control: &mut Control) -> Result<GroupReport, ControlError> {
    group_asked(group, false, control).await
}

/// The same in full: why parts of it wait, run or failed.
///
/// # Errors
/// When the master cannot be reached, or does not know it.
pub async fn group_in_full(
    group: &str,
    control: &mut Control,
) -> Result<GroupReport, ControlError> {
    group_asked(group, true, control).await
}

async fn group_asked(
    group: &str,
    why: bool,
    control: &mut Control,
) -> Result<GroupReport, ControlError> {
    let group = group.into();
    let request = Request::GroupStatus { group, why };
    control.ask(&request, read_report).await
}
