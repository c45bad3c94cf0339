//! The peer's mind for finding a master: when to ask, how long to listen, whom to choose.
//!
//! ```text
//!          seek                     announcement                 window over
//!   Idle ───────► Asking (again and ────────────► Gathering ───────────────────► Idle
//!    ▲            again, rarer and rarer)              │                 Found
//!    └───────────────────────── stop ──────────────────┘
//! ```
//!
//! Rule: the pauses grow until [`Seeking::stop`] says that a master serves us; one that answers but does not serve
//! would else be found and lost in a tight loop.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::masters::{Master, Masters};
use crate::model::Moment;
use crate::wire::datagram::Announce;

/// The pauses before each round of questions; the last one repeats. The first rounds come quickly, for a datagram is
/// easily lost and somebody is watching. The last ones are as long as they can be for a master that comes back to be found
/// within ten seconds, whether after a minute or after a night.
const PAUSES: [Duration; 6] = [
    Duration::ZERO,
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
];
/// How long to listen after the first announcement, so that the choice does not go to the fastest: on Wi-Fi a
/// broadcast may wait for three beacons of 102 ms.
pub const GATHERING: Duration = Duration::from_millis(400);
/// A pause is cut by up to this many thousandths, so that a room that lost its master does not ask in step.
const JITTER: u64 = 250;

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Ask everywhere, in every dialect.
    Ask,
    /// This is the one; seeking is over.
    Found(Master),
}

/// The mind.
#[derive(Debug)]
pub struct Seeking {
    phase: Phase,
    rounds: usize,
    failed: Vec<SocketAddr>,
    masters: Masters,
    dice: u64,
}

#[derive(Debug)]
enum Phase {
    Idle,
    Asking { next: Moment },
    Gathering { until: Moment },
}

impl Seeking {
    /// A mind at rest. The seed only spreads the pauses; each peer has another.
    pub fn new(seed: u64) -> Self {
        Self {
            phase: Phase::Idle,
            rounds: 0,
            failed: Vec::new(),
            masters: Masters::default(),
            dice: seed,
        }
    }

    /// Look for a master; these addresses have just failed and are the last to be chosen.
    pub fn seek(&mut self, failed: Vec<SocketAddr>, now: Moment) {
        self.failed = failed;
        if matches!(self.phase, Phase::Idle) {
            self.masters = Masters::default();
            let next = now.after(self.pause());
            self.phase = Phase::Asking { next };
        }
    }

    /// A master serves us: be quiet, and be quick the next time.
    pub fn stop(&mut self) {
        self.phase = Phase::Idle;
        self.rounds = 0;
    }

    /// A master says where it is. Nobody asked, if we are at rest: then it is forgotten.
    pub fn hear(&mut self, announce: &Announce<'_>, source: IpAddr, now: Moment) {
        if matches!(self.phase, Phase::Idle) {
            return;
        }
        self.masters.hear(announce, source);
        if matches!(self.phase, Phase::Asking { .. }) && !self.masters.is_empty() {
            let until = now.after(GATHERING);
            self.phase = Phase::Gathering { until };
        }
    }

    /// What is due; calling it more often changes nothing.
    pub fn sweep(&mut self, now: Moment) -> Option<Step> {
        match self.phase {
            Phase::Asking { next } if now >= next => {
                self.rounds = self.rounds.saturating_add(1);
                let next = now.after(self.pause());
                self.phase = Phase::Asking { next };
                Some(Step::Ask)
            }
            Phase::Gathering { until } if now >= until => {
                self.phase = Phase::Idle;
                let ranked = self.masters.ranked(&self.failed);
                ranked.into_iter().next().map(Step::Found)
            }
            _ => None,
        }
    }

    fn pause(&mut self) -> Duration {
        let pause = PAUSES.get(self.rounds).or(PAUSES.last());
        let pause = pause.copied().unwrap_or_default();
        let cut = u32::try_from(self.throw() % (JITTER + 1)).unwrap_or(0);
        pause - pause * cut / 1000
    }

    /// The next number of SplitMix64: chance enough to spread pauses, and the same for the same seed.
    fn throw(&mut self) -> u64 {
        self.dice = self.dice.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.dice ^ (self.dice >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::dialect::Dialect;

    fn announce(ip: &str) -> Announce<'_> {
        Announce {
            dialect: Dialect::Flat,
            ip: ip.into(),
            port: 50020,
            ours: None,
        }
    }

    fn hear(mind: &mut Seeking, ip: &str, now: Moment) {
        mind.hear(&announce(ip), ip.parse().unwrap(), now);
    }

    /// When it asks within this long, swept every 10 ms.
    fn asks(mind: &mut Seeking, from: Moment, span: Duration) -> Vec<Moment> {
        let mut now = from;
        let mut asked = Vec::new();
        while now.since(from) < span {
            if mind.sweep(now) == Some(Step::Ask) {
                asked.push(now);
            }
            now = now.after(Duration::from_millis(10));
        }
        asked
    }

    #[test]
    fn it_asks_at_once_and_then_ever_more_rarely() {
        let mut mind = Seeking::new(7);
        mind.seek(Vec::new(), Moment::default());
        let asked = asks(&mut mind, Moment::default(), Duration::from_secs(120));
        assert_eq!(asked.first(), Some(&Moment::default()));
        let pauses: Vec<_> = asked
            .windows(2)
            .map(|pair| pair[1].since(pair[0]))
            .collect();
        for (pause, most) in pauses
            .iter()
            .zip(PAUSES.iter().skip(1).chain([PAUSES.last().unwrap(); 99]))
        {
            let sweep = Duration::from_millis(10);
            assert!(
                *pause <= *most + sweep && *pause + sweep >= *most * 3 / 4,
                "{pauses:?}"
            );
        }
        assert!(pauses.len() > PAUSES.len());
    }

    #[test]
    fn two_peers_of_one_room_do_not_ask_in_step() {
        let asked = |seed| {
            let mut mind = Seeking::new(seed);
            mind.seek(Vec::new(), Moment::default());
            asks(&mut mind, Moment::default(), Duration::from_secs(60))
        };
        assert_eq!(asked(1), asked(1));
        assert_ne!(asked(1), asked(2));
    }

    #[test]
    fn it_listens_for_a_while_and_finds_once() {
        let mut mind = Seeking::new(1);
        mind.seek(Vec::new(), Moment(0));
        assert_eq!(mind.sweep(Moment(0)), Some(Step::Ask));
        hear(&mut mind, "10.0.0.9", Moment(100));
        hear(&mut mind, "10.0.0.2", Moment(200));
        let over = Moment(100).after(GATHERING);
        assert_eq!(mind.sweep(Moment(over.0 - 1)), None);
        let Some(Step::Found(master)) = mind.sweep(over) else {
            panic!("nothing found");
        };
        assert_eq!(master.addresses, ["10.0.0.2:50020".parse().unwrap()]);
        assert_eq!(mind.sweep(over.after(Duration::from_secs(60))), None);
    }

    #[test]
    fn what_comes_when_nobody_seeks_is_not_found_later() {
        let mut mind = Seeking::new(1);
        hear(&mut mind, "10.0.0.1", Moment(0));
        mind.seek(Vec::new(), Moment(10));
        assert_eq!(mind.sweep(Moment(10)), Some(Step::Ask));
        hear(&mut mind, "10.0.0.2", Moment(20));
        mind.stop();
        mind.seek(Vec::new(), Moment(30));
        assert_eq!(mind.sweep(Moment(30)), Some(Step::Ask));
        assert!(mind.masters.is_empty());
    }

    #[test]
    fn a_master_that_answers_but_does_not_serve_is_found_ever_more_rarely() {
        let mut mind = Seeking::new(1);
        let mut now = Moment::default();
        let mut found = 0;
        let failed: Vec<SocketAddr> = vec!["10.0.0.1:50020".parse().unwrap()];
        mind.seek(failed.clone(), now);
        while now < Moment::default().after(Duration::from_secs(120)) {
            match mind.sweep(now) {
                Some(Step::Ask) => hear(&mut mind, "10.0.0.1", now),
                Some(Step::Found(_)) => {
                    found += 1;
                    mind.seek(failed.clone(), now);
                }
                None => now = now.after(Duration::from_millis(10)),
            }
        }
        assert!((7..25).contains(&found), "{found}");
    }

    #[test]
    fn one_that_served_is_looked_for_at_once_when_it_is_lost() {
        let mut mind = Seeking::new(1);
        mind.seek(Vec::new(), Moment::default());
        let asked = asks(&mut mind, Moment::default(), Duration::from_secs(60));
        assert!(asked.len() > 3);
        mind.stop();
        let lost = Moment::default().after(Duration::from_secs(100));
        mind.seek(Vec::new(), lost);
        assert_eq!(mind.sweep(lost), Some(Step::Ask));
    }
}
