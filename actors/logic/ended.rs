//! Lives of peers that are over, so that a late word of one changes nothing.
//!
//! Rule: only lives that name a boot id end; an address is no life of its own, and whoever speaks from it
//! again is simply here again.

use std::collections::{BTreeMap, HashMap};

use crate::model::Endpoint;

/// Lives remembered: a late word comes within minutes, and a cluster of the largest size does not start
/// this many lives in that time; about 2 MB.
pub const ENDED_MAX: usize = 16_384;

/// Whether a life that is over may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It fell silent: it may have been cut off only, and goes on unless a newer life has taken its place.
    Silent,
    /// It said goodbye, or a newer life took its place.
    Over,
}

/// The lives that ended last.
#[derive(Debug, Default)]
pub struct Ended {
    lives: HashMap<Endpoint, (u64, Fate)>,
    by_age: BTreeMap<u64, Endpoint>,
    last_number: u64,
}

impl Ended {
    /// Remembers that a life ended, and forgets the oldest if there are too many.
    pub fn remember(&mut self, endpoint: &Endpoint, fate: Fate) {
        if !endpoint.is_ours() {
            return;
        }
        self.forget(endpoint);
        self.last_number += 1;
        let number = self.last_number;
        self.lives.insert(endpoint.clone(), (number, fate));
        self.by_age.insert(number, endpoint.clone());
        if self.by_age.len() > ENDED_MAX
            && let Some((_, oldest)) = self.by_age.pop_first()
        {
            self.lives.remove(&oldest);
        }
    }

    /// The life goes on.
    pub fn forget(&mut self, endpoint: &Endpoint) {
        if let Some((number, _)) = self.lives.remove(endpoint) {
            self.by_age.remove(&number);
        }
    }

    /// How the life ended, if it did.
    pub fn fate(&self, endpoint: &Endpoint) -> Option<Fate> {
        self.lives.get(endpoint).map(|(_, fate)| *fate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{BootId, Life};

    fn life(number: u128) -> Endpoint {
        Endpoint {
            peer: "p".parse().unwrap(),
            life: Life::Boot(BootId(uuid::Uuid::from_u128(number))),
        }
    }

    #[test]
    fn the_oldest_life_is_forgotten_first() {
        let mut ended = Ended::default();
        for number in 0..=ENDED_MAX as u128 {
            ended.remember(&life(number), Fate::Over);
        }
        assert_eq!(ended.fate(&life(0)), None);
        assert_eq!(ended.fate(&life(1)), Some(Fate::Over));
        assert_eq!(ended.lives.len(), ENDED_MAX);
    }

    #[test]
    fn a_life_that_ends_again_counts_as_new() {
        let mut ended = Ended::default();
        ended.remember(&life(0), Fate::Silent);
        for number in 1..ENDED_MAX as u128 {
            ended.remember(&life(number), Fate::Over);
        }
        ended.remember(&life(0), Fate::Over);
        ended.remember(&life(ENDED_MAX as u128), Fate::Over);
        assert_eq!(ended.fate(&life(0)), Some(Fate::Over));
        assert_eq!(ended.fate(&life(1)), None);
    }

    #[test]
    fn an_address_is_no_life_that_ends() {
        let mut ended = Ended::default();
        let other = Endpoint {
            peer: "p".parse().unwrap(),
            life: Life::Address([127, 0, 0, 1].into()),
        };
        ended.remember(&other, Fate::Over);
        assert_eq!(ended.fate(&other), None);
    }
}
