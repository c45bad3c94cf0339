//! The tasks that wait, in the order that a [`Policy`] gives them.
//!
//! Rule: each task stands in one place, once; taking, adding and removing cost O(log n). Those that failed go first,
//! but only some of them at a time: the others wait behind all, so that whoever may have none of them soon comes to
//! one that it may have.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use super::policy::Policy;
use crate::model::{Task, TaskId};

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
    later: BTreeMap<i64, (P::Lane, TaskId)>,
    lanes: BTreeMap<P::Lane, Lane>,
    order: BTreeSet<(i64, i64, P::Lane)>,
    places: HashMap<TaskId, (P::Lane, i64)>,
}

/// Never empty: a lane goes with its last task.
#[derive(Debug)]
struct Lane {
    rank: i64,
    tasks: BTreeMap<i64, TaskId>,
}

impl Lane {
    fn first(&self) -> i64 {
        self.tasks.keys().next().copied().unwrap_or(0)
    }
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
            places: HashMap::new(),
        }
    }

    /// How many tasks wait.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Puts a task behind those of its lane; one that waits already keeps its place.
    pub fn push(&mut self, task: &Task) {
        if self.places.contains_key(&task.id) {
            return;
        }
        self.behind += 1;
        let name = self.policy.lane(task);
        self.places.insert(task.id, (name.clone(), self.behind));
        self.stand(name, self.behind, task.id);
    }

    /// Puts a task that failed in front of its lane, behind those that failed before it; if too many stand there,
    /// it waits for room. One that waits already keeps its place.
    pub fn push_again(&mut self, task: &Task) {
        if self.places.contains_key(&task.id) {
            return;
        }
        self.front += 1;
        let name = self.policy.lane(task);
        self.places.insert(task.id, (name.clone(), self.front));
        self.later.insert(self.front, (name, task.id));
        self.move_up();
    }

    /// Whoever waits for room in front goes there, while there is some.
    fn move_up(&mut self) {
        while self.again < AGAIN_MAX
            && let Some((place, (name, task))) = self.later.pop_first()
        {
            self.again += 1;
            self.stand(name, place, task);
        }
    }

    fn stand(&mut self, name: P::Lane, place: i64, task: TaskId) {
        if !self.lanes.contains_key(&name) {
            self.policy.lane_filled(&name);
        }
        self.change(name, |lane| {
            lane.tasks.insert(place, task);
        });
    }

    /// The next task that the asker may have; it stays until it is removed.
    pub fn next(&self, may_have: impl Fn(&TaskId) -> bool) -> Option<TaskId> {
        let lanes = self
            .order
            .iter()
            .filter_map(|(_, _, name)| self.lanes.get(name));
        let tasks = lanes.flat_map(|lane| lane.tasks.values());
        let later = self.later.values().map(|(_, task)| task);
        let mut tasks = tasks.chain(later).take(STEPS_MAX);
        tasks.find(|task| may_have(task)).copied()
    }

    /// Takes a task out, for whatever reason; whether it was there.
    pub fn remove(&mut self, task: &TaskId) -> bool {
        let Some((name, place)) = self.places.remove(task) else {
            return false;
        };
        if self.later.remove(&place).is_some() {
            return true;
        }
        self.change(name, |lane| {
            lane.tasks.remove(&place);
        });
        if place < 0 {
            self.again -= 1;
            self.move_up();
        }
        true
    }

    /// Tells the policy that a task, already taken out, is with a peer.
    pub fn handed_out(&mut self, task: &Task) {
        self.policy.handed_out(task);
        self.change(self.policy.lane(task), |_| {});
    }

    /// Tells the policy that a task succeeded.
    pub fn finished(&mut self, task: &Task, took: Duration) {
        self.policy.finished(task, took);
        self.change(self.policy.lane(task), |_| {});
    }

    /// Changes a lane and puts it where its rank and its first task now belong.
    fn change(&mut self, name: P::Lane, change: impl FnOnce(&mut Lane)) {
        let mut lane = match self.lanes.remove(&name) {
            Some(lane) => {
                self.order.remove(&(lane.rank, lane.first(), name.clone()));
                lane
            }
            None => Lane {
                rank: 0,
                tasks: BTreeMap::new(),
            },
        };
        change(&mut lane);
        if lane.tasks.is_empty() {
            return;
        }
        lane.rank = self.policy.rank(&name);
        self.order.insert((lane.rank, lane.first(), name.clone()));
        self.lanes.insert(name, lane);
    }
}

#[cfg(test)]
mod tests;
