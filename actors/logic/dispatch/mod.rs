//! The scheduler's mind: who gets which task, what is owed, and what becomes of results.
//!
//! Rule: it is told facts in the order in which they happened, with the time, and answers each with
//! [`Effect`]s. Whatever the order, no task is lost: it is in the queue, resting, leased, or terminal.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;

mod draining;
mod facts;
mod gates;
mod keeping;
mod leases;
mod obstacles;
mod others;
mod presence;
mod restart;
mod results;
mod retrying;
mod tries;
mod waiting;

pub use draining::DRAINED_MAX;
pub use facts::{Arrival, Ask, Rules, Submission};
use waiting::Waiting;

use super::effect::{Asker, Effect, End};
use super::fault::Fault;
use super::groups::{self, Groups};
use super::health::Health;
use super::leaders::Leaders;
use super::ledger::{Ledger, State};
use super::policy::Policy;
use super::queue::Queue;
use super::record::Record;
use super::rooms::Rooms;
use super::standing::{Standing, Standings};
use super::when::When;
use crate::model::{Attempt, Moment, PeerId, Task, TaskId};

/// Waiting requests that are passed over after one fact: a peer is passed over only while it pauses, is full
/// or has just failed what waits, and the next fact or tick looks at those behind.
const PASSED_OVER_MAX: usize = 256;

/// What falls due at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Rested(TaskId),
    LeaseEnds(TaskId, Attempt),
}

/// The scheduler's mind with a policy.
#[derive(Debug)]
pub struct Dispatch<P: Policy> {
    rules: Rules,
    queue: Queue<P>,
    ledger: Ledger,
    peers: Standings,
    health: Health,
    groups: Groups,
    rooms: Rooms,
    leaders: Leaders,
    /// Peers that are given nothing, because somebody wants it.
    drained: BTreeSet<PeerId>,
    /// Terminal tasks that are about to be tried again.
    retrying: HashSet<TaskId>,
    /// Tasks that are to be cancelled with others that ended, and why; no more than are open.
    doomed: VecDeque<(TaskId, String)>,
    waiting: Waiting,
    keepers: HashMap<TaskId, Vec<Asker>>,
    /// The last request that was passed over, if there were too many: the next look goes on there.
    passed_over: u64,
    due: BTreeSet<(Moment, Due)>,
    closed: bool,
    /// Results in this life that were of no try that is known.
    unmatched: u64,
    /// Whether what happens cannot be written down now.
    stalled: bool,
    /// Our disk did not take a result: what would be run meanwhile could not be kept either.
    disk_rests_until: Moment,
}

impl<P: Policy> Dispatch<P> {
    /// An empty one.
    pub fn new(policy: P, rules: Rules) -> Self {
        Self {
            rules,
            queue: Queue::new(policy),
            ledger: Ledger::default(),
            peers: Standings::default(),
            health: Health::default(),
            groups: Groups::default(),
            rooms: Rooms::default(),
            leaders: Leaders::default(),
            drained: BTreeSet::new(),
            retrying: HashSet::new(),
            doomed: VecDeque::new(),
            waiting: Waiting::default(),
            keepers: HashMap::new(),
            passed_over: 0,
            due: BTreeSet::new(),
            closed: false,
            unmatched: 0,
            stalled: false,
            disk_rests_until: Moment::default(),
        }
    }

    /// What happened since this was last asked, to be written down before anybody is told of it.
    pub fn take_news(&mut self) -> Vec<Record> {
        self.ledger.take_news()
    }

    /// How many results of this life were of no try that is known.
    pub fn unmatched(&self) -> u64 {
        self.unmatched
    }

    /// Every task, for reports.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Which peers are sick, for reports.
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// Every peer, for reports.
    pub fn peers(&self) -> &Standings {
        &self.peers
    }

    /// How many tasks could be handed out now; those that rest after a failure or are held are not among them.
    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Nothing is handed out any more; what runs still comes in.
    pub fn close(&mut self) {
        self.closed = true;
    }

    /// The store does not take what happens, or takes it again. Nothing new is begun meanwhile, for nothing of it
    /// could be promised.
    pub fn stall(&mut self, stalled: bool) {
        self.stalled = stalled;
    }

    /// A task was adopted.
    pub fn task_arrived(&mut self, task: Arc<Task>, now: Moment) -> Vec<Effect> {
        let id = task.id;
        if self.ledger.get(&id).is_none() {
            self.groups.opened(&task);
        }
        if self.ledger.insert(Arc::clone(&task)) {
            self.enqueue(&id);
            let failed_parts = self.ledger.tallies().failed_beside(&task);
            let too_late = groups::too_late(&task, failed_parts);
            self.doomed.extend(too_late.map(|why| (id, why)));
        }
        let mut effects = self.end_doomed();
        effects.extend(self.serve_waiting(now));
        effects
    }

    /// The end of a task is told to readers with its time. Many a step ends tasks, some of which are told no time.
    pub fn ended_at(&mut self, task: &TaskId, now: Moment) {
        if let Some(story) = self.ledger.get_mut(task) {
            story.times.ended = When::Here(now);
        }
    }

    /// Whoever put the task in took it back, or somebody cancelled it.
    pub fn task_withdrawn(&mut self, task: &TaskId, why: String) -> Vec<Effect> {
        self.end(task, End::Cancelled(why.clone()), State::Cancelled { why })
    }

    /// Somebody cancelled all of a group that is open.
    pub fn group_withdrawn(&mut self, group: &str, why: &str) -> Vec<Effect> {
        let open = self.ledger.open_of(group);
        self.tasks_withdrawn(open, why)
    }

    /// Somebody cancelled these tasks, which are open.
    pub fn tasks_withdrawn(&mut self, tasks: Vec<TaskId>, why: &str) -> Vec<Effect> {
        let tasks = tasks.into_iter();
        self.doomed.extend(tasks.map(|task| (task, why.to_owned())));
        self.end_doomed()
    }

    /// A peer asks for a task. What is given to one of ours on a connection that it has left would reach nobody, and
    /// nobody would say so.
    pub fn task_requested(&mut self, ask: Ask, now: Moment) -> Vec<Effect> {
        if !self.peers.is_reached_on(&ask.peer, ask.asker.session) {
            return vec![Effect::Nothing(ask.asker)];
        }
        let mut effects = self.give_up_held(&ask.peer, now);
        let peer = ask.peer.clone();
        if let Some(standing) = self.peers.get_mut(&peer) {
            standing.asked = now;
        }
        let offers = self.offer_several(&ask, now);
        let is_full = || self.peers.get(&peer).is_some_and(Standing::is_full);
        if !offers.is_empty() {
            effects.extend(offers);
        } else if ask.is_spare || is_full() {
            effects.push(Effect::Nothing(ask.asker));
        } else {
            effects.extend(self.waiting.add(ask, now).map(Effect::Nothing));
        }
        self.peers.forget(&peer);
        effects.extend(self.serve_waiting(now));
        effects
    }

    /// Whether there is enough for every slot of every peer that is given tasks, so that nobody goes without what another
    /// one holds.
    pub(super) fn has_to_spare(&self) -> bool {
        self.queue.len() as u64 >= self.peers.slots()
    }

    /// An offered task could not be delivered; nobody is to blame, and its file is looked at again.
    pub fn offer_failed(
        &mut self,
        task: &TaskId,
        attempt: Attempt,
        why: String,
        now: Moment,
    ) -> Vec<Effect> {
        self.try_ended(task, attempt, Fault::NotDelivered(why), now)
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Moment) -> Vec<Effect> {
        let mut effects = self.end_doomed();
        while let Some((_, due)) = self
            .due
            .first()
            .copied()
            .filter(|(moment, _)| *moment <= now)
        {
            self.due.pop_first();
            match due {
                Due::Rested(task) => {
                    if self
                        .ledger
                        .get(&task)
                        .is_some_and(|entry| entry.story.state == State::Resting)
                    {
                        self.ledger.set(&task, State::Waiting);
                        self.enqueue(&task);
                    }
                }
                Due::LeaseEnds(task, attempt) => {
                    effects.extend(self.lease_due(&task, attempt, now))
                }
            }
        }
        effects.extend(
            self.waiting
                .take_expired(now)
                .into_iter()
                .map(Effect::Nothing),
        );
        effects.extend(self.serve_waiting(now));
        effects
    }

    /// Gives what waits in the queue to those who wait for it, in the order in which they asked.
    fn serve_waiting(&mut self, now: Moment) -> Vec<Effect> {
        let mut effects = Vec::new();
        let mut last = std::mem::take(&mut self.passed_over);
        let mut passed_over = 0;
        let mut in_vain = HashSet::new();
        while !self.queue.is_empty()
            && let Some((number, ask)) = self.waiting.next(last)
        {
            if passed_over == PASSED_OVER_MAX {
                self.passed_over = last;
                break;
            }
            last = number;
            // What waits only grows less meanwhile: a peer that found nothing need not look again.
            if in_vain.contains(&ask.peer) {
                passed_over += 1;
            } else if let Some(offer) = self.offer(&ask, now) {
                self.waiting.remove(number);
                effects.push(Effect::Offer(ask.asker, offer));
            } else {
                passed_over += 1;
                in_vain.insert(ask.peer);
            }
        }
        effects
    }
}

#[cfg(test)]
mod tests;
