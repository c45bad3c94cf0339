//! How many rows go into which part.

use std::num::{NonZeroU32, NonZeroU64};

use super::PARTS_MAX;
use super::table::CutError;

/// How a table is to be cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// So many rows a part; the last may have fewer.
    Rows(NonZeroU64),
    /// So many parts, of as equal rows as can be; fewer when there are not enough rows.
    Split(NonZeroU32),
}

/// How many rows each part has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// How many parts.
    pub parts: u32,
    /// Rows of most parts: of the later ones where not all have as many.
    each: u64,
    /// So many of the first parts have one more.
    longer: u64,
    /// Rows of the last part, where it is what was left.
    last: Option<u64>,
}

impl Cut {
    /// The parts of a table of so many rows, at least one.
    ///
    /// # Errors
    /// When there are too many.
    pub fn sizes(self, rows: u64) -> Result<Sizes, CutError> {
        let parts = match self {
            Self::Rows(each) => rows.div_ceil(each.get()),
            Self::Split(parts) => u64::from(parts.get()).min(rows),
        };
        let too_many = || CutError::ManyParts(parts);
        let count = u32::try_from(parts).map_err(|_| too_many())?;
        if count > PARTS_MAX {
            return Err(too_many());
        }
        Ok(match self {
            Self::Rows(each) => Sizes {
                parts: count,
                each: each.get(),
                longer: 0,
                last: Some(rows - (parts - 1) * each.get()),
            },
            Self::Split(_) => Sizes {
                parts: count,
                each: rows / parts,
                longer: rows % parts,
                last: None,
            },
        })
    }
}

impl Sizes {
    /// Rows of a part, from 0.
    pub fn of(self, part: u32) -> u64 {
        match self.last {
            Some(last) if part + 1 == self.parts => last,
            _ => self.each + u64::from(u64::from(part) < self.longer),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn more_parts_than_a_master_takes_are_refused() {
        let each = Cut::Rows(NonZeroU64::MIN);
        assert_eq!(each.sizes(1_000_000).unwrap().parts, PARTS_MAX);
        assert!(each.sizes(1_000_001).is_err() && each.sizes(u64::MAX).is_err());
        let split = Cut::Split(NonZeroU32::MAX);
        assert_eq!(split.sizes(3).unwrap().parts, 3);
        assert!(split.sizes(u64::MAX).is_err());
    }

    proptest! {
        #[test]
        fn the_parts_have_all_rows_and_as_equally_as_was_asked(rows in 1..5000_u64, asked in 1..300_u32) {
            let split = Cut::Split(NonZeroU32::new(asked).unwrap()).sizes(rows).unwrap();
            let sizes: Vec<_> = (0..split.parts).map(|part| split.of(part)).collect();
            prop_assert_eq!(sizes.iter().sum::<u64>(), rows);
            prop_assert!(sizes[0] - sizes[sizes.len() - 1] <= 1 && sizes.is_sorted_by(|a, b| a >= b));
            prop_assert_eq!(u64::from(split.parts), rows.min(asked.into()));

            let by_rows = Cut::Rows(NonZeroU64::new(asked.into()).unwrap()).sizes(rows).unwrap();
            let sizes: Vec<_> = (0..by_rows.parts).map(|part| by_rows.of(part)).collect();
            prop_assert_eq!(sizes.iter().sum::<u64>(), rows);
            prop_assert!(sizes[..sizes.len() - 1].iter().all(|size| *size == u64::from(asked)));
            prop_assert!(sizes.iter().all(|size| *size > 0));
        }
    }
}
