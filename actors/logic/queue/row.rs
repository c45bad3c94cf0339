//! Who stands where: the lanes of a queue, each a chain through one row of places.
//!
//! Rule: a place costs 16 bytes and belongs to a seat, so the row is as long as the ledger's. In a lane the places grow
//! from the first to the last; negative ones are those in front.

use crate::logic::seats::Seat;

/// One task's place; 0 while it does not wait.
#[derive(Debug, Clone, Copy, Default)]
struct Place {
    number: i64,
    before: Link,
    behind: Link,
}

/// The neighbour in the lane: its seat and 1, or 0 for none.
#[derive(Debug, Clone, Copy, Default)]
struct Link(u32);

impl Link {
    fn to(seat: Option<Seat>) -> Self {
        Self(seat.map_or(0, |seat| seat.number() + 1))
    }

    fn seat(self) -> Option<Seat> {
        self.0.checked_sub(1).map(Seat::numbered)
    }
}

/// The places of all who wait, by their seats.
#[derive(Debug, Default)]
pub(super) struct Places {
    row: Vec<Place>,
    taken: usize,
}

impl Places {
    /// How many wait.
    pub fn len(&self) -> usize {
        self.taken
    }

    /// The place of one who waits.
    pub fn of(&self, seat: Seat) -> Option<i64> {
        let place = self.row.get(seat.index())?;
        (place.number != 0).then_some(place.number)
    }

    /// Whether it waits.
    pub fn has(&self, seat: Seat) -> bool {
        self.of(seat).is_some()
    }

    /// It waits at this place, which is not 0; it has no neighbours yet.
    pub fn take(&mut self, seat: Seat, number: i64) {
        if self.row.len() <= seat.index() {
            self.row.resize(seat.index() + 1, Place::default());
        }
        if let Some(place) = self.row.get_mut(seat.index()) {
            place.number = number;
            self.taken += 1;
        }
    }

    /// It waits no longer.
    pub fn leave(&mut self, seat: Seat) {
        if let Some(place) = self.row.get_mut(seat.index()) {
            *place = Place::default();
            self.taken -= 1;
        }
    }

    fn before(&self, seat: Seat) -> Option<Seat> {
        self.row.get(seat.index())?.before.seat()
    }

    fn behind(&self, seat: Seat) -> Option<Seat> {
        self.row.get(seat.index())?.behind.seat()
    }

    fn set_before(&mut self, seat: Seat, before: Option<Seat>) {
        if let Some(place) = self.row.get_mut(seat.index()) {
            place.before = Link::to(before);
        }
    }

    fn set_behind(&mut self, seat: Seat, behind: Option<Seat>) {
        if let Some(place) = self.row.get_mut(seat.index()) {
            place.behind = Link::to(behind);
        }
    }
}

/// The tasks of one lane.
#[derive(Debug, Default)]
pub(super) struct Lane {
    /// What the policy said of it last.
    pub rank: i64,
    first: Option<Seat>,
    last: Option<Seat>,
    /// The last of those in front.
    last_front: Option<Seat>,
}

impl Lane {
    /// The place of the first, if there is one.
    pub fn first_place(&self, places: &Places) -> Option<i64> {
        places.of(self.first?)
    }

    /// Those who stand here, in order.
    pub fn seats<'p>(&self, places: &'p Places) -> impl Iterator<Item = Seat> + use<'p> {
        std::iter::successors(self.first, |seat| places.behind(*seat))
    }

    /// One comes whose place is behind that of everybody in its part, the front or the rest.
    pub fn add(&mut self, places: &mut Places, seat: Seat) {
        let is_front = places.of(seat).is_some_and(|place| place < 0);
        let before = if is_front { self.last_front } else { self.last };
        let behind = match before {
            Some(before) => places.behind(before),
            None => self.first,
        };
        self.join(places, before, Some(seat));
        self.join(places, Some(seat), behind);
        if is_front {
            self.last_front = Some(seat);
        }
    }

    /// One goes.
    pub fn remove(&mut self, places: &mut Places, seat: Seat) {
        let (before, behind) = (places.before(seat), places.behind(seat));
        if self.last_front == Some(seat) {
            self.last_front = before;
        }
        places.leave(seat);
        self.join(places, before, behind);
    }

    /// These two are neighbours; none stands for the lane's end.
    fn join(&mut self, places: &mut Places, before: Option<Seat>, behind: Option<Seat>) {
        match before {
            Some(before) => places.set_behind(before, behind),
            None => self.first = behind,
        }
        match behind {
            Some(behind) => places.set_before(behind, before),
            None => self.last = before,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_costs_16_bytes() {
        assert_eq!(size_of::<Place>(), 16);
    }
}
