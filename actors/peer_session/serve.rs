//! From what is wanted to the letters that ask for it.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::inbound::{HandIn, Introduction, NewTask, Told, Wanted, Wish};
use super::{Desk, MasterDesk, PeerSession, Pending};
use crate::connection::Turn;
use crate::logic::ledger::Meant;
use crate::logic::standing::HOLDS_MAX;
use crate::message_log::Cause;
use crate::messages::{
    AdoptAfter, AdoptTask, CancelGroup, CancelSome, CancelTask, DescribeGathered, DescribeGroup,
    DescribePeer, DescribePeerSelf, DescribeQueue, DescribeTask, DrainPeer, ListGroups, ListPeers,
    ListTasks, LoadResult, OpenGroup, OutputCame, PeerHeard, PeerRegistered, PeerSaidGoodbye,
    ReplyTo, ResultSubmitted, RetryGroup, RetrySome, RetryTask, TaskRequested,
};
use crate::model::{Endpoint, Life, PeerId, RequestId};
use crate::wire::{Dialect, Extension, Reply};

/// The registry is told of a speaker's words at most this often, save its heartbeats: it only needs to know that it lives.
const TELL_EVERY: Duration = Duration::from_secs(1);
/// The longest that a request waits for a task, whatever it asks for: shorter than NATs and firewalls forget a quiet connection.
const WAIT_MAX: Duration = Duration::from_secs(60);
/// Tasks that one request may get, whatever it asks for: what makes a journey cheap per task, without letting one message
/// empty the queue before the others have asked.
const COUNT_MAX: u32 = 16;
/// Slots of a peer that does not say, for it takes one task at a time.
const SLOTS_UNSAID: u32 = 1;
/// Why something was cancelled, where whoever did it does not say.
const BY_COMMAND: &str = "cancelled by command";

impl PeerSession {
    /// Takes one message in.
    pub(super) fn hear(&mut self, told: Told, turn: Turn) {
        self.last_request.0 += 1;
        let request = self.last_request;
        let dialect = self.dialect_of(&told);
        self.spoken = dialect;
        let brief = matches!(told.wanted, Ok(Wanted::PeerIds));
        let pending = Pending {
            dialect,
            id: told.id,
            turn,
            offers: VecDeque::new(),
            brief,
        };
        self.pending.insert(request, pending);
        match told.wanted {
            Ok(wanted) => match self.desk.clone() {
                Desk::Master(desk) => self.serve(&desk, request, wanted),
                Desk::Peer(_) => self.serve_at_peer(request, &wanted),
            },
            Err(error) => {
                self.span().in_scope(|| {
                    tracing::warn!(remote = %self.remote, "refused a message: {error}");
                });
                self.answer_error(request, &error.to_string(), error.code());
            }
        }
    }

    /// Most words of the super-peer dialect are anyone's, and what cannot be read may tell of no dialect at all:
    /// then the words before tell.
    fn dialect_of(&self, told: &Told) -> Dialect {
        match (self.spoken, told.dialect, &told.wanted) {
            (Dialect::SuperPeer, Dialect::Flat, _) | (_, Dialect::Flat, Err(_)) => self.spoken,
            (_, dialect, _) => dialect,
        }
    }

    fn serve(&mut self, desk: &MasterDesk, request: RequestId, wanted: Wanted) {
        let cause = Cause::OUTSIDE;
        let Some(reply) = self.reply_to(request) else {
            return;
        };
        match wanted {
            Wanted::Register(peer, said) if self.is_another(&peer, &said) => self.answer_error(
                request,
                "this connection belongs to another peer: open one of your own",
                "another_peer",
            ),
            Wanted::Register(peer, said) => self.register(desk, peer, said, reply),
            Wanted::Heartbeat(peer) => {
                self.lives(desk, &peer, true);
                self.answer(request, &Reply::Alive);
            }
            Wanted::Task(peer, wish) => {
                let endpoint = self.lives(desk, &peer, false);
                desk.scheduler.tell(
                    TaskRequested {
                        endpoint,
                        session: self.id,
                        wait: wish.wait.min(WAIT_MAX),
                        is_spare: wish.is_spare,
                        count: self.count_of(&wish),
                        reply,
                    },
                    cause,
                );
            }
            Wanted::HandIn(
                peer,
                HandIn {
                    claim,
                    archive,
                    outcome,
                },
            ) => {
                let endpoint = self.lives(desk, &peer, false);
                desk.scheduler.tell(
                    ResultSubmitted {
                        endpoint,
                        session: self.id,
                        claim,
                        archive,
                        outcome,
                        reply,
                    },
                    cause,
                );
            }
            Wanted::Output(peer, _, _) if !self.is_here(&peer) => self.answer_error(
                request,
                "what a try prints is told by the peer that has it, on the connection on which it introduced itself: send REGISTER",
                "another_peer",
            ),
            Wanted::Output(peer, (task, attempt), piece) => {
                self.lives(desk, &peer, false);
                match self.followed.get(&(task, attempt)) {
                    Some((listener, _)) => {
                        let came = OutputCame {
                            task,
                            attempt,
                            piece,
                        };
                        listener.tell(came, cause);
                        self.answer(request, &Reply::Ok);
                    }
                    None => self.answer_error(
                        request,
                        "nobody here follows what this try prints",
                        "not_followed",
                    ),
                }
            }
            Wanted::Leave(peer) => {
                let endpoint = self.endpoint(&peer);
                let session = self.id;
                desk.registry
                    .tell(PeerSaidGoodbye { endpoint, session }, cause);
                self.answer(request, &Reply::Left);
            }
            Wanted::PeerIds | Wanted::Peers => desk.registry.tell(ListPeers { reply }, cause),
            Wanted::PeerAddress(peer) => desk.registry.tell(DescribePeer { peer, reply }, cause),
            Wanted::Status => desk.scheduler.tell(DescribeQueue { reply }, cause),
            Wanted::NewTask(NewTask {
                name,
                archive,
                group,
                wishes,
                part,
            }) => {
                let group = group.unwrap_or_else(|| Arc::from(self.remote.ip().to_string()));
                let after = wishes.after;
                let adopt = AdoptTask {
                    name,
                    archive,
                    group,
                    wishes,
                    part,
                    reply,
                };
                match after {
                    Some(after) => desk.scheduler.tell(AdoptAfter { after, adopt }, cause),
                    None => desk.folders.tell(adopt, cause),
                }
            }
            Wanted::NewGroup(name) => desk.folders.tell(OpenGroup { name, reply }, cause),
            Wanted::Tasks(sought, before, limit) => {
                let list = ListTasks {
                    sought,
                    before,
                    limit,
                    reply,
                };
                desk.scheduler.tell(list, cause);
            }
            Wanted::Groups(before, limit) => {
                let list = ListGroups {
                    before,
                    limit,
                    reply,
                };
                desk.scheduler.tell(list, cause);
            }
            Wanted::GroupStatus(group, why) => {
                desk.scheduler
                    .tell(DescribeGroup { group, why, reply }, cause);
            }
            Wanted::Gathered(group) => {
                desk.folders.tell(DescribeGathered { group, reply }, cause);
            }
            Wanted::CancelGroup(group, reason) => {
                let why = reason.unwrap_or_else(|| BY_COMMAND.to_owned());
                desk.scheduler
                    .tell(CancelGroup { group, why, reply }, cause);
            }
            Wanted::Drain(peer, is_drained) => {
                let drain = DrainPeer {
                    peer,
                    is_drained,
                    reply,
                };
                desk.scheduler.tell(drain, cause);
            }
            Wanted::RetryTask(task) => desk.scheduler.tell(RetryTask { task, reply }, cause),
            Wanted::RetryGroup(group, states) => {
                let retry = RetryGroup {
                    group,
                    states,
                    reply,
                };
                desk.scheduler.tell(retry, cause);
            }
            Wanted::CancelSome(sought, reason, from) => {
                let cancel = CancelSome {
                    sought,
                    meant: Meant::From(from),
                    why: reason.unwrap_or_else(|| BY_COMMAND.to_owned()),
                    reply,
                };
                desk.scheduler.tell(cancel, cause);
            }
            Wanted::RetrySome(sought, from) => {
                let retry = RetrySome {
                    sought,
                    meant: Meant::From(from),
                    reply,
                };
                desk.scheduler.tell(retry, cause);
            }
            Wanted::TaskStatus(task, why) => {
                desk.scheduler
                    .tell(DescribeTask { task, why, reply }, cause);
            }
            Wanted::Result(task) => {
                let load = LoadResult {
                    task,
                    reader: self.remote.ip(),
                    reply,
                };
                desk.folders.tell(load, cause);
            }
            Wanted::Cancel(task, reason) => {
                let why = reason.unwrap_or_else(|| BY_COMMAND.to_owned());
                desk.scheduler.tell(CancelTask { task, why, reply }, cause);
            }
            Wanted::Unknown(action) => self.answer_unknown(request, &action),
        }
    }

    /// A peer's own port answers only how the peer is.
    fn serve_at_peer(&mut self, request: RequestId, wanted: &Wanted) {
        let reply = self.reply_to(request);
        match (wanted, &self.desk, reply) {
            (Wanted::Heartbeat(_), _, _) => self.answer(request, &Reply::Alive),
            (Wanted::Status, Desk::Peer(peer), Some(reply)) => {
                peer.tell(DescribePeerSelf { reply }, Cause::OUTSIDE);
            }
            (Wanted::Unknown(action), _, _) => self.answer_unknown(request, action),
            _ => self.answer_error(
                request,
                "this is a peer: it answers HEARTBEAT and STATUS; STATUS names its master, which answers the rest",
                "not_a_master",
            ),
        }
    }

    /// Whether this peer of ours introduced itself on this connection.
    fn is_here(&self, peer: &PeerId) -> bool {
        self.ours.as_ref().is_some_and(|(ours, _)| ours == peer)
    }

    /// Whether a peer of ours introduces itself where another, or another life of it, already has.
    fn is_another(&self, peer: &PeerId, said: &Introduction) -> bool {
        let named = said.ours.as_ref().map(|ours| (peer, ours.boot));
        let here = self.ours.as_ref().map(|(peer, boot)| (peer, *boot));
        here.is_some() && named.is_some() && here != named
    }

    fn register(&mut self, desk: &MasterDesk, peer: PeerId, said: Introduction, reply: ReplyTo) {
        let mut said = said;
        // The word of a stranger, or of who names too little, changes nothing of what was agreed with a peer of ours.
        if self.ours.is_some() {
            said.ours = said.ours.filter(|ours| ours.named.make_a_peer());
        }
        if said.ours.is_some() || self.ours.is_none() {
            self.named = said.ours.as_ref().map(|ours| ours.named);
        }
        let ours = said.ours.as_ref();
        if let (Some(ours), None) = (ours.filter(|ours| ours.named.make_a_peer()), &self.ours) {
            self.ours = Some((peer.clone(), ours.boot));
            self.writer.allow_many();
        }
        if self.speaks_raw() {
            self.writer.take_raw();
        }
        let endpoint = self.endpoint(&peer);
        self.told = Some((endpoint.clone(), self.clock.now()));
        let listens = said
            .port
            .map(|port| SocketAddr::new(self.host_of(said.host.as_deref()), port));
        let session = self.id;
        let is_ours = endpoint.is_ours();
        let (agent, slots, holds) = match said.ours {
            Some(ours) if is_ours => {
                let slots = ours.slots.min(HOLDS_MAX as u32);
                (Some(ours.agent), slots, Some(ours.holds))
            }
            said => (said.map(|ours| ours.agent), SLOTS_UNSAID, None),
        };
        let registered = PeerRegistered {
            endpoint,
            session,
            from: self.remote.ip(),
            listens,
            agent,
            slots,
            holds,
            reply,
        };
        desk.registry.tell(registered, Cause::OUTSIDE);
    }

    /// The host that a peer says it listens on is believed only if it could be reached from elsewhere.
    fn host_of(&self, said: Option<&str>) -> IpAddr {
        let said = said.and_then(|host| host.parse::<IpAddr>().ok());
        let seen = self.remote.ip();
        said.filter(|ip| !ip.is_unspecified() && (!ip.is_loopback() || seen.is_loopback()))
            .unwrap_or(seen)
    }

    /// Who speaks: a peer of ours by the life that it named on this connection, any other by its address.
    fn endpoint(&self, peer: &PeerId) -> Endpoint {
        let life = match &self.ours {
            Some((ours, boot)) if ours == peer => Life::Boot(*boot),
            _ => Life::Address(self.remote.ip()),
        };
        Endpoint {
            peer: peer.clone(),
            life,
        }
    }

    /// A long message is one word that takes its time, and a heartbeat behind it cannot be heard: whoever moves bytes
    /// lives, and whoever moves none because we have no room for them is not silent. Others than ours are not given up while
    /// they work, and need not be told.
    pub(super) fn tell_if_moving(&mut self) {
        let moved = self.moved.bytes();
        let has_moved = std::mem::replace(&mut self.moved_before, moved) != moved;
        if !has_moved && !self.writer.is_kept_waiting() {
            return;
        }
        if let (Desk::Master(desk), Some((peer, _))) = (self.desk.clone(), self.ours.clone()) {
            self.lives(&desk, &peer, false);
        }
    }

    /// Tells the registry that the peer lives, unless it was just told.
    fn lives(&mut self, desk: &MasterDesk, peer: &PeerId, beat: bool) -> Endpoint {
        let endpoint = self.endpoint(peer);
        let now = self.clock.now();
        let known = self
            .told
            .as_ref()
            .is_some_and(|(told, at)| *told == endpoint && now.since(*at) < TELL_EVERY);
        if beat || !known {
            self.told = Some((endpoint.clone(), now));
            desk.registry.tell(
                PeerHeard {
                    endpoint: endpoint.clone(),
                    beat,
                },
                Cause::OUTSIDE,
            );
        }
        endpoint
    }

    /// How many tasks the request is given at most; who has not named the extension is given one.
    fn count_of(&self, wish: &Wish) -> u32 {
        let said = wish.count.filter(|_| self.knows(Extension::Count));
        said.unwrap_or(1).clamp(1, COUNT_MAX)
    }

    fn reply_to(&self, request: RequestId) -> Option<ReplyTo> {
        let session = self.me.clone()?;
        Some(ReplyTo { session, request })
    }

    fn answer_unknown(&mut self, request: RequestId, action: &str) {
        let shown: String = action.chars().take(40).collect();
        let message = format!("the action {shown:?} is not known here");
        self.answer_error(request, &message, crate::wire::reply::UNKNOWN_ACTION);
    }
}
