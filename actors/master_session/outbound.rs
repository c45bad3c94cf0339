//! From what the mind wants said to bytes.

use std::time::Duration;

use super::{MasterSession, NAME};
use crate::logic::client::{Say, Want};
use crate::message_log::Cause;
use crate::messages::{PeerReported, ReplyTo};
use crate::model::{Archive, Dialect};
use crate::wire::report::{PeerReport, PeerRole, PeerRunningRow};
use crate::wire::request::{Address, PeerOffer};
use crate::wire::{Extension, PROTOCOL, Payload, Request, capabilities_of_peers, pack_request};

impl MasterSession {
    pub(super) fn say(&mut self, id: u64, dialect: Dialect, say: Say) {
        let Some(writer) = &self.writer else { return };
        let peer_id = self.identity.id.clone();
        let ours = self.mind.is_ours();
        // Only a master of ours is told numbers: others were never asked to send them back.
        let id = ours.then_some(id);
        let tells_outcome = ours && self.named.has(Extension::Outcome);
        let request = match &say {
            Say::Register(holds) => Request::Register {
                peer_id,
                address: Some(Address {
                    host: self.local.map(|ip| ip.to_string().into()),
                    port: self.identity.port,
                }),
                ours: Some(PeerOffer {
                    protocol: PROTOCOL,
                    agent: self.identity.agent.as_str().into(),
                    boot_id: self.identity.boot,
                    slots: self.mind.slots(),
                    capabilities: capabilities_of_peers().map(Into::into).collect(),
                    holds: holds.clone(),
                }),
            },
            Say::Heartbeat => Request::Heartbeat { peer_id },
            Say::Ask(want) => Request::RequestTask {
                peer_id,
                wait_ms: match *want {
                    Want::Slot(wait) => wait.map(millis),
                    Want::Spare => None,
                },
                spare: *want == Want::Spare,
                count: None,
            },
            Say::Leave => Request::Leave { peer_id },
            Say::Output((task_id, attempt), piece) => Request::Output {
                peer_id,
                task_id: *task_id,
                attempt: *attempt,
                stream: piece.stream,
                offset: piece.offset,
                printed: Payload::Inside(piece.bytes.clone()),
            },
            Say::HandIn(hand_in) => Request::SubmitResult {
                peer_id,
                result_name: Some(hand_in.name.as_str().into()),
                result_data: self.payload(dialect, &hand_in.result),
                task_id: ours.then_some(hand_in.key.0),
                attempt: ours.then_some(hand_in.key.1),
                sha256: ours.then(|| hand_in.result.digest()),
                outcome: tells_outcome.then(|| hand_in.outcome.clone()),
            },
        };
        writer.send(pack_request(dialect, id, &request), None);
    }

    /// The envelope has no place for what follows it.
    fn payload(&self, dialect: Dialect, result: &Archive) -> Payload<'static> {
        match self.named.has(Extension::Raw) && dialect == Dialect::Flat {
            true => Payload::Behind(result.bytes().clone()),
            false => Payload::Inside(result.bytes().clone()),
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
