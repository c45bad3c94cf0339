//! What the registry knows of its members, as rows for readers.

use crate::logic::members::{Member, Members};
use crate::model::{Endpoint, Life, Moment};
use crate::wire::report::PeerRow;

/// Everybody, by `peer_id`.
pub fn of_everybody(members: &Members, now: Moment) -> Vec<(Endpoint, PeerRow)> {
    let rows = members
        .iter()
        .map(|(endpoint, member)| (endpoint.clone(), of_one(endpoint, member, now)));
    rows.collect()
}

/// What the registry knows of one member; what it has done, the scheduler adds.
pub fn of_one(endpoint: &Endpoint, member: &Member, now: Moment) -> PeerRow {
    let said = member.introduction.as_ref();
    let address = match (said.and_then(|said| said.listens), endpoint.life) {
        (Some(listens), _) => listens.to_string(),
        (None, Life::Address(ip)) => ip.to_string(),
        (None, Life::Boot(_)) => "unknown".into(),
    };
    PeerRow {
        peer_id: endpoint.peer.clone(),
        address,
        slots: said.map_or(1, |said| said.slots),
        ours: endpoint.is_ours(),
        agent: said.and_then(|said| said.agent.clone()),
        state: said.map_or("heard", |_| "ready").into(),
        last_word_s: now.since(member.last_word).as_secs(),
        leases: 0,
        done: 0,
        failed: 0,
    }
}
