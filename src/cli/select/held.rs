//! What is kept of the rows that a master lists.
//!
//! Rule: any neighbour may answer for a master, and a row is as long as it likes. So rows are counted in bytes, and of one
//! nothing is kept that a list does not tell.

use mutirao_actors::wire::report::{GroupReport, TaskReport};

/// Most bytes of rows that are kept of one list: a master of ours has 1.1 million tasks
/// at most, each of which takes some 500.
const HELD_MAX: usize = 1 << 30;

/// How many bytes of the rows of one list may still be kept.
#[derive(Debug)]
pub struct Room(pub usize);

impl Default for Room {
    fn default() -> Self {
        Self(HELD_MAX)
    }
}

impl Room {
    /// Takes some of it; none if it has not so much.
    pub fn take(&mut self, bytes: usize) -> Option<()> {
        self.0 = self.0.checked_sub(bytes)?;
        Some(())
    }
}

/// Cuts a task down to what a list tells of it; what that takes, in bytes.
pub fn cut_task(task: &mut TaskReport) -> usize {
    (task.tries, task.conflicts, task.why) = (Vec::new(), Vec::new(), None);
    let texts = [&task.reason, &task.result_file, &task.group];
    let texts = texts.iter().filter_map(|text| text.as_ref());
    let peer = task.peer.as_ref().map_or(0, |peer| peer.as_str().len());
    let name = task.task_name.as_str().len();
    size_of::<TaskReport>() + name + peer + texts.map(String::capacity).sum::<usize>()
}

/// The same of a group. Its name is kept twice: once more to tell whether it comes again.
pub fn cut_group(group: &mut GroupReport) -> usize {
    group.why = None;
    let failures = group.failures.iter();
    let failures = failures.map(|row| size_of_val(row) + row.reason.capacity());
    let names = 2 * group.group.capacity() + size_of::<String>();
    size_of::<GroupReport>() + names + failures.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn listed(reason: &str) -> TaskReport {
        let id = "00000000-0000-4000-8000-000000000007";
        let report = json!({
            "task_id": id, "task_name": "temperatures-17.1234567.zip", "state": "failed", "attempts": 3, "peer": id,
            "reason": reason, "result_file": "temperatures-17.1234567.zip", "group": "temperatures-17",
            "part": 1_234_567, "parts": 2_000_000,
        });
        serde_json::from_value(report).unwrap()
    }

    #[test]
    fn more_tasks_than_a_master_of_ours_has_find_room() {
        let of_one = cut_task(&mut listed("exit code 1: ValueError: no such column"));
        assert!(
            Room::default().take(1_500_000 * of_one).is_some(),
            "{of_one}"
        );
    }

    #[test]
    fn the_name_of_a_group_is_counted_as_often_as_it_is_kept() {
        let of_name = |name: &str| {
            let report = json!({
                "group": name, "parts": 1, "waiting": 0, "running": 0, "done": 1, "failed": 0, "cancelled": 0,
                "complete": true,
            });
            cut_group(&mut serde_json::from_value(report).unwrap())
        };
        assert!(of_name(&"x".repeat(5001)) >= of_name("x") + 10_000);
    }

    #[test]
    fn what_a_stranger_adds_to_a_row_is_counted_or_not_kept() {
        let ours = cut_task(&mut listed(""));
        assert!(cut_task(&mut listed(&"x".repeat(5000))) >= ours + 5000);
        let mut full = listed("");
        let row =
            json!({ "attempt": 1, "peer_id": "p1", "ended": "x".repeat(5000), "against": null });
        full.tries = vec![serde_json::from_value(row).unwrap()];
        assert_eq!((cut_task(&mut full), &full), (ours, &listed("")));
    }
}
