//! Who takes part in a run: masters, peers, perhaps a stranger, and who hands tasks in.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use mutirao_actors::schedulers::SCHEDULERS;

use super::{Delivery, Mutant, World};
use crate::addresses::{MASTERS, PEERS, SUBMITTER};
use crate::hosts::master::MasterHost;
use crate::hosts::peer::PeerHost;
use crate::hosts::stranger::Stranger;
use crate::hosts::submitter::Submitter;
use crate::store::Amnesia;
use crate::work::Piece;

impl World {
    pub(super) fn start_masters(&mut self) {
        let scheduler = SCHEDULERS
            .get(self.dice.index(SCHEDULERS.len()))
            .unwrap_or(&SCHEDULERS[0]);
        let lives = Arc::new(AtomicU64::new(0));
        for (number, name) in MASTERS.into_iter().enumerate() {
            let host = MasterHost {
                seat: self.seats[number].clone(),
                number,
                active: Arc::clone(&self.active),
                lives: Arc::clone(&lives),
                disk: self.disk.clone(),
                witness: self.witness.clone(),
                amnesia: match self.options.mutant {
                    Mutant::ForgetsEverything => Amnesia::Everything,
                    Mutant::ForgetsEndings => Amnesia::Endings,
                    _ => Amnesia::None,
                },
                scheduler,
                is_fenced: self.options.mutant != Mutant::Unfenced,
                loss: Arc::clone(&self.loss),
                slowest: self.storm.slowest,
                tally: self.tally.clone(),
            };
            self.sim.host(name, move || host.clone().serve());
        }
    }

    pub(super) fn start_peers(&mut self) {
        for (number, name) in PEERS.into_iter().enumerate() {
            let seat = self.seats[MASTERS.len() + number].clone();
            let Ok(id) = format!("peer-{number}").parse() else {
                continue;
            };
            if number + 1 == PEERS.len() {
                let stranger = Stranger {
                    seat,
                    id,
                    masters: MASTERS.to_vec(),
                    echoes: self.dice.percent(50),
                    works: self.works.clone(),
                    acks: self.acks.clone(),
                };
                let is_here = self.has_stranger;
                self.sim.host(name, move || {
                    let stranger = stranger.clone();
                    async move {
                        if is_here {
                            stranger.work().await
                        } else {
                            Ok(())
                        }
                    }
                });
                continue;
            }
            let host = PeerHost {
                seat,
                id,
                slots: 1 + u32::try_from(self.dice.below(3)).unwrap_or(0),
                disk: self.peer_disks[number].clone(),
                slowest: self.storm.slowest,
                works: self.works.clone(),
                acks: self.acks.clone(),
                misattributes: self.options.mutant == Mutant::Misattribution,
                loss: Arc::clone(&self.loss),
                tally: self.tally.clone(),
            };
            self.sim.host(name, move || host.clone().work());
        }
    }

    pub(super) fn draw_tasks(&mut self) {
        let mut dice = self.dice.fork("tasks");
        // Most often there is work for as long as the storm lasts.
        let lasts = u64::try_from(self.storm.ends.as_millis()).unwrap_or(u64::MAX);
        let count = 2 + dice.below(30);
        let mut pieces = Vec::new();
        for number in 0..count {
            let Ok(piece) = Piece::draw(format!("t{number}.zip"), &mut dice) else {
                continue;
            };
            let digest = piece.archive.digest();
            self.works.book().pieces.insert(digest, piece.clone());
            if dice.percent(30) {
                let is_flushed = dice.percent(50);
                self.to_drop.push(Delivery {
                    at: dice.millis(0..lasts),
                    piece,
                    is_flushed,
                });
            } else {
                pieces.push(piece);
            }
        }
        self.submitted = pieces.len();
        let submitter = Submitter {
            pieces,
            masters: MASTERS.to_vec(),
            receipts: self.receipts.clone(),
            pause: if dice.percent(25) {
                200
            } else {
                2 * lasts / count
            },
            dice,
            tally: self.tally.clone(),
        };
        self.sim.client(SUBMITTER, submitter.submit_all());
    }
}
