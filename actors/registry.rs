//! Who is in the cluster; alone says that a peer joined or left.
//!
//! Rule: the scheduler is told of a peer when it registers, and once that it left. A peer of ours that was given
//! up loses its connection too: if it lives, it comes back and says what it holds. What it said on an earlier
//! connection and comes late changes nothing.
//! Hears registrations, words and goodbyes from the sessions and of silence from the heartbeat watch.
//! Tells the heartbeat watch of every word, the scheduler who joined and left, the sessions their answers.
//!
//! The registry and the heartbeat watch know each other, so neither can be started first. actix gives an
//! address before its actor runs, and keeps the letters until it does:
//!
//! ```text
//! let (registry, watch) = (Context::<Registry>::new(), Context::<Heartbeat>::new());
//! let to_registry = Port::new(log.clone(), registry::NAME, registry::NAME, RegistryInbox::of(&registry.address()));
//! let to_heartbeat = Port::new(log, heartbeat::NAME, heartbeat::NAME, HeartbeatInbox::of(&watch.address()));
//! watch.run(Heartbeat::new(clock.clone(), &to_registry));
//! registry.run(Registry::new(clock, &to_scheduler, &to_heartbeat));
//! ```

mod report;

use std::collections::HashMap;

use actix::{Actor, Context, Handler};

use crate::clock::Clock;
use crate::logic::members::{Effect, Introduction, Members};
use crate::message_log::{Cause, Name};
use crate::messages::{
    DescribePeer, ForgetPeer, HangUp, HeartbeatInbox, ListPeers, PeerDescribed, PeerFellSilent,
    PeerHeard, PeerJoined, PeerLeft, PeerRegistered, PeerSaidGoodbye, PeerWelcomed, RequestRefused,
    SchedulerInbox, SessionInbox, TallyPeers,
};
use crate::model::{Endpoint, SessionId};
use crate::port::{Letter, Port};

/// The registry's name in the message log.
pub const NAME: Name = Name::one("registry");

/// The desk of the registry.
#[derive(Debug)]
pub struct Registry {
    members: Members,
    clock: Clock,
    scheduler: Port<SchedulerInbox>,
    heartbeat: Port<HeartbeatInbox>,
    /// The lasting connections of the peers of ours that are here, each its peer's newest.
    sessions: HashMap<Endpoint, (SessionId, Port<SessionInbox>)>,
}

impl Registry {
    /// A registry that knows nobody yet.
    pub fn new(
        clock: Clock,
        scheduler: &Port<SchedulerInbox>,
        heartbeat: &Port<HeartbeatInbox>,
    ) -> Self {
        Self {
            members: Members::default(),
            clock,
            scheduler: scheduler.used_by(NAME),
            heartbeat: heartbeat.used_by(NAME),
            sessions: HashMap::new(),
        }
    }

    /// The newest connection on which this peer of ours has registered.
    fn newest(&self, endpoint: &Endpoint) -> Option<SessionId> {
        self.sessions.get(endpoint).map(|(newest, _)| *newest)
    }

    fn follow(&mut self, effects: Vec<Effect>, cause: Cause) {
        for effect in effects {
            match effect {
                Effect::Left(endpoint, departure) => {
                    tracing::info!(peer = %endpoint, "a peer left: {departure}");
                    let session = self.sessions.remove(&endpoint);
                    if let Some((_, session)) = session.filter(|_| !departure.is_planned()) {
                        session.tell(HangUp {}, cause);
                    }
                    let left = PeerLeft {
                        endpoint,
                        planned: departure.is_planned(),
                        why: departure.to_string(),
                    };
                    self.scheduler.tell(left, cause);
                }
                Effect::Watch(endpoint, beat) => {
                    self.heartbeat.tell(PeerHeard { endpoint, beat }, cause);
                }
                Effect::Unwatch(endpoint) => self.heartbeat.tell(ForgetPeer { endpoint }, cause),
            }
        }
    }
}

impl Actor for Registry {
    type Context = Context<Self>;
}

impl Handler<Letter<PeerRegistered>> for Registry {
    type Result = ();

    fn handle(&mut self, letter: Letter<PeerRegistered>, _: &mut Context<Self>) {
        let (said, cause) = letter.open();
        let introduction = Introduction {
            from: said.from,
            listens: said.listens,
            agent: said.agent,
            slots: said.slots,
        };
        let request = said.reply.request;
        let session = said.reply.session.used_by(NAME);
        let endpoint = said.endpoint;
        if self.newest(&endpoint) > Some(said.session) {
            // What it says of what the peer holds was true when it was held up.
            let why = "the peer has registered on a newer connection since".to_owned();
            return session.tell(RequestRefused { request, why }, cause);
        }
        let now = self.clock.now();
        let known = self.members.latest(&endpoint.peer);
        let is_new = known
            .is_none_or(|(latest, member)| *latest != endpoint || member.introduction.is_none());
        match self.members.registered(&endpoint, introduction, now) {
            Ok(effects) => {
                self.follow(effects, cause);
                if endpoint.is_ours() {
                    let newest = (said.session, session.clone());
                    self.sessions.insert(endpoint.clone(), newest);
                }
                if is_new {
                    // Strangers register on every connection; that is no news.
                    tracing::info!(peer = %endpoint, "a peer joined");
                }
                let joined = PeerJoined {
                    endpoint,
                    holds: said.holds,
                    slots: said.slots,
                    session: said.session,
                    orders: session.clone(),
                };
                self.scheduler.tell(joined, cause);
                session.tell(PeerWelcomed { request }, cause);
            }
            Err(refusal) => {
                let why = refusal.to_string();
                session.tell(RequestRefused { request, why }, cause);
            }
        }
    }
}

impl Handler<Letter<PeerHeard>> for Registry {
    type Result = ();

    fn handle(&mut self, letter: Letter<PeerHeard>, _: &mut Context<Self>) {
        let (PeerHeard { endpoint, beat }, cause) = letter.open();
        let effects = self.members.heard(&endpoint, beat, self.clock.now());
        self.follow(effects, cause);
    }
}

impl Handler<Letter<PeerSaidGoodbye>> for Registry {
    type Result = ();

    fn handle(&mut self, letter: Letter<PeerSaidGoodbye>, _: &mut Context<Self>) {
        let (PeerSaidGoodbye { endpoint, session }, cause) = letter.open();
        if self.newest(&endpoint) > Some(session) {
            // It was held up on its way: the peer has come back since.
            return;
        }
        let effects = self.members.said_goodbye(&endpoint);
        self.follow(effects, cause);
    }
}

impl Handler<Letter<PeerFellSilent>> for Registry {
    type Result = ();

    fn handle(&mut self, letter: Letter<PeerFellSilent>, _: &mut Context<Self>) {
        let (fell, cause) = letter.open();
        let now = self.clock.now();
        let effects = self
            .members
            .fell_silent(&fell.endpoint, fell.silent_for, now);
        self.follow(effects, cause);
    }
}

impl Handler<Letter<ListPeers>> for Registry {
    type Result = ();

    fn handle(&mut self, letter: Letter<ListPeers>, _: &mut Context<Self>) {
        let (ListPeers { reply }, cause) = letter.open();
        let now = self.clock.now();
        let peers = report::of_everybody(&self.members, now);
        self.scheduler.tell(TallyPeers { peers, reply }, cause);
    }
}

impl Handler<Letter<DescribePeer>> for Registry {
    type Result = ();

    fn handle(&mut self, letter: Letter<DescribePeer>, _: &mut Context<Self>) {
        let (DescribePeer { peer, reply }, cause) = letter.open();
        let now = self.clock.now();
        let latest = self.members.latest(&peer);
        let described = PeerDescribed {
            request: reply.request,
            peer: latest.map(|(endpoint, member)| report::of_one(endpoint, member, now)),
        };
        reply.session.used_by(NAME).tell(described, cause);
    }
}
