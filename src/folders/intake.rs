//! The mind behind `tasks/`: told what lies there, it says which files are tasks, which are gone and which never will be.
//!
//! Rule: a listing is the truth and a reading proves it; this mind opens no file and has no clock.
//!
//! ```text
//!             same in two looks     its turn           sound
//!   Changing ──────────────────▶ Ready ────▶ Reading ─────────▶ Settled (an open task)
//!      ▲                           ▲           │ │ └──────────▶ Resting (ran before, stays by `.stay`)
//!      │ any change, in any state  └─ Unread ◀─┘ └▶ Unsound ──▶ Rejecting ──▶ moved away
//!      │ where the disk is not ours                 (no change for SETTLING)
//!
//!   Reserved: to be put there by us (AdoptTask) ──▶ Settled        Settled ──▶ Leaving ──▶ moved away, or Resting
//!       └───▶ Damaged ──▶ gone with the next look, or Settled
//! ```

use std::collections::{BTreeSet, VecDeque};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mutirao_actors::logic::record::Place;
use mutirao_actors::logic::seats::{Index, Seat, Seated as _, Seats};
use mutirao_actors::model::{Digest, Kinds, Moment, Stamp, Task, TaskId};

pub use self::nouns::{Deed, Glance, Leaving, Listing, Mark, Reading};
use self::nouns::{File, Motion, Phase};

mod glance;
mod looks;
mod nouns;
mod ours;

/// Files of `tasks/` that are known at a time; what lies there beyond waits. The largest queue that a restart must open
/// within seconds (promise R11); with all that the scheduler knows of it, it is remembered in some 200 MB.
pub const TASKS_MAX: usize = 1_000_000;
/// Files with which something goes on, at a time: more is known of these, some 20 MB in all. What lies beside so many is
/// taken in by later looks.
const MOVING_MAX: usize = 100_000;
/// With so many, no task is taken over the wire: anybody may send some with the longest names, each of a group of its own, and
/// such a one takes four times the memory of another (promise R7).
const SUBMITTED_MAX: usize = 200_000;
/// Batches of files read at a time: two keep the disk and one core busy, and leave the other workers to sessions.
pub const READS_MAX: usize = 2;
/// Files in a batch, which are flushed together: with so many a flush costs each next to nothing.
pub const READ_FILES_MAX: usize = 64;
/// A batch takes no more files once it has so many bytes: those that came first are not kept waiting for the others.
const READ_BYTES_MAX: u64 = 8 << 20;
/// Two looks count as two only this far apart: a copy that pauses for less is still a copy.
pub const STILL: Duration = Duration::from_millis(250);
/// A file that is no task is rejected when nothing changed for this long: a copy over Wi-Fi may pause for seconds.
pub const SETTLING: Duration = Duration::from_secs(15);
/// Why a task is cancelled whose file is gone: in words for a reader, by which others know that nothing of it is left.
pub const ZIP_DELETED: &str = "its ZIP was deleted from tasks/";
/// The same of a task whose ZIP a disk has damaged before it lay there.
pub const ZIP_DAMAGED: &str =
    "its ZIP was damaged on the master's disk before it lay in tasks/; see .mutirao/damaged/";
/// The same of a task whose file is another now.
pub const ZIP_REPLACED: &str = "its ZIP in tasks/ was replaced by another";

/// What is known of `tasks/`.
#[derive(Debug, Default)]
pub struct Intake {
    files: Seats<File>,
    tasks: Index,
    /// Files with which something goes on: few beside those that only wait.
    moving: BTreeSet<Seat>,
    /// Whether the look that is under way has seen the file of each seat.
    seen: Vec<bool>,
    kinds: Kinds,
    /// In the order in which they were found still; may name files that are no longer ready.
    ready: VecDeque<OsString>,
    reading: usize,
    looks: u64,
    /// Files that were first seen before this look may have lain there when a flush failed.
    doubted: u64,
    ignored: BTreeSet<OsString>,
    /// Those of the look that is under way.
    ignoring: BTreeSet<OsString>,
    /// Files that the last look passed over because too many were moving, and that the one under way did.
    passed_over: u32,
    passing: u32,
    counted: Option<u32>,
    hurried: bool,
    overflows: bool,
}

impl Intake {
    /// So many files are about to be recalled.
    pub fn expect(&mut self, count: usize) {
        self.files.reserve(count);
        let files = &self.files;
        let id_of = |seat| Some(&files.at(seat)?.task.as_ref()?.id);
        self.tasks.reserve(count, id_of);
    }

    /// A file that was a task in an earlier life: the first look says whether it still is.
    pub fn recall(&mut self, name: &OsStr, task: &Arc<Task>, stamp: Stamp) {
        self.kinds.share(Arc::clone(&task.kind));
        let mark = Mark::of(&stamp);
        let mut file = File::new(name, mark, Moment::default(), 0, Phase::Settled);
        file.open(Arc::clone(task), mark);
        file.calm();
        if let Some(seat) = self.add(file) {
            self.opened(task.id, seat);
        }
    }

    /// A file of a task that ended in an earlier life: looks pass it over until [`left`](Self::left) or
    /// [`rests`](Self::rests) is told.
    pub fn recall_leaving(&mut self, name: &OsStr) {
        let mark = Mark::of(&Stamp::default());
        self.add(File::new(name, mark, Moment::default(), 0, Phase::Leaving));
    }

    /// The groups of tasks that are open; may name some of tasks that were.
    pub fn groups(&self) -> impl Iterator<Item = &str> {
        self.kinds.iter().map(|kind| &*kind.group)
    }

    fn add(&mut self, file: File) -> Option<Seat> {
        self.drop_file(file.key());
        let is_in_motion = file.is_in_motion();
        let seat = self.files.insert(file)?;
        if is_in_motion {
            self.moving.insert(seat);
        }
        if let Some(seen) = self.seen.get_mut(seat.index()) {
            *seen = false;
        }
        Some(seat)
    }

    fn drop_file(&mut self, name: &[u8]) {
        if let Some(seat) = self.files.find(name) {
            self.close(seat);
            self.moving.remove(&seat);
            self.files.remove(name);
        }
    }

    /// The file of a seat is open as this task.
    fn opened(&mut self, task: TaskId, seat: Seat) {
        let files = &self.files;
        let id_of = |seat| Some(&files.at(seat)?.task.as_ref()?.id);
        self.tasks.insert(&task, seat, id_of);
    }

    /// The file of a seat is open as no task; as which it was.
    fn close(&mut self, seat: Seat) -> Option<(Arc<Task>, Mark)> {
        let task = self.files.at(seat)?.task.as_ref()?.id;
        self.tasks.remove(&task, seat);
        self.moving.insert(seat);
        self.files.at_mut(seat)?.close()
    }

    fn seat_of(&self, task: TaskId) -> Option<Seat> {
        let id_of = |seat| Some(&self.files.at(seat)?.task.as_ref()?.id);
        self.tasks.find(&task, id_of)
    }

    /// What goes on with the file of a seat, to change that.
    fn motion(&mut self, seat: Seat) -> Option<&mut Motion> {
        self.moving.insert(seat);
        Some(self.files.at_mut(seat)?.motion())
    }

    fn motion_of(&mut self, name: &OsStr) -> Option<&mut Motion> {
        self.motion(self.files.find(name.as_bytes())?)
    }

    /// The next batch of files to read, as long as not too many are being read; then it has none.
    pub fn next_to_read(&mut self) -> Vec<(OsString, Stamp)> {
        let (mut batch, mut bytes) = (Vec::new(), 0_u64);
        if self.reading == READS_MAX {
            return batch;
        }
        while batch.len() < READ_FILES_MAX
            && bytes < READ_BYTES_MAX
            && let Some((name, stamp)) = self.next_ready()
        {
            bytes = bytes.saturating_add(stamp.size);
            batch.push((name, stamp));
        }
        self.reading += usize::from(!batch.is_empty());
        batch
    }

    fn next_ready(&mut self) -> Option<(OsString, Stamp)> {
        while let Some(name) = self.ready.pop_front() {
            if let Some(motion) = self.motion_of(&name)
                && let Phase::Ready(stamp) = motion.phase
            {
                motion.phase = Phase::Reading(stamp);
                return Some((name, stamp));
            }
        }
        None
    }

    /// All files of a batch were read.
    pub fn batch_read(&mut self) -> Vec<Deed> {
        self.reading = self.reading.saturating_sub(1);
        let mut deeds = Vec::new();
        if self.reading == 0 && self.ready.is_empty() {
            self.count(&mut deeds);
        }
        deeds
    }

    /// A flush has failed. What lay there then is seen in the next look at the latest.
    pub fn doubt(&mut self) {
        self.doubted = self.looks + 2;
    }

    /// Whether a flush may have failed while the file lay there, so that no other says anything of it.
    pub fn is_doubted(&self, name: &OsStr) -> bool {
        let file = self.files.find(name.as_bytes());
        let file = file.and_then(|seat| self.files.at(seat));
        file.is_some_and(|file| file.born() < self.doubted)
    }

    /// As which task a file is open, and what it held then.
    pub fn open_as(&self, name: &OsStr) -> Option<(TaskId, Digest)> {
        let file = self.files.at(self.files.find(name.as_bytes())?)?;
        let task = file.task.as_ref()?;
        Some((task.id, task.sha256))
    }

    /// The task whose file lies in its place, and nothing is to be done about it.
    pub fn settled(&self, task: TaskId) -> Option<&Arc<Task>> {
        let file = self.files.at(self.seat_of(task)?)?;
        let task = file.task.as_ref();
        task.filter(|_| *file.phase() == Phase::Settled)
    }

    /// What reading showed of a file that [`next_to_read`](Self::next_to_read) gave.
    pub fn read(&mut self, now: Moment, name: &OsStr, stamp: Stamp, told: Reading) -> Vec<Deed> {
        let mut deeds = Vec::new();
        let as_read = |seat: &Seat| {
            let file = self.files.at(*seat);
            file.is_some_and(|file| *file.phase() == Phase::Reading(stamp))
        };
        if let Some(seat) = self.files.find(name.as_bytes()).filter(as_read) {
            let phase = match told {
                Reading::Sound(task, copy) => self.take(seat, stamp, *task, copy, &mut deeds),
                Reading::Unsound(why) => {
                    let said = format!("its ZIP in tasks/ was replaced by something else: {why}");
                    deeds.extend(self.withdraw(seat, &said));
                    Phase::Unsound(why)
                }
                Reading::Changed => Phase::Changing,
                Reading::Unread => Phase::Unread,
            };
            if let Some(motion) = self.motion(seat) {
                if phase == Phase::Changing {
                    motion.since = now;
                }
                motion.phase = phase;
            }
        }
        deeds
    }

    /// Takes back the task as which a file is open, if it is.
    fn withdraw(&mut self, seat: Seat, why: &str) -> Option<Deed> {
        let (task, _) = self.close(seat)?;
        Some(Deed::Withdraw(task.id, why.into()))
    }

    /// A sound content was read: new, the same as before, or another than before.
    fn take(
        &mut self,
        seat: Seat,
        stamp: Stamp,
        task: Task,
        copy: Option<PathBuf>,
        deeds: &mut Vec<Deed>,
    ) -> Phase {
        let mark = Mark::of(&stamp);
        if let Some(file) = self.files.at_mut(seat)
            && let Some(open) = file.task.clone().filter(|open| open.sha256 == task.sha256)
        {
            file.open(open, mark);
            return Phase::Settled;
        }
        deeds.extend(self.withdraw(seat, ZIP_REPLACED));
        if let Some(copy) = copy {
            return Phase::Resting(copy);
        }
        let task = self.kinds.share_in(task);
        if let Some(file) = self.files.at_mut(seat) {
            file.open(Arc::clone(&task), mark);
            let file = file.key().into();
            self.opened(task.id, seat);
            deeds.push(Deed::Arrive(task, Place { file, stamp }));
        }
        Phase::Settled
    }

    /// Counts what is not at rest.
    fn count(&mut self, deeds: &mut Vec<Deed>) {
        let files = self.moving.iter().filter_map(|seat| self.files.at(*seat));
        let (mut count, mut changing) = (self.passed_over, false);
        for phase in files.map(File::phase).filter(|phase| !phase.is_at_rest()) {
            count = count.saturating_add(1);
            changing |= *phase == Phase::Changing;
        }
        self.hurried = changing;
        if self.counted.replace(count) != Some(count) {
            deeds.push(Deed::Count(count));
        }
    }

    /// Whether the last look passed over files that another may take in.
    pub fn has_passed_over(&self) -> bool {
        self.passed_over > 0
    }

    /// Whether anything is known of a file of this name.
    pub fn knows(&self, name: &OsStr) -> bool {
        self.files.find(name.as_bytes()).is_some()
    }

    /// Whether no further task is taken over the wire.
    pub fn is_full(&self) -> bool {
        self.files.len() >= SUBMITTED_MAX
    }

    /// Where an open task lies, and what it is.
    pub fn find(&self, task: TaskId) -> Option<(&OsStr, &Arc<Task>)> {
        let file = self.files.at(self.seat_of(task)?)?;
        Some((file.name(), file.task.as_ref()?))
    }

    /// The task is terminal: says which file leaves. Looks pass it over until [`left`](Self::left) or
    /// [`rests`](Self::rests) is told.
    pub fn end(&mut self, task: TaskId) -> Option<Leaving> {
        let seat = self.seat_of(task)?;
        let (ended, mark) = self.close(seat)?;
        self.motion(seat)?.phase = Phase::Leaving;
        Some(Leaving {
            file: self.files.at(seat)?.name().to_owned(),
            mark,
            sha256: Some(ended.sha256),
        })
    }

    /// The file is gone from `tasks/`, or was never written, or another lies there: what does is for the next look.
    pub fn left(&mut self, name: &OsStr) {
        self.drop_file(name.as_bytes());
    }

    /// The file stays in `tasks/`, and its copy lies here.
    pub fn rests(&mut self, name: &OsStr, copy: PathBuf) {
        let looks = self.looks;
        if let Some(motion) = self.motion_of(name) {
            (motion.phase, motion.born) = (Phase::Resting(copy), looks);
        }
    }

    /// The file could not be moved to `rejected/`: tried again at the next look.
    pub fn stays_unsound(&mut self, name: &OsStr) {
        if let Some(motion) = self.motion_of(name)
            && let Phase::Rejecting(why) = &motion.phase
        {
            motion.phase = Phase::Unsound(why.clone());
        }
    }
}

#[cfg(test)]
mod tests;
