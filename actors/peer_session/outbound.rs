//! From the answers of other actors to replies on the wire.

use std::collections::VecDeque;

use super::{Desk, FOLLOWED_MAX, PeerSession};
use crate::logic::effect::{Offer, Verdict};
use crate::message_log::{Cause, Name};
use crate::messages::{
    FollowOutput, LoadTask, OfferFailed, OutputWithheld, PayloadLoaded, PeerDescribed, PeersListed,
    QueueDescribed, ReplyTo, RequestRefused, ResultAnswered, TaskOffered,
};
use crate::model::RequestId;
use crate::wire::reply::{Lease, Welcome};
use crate::wire::report::{MasterReport, MasterRole};
use crate::wire::{
    CAPABILITIES, Dialect, Extension, PROTOCOL, Payload, Reply, encode_reply, pack_reply,
};

impl PeerSession {
    pub(super) fn welcome(&mut self, request: RequestId) {
        let Desk::Master(desk) = &self.desk else {
            return;
        };
        let identity = std::sync::Arc::clone(&desk.identity);
        let welcome = self.named.map(|_| Welcome {
            protocol: PROTOCOL,
            master_id: identity.id,
            epoch: identity.epoch,
            heartbeat_s: u32::try_from(identity.heartbeat.as_secs()).unwrap_or(u32::MAX),
            capabilities: CAPABILITIES.iter().map(|name| (*name).into()).collect(),
        });
        self.answer(request, &Reply::Registered { ours: welcome });
    }

    /// The task is loaded as soon as those before it, for the same request, are on their way: one at a time, so that they
    /// go out in order.
    pub(super) fn fetch_offered(&mut self, offered: TaskOffered, cause: Cause) {
        let TaskOffered { request, offer } = offered;
        let Some(pending) = self.pending.get_mut(&request) else {
            let why = "an earlier task of the same answer could not be loaded";
            return self.hand_back([offer], why, cause);
        };
        pending.offers.push_back(offer);
        if pending.offers.len() == 1 {
            self.load_next(request, cause);
        }
    }

    /// Asks for the ZIP of the first task that the request is given and has not got.
    fn load_next(&self, request: RequestId, cause: Cause) {
        let (Desk::Master(desk), Some(session)) = (&self.desk, self.me.clone()) else {
            return;
        };
        let pending = self.pending.get(&request);
        if let Some(offer) = pending.and_then(|pending| pending.offers.front()) {
            let task = offer.task;
            let reply = ReplyTo { session, request };
            desk.folders.tell(LoadTask { task, reply }, cause);
        }
    }

    /// What was offered reaches nobody.
    fn hand_back(&self, offers: impl IntoIterator<Item = Offer>, why: &str, cause: Cause) {
        let Desk::Master(desk) = &self.desk else {
            return;
        };
        for Offer { task, attempt, .. } in offers {
            let why = why.to_owned();
            desk.scheduler
                .tell(OfferFailed { task, attempt, why }, cause);
        }
    }

    /// The connection is gone: what was offered and not loaded yet reaches nobody. Of a stranger this shows only
    /// when it is answered, for until then nothing more is read from it.
    pub(super) fn hand_back_offers(&mut self) {
        let pending: Vec<_> = self.pending.drain().collect();
        let offers = pending.into_iter().flat_map(|(_, pending)| pending.offers);
        let why = "the peer hung up before it got the task";
        self.hand_back(offers, why, Cause::OUTSIDE);
    }

    pub(super) fn send_payload(&mut self, loaded: PayloadLoaded, cause: Cause) {
        let PayloadLoaded {
            request,
            name,
            archive,
        } = loaded;
        let Some(mut pending) = self.pending.remove(&request) else {
            return;
        };
        let offer = pending.offers.pop_front();
        // The envelope has no place for what follows it.
        let payload = match self.speaks_raw() && pending.dialect == Dialect::Flat {
            true => Payload::Behind(archive.bytes().clone()),
            false => Payload::Inside(archive.bytes().clone()),
        };
        let reply = match &offer {
            Some(offer) => Reply::TaskPackage {
                task_name: offer.name.as_str().into(),
                task_data: payload,
                ours: self.names_tries().then(|| lease(offer)),
            },
            None => Reply::ResultPackage {
                result_name: name.into(),
                result_data: payload,
                sha256: archive.digest(),
            },
        };
        let parcel = pack_reply(pending.dialect, pending.id, &reply);
        if offer.is_none_or(|offer| offer.more == 0) {
            return self.writer.send(parcel, Some(pending.turn));
        }
        self.writer.send(parcel, None);
        self.pending.insert(request, pending);
        self.load_next(request, cause);
    }

    /// What was asked cannot be done. A task that could not be loaded is nothing to the peer, and ends the answer: it may
    /// ask again for what should have followed.
    pub(super) fn refuse(&mut self, refused: RequestRefused, cause: Cause) {
        let RequestRefused { request, why } = refused;
        let pending = self.pending.get_mut(&request);
        let mut offers =
            pending.map_or_else(VecDeque::new, |pending| std::mem::take(&mut pending.offers));
        let Some(failed) = offers.pop_front() else {
            return self.answer_error(request, &why, "refused");
        };
        self.hand_back([failed], &why, cause);
        let why = "an earlier task of the same answer could not be loaded";
        self.hand_back(offers, why, cause);
        self.answer(request, &Reply::NoTask);
    }

    pub(super) fn send_verdict(&mut self, answered: ResultAnswered) {
        match answered.verdict {
            Verdict::Taken | Verdict::TakenBefore => self.answer(answered.request, &Reply::Ok),
            Verdict::TooLate => {
                self.answer_error(
                    answered.request,
                    "the task is over; the result was counted, not used",
                    "too_late",
                );
            }
            Verdict::Unmatched(why) => self.answer_error(answered.request, &why, "unmatched"),
            Verdict::Refused(why) => self.answer_error(answered.request, &why, "refused"),
            Verdict::NotStored(why) => self.answer_error(answered.request, &why, "not_stored"),
        }
    }

    pub(super) fn send_peers(&mut self, listed: &PeersListed) {
        let brief = self
            .pending
            .get(&listed.request)
            .is_some_and(|pending| pending.brief);
        if brief {
            let mut ids: Vec<_> = listed
                .peers
                .iter()
                .map(|peer| peer.peer_id.as_str().into())
                .collect();
            ids.dedup();
            self.answer(listed.request, &Reply::Peers(ids));
        } else {
            self.answer(listed.request, &Reply::report(&listed.peers));
        }
    }

    pub(super) fn send_peer_address(&mut self, described: PeerDescribed) {
        let Some(peer) = described.peer else {
            return self.answer_error(described.request, "no such peer is here", "no_such_peer");
        };
        let address = peer.address.parse::<std::net::SocketAddr>().ok();
        let reply = Reply::PeerInfo {
            peer_id: peer.peer_id.as_str().into(),
            peer_ip: address
                .map_or(peer.address.clone(), |address| address.ip().to_string())
                .into(),
            peer_port: address.map_or(0, |address| address.port()),
        };
        self.answer(described.request, &reply);
    }

    pub(super) fn send_status(&mut self, described: QueueDescribed) {
        let Desk::Master(desk) = &self.desk else {
            return;
        };
        let report = MasterReport {
            role: MasterRole::Master,
            name: desk.identity.name.clone(),
            master_id: desk.identity.id,
            version: desk.identity.version.clone(),
            uptime_s: self.clock.now().0 / 1_000_000,
            queue: described.queue,
        };
        self.answer(described.request, &Reply::report(&report));
    }

    /// Has the peer tell what a try prints; the word of one that does not know how would be lost.
    pub(super) fn follow(&mut self, follow: FollowOutput, cause: Cause) {
        let FollowOutput {
            task,
            attempt,
            from,
            lasting,
            listener,
        } = follow;
        let listener = listener.used_by(Name::numbered("peer_session", self.id.0));
        let now = self.clock.now();
        self.followed.retain(|_, (_, until)| now < *until);
        let is_known = self.followed.contains_key(&(task, attempt));
        let has_room = is_known || self.followed.len() < FOLLOWED_MAX;
        if !self.knows(Extension::Output) || !has_room {
            return listener.tell(OutputWithheld { task, attempt }, cause);
        }
        let until = now.after(lasting);
        self.followed.insert((task, attempt), (listener, until));
        let order = Reply::FollowOutput {
            task_id: task,
            attempt,
            follow_ms: u32::try_from(lasting.as_millis()).unwrap_or(u32::MAX),
            from,
        };
        let order = encode_reply(Dialect::Flat, None, &order);
        self.writer.send(order, None);
    }

    pub(super) fn answer_error(&mut self, request: RequestId, message: &str, code: &str) {
        let error = self.error(message.to_owned(), Some(code));
        self.answer(request, &error);
    }

    /// Only who speaks our protocol is told the word for machines; others get their own protocol's bytes.
    pub(super) fn error(&self, message: String, code: Option<&str>) -> Reply<'static> {
        let code = code.filter(|_| self.named.is_some());
        Reply::Error {
            message: message.into(),
            code: code.map(|code| code.to_owned().into()),
        }
    }
}

fn lease(offer: &Offer) -> Lease {
    let limit = offer.time_limit;
    Lease {
        task_id: offer.task,
        attempt: offer.attempt,
        sha256: offer.sha256,
        time_limit_ms: limit.map(|limit| u64::try_from(limit.as_millis()).unwrap_or(u64::MAX)),
        more: offer.more,
    }
}
