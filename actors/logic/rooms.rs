//! Groups of which only so many tasks may be leased at a time.
//!
//! Rule: a task is in its group's room while it is leased, or stands in the queue to be. It gets in only while fewer are
//! there than it wishes (`max_running`), so whoever asks for a task steps over none that may not be had; whoever is
//! leased is in, wished or not, for a peer has it. Tasks that wish nothing take no part.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::model::{Task, TaskId};

/// Who is in the room of each group; no more than are open, and none that is empty.
#[derive(Debug, Default)]
pub struct Rooms {
    groups: HashMap<Arc<str>, HashSet<TaskId>>,
}

impl Rooms {
    /// Whether the task is in, or may come.
    pub fn admits(&self, task: &Task) -> bool {
        let Some(most) = task.kind.wishes.max_running else {
            return true;
        };
        let inside = self.groups.get(&task.kind.group);
        inside.is_none_or(|inside| inside.len() < most.get() as usize || inside.contains(&task.id))
    }

    /// How many are in the task's room.
    pub fn inside(&self, task: &Task) -> usize {
        self.groups.get(&task.kind.group).map_or(0, HashSet::len)
    }

    /// Everybody in a room in which more are than the task wishes; nobody while there are not.
    pub fn crowd(&self, task: &Task) -> impl Iterator<Item = &TaskId> {
        let inside = self.groups.get(&task.kind.group);
        let most = task.kind.wishes.max_running;
        let is_crowded =
            |inside: &&HashSet<TaskId>| most.is_some_and(|most| inside.len() > most.get() as usize);
        inside.filter(is_crowded).into_iter().flatten()
    }

    /// The task comes in.
    pub fn enter(&mut self, task: &Task) {
        if task.kind.wishes.max_running.is_some() {
            let group = Arc::clone(&task.kind.group);
            self.groups.entry(group).or_default().insert(task.id);
        }
    }

    /// The task goes; whether it was in.
    pub fn leave(&mut self, task: &Task) -> bool {
        let Some(inside) = self.groups.get_mut(&task.kind.group) else {
            return false;
        };
        let was_in = inside.remove(&task.id);
        if inside.is_empty() {
            self.groups.remove(&task.kind.group);
        }
        was_in
    }
}
