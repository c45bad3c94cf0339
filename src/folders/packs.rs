//! Small ZIPs that were taken together, results or tasks, in one file: each of its own would cost a flush of its own.
//!
//! Rule: a pack appears whole or not at all, and is never changed. It goes when all that lie in it were put elsewhere;
//! until then a crash changes nothing. One that a disk has damaged is never removed: what is whole in it goes into a new
//! pack, and it is set aside. `docs/store.md` has the form.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::sync::atomic::AtomicUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use mutirao_actors::model::{Archive, Digest, Stamp, TaskId};
use mutirao_actors::wire::scanner::ARCHIVE_MAX;

use self::known::Known;
use crate::disk::{DiskError, OnDisk as _, Volume, is_no_folder, publish};

mod form;
mod known;
mod mend;

/// The longest ZIP that is packed, in bytes: what is longer is worth a file of its own, which is moved to its place
/// where a packed one is copied.
pub(super) const LIGHT_MAX: usize = 64 << 10;
/// Most ZIPs in a pack; with [`LIGHT_MAX`] it bounds what reading one takes to 16 MB.
pub(super) const BATCH_MAX: usize = 256;
/// The stamp of what lies in a pack: no file has it.
pub(super) const PACKED: Stamp = Stamp {
    size: 0,
    modified: (0, 0),
    changed: (0, 0),
    inode: 0,
};
/// Their names begin with this.
const PREFIX: &str = "pack-";

/// Of which task, and of which bytes: of a task there is its own ZIP, and it may have handed in several results.
pub(crate) type Key = (TaskId, Digest);

/// All packs of a folder.
#[derive(Debug)]
pub(crate) struct Packs {
    folder: PathBuf,
    /// Where damaged ones are set aside.
    aside: PathBuf,
    known: Mutex<Known>,
    /// Held while a damaged one is taken apart.
    mending: Mutex<()>,
    /// How many were set aside in this life.
    set_aside: AtomicUsize,
}

/// A pack that is not as it was written.
#[derive(Debug)]
pub(crate) struct Damaged {
    number: u64,
    /// ZIPs in it that are whole.
    whole: usize,
    /// ZIPs in it of which a line tells, and that are not.
    lost: BTreeSet<Key>,
}

/// What was found in a folder.
#[derive(Debug, Default)]
pub(crate) struct Learned {
    /// Those in which nothing lies that is in no later one.
    empty: Vec<u64>,
    /// Those that a disk has damaged.
    pub damaged: Vec<Damaged>,
}

impl Packs {
    /// Those in this folder, and where damaged ones go; none are known before [`open`](Self::open).
    pub fn new(folder: PathBuf, aside: PathBuf) -> Self {
        Self {
            folder,
            aside,
            known: Mutex::default(),
            mending: Mutex::default(),
            set_aside: AtomicUsize::new(0),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, pack: u64) -> PathBuf {
        self.folder.join(format!("{PREFIX}{pack}"))
    }

    /// Writes these ZIPs where no crash loses them.
    ///
    /// # Errors
    /// Whatever the disk refuses; then none of them is kept for certain.
    pub fn pack(&self, volume: &Volume, zips: &[(TaskId, &Archive)]) -> Result<(), DiskError> {
        let (bytes, places) = form::pack(zips);
        let pack = self.publish(volume, &bytes)?;
        let empty = self.known().add(pack, places);
        // What stays of an older try of the same ZIPs goes with the next start.
        empty
            .into_iter()
            .try_for_each(|pack| volume.remove(&self.path(pack)))
    }

    /// Writes a new pack, and gives its number.
    fn publish(&self, volume: &Volume, bytes: &[u8]) -> Result<u64, DiskError> {
        let pack = self.known().next();
        publish::publish_over(volume, &self.folder, &format!("{PREFIX}{pack}"), bytes)?;
        Ok(pack)
    }

    /// A ZIP that lies in a pack; none when it lies in none, or a damage took it.
    ///
    /// # Errors
    /// Whatever the disk refuses.
    pub fn read(&self, volume: &Volume, key: Key) -> Result<Option<Archive>, DiskError> {
        let Some(place) = self.known().find(key) else {
            return Ok(None);
        };
        let bytes = self.read_pack(volume, place.pack)?;
        if let Some(archive) = form::zip_at(&bytes, place.bytes, key) {
            return Ok(Some(archive));
        }
        self.mend(volume, place.pack, |_| false)?;
        let Some(place) = self.known().find(key) else {
            return Ok(None);
        };
        let bytes = self.read_pack(volume, place.pack)?;
        Ok(form::zip_at(&bytes, place.bytes, key))
    }

    fn read_pack(&self, volume: &Volume, pack: u64) -> Result<Bytes, DiskError> {
        if let Some((read, bytes)) = &self.known().read
            && *read == pack
        {
            return Ok(bytes.clone());
        }
        let path = self.path(pack);
        let contents = volume.read(&path, ARCHIVE_MAX as u64);
        let bytes = contents.on_disk("read", &path)?.bytes;
        self.known().read = Some((pack, bytes.clone()));
        Ok(bytes)
    }

    /// ZIPs that were put elsewhere, and have lasting names there; packs that hold no others are removed. One that the disk
    /// does not remove is said, and goes with the next start.
    pub fn forget(&self, volume: &Volume, keys: &[Key]) {
        let empty = self.known().forget(keys);
        for pack in empty {
            if let Err(error) = volume.remove(&self.path(pack)) {
                tracing::warn!("{error}; it is tried again at the next start");
            }
        }
    }

    /// Learns what lies in the packs that are there, and changes nothing.
    ///
    /// # Errors
    /// Whatever the disk refuses.
    pub fn learn(&self, volume: &Volume) -> Result<Learned, DiskError> {
        let mut learned = Learned::default();
        for number in self.numbers(volume)? {
            let found = form::read(&self.read_pack(volume, number)?);
            let whole = found.whole.len();
            let mut known = self.known();
            known.has_number(number);
            let empty = known.add(number, found.whole);
            learned.empty.extend(empty);
            if found.is_damaged {
                learned.damaged.push(Damaged {
                    number,
                    whole,
                    lost: found.lost,
                });
            }
        }
        let is_damaged = |pack: &u64| {
            learned
                .damaged
                .iter()
                .any(|damaged| damaged.number == *pack)
        };
        learned.empty.retain(|pack| !is_damaged(pack));
        Ok(learned)
    }

    /// Whether a ZIP lies in a pack, as far as is known.
    pub fn has(&self, key: Key) -> bool {
        self.known().find(key).is_some()
    }

    /// Learns what earlier lives left, and clears away what nobody wants once `unwanted` has had the chance to save it.
    /// Says what it found that is wanted.
    ///
    /// # Errors
    /// Whatever the disk refuses.
    pub fn open(
        &self,
        volume: &Volume,
        is_wanted: impl Fn(Key) -> bool,
        mut unwanted: impl FnMut(Key, Archive) -> Result<(), DiskError>,
    ) -> Result<Vec<Key>, DiskError> {
        // It may have been begun before, and then stopped half-way.
        *self.known() = Known::default();
        let learned = self.learn(volume)?;
        for pack in learned.empty {
            volume.remove(&self.path(pack))?;
        }
        for damaged in learned.damaged {
            self.mend(volume, damaged.number, |key| is_wanted(*key))?;
        }
        let keys: Vec<_> = self.known().keys().collect();
        let (wanted, rest): (Vec<_>, Vec<_>) = keys.into_iter().partition(|key| is_wanted(*key));
        for key in &rest {
            if let Some(archive) = self.read(volume, *key)? {
                unwanted(*key, archive)?;
            }
        }
        self.forget(volume, &rest);
        Ok(wanted)
    }

    fn numbers(&self, volume: &Volume) -> Result<Vec<u64>, DiskError> {
        let names = match volume.list(&self.folder) {
            Err(error) if is_no_folder(&error) => return Ok(Vec::new()),
            names => names.on_disk("list", &self.folder)?,
        };
        let mut numbers = Vec::new();
        for name in names {
            let name = name.on_disk("list", &self.folder)?;
            numbers.extend(number_of(&name));
        }
        Ok(numbers)
    }
}

/// Whether a file among the payloads is a pack.
pub(super) fn is_pack(name: &OsStr) -> bool {
    number_of(name).is_some()
}

fn number_of(name: &OsStr) -> Option<u64> {
    name.to_str()?.strip_prefix(PREFIX)?.parse().ok()
}

#[cfg(test)]
mod tests;
