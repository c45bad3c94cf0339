//! Peers come and go, and with them what we believe that they hold and what they wait for.

use super::{Arrival, Dispatch};
use crate::logic::effect::Effect;
use crate::logic::fault::Fault;
use crate::logic::policy::Policy;
use crate::model::{Endpoint, Moment, SessionId};

impl<P: Policy> Dispatch<P> {
    /// A peer is here, or registered anew: a result that it owed will not come any more, and what it asked for on
    /// another connection is answered nowhere. One without slots is about to leave, and waits for nothing.
    ///
    /// A peer of ours says which tries it holds. What else we believe it has never arrived there; what it
    /// holds and nobody wants is cancelled, and what waits for somebody to run it goes on there.
    pub fn peer_joined(&mut self, arrival: Arrival, now: Moment) -> Vec<Effect> {
        let Arrival {
            peer,
            session,
            slots,
            holds,
        } = &arrival;
        let gets_nothing = self.health.is_sick(peer) || self.is_drained(&peer.peer);
        self.peers.arrive(peer, *session, *slots, gets_nothing);
        let dropped = match *slots {
            0 => self.waiting.take_peer(peer),
            _ => self.waiting.take_elsewhere(peer, *session),
        };
        let dropped = dropped.into_iter();
        let mut effects: Vec<Effect> = dropped.map(Effect::Nothing).collect();
        let standing = self.peers.of(peer);
        standing.start_afresh();
        standing.asked = now;
        let Some(holds) = holds else {
            return effects;
        };
        for (task, attempt) in standing.holds.clone() {
            if !holds.contains(&(task, attempt)) {
                let why = format!("{peer} never got it");
                let fault = Fault::NotDelivered(why);
                effects.extend(self.try_ended(&task, attempt, fault, now));
            }
        }
        for (task, attempt) in holds {
            self.confirm(peer, *task, *attempt, now);
            self.take_up(peer, *task, *attempt, now);
        }
        let unwanted = |task| {
            self.ledger
                .get(task)
                .is_none_or(|entry| entry.story.state.is_terminal())
        };
        let unwanted = holds.iter().filter(|(task, _)| unwanted(task));
        effects
            .extend(unwanted.map(|(task, attempt)| Effect::Cancel(peer.clone(), *task, *attempt)));
        effects.extend(self.serve_waiting(now));
        effects
    }

    /// A peer is gone.
    pub fn peer_left(
        &mut self,
        peer: &Endpoint,
        planned: bool,
        why: &str,
        now: Moment,
    ) -> Vec<Effect> {
        let holds = self
            .peers
            .get(peer)
            .map(|standing| standing.holds.clone())
            .unwrap_or_default();
        // It may only have been silent: whoever still listens is told to ask again.
        let dropped = self.waiting.take_peer(peer).into_iter();
        let mut effects: Vec<Effect> = dropped.map(Effect::Nothing).collect();
        // Others fall silent while they work: their leases end by their deadline, not with their words.
        if peer.is_ours() {
            for (task, attempt) in holds {
                let fault = match planned {
                    true => Fault::HandedBack(why.to_owned()),
                    false => Fault::PeerLost(why.to_owned()),
                };
                effects.extend(self.try_ended(&task, attempt, fault, now));
            }
        }
        self.peers.depart(peer);
        effects.extend(self.serve_waiting(now));
        effects
    }

    /// A connection ended: what waits on it need not be answered.
    pub fn session_closed(&mut self, session: SessionId) {
        self.waiting.drop_session(session);
    }
}
