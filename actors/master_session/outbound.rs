//! From what the mind wants said to bytes.

use std::time::Duration;

use super::{MasterSession, NAME};
use crate::logic::client::Say;
use crate::message_log::Cause;
use crate::messages::{PeerReported, ReplyTo};
use crate::model::Dialect;
use crate::wire::report::{PeerReport, PeerRole, PeerRunningRow};
use crate::wire::request::{Address, PeerOffer};
use crate::wire::{CAPABILITIES, PROTOCOL, Payload, Request, encode_request};

impl MasterSession {
    pub(super) fn say(&mut self, id: u64, dialect: Dialect, say: Say) {
        let Some(writer) = &self.writer else { return };
        let peer_id = self.identity.id.clone();
        // Only a master of ours is told numbers: others were never asked to send them back.
        let id = self.mind.is_ours().then_some(id);
        let payload = match &say {
            Say::HandIn(hand_in) => Some(hand_in.result.clone()),
            _ => None,
        };
        let introduction = matches!(say, Say::Register(_)).then(|| self.identity.clone());
        let ours = self.mind.is_ours();
        let host = self.local.map(|ip| ip.to_string());
        let encode = move || {
            let request = match &say {
                Say::Register(holds) => {
                    let identity = introduction.as_ref();
                    let offer = identity.map(|identity| PeerOffer {
                        protocol: PROTOCOL,
                        agent: identity.agent.as_str().into(),
                        boot_id: identity.boot,
                        slots: identity.slots,
                        capabilities: CAPABILITIES.iter().map(|name| (*name).into()).collect(),
                        holds: holds.clone(),
                    });
                    let address = identity.map(|identity| Address {
                        host: host.as_deref().map(Into::into),
                        port: identity.port,
                    });
                    Request::Register {
                        peer_id,
                        address,
                        ours: offer,
                    }
                }
                Say::Heartbeat => Request::Heartbeat { peer_id },
                Say::Ask(wait) => Request::RequestTask {
                    peer_id,
                    wait_ms: wait.map(millis),
                },
                Say::Leave => Request::Leave { peer_id },
                Say::HandIn(hand_in) => Request::SubmitResult {
                    peer_id,
                    result_name: Some(hand_in.name.as_str().into()),
                    result_data: Payload::Raw(hand_in.result.bytes()),
                    task_id: ours.then_some(hand_in.key.0),
                    attempt: ours.then_some(hand_in.key.1),
                    sha256: ours.then(|| hand_in.result.digest()),
                    outcome: ours.then(|| hand_in.outcome.clone()),
                },
            };
            encode_request(dialect, id, &request)
        };
        match payload {
            Some(payload) => writer.send_payload(payload, encode, None),
            None => writer.send(encode(), None),
        }
    }

    /// Tells somebody who asked on this peer's own port how it is.
    pub(super) fn describe(&self, reply: ReplyTo, cause: Cause) {
        let now = self.clock.now();
        let running: Vec<_> = self
            .mind
            .running()
            .map(|(name, since)| PeerRunningRow {
                task_name: name.to_owned(),
                for_s: now.since(since).as_secs(),
            })
            .collect();
        let slots = self.identity.slots;
        let report = PeerReport {
            role: PeerRole::Peer,
            peer_id: self.identity.id.clone(),
            version: self.identity.version.clone(),
            master: self.mind.master().map(|master| master.name.clone()),
            slots,
            free: slots.saturating_sub(u32::try_from(running.len()).unwrap_or(u32::MAX)),
            running,
            python: self.identity.python.clone(),
        };
        let request = reply.request;
        reply
            .session
            .used_by(NAME)
            .tell(PeerReported { request, report }, cause);
    }
}

fn millis(wait: Duration) -> u32 {
    u32::try_from(wait.as_millis()).unwrap_or(u32::MAX)
}
