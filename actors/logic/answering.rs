//! The master's mind for discovery: who asks is told where the master is, in the words of the question.
//!
//! Rule: a flood of questions, true or forged, costs a bounded share of the master and of its network, and one
//! flooding machine does not keep the others from an answer.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use uuid::Uuid;

use super::masters::printable;
use crate::model::Moment;
use crate::wire::datagram::{Announce, Datagram, MasterOffer, encode_announce, parse_datagram};
use crate::wire::dialect::Dialect;

/// Answers in one second, to everybody. A room of 100 that starts at once asks 3 dialects over 2 or 3 broadcast
/// addresses and is served in that second; at about 20 µs and 300 bytes each it is 2 % of a core and 0.3 MB/s at most
/// that forged questions can have us send to a victim.
pub const ANSWERS_PER_SECOND_MAX: u32 = 1000;
/// Answers in one second to one address: ten peers of one host that start at once.
pub const ANSWERS_PER_ASKER_MAX: u32 = 100;
/// Addresses told apart by that bound, in 8 bytes each; those that share a number share an allowance.
const ASKERS_MAX: usize = 1024;
/// How often what was not answered is told: often enough to notice, too rarely to fill a disk.
const REPORT_EVERY: Duration = Duration::from_secs(60);

/// What the master says of itself.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Which master.
    pub master_id: Uuid,
    /// Its name, for people; at most [`NAME_MAX`](super::masters::NAME_MAX) characters of it are said.
    pub name: String,
    /// Which reign of it.
    pub epoch: u64,
    /// The highest protocol version that it speaks.
    pub protocol: u32,
    /// The extensions that it can use.
    pub capabilities: Vec<String>,
    /// Its TCP port.
    pub port: u16,
}

/// The datagrams that got no answer since the last report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Unanswered {
    /// Not a question: another protocol, or nonsense.
    pub junk: u64,
    /// A question beyond the bounds.
    pub refused: u64,
}

/// The mind.
#[derive(Debug)]
pub struct Answering {
    identity: Identity,
    everybody: Allowance,
    askers: Vec<Allowance>,
    unanswered: Unanswered,
    next_report: Moment,
}

impl Answering {
    /// A mind that answers for this master.
    pub fn new(identity: Identity) -> Self {
        let name = printable(&identity.name);
        Self {
            identity: Identity { name, ..identity },
            everybody: Allowance::default(),
            askers: vec![Allowance::default(); ASKERS_MAX],
            unanswered: Unanswered::default(),
            next_report: Moment::default(),
        }
    }

    /// A datagram came; the dialect in which to answer it, if it is to be answered.
    pub fn hear(&mut self, bytes: &[u8], from: SocketAddr, now: Moment) -> Option<Dialect> {
        match parse_datagram(bytes) {
            Ok(Datagram::Discover(question)) if from.port() != 0 => {
                let admitted = self.admit(from.ip(), now);
                self.unanswered.refused += u64::from(!admitted);
                admitted.then_some(question.dialect)
            }
            // Another master's answer to somebody; where broadcasts are echoed, our own.
            Ok(Datagram::Announce(_)) => None,
            Ok(Datagram::Discover(_)) | Err(_) => {
                self.unanswered.junk += 1;
                None
            }
        }
    }

    /// The answer to somebody who reaches this master at `ip`.
    pub fn answer(&self, dialect: Dialect, ip: IpAddr) -> Vec<u8> {
        let identity = &self.identity;
        let names = identity.capabilities.iter();
        encode_announce(&Announce {
            dialect,
            ip: ip.to_string().into(),
            port: identity.port,
            ours: Some(MasterOffer {
                protocol: identity.protocol,
                master_id: identity.master_id,
                name: Cow::from(&identity.name),
                epoch: identity.epoch,
                capabilities: names.map(Cow::from).collect(),
            }),
        })
    }

    /// What got no answer since this was last told, at most once a minute.
    pub fn report(&mut self, now: Moment) -> Option<Unanswered> {
        if self.unanswered == Unanswered::default() || now < self.next_report {
            return None;
        }
        self.next_report = now.after(REPORT_EVERY);
        Some(std::mem::take(&mut self.unanswered))
    }

    fn admit(&mut self, asker: IpAddr, now: Moment) -> bool {
        let mut hasher = DefaultHasher::new();
        asker.hash(&mut hasher);
        let number = usize::try_from(hasher.finish() % ASKERS_MAX as u64).unwrap_or(0);
        let allowance = self.askers.get_mut(number);
        allowance.is_some_and(|own| own.take(ANSWERS_PER_ASKER_MAX, now))
            && self.everybody.take(ANSWERS_PER_SECOND_MAX, now)
    }
}

/// A token bucket that holds what one second gives, kept as the moment at which it will be full again.
#[derive(Debug, Clone, Copy, Default)]
struct Allowance {
    full_at: Moment,
}

impl Allowance {
    fn take(&mut self, per_second: u32, now: Moment) -> bool {
        let full_at = self
            .full_at
            .max(now)
            .after(Duration::from_secs(1) / per_second);
        let enough = full_at.since(now) <= Duration::from_secs(1);
        if enough {
            self.full_at = full_at;
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::masters::{DIALECTS, NAME_MAX};
    use crate::wire::datagram::{DATAGRAM_MAX, Discover, encode_discover};

    const SECOND: Duration = Duration::from_secs(1);

    fn mind() -> Answering {
        Answering::new(Identity {
            master_id: Uuid::from_u128(1),
            name: "lab".into(),
            epoch: 3,
            protocol: 2,
            capabilities: vec!["cancel".into()],
            port: 50020,
        })
    }

    fn question(dialect: Dialect) -> Vec<u8> {
        encode_discover(&Discover {
            dialect,
            peer_id: None,
            port: None,
        })
    }

    fn asker(number: u32) -> SocketAddr {
        SocketAddr::new(std::net::Ipv4Addr::from(0x0a00_0000 | number).into(), 4000)
    }

    #[test]
    fn every_dialect_is_answered_in_kind_with_the_address_given() {
        for dialect in DIALECTS {
            let mut mind = mind();
            let words = mind.hear(&question(dialect), asker(1), Moment(0)).unwrap();
            let bytes = mind.answer(words, [10, 0, 0, 7].into());
            let Datagram::Announce(said) = parse_datagram(&bytes).unwrap() else {
                panic!("not an announcement");
            };
            assert_eq!(
                (said.dialect, said.ip.as_ref(), said.port),
                (dialect, "10.0.0.7", 50020)
            );
            let ours = said.ours.unwrap();
            assert_eq!((ours.name.as_ref(), ours.epoch), ("lab", 3));
        }
    }

    #[test]
    fn a_question_that_says_nonsense_about_the_asker_is_answered() {
        let bytes = br#"{"action":"DISCOVER_MASTER","peer_id":7,"port_tcp":"none"}"#;
        assert_eq!(mind().hear(bytes, asker(1), Moment(0)), Some(Dialect::Flat));
    }

    #[test]
    fn other_masters_are_not_answered_and_are_no_junk() {
        let mut mind = mind();
        let announce = mind.answer(Dialect::Flat, [10, 0, 0, 7].into());
        assert_eq!(mind.hear(&announce, asker(1), Moment(0)), None);
        assert_eq!(mind.report(Moment(0)), None);
    }

    #[test]
    fn one_flooding_address_leaves_the_others_their_answers() {
        let mut mind = mind();
        let question = question(Dialect::Flat);
        let flood = (0..10_000).filter(|_| mind.hear(&question, asker(1), Moment(0)).is_some());
        assert_eq!(flood.count(), ANSWERS_PER_ASKER_MAX as usize);
        assert!(mind.hear(&question, asker(2), Moment(0)).is_some());
    }

    #[test]
    fn a_flood_from_everywhere_is_bounded_and_ends_with_itself() {
        let mut mind = mind();
        let question = question(Dialect::Flat);
        let mut flood = |now| {
            let answered = (0..5_000).filter(|n| mind.hear(&question, asker(*n), now).is_some());
            answered.count()
        };
        assert_eq!(flood(Moment(0)), ANSWERS_PER_SECOND_MAX as usize);
        assert_eq!(flood(Moment(0)), 0);
        assert_eq!(
            flood(Moment(0).after(SECOND)),
            ANSWERS_PER_SECOND_MAX as usize
        );
    }

    #[test]
    fn junk_is_counted_and_told_at_most_once_a_minute() {
        let mut mind = mind();
        let mut junk = |now| {
            assert_eq!(mind.hear(b"GET / HTTP/1.1", asker(1), now), None);
            mind.report(now).map(|told| told.junk)
        };
        assert_eq!(junk(Moment(0)), Some(1));
        assert_eq!(junk(Moment(0).after(SECOND)), None);
        assert_eq!(junk(Moment(0).after(SECOND * 60)), Some(2));
    }

    #[test]
    fn a_source_that_cannot_be_answered_is_junk() {
        let nowhere = SocketAddr::new([10, 0, 0, 1].into(), 0);
        assert_eq!(
            mind().hear(&question(Dialect::Flat), nowhere, Moment(0)),
            None
        );
    }

    #[test]
    fn the_longest_answer_fits_a_datagram() {
        let name = "\u{1f41d}".repeat(NAME_MAX * 2);
        let mind = Answering::new(Identity {
            name,
            ..mind().identity
        });
        let ip = IpAddr::V6(std::net::Ipv6Addr::from(u128::MAX));
        for dialect in DIALECTS {
            assert!(mind.answer(dialect, ip).len() <= DATAGRAM_MAX);
        }
    }
}
