//! How much everything is, for who has not said yet that everything is meant.

use mutirao_actors::wire::report::{TaskCounts, TaskState};

use super::master::report;
use super::select::Read;
use super::work::counted;
use crate::control::{Control, ControlError};

/// How many tasks and groups would be changed, where only those in these states can be: `parts` are how many of each group.
/// None if nothing is there.
///
/// # Errors
/// When the master cannot be reached.
pub async fn in_words(
    changeable: &[TaskState],
    read: &Read,
    parts: &[u64],
    control: &mut Control,
) -> Result<Option<String>, ControlError> {
    let counts = report(control).await?.queue.tasks;
    let is_meant = |state: &&TaskState| read.states().is_empty() || read.states().contains(state);
    let changed = changeable.iter().filter(is_meant);
    let changed = sum(changed.map(|state| count(&counts, *state)));
    let tasks = changed.saturating_sub(sum(parts.iter().copied()));
    let groups = counted(parts.len() as u64, "group", "groups");
    let single = counted(tasks, "task", "tasks");
    Ok(match (tasks, parts.is_empty()) {
        (0, true) => None,
        (_, true) => Some(single),
        (0, false) => Some(groups),
        (_, false) => Some(format!("{single} and {groups}")),
    })
}

fn sum(counts: impl Iterator<Item = u64>) -> u64 {
    counts.fold(0, u64::saturating_add)
}

fn count(counts: &TaskCounts, state: TaskState) -> u64 {
    match state {
        TaskState::Queued => counts.queued,
        TaskState::Leased => counts.leased,
        TaskState::Done => counts.done,
        TaskState::Failed => counts.failed,
        TaskState::Cancelled => counts.cancelled,
    }
}
