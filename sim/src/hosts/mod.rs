//! The machines: masters and peers made of the production actors, and who speaks to them.

pub mod master;
pub mod peer;
pub mod speaker;
pub mod stranger;
pub mod submitter;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::{Timestamp, ToSpan as _};
use mutirao::disk::Hands;
use mutirao::disk::hands::Job;
use mutirao_actors::clock::Clock;
use mutirao_actors::message_log::{self, MessageLog, Sink};
use mutirao_rig::dice::Dice;

use crate::life::Life;
use crate::transcript::Transcript;

/// The masters' TCP port.
pub const PORT: u16 = 50020;
/// The masters' UDP port.
pub const DISCOVERY_PORT: u16 = 50005;
/// The wall time at which every simulation begins, in seconds: 2026-01-01.
const BEGINNING: i64 = 1_767_225_600;

/// What all hosts share.
#[derive(Debug, Clone)]
pub struct Seat {
    /// The host's name.
    pub name: &'static str,
    /// Chance of its own.
    pub dice: Dice,
    /// Lives begun.
    pub lives: Arc<AtomicU64>,
    /// The present one.
    pub life: Arc<Mutex<Life>>,
    /// Where everything is written.
    pub transcript: Transcript,
    /// Whether its wall clock jumps between its lives.
    pub clock_jumps: bool,
}

impl Seat {
    /// The seat of a host that has not been started.
    pub fn new(name: &'static str, dice: &Dice, transcript: Transcript, clock_jumps: bool) -> Self {
        Self {
            name,
            dice: dice.fork(name),
            lives: Arc::default(),
            life: Arc::new(Mutex::new(Life::begin())),
            transcript,
            clock_jumps,
        }
    }

    /// Begins another life: its number, from 1, and what goes with it.
    pub fn begin(&self) -> Begun {
        let number = self.lives.fetch_add(1, Ordering::Relaxed) + 1;
        let life = Life::begin();
        *self.life.lock().unwrap_or_else(PoisonError::into_inner) = life.clone();
        let mut dice = self.dice.fork(&format!("life {number}"));
        let day = 24 * 3600;
        let jump = i64::try_from(dice.below(2 * day)).unwrap_or(0) - 24 * 3600;
        let wall = Timestamp::from_second(BEGINNING).unwrap_or_default();
        let wall = wall + if self.clock_jumps { jump } else { 0 }.seconds();
        let clock = Clock::at(wall);
        let sink = Box::new(Line {
            name: format!("{}/{number}", self.name),
            life: life.clone(),
            transcript: self.transcript.clone(),
        });
        Begun {
            number,
            log: MessageLog::new(clock.clone(), Some(sink)),
            clock,
            dice,
            life,
        }
    }

    /// The present life.
    pub fn life(&self) -> Life {
        self.life
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// What a life begins with.
pub struct Begun {
    /// Which life, from 1.
    pub number: u64,
    /// It itself.
    pub life: Life,
    /// Its clock.
    pub clock: Clock,
    /// Its message log.
    pub log: MessageLog,
    /// Its chance.
    pub dice: Dice,
}

/// Writes one host's letters down.
struct Line {
    name: String,
    life: Life,
    transcript: Transcript,
}

impl Sink for Line {
    fn take(&self, line: message_log::Line) {
        if self.life.lasts() {
            self.transcript.say(&self.name, &line.to_string());
        }
    }
}

/// Work on the disk takes a while, and what is begun later may be done sooner.
#[derive(Debug)]
pub struct SlowHands {
    dice: Mutex<Dice>,
    slowest: Duration,
}

impl SlowHands {
    /// Hands whose work takes this long at most.
    pub fn new(dice: Dice, slowest: Duration) -> Self {
        Self {
            dice: Mutex::new(dice),
            slowest,
        }
    }
}

impl Hands for SlowHands {
    fn take(&self, job: Job) {
        let most = u64::try_from(self.slowest.as_micros()).unwrap_or(u64::MAX);
        let micros = self
            .dice
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .below(most);
        tokio::task::spawn_local(async move {
            tokio::time::sleep(Duration::from_micros(micros)).await;
            job();
        });
    }
}
