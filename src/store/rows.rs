//! The rows of each table, and the nouns that they are made of.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use mutirao_actors::logic::fault::Fault;
use mutirao_actors::logic::ledger::{Submitted, Tried};
use mutirao_actors::logic::record::{Conflict, Place};
use mutirao_actors::model::{
    Attempt, BootId, Digest, Endpoint, Life, PeerId, Stamp, Task, TaskId, TaskName, Wishes,
};
use rusqlite::types::{Value, ValueRef};
use uuid::Uuid;

use super::cell::{Cell, Cells};
use super::row::{Sealed, Table};

/// A time for people: milliseconds of the wall clock since 1970.
pub type Wall = i64;

/// Makes a row of its table; its fields are the columns in their order.
macro_rules! row {
    ($(#[$doc:meta])* $Row:ident in $table:literal with key of $key:literal {
        $($(#[$field_doc:meta])* $column:ident: $type:ty,)+
    }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $Row { $($(#[$field_doc])* pub $column: $type,)+ }

        impl Sealed for $Row {
            fn table() -> &'static Table {
                static TABLE: LazyLock<Table> =
                    LazyLock::new(|| Table::new($table, $key, &[$(stringify!($column)),+]));
                &TABLE
            }

            fn cells(&self) -> Vec<Value> {
                vec![$(self.$column.to_cell()),+]
            }

            fn from_cells(cells: &mut Cells<'_>) -> Option<Self> {
                Some(Self { $($column: cells.take()?),+ })
            }
        }
    };
}

/// How a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It waits.
    Queued,
    /// A peer has it.
    Leased,
    /// It has its result.
    Done,
    /// It failed as often as it may.
    Failed,
    /// It was taken back.
    Cancelled,
}

impl Standing {
    const ALL: [(Self, &'static str); 5] = [
        (Self::Queued, "queued"),
        (Self::Leased, "leased"),
        (Self::Done, "done"),
        (Self::Failed, "failed"),
        (Self::Cancelled, "cancelled"),
    ];

    /// The word for it.
    pub fn word(self) -> &'static str {
        let found = Self::ALL.iter().find(|(standing, _)| *standing == self);
        found.map_or("", |(_, word)| word)
    }

    /// Whether nothing changes it any more.
    pub fn is_terminal(self) -> bool {
        !matches!(self, Self::Queued | Self::Leased)
    }
}

impl Cell for Standing {
    fn to_cell(&self) -> Value {
        Value::Text(self.word().to_owned())
    }

    fn from_cell(cell: ValueRef<'_>) -> Option<Self> {
        let text = cell.as_str().ok()?;
        let found = Self::ALL.iter().find(|(_, word)| *word == text);
        found.map(|(standing, _)| *standing)
    }
}

row! {
    /// What holds for the whole store.
    MetaRow in "meta" with key of 1 {
        /// What.
        key: String,
        /// Its value.
        value: String,
    }
}

row! {
    /// A task.
    TaskRow in "task" with key of 1 {
        /// Which.
        id: Uuid,
        /// The order of arrival, from 1.
        seq: i64,
        /// The name under which it was put in.
        name: TaskName,
        /// Its ZIP's name in `tasks/`.
        file: Vec<u8>,
        /// Of the stamp of that file, as all up to `inode`.
        file_size: u64,
        /// Seconds.
        modified_s: i64,
        /// And nanoseconds.
        modified_ns: i64,
        /// Seconds.
        changed_s: i64,
        /// And nanoseconds.
        changed_ns: i64,
        /// The file's number.
        inode: u64,
        /// Bytes of the ZIP.
        size: u64,
        /// Its digest.
        sha256: Digest,
        /// The digest of its code.
        code: Digest,
        /// The group to which it belongs.
        group_name: Arc<str>,
        /// What it asks for, if for anything.
        wishes: Option<Wishes>,
        /// How it stands.
        state: Standing,
        /// The try that is leased, or whose result is kept.
        attempt: Option<u32>,
        /// The number of its last try.
        tries: u32,
        /// How many conflicting results are written down.
        conflicts: u32,
        /// Why it ended without a result.
        reason: Option<String>,
        /// Whether its files lie where they belong, once it is terminal.
        settled: bool,
        /// When it was first written down.
        adopted_at: Wall,
        /// When it became terminal.
        ended_at: Option<Wall>,
    }
}

row! {
    /// A try that was handed out.
    TryRow in "try" with key of 2 {
        /// Of which task.
        task: Uuid,
        /// Which.
        attempt: u32,
        /// The name under which it was handed out.
        name: TaskName,
        /// To whom.
        peer: PeerId,
        /// To which life of them.
        life: Life,
        /// Why it ended without a result that counts.
        fault: Option<Fault>,
        /// When it was handed out.
        began_at: Wall,
        /// When that was known.
        ended_at: Option<Wall>,
    }
}

row! {
    /// The result that was taken, or the last output of a failure.
    ResultRow in "result" with key of 1 {
        /// Of which task.
        task: Uuid,
        /// Of which try.
        attempt: u32,
        /// By whom it was handed in.
        peer: PeerId,
        /// The digest of its bytes as they were sent.
        sha256: Digest,
        /// How many bytes.
        size: u64,
        /// How long the run took.
        took_ns: Duration,
        /// Why it is no success, if it is none.
        failure: Option<Fault>,
        /// Where it lies, or will, below `results/`.
        file: String,
        /// When it was taken.
        taken_at: Wall,
    }
}

row! {
    /// A result that is not the one that was taken.
    ConflictRow in "conflict" with key of 2 {
        /// Of which task.
        task: Uuid,
        /// From 1, in the order of arrival.
        number: u32,
        /// Of which try.
        attempt: u32,
        /// From whom.
        peer: PeerId,
        /// The digest of its bytes.
        sha256: Digest,
        /// When it came.
        came_at: Wall,
    }
}

impl TaskRow {
    /// A task that was adopted just now.
    pub fn adopted(task: Task, lies: Place, seq: i64, now: Wall) -> Self {
        Self {
            id: task.id.0,
            seq,
            name: task.name,
            file: lies.file,
            file_size: lies.stamp.size,
            modified_s: lies.stamp.modified.0,
            modified_ns: lies.stamp.modified.1,
            changed_s: lies.stamp.changed.0,
            changed_ns: lies.stamp.changed.1,
            inode: lies.stamp.inode,
            size: task.size,
            sha256: task.sha256,
            code: task.code,
            group_name: task.group,
            wishes: (task.wishes != Wishes::default()).then_some(task.wishes),
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
            file: lies.file,
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
        let task = Task {
            id: TaskId(self.id),
            name: self.name,
            size: self.size,
            sha256: self.sha256,
            code: self.code,
            group: self.group_name,
            wishes: self.wishes.unwrap_or_default(),
        };
        let stamp = Stamp {
            size: self.file_size,
            modified: (self.modified_s, self.modified_ns),
            changed: (self.changed_s, self.changed_ns),
            inode: self.inode,
        };
        let file = self.file;
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
