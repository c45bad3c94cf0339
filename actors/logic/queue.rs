//! The tasks that wait, in the order that a [`Policy`] gives them.
//!
//! Rule: the queue knows tasks by their seats in the ledger, and a task keeps its seat while it waits. Each stands in
//! one place, once; taking, adding and removing cost O(log n). Those that failed go first,
//! but only some of them at a time: the others wait behind all, so that whoever may have none of them soon comes to
//! one that it may have. Those that may not be handed out at all for now are held at gates, where nobody steps over them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use self::row::{Lane, Places};
use super::policy::Policy;
use super::seats::Seat;
use crate::model::{Task, TaskId};

mod row;

/// How many tasks that one peer may not have are stepped over before it is told that nothing waits:
/// more than a poisoned group of a usual size, few enough to look at in some microseconds.
const STEPS_MAX: usize = 1024;
/// How many tasks that failed stand in front at a time: enough that each peer that asks finds one which it has not
/// tried, few beside [`STEPS_MAX`], for all of them may be in the way of a peer that has tried them all.
const AGAIN_MAX: usize = 64;

/// Places of tasks that failed and wait for room in their group; those of tasks that stand in front are below them.
const ROOM_AGAIN: i64 = i64::MIN / 2;
/// Places of the others that wait for room in their group; those of tasks that stand behind are below them.
const ROOM: i64 = 1 << 61;
/// Places of tasks that wait for another.
const AFTER: i64 = 1 << 62;

/// Where tasks are held that may not be handed out for now.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gate {
    /// Until this task is done.
    After(TaskId),
    /// Until fewer tasks of this group are under way.
    Room(Arc<str>),
}

impl Gate {
    /// Where a task is held that has this place, if it is held.
    fn of(place: i64, task: &Task) -> Option<Self> {
        match place {
            AFTER.. => task.kind.wishes.after.map(Self::After),
            ROOM.. | ROOM_AGAIN..0 => Some(Self::Room(Arc::clone(&task.kind.group))),
            _ => None,
        }
    }
}

/// The waiting tasks of one scheduler.
#[derive(Debug)]
pub struct Queue<P: Policy> {
    policy: P,
    /// The last places that were given to those behind and to those in front, which are negative.
    behind: i64,
    front: i64,
    /// How many stand in front in their lanes, at most [`AGAIN_MAX`].
    again: usize,
    /// Those that will be put in front as soon as there is room, by their places; empty while there is.
    later: BTreeMap<i64, (P::Lane, Seat)>,
    /// Never an empty one: a lane goes with its last task.
    lanes: BTreeMap<P::Lane, Lane>,
    order: BTreeSet<(i64, i64, P::Lane)>,
    /// Those that are held; never an empty lane.
    gates: BTreeMap<Gate, Lane>,
    /// How many those are, and the last number that one of them was given.
    held: usize,
    last_held: i64,
    places: Places,
}

impl<P: Policy> Queue<P> {
    /// An empty queue.
    pub fn new(policy: P) -> Self {
        Self {
            policy,
            behind: 0,
            front: i64::MIN,
            again: 0,
            later: BTreeMap::new(),
            lanes: BTreeMap::new(),
            order: BTreeSet::new(),
            gates: BTreeMap::new(),
            held: 0,
            last_held: 0,
            places: Places::default(),
        }
    }

    /// How many tasks wait and are not held.
    pub fn len(&self) -> usize {
        self.places.len() - self.held
    }

    /// Whether none of these waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Puts a task behind those of its lane; one that waits already keeps its place.
    pub fn push(&mut self, seat: Seat, task: &Task) {
        if !self.places.has(seat) {
            self.behind += 1;
            self.places.take(seat, self.behind);
            self.stand(self.policy.lane(task), seat);
        }
    }

    /// Puts a task that failed in front of its lane, behind those that failed before it; if too many stand there,
    /// it waits for room. One that waits already keeps its place.
    pub fn push_again(&mut self, seat: Seat, task: &Task) {
        if !self.places.has(seat) {
            self.front += 1;
            self.places.take(seat, self.front);
            let lane = self.policy.lane(task);
            self.later.insert(self.front, (lane, seat));
            self.move_up();
        }
    }

    /// Holds a task until that for which it waits is done, behind those that wait for the same. One that waits already
    /// keeps its place.
    pub fn hold_after(&mut self, seat: Seat, task: &Task) {
        self.hold(AFTER, seat, task);
    }

    /// Holds a task until there is room in its group, one that failed in front of those that did not. One that waits
    /// already keeps its place.
    pub fn hold_for_room(&mut self, seat: Seat, task: &Task, has_failed: bool) {
        let from = if has_failed { ROOM_AGAIN } else { ROOM };
        self.hold(from, seat, task);
    }

    fn hold(&mut self, from: i64, seat: Seat, task: &Task) {
        let place = from + self.last_held + 1;
        if let Some(gate) = Gate::of(place, task).filter(|_| !self.places.has(seat)) {
            self.last_held += 1;
            self.held += 1;
            self.places.take(seat, place);
            let lane = self.gates.entry(gate).or_default();
            lane.add(&mut self.places, seat);
        }
    }

    /// Where a task is held, if it is.
    pub fn gate_of(&self, seat: Seat, task: &Task) -> Option<Gate> {
        Gate::of(self.places.of(seat)?, task)
    }

    /// The first of those that are held there; it stays until it is removed.
    pub fn first_at(&self, gate: &Gate) -> Option<Seat> {
        self.gates.get(gate)?.seats(&self.places).next()
    }

    fn let_go(&mut self, gate: Gate, seat: Seat) {
        let Some(lane) = self.gates.get_mut(&gate) else {
            return;
        };
        lane.remove(&mut self.places, seat);
        self.held -= 1;
        if lane.first_place(&self.places).is_none() {
            self.gates.remove(&gate);
        }
    }

    /// Whoever waits for room in front goes there, while there is some.
    fn move_up(&mut self) {
        while self.again < AGAIN_MAX
            && let Some((_, (lane, seat))) = self.later.pop_first()
        {
            self.again += 1;
            self.stand(lane, seat);
        }
    }

    fn stand(&mut self, name: P::Lane, seat: Seat) {
        if !self.lanes.contains_key(&name) {
            self.policy.lane_filled(&name);
        }
        self.change(name, |lane, places| lane.add(places, seat));
    }

    /// The next task that the asker may have; it stays until it is removed.
    pub fn next(&self, may_have: impl Fn(Seat) -> bool) -> Option<Seat> {
        let lanes = self
            .order
            .iter()
            .filter_map(|(_, _, name)| self.lanes.get(name));
        let tasks = lanes.flat_map(|lane| lane.seats(&self.places));
        let later = self.later.values().map(|(_, seat)| *seat);
        let mut tasks = tasks.chain(later).take(STEPS_MAX);
        tasks.find(|seat| may_have(*seat))
    }

    /// Takes a task out, for whatever reason; whether it was there.
    pub fn remove(&mut self, seat: Seat, task: &Task) -> bool {
        let Some(place) = self.places.of(seat) else {
            return false;
        };
        if let Some(gate) = Gate::of(place, task) {
            self.let_go(gate, seat);
            return true;
        }
        if self.later.remove(&place).is_some() {
            self.places.leave(seat);
            return true;
        }
        let name = self.policy.lane(task);
        self.change(name, |lane, places| lane.remove(places, seat));
        if place < 0 {
            self.again -= 1;
            self.move_up();
        }
        true
    }

    /// Tells the policy that a task, already taken out, is with a peer.
    pub fn handed_out(&mut self, task: &Task) {
        self.policy.handed_out(task);
        self.change(self.policy.lane(task), |_, _| {});
    }

    /// Tells the policy that a task succeeded.
    pub fn finished(&mut self, task: &Task, took: Duration) {
        self.policy.finished(task, took);
        self.change(self.policy.lane(task), |_, _| {});
    }

    /// Changes a lane and puts it where its rank and its first task now belong.
    fn change(&mut self, name: P::Lane, change: impl FnOnce(&mut Lane, &mut Places)) {
        let mut lane = self.lanes.remove(&name).unwrap_or_default();
        if let Some(first) = lane.first_place(&self.places) {
            self.order.remove(&(lane.rank, first, name.clone()));
        }
        change(&mut lane, &mut self.places);
        if let Some(first) = lane.first_place(&self.places) {
            lane.rank = self.policy.rank(&name);
            self.order.insert((lane.rank, first, name.clone()));
            self.lanes.insert(name, lane);
        }
    }
}

#[cfg(test)]
mod tests;
