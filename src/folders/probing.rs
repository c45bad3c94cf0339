//! The disk is tried for those who will not try it again.
//!
//! Rule: what somebody asked for and the disk refused is done no more unless he asks again. So that nobody hears of a trouble
//! long after it is over, the disk is tried for nobody's sake when nothing was refused for a while.

use std::sync::Arc;
use std::time::Duration;

use actix::Context;
use mutirao_actors::model::Moment;

use super::Folders;
use super::jobs;
use crate::disk::DiskError;

/// Longer than our peers wait before they hand in again what was not stored: mostly one of them is first.
const QUIET: Duration = Duration::from_secs(8);
/// After each try in vain the wait is doubled, so often at most: a probe takes the room that small results still have.
const DOUBLINGS_MAX: u32 = 2;
/// Work that somebody asked for.
const ASKED_FOR: [&str; 6] = [
    "adopt",
    "open a group",
    "keep",
    "load",
    "set aside",
    "discard",
];

/// Whether the disk is to be tried.
#[derive(Debug, Default)]
pub(super) struct Probing {
    /// When it last refused what somebody asked for, unless it was well since.
    refused: Option<Moment>,
    /// The most bytes of which it refused to take so many: it may well take fewer.
    bytes: usize,
    is_under_way: bool,
    /// How often it was tried in vain.
    failed: u32,
}

impl Folders {
    /// How work went that somebody asked for, and that is not tried again; it was to write so many bytes.
    pub(super) fn hear_asked(
        &mut self,
        work: &'static str,
        bytes: usize,
        trouble: Option<&DiskError>,
    ) {
        if trouble.is_some() {
            self.probing.refused = Some(self.clock.now());
            self.probing.bytes = self.probing.bytes.max(bytes);
        }
        self.hear_of(work, "", trouble);
    }

    /// Tries the disk if it is time to.
    pub(super) fn probe(&mut self, ctx: &mut Context<Self>) {
        let now = self.clock.now();
        let wait = QUIET * (1 << self.probing.failed.min(DOUBLINGS_MAX));
        let refused = self.probing.refused;
        let is_due = refused.is_some_and(|at| now >= at.after(wait));
        if !is_due || std::mem::replace(&mut self.probing.is_under_way, true) {
            return;
        }
        let (places, bytes) = (Arc::clone(&self.places), self.probing.bytes);
        let probe = move || jobs::probe(&places, bytes);
        self.work(ctx, probe, move |desk, probed, _| {
            desk.probing.is_under_way = false;
            if probed.is_ok() {
                desk.probing.failed = 0;
                // What was refused meanwhile is heard as another refusal.
                desk.probing.refused = desk.probing.refused.filter(|at| *at > now);
                if desk.probing.refused.is_none() {
                    desk.probing.bytes = 0;
                    desk.troubles.end(&ASKED_FOR);
                }
            } else {
                desk.probing.failed = desk.probing.failed.saturating_add(1);
                desk.probing.refused = Some(desk.clock.now());
            }
        });
    }
}
