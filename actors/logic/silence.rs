//! The heartbeat's mind: who has fallen silent.
//!
//! Rule: any word shows life, HEARTBEATs show the interval that a peer keeps, and nobody is given up before
//! three of its intervals. Silence counts only while we listen: time in which this process itself stood still
//! is not held against anybody, for the words that came meanwhile still wait to be read.
//!
//! Holds what the registry holds: it alone says who is watched, and bounds how many.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use crate::model::{Endpoint, Moment};

/// How often whoever keeps this mind sweeps; a death is told this much late at most.
pub const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// What counts at most of the time between two looks at the clock: of a longer one we slept through a part.
const LISTENED_MAX: Duration = Duration::from_secs(3);
/// Words that may be missed: one can be lost with its connection, a second while the peer connects again.
const INTERVALS: u32 = 3;
/// The window of a peer whose interval is not known yet: three times the longest seen, 30 s (protocol, section 2).
/// Peers of ours are told the shortest one when they register, so theirs is known from the start.
const WINDOW_FIRST: Duration = Duration::from_secs(90);
/// The shortest window: three times the shortest interval seen, 5 s; a shorter one would see a hiccup as a death.
const WINDOW_MIN: Duration = Duration::from_secs(15);
/// The longest window: beyond it a lease has to end by itself.
const WINDOW_MAX: Duration = Duration::from_secs(300);
/// Gaps between HEARTBEATs that are remembered, and that must be known before they shorten the first window.
const GAPS: usize = 4;
/// HEARTBEATs closer together than this are one that was held up, or two threads of one peer: no interval.
const GAP_MIN: Duration = Duration::from_secs(1);

/// Somebody from whom nothing came for its whole window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silent {
    /// Who.
    pub endpoint: Endpoint,
    /// How long nothing has come.
    pub silent_for: Duration,
}

/// What is known of one peer.
#[derive(Debug)]
struct Watched {
    last_word: Moment,
    last_beat: Option<Moment>,
    /// The last gaps between its HEARTBEATs, in a ring; zero: not known yet.
    gaps: [Duration; GAPS],
    oldest_gap: usize,
    /// When it is given up, on the clock of the time that we listened.
    deadline: Moment,
}

impl Watched {
    fn new(now: Moment) -> Self {
        Self {
            last_word: now,
            last_beat: None,
            gaps: [Duration::ZERO; GAPS],
            oldest_gap: 0,
            deadline: Moment::default(),
        }
    }

    /// Learns from a HEARTBEAT. The longest of the last gaps counts, so that a few beats in a burst do not
    /// pass for the interval of a peer that then keeps its usual one.
    fn beat(&mut self, now: Moment) {
        let gap = self.last_beat.replace(now).map(|last| now.since(last));
        let Some(gap) = gap.filter(|gap| *gap >= GAP_MIN) else {
            return;
        };
        if let Some(oldest) = self.gaps.get_mut(self.oldest_gap) {
            *oldest = gap;
        }
        self.oldest_gap = (self.oldest_gap + 1) % GAPS;
    }

    /// How long nothing may come before it is given up; `told` is a peer that was told how often to beat.
    fn window(&self, told: bool) -> Duration {
        let longest = self.gaps.iter().max().copied().unwrap_or_default();
        let shortest_window = if self.gaps.contains(&Duration::ZERO) && !told {
            WINDOW_FIRST
        } else {
            WINDOW_MIN
        };
        longest
            .saturating_mul(INTERVALS)
            .clamp(shortest_window, WINDOW_MAX)
    }
}

/// The watch for silence.
#[derive(Debug, Default)]
pub struct Silence {
    watched: HashMap<Endpoint, Watched>,
    deadlines: BTreeSet<(Moment, Endpoint)>,
    last_look: Moment,
    listened: Moment,
}

impl Silence {
    /// A word came; from now on the peer is watched.
    pub fn heard(&mut self, endpoint: &Endpoint, beat: bool, now: Moment) {
        self.look(now);
        let watched = self
            .watched
            .entry(endpoint.clone())
            .or_insert_with(|| Watched::new(now));
        watched.last_word = now;
        if beat {
            watched.beat(now);
        }
        let deadline = self.listened.after(watched.window(endpoint.is_ours()));
        let before = std::mem::replace(&mut watched.deadline, deadline);
        self.deadlines.remove(&(before, endpoint.clone()));
        self.deadlines.insert((deadline, endpoint.clone()));
    }

    /// The peer has left.
    pub fn forget(&mut self, endpoint: &Endpoint) {
        if let Some(watched) = self.watched.remove(endpoint) {
            self.deadlines.remove(&(watched.deadline, endpoint.clone()));
        }
    }

    /// Gives up everybody whose window has passed; each is told once and not watched any more.
    pub fn sweep(&mut self, now: Moment) -> Vec<Silent> {
        self.look(now);
        let mut silent = Vec::new();
        while self
            .deadlines
            .first()
            .is_some_and(|(deadline, _)| *deadline <= self.listened)
        {
            let Some((_, endpoint)) = self.deadlines.pop_first() else {
                break;
            };
            if let Some(watched) = self.watched.remove(&endpoint) {
                silent.push(Silent {
                    endpoint,
                    silent_for: now.since(watched.last_word),
                });
            }
        }
        silent
    }

    /// Counts the time since the last look as listened to, as far as we were awake.
    fn look(&mut self, now: Moment) {
        let passed = now.since(self.last_look).min(LISTENED_MAX);
        self.listened = self.listened.after(passed);
        self.last_look = self.last_look.max(now);
    }
}

#[cfg(test)]
mod tests;
