//! What an actor of the program stands on: the disk, who works on it, and where ids come from.
//!
//! Rule: a simulation brings a ground of its own, and then the same seed gives the same run to the last byte.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use mutirao_actors::model::TaskId;
use uuid::Uuid;

use crate::disk::hands::Threads;
use crate::disk::{Hands, Volume};

/// The ground of one process.
#[derive(Debug, Clone)]
pub struct Ground {
    /// The disk.
    pub volume: Arc<Volume>,
    /// Who does the work on it.
    pub hands: Arc<dyn Hands>,
    /// Where ids come from.
    pub ids: Ids,
    /// Whether the system tells when something happens in a folder; else it is listed every few seconds.
    pub is_watched: bool,
}

impl Ground {
    /// This machine.
    pub fn real() -> Self {
        Self {
            volume: Arc::new(Volume::real()),
            hands: Arc::new(Threads),
            ids: Ids::Random,
            is_watched: true,
        }
    }
}

/// Where ids come from.
#[derive(Debug, Clone)]
pub enum Ids {
    /// The system's chance and clock: no two are the same anywhere.
    Random,
    /// A seed and how many were given, by all clones together: the same ids in every run.
    Seeded {
        /// What tells the ids of one run from those of another.
        seed: u64,
        /// How many were given.
        given: Arc<AtomicU64>,
    },
}

impl Ids {
    /// The same ids in every run with this seed.
    pub fn seeded(seed: u64) -> Self {
        Self::Seeded {
            seed,
            given: Arc::default(),
        }
    }

    /// The id of a new task; later ones compare greater.
    pub fn task(&self) -> TaskId {
        match self {
            Self::Random => TaskId::new(),
            Self::Seeded { seed, given } => {
                let number = given.fetch_add(1, Ordering::Relaxed) + 1;
                TaskId(Uuid::from_u64_pair(number, *seed))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_ids_again_and_none_twice() {
        let ids = |seed| {
            let (ids, clone) = (Ids::seeded(seed), Ids::seeded(seed));
            assert_eq!(ids.task(), clone.task());
            let other = ids.clone();
            [ids.task(), other.task(), ids.task()]
        };
        assert_eq!(ids(7), ids(7));
        assert!(ids(7).is_sorted() && ids(7)[0] < ids(7)[1]);
        assert!(ids(7).iter().all(|id| !ids(8).contains(id)));
    }

    #[test]
    fn ids_of_chance_never_come_again() {
        assert!(Ids::Random.task() < Ids::Random.task());
    }
}
