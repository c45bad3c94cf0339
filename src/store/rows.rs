//! The rows of each table.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use mutirao_actors::logic::fault::Fault;
use mutirao_actors::model::{Digest, Life, PeerId, TaskName};
use rusqlite::types::ValueRef;
use uuid::Uuid;

use super::cell::{Cell, Cells, Written};
use super::nouns::Asked;
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

            fn cells(&self) -> Vec<Written<'_>> {
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
    fn to_cell(&self) -> Written<'_> {
        Written::text(self.word())
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
        wishes: Option<Asked>,
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
    /// How a task had ended that was opened again.
    EndRow in "earlier_end" with key of 2 {
        /// Of which task.
        task: Uuid,
        /// From 1, in their order.
        number: u32,
        /// Failed or cancelled.
        state: Standing,
        /// Why.
        reason: Option<String>,
        /// When it had become terminal.
        ended_at: Wall,
        /// When it was opened again.
        opened_at: Wall,
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
