//! The checksums of SQLite's log.
//!
//! Rule: a sum goes on with that of what lies before, so a frame fits only behind the one it was written behind.

/// A sum of SQLite's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sum(u32, u32);

/// The order of bytes in which sums are made: whether it is big-endian.
#[derive(Debug, Clone, Copy)]
pub struct Order(pub bool);

/// Everything else in a log is big-endian.
pub const STORED: Order = Order(true);

impl Order {
    /// The number that stands in four bytes.
    pub fn number(self, bytes: &[u8]) -> u32 {
        let bytes = bytes.try_into().unwrap_or_default();
        if self.0 {
            u32::from_be_bytes(bytes)
        } else {
            u32::from_le_bytes(bytes)
        }
    }

    /// The sum that stands in eight bytes.
    pub fn read(self, bytes: &[u8]) -> Sum {
        let (first, second) = bytes.split_at(bytes.len() / 2);
        Sum(self.number(first), self.number(second))
    }

    /// The sum of these bytes behind those with the sum `before`.
    pub fn sum(self, before: Sum, bytes: &[u8]) -> Sum {
        let pairs = bytes.chunks_exact(8);
        pairs.fold(before, |Sum(one, two), pair| {
            let Sum(first, second) = self.read(pair);
            let one = one.wrapping_add(first).wrapping_add(two);
            Sum(one, two.wrapping_add(second).wrapping_add(one))
        })
    }
}
