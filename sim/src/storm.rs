//! The weather of a run: which faults come when, drawn before it begins.
//!
//! Rule: not every seed has every kind of fault, for many bugs show only when some of them stay away.

use std::time::Duration;

use mutirao_rig::dice::Dice;

use crate::addresses::PEERS;
use crate::disk::Loss;

/// What happens at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A machine dies, and starts again after a while; a master perhaps elsewhere.
    Crash {
        /// Which: 0 is the master, the peers follow.
        victim: usize,
        /// How.
        loss: Loss,
        /// For how long.
        down: Duration,
        /// Whether the master starts on its other address.
        moves: bool,
    },
    /// A machine dies within so many operations on its disk.
    Fuse(usize, u64, Loss),
    /// A disk is full, for a while.
    Full(usize, Duration),
    /// Flushes fail on it, for a while.
    NoFlush(usize, Duration),
    /// One operation on it fails, after so many.
    OneError(usize, u64),
    /// Nothing passes between the master and another, for a while: a peer by its number from 1, or who hands in.
    Cut(usize, Duration),
    /// The master is not heard by that one, or that one by the master, for a while.
    CutOneWay(usize, bool, Duration),
    /// Everything between the two waits, for a while.
    Hold(usize, Duration),
    /// The network is slow from now on: the longest that a message takes.
    Slow(Duration),
}

/// What is drawn for a run.
#[derive(Debug, Clone)]
pub struct Storm {
    /// What happens, in order.
    pub events: Vec<(Duration, Event)>,
    /// When it is over.
    pub ends: Duration,
    /// Datagrams of a hundred that are lost.
    pub loss: u64,
    /// Whether wall clocks jump.
    pub clock_jumps: bool,
    /// The longest that work on the disk takes.
    pub slowest: Duration,
    /// Whether nothing at all goes wrong.
    pub is_calm: bool,
}

/// Kinds of events.
const KINDS: u64 = 9;
/// Events of a storm, at most.
const EVENTS_MAX: u64 = 24;
/// How long a storm lasts, in seconds.
const LASTS: std::ops::Range<u64> = 8..40;

impl Storm {
    /// Draws one.
    pub fn draw(dice: &mut Dice) -> Self {
        let ends = dice.millis(LASTS.start * 1000..LASTS.end * 1000);
        let is_calm = dice.percent(8);
        // At least one kind, often several.
        let mut kinds: Vec<u64> = (0..KINDS).filter(|_| dice.percent(45)).collect();
        if kinds.is_empty() {
            kinds.push(dice.below(KINDS));
        }
        let count = if is_calm {
            0
        } else {
            1 + dice.below(EVENTS_MAX)
        };
        let mut events: Vec<(Duration, Event)> = (0..count)
            .map(|_| {
                let at = dice.millis(500..u64::try_from(ends.as_millis()).unwrap_or(1));
                let kind = kinds.get(dice.index(kinds.len())).copied().unwrap_or(0);
                (at, draw_event(kind, dice))
            })
            .collect();
        events.sort_by_key(|(at, _)| *at);
        Self {
            events,
            ends,
            loss: if is_calm || dice.percent(50) {
                0
            } else {
                dice.below(60)
            },
            clock_jumps: !is_calm && dice.percent(50),
            slowest: match dice.below(3) {
                0 => Duration::from_micros(200),
                1 => Duration::from_millis(20),
                _ => Duration::from_millis(300),
            },
            is_calm,
        }
    }
}

fn draw_event(kind: u64, dice: &mut Dice) -> Event {
    let loss = if dice.percent(60) {
        Loss::Power
    } else {
        Loss::Process
    };
    let while_ = if dice.percent(70) {
        dice.millis(100..8_000)
    } else {
        dice.millis(8_000..40_000)
    };
    // All that matters passes by the master; behind the peers comes who hands in.
    let other = 1 + dice.index(PEERS.len() + 1);
    // The master's disk holds what everybody relies on.
    let whose = if dice.percent(60) {
        0
    } else {
        1 + dice.index(PEERS.len())
    };
    match kind {
        0 => Event::Crash {
            victim: 0,
            loss,
            down: dice.millis(100..6_000),
            moves: dice.percent(25),
        },
        1 => Event::Crash {
            victim: 1 + dice.index(PEERS.len()),
            loss,
            down: dice.millis(100..10_000),
            moves: false,
        },
        2 => Event::Fuse(whose, dice.below(40), loss),
        3 => Event::Full(whose, dice.millis(500..12_000)),
        4 => Event::NoFlush(whose, dice.millis(500..12_000)),
        5 => Event::OneError(whose, dice.below(30)),
        6 => Event::Cut(other, while_),
        7 if dice.percent(50) => Event::CutOneWay(other, dice.percent(50), while_),
        7 => Event::Hold(other, while_),
        _ => Event::Slow(dice.millis(20..1_500)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_storm_is_the_same_for_the_same_seed_and_every_kind_comes() {
        let draw = |seed| Storm::draw(&mut Dice::of(seed)).events;
        assert_eq!(draw(3), draw(3));
        let all: Vec<_> = (0..200).flat_map(draw).map(|(_, event)| event).collect();
        let kinds: std::collections::BTreeSet<String> = all
            .iter()
            .map(|event| {
                format!("{event:?}")
                    .split(['(', ' '])
                    .next()
                    .unwrap()
                    .to_owned()
            })
            .collect();
        assert_eq!(kinds.len(), 9, "{kinds:?}");
        assert!((0..200).any(|seed| Storm::draw(&mut Dice::of(seed)).is_calm));
    }
}
