//! Many values in one row, each found by its key or by its seat: a number of four bytes that stays its own.
//!
//! Rule: the key lies in the value and nowhere else. Finding, adding and removing cost O(1), but for the moments at
//! which the table of seats grows.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash};

use hashbrown::HashTable;

/// Where a value sits; another may sit there once it is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Seat(u32);

impl Seat {
    /// The seat of this number.
    pub fn numbered(number: u32) -> Self {
        Self(number)
    }

    /// Its number; less than `u32::MAX`.
    pub fn number(self) -> u32 {
        self.0
    }

    /// Its place in a row that is kept beside, by index.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// What can have a seat.
pub trait Seated {
    /// By what it is found; it does not change while it sits.
    type Key: Hash + Eq + ?Sized;

    /// Its own.
    fn key(&self) -> &Self::Key;
}

/// Finds seats by keys that lie with the values.
#[derive(Debug, Default)]
pub struct Index {
    table: HashTable<Seat>,
    hasher: RandomState,
}

impl Index {
    /// How many seats it finds.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether it finds none.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// The seat of this key; `key_of` tells that of each.
    pub fn find<'k, K>(&self, key: &K, key_of: impl Fn(Seat) -> Option<&'k K>) -> Option<Seat>
    where
        K: Hash + Eq + ?Sized + 'k,
    {
        let is_it = |seat: &Seat| key_of(*seat) == Some(key);
        self.table.find(self.hasher.hash_one(key), is_it).copied()
    }

    /// Adds a seat whose key is not there yet.
    pub fn insert<'k, K>(&mut self, key: &K, seat: Seat, key_of: impl Fn(Seat) -> Option<&'k K>)
    where
        K: Hash + ?Sized + 'k,
    {
        let hasher = &self.hasher;
        let hash_of = |seat: &Seat| key_of(*seat).map_or(0, |key| hasher.hash_one(key));
        self.table
            .insert_unique(hasher.hash_one(key), seat, hash_of);
    }

    /// Makes room for so many more at once, for each table that is outgrown has all keys looked at again.
    pub fn reserve<'k, K>(&mut self, count: usize, key_of: impl Fn(Seat) -> Option<&'k K>)
    where
        K: Hash + ?Sized + 'k,
    {
        let hasher = &self.hasher;
        let hash_of = |seat: &Seat| key_of(*seat).map_or(0, |key| hasher.hash_one(key));
        self.table.reserve(count, hash_of);
    }

    /// Takes a seat with this key out.
    pub fn remove<K: Hash + ?Sized>(&mut self, key: &K, seat: Seat) {
        let hash = self.hasher.hash_one(key);
        if let Ok(found) = self.table.find_entry(hash, |other| *other == seat) {
            found.remove();
        }
    }
}

/// The values and their seats.
#[derive(Debug)]
pub struct Seats<T> {
    row: Vec<Option<T>>,
    free: Vec<Seat>,
    by_key: Index,
}

impl<T> Default for Seats<T> {
    fn default() -> Self {
        Self {
            row: Vec::new(),
            free: Vec::new(),
            by_key: Index::default(),
        }
    }
}

impl<T: Seated> Seats<T> {
    /// How many values there are.
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// Where the value of this key sits.
    pub fn find(&self, key: &T::Key) -> Option<Seat> {
        self.by_key.find(key, |seat| Some(self.at(seat)?.key()))
    }

    /// Who sits there.
    pub fn at(&self, seat: Seat) -> Option<&T> {
        self.row.get(seat.index())?.as_ref()
    }

    /// Who sits there, to change it.
    pub fn at_mut(&mut self, seat: Seat) -> Option<&mut T> {
        self.row.get_mut(seat.index())?.as_mut()
    }

    /// The value of this key.
    pub fn get(&self, key: &T::Key) -> Option<&T> {
        self.at(self.find(key)?)
    }

    /// The value of this key, to change it.
    pub fn get_mut(&mut self, key: &T::Key) -> Option<&mut T> {
        self.at_mut(self.find(key)?)
    }

    /// Gives the value a seat, in place of one with the same key; none when there are four billion.
    pub fn insert(&mut self, value: T) -> Option<Seat> {
        self.remove(value.key());
        let seat = match self.free.pop() {
            Some(seat) => seat,
            None => Seat(u32::try_from(self.row.len() + 1).ok()? - 1),
        };
        let row = &self.row;
        let key_of = |seat: Seat| Some(row.get(seat.index())?.as_ref()?.key());
        self.by_key.insert(value.key(), seat, key_of);
        match self.row.get_mut(seat.index()) {
            Some(place) => *place = Some(value),
            None => self.row.push(Some(value)),
        }
        Some(seat)
    }

    /// Makes room for so many more at once.
    pub fn reserve(&mut self, count: usize) {
        self.row.reserve(count);
        let row = &self.row;
        self.by_key
            .reserve(count, |seat| Some(row.get(seat.index())?.as_ref()?.key()));
    }

    /// Takes the value of this key out.
    pub fn remove(&mut self, key: &T::Key) -> Option<T> {
        let seat = self.find(key)?;
        self.by_key.remove(key, seat);
        self.free.push(seat);
        self.row.get_mut(seat.index())?.take()
    }

    /// All of them, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.row.iter().flatten()
    }

    /// The seats from this one on, taken or not, with who sits there.
    pub fn row_from(&self, seat: Seat) -> impl Iterator<Item = (Seat, Option<&T>)> {
        let row = self.row.get(seat.index()..).unwrap_or_default();
        let seats = (seat.number()..=u32::MAX).map(Seat);
        seats.zip(row.iter().map(Option::as_ref))
    }

    /// Those who sit on these seats and between them.
    pub fn between(&self, first: Seat, last: Seat) -> impl Iterator<Item = &T> {
        let end = last.index().saturating_add(1).min(self.row.len());
        let row = self.row.get(first.index()..end).unwrap_or_default();
        row.iter().flatten()
    }

    /// All seats that are taken.
    pub fn seats(&self) -> impl Iterator<Item = Seat> {
        let taken = |(seat, value): (u32, &Option<T>)| value.is_some().then_some(Seat(seat));
        (0..).zip(&self.row).filter_map(taken)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone, PartialEq)]
    struct Guest(u8, u8);

    impl Seated for Guest {
        type Key = u8;

        fn key(&self) -> &u8 {
            &self.0
        }
    }

    proptest! {
        #[test]
        fn it_holds_what_a_map_would_and_nobody_is_moved(
            orders in prop::collection::vec((0u8..3, 0u8..20, any::<u8>()), 0..200)
        ) {
            let (mut seats, mut map, mut sits) = (Seats::default(), HashMap::new(), HashMap::new());
            for (order, key, value) in orders {
                if order == 0 {
                    let gone = seats.remove(&key).map(|guest: Guest| guest.1);
                    prop_assert_eq!(gone, map.remove(&key));
                } else {
                    sits.insert(key, seats.insert(Guest(key, value)));
                    map.insert(key, value);
                }
                prop_assert_eq!(seats.len(), map.len());
                prop_assert_eq!(seats.iter().count(), map.len());
                for (key, value) in &map {
                    prop_assert_eq!(seats.get(key), Some(&Guest(*key, *value)));
                    prop_assert_eq!(seats.find(key), sits[key]);
                }
            }
            prop_assert!(seats.row.len() <= 20, "seats are used again");
        }
    }
}
