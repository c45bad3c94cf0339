//! Files of `tasks/` that we put there ourselves, for tasks that came over the wire.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use mutirao_actors::logic::record::Place;
use mutirao_actors::model::{Moment, Stamp, Task, TaskId, TaskName};

use super::Intake;
use super::nouns::{Adopted, File, Phase};
use crate::disk::numbers::free_number;

impl Intake {
    /// Keeps a free name for a file that we are about to write, so that no look adopts it first.
    pub fn reserve(&mut self, now: Moment, wanted: &TaskName) -> TaskName {
        let named = |number| {
            if number == 1 {
                wanted.clone()
            } else {
                wanted.numbered(number)
            }
        };
        let taken = |number| self.files.contains_key(OsStr::new(named(number).as_str()));
        let name = named(free_number(taken));
        let file = File {
            born: self.looks,
            ..File::new(Stamp::default(), now, Phase::Reserved)
        };
        self.files.insert(name.as_str().into(), file);
        name
    }

    /// The reserved file will be this task.
    pub fn adopt(&mut self, stamp: Stamp, task: &Task) {
        let name = OsStr::new(task.name.as_str());
        if let Some(file) = self.files.get_mut(name) {
            file.task = Some(Adopted::of(task, stamp));
            self.tasks.insert(task.id, name.to_owned());
        }
    }

    /// The file of this task is not in its place yet, as an earlier life left it: looks pass it over.
    pub fn is_unlaid(&mut self, task: TaskId) {
        let name = self.tasks.get(&task);
        if let Some(file) = name.and_then(|name| self.files.get_mut(name)) {
            file.phase = Phase::Reserved;
        }
    }

    /// The reserved file lies in its place, with this stamp; where that is, if the task is still open.
    pub fn laid(&mut self, task: TaskId, stamp: Stamp) -> Option<Place> {
        let name = self.tasks.get(&task)?;
        let file = self.files.get_mut(name)?;
        file.stamp = stamp;
        file.task.as_mut()?.stamp = stamp;
        let file = name.as_bytes().to_vec();
        self.is_for_looks(task);
        Some(Place { file, stamp })
    }

    /// The file of this task is in its place, or somebody took it away: the next look tells.
    pub fn is_for_looks(&mut self, task: TaskId) {
        let name = self.tasks.get(&task);
        if let Some(file) = name.and_then(|name| self.files.get_mut(name)) {
            (file.phase, file.born) = (Phase::Settled, self.looks);
        }
    }

    /// Somebody else's file lies where this task's was to lie: under which name it will lie, if it is still open.
    pub fn lie_elsewhere(&mut self, now: Moment, task: TaskId) -> Option<Vec<u8>> {
        let old = self.tasks.get(&task)?.clone();
        let open = self.files.get_mut(&old)?.task.take()?;
        self.was_taken(&old);
        let name = self.reserve(now, &open.name);
        let name = OsStr::new(name.as_str());
        self.files.get_mut(name)?.task = Some(open);
        self.tasks.insert(task, name.to_owned());
        Some(name.as_bytes().to_vec())
    }

    /// The reserved file was not written, but somebody else's lies there: it is for the next look.
    pub fn name_was_taken(&mut self, name: &TaskName) {
        self.was_taken(OsStr::new(name.as_str()));
    }

    fn was_taken(&mut self, name: &OsStr) {
        if let Some(file) = self.files.get_mut(name) {
            (file.phase, file.born) = (Phase::Changing, self.looks);
            self.hurried = true;
        }
    }
}
