//! Looks at some of the files: however many lie there, what happened with one is seen at once.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;

use mutirao_actors::model::Moment;

use super::Intake;
use super::nouns::{Deed, File, Glance, Phase};

/// Files that are to be seen once more which one glance takes in; the others wait for the next, or for a look at all.
const AGAIN_MAX: usize = 4096;

impl Intake {
    /// A glance begins: gives the names that are worth it. Those of which there is news, but for files that we write or
    /// move ourselves; and those that were seen, but not twice.
    pub fn begin_glance(&mut self, mut names: BTreeSet<OsString>) -> Vec<OsString> {
        names.retain(|name| !self.is_ours(name));
        if self.hurried {
            let moving = self.moving.iter().filter_map(|seat| self.files.at(*seat));
            let changing = moving.filter(|file| *file.phase() == Phase::Changing);
            let again = changing.map(File::name).map(OsStr::to_owned);
            names.extend(again.take(AGAIN_MAX));
        }
        if !names.is_empty() {
            self.looks += 1;
            // It sees some names only: what lay there when a flush failed may still be first seen by the look at all.
            if self.doubted > self.looks {
                self.doubted += 1;
            }
        }
        names.into_iter().collect()
    }

    fn is_ours(&self, name: &OsStr) -> bool {
        let seat = self.files.find(name.as_bytes());
        let file = seat.and_then(|seat| self.files.at(seat));
        file.is_some_and(|file| file.phase().is_ours())
    }

    /// What the glance that began last found.
    pub fn glance(&mut self, now: Moment, glance: &Glance) -> Vec<Deed> {
        let mut deeds = self.see_all(now, &glance.found);
        self.ignored.extend(glance.found.others.iter().cloned());
        for name in &glance.gone {
            self.ignored.remove(name);
            if let Some(seat) = self.files.find(name.as_bytes())
                && self.could_be_seen(seat)
            {
                deeds.extend(self.lose(seat));
            }
        }
        // Some of them may be counted twice until the next look at all.
        self.passed_over = self
            .passed_over
            .saturating_add(std::mem::take(&mut self.passing));
        self.count(&mut deeds);
        deeds
    }
}
