//! Seats that lie near one another, as some ranges that hold them all.
//!
//! Rule: however many seats there are, there are no more than some ranges. Where they would be too many, the narrowest gap
//! between two is closed: others may sit there, so whoever looks sees who it is.

use super::seats::Seat;

/// Ranges of one: parts of a group that are handed in one after the other sit in a row behind all others, or where those
/// sat that were forgotten last.
const RANGES_MAX: usize = 32;

/// The ranges, first and last seat of each: in their order, and none touches another.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Spans(Vec<(u32, u32)>);

impl Spans {
    /// One that holds every seat.
    pub fn everywhere() -> Self {
        Self(vec![(0, u32::MAX)])
    }

    /// One that holds what these hold, and no more; however many ranges that takes.
    pub fn of_all<'s>(spans: impl IntoIterator<Item = &'s Self>) -> Self {
        let ranges = spans.into_iter().flat_map(|spans| &spans.0);
        let mut ranges: Vec<_> = ranges.copied().collect();
        ranges.sort_unstable();
        ranges.dedup_by(|next, before| {
            let touches = next.0 <= before.1.saturating_add(1);
            if touches {
                before.1 = before.1.max(next.1);
            }
            touches
        });
        Self(ranges)
    }

    /// Holds this seat too.
    pub fn add(&mut self, seat: Seat) {
        let seat = seat.number();
        let ranges = &mut self.0;
        // Those that it lies in or touches become one with it.
        let from = ranges.partition_point(|(_, last)| last.saturating_add(1) < seat);
        let rest = ranges.get(from..).unwrap_or_default();
        let touched = rest.partition_point(|(first, _)| *first <= seat.saturating_add(1));
        let touched = rest.get(..touched).unwrap_or_default();
        let first = touched.first().map_or(seat, |(first, _)| seat.min(*first));
        let last = touched.last().map_or(seat, |(_, last)| seat.max(*last));
        let to = from + touched.len();
        ranges.splice(from..to, [(first, last)]);
        if ranges.len() > RANGES_MAX {
            self.close_narrowest();
        }
    }

    /// The first and the last seat of each range, in their order.
    pub fn ranges(self) -> impl Iterator<Item = (Seat, Seat)> {
        let seats = |(first, last)| (Seat::numbered(first), Seat::numbered(last));
        self.0.into_iter().map(seats)
    }

    fn close_narrowest(&mut self) {
        let pairs = self.0.iter().zip(self.0.iter().skip(1));
        let gaps = pairs.map(|((_, last), (first, _))| first - last);
        let narrowest = gaps.enumerate().min_by_key(|(_, gap)| *gap);
        if let Some((at, _)) = narrowest {
            let (_, last) = self.0.remove(at + 1);
            self.0[at].1 = last;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn spans(seats: impl IntoIterator<Item = u32>) -> Spans {
        let mut spans = Spans::default();
        let seats = seats.into_iter().map(Seat::numbered);
        seats.for_each(|seat| spans.add(seat));
        spans
    }

    fn held(spans: &Spans) -> BTreeSet<u32> {
        let ranges = spans.0.iter();
        ranges.flat_map(|(first, last)| *first..=*last).collect()
    }

    #[test]
    fn seats_in_a_row_are_one_range_in_whatever_order_they_come() {
        assert_eq!(spans(0..1000), Spans(vec![(0, 999)]));
        assert_eq!(spans((0..1000).rev()), Spans(vec![(0, 999)]));
        assert_eq!(spans([5, 7, 6, 9, 5]), Spans(vec![(5, 7), (9, 9)]));
        let ends = spans([u32::MAX, 0, u32::MAX]);
        assert_eq!(ends, Spans(vec![(0, 0), (u32::MAX, u32::MAX)]));
    }

    #[test]
    fn where_there_are_too_many_ranges_those_that_lie_nearest_become_one() {
        let far_apart = (0..RANGES_MAX as u32).map(|number| number * 100);
        let spans = spans(far_apart.chain([302]));
        assert_eq!(spans.0.len(), RANGES_MAX);
        assert!(spans.0.contains(&(300, 302)), "{spans:?}");
    }

    proptest! {
        /// Every seat is held, there are few ranges, and where there is room for all no other is.
        #[test]
        fn all_seats_are_held_and_where_they_are_few_no_other(seats in prop::collection::vec(0_u32..500, 0..200)) {
            let all: BTreeSet<u32> = seats.iter().copied().collect();
            let spans = spans(seats);
            prop_assert!(spans.0.len() <= RANGES_MAX);
            let touch = |pair: &[(u32, u32)]| pair[1].0 <= pair[0].1 + 1;
            prop_assert!(!spans.0.windows(2).any(touch), "{:?}", spans);
            let held = held(&spans);
            prop_assert!(held.is_superset(&all));
            if all.len() <= RANGES_MAX {
                prop_assert_eq!(held, all);
            }
        }

        #[test]
        fn what_several_hold_is_held_once(
            each in prop::collection::vec(prop::collection::vec(0_u32..300, 0..20), 0..5),
        ) {
            let all: BTreeSet<u32> = each.iter().flatten().copied().collect();
            let each: Vec<_> = each.into_iter().map(spans).collect();
            let together = Spans::of_all(&each);
            let count: usize = together.0.iter().map(|(first, last)| (last - first + 1) as usize).sum();
            prop_assert_eq!(count, all.len());
            prop_assert_eq!(held(&together), all);
        }
    }
}
