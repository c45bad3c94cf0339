//! `fair`: submitters and task groups take turns, however many tasks each has put in.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::logic::policy::Policy;
use crate::model::Task;

/// Groups whose turns are remembered; a group that is forgotten starts again at the present turn.
const GROUPS_MAX: usize = 10_000;

/// A lane for each group, ranked by the turns that it has had.
///
/// Start-time fair queueing with tasks of equal weight: a group that comes, or comes back, starts at
/// the turn at which the others are, so that nobody saves up turns by being away.
#[derive(Debug, Default)]
pub struct Fair {
    turn: i64,
    turns: BTreeMap<Arc<str>, i64>,
}

impl Policy for Fair {
    type Lane = Arc<str>;

    fn lane(&self, task: &Task) -> Arc<str> {
        Arc::clone(&task.group)
    }

    fn rank(&self, group: &Arc<str>) -> i64 {
        self.turns.get(group).copied().unwrap_or(self.turn)
    }

    fn lane_filled(&mut self, group: &Arc<str>) {
        if self.turns.len() >= GROUPS_MAX {
            let present = self.turn;
            self.turns.retain(|_, turn| *turn > present);
        }
        let turn = self.rank(group).max(self.turn);
        self.turns.insert(Arc::clone(group), turn);
    }

    fn handed_out(&mut self, task: &Task) {
        let turn = self.rank(&task.group);
        self.turn = self.turn.max(turn);
        self.turns.insert(Arc::clone(&task.group), turn + 1);
    }
}
