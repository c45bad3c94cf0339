//! The masters that answered: the same one heard twice is one, and all peers put the same one first.
//!
//! Rule: what comes out depends on what was heard, never on the order in which it came.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use uuid::Uuid;

use crate::model::commands_a_reader;
use crate::wire::datagram::Announce;
use crate::wire::dialect::Dialect;

/// Masters remembered at a time. A room has one or a few; more is somebody who makes them up.
pub const MASTERS_MAX: usize = 256;
/// Addresses remembered of one master: one for each interface that it shares with us, and some made-up ones.
pub const ADDRESSES_MAX: usize = 16;
/// Longest name of a master, in characters: it stands on one line with other things.
pub const NAME_MAX: usize = 64;
/// The dialects, the one that can say most first: who answers in several is spoken to in the first of them.
pub const DIALECTS: [Dialect; 3] = [Dialect::Flat, Dialect::Envelope, Dialect::SuperPeer];

/// One master, as far as it can be known without a connection to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Master {
    /// How it calls itself, or its likeliest address.
    pub name: String,
    /// Where it may be reached, in the order in which to try; never empty.
    pub addresses: Vec<SocketAddr>,
    /// The words in which to speak to it.
    pub dialect: Dialect,
    /// What only a master of ours says.
    pub ours: Option<Ours>,
}

/// What only a master of ours says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ours {
    /// Which master.
    pub master_id: Uuid,
    /// Which reign of it.
    pub epoch: u64,
    /// The highest protocol version that it speaks.
    pub protocol: u32,
}

/// All that were heard.
#[derive(Debug, Clone, Default)]
pub struct Masters {
    heard: BTreeMap<Who, Sighting>,
}

/// What tells masters apart; the order is that of preference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    Ours(Uuid),
    /// The likeliest address: others have no other name, and many of them announce the same loopback address.
    Stranger(SocketAddr),
}

/// Why an address may be the right one, likelier ones first (protocol, section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Ground {
    Announced,
    /// The datagram came from there.
    Source,
    /// Announced, but loopback, although the datagram came from elsewhere.
    Doubtful,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Sighting {
    epoch: u64,
    protocol: u32,
    name: String,
    dialect: usize,
    addresses: BTreeSet<(Ground, SocketAddr)>,
}

impl Masters {
    /// One more announcement. One that names port 0 cannot be connected to and is passed over.
    pub fn hear(&mut self, announce: &Announce<'_>, source: IpAddr) {
        let Some((who, sighting)) = sight(announce, source.to_canonical()) else {
            return;
        };
        match self.heard.get_mut(&who) {
            Some(known) => known.merge(sighting),
            None => _ = self.heard.insert(who, sighting),
        }
        if self.heard.len() > MASTERS_MAX {
            self.heard.pop_last();
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.heard.is_empty()
    }

    /// All of them, the one to choose first: those with an address that has not just failed, ours before others.
    pub fn ranked(&self, failed: &[SocketAddr]) -> Vec<Master> {
        let masters = self
            .heard
            .iter()
            .map(|(who, seen)| seen.master(who, failed));
        let mut masters: Vec<_> = masters.collect();
        masters.sort_by_key(|master| master.addresses.iter().all(|at| failed.contains(at)));
        masters
    }
}

impl Sighting {
    /// The same master was heard again: over another interface, in another dialect, or in a later reign.
    fn merge(&mut self, other: Self) {
        if other.epoch > self.epoch {
            *self = other;
        } else if other.epoch == self.epoch {
            self.protocol = self.protocol.max(other.protocol);
            self.dialect = self.dialect.min(other.dialect);
            if other.name > self.name {
                self.name = other.name;
            }
            self.addresses.extend(other.addresses);
            while self.addresses.len() > ADDRESSES_MAX {
                self.addresses.pop_last();
            }
        }
    }

    fn master(&self, who: &Who, failed: &[SocketAddr]) -> Master {
        let mut addresses = Vec::new();
        for (_, address) in &self.addresses {
            if !addresses.contains(address) {
                addresses.push(*address);
            }
        }
        addresses.sort_by_key(|address| failed.contains(address));
        let likeliest = self.addresses.first().map(|(_, at)| at.to_string());
        Master {
            name: Some(&self.name)
                .filter(|name| !name.is_empty())
                .cloned()
                .or(likeliest)
                .unwrap_or_default(),
            addresses,
            dialect: DIALECTS.get(self.dialect).copied().unwrap_or_default(),
            ours: match *who {
                Who::Ours(master_id) => Some(Ours {
                    master_id,
                    epoch: self.epoch,
                    protocol: self.protocol,
                }),
                Who::Stranger(_) => None,
            },
        }
    }
}

/// What one announcement says.
fn sight(announce: &Announce<'_>, source: IpAddr) -> Option<(Who, Sighting)> {
    let at = |ip| SocketAddr::new(ip, announce.port);
    let mut addresses = BTreeSet::from([(Ground::Source, at(source))]);
    if let Some(announced) = dialable(&announce.ip) {
        let doubtful = announced.is_loopback() && !source.is_loopback();
        let ground = if doubtful {
            Ground::Doubtful
        } else {
            Ground::Announced
        };
        addresses.insert((ground, at(announced)));
    }
    let likeliest = addresses.first().map(|(_, address)| *address)?;
    let dialect = DIALECTS.iter().position(|known| *known == announce.dialect);
    let ours = announce.ours.as_ref();
    let sighting = Sighting {
        epoch: ours.map_or(0, |ours| ours.epoch),
        protocol: ours.map_or(0, |ours| ours.protocol),
        name: ours.map_or_else(String::new, |ours| printable(&ours.name)),
        dialect: dialect.unwrap_or_default(),
        addresses,
    };
    let who = ours.map_or(Who::Stranger(likeliest), |ours| Who::Ours(ours.master_id));
    (announce.port != 0).then_some((who, sighting))
}

/// The announced address, if it is one that can be connected to. Names are not looked up: a stranger's word would make
/// us ask a name server for anything, and the source is known anyway.
fn dialable(announced: &str) -> Option<IpAddr> {
    let ip = announced.trim().parse::<IpAddr>().ok()?.to_canonical();
    let everyone = IpAddr::from([255, 255, 255, 255]);
    let one = !ip.is_unspecified() && !ip.is_multicast() && ip != everyone;
    one.then_some(ip)
}

/// A name from the wire that may be shown on a terminal.
pub fn printable(name: &str) -> String {
    let shown = name.chars().filter(|c| !commands_a_reader(*c));
    shown.take(NAME_MAX).collect()
}

#[cfg(test)]
mod tests;
