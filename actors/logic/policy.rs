//! A policy says which task goes next. It sorts tasks into lanes and ranks the lanes.
//!
//! Rule: within a lane tasks go in the order of their arrival, but what failed comes back in front; the lane with the
//! smallest rank goes first, and of equal ones the lane whose first task has waited longest. That is enough for every
//! policy here, and it keeps handing out a task at O(log n) at any size.

use std::fmt::Debug;
use std::time::Duration;

use crate::model::Task;

/// Which task goes next; see `schedulers/` for some of a few lines each.
pub trait Policy: Unpin + 'static {
    /// Tasks in the same lane go in the order of their arrival.
    type Lane: Clone + Debug + Ord + Unpin;

    /// The lane of a task; must be the same each time it is asked.
    fn lane(&self, task: &Task) -> Self::Lane;

    /// The lane's place among the lanes: the smallest goes first. Asked again after each call below.
    fn rank(&self, lane: &Self::Lane) -> i64;

    /// A lane that was empty got a task.
    fn lane_filled(&mut self, _lane: &Self::Lane) {}

    /// A task of the lane was handed out.
    fn handed_out(&mut self, _task: &Task) {}

    /// A task of the lane succeeded after running this long.
    fn finished(&mut self, _task: &Task, _took: Duration) {}
}
