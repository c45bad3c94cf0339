//! What a storm does to the world, and how it is mended.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{World, panics};
use crate::addresses::{MASTERS, PEERS, SUBMITTER};
use crate::disk::{Ills, Loss, SimDisk};
use crate::storm::Event;
use crate::tally::Met;

/// What is to happen at a moment, besides the storm's events.
pub(super) enum Due {
    Bounce(usize, bool),
    Well(SimDisk, fn(&mut Ills)),
    Mend(&'static str, &'static str),
    MendOneWay(&'static str, &'static str),
    Release(&'static str, &'static str),
}

impl World {
    pub(super) fn after(&mut self, wait: Duration, due: Due) {
        self.last_due += 1;
        self.due
            .insert((self.sim.elapsed() + wait, self.last_due), due);
    }

    fn host(&self, at: usize) -> &'static str {
        self.seats[at].name
    }

    /// The storm counts the master once, wherever it is.
    pub(super) fn place(&self, victim: usize) -> usize {
        match victim {
            0 => self.active.load(Ordering::Relaxed),
            peer => MASTERS.len() + peer - 1,
        }
    }

    /// The master as it is now, and one that the storm counts.
    fn link_to(&self, other: usize) -> (&'static str, &'static str) {
        let other = if other > PEERS.len() {
            SUBMITTER
        } else {
            self.host(self.place(other))
        };
        (self.host(self.place(0)), other)
    }

    pub(super) fn strike(&mut self, event: Event) {
        self.transcript
            .say("world", &format!("{:?} {event:?}", self.sim.elapsed()));
        match event {
            Event::Crash {
                victim,
                loss,
                down,
                moves,
            } => self.crash(self.place(victim), loss, down, moves),
            Event::Fuse(victim, operations, loss) => {
                let disk = self.disk_of(self.place(victim));
                let at = disk.operations() + operations;
                disk.ail(|ills| ills.fuse = Some(at));
                self.fuse_loss = loss;
            }
            Event::Full(victim, lasts) => {
                let disk = self.disk_of(self.place(victim)).clone();
                disk.ail(|ills| ills.full = true);
                self.after(lasts, Due::Well(disk, |ills| ills.full = false));
            }
            Event::NoFlush(victim, lasts) => {
                let disk = self.disk_of(self.place(victim)).clone();
                disk.ail(|ills| ills.flushes_fail = true);
                self.after(lasts, Due::Well(disk, |ills| ills.flushes_fail = false));
            }
            Event::OneError(victim, operations) => {
                let disk = self.disk_of(self.place(victim));
                let at = disk.operations() + operations;
                disk.ail(|ills| ills.error_after = Some(at));
            }
            Event::Cut(other, lasts) => {
                self.tally.count(Met::Cut);
                let (one, other) = self.link_to(other);
                self.sim.partition(one, other);
                self.after(lasts, Due::Mend(one, other));
            }
            Event::CutOneWay(other, is_back, lasts) => {
                self.tally.count(Met::CutOneWay);
                let (master, other) = self.link_to(other);
                let (one, other) = if is_back {
                    (other, master)
                } else {
                    (master, other)
                };
                self.sim.partition_oneway(one, other);
                self.after(lasts, Due::MendOneWay(one, other));
            }
            Event::Hold(other, lasts) => {
                self.tally.count(Met::Hold);
                let (one, other) = self.link_to(other);
                self.sim.hold(one, other);
                self.after(lasts, Due::Release(one, other));
            }
            Event::Slow(most) => {
                self.tally.count(Met::Slow);
                self.sim.set_max_message_latency(most);
            }
        }
    }

    pub(super) fn fall_due(&mut self, due: Due) {
        match due {
            Due::Bounce(place, moves) => self.bounce(place, moves),
            Due::Well(disk, heal) => disk.ail(heal),
            Due::Mend(one, other) => self.sim.repair(one, other),
            Due::MendOneWay(one, other) => self.sim.repair_oneway(one, other),
            Due::Release(one, other) => self.sim.release(one, other),
        }
    }

    fn others(&self, place: usize) -> Vec<&'static str> {
        let hosts = MASTERS.into_iter().chain(PEERS).chain([SUBMITTER]);
        hosts.filter(|name| *name != self.host(place)).collect()
    }

    fn disk_of(&self, place: usize) -> &SimDisk {
        match place.checked_sub(MASTERS.len()) {
            Some(peer) => &self.peer_disks[peer],
            None => &self.disk,
        }
    }

    /// Ends the present life of a host.
    pub(super) fn crash(&mut self, place: usize, loss: Loss, down: Duration, moves: bool) {
        if std::mem::replace(&mut self.is_down[place], true) {
            return;
        }
        self.tally.count(match loss {
            _ if place >= MASTERS.len() => Met::PeerDied,
            Loss::Power => Met::MasterPowerCut,
            Loss::Process => Met::MasterKilled,
        });
        let name = self.host(place);
        self.transcript.say(
            "world",
            &format!("{:?} {name} dies: {loss:?}", self.sim.elapsed()),
        );
        if self.options.is_recorded && place < MASTERS.len() {
            self.transcript.say(
                "world",
                &format!("its disk before: {}", self.disk.listing()),
            );
        }
        self.seats[place].life().end();
        let disk = self.disk_of(place).clone();
        disk.die();
        if loss == Loss::Power {
            // A machine without power says no goodbye.
            for other in self.others(place) {
                self.sim.partition(name, other);
            }
        }
        panics::unheard(|| self.sim.crash(name));
        disk.lose(loss, &mut self.dice);
        if self.options.is_recorded && place < MASTERS.len() {
            self.transcript
                .say("world", &format!("its disk after: {}", self.disk.listing()));
        }
        self.after(down, Due::Bounce(place, moves));
    }

    /// Starts a host again; a master perhaps on its other address.
    fn bounce(&mut self, place: usize, moves: bool) {
        if !std::mem::replace(&mut self.is_down[place], false) {
            return;
        }
        let name = self.host(place);
        for other in self.others(place) {
            self.sim.repair(name, other);
        }
        if moves && place < MASTERS.len() {
            self.tally.count(Met::MasterMoved);
            let other = 1 - place;
            self.active.store(other, Ordering::Relaxed);
            self.transcript.say(
                "world",
                &format!("the master moves to {}", self.host(other)),
            );
            let other = self.host(other);
            panics::unheard(|| self.sim.crash(other));
            self.sim.bounce(other);
        }
        self.sim.bounce(name);
    }

    /// Crashes who is to die of its disk or of its task.
    pub(super) fn bury_the_dying(&mut self) {
        for victim in 0..=PEERS.len() {
            let place = self.place(victim);
            if self.disk_of(place).has_blown() {
                self.tally.count(Met::FuseBlown);
                let (loss, down) = (self.fuse_loss, self.dice.millis(100..4_000));
                let moves = self.dice.percent(20);
                self.crash(place, loss, down, moves);
            }
        }
        for place in 0..self.seats.len() {
            if self.seats[place].life().is_to_die() {
                let down = self.dice.millis(500..3_000);
                self.crash(place, Loss::Process, down, false);
            }
        }
    }

    /// The storm is over: everything is mended, and everybody is up.
    pub(super) fn clear_up(&mut self) {
        self.transcript
            .say("world", &format!("{:?} quiet", self.sim.elapsed()));
        self.due.clear();
        self.loss.store(0, Ordering::Relaxed);
        for disk in self.peer_disks.iter().chain([&self.disk]) {
            disk.ail(Ills::end);
        }
        for place in 0..self.seats.len() {
            for other in self.others(place) {
                self.sim.release(self.host(place), other);
            }
            self.bounce(place, false);
        }
        self.sim.set_max_message_latency(Duration::from_millis(20));
    }
}
