//! A part that has ended, and where what it left lies.

use std::sync::Arc;

use mutirao_actors::logic::effect::End;
use mutirao_actors::messages::EndedPart;
use mutirao_actors::model::{Digest, TaskId, TaskName};
use mutirao_actors::wire::report::TaskState;

use crate::folders::plans::FAILED;
use crate::gather::{Part, Whole};

/// A part whose files may not lie where they belong yet.
#[derive(Debug, Clone)]
pub struct Ending {
    pub group: Arc<str>,
    pub parts: u32,
    pub name: TaskName,
    pub size: u32,
    pub part: Part,
    /// The file of its result, below `results/`.
    pub file: Option<String>,
}

/// Where a result lies, below `results/`, and its SHA-256; none if there is none.
pub type Told = Option<(String, Digest)>;

impl Ending {
    /// Of this task, if its group can have a folder.
    pub fn of(task: TaskId, ended: EndedPart, name: &TaskName, end: &End) -> Option<Self> {
        folder_of(&ended.group)?;
        let (state, reason) = told(end);
        let part = Part {
            part: ended.part.number(),
            task_id: task,
            state,
            peer: ended.peer,
            attempts: ended.attempts,
            input_sha256: Some(ended.sha256),
            result_sha256: None,
            reason,
        };
        Some(Self {
            group: ended.group,
            parts: ended.part.of(),
            name: name.clone(),
            size: ended.size,
            part,
            file: None,
        })
    }

    /// Of this task of a group, of which nobody can tell any more how it ended, for this reason. It counts as failed: whoever
    /// has it tried again loses nothing by that.
    pub fn lost(whole: &Whole, number: u32, task: TaskId, why: &str) -> Self {
        let reason = format!(
            "what was written down of it is lost ({why}); what it left may still lie there"
        );
        Self {
            group: whole.group.as_str().into(),
            parts: whole.parts,
            name: TaskName::tamed(&task.to_string()),
            size: 0,
            part: Part {
                part: number,
                task_id: task,
                state: TaskState::Failed,
                peer: None,
                attempts: 0,
                input_sha256: None,
                result_sha256: None,
                reason: Some(reason),
            },
            file: None,
        }
    }

    /// The same with its result.
    pub fn with(mut self, result: Told) -> Self {
        if let Some((file, sha256)) = result {
            self.part.result_sha256 = Some(sha256);
            self.file = Some(file);
        }
        self
    }
}

/// The name of a group's folder below `results/`, if it can have one: the last output of tasks that failed has one there too.
pub fn folder_of(group: &str) -> Option<&str> {
    let is_taken = group == FAILED.trim_end_matches('/');
    (!is_taken && TaskName::tamed(group).stem() == group).then_some(group)
}

/// How it ended, as reports say it.
fn told(end: &End) -> (TaskState, Option<String>) {
    match end {
        End::Done => (TaskState::Done, None),
        End::Failed(why) => (TaskState::Failed, Some(why.clone())),
        End::Cancelled(why) => (TaskState::Cancelled, Some(why.clone())),
    }
}
