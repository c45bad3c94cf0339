//! `fifo`: in the order of arrival.

use crate::logic::policy::Policy;
use crate::model::Task;

/// One lane for all.
#[derive(Debug, Default)]
pub struct Fifo;

impl Policy for Fifo {
    type Lane = ();

    fn lane(&self, _: &Task) {}

    fn rank(&self, (): &()) -> i64 {
        0
    }
}
