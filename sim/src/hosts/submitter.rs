//! Somebody who hands tasks in over the wire, and tries again until each is accepted.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mutirao_actors::model::TaskId;
use mutirao_actors::wire::{Payload, Reply, Request, parse_reply};
use mutirao_rig::dice::Dice;
use tokio::time::sleep;

use super::PORT;
use super::speaker::ask;
use crate::tally::{Met, Tally};
use crate::work::Piece;

/// What was accepted: its id, and the name under which it was handed in.
pub type Accepted = (TaskId, String);

/// Everything that was accepted in a run.
#[derive(Debug, Clone, Default)]
pub struct Receipts(Arc<Mutex<Vec<Accepted>>>);

impl Receipts {
    /// So far.
    pub fn list(&self) -> MutexGuard<'_, Vec<Accepted>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who hands in.
#[derive(Debug, Clone)]
pub struct Submitter {
    /// What.
    pub pieces: Vec<Piece>,
    /// Hosts on which a master may be.
    pub masters: Vec<&'static str>,
    /// Where it notes what was accepted.
    pub receipts: Receipts,
    /// Its chance.
    pub dice: Dice,
    /// The longest pause between two tasks, in milliseconds.
    pub pause: u64,
    /// Where it is counted that it tried again.
    pub tally: Tally,
}

impl Submitter {
    /// Hands everything in.
    pub async fn submit_all(mut self) -> turmoil::Result {
        for piece in std::mem::take(&mut self.pieces) {
            sleep(self.dice.millis(0..self.pause)).await;
            while !self.submit(&piece).await {
                self.tally.count(Met::SubmittedAgain);
                sleep(self.dice.millis(500..3_000)).await;
            }
        }
        Ok(())
    }

    /// Whether it was accepted by anybody.
    async fn submit(&self, piece: &Piece) -> bool {
        let request = Request::SubmitTask {
            task_name: piece.name.as_str().into(),
            task_data: Payload::Inside(piece.archive.bytes().clone()),
            sha256: Some(piece.archive.digest()),
            group: None,
            priority: None,
            time_limit_s: None,
            max_fails: None,
            part: None,
            after: None,
            max_running: None,
            retries: None,
        };
        for master in &self.masters {
            let to = SocketAddr::new(turmoil::lookup(*master), PORT);
            let Ok(bytes) = tokio::time::timeout(Duration::from_secs(10), ask(to, &request)).await
            else {
                continue;
            };
            let Ok(bytes) = bytes else { continue };
            if let Ok(Reply::Accepted { task_id, .. }) =
                parse_reply(&bytes).map(|heard| heard.reply)
            {
                self.receipts.list().push((task_id, piece.name.clone()));
                return true;
            }
        }
        false
    }
}
