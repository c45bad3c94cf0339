//! Chance that comes from the seed alone.
//!
//! Rule: whoever needs chance forks dice of its own by a name, so that one more throw somewhere changes nothing elsewhere.

use std::ops::Range;
use std::time::Duration;

/// Where FNV-1a begins.
const FNV_BASIS: u64 = 0xcbf2_9ce4_8422_2325;

/// SplitMix64 (Steele, Lea and Flood 2014): chance enough to draw faults, and the same for the same seed.
#[derive(Debug, Clone)]
pub struct Dice(u64);

/// FNV-1a, gone on with: the standard hasher is not promised to be the same in the next release.
pub fn fnv(hash: u64, text: &str) -> u64 {
    text.bytes().fold(hash, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

impl Dice {
    /// The dice of a seed.
    pub fn of(seed: u64) -> Self {
        Self(seed)
    }

    /// Other dice, told apart by a name.
    pub fn fork(&self, name: &str) -> Self {
        let mut forked = Self(self.0 ^ fnv(FNV_BASIS, name));
        forked.throw();
        forked
    }

    /// Any number.
    pub fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below this one; zero if there is none.
    pub fn below(&mut self, end: u64) -> u64 {
        self.throw().checked_rem(end).unwrap_or(0)
    }

    /// A place in something of this length; zero if it is empty.
    pub fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or(0)
    }

    /// True this often in a hundred throws.
    pub fn percent(&mut self, often: u64) -> bool {
        self.below(100) < often
    }

    /// A time in this range of milliseconds.
    pub fn millis(&mut self, range: Range<u64>) -> Duration {
        let span = range.end.saturating_sub(range.start);
        Duration::from_millis(range.start + self.below(span))
    }

    /// So many bytes that no compression makes smaller.
    pub fn noise(&mut self, bytes: usize) -> Vec<u8> {
        let words = bytes.div_ceil(8);
        let noise = (0..words).flat_map(|_| self.throw().to_le_bytes());
        noise.take(bytes).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_throws_the_same_and_a_fork_goes_its_own_way() {
        let mut one = Dice::of(7);
        let mut again = Dice::of(7);
        let mut forked = one.fork("disk");
        assert_eq!(one.throw(), again.throw());
        let thrown = forked.throw();
        assert_eq!(Dice::of(7).fork("disk").throw(), thrown);
        assert_ne!(Dice::of(7).fork("net").throw(), thrown);
        assert_ne!(Dice::of(8).fork("disk").throw(), thrown);
        assert!((0..1000).all(|_| one.below(3) < 3));
    }
}
