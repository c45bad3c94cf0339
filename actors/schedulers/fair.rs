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
        Arc::clone(&task.kind.group)
    }

    fn rank(&self, group: &Arc<str>) -> i64 {
        self.turns.get(group).copied().unwrap_or(self.turn)
    }

    fn lane_filled(&mut self, group: &Arc<str>) {
        // Nobody is more than a turn or two ahead of the others: to forget them all costs little, and
        // once in so many groups.
        if self.turns.len() >= GROUPS_MAX {
            self.turns.clear();
        }
        let turn = self.rank(group).max(self.turn);
        self.turns.insert(Arc::clone(group), turn);
    }

    fn handed_out(&mut self, task: &Task) {
        let turn = self.rank(&task.kind.group);
        self.turn = self.turn.max(turn);
        self.turns.insert(Arc::clone(&task.kind.group), turn + 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::fixtures::Line;
    use crate::logic::fixtures::{kind_of, task};

    fn of_group(group: &str, number: u128) -> Task {
        let mut task = task(number);
        kind_of(&mut task).group = group.into();
        task
    }

    fn hand_out(queue: &mut Line<Fair>, tasks: &[Task]) -> String {
        let id = queue.next(|_| true).unwrap();
        let task = tasks.iter().find(|task| task.id == id).unwrap();
        queue.remove(&id);
        queue.handed_out(task);
        task.kind.group.to_string()
    }

    #[test]
    fn groups_take_turns_however_many_tasks_each_has() {
        let mut tasks: Vec<Task> = (0..100).map(|n| of_group("a", n)).collect();
        tasks.extend((100..103).map(|n| of_group("b", n)));
        let mut queue = Line::new(Fair::default());
        tasks.iter().for_each(|task| queue.push(task));
        let turns: String = (0..8).map(|_| hand_out(&mut queue, &tasks)).collect();
        assert_eq!(turns, "abababaa");
    }

    #[test]
    fn a_group_that_comes_late_neither_starves_nor_catches_up() {
        let mut tasks: Vec<Task> = (0..100).map(|n| of_group("a", n)).collect();
        let mut queue = Line::new(Fair::default());
        tasks.iter().for_each(|task| queue.push(task));
        (0..50).for_each(|_| assert_eq!(hand_out(&mut queue, &tasks), "a"));
        tasks.extend((100..120).map(|n| of_group("b", n)));
        tasks[100..].iter().for_each(|task| queue.push(task));
        let turns: String = (0..8).map(|_| hand_out(&mut queue, &tasks)).collect();
        assert_eq!(turns.matches('b').count(), 4, "{turns}");
        assert!(!turns.contains("bbb"), "{turns}");
    }

    #[test]
    fn a_group_saves_up_no_turns_by_coming_and_going() {
        let hog: Vec<Task> = (0..100).map(|n| of_group("a", n)).collect();
        let mut queue = Line::new(Fair::default());
        hog.iter().for_each(|task| queue.push(task));
        let mut guest_turns = 0;
        for number in 100..120 {
            let guest = of_group("b", number);
            queue.push(&guest);
            let tasks = [&hog[..], &[guest]].concat();
            for _ in 0..2 {
                guest_turns += usize::from(hand_out(&mut queue, &tasks) == "b");
            }
        }
        assert!((19..=20).contains(&guest_turns), "{guest_turns}");
    }

    #[test]
    fn a_group_that_was_away_starts_at_the_turn_of_the_others() {
        let mut tasks: Vec<Task> = (0..100).map(|n| of_group("a", n)).collect();
        tasks.push(of_group("b", 100));
        let mut queue = Line::new(Fair::default());
        tasks.iter().for_each(|task| queue.push(task));
        (0..50).for_each(|_| drop(hand_out(&mut queue, &tasks)));
        tasks.extend((101..120).map(|n| of_group("b", n)));
        tasks[101..].iter().for_each(|task| queue.push(task));
        let turns: String = (0..8).map(|_| hand_out(&mut queue, &tasks)).collect();
        assert_eq!(turns.matches('b').count(), 4, "{turns}");
    }

    #[test]
    fn groups_of_one_task_each_do_not_pile_up() {
        let mut fair = Fair::default();
        for number in 0..3 * GROUPS_MAX as u128 {
            let task = of_group(&format!("run {number}"), number);
            fair.lane_filled(&task.kind.group);
            fair.handed_out(&task);
            assert!(fair.turns.len() <= GROUPS_MAX);
        }
    }
}
