//! What becomes of the frames that cross the switch, and how many of them it was done to.

use std::fmt;
use std::ops::{AddAssign, Range};
use std::time::Duration;

use mutirao_rig::dice::Dice;

use super::Port;
use super::frame::Frame;

/// Of a hundred frames in disorder, those that are held back …
const HELD: u64 = 30;
/// … for so long, in milliseconds: beyond the quickest retransmission of TCP, 200 ms …
const HELD_FOR: Range<u64> = 1..300;
/// … and those that come twice.
const DOUBLED: u64 = 10;
/// Of a hundred connections that are reset, those that both ends are told of; of the others only who spoke is, as
/// firewalls do it.
const BOTH_RESET: u64 = 50;
/// What becomes of most frames.
const AT_ONCE: Fate = Fate::Arrives {
    after: Duration::ZERO,
    again: None,
};

/// What is wrong with a LAN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing comes from this host, and nothing reaches it.
    Cut(Port),
    /// Nothing reaches this host.
    Deaf(Port),
    /// Nothing comes from this host.
    Mute(Port),
    /// No datagram comes from this host or reaches it.
    NoDatagrams(Port),
    /// So many of a hundred segments of TCP are answered with a reset.
    Resets(u64),
    /// So many of a hundred frames are lost.
    Loss(u64),
    /// Frames are held back, and so overtaken, and come twice.
    Disorder,
}

/// What becomes of a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It arrives after this time, and maybe again after another.
    Arrives {
        /// Zero: at once.
        after: Duration,
        /// When it comes twice.
        again: Option<Duration>,
    },
    /// It is lost.
    Lost,
    /// Instead of it one goes back to its sender, and maybe one on.
    Resets {
        /// For its sender.
        back: Frame,
        /// For whom it was for.
        on: Option<Frame>,
    },
}

/// How much was done; frames from and to the row's own interface do not count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Lost.
    pub lost: u64,
    /// Held back.
    pub held: u64,
    /// Arrived after one that was sent later.
    pub overtaken: u64,
    /// Sent on twice.
    pub doubled: u64,
    /// Answered with resets.
    pub reset: u64,
    /// No frames: cables that were pulled.
    pub pulled: u64,
}

/// The fault of the moment, and what it did.
#[derive(Debug)]
pub struct Weather {
    /// What is wrong now.
    pub fault: Option<Fault>,
    /// What was done since the last fault began.
    pub tally: Tally,
    dice: Dice,
}

impl Weather {
    /// Nothing is wrong yet.
    pub fn fair(dice: Dice) -> Self {
        Self {
            fault: None,
            tally: Tally::default(),
            dice,
        }
    }

    /// What becomes of a frame from one port to another; `counts` is whether it is of those that are counted.
    pub fn fate(&mut self, frame: &Frame, from: Port, to: Port, counts: bool) -> Fate {
        let fate = self.draw(frame, from, to);
        if counts {
            match &fate {
                Fate::Lost => self.tally.lost += 1,
                Fate::Resets { .. } => self.tally.reset += 1,
                Fate::Arrives { after, again } => {
                    self.tally.doubled += u64::from(again.is_some());
                    self.tally.held += u64::from(!after.is_zero());
                }
            }
        }
        fate
    }

    fn draw(&mut self, frame: &Frame, from: Port, to: Port) -> Fate {
        let is_lost = match self.fault {
            None => false,
            Some(Fault::Cut(host)) => from == host || to == host,
            Some(Fault::Deaf(host)) => to == host,
            Some(Fault::Mute(host)) => from == host,
            Some(Fault::NoDatagrams(host)) => (from == host || to == host) && frame.is_datagram(),
            Some(Fault::Loss(percent)) => self.dice.percent(percent),
            Some(Fault::Resets(percent)) => {
                let resets = frame.resets().filter(|_| self.dice.percent(percent));
                return resets.map_or(AT_ONCE, |[back, on]| Fate::Resets {
                    back,
                    on: self.dice.percent(BOTH_RESET).then_some(on),
                });
            }
            Some(Fault::Disorder) => {
                let after = self.delay();
                let again = self.dice.percent(DOUBLED).then(|| self.delay());
                return Fate::Arrives { after, again };
            }
        };
        if is_lost { Fate::Lost } else { AT_ONCE }
    }

    fn delay(&mut self) -> Duration {
        if self.dice.percent(HELD) {
            self.dice.millis(HELD_FOR)
        } else {
            Duration::ZERO
        }
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.lost += other.lost;
        self.held += other.held;
        self.overtaken += other.overtaken;
        self.doubled += other.doubled;
        self.reset += other.reset;
        self.pulled += other.pulled;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "frames lost {}, held {}, overtaken {}, doubled {}, reset {}, cables pulled {}",
            self.lost, self.held, self.overtaken, self.doubled, self.reset, self.pulled
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: Port = Port(1);
    const OTHER: Port = Port(2);
    const THIRD: Port = Port(3);
    const TCP: u8 = 6;
    const UDP: u8 = 17;

    /// A frame with nothing in its packet but the header.
    fn frame(protocol: u8) -> Frame {
        let ethernet = [&[2; 12][..], &[8, 0]].concat();
        let ip = [&[0x45, 0, 0, 40, 0, 0, 0, 0, 64, protocol], &[10; 10][..]].concat();
        Frame::new(&[ethernet, ip, vec![0; 20]].concat())
    }

    /// Whether such a frame is lost from the host, to it, and between others.
    fn losses(fault: Fault, protocol: u8) -> [bool; 3] {
        let mut weather = Weather::fair(Dice::of(1));
        weather.fault = Some(fault);
        let frame = frame(protocol);
        let ways = [(HOST, OTHER), (OTHER, HOST), (OTHER, THIRD)];
        ways.map(|(from, to)| weather.fate(&frame, from, to, true) == Fate::Lost)
    }

    #[test]
    fn a_cut_takes_the_ways_that_it_names_and_no_other() {
        assert_eq!(losses(Fault::Cut(HOST), TCP), [true, true, false]);
        assert_eq!(losses(Fault::Deaf(HOST), TCP), [false, true, false]);
        assert_eq!(losses(Fault::Mute(HOST), TCP), [true, false, false]);
        assert_eq!(losses(Fault::NoDatagrams(HOST), TCP), [false; 3]);
        assert_eq!(losses(Fault::NoDatagrams(HOST), UDP), [true, true, false]);
    }

    #[test]
    fn some_segments_are_answered_with_resets_and_nothing_else_is() {
        let mut weather = Weather::fair(Dice::of(1));
        weather.fault = Some(Fault::Resets(50));
        let mut resets = |protocol| {
            let fates = (0..100).map(|_| weather.fate(&frame(protocol), HOST, OTHER, true));
            fates
                .filter(|fate| matches!(fate, Fate::Resets { .. }))
                .count()
        };
        assert!((30..70).contains(&resets(TCP)));
        assert_eq!(resets(UDP), 0);
    }

    #[test]
    fn what_is_done_is_counted_for_those_that_count() {
        let mut weather = Weather::fair(Dice::of(1));
        weather.fault = Some(Fault::Loss(50));
        let frame = Frame::new(&[]);
        let lost = (0..1000)
            .filter(|_| weather.fate(&frame, HOST, OTHER, true) == Fate::Lost)
            .count();
        assert_eq!(weather.tally.lost, lost as u64);
        assert!((400..600).contains(&lost));
        weather.fault = Some(Fault::Disorder);
        for _ in 0..1000 {
            weather.fate(&frame, HOST, OTHER, true);
        }
        assert!(weather.tally.held > 200 && weather.tally.doubled > 50);
        let before = weather.tally;
        weather.fate(&frame, HOST, OTHER, false);
        assert_eq!(weather.tally, before);
    }
}
