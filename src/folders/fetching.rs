//! Small ZIPs that are asked for and are not in memory.
//!
//! Rule: those that wait while others are being read are read by one job, for waking a thread costs more than reading one.

use std::path::PathBuf;
use std::sync::Arc;

use actix::Context;
use mutirao_actors::message_log::Cause;
use mutirao_actors::messages::ReplyTo;
use mutirao_actors::model::{Archive, Digest, TaskId};

use super::Folders;
use super::gathering::Gathering;
use super::jobs::{self, Refused};
use super::places::Places;

/// Jobs that read at a time: two keep a disk busy.
const JOBS_MAX: usize = 2;
/// ZIPs that are read by one job: few enough that the first is not kept waiting by a disk that has to search for each.
const BATCH_MAX: usize = 32;

/// A ZIP that somebody needs.
#[derive(Debug)]
pub(super) struct Fetch {
    /// Of which task.
    pub task: TaskId,
    /// How it is called towards whoever needs it.
    pub name: String,
    /// Where it lies.
    pub path: PathBuf,
    /// Of its content.
    pub sha256: Digest,
    /// Whether it may still lie among the payloads.
    pub may_be_unlaid: bool,
    /// By whom it is needed.
    pub asked: (ReplyTo, Cause),
}

/// Those that wait.
pub(super) type Fetches = Gathering<Fetch>;

impl Fetch {
    /// Reads it.
    pub fn load(&self, places: &Places) -> Result<Archive, Refused> {
        match self.may_be_unlaid {
            true => jobs::load_unlaid(places, self.task, &self.path, self.sha256),
            false => jobs::load(&places.volume, &self.path, self.sha256),
        }
    }
}

impl Folders {
    /// Has a small ZIP read, with the others that wait.
    pub(super) fn fetch(&mut self, fetch: Fetch, ctx: &mut Context<Self>) {
        let (reply, cause) = &fetch.asked;
        if self.has_hands(reply, *cause) {
            self.fetches.add(fetch);
            self.fetch_waiting(ctx);
        }
    }

    fn fetch_waiting(&mut self, ctx: &mut Context<Self>) {
        let Some(batch) = self.fetches.begin(JOBS_MAX, BATCH_MAX) else {
            return;
        };
        let places = Arc::clone(&self.places);
        let load = move || {
            let load = |fetch: Fetch| (fetch.load(&places), fetch);
            batch.into_iter().map(load).collect::<Vec<_>>()
        };
        self.work(ctx, load, |desk, loaded, ctx| {
            desk.fetches.ended();
            for (loaded, fetch) in loaded {
                desk.loaded(fetch.name, loaded, fetch.asked);
            }
            desk.fetch_waiting(ctx);
        });
    }
}
