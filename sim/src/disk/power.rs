//! What is left on the disk when its machine dies.

use bytes::Bytes;
use mutirao_rig::dice::Dice;

use super::SimDisk;
use super::state::{Data, Pending, State};
use crate::tally::{Met, Tally};

/// How a machine dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// The process only: the system keeps what was written.
    Process,
    /// The power: what was not flushed is at the mercy of the dice.
    Power,
}

/// How much of the journal that was not flushed is there all the same.
#[derive(Debug, Clone, Copy)]
enum Kept {
    Nothing,
    /// All changes up to one of them.
    UpTo(usize),
    /// Any of them.
    Some,
}

impl SimDisk {
    /// The machine has died: from now on the disk holds what it lost nothing of.
    pub fn lose(&self, loss: Loss, dice: &mut Dice) {
        if loss == Loss::Power {
            self.state().lose_unflushed(dice);
        }
    }
}

impl State {
    fn lose_unflushed(&mut self, dice: &mut Dice) {
        let journal = std::mem::take(&mut self.journal);
        let kept = match dice.below(3) {
            0 => Kept::Nothing,
            1 => Kept::UpTo(dice.index(journal.len() + 1)),
            _ => Kept::Some,
        };
        for (at, Pending { change, .. }) in journal.iter().enumerate() {
            let is_kept = match kept {
                Kept::Nothing => false,
                Kept::UpTo(end) => at < end,
                Kept::Some => dice.percent(50),
            };
            if is_kept {
                change.apply(&mut self.durable);
            } else {
                self.tally.count(Met::NameLost);
            }
        }
        let names = self.durable.clone();
        // Without its folder a name is nowhere; those above come first.
        self.durable.clear();
        for (path, node) in names {
            let has_place = path.parent().is_none_or(|above| {
                above.as_os_str().is_empty() || self.durable.contains_key(above)
            });
            if has_place {
                self.durable.insert(path, node);
            }
        }
        self.names = self.durable.clone();
        for data in self.files.values_mut() {
            data.lose_unflushed(dice, &self.tally);
        }
    }
}

impl Data {
    fn lose_unflushed(&mut self, dice: &mut Dice, tally: &Tally) {
        if !self.is_flushed() {
            let length = self.now.len();
            let (left, met) = match dice.below(4) {
                0 => (
                    self.flushed.clone().unwrap_or_default(),
                    Some(Met::BytesLost),
                ),
                1 => (
                    self.now.slice(..dice.index(length + 1)),
                    Some(Met::BytesTorn),
                ),
                2 => (Bytes::from(vec![0; length]), Some(Met::BytesZeroed)),
                _ => (self.now.clone(), None),
            };
            met.into_iter().for_each(|met| tally.count(met));
            self.stamp.size = left.len() as u64;
            self.now = left;
        }
        self.flushed = Some(self.now.clone());
        self.is_given_up = false;
    }
}
