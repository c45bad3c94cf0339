//! What the master's store hears, and what it says: what must survive.

use serde::Serialize;

use crate::logic::record::Record;

inbox! {
    /// What the store hears.
    StoreInbox with StoreEars hears {
        WriteDown,
    }
}

/// Who has something written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scribe {
    /// The scheduler.
    Scheduler,
    /// The folders.
    Folders,
}

/// Write this down, and say when it is safe; in the order in which it is told, all or nothing of each.
#[derive(Debug, Serialize)]
pub struct WriteDown {
    /// Who waits for it.
    pub scribe: Scribe,
    /// Counted from 1 by whoever waits.
    pub ticket: u64,
    /// What happened.
    pub records: Vec<Record>,
}

/// All up to this ticket is safe, whatever happens to the machine.
#[derive(Debug, Serialize)]
pub struct WrittenDown {
    /// The scribe's own.
    pub ticket: u64,
}

/// The disk does not take what is to be written down, or takes it again; what waits is tried again and again.
#[derive(Debug, Clone, Serialize)]
pub struct StoreChanged {
    /// In words for a reader; none: it is well.
    pub trouble: Option<String>,
}
