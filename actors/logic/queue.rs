//! The tasks that wait, in the order that a [`Policy`] gives them.
//!
//! Rule: the queue knows tasks by their seats in the ledger, and a task keeps its seat while it waits. Each stands in
//! one place, once; taking, adding and removing cost O(log n). Those that failed go first,
//! but only some of them at a time: the others wait behind all, so that whoever may have none of them soon comes to
//! one that it may have.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use self::row::{Lane, Places};
use super::policy::Policy;
use super::seats::Seat;
use crate::model::Task;

mod row;

/// How many tasks that one peer may not have are stepped over before it is told that nothing waits:
/// more than a poisoned group of a usual size, few enough to look at in some microseconds.
const STEPS_MAX: usize = 1024;
/// How many tasks that failed stand in front at a time: enough that each peer that asks finds one which it has not
/// tried, few beside [`STEPS_MAX`], for all of them may be in the way of a peer that has tried them all.
const AGAIN_MAX: usize = 64;

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
            places: Places::default(),
        }
    }

    /// How many tasks wait.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether none waits.
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
