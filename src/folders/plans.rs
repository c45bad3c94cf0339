//! Which names in `results/` are promised to results that are not there yet.
//!
//! Rule: a result's name is written down with the task's end, before the file has it; so nobody else may get it. Whoever
//! promises looks at the disk meanwhile, so once the desk has begun only jobs come here.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use mutirao_actors::model::{TaskId, TaskName};

use super::places::Places;
use crate::disk::names::free_name;

/// What failed results lie in, below `results/`.
pub(super) const FAILED: &str = "failed/";

/// The promised names; as many as there are results that wait to be settled.
#[derive(Debug, Default)]
pub(super) struct Plans(Mutex<Planned>);

#[derive(Debug, Default)]
struct Planned {
    by_task: HashMap<TaskId, String>,
    files: HashSet<String>,
}

impl Plans {
    fn planned(&self) -> MutexGuard<'_, Planned> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Promises a free name below `results/`, in place of what was promised to the task before. Looks at the disk
    /// while nobody else can be promised a name.
    pub fn plan(&self, places: &Places, task: TaskId, name: &TaskName, success: bool) -> String {
        let mut planned = self.planned();
        planned.release(task);
        let (folder, below) = match success {
            true => (places.results.clone(), ""),
            false => (places.failed_results(), FAILED),
        };
        let is_planned = |name: &str| planned.files.contains(&format!("{below}{name}"));
        let name = free_name(&places.volume, &folder, name.as_str(), is_planned);
        let file = format!("{below}{name}");
        planned.promise(task, file.clone());
        file
    }

    /// What is promised to the task.
    pub fn of(&self, task: TaskId) -> Option<String> {
        self.planned().by_task.get(&task).cloned()
    }

    /// A name that was promised in an earlier life; for the desk before it begins.
    pub fn promise(&self, task: TaskId, file: String) {
        self.planned().promise(task, file);
    }

    /// The file has its name, or will have none.
    pub fn release(&self, task: TaskId) {
        self.planned().release(task);
    }
}

impl Planned {
    fn promise(&mut self, task: TaskId, file: String) {
        self.files.insert(file.clone());
        self.by_task.insert(task, file);
    }

    fn release(&mut self, task: TaskId) {
        if let Some(file) = self.by_task.remove(&task) {
            self.files.remove(&file);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;

    use super::*;
    use crate::disk::Volume;

    #[test]
    fn a_name_is_promised_once_and_free_again_when_released() {
        let temp = tempfile::tempdir().unwrap();
        let places = Places::under(temp.path(), Arc::new(Volume::real()));
        fs::create_dir_all(&places.results).unwrap();
        fs::write(places.results.join("a.zip"), "").unwrap();
        let (plans, name) = (Plans::default(), TaskName::tamed("a.zip"));
        let [first, second] = [TaskId::new(), TaskId::new()];
        assert_eq!(plans.plan(&places, first, &name, true), "a.2.zip");
        assert_eq!(plans.plan(&places, second, &name, true), "a.3.zip");
        assert_eq!(plans.plan(&places, first, &name, false), "failed/a.zip");
        plans.release(second);
        assert_eq!(plans.plan(&places, second, &name, true), "a.2.zip");
    }
}
