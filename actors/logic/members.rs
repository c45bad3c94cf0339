//! The registry's mind: who is in the cluster.
//!
//! Rule: a member is an [`Endpoint`], so two speakers of one `peer_id` from two addresses are two members
//! (reliability, attribution rule 5), while a new boot id from the same machine ends the life before it at once. Any word makes
//! its speaker a member; the others are told of it when it registers, and told that it left once.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use uuid::Uuid;

use super::ended::{Ended, Fate};
use crate::model::{BootId, Endpoint, Life, Moment, PeerId};

/// Members at a time: every host of a /16 network. With what the silence watch keeps of each, about
/// 50 MB, which leaves most of what a flood of strangers may cost (promise R7).
pub const MEMBERS_MAX: usize = 65_536;
/// Longest program name kept of a member, in characters: more than a table shows.
const AGENT_MAX: usize = 64;

/// Why a peer cannot be a member.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Its boot id said goodbye, or another boot id took its place.
    #[error(
        "this life of peer {0} is over: it said goodbye, or another program started under the same peer_id; \
         give each machine its own identity and start the peer again"
    )]
    LifeOver(PeerId),
    /// Another program of this `peer_id` lives elsewhere, and a word from there must not end it.
    #[error(
        "peer {0} is here already, from another address; give each machine its own identity, or try again \
         when that one has left"
    )]
    Namesake(PeerId),
    /// There is no room.
    #[error("the cluster is full with {MEMBERS_MAX} peers; try again when some have left")]
    Full,
}

/// What a peer says of itself when it registers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Introduction {
    /// The address from which it said so.
    pub from: IpAddr,
    /// Where it listens, if it says.
    pub listens: Option<SocketAddr>,
    /// Program and version, if it says.
    pub agent: Option<String>,
    /// How many tasks it runs at a time; none: it is about to leave.
    pub slots: u32,
}

/// One who is here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// When something last came from it.
    pub last_word: Moment,
    /// What it said when it last registered; none if it was only heard so far.
    pub introduction: Option<Introduction>,
}

/// Why a member is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Departure {
    /// It left on purpose.
    Goodbye,
    /// Another boot id of its `peer_id` took its place.
    NewLife,
    /// Nothing came from it for this long.
    Silence(Duration),
}

impl Departure {
    /// Whether it went on purpose: then its unfinished tries do not count against their tasks.
    pub fn is_planned(self) -> bool {
        self == Self::Goodbye
    }

    fn fate(self) -> Fate {
        match self {
            Self::Goodbye | Self::NewLife => Fate::Over,
            Self::Silence(_) => Fate::Silent,
        }
    }
}

impl fmt::Display for Departure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Goodbye => f.write_str("it said goodbye"),
            Self::NewLife => f.write_str("it started a new life"),
            Self::Silence(time) => write!(f, "nothing came from it for {} s", time.as_secs()),
        }
    }
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// A peer is gone.
    Left(Endpoint, Departure),
    /// A word came: it is to be watched for silence; with whether it was a HEARTBEAT.
    Watch(Endpoint, bool),
    /// Its silence means nothing any more.
    Unwatch(Endpoint),
}

/// Everybody who is here.
#[derive(Debug, Default)]
pub struct Members {
    here: BTreeMap<Endpoint, Member>,
    ended: Ended,
}

impl Members {
    /// Everybody, by `peer_id`.
    pub fn iter(&self) -> impl Iterator<Item = (&Endpoint, &Member)> {
        self.here.iter()
    }

    /// The one of this `peer_id` that was heard last.
    pub fn latest(&self, peer: &PeerId) -> Option<(&Endpoint, &Member)> {
        self.namesakes(peer.clone())
            .max_by_key(|(_, member)| member.last_word)
    }

    /// A peer introduced itself. If it is not refused, the scheduler is told, also when it was here before:
    /// a peer of section 1 that registers anew has forgotten what it owed.
    pub fn registered(
        &mut self,
        endpoint: &Endpoint,
        mut introduction: Introduction,
        now: Moment,
    ) -> Result<Vec<Effect>, Refusal> {
        if let Some(agent) = &mut introduction.agent {
            *agent = agent.chars().take(AGENT_MAX).collect();
        }
        if self.has_namesake(endpoint, introduction.from) {
            return Err(Refusal::Namesake(endpoint.peer.clone()));
        }
        let (member, mut effects) = self.admit(endpoint, now)?;
        member.introduction = Some(introduction);
        effects.push(Effect::Watch(endpoint.clone(), false));
        Ok(effects)
    }

    /// Any other word of a peer. One that cannot be a member is not watched; its request is refused, if at
    /// all, by whom it is for.
    pub fn heard(&mut self, endpoint: &Endpoint, beat: bool, now: Moment) -> Vec<Effect> {
        let Ok((_, mut effects)) = self.admit(endpoint, now) else {
            return Vec::new();
        };
        effects.push(Effect::Watch(endpoint.clone(), beat));
        effects
    }

    /// A peer leaves on purpose.
    pub fn said_goodbye(&mut self, endpoint: &Endpoint) -> Vec<Effect> {
        self.leave(endpoint, Departure::Goodbye)
    }

    /// Nothing came for this long, so the watch has dropped it. If a word overtook the news, the watch has
    /// been told of that word and nothing is to be done.
    pub fn fell_silent(
        &mut self,
        endpoint: &Endpoint,
        silent_for: Duration,
        now: Moment,
    ) -> Vec<Effect> {
        let spoke = |member: &Member| now.since(member.last_word) < silent_for;
        if self.here.get(endpoint).is_some_and(spoke) {
            return Vec::new();
        }
        self.leave(endpoint, Departure::Silence(silent_for))
    }

    /// Makes a speaker a member if it can be one; a boot id ends the one before it.
    fn admit(
        &mut self,
        endpoint: &Endpoint,
        now: Moment,
    ) -> Result<(&mut Member, Vec<Effect>), Refusal> {
        let mut effects = Vec::new();
        if !self.here.contains_key(endpoint) {
            let elder = self.booted(&endpoint.peer).filter(|_| endpoint.is_ours());
            match self.ended.fate(endpoint) {
                Some(Fate::Over) => return Err(Refusal::LifeOver(endpoint.peer.clone())),
                Some(Fate::Silent) if elder.is_some() => {
                    return Err(Refusal::LifeOver(endpoint.peer.clone()));
                }
                Some(Fate::Silent) | None => {}
            }
            if self.here.len() >= MEMBERS_MAX && elder.is_none() {
                return Err(Refusal::Full);
            }
            self.ended.forget(endpoint);
            if let Some(elder) = elder {
                effects = self.leave(&elder, Departure::NewLife);
            }
        }
        let member = self.here.entry(endpoint.clone()).or_insert(Member {
            last_word: now,
            introduction: None,
        });
        member.last_word = now;
        Ok((member, effects))
    }

    /// Removes a member, and says so: whoever asked for a task is known to the scheduler, registered or not.
    fn leave(&mut self, endpoint: &Endpoint, departure: Departure) -> Vec<Effect> {
        if self.here.remove(endpoint).is_none() {
            return Vec::new();
        }
        self.ended.remember(endpoint, departure.fate());
        vec![
            Effect::Unwatch(endpoint.clone()),
            Effect::Left(endpoint.clone(), departure),
        ]
    }

    /// All members of one `peer_id`, the one that names a boot id first.
    fn namesakes(&self, peer: PeerId) -> impl Iterator<Item = (&Endpoint, &Member)> {
        let first = Endpoint {
            peer: peer.clone(),
            life: Life::Boot(BootId(Uuid::nil())),
        };
        let rest = self.here.range(first..);
        rest.take_while(move |(endpoint, _)| endpoint.peer == peer)
    }

    /// Whether another life of this peer is here that a word from this address may not end: only a machine that
    /// started anew is believed to have ended its life before.
    fn has_namesake(&self, endpoint: &Endpoint, from: IpAddr) -> bool {
        let elder = self
            .booted(&endpoint.peer)
            .filter(|elder| elder != endpoint);
        let elder = elder
            .filter(|_| endpoint.is_ours())
            .and_then(|elder| self.here.get(&elder));
        elder
            .and_then(|member| member.introduction.as_ref())
            .is_some_and(|said| said.from != from)
    }

    /// The member of this `peer_id` that names a boot id; there is at most one.
    fn booted(&self, peer: &PeerId) -> Option<Endpoint> {
        let (first, _) = self.namesakes(peer.clone()).next()?;
        first.is_ours().then(|| first.clone())
    }
}

#[cfg(test)]
mod tests;
