//! Who else is here: a task that failed at one peer is judged by what the others make of it.
//!
//! Rule (promise R5): a task is failed for good only by failures that say something about it. Those of sick peers do
//! not, while anybody well works here; and of one peer not more than one does, while another could run the task and
//! has not yet. One that comes back without any result again and again is such another only for what one peer alone has
//! failed: it pauses so long between two tasks that a queue of bad ones would wait for it for hours. So that no queue does
//! so for ever, it is none at all once it has come back so very often, unless there is reason to doubt that one peer, as
//! of a sick one. Nor does it then keep a sick peer from being tried and heard: each of its failures counts as soon as that
//! other one has failed the task too.

use std::cell::{LazyCell, OnceCell};
use std::collections::HashSet;
use std::time::Duration;

use super::Dispatch;
use crate::logic::fault::{Blame, Fault};
use crate::logic::ledger::{Entry, State};
use crate::logic::policy::Policy;
use crate::logic::standing::Standing;
use crate::model::{Attempt, Endpoint, Moment, PeerId, TaskId};

/// A peer that holds nothing and has not asked for so long does not work here: requests and pauses last a minute at
/// most.
const ASKS_WITHIN: Duration = Duration::from_secs(120);
/// Workers that are looked at for one that has not failed a task: more than have ever tried one.
const LOOKED_AT_MAX: usize = 65;
/// How long a task waits for a busy peer that has still to try it, after its first try; doubled with each further one.
/// Short tasks end within it, and three failures with their waits stay below the half minute that liveness (promise R4)
/// allows for them.
const PATIENCE_FIRST: Duration = Duration::from_secs(5);

/// One who works here.
pub(super) struct Worker<'d> {
    id: &'d PeerId,
    /// Whether it has nothing to do and could be given a task.
    is_free: bool,
    /// Whether it comes back without a result again and again.
    is_fruitless: bool,
    /// Whether it has done so for very long.
    is_barren: bool,
}

/// How many well peers failed a task.
#[derive(Clone, Copy)]
enum FailedBy<'d> {
    Nobody,
    One(&'d Endpoint),
    Several,
}

impl<'d> FailedBy<'d> {
    fn and(self, peer: &'d Endpoint) -> Self {
        match self {
            Self::Nobody => Self::One(peer),
            Self::One(first) if first.peer == peer.peer => self,
            Self::One(_) | Self::Several => Self::Several,
        }
    }
}

/// Those who work here, looked up when the first question needs them.
pub(super) type Workers<'d> = OnceCell<Vec<Worker<'d>>>;

/// How long a task that was handed out so often waits for another peer, though that is busy.
pub(super) fn patience(tries: usize) -> Duration {
    let doubled = 1 << tries.saturating_sub(1).min(16);
    PATIENCE_FIRST.saturating_mul(doubled)
}

impl<P: Policy> Dispatch<P> {
    /// Whether a peer that is here is well and takes tasks.
    pub(super) fn works(&self, peer: &Endpoint, standing: &Standing, now: Moment) -> bool {
        let is_at_it = !standing.holds.is_empty() || now < standing.asked.after(ASKS_WITHIN);
        let is_given = !standing.is_leaving() && !self.is_drained(&peer.peer);
        is_at_it && is_given && !self.health.is_sick(peer)
    }

    /// Those who are well and work here.
    fn workers(&self, now: Moment) -> impl Iterator<Item = Worker<'_>> {
        let working =
            move |(peer, standing): &(&Endpoint, &Standing)| self.works(peer, standing, now);
        let here = self.peers.here().filter(working);
        here.map(move |(peer, standing)| Worker {
            id: &peer.peer,
            is_free: standing.holds.is_empty() && standing.is_ready(now),
            is_fruitless: standing.is_fruitless(),
            is_barren: standing.is_barren(),
        })
    }

    /// As many of them as have to be looked at for one that has not failed a task and is worth waiting for.
    fn looked_at(&self, now: Moment) -> Vec<Worker<'_>> {
        let (mut fruitful, mut fruitless) = (Vec::new(), Vec::new());
        for worker in self.workers(now) {
            let alike = match worker.is_fruitless {
                true => &mut fruitless,
                false => &mut fruitful,
            };
            if alike.len() < LOOKED_AT_MAX {
                alike.push(worker);
            }
            if fruitful.len() == LOOKED_AT_MAX {
                break;
            }
        }
        fruitful.append(&mut fruitless);
        fruitful
    }

    /// Whether anybody is here who can tell a bad task from a sick peer.
    fn can_anybody_tell(&self, now: Moment) -> bool {
        self.workers(now).any(|worker| !worker.is_barren)
    }

    /// Whether it is worth waiting for what one who has not tried a task makes of it. By whom that failed is asked only where
    /// it matters: it takes a look at each try.
    fn is_worth<'p>(&self, worker: &Worker<'_>, failed: impl FnOnce() -> FailedBy<'p>) -> bool {
        !worker.is_fruitless
            || match failed() {
                FailedBy::Nobody => true,
                FailedBy::One(peer) => !worker.is_barren || self.health.is_doubted(peer),
                FailedBy::Several => false,
            }
    }

    /// Those of these peers who are well, as far as they have to be told apart.
    fn well_of<'p>(&self, failed: impl Iterator<Item = &'p Endpoint>) -> FailedBy<'p> {
        let well = failed.filter(|peer| !self.health.is_sick(peer));
        well.fold(FailedBy::Nobody, FailedBy::and)
    }

    /// Whether a sick peer may have a task now, as a probe; others always may.
    pub(super) fn may_have_one(&self, peer: &Endpoint, now: Moment) -> bool {
        let Some(quarantine) = self.health.quarantine(peer) else {
            return true;
        };
        let holds = self
            .peers
            .get(peer)
            .map_or(0, |standing| standing.holds.len());
        holds == 0 && quarantine.allows_probe(self.can_anybody_tell(now), now)
    }

    /// The next task that a peer may have. What it failed once itself, however long ago, comes after all else: a
    /// second failure there would tell nothing, and many such would keep it from what is good.
    pub(super) fn pick(&self, peer: &PeerId, now: Moment) -> Option<TaskId> {
        let workers = Workers::new();
        let suits = |seat, ever| {
            let entry = self.ledger.at(seat);
            entry.is_some_and(|entry| self.suits(entry, peer, ever, &workers, now))
        };
        let first = self.queue.next(|seat| suits(seat, true));
        let found = first.or_else(|| self.queue.next(|seat| suits(seat, false)))?;
        Some(self.ledger.at(found)?.task.id)
    }

    /// The task of a try that a peer owes the result of, if that waits and the peer may have it once more. Whoever let
    /// its lease expire has said nothing, and may be at it still.
    pub(super) fn pick_again(
        &self,
        (task, attempt): (TaskId, Attempt),
        peer: &PeerId,
        now: Moment,
    ) -> Option<TaskId> {
        let entry = self.ledger.get(&task)?;
        let fault = entry.story.tried(attempt)?.fault.as_ref();
        let is_back = !fault.is_some_and(Fault::is_late);
        let may = is_back
            && entry.story.state == State::Waiting
            && self.gate_of(&entry.task).is_none()
            && self.suits(entry, peer, false, &Workers::new(), now);
        may.then_some(task)
    }

    /// Whether a peer may have a task that waits: not what it just failed, or what it `ever` failed, unless nobody
    /// else could run it. What it just failed it may have too when all who could are busy, and the task has waited for
    /// them long enough.
    pub(super) fn suits<'d>(
        &'d self,
        entry: &Entry,
        peer: &PeerId,
        ever: bool,
        workers: &Workers<'d>,
        now: Moment,
    ) -> bool {
        let story = &*entry.story;
        let avoids = |peer: &PeerId| {
            let mut avoided = story.avoided.iter();
            let mut tried = story.tries.iter();
            avoided.any(|(id, until)| id == peer && now < *until)
                || (ever && tried.any(|tried| tried.holder.peer == *peer && tried.has_failed()))
        };
        if !avoids(peer) {
            return true;
        }
        let is_patient = ever || now < story.patient_until;
        let failed = LazyCell::new(|| {
            let failed = story.tries.iter().filter(|tried| tried.has_failed());
            self.well_of(failed.map(|tried| &tried.holder))
        });
        let is_awaited = |worker: &Worker<'_>| {
            let may_come = is_patient || worker.is_free;
            may_come && !avoids(worker.id) && self.is_worth(worker, || *failed)
        };
        let workers = workers.get_or_init(|| self.looked_at(now));
        !workers.iter().any(is_awaited)
    }

    /// Whether a task has failed as often as it may, with a failure that is just told.
    pub(super) fn has_failed(
        &self,
        entry: &Entry,
        told: Option<(&Endpoint, &Fault)>,
        now: Moment,
    ) -> bool {
        let tried = entry.story.tries.iter();
        let faults = tried.filter_map(|tried| Some((&tried.holder, tried.fault.as_ref()?)));
        let mut faults: Vec<_> = faults
            .chain(told)
            .filter(|(_, fault)| fault.blame() == Blame::Run)
            .collect();
        if self.can_anybody_tell(now) {
            faults.retain(|(peer, _)| !self.health.is_sick(peer));
        }
        let by = self.well_of(faults.iter().map(|(peer, _)| *peer));
        let mut failed: HashSet<&PeerId> = faults.iter().map(|(peer, _)| &peer.peer).collect();
        let is_awaited =
            |worker: &Worker<'_>| !failed.contains(worker.id) && self.is_worth(worker, || by);
        if self.looked_at(now).iter().any(is_awaited) {
            faults.retain(|(peer, _)| failed.remove(&peer.peer));
        }
        let often = |fault: &Fault| {
            let most = fault.sequel().at_most?;
            let alike = |(_, other): &&(_, &Fault)| other.sequel() == fault.sequel();
            Some(faults.iter().filter(alike).count() >= most as usize)
        };
        let wished = entry.task.kind.wishes.retries;
        let most = wished.map_or(self.rules.failures_max, |retries| retries.saturating_add(1));
        faults.len() >= most as usize
            || (wished.is_none() && faults.iter().any(|(_, fault)| often(fault) == Some(true)))
    }
}
