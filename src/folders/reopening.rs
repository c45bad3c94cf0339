//! Done tasks whose result a disk damaged before it lay in `results/`: they run once more.
//!
//! Rule: this is decided before any actor starts. A peer that was not told any more that its result was taken hands it in
//! again, and nobody may be told that it was taken when it is gone.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::packs::Key;
use super::places::Places;
use super::restart::kept_of;
use super::stay::Copies;
use crate::disk::{DiskError, OnDisk as _, Volume, is_absent};
use mutirao_actors::logic::fault::Fault;
use mutirao_actors::logic::record::{Fate, Record, Remembered};

/// Why the try counts no more whose result is gone.
const RESULT_DAMAGED: &str =
    "the file in which the result lay was damaged on the master's disk; see .mutirao/damaged/";

/// Opens the tasks again whose result was in a damaged pack and lies nowhere else; for each, what is to be written down.
/// One whose ZIP is gone as well is taken back by the next look at `tasks/`.
///
/// # Errors
/// Whatever the disk refuses; then none of them is open.
pub(crate) fn reopen_damaged(
    places: &Places,
    tasks: &mut [Remembered],
) -> Result<Vec<Vec<Record>>, DiskError> {
    let is_unsettled =
        |known: &&mut Remembered| matches!(known.course.fate, Fate::Done { .. }) && !known.settled;
    let unsettled: Vec<_> = tasks.iter_mut().filter(is_unsettled).collect();
    if unsettled.is_empty() || places.packs.learn(&places.volume)?.damaged.is_empty() {
        return Ok(Vec::new());
    }
    let shelves = Shelves {
        places,
        results: Copies::list(&places.volume, std::slice::from_ref(&places.results))?,
        done: Copies::list(&places.volume, &[places.done()])?,
    };
    let mut damaged = Vec::new();
    for known in unsettled {
        if !shelves.have(known)? {
            damaged.push(known);
        }
    }
    Ok(damaged.into_iter().map(reopen).collect())
}

/// Where the files of done tasks may lie.
struct Shelves<'a> {
    places: &'a Places,
    results: Copies,
    done: Copies,
}

impl Shelves<'_> {
    /// Whether a result lies somewhere, or lay in its place: its task's ZIP is not moved before.
    fn have(&self, known: &Remembered) -> Result<bool, DiskError> {
        let Some(kept) = kept_of(known) else {
            return Ok(true);
        };
        let volume = &self.places.volume;
        let (name, sha256) = (known.task.name.as_str(), kept.sha256);
        Ok(self.is_payload((known.task.id, sha256))?
            || self
                .results
                .find(volume, name, kept.size, sha256)?
                .is_some()
            || self.is_shelved(known)?)
    }

    fn is_payload(&self, key: Key) -> Result<bool, DiskError> {
        let path = self.places.payload(key.0, key.1);
        Ok(self.places.packs.has(key) || is_there(&self.places.volume, &path)?)
    }

    fn is_shelved(&self, known: &Remembered) -> Result<bool, DiskError> {
        let (volume, sha256) = (&self.places.volume, known.task.sha256);
        let path = self.places.tasks.join(OsStr::from_bytes(&known.lies.file));
        if is_there(volume, &path)? || self.is_payload((known.task.id, sha256))? {
            return Ok(false);
        }
        let name = String::from_utf8_lossy(&known.lies.file);
        let found = self
            .done
            .find(volume, &name, known.task.size.into(), sha256)?;
        Ok(found.is_some())
    }
}

fn is_there(volume: &Volume, path: &Path) -> Result<bool, DiskError> {
    match volume.stat(path) {
        Err(error) if is_absent(&error) => Ok(false),
        stat => stat.on_disk("look at", path).map(|_| true),
    }
}

fn reopen(known: &mut Remembered) -> Vec<Record> {
    let task = known.task.id;
    let mut records = vec![Record::Reopened { task }];
    let Fate::Done { submitted, .. } =
        std::mem::replace(&mut known.course.told().fate, Fate::Queued)
    else {
        return records;
    };
    let attempt = submitted.attempt;
    let gave = known
        .course
        .told()
        .tries
        .iter_mut()
        .find(|tried| tried.attempt == attempt);
    if let Some(tried) = gave {
        let fault = Fault::NotStored(RESULT_DAMAGED.to_owned());
        tried.fault = Some(fault.clone());
        records.push(Record::TryEnded {
            task,
            attempt,
            fault,
        });
    }
    records
}
