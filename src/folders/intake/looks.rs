//! What looks at `tasks/` tell of its files: which are new, which lie still, which are gone.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use mutirao_actors::logic::seats::Seat;
use mutirao_actors::model::{Moment, Stamp};

use super::nouns::{Deed, File, Leaving, Listing, Mark, Phase};
use super::{Intake, MOVING_MAX, SETTLING, STILL, TASKS_MAX, ZIP_DAMAGED, ZIP_DELETED};

impl Intake {
    /// A look begins: gives the resting files with their copies, which it is to check.
    pub fn begin_look(&mut self) -> Vec<(OsString, PathBuf)> {
        self.looks += 1;
        self.seen.clear();
        self.passing = 0;
        self.ignoring.clear();
        let resting = |seat: &Seat| {
            let file = self.files.at(*seat)?;
            match file.phase() {
                Phase::Resting(copy) => Some((file.name().to_owned(), copy.clone())),
                _ => None,
            }
        };
        self.moving.iter().filter_map(resting).collect()
    }

    /// The next part of what the look that began last found.
    pub fn look(&mut self, now: Moment, listing: &Listing) -> Vec<Deed> {
        let mut deeds = self.see_all(now, listing);
        self.ignoring.extend(listing.others.iter().cloned());
        if listing.is_last {
            self.end_look(listing.cut, &mut deeds);
        }
        deeds
    }

    pub(super) fn see_all(&mut self, now: Moment, listing: &Listing) -> Vec<Deed> {
        let mut deeds = Vec::new();
        for (name, stamp) in &listing.files {
            deeds.extend(self.see(now, name, *stamp, &listing.awake));
        }
        let new = listing.others.difference(&self.ignored);
        deeds.extend(new.cloned().map(Deed::Ignore));
        deeds
    }

    fn end_look(&mut self, cut: bool, deeds: &mut Vec<Deed>) {
        self.ignored = std::mem::take(&mut self.ignoring);
        if !cut {
            self.miss(deeds);
        } else if !self.overflows {
            deeds.push(Deed::SayFull);
        }
        self.overflows = cut;
        self.passed_over = std::mem::take(&mut self.passing);
        self.count(deeds);
    }

    /// Forgets what was not seen; deleting a task's file takes the task back.
    fn miss(&mut self, deeds: &mut Vec<Deed>) {
        let is_missed = |seat: &Seat| {
            let was_seen = self.seen.get(seat.index()).is_some_and(|seen| *seen);
            !was_seen && self.could_be_seen(*seat)
        };
        let missed: Vec<Seat> = self.files.seats().filter(is_missed).collect();
        for seat in missed {
            deeds.extend(self.lose(seat));
        }
    }

    /// Whether the look that began last finds the file of this seat if it is there.
    pub(super) fn could_be_seen(&self, seat: Seat) -> bool {
        let file = self.files.at(seat);
        file.is_some_and(|file| file.born() < self.looks && !file.phase().is_ours())
    }

    /// The file of a seat is gone, and so its task.
    pub(super) fn lose(&mut self, seat: Seat) -> Option<Deed> {
        let why = match self.files.at(seat).map(File::phase) {
            Some(Phase::Damaged) => ZIP_DAMAGED,
            _ => ZIP_DELETED,
        };
        let withdrawn = self.withdraw(seat, why);
        self.moving.remove(&seat);
        if let Some(name) = self.files.at(seat).map(|file| file.name().to_owned()) {
            self.files.remove(name.as_bytes());
        }
        withdrawn
    }

    fn see(
        &mut self,
        now: Moment,
        name: &OsStr,
        stamp: Stamp,
        awake: &BTreeSet<OsString>,
    ) -> Option<Deed> {
        let mark = Mark::of(&stamp);
        let seat = match self.files.find(name.as_bytes()) {
            Some(seat) => seat,
            None if self.files.len() >= TASKS_MAX => return None,
            None if self.moving.len() >= MOVING_MAX => {
                self.passing = self.passing.saturating_add(1);
                return None;
            }
            None => self.add(File::new(name, mark, now, self.looks, Phase::Changing))?,
        };
        if self.seen.len() <= seat.index() {
            self.seen.resize(seat.index() + 1, false);
        }
        if let Some(seen) = self.seen.get_mut(seat.index()) {
            *seen = true;
        }
        let file = self.files.at_mut(seat)?;
        if file.phase().is_ours() {
            return None;
        }
        if file.seen() == mark {
            file.calm();
            if file.is_in_motion() {
                return self.see_still(now, seat, stamp, awake);
            }
            self.moving.remove(&seat);
        } else {
            let motion = self.motion(seat)?;
            (motion.seen, motion.since, motion.phase) = (mark, now, Phase::Changing);
        }
        None
    }

    /// A file is as it was seen before.
    fn see_still(
        &mut self,
        now: Moment,
        seat: Seat,
        stamp: Stamp,
        awake: &BTreeSet<OsString>,
    ) -> Option<Deed> {
        let file = self.files.at_mut(seat)?;
        let name = file.name().to_owned();
        let motion = file.motion();
        let still_for = now.since(motion.since);
        match &motion.phase {
            // It is there.
            Phase::Damaged => motion.phase = Phase::Settled,
            Phase::Changing if still_for < STILL => {}
            Phase::Resting(_) if !awake.contains(&name) => {}
            Phase::Changing | Phase::Unread | Phase::Resting(_) => {
                motion.phase = Phase::Ready(stamp);
                self.ready.push_back(name);
            }
            Phase::Unsound(why) if still_for >= SETTLING => {
                let why = why.clone();
                motion.phase = Phase::Rejecting(why.clone());
                let leaving = Leaving {
                    file: name,
                    mark: motion.seen,
                    sha256: None,
                };
                return Some(Deed::Reject(leaving, why));
            }
            _ => {}
        }
        None
    }
}
