//! What was seen of a run, by others than its masters and on their disk.

use std::collections::BTreeMap;
use std::path::PathBuf;

use bytes::Bytes;
use mutirao_actors::logic::record::Remembered;
use mutirao_actors::model::{Digest, TaskId};

use crate::hosts::submitter::Accepted;
use crate::tap::Acked;

/// What was seen.
#[derive(Debug)]
pub struct Evidence {
    /// What was not done in time, if anything.
    pub unfinished: Option<String>,
    /// Panics.
    pub panics: u32,
    /// Whether nothing went wrong around it.
    pub is_calm: bool,
    /// What was accepted over the wire.
    pub accepted: Vec<Accepted>,
    /// What was put into `tasks/`.
    pub dropped: Vec<Dropped>,
    /// What the store took.
    pub adopted: Vec<TaskId>,
    /// What the store gives back.
    pub recalled: BTreeMap<TaskId, Remembered>,
    /// What of it is damaged.
    pub damage: Vec<String>,
    /// Every file on the master's disk.
    pub files: Vec<(PathBuf, Bytes)>,
    /// What was acked.
    pub acks: Vec<Acked>,
}

/// A task that somebody put into `tasks/`.
#[derive(Debug, Clone)]
pub struct Dropped {
    /// Under which name.
    pub name: String,
    /// Its ZIP.
    pub zip: Digest,
    /// Whether it was flushed, so that no power cut takes it.
    pub is_flushed: bool,
}
