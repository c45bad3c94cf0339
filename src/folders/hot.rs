//! Small ZIPs of open tasks that were just written or read: they are handed out from memory.
//!
//! Rule: nothing depends on it. What is not here lies in `tasks/` or among the payloads, and is read from there. That a
//! file in `tasks/` was deleted or replaced is for the looks to tell, which then take the task back.

use std::collections::BTreeMap;

use bytes::Bytes;
use mutirao_actors::model::{Archive, TaskId};

use super::loads::LIGHT;

/// Bytes that are kept in all: some 25,000 tasks of a kilobyte, and an eighth of what strangers may cost a master
/// (promise R7), for anybody may hand in tasks.
const BYTES_MAX: usize = 32 << 20;
/// What is counted of each besides its bytes, so that many tiny ones do not take much more than that.
const ENTRY_COST: usize = 256;

/// The ZIPs by task, and so from the oldest to the newest.
#[derive(Debug, Default)]
pub(super) struct Hot {
    by_task: BTreeMap<TaskId, Archive>,
    bytes: usize,
}

fn cost_of(archive: &Archive) -> usize {
    archive.bytes().len() + ENTRY_COST
}

impl Hot {
    /// Whether such a one is kept: a longer one costs more to send than to read.
    pub fn takes(archive: &Archive) -> bool {
        archive.bytes().len() as u64 <= LIGHT
    }

    /// One more, for which the newest go: those that came first are handed out first.
    pub fn insert(&mut self, task: TaskId, archive: &Archive) {
        if !Self::takes(archive) {
            return;
        }
        // A copy: what came over the wire may be a part of much more.
        let archive = archive.held_by(Bytes::copy_from_slice(archive.bytes()));
        self.remove(task);
        self.bytes += cost_of(&archive);
        self.by_task.insert(task, archive);
        while self.bytes > BYTES_MAX
            && let Some((_, newest)) = self.by_task.pop_last()
        {
            self.bytes -= cost_of(&newest);
        }
    }

    /// The ZIP of a task.
    pub fn find(&self, task: TaskId) -> Option<Archive> {
        self.by_task.get(&task).cloned()
    }

    /// Nobody will ask for it any more.
    pub fn remove(&mut self, task: TaskId) {
        if let Some(archive) = self.by_task.remove(&task) {
            self.bytes -= cost_of(&archive);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_go_when_there_is_no_room_and_large_ones_never_come_in() {
        let (mut hot, large) = (Hot::default(), Archive::new(vec![1; LIGHT as usize]));
        let count = BYTES_MAX / cost_of(&large) + 2;
        let tasks: Vec<_> = (0..count).map(|_| TaskId::new()).collect();
        for task in &tasks {
            hot.insert(*task, &large);
            hot.insert(*task, &large);
            assert!(hot.bytes <= BYTES_MAX);
        }
        let [.., older, last, newest] = tasks[..] else {
            panic!("{count} tasks")
        };
        assert_eq!((hot.find(last), hot.find(newest)), (None, None));
        assert_eq!(hot.find(older), Some(large));
        let too_large = Archive::new(vec![1; LIGHT as usize + 1]);
        hot.insert(TaskId::new(), &too_large);
        for task in &tasks {
            hot.remove(*task);
            hot.remove(*task);
        }
        assert_eq!((hot.bytes, hot.by_task.len()), (0, 0));
    }
}
