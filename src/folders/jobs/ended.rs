//! A task that has ended, as the work on its files needs to know it.

use mutirao_actors::logic::effect::End;
use mutirao_actors::model::{TaskId, TaskName};

use crate::folders::intake::Leaving;
use crate::folders::kept::Kept;

/// A terminal task whose files are to be put where they belong.
#[derive(Debug, Clone)]
pub(in crate::folders) struct Settling {
    /// Which.
    pub task: TaskId,
    /// Its own name.
    pub name: TaskName,
    /// How it ended.
    pub end: End,
    /// Its result, or the last output of its failure.
    pub kept: Option<Kept>,
    /// Its file in `tasks/`; none when that was deleted or replaced.
    pub leaving: Option<Leaving>,
    /// Whether that may still lie among the payloads.
    pub may_be_unlaid: bool,
}
