//! The index of SQLite's log.
//!
//! Rule: it is believed if both copies of its header are the same and fit their sum.

use super::frames::VERSION;
use super::sums::{Order, Sum};

/// Bytes of the index's header, which it holds twice.
const INDEX: usize = 48;

/// What the index of a log, which SQLite writes after it flushed a commit, says about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Index {
    /// That of the frames it knows.
    pub salt: [u8; 8],
    /// How many frames are of whole commits.
    pub frames: u64,
    /// How many of them are in the database as well.
    pub moved: u64,
}

impl Index {
    /// The index in these bytes, if it is whole.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let (one, rest) = bytes.split_at_checked(INDEX)?;
        let (fields, sum) = one.split_at_checked(INDEX - 8)?;
        let native = Order(cfg!(target_endian = "big"));
        let is_whole = rest.starts_with(one)
            && native.number(fields.get(..4)?) == VERSION
            && native.sum(Sum::default(), fields) == native.read(sum);
        is_whole.then_some(Self {
            salt: fields.get(32..)?.try_into().ok()?,
            frames: native.number(fields.get(16..20)?).into(),
            moved: native.number(rest.get(INDEX..INDEX + 4)?).into(),
        })
    }
}
