//! Damaged packs: what is whole in one goes into a new one, and it is set aside with a note of what is lost.

use std::path::Path;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use mutirao_actors::model::{Archive, TaskId};
use mutirao_actors::wire::scanner::ARCHIVE_MAX;

use super::{Damaged, Key, Packs, form};
use crate::disk::{DiskError, OnDisk as _, Volume, is_absent, publish};
use crate::folders::aside::make_room;

impl Packs {
    /// Takes a pack apart that does not hold what it should; of those of which only its lines tell, what is wanted is lost.
    ///
    /// # Errors
    /// Whatever the disk refuses; all of it may be tried again.
    pub(super) fn mend(
        &self,
        volume: &Volume,
        pack: u64,
        is_wanted: impl Fn(&Key) -> bool,
    ) -> Result<(), DiskError> {
        let _mending = self.mending.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.path(pack);
        let bytes = match volume.read(&path, ARCHIVE_MAX as u64) {
            // Another has mended it, or all that lay there was put elsewhere.
            Err(error) if is_absent(&error) => return Ok(()),
            contents => contents.on_disk("read", &path)?.bytes,
        };
        self.known().read = None;
        let found = form::read(&bytes);
        if !found.is_damaged {
            // It was read wrongly before, and is well.
            return Ok(());
        }
        let kept = self.known().keys_in(pack);
        let zip_of = |key: &Key| {
            let place = found.whole.get(key)?.clone();
            Some((key.0, Archive::new(bytes.slice(place))))
        };
        let whole: Vec<_> = kept.iter().filter_map(zip_of).collect();
        self.move_out(volume, pack, &whole)?;
        let known_only = found.lost.into_iter().filter(is_wanted);
        let lost = kept
            .into_iter()
            .filter(|key| !found.whole.contains_key(key));
        let lost = lost
            .chain(known_only)
            .filter(|key| !self.has_elsewhere(pack, *key));
        let damaged = Damaged {
            number: pack,
            whole: whole.len(),
            lost: lost.collect(),
        };
        self.known().lose(&damaged.lost);
        self.set_aside(volume, &path, bytes.len() as u64, &damaged)
    }

    fn has_elsewhere(&self, pack: u64, key: Key) -> bool {
        let place = self.known().find(key);
        place.is_some_and(|place| place.pack != pack)
    }

    /// Writes what is whole into a new pack, unless it was put elsewhere meanwhile.
    fn move_out(
        &self,
        volume: &Volume,
        from: u64,
        whole: &[(TaskId, Archive)],
    ) -> Result<(), DiskError> {
        if whole.is_empty() {
            return Ok(());
        }
        let zips: Vec<_> = whole.iter().map(|(task, zip)| (*task, zip)).collect();
        let (bytes, mut places) = form::pack(&zips);
        let pack = self.publish(volume, &bytes)?;
        let mut empty = {
            let mut known = self.known();
            let is_still_there = |key| known.find(key).is_some_and(|place| place.pack == from);
            places.retain(|(key, _)| is_still_there(*key));
            known.add(pack, places)
        };
        empty.retain(|pack| *pack != from);
        empty
            .into_iter()
            .try_for_each(|pack| volume.remove(&self.path(pack)))
    }

    /// Nothing is flushed: a pack that comes back with a power cut is set aside once more.
    fn set_aside(
        &self,
        volume: &Volume,
        path: &Path,
        size: u64,
        damaged: &Damaged,
    ) -> Result<(), DiskError> {
        make_room(volume, &self.aside, size)?;
        let name = publish::move_into(volume, &self.aside, path)?;
        self.set_aside.fetch_add(1, Ordering::Relaxed);
        let (said, lies) = (damaged.in_words(path), self.aside.join(&name));
        let note = damaged.note(&said);
        let noted =
            publish::publish_over(volume, &self.aside, &format!("{name}.txt"), note.as_bytes());
        match noted {
            Ok(()) => tracing::warn!(
                "{said}; what is whole was taken out of it, and it is kept as {}, with a note of what is lost",
                lies.display()
            ),
            Err(error) => tracing::warn!("{error}; the note would have said: {}", note.trim_end()),
        }
        Ok(())
    }

    /// What was set aside in this life, in words for a reader; none when nothing was.
    pub fn trouble(&self) -> Option<String> {
        let count = self.set_aside.load(Ordering::Relaxed);
        let packs = if count == 1 { "pack was" } else { "packs were" };
        (count > 0).then(|| {
            format!(
                "{count} {packs} damaged on the disk and set aside in {}, with notes of what is lost",
                self.aside.display()
            )
        })
    }

    /// Whether a damage took a ZIP.
    pub fn has_lost(&self, key: Key) -> bool {
        self.known().has_lost(key)
    }

    /// How packs are that were [learned](super::Learned) to be damaged, in words for a reader.
    pub fn in_words(&self, damaged: &[Damaged]) -> Vec<String> {
        let words = |damaged: &Damaged| damaged.in_words(&self.path(damaged.number));
        damaged.iter().map(words).collect()
    }
}

impl Damaged {
    fn in_words(&self, path: &Path) -> String {
        let (path, whole, lost) = (path.display(), self.whole, self.lost.len());
        format!("{path} is damaged: ZIPs in it that are whole: {whole}, that are lost: {lost}")
    }

    fn note(&self, said: &str) -> String {
        let lines = self.lost.iter().map(|(task, sha256)| {
            format!("lost: a ZIP of the task {task}, with the SHA-256 {sha256}\n")
        });
        let lost: String = lines.collect();
        format!("{said}\n{lost}")
    }
}
