//! Who does the work that blocks: threads in the program, the simulation's own turn of its one thread in a simulation.

use std::fmt;

/// Work on the disk; it sends what it found back by itself.
pub type Job = Box<dyn FnOnce() + Send>;

/// Does jobs for an actor, which never blocks.
pub trait Hands: fmt::Debug + Send + Sync {
    /// Has a job done without keeping the caller waiting; dropped undone only when the program ends.
    fn take(&self, job: Job);
}

/// The runtime's threads for work that blocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct Threads;

impl Hands for Threads {
    fn take(&self, job: Job) {
        drop(tokio::task::spawn_blocking(job));
    }
}
