//! A pack as bytes: a line that lists its ZIPs, and each ZIP behind a line of its own that tells the same of it.
//!
//! Rule: a ZIP is found by either line, so that damage of one costs nothing; and it is believed by its digest alone.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use bytes::Bytes;
use memchr::memmem;
use mutirao_actors::model::{Archive, Digest, TaskId};
use serde::{Deserialize, Serialize};

use super::{Key, LIGHT_MAX};

/// A line of an entry begins with this.
const BEGINS: &[u8] = b"{\"task\":\"";
/// Longest line of an entry, in bytes: an id, a digest and a number take 150.
const LINE_MAX: usize = 256;

/// What a line tells of a ZIP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    task: TaskId,
    sha256: Digest,
    size: usize,
}

/// What is found in a pack.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Where each ZIP lies whose bytes are those that were written.
    pub whole: BTreeMap<Key, Range<usize>>,
    /// Those of which a line tells and whose bytes are gone or others.
    pub lost: BTreeSet<Key>,
    /// Whether anything is not as it was written.
    pub is_damaged: bool,
}

/// A pack of these, and where each lies in it.
pub(super) fn pack(zips: &[(TaskId, &Archive)]) -> (Vec<u8>, Vec<(Key, Range<usize>)>) {
    let entries: Vec<_> = zips.iter().map(Entry::of).collect();
    let (mut bytes, mut places) = (line_of(&entries), Vec::new());
    for (entry, (_, archive)) in entries.iter().zip(zips) {
        bytes.extend_from_slice(&line_of(entry));
        let begin = bytes.len();
        bytes.extend_from_slice(archive.bytes());
        places.push((entry.key(), begin..bytes.len()));
    }
    (bytes, places)
}

/// Finds every ZIP that is whole, wherever damage has left it.
pub(super) fn read(bytes: &[u8]) -> Found {
    let mut found = Found::default();
    let end = listed(bytes, |entry, place| {
        let is_whole = found.judge(bytes, entry, place);
        found.is_damaged |= !is_whole;
    });
    found.is_damaged |= end != Some(bytes.len());
    if found.is_damaged {
        search(bytes, &mut found);
    }
    let Found { whole, lost, .. } = &mut found;
    lost.retain(|key| !whole.contains_key(key));
    found
}

/// What lies there, if it is the ZIP that should.
pub(super) fn zip_at(bytes: &Bytes, place: Range<usize>, (_, sha256): Key) -> Option<Archive> {
    let is_there = place.start <= place.end && place.end <= bytes.len();
    let archive = is_there.then(|| Archive::new(bytes.slice(place)));
    archive.filter(|archive| archive.digest() == sha256)
}

/// Goes through the entries of the first line; where the last of them ends, if every line is as it was
/// written.
fn listed(bytes: &[u8], mut see: impl FnMut(&Entry, Range<usize>)) -> Option<usize> {
    let end = memchr::memchr(b'\n', bytes)?;
    let line = bytes.get(..=end)?;
    let entries: Vec<Entry> = serde_json::from_slice(line).ok()?;
    let (mut at, mut is_as_written) = (end + 1, line == line_of(&entries));
    for entry in &entries {
        let line = line_of(entry);
        is_as_written &= bytes.get(at..).is_some_and(|rest| rest.starts_with(&line));
        let begin = at.saturating_add(line.len());
        at = begin.saturating_add(entry.size);
        see(entry, begin..at);
    }
    is_as_written.then_some(at)
}

/// Looks for the lines of entries, behind what is whole.
fn search(bytes: &[u8], found: &mut Found) {
    let begins = memmem::Finder::new(BEGINS);
    let mut from = 0;
    while let Some(at) = bytes.get(from..).and_then(|rest| begins.find(rest)) {
        let at = from + at;
        from = at + BEGINS.len();
        if let Some((entry, place)) = entry_at(bytes, at) {
            let end = place.end;
            if found.judge(bytes, &entry, place) {
                from = end;
            }
        }
    }
}

fn entry_at(bytes: &[u8], at: usize) -> Option<(Entry, Range<usize>)> {
    let rest = bytes.get(at..)?;
    let rest = rest.get(..LINE_MAX).unwrap_or(rest);
    let end = memchr::memchr(b'\n', rest)?;
    let entry: Entry = serde_json::from_slice(rest.get(..end)?).ok()?;
    let begin = at + end + 1;
    let place = begin..begin.saturating_add(entry.size);
    Some((entry, place))
}

impl Entry {
    fn of((task, archive): &(TaskId, &Archive)) -> Self {
        Self {
            task: *task,
            sha256: archive.digest(),
            size: archive.bytes().len(),
        }
    }

    fn key(&self) -> Key {
        (self.task, self.sha256)
    }
}

impl Found {
    /// Whether the bytes there are those that an entry tells of.
    fn judge(&mut self, bytes: &[u8], entry: &Entry, place: Range<usize>) -> bool {
        let key = entry.key();
        // Nobody packed a longer one, and damage must not have us hash without end.
        let zip = bytes
            .get(place.clone())
            .filter(|zip| zip.len() <= LIGHT_MAX);
        let is_whole = zip.is_some_and(|zip| Digest::of(zip) == entry.sha256);
        match is_whole {
            true => drop(self.whole.insert(key, place)),
            false => drop(self.lost.insert(key)),
        }
        is_whole
    }
}

fn line_of<T: Serialize>(told: &T) -> Vec<u8> {
    // Ids, digests and numbers always have a form in JSON.
    let mut line = serde_json::to_vec(told).unwrap_or_default();
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zips() -> Vec<(TaskId, Archive)> {
        let texts = ["one", "{\"task\":\"two", "", "four\n[]\n"];
        let zip = |text: &&'static str| (TaskId::new(), Archive::new(text.as_bytes()));
        texts.iter().map(zip).collect()
    }

    fn packed(zips: &[(TaskId, Archive)]) -> Vec<u8> {
        let zips: Vec<_> = zips
            .iter()
            .map(|(task, archive)| (*task, archive))
            .collect();
        pack(&zips).0
    }

    /// What is whole, with its bytes, which are those that were written.
    fn whole(bytes: &[u8], zips: &[(TaskId, Archive)]) -> usize {
        let found = read(bytes);
        for ((task, sha256), place) in &found.whole {
            let written = zips
                .iter()
                .find(|(id, archive)| id == task && archive.digest() == *sha256);
            // A line that damage has made another's tells of nobody.
            if let Some((_, archive)) = written {
                assert_eq!(bytes[place.clone()], **archive.bytes());
            }
        }
        let is_whole = |(task, archive): &&(TaskId, Archive)| {
            found.whole.contains_key(&(*task, archive.digest()))
        };
        zips.iter().filter(is_whole).count()
    }

    #[test]
    fn what_was_packed_is_found_and_nothing_is_missing() {
        let zips = zips();
        let bytes = packed(&zips);
        assert_eq!(whole(&bytes, &zips), zips.len());
        let found = read(&bytes);
        assert!(!found.is_damaged && found.lost.is_empty());
    }

    #[test]
    fn a_flipped_bit_costs_the_zip_that_it_is_in_and_no_other() {
        let zips = zips();
        let sound = packed(&zips);
        let ours = read(&sound).whole;
        for at in 0..sound.len() {
            for bit in 0..8 {
                let mut bytes = sound.clone();
                bytes[at] ^= 1 << bit;
                let found = read(&bytes);
                assert!(found.is_damaged, "byte {at}, bit {bit}");
                for (key, place) in &ours {
                    let is_whole = found.whole.contains_key(key);
                    assert_eq!(is_whole, !place.contains(&at), "byte {at}, bit {bit}");
                    assert!(is_whole || found.lost.contains(key));
                }
            }
        }
    }

    #[test]
    fn what_lies_before_a_cut_and_behind_a_hole_is_found() {
        let zips = zips();
        let sound = packed(&zips);
        let ours = read(&sound).whole;
        for at in 0..sound.len() {
            let before = ours.values().filter(|place| place.end <= at).count();
            assert_eq!(whole(&sound[..at], &zips), before, "cut at {at}");
            let mut holed = sound.clone();
            holed[..at].fill(0);
            // Behind it both lines of a ZIP may be gone, the first of all and its own.
            let behind = ours
                .values()
                .filter(|place| place.start >= at + LINE_MAX)
                .count();
            assert!(whole(&holed, &zips) >= behind, "zeros up to {at}");
            assert!(at == 0 || read(&holed).is_damaged);
        }
    }

    #[test]
    fn what_was_put_before_or_behind_hides_nothing_and_is_told() {
        let zips = zips();
        let sound = packed(&zips);
        for garbage in [&b"\n"[..], b"[]\n", b"{\"task\":\"", &[0xff; 5000]] {
            let (before, behind) = ([garbage, &sound].concat(), [&sound, garbage].concat());
            for bytes in [before, behind] {
                assert_eq!(whole(&bytes, &zips), zips.len());
                assert!(read(&bytes).is_damaged);
            }
        }
        assert!(read(b"").is_damaged && read(b"\n").is_damaged);
    }
}
