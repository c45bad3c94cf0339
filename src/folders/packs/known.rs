//! What lies in which pack, as far as it was not put elsewhere.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Range;

use bytes::Bytes;

use super::Key;

/// What is known of the packs of a folder.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Where each ZIP lies that was not put elsewhere; as many as wait to be settled, or put into `tasks/`.
    by_key: HashMap<Key, Place>,
    /// How many of them lie in each pack.
    live: HashMap<u64, usize>,
    /// Those of open and unsettled tasks that a damage took.
    lost: HashSet<Key>,
    last: u64,
    /// The pack that was read last: what lies there is asked for one after the other.
    pub read: Option<(u64, Bytes)>,
}

/// Where a ZIP lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub pack: u64,
    pub bytes: Range<usize>,
}

impl Known {
    /// A number that no pack has had.
    pub fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// A pack has this number.
    pub fn has_number(&mut self, pack: u64) {
        self.last = self.last.max(pack);
    }

    /// Where a ZIP lies.
    pub fn find(&self, key: Key) -> Option<Place> {
        self.by_key.get(&key).cloned()
    }

    /// All that lies in packs.
    pub fn keys(&self) -> impl Iterator<Item = Key> {
        self.by_key.keys().copied()
    }

    /// What lies in this one.
    pub fn keys_in(&self, pack: u64) -> Vec<Key> {
        let here = self.by_key.iter().filter(|(_, place)| place.pack == pack);
        here.map(|(key, _)| *key).collect()
    }

    /// Notes what lies in a pack; the packs in which nothing does, or nothing does any more.
    pub fn add(
        &mut self,
        pack: u64,
        zips: impl IntoIterator<Item = (Key, Range<usize>)>,
    ) -> Vec<u64> {
        let (mut count, mut older) = (0, Vec::new());
        for (key, bytes) in zips {
            let place = Place { pack, bytes };
            older.extend(self.by_key.insert(key, place).map(|place| place.pack));
            self.lost.remove(&key);
            count += 1;
        }
        if count == 0 {
            return vec![pack];
        }
        self.live.insert(pack, count);
        older.into_iter().filter(|pack| self.leave(*pack)).collect()
    }

    /// Was put elsewhere; the packs that are empty now.
    pub fn forget(&mut self, keys: &[Key]) -> HashSet<u64> {
        for key in keys {
            self.lost.remove(key);
        }
        self.leave_all(keys)
    }

    /// Was taken by a damage.
    pub fn lose(&mut self, keys: &BTreeSet<Key>) {
        self.leave_all(keys);
        self.lost.extend(keys);
    }

    /// Whether a damage took it.
    pub fn has_lost(&self, key: Key) -> bool {
        self.lost.contains(&key)
    }

    fn leave_all<'a>(&mut self, keys: impl IntoIterator<Item = &'a Key>) -> HashSet<u64> {
        let gone = keys.into_iter().filter_map(|key| self.by_key.remove(key));
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
