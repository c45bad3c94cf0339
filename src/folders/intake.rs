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
//! ```

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

use mutirao_actors::model::{Moment, Stamp, TaskId};

pub use self::nouns::{Adopted, Deed, Leaving, Listing, Reading};
use self::nouns::{File, Phase};

mod nouns;
mod ours;

/// Files of `tasks/` that are known at a time; what lies there beyond waits. Ten times the queue that a restart must
/// serve within a second (promise R11), listed in about 0.3 s and remembered in about 30 MB.
pub const TASKS_MAX: usize = 100_000;
/// Files read at a time: two keep the disk and one core busy, and leave the other workers to sessions.
pub const READS_MAX: usize = 2;
/// Two looks count as two only this far apart: a copy that pauses for less is still a copy.
pub const STILL: Duration = Duration::from_millis(250);
/// A file that is no task is rejected when nothing changed for this long: a copy over Wi-Fi may pause for seconds.
pub const SETTLING: Duration = Duration::from_secs(15);
/// Why a task is cancelled whose file is gone: in words for a reader, by which others know that nothing of it is left.
pub const ZIP_DELETED: &str = "its ZIP was deleted from tasks/";
/// The same of a task whose file is another now.
pub const ZIP_REPLACED: &str = "its ZIP in tasks/ was replaced by another";

/// What is known of `tasks/`.
#[derive(Debug, Default)]
pub struct Intake {
    files: BTreeMap<OsString, File>,
    tasks: HashMap<TaskId, OsString>,
    /// In the order in which they were found still; may name files that are no longer ready.
    ready: VecDeque<OsString>,
    reading: usize,
    looks: u64,
    ignored: BTreeSet<OsString>,
    counted: Option<u32>,
    hurried: bool,
    overflows: bool,
}

impl Intake {
    /// A file that was a task in an earlier life: the first look says whether it still is.
    pub fn recall(&mut self, name: OsString, task: Adopted) {
        self.tasks.insert(task.id, name.clone());
        let mut file = File::new(task.stamp, Moment::default(), Phase::Settled);
        file.task = Some(task);
        self.files.insert(name, file);
    }

    /// A file of a task that ended in an earlier life: looks pass it over until [`left`](Self::left) or
    /// [`rests`](Self::rests) is told.
    pub fn recall_leaving(&mut self, name: OsString) {
        let file = File::new(Stamp::default(), Moment::default(), Phase::Leaving);
        self.files.insert(name, file);
    }

    /// A look begins: gives the resting files with their copies, which it is to check.
    pub fn begin_look(&mut self) -> Vec<(OsString, PathBuf)> {
        self.looks += 1;
        let resting = |(name, file): (&OsString, &File)| match &file.phase {
            Phase::Resting(copy) => Some((name.clone(), copy.clone())),
            _ => None,
        };
        self.files.iter().filter_map(resting).collect()
    }

    /// What the look that began last found.
    pub fn look(&mut self, now: Moment, listing: &Listing) -> Vec<Deed> {
        let mut deeds = Vec::new();
        if !listing.cut {
            self.miss(listing, &mut deeds);
        }
        for (name, stamp) in &listing.files {
            if self.files.contains_key(name) || self.files.len() < TASKS_MAX {
                let awake = listing.awake.contains(name);
                deeds.extend(self.see(now, name, *stamp, awake));
            }
        }
        let new = listing.others.difference(&self.ignored);
        deeds.extend(new.cloned().map(Deed::Ignore));
        self.ignored.clone_from(&listing.others);
        if listing.cut && !self.overflows {
            deeds.push(Deed::SayFull);
        }
        self.overflows = listing.cut;
        self.count(&mut deeds);
        deeds
    }

    /// Forgets what is not listed; deleting a task's file takes the task back.
    fn miss(&mut self, listing: &Listing, deeds: &mut Vec<Deed>) {
        let (looks, tasks) = (self.looks, &mut self.tasks);
        self.files.retain(|name, file| {
            let could_be_seen = file.born < looks && !file.phase.is_ours();
            if !could_be_seen || listing.files.contains_key(name) {
                return true;
            }
            deeds.extend(file.withdraw(tasks, ZIP_DELETED));
            false
        });
    }

    fn see(&mut self, now: Moment, name: &OsStr, stamp: Stamp, awake: bool) -> Option<Deed> {
        let born = self.looks;
        let file = self.files.entry(name.to_owned()).or_insert_with(|| File {
            born,
            ..File::new(stamp, now, Phase::Changing)
        });
        if file.phase.is_ours() {
            return None;
        }
        if file.stamp != stamp {
            (file.stamp, file.since, file.phase) = (stamp, now, Phase::Changing);
            return None;
        }
        let still_for = now.since(file.since);
        match &file.phase {
            Phase::Changing if still_for < STILL => {}
            Phase::Resting(_) if !awake => {}
            Phase::Changing | Phase::Unread | Phase::Resting(_) => {
                file.phase = Phase::Ready;
                self.ready.push_back(name.to_owned());
            }
            Phase::Unsound(why) if still_for >= SETTLING => {
                let why = why.clone();
                file.phase = Phase::Rejecting(why.clone());
                let leaving = Leaving {
                    file: name.to_owned(),
                    stamp,
                    sha256: None,
                };
                return Some(Deed::Reject(leaving, why));
            }
            _ => {}
        }
        None
    }

    /// The next file to read, as long as not too many are being read.
    pub fn next_to_read(&mut self) -> Option<(OsString, Stamp)> {
        while self.reading < READS_MAX {
            let name = self.ready.pop_front()?;
            let file = self.files.get_mut(&name);
            if let Some(file) = file.filter(|file| file.phase == Phase::Ready) {
                file.phase = Phase::Reading;
                self.reading += 1;
                return Some((name, file.stamp));
            }
        }
        None
    }

    /// What reading showed of a file that [`next_to_read`](Self::next_to_read) gave.
    pub fn read(&mut self, now: Moment, name: &OsStr, stamp: Stamp, told: Reading) -> Vec<Deed> {
        self.reading = self.reading.saturating_sub(1);
        let mut deeds = Vec::new();
        let file = self.files.get_mut(name);
        let as_read = |file: &&mut File| file.phase == Phase::Reading && file.stamp == stamp;
        if let Some(file) = file.filter(as_read) {
            match told {
                Reading::Sound(task, copy) => {
                    deeds.extend(file.take(&mut self.tasks, name, task, copy))
                }
                Reading::Unsound(why) => {
                    let said = format!("its ZIP in tasks/ was replaced by something else: {why}");
                    deeds.extend(file.withdraw(&mut self.tasks, &said));
                    file.phase = Phase::Unsound(why);
                }
                Reading::Changed => (file.phase, file.since) = (Phase::Changing, now),
                Reading::Unread => file.phase = Phase::Unread,
            }
        }
        if self.reading == 0 && self.ready.is_empty() {
            self.count(&mut deeds);
        }
        deeds
    }

    /// Counts what is not at rest; a pass over all files, so done once for a look and once for a row of readings.
    fn count(&mut self, deeds: &mut Vec<Deed>) {
        let moving = self.files.values().filter(|file| !file.phase.is_at_rest());
        let count = u32::try_from(moving.count()).unwrap_or(u32::MAX);
        self.hurried = count > 0
            && self
                .files
                .values()
                .any(|file| file.phase == Phase::Changing);
        if self.counted.replace(count) != Some(count) {
            deeds.push(Deed::Count(count));
        }
    }

    /// Whether anything is known of a file of this name.
    pub fn knows(&self, name: &OsStr) -> bool {
        self.files.contains_key(name)
    }

    /// Whether a look soon would tell more: some file was seen but not twice.
    pub fn is_hurried(&self) -> bool {
        self.hurried
    }

    /// Whether no further task is taken over the wire.
    pub fn is_full(&self) -> bool {
        self.files.len() >= TASKS_MAX
    }

    /// Where an open task lies, and what it is.
    pub fn find(&self, task: TaskId) -> Option<(&OsStr, &Adopted)> {
        let name = self.tasks.get(&task)?;
        let adopted = self.files.get(name)?.task.as_ref()?;
        Some((name, adopted))
    }

    /// The task is terminal: says which file leaves. Looks pass it over until [`left`](Self::left) or
    /// [`rests`](Self::rests) is told.
    pub fn end(&mut self, task: TaskId) -> Option<Leaving> {
        let name = self.tasks.remove(&task)?;
        let file = self.files.get_mut(&name)?;
        let ended = file.task.take()?;
        file.phase = Phase::Leaving;
        Some(Leaving {
            file: name,
            stamp: ended.stamp,
            sha256: Some(ended.sha256),
        })
    }

    /// The file is gone from `tasks/`, or was never written, or another lies there: what does is for the next look.
    pub fn left(&mut self, name: &OsStr) {
        self.files.remove(name);
    }

    /// The file stays in `tasks/`, and its copy lies here.
    pub fn rests(&mut self, name: &OsStr, copy: PathBuf) {
        if let Some(file) = self.files.get_mut(name) {
            (file.phase, file.born) = (Phase::Resting(copy), self.looks);
        }
    }

    /// The file could not be moved to `rejected/`: tried again at the next look.
    pub fn stays_unsound(&mut self, name: &OsStr) {
        if let Some(file) = self.files.get_mut(name)
            && let Phase::Rejecting(why) = &file.phase
        {
            file.phase = Phase::Unsound(why.clone());
        }
    }
}

#[cfg(test)]
mod tests;
