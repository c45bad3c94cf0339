//! A peer that knows the fixed part of the protocol only: a connection for each message, no attempt, perhaps no names.

use std::net::SocketAddr;
use std::time::Duration;

use mutirao_actors::model::{Archive, PeerId};
use mutirao_actors::runner::Finished;
use mutirao_actors::wire::{Payload, Reply, Request, parse_reply};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::speaker::ask;
use super::{PORT, Seat};
use crate::tap::{Acked, Acks};
use crate::work::Works;

/// The pause between two questions.
const PAUSE: Duration = Duration::from_secs(2);
/// How long it lets a script run.
const LIMIT: Duration = Duration::from_secs(60);
/// How often it hands a result in before it gives up.
const TRIES_MAX: u32 = 3;

/// What its machine is.
#[derive(Debug, Clone)]
pub struct Stranger {
    /// Its seat.
    pub seat: Seat,
    /// Who it is.
    pub id: PeerId,
    /// Hosts on which a master may be.
    pub masters: Vec<&'static str>,
    /// Whether it sends back the name that it was given.
    pub echoes: bool,
    /// The tasks.
    pub works: Works,
    /// Where acks are noted.
    pub acks: Acks,
}

impl Stranger {
    /// Works until the host is crashed.
    pub async fn work(self) -> turmoil::Result {
        let begun = self.seat.begin();
        loop {
            for master in &self.masters {
                let at = SocketAddr::new(turmoil::lookup(*master), PORT);
                while self.work_once(at, &begun.life).await.is_some() {}
            }
            sleep(PAUSE).await;
        }
    }

    /// Registers, asks for a task, runs it and hands its result in; none when nothing came of it.
    async fn work_once(&self, at: SocketAddr, life: &crate::life::Life) -> Option<()> {
        let peer_id = || self.id.clone();
        let register = Request::Register {
            peer_id: peer_id(),
            address: None,
            ours: None,
        };
        ask(at, &register).await.ok()?;
        let wants = Request::RequestTask {
            peer_id: peer_id(),
            wait_ms: None,
            spare: false,
            count: None,
        };
        let reply = ask(at, &wants).await.ok()?;
        let Reply::TaskPackage {
            task_name,
            task_data,
            ..
        } = parse_reply(&reply).ok()?.reply
        else {
            return None;
        };
        let zip = Archive::new(task_data.decode().ok()?);
        let never = CancellationToken::new();
        let Some(Finished { result, outcome }) = self.works.run(&zip, Some(LIMIT), &never).await
        else {
            life.wish_to_die();
            return std::future::pending().await;
        };
        // It cannot say how a run ended: it hands in only what succeeded, and asks again after the rest.
        if !outcome.ending.is_success() {
            return Some(());
        }
        let submit = Request::SubmitResult {
            peer_id: peer_id(),
            result_name: self.echoes.then(|| task_name.clone()),
            result_data: Payload::Inside(result.bytes().clone()),
            task_id: None,
            attempt: None,
            sha256: None,
            outcome: None,
        };
        for _ in 0..TRIES_MAX {
            if let Ok(reply) = ask(at, &submit).await {
                if let Ok(Reply::Ok) = parse_reply(&reply).map(|heard| heard.reply) {
                    let acked = Acked {
                        of: None,
                        sha256: result.digest(),
                    };
                    self.acks.note(acked);
                }
                break;
            }
            sleep(PAUSE).await;
        }
        Some(())
    }
}
