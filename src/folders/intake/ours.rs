//! Files of `tasks/` that we put there ourselves, for tasks that came over the wire.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;

use mutirao_actors::logic::record::Place;
use mutirao_actors::logic::seats::Seat;
use mutirao_actors::model::{Digest, FileName, Moment, Stamp, Task, TaskId, TaskName};

use super::Intake;
use super::nouns::{File, Mark, Phase};
use crate::disk::numbers::free_number;
use crate::folders::packs::PACKED;

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
        let taken = |number| self.knows(OsStr::new(named(number).as_str()));
        let name = named(free_number(taken));
        let mark = Mark::of(&Stamp::default());
        let file = OsStr::new(name.as_str());
        self.add(File::new(file, mark, now, self.looks, Phase::Reserved));
        name
    }

    /// The reserved file will be this task; the same, as all are to share it.
    pub fn adopt(&mut self, stamp: Stamp, task: Task) -> Arc<Task> {
        let task = self.kinds.share_in(task);
        if let Some(seat) = self.files.find(task.name.as_str().as_bytes())
            && let Some(file) = self.files.at_mut(seat)
        {
            file.open(Arc::clone(&task), Mark::of(&stamp));
            self.opened(task.id, seat);
        }
        task
    }

    /// A task that had ended is open again, and its ZIP, which lies among the payloads with this stamp, will be put under
    /// this name; none if it is open already.
    pub fn open_again(&mut self, now: Moment, task: &Arc<Task>, stamp: Stamp) -> Option<FileName> {
        if self.seat_of(task.id).is_some() {
            return None;
        }
        let name = self.reserve(now, &task.name);
        let seat = self.files.find(name.as_str().as_bytes())?;
        self.kinds.share(Arc::clone(&task.kind));
        let mark = Mark::of(&stamp);
        self.files.at_mut(seat)?.open(Arc::clone(task), mark);
        self.opened(task.id, seat);
        Some(name.as_str().into())
    }

    /// Whether a file stays in `tasks/` and is not run again because this copy of it lies there.
    pub fn rests_on(&self, copy: &Path) -> bool {
        let files = self.moving.iter().filter_map(|seat| self.files.at(*seat));
        files
            .map(File::phase)
            .any(|phase| matches!(phase, Phase::Resting(own) if own == copy))
    }

    /// Where each open task's ZIP would lie that is not in its place yet.
    pub fn payloads(&self) -> impl Iterator<Item = (TaskId, Digest)> {
        let tasks = self.files.iter().filter_map(|file| file.task.as_ref());
        tasks.map(|task| (task.id, task.sha256))
    }

    /// The file of this task is not in its place yet, as an earlier life left it: looks pass it over.
    pub fn is_unlaid(&mut self, task: TaskId) {
        let seat = self.seat_of(task);
        if let Some(motion) = seat.and_then(|seat| self.motion(seat)) {
            motion.phase = Phase::Reserved;
        }
    }

    /// The reserved file lies in its place, with this stamp; where that is, if the task is still open.
    pub fn laid(&mut self, task: TaskId, stamp: Stamp) -> Option<Place> {
        let (seat, mark) = (self.seat_of(task)?, Mark::of(&stamp));
        self.motion(seat)?.seen = mark;
        let file = self.files.at_mut(seat)?;
        let open = file.task.clone()?;
        file.open(open, mark);
        let file = file.name().as_bytes().into();
        self.is_for_looks(task);
        Some(Place { file, stamp })
    }

    /// The file of this task is in its place, or somebody took it away: the next look tells.
    pub fn is_for_looks(&mut self, task: TaskId) {
        let (seat, looks) = (self.seat_of(task), self.looks);
        if let Some(motion) = seat.and_then(|seat| self.motion(seat)) {
            (motion.phase, motion.born) = (Phase::Settled, looks);
        }
    }

    /// Whether the file of this task is not in its place yet, as far as is known, and lay in a pack.
    pub fn is_packed(&self, task: TaskId) -> bool {
        let file = self.seat_of(task).and_then(|seat| self.files.at(seat));
        file.is_some_and(|file| file.mark() == Mark::of(&PACKED))
    }

    /// The ZIP of this task was damaged where it lay until it is in its place: unless it is there, the next look takes the
    /// task back.
    pub fn is_damaged(&mut self, task: TaskId) {
        self.is_for_looks(task);
        let seat = self.seat_of(task);
        if let Some(motion) = seat.and_then(|seat| self.motion(seat)) {
            motion.phase = Phase::Damaged;
        }
    }

    /// Somebody else's file lies where this task's was to lie: under which name it will lie, if it is still open.
    pub fn lie_elsewhere(&mut self, now: Moment, task: TaskId) -> Option<FileName> {
        let old = self.seat_of(task)?;
        let (open, mark) = self.close(old)?;
        self.was_taken(old);
        let name = self.reserve(now, &open.name);
        let seat = self.files.find(name.as_str().as_bytes())?;
        self.files.at_mut(seat)?.open(open, mark);
        self.opened(task, seat);
        Some(name.as_str().into())
    }

    /// The reserved file was not written, but somebody else's lies there: it is for the next look.
    pub fn name_was_taken(&mut self, name: &TaskName) {
        if let Some(seat) = self.files.find(name.as_str().as_bytes()) {
            self.was_taken(seat);
        }
    }

    fn was_taken(&mut self, seat: Seat) {
        let looks = self.looks;
        if let Some(motion) = self.motion(seat) {
            (motion.phase, motion.born) = (Phase::Changing, looks);
            self.hurried = true;
        }
    }
}
