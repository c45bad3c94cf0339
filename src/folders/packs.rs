//! Small ZIPs that were taken together, results or tasks, in one file: each of its own would cost a flush of its own.
//!
//! Rule: a pack appears whole or not at all, and is never changed. It goes when all that lie in it were put elsewhere;
//! until then a crash changes nothing. Its first line is JSON and tells whose bytes follow: `docs/store.md` has the form.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use mutirao_actors::model::{Archive, Digest, TaskId};
use mutirao_actors::wire::scanner::ARCHIVE_MAX;
use serde::{Deserialize, Serialize};

use crate::disk::{DiskError, OnDisk as _, Volume, is_no_folder, publish};

/// The longest ZIP that is packed, in bytes: what is longer is worth a file of its own, which is moved to its place
/// where a packed one is copied.
pub(super) const LIGHT_MAX: usize = 64 << 10;
/// Most ZIPs in a pack; with [`LIGHT_MAX`] it bounds what reading one takes to 16 MB.
pub(super) const BATCH_MAX: usize = 256;
/// Their names begin with this.
const PREFIX: &str = "pack-";

/// Of which task, and of which bytes: of a task there is its own ZIP, and it may have handed in several results.
pub(crate) type Key = (TaskId, Digest);

/// All packs of a folder.
#[derive(Debug)]
pub(crate) struct Packs {
    folder: PathBuf,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// Where each ZIP lies that was not put elsewhere; as many as wait to be settled, or put into `tasks/`.
    by_key: HashMap<Key, Place>,
    /// How many of them lie in each pack.
    live: HashMap<u64, usize>,
    last: u64,
    /// The pack that was read last: what lies there is asked for one after the other.
    read: Option<(u64, Bytes)>,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    pack: u64,
    at: usize,
    length: usize,
}

/// One entry of a pack's first line.
#[derive(Debug, Serialize, Deserialize)]
struct Packed {
    task: TaskId,
    sha256: Digest,
    size: usize,
}

impl Packs {
    /// Those in this folder; none are known before [`open`](Self::open).
    pub fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            known: Mutex::default(),
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
        let entries = zips.iter().map(|(task, archive)| Packed {
            task: *task,
            sha256: archive.digest(),
            size: archive.bytes().len(),
        });
        let entries: Vec<_> = entries.collect();
        let mut bytes = index_of(&entries);
        for (_, archive) in zips {
            bytes.extend_from_slice(archive.bytes());
        }
        let pack = {
            let mut known = self.known();
            known.last += 1;
            known.last
        };
        let name = format!("{PREFIX}{pack}");
        publish::publish_over(volume, &self.folder, &name, &bytes)?;
        let empty = self.known().add(pack, &bytes);
        // What stays of an older try of the same ZIPs goes with the next start.
        empty
            .into_iter()
            .try_for_each(|pack| volume.remove(&self.path(pack)))
    }

    /// A ZIP that lies in a pack; none when it lies in none, or not as it was written.
    ///
    /// # Errors
    /// Whatever the disk refuses.
    pub fn read(&self, volume: &Volume, key: Key) -> Result<Option<Archive>, DiskError> {
        let Some(place) = self.known().by_key.get(&key).copied() else {
            return Ok(None);
        };
        let bytes = self.read_pack(volume, place.pack)?;
        let end = place.at.saturating_add(place.length);
        let is_there = place.at <= end && end <= bytes.len();
        let archive = is_there.then(|| Archive::new(bytes.slice(place.at..end)));
        Ok(archive.filter(|archive| archive.digest() == key.1))
    }

    fn read_pack(&self, volume: &Volume, pack: u64) -> Result<Bytes, DiskError> {
        if let Some((read, bytes)) = &self.known().read
            && *read == pack
        {
            return Ok(bytes.clone());
        }
        let path = self.path(pack);
        let contents = volume.read(&path, ARCHIVE_MAX as u64);
        let bytes = Bytes::from(contents.on_disk("read", &path)?.bytes);
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

    /// Learns what lies in the packs that are there; gives those in which nothing does.
    ///
    /// # Errors
    /// Whatever the disk refuses.
    pub fn learn(&self, volume: &Volume) -> Result<Vec<u64>, DiskError> {
        let mut empty = Vec::new();
        for pack in self.numbers(volume)? {
            let bytes = self.read_pack(volume, pack)?;
            let mut known = self.known();
            known.last = known.last.max(pack);
            empty.extend(known.add(pack, &bytes));
        }
        Ok(empty)
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
        for pack in self.learn(volume)? {
            volume.remove(&self.path(pack))?;
        }
        let keys: Vec<_> = self.known().by_key.keys().copied().collect();
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

impl Known {
    /// Notes what lies in a pack; the packs in which nothing does, or nothing does any more.
    fn add(&mut self, pack: u64, bytes: &[u8]) -> Vec<u64> {
        let places = places(pack, bytes);
        if places.is_empty() {
            return vec![pack];
        }
        self.live.insert(pack, places.len());
        let older = places
            .into_iter()
            .filter_map(|(key, place)| self.by_key.insert(key, place));
        let older: Vec<_> = older.map(|place| place.pack).collect();
        older.into_iter().filter(|pack| self.leave(*pack)).collect()
    }

    /// The packs that are empty now.
    fn forget(&mut self, keys: &[Key]) -> HashSet<u64> {
        let gone = keys.iter().filter_map(|key| self.by_key.remove(key));
        let packs: Vec<_> = gone.map(|place| place.pack).collect();
        packs.into_iter().filter(|pack| self.leave(*pack)).collect()
    }

    /// One less lies there; whether it was the last.
    fn leave(&mut self, pack: u64) -> bool {
        let Some(live) = self.live.get_mut(&pack) else {
            return false;
        };
        *live -= 1;
        let is_empty = *live == 0;
        if is_empty {
            self.live.remove(&pack);
            self.read.take_if(|(read, _)| *read == pack);
        }
        is_empty
    }
}

/// Whether a file among the payloads is a pack.
pub(super) fn is_pack(name: &OsStr) -> bool {
    number_of(name).is_some()
}

fn number_of(name: &OsStr) -> Option<u64> {
    name.to_str()?.strip_prefix(PREFIX)?.parse().ok()
}

fn index_of(entries: &[Packed]) -> Vec<u8> {
    // Ids, digests and numbers always have a form in JSON.
    let mut line = serde_json::to_vec(entries).unwrap_or_default();
    line.push(b'\n');
    line
}

/// What lies in a pack; nothing when it is none of ours, which only a damaged disk makes of it.
fn places(pack: u64, bytes: &[u8]) -> Vec<(Key, Place)> {
    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
        return Vec::new();
    };
    let line = bytes.get(..end).unwrap_or_default();
    let entries: Vec<Packed> = serde_json::from_slice(line).unwrap_or_default();
    let mut at = end + 1;
    let place = |entry: Packed| {
        let place = Place {
            pack,
            at,
            length: entry.size,
        };
        at = at.saturating_add(entry.size);
        ((entry.task, entry.sha256), place)
    };
    entries.into_iter().map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Bench {
        _temp: tempfile::TempDir,
        volume: Volume,
        folder: PathBuf,
    }

    impl Bench {
        fn new() -> Self {
            let temp = tempfile::tempdir().unwrap();
            let folder = temp.path().join("payloads");
            Self {
                _temp: temp,
                volume: Volume::real(),
                folder,
            }
        }

        fn open(&self, wanted: &[Key]) -> (Packs, Vec<Key>, Vec<Archive>) {
            let (packs, mut saved) = (Packs::new(self.folder.clone()), Vec::new());
            let is_wanted = |key| wanted.contains(&key);
            let save = |_, archive| {
                saved.push(archive);
                Ok(())
            };
            let found = packs.open(&self.volume, is_wanted, save).unwrap();
            (packs, found, saved)
        }

        fn files(&self) -> usize {
            std::fs::read_dir(&self.folder).map_or(0, |names| names.count())
        }
    }

    fn result(text: &'static str) -> (TaskId, Archive) {
        (TaskId::new(), Archive::new(text.as_bytes()))
    }

    fn key((task, archive): &(TaskId, Archive)) -> Key {
        (*task, archive.digest())
    }

    #[test]
    fn a_pack_goes_when_the_last_of_its_results_is_forgotten() {
        let (bench, one, two) = (Bench::new(), result("1"), result("22"));
        let (packs, ..) = bench.open(&[]);
        packs
            .pack(&bench.volume, &[(one.0, &one.1), (two.0, &two.1)])
            .unwrap();
        for each in [&one, &two, &one] {
            let read = packs.read(&bench.volume, key(each)).unwrap();
            assert_eq!(read.as_ref(), Some(&each.1));
        }
        packs.forget(&bench.volume, &[key(&one)]);
        assert_eq!(packs.read(&bench.volume, key(&one)).unwrap(), None);
        assert_eq!(bench.files(), 1);
        packs.forget(&bench.volume, &[key(&one)]);
        packs.forget(&bench.volume, &[key(&two)]);
        assert_eq!(bench.files(), 0);
        assert_eq!(packs.read(&bench.volume, key(&two)).unwrap(), None);
    }

    #[test]
    fn the_next_life_finds_what_it_wants_and_clears_away_the_rest() {
        let (bench, one, two) = (Bench::new(), result("1"), result("22"));
        let (packs, ..) = bench.open(&[]);
        packs
            .pack(&bench.volume, &[(one.0, &one.1), (two.0, &two.1)])
            .unwrap();
        let (packs, found, saved) = bench.open(&[key(&two)]);
        assert_eq!((found, saved), (vec![key(&two)], vec![one.1]));
        let read = packs.read(&bench.volume, key(&two)).unwrap();
        assert_eq!(read, Some(two.1.clone()));
        let other = result("333");
        packs.pack(&bench.volume, &[(other.0, &other.1)]).unwrap();
        assert_eq!(
            bench.files(),
            2,
            "a new pack is not written over an old one"
        );
        let (_, found, saved) = bench.open(&[]);
        assert!(found.is_empty());
        assert_eq!(
            saved.len(),
            3,
            "also what was forgotten while others lay there"
        );
        assert_eq!(bench.files(), 0);
    }

    #[test]
    fn what_is_damaged_is_not_given_out() {
        let (bench, one) = (Bench::new(), result("1"));
        let (packs, ..) = bench.open(&[]);
        packs.pack(&bench.volume, &[(one.0, &one.1)]).unwrap();
        let path = bench.folder.join("pack-1");
        let mut bytes = std::fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(packs.read(&bench.volume, key(&one)).unwrap(), None);
        for length in 0..bytes.len() {
            std::fs::write(&path, &bytes[..length]).unwrap();
            let (packs, ..) = bench.open(&[key(&one)]);
            assert_eq!(packs.read(&bench.volume, key(&one)).unwrap(), None);
        }
    }
}
