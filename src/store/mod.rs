//! What must outlive the process, whatever happens to the machine.
//!
//! Rule: a record that was committed is there after a power cut; what cannot be read back any more is listed, never
//! dropped in silence, and never keeps a master from starting (promise R6).

use mutirao_actors::logic::ledger::Counts;
use mutirao_actors::logic::record::{OlderParts, Record, Remembered};
use mutirao_actors::model::PeerId;
use uuid::Uuid;

mod apply;
mod base;
mod cell;
pub mod check;
mod damaged;
pub mod desk;
mod drained;
pub mod export;
mod fail;
mod files;
mod frames;
mod held;
mod index;
mod kept;
mod load;
mod log;
mod lost;
mod mend;
mod nouns;
pub mod older;
pub mod past;
mod reconcile;
mod row;
mod rows;
mod schema;
mod sqlite;
mod sums;
mod whole;

pub use self::desk::StoreDesk;
pub use self::fail::StoreError;
pub use self::lost::shown;
pub use self::sqlite::SqliteStore;

/// Where it lies, below the folder of a master.
pub const FOLDER: &str = ".mutirao/store";

/// Takes records to disk.
pub trait Store: Send {
    /// Commits records in their order, all of them or nothing; after `Ok` they survive a power cut. The same records
    /// may be committed again after an error, of which nobody knows how far it came.
    ///
    /// # Errors
    /// Whatever the disk refuses; the store may be used again, and is to be, until it succeeds.
    fn commit(&mut self, records: &[Record]) -> Result<(), StoreError>;
}

/// What a store remembers when it is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recalled {
    /// Which master this is: made with the store.
    pub master: Uuid,
    /// Which life of it, from 1.
    pub epoch: u64,
    /// How many tasks stand how, of all that are in the store.
    pub counts: Counts,
    /// All that are open or not settled and the newest that are terminal, in the order of their arrival.
    pub tasks: Vec<Remembered>,
    /// The parts of these tasks' groups that are terminal and not among them.
    pub older_parts: Vec<OlderParts>,
    /// Peers that are to be given nothing.
    pub drained: Vec<PeerId>,
    /// What was written down and cannot be read any more, in words for a reader.
    pub damage: Vec<String>,
    /// Whether anything was ever lost of what was written down, in this life or before it.
    pub has_lost: bool,
}

#[cfg(test)]
mod tests;
