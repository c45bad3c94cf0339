//! The nouns of the ledger as rows, and rows as nouns.

use std::sync::Arc;

use mutirao_actors::logic::fault::Fault;
use mutirao_actors::logic::ledger::{Submitted, Tried};
use mutirao_actors::logic::record::{Conflict, Place};
use mutirao_actors::model::{
    Attempt, BootId, Endpoint, Kind, Life, Part, Stamp, Task, TaskId, Wishes,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::rows::{ConflictRow, ResultRow, Standing, TaskRow, TryRow, Wall};

/// What a task asks for, and which part of its group it is; both in one column, for few tasks have any of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Asked {
    /// What it asks for.
    #[serde(flatten)]
    pub wishes: Wishes,
    /// Which part it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
}

impl Asked {
    /// Of this task; none if it asks for nothing.
    fn of(task: &Task) -> Option<Self> {
        let (wishes, part) = (&task.kind.wishes, task.part());
        let asks = part.is_some() || *wishes != Wishes::default();
        asks.then(|| Self {
            wishes: wishes.clone(),
            part,
        })
    }
}

impl TaskRow {
    /// A task that was adopted just now.
    pub fn adopted(task: &Task, lies: Place, seq: i64, now: Wall) -> Self {
        Self {
            id: task.id.0,
            seq,
            name: task.name.clone(),
            file: lies.file.into(),
            file_size: lies.stamp.size,
            modified_s: lies.stamp.modified.0,
            modified_ns: lies.stamp.modified.1,
            changed_s: lies.stamp.changed.0,
            changed_ns: lies.stamp.changed.1,
            inode: lies.stamp.inode,
            size: task.size.into(),
            sha256: task.sha256,
            code: task.kind.code,
            group_name: Arc::clone(&task.kind.group),
            wishes: Asked::of(task),
            state: Standing::Queued,
            attempt: None,
            tries: 0,
            conflicts: 0,
            reason: None,
            settled: false,
            adopted_at: now,
            ended_at: None,
        }
    }

    /// The same with its ZIP in another place.
    pub fn lying(self, lies: Place) -> Self {
        Self {
            file: lies.file.into(),
            file_size: lies.stamp.size,
            modified_s: lies.stamp.modified.0,
            modified_ns: lies.stamp.modified.1,
            changed_s: lies.stamp.changed.0,
            changed_ns: lies.stamp.changed.1,
            inode: lies.stamp.inode,
            ..self
        }
    }

    /// The task, and where its ZIP lay.
    pub fn task(self) -> (Task, Place) {
        let Asked { wishes, part } = self.wishes.unwrap_or_default();
        let mut task = Task {
            id: TaskId(self.id),
            name: self.name,
            size: u32::try_from(self.size).unwrap_or(u32::MAX),
            nth: None,
            sha256: self.sha256,
            kind: Arc::new(Kind {
                code: self.code,
                group: self.group_name,
                parts: None,
                wishes,
            }),
        };
        task.set_part(part);
        let stamp = Stamp {
            size: self.file_size,
            modified: (self.modified_s, self.modified_ns),
            changed: (self.changed_s, self.changed_ns),
            inode: self.inode,
        };
        let file = self.file.into();
        (task, Place { file, stamp })
    }
}

impl TryRow {
    /// A stand-in for a try of which the record is lost: its number is never given again. Its name is one that was
    /// handed to nobody, so no result is taken for one of it.
    pub fn lost(task: Uuid, attempt: u32, now: Wall) -> Option<Self> {
        Some(Self {
            task,
            attempt,
            name: format!("lost.{task}.{attempt}.zip").parse().ok()?,
            peer: "unknown".parse().ok()?,
            life: Life::Boot(BootId(Uuid::nil())),
            fault: Some(Fault::HandedBack(
                "the record of this try was lost".to_owned(),
            )),
            began_at: now,
            ended_at: Some(now),
        })
    }
}

impl From<TryRow> for Tried {
    fn from(row: TryRow) -> Self {
        Self {
            attempt: Attempt(row.attempt),
            name: row.name,
            holder: Endpoint {
                peer: row.peer,
                life: row.life,
            },
            fault: row.fault,
            refusals: 0,
        }
    }
}

impl ResultRow {
    /// A result that was taken just now.
    pub fn taken(task: TaskId, submitted: Submitted, file: String, now: Wall) -> Self {
        Self {
            task: task.0,
            attempt: submitted.attempt.0,
            peer: submitted.peer,
            sha256: submitted.sha256,
            size: submitted.size,
            took_ns: submitted.took,
            failure: submitted.failure,
            file,
            taken_at: now,
        }
    }

    /// What was handed in, and where it lies.
    pub fn submitted(self) -> (Submitted, String) {
        let submitted = Submitted {
            attempt: Attempt(self.attempt),
            peer: self.peer,
            sha256: self.sha256,
            size: self.size,
            took: self.took_ns,
            failure: self.failure,
        };
        (submitted, self.file)
    }
}

impl From<ConflictRow> for Conflict {
    fn from(row: ConflictRow) -> Self {
        Self {
            attempt: Attempt(row.attempt),
            peer: row.peer,
            sha256: row.sha256,
        }
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::types::ValueRef;

    use super::*;
    use crate::store::cell::Cell as _;

    #[test]
    fn a_row_of_a_time_that_knew_no_parts_is_of_no_part() {
        let written = br#"{"time_limit":null,"retries":2,"priority":-3,"max_fails":null}"#;
        let asked = Asked::from_cell(ValueRef::Text(written)).unwrap();
        assert_eq!(asked.part, None);
        let wishes = (asked.wishes.retries, asked.wishes.priority);
        assert_eq!((asked.wishes.after, asked.wishes.max_running), (None, None));
        assert_eq!(wishes, (Some(2), -3));
    }
}
