//! Chance from a printed seed (SplitMix64, Steele, Lea and Flood 2014), so that a run can be had again as far as real
//! processes allow.

use std::time::Duration;

/// A stream of numbers.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The stream of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// One of `0..end`; 0 when there is none.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next().checked_rem(end).unwrap_or_default()
    }

    /// A time in milliseconds from `first` up to, not including, `end`.
    pub fn millis(&mut self, first: u64, end: u64) -> Duration {
        Duration::from_millis(first + self.below(end.saturating_sub(first)))
    }

    /// So many bytes that no compression makes smaller.
    pub fn noise(&mut self, bytes: usize) -> Vec<u8> {
        let words = bytes.div_ceil(8);
        let noise = (0..words).flat_map(|_| self.next().to_le_bytes());
        noise.take(bytes).collect()
    }
}
