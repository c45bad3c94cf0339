//! What the registry knows of its members, as rows for readers.

use crate::logic::members::{Member, Members};
use crate::model::{Endpoint, Life, Moment};
use crate::wire::report::PeerRow;

/// Members told at a time: their rows fit a reply ([`REPLY_ENVELOPE_MAX`](crate::wire::scanner::REPLY_ENVELOPE_MAX)),
/// however many a flood of strangers has made.
const TOLD_MAX: usize = 10_000;

/// Everybody, by `peer_id`; the first [`TOLD_MAX`] of them.
pub fn of_everybody(members: &Members, now: Moment) -> Vec<(Endpoint, PeerRow)> {
    let rows = members
        .iter()
        .take(TOLD_MAX)
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
    let state = match said.map(|said| said.slots) {
        None => "heard",
        Some(0) => "leaving",
        Some(_) => "ready",
    };
    PeerRow {
        peer_id: endpoint.peer.clone(),
        address,
        slots: said.map_or(1, |said| said.slots),
        ours: endpoint.is_ours(),
        agent: said.and_then(|said| said.agent.clone()),
        state: state.into(),
        last_word_s: now.since(member.last_word).as_secs(),
        leases: 0,
        done: 0,
        failed: 0,
        faults: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{PEER_ID_MAX, PeerId};
    use crate::wire::scanner::REPLY_ENVELOPE_MAX;
    use crate::wire::{Dialect, Reply, encode_reply};

    #[test]
    fn the_list_of_a_flooded_registry_still_fits_a_reply() {
        let mut members = Members::default();
        for number in 0..TOLD_MAX as u32 + 10 {
            let peer: PeerId = format!("{number:0PEER_ID_MAX$}").parse().unwrap();
            let life = Life::Address(std::net::Ipv4Addr::from(0x0a00_0000 | number).into());
            members.heard(&Endpoint { peer, life }, true, Moment(0));
        }
        let told = of_everybody(&members, Moment(0));
        let rows: Vec<_> = told.into_iter().map(|(_, row)| row).collect();
        assert_eq!(rows.len(), TOLD_MAX);
        let reply = encode_reply(Dialect::Flat, None, &Reply::report(&rows));
        assert!(reply.len() < REPLY_ENVELOPE_MAX, "{} bytes", reply.len());
    }
}
