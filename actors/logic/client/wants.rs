//! For what the peer wants a task, and what becomes of one that no slot is free for.

use std::time::Duration;

use super::{Assignment, Client, Order, Run, Say, Want};
use crate::model::Moment;

/// How long a request waits at a master of ours: shorter than NATs and firewalls forget a quiet connection.
const ASK_WAIT: Duration = Duration::from_secs(25);
/// Requests on their way at once: with results and a heartbeat fewer than a master hears of at once (`IN_FLIGHT_MAX` of a
/// connection).
const ASKS_MAX: usize = 32;
/// Results that a master has not taken before it gets no more work done: they are kept in memory and on disk. Those that
/// wait for other masters have as much room again, all together.
const UNTAKEN_MAX: usize = 64;

impl Client {
    /// What a task is wanted for, if one is.
    ///
    /// A master that is not ours gets one run at a time: it may take the second request for giving up the first.
    /// At one of ours a single request waits, and only for a slot that is free, so what comes for it is begun at once. More
    /// are said while it gives, and are answered at once.
    pub(super) fn next_want(&self) -> Option<Want> {
        let asks = self.asks();
        if !self.has_room_for_results(asks) {
            return None;
        }
        let Some(ours) = self.ours else {
            let busy = |run: &Run| run.result.is_none() || self.may_have(run);
            return (!self.runs.values().any(busy)).then_some(Want::Slot(None));
        };
        let waits = self.is_said(|say| matches!(say, Say::Ask(Want::Slot(Some(_)))));
        let may_ask_more = asks - usize::from(waits) < self.spares.asks_max().min(ASKS_MAX);
        let slots = self.terms.slots as usize;
        let busy = self.running().count() + self.spares.len() + asks;
        let spares = match ours.has_spares {
            true => self.spares.wanted(slots),
            false => 0,
        };
        if busy < slots && !waits {
            Some(Want::Slot(Some(ASK_WAIT)))
        } else if busy < slots && may_ask_more {
            Some(Want::Slot(None))
        } else if busy < slots + spares && !waits && may_ask_more {
            Some(Want::Spare)
        } else {
            None
        }
    }

    /// Tasks at a time, as a master is told: none more for one that leaves.
    pub fn slots(&self) -> u32 {
        match self.leaving {
            Some(_) => 0,
            None => self.terms.slots,
        }
    }

    /// Requests that are on their way or wait.
    pub(super) fn asks(&self) -> usize {
        self.times_said(|say| matches!(say, Say::Ask(_)))
    }

    /// Whether the result of one more run than were asked for could be kept if nobody took any.
    fn has_room_for_results(&self, asks: usize) -> bool {
        let slots = self.terms.slots as usize;
        let at_once = if self.ours.is_some() { slots } else { 1 };
        let more = self.spares.len() + asks;
        let untaken = self.runs.values().filter(|run| self.may_have(run));
        untaken.count() + more < at_once + UNTAKEN_MAX
            && self.runs.len() + more < 2 * (slots + UNTAKEN_MAX)
    }

    /// A task came: it is begun, or held until a slot is free.
    pub(super) fn begin_or_hold(&mut self, task: Assignment, now: Moment) -> Vec<Order> {
        if task.named && self.running().count() >= self.terms.slots as usize {
            self.spares.hold(task, now);
            return Vec::new();
        }
        vec![self.begin(task, now)]
    }

    /// What is held and now finds a slot.
    pub(super) fn begin_held(&mut self, now: Moment) -> Vec<Order> {
        let free = (self.terms.slots as usize).saturating_sub(self.running().count());
        let begun: Vec<_> = (0..free).map_while(|_| self.spares.next()).collect();
        begun
            .into_iter()
            .map(|task| self.begin(task, now))
            .collect()
    }

    fn begin(&mut self, task: Assignment, now: Moment) -> Order {
        let run = Run::new(task.sent_name.clone(), task.named, task.master_id, now);
        self.runs.insert(task.key, run);
        Order::Run(task)
    }

    /// What runs takes its time: what is held for so long is for others, and so is what is still on its way.
    pub(super) fn give_back_overdue(&mut self, now: Moment) {
        if self.spares.are_overdue(now) && self.asks() == 0 {
            self.give_back();
        }
    }

    /// What is held is for others: here it would not begin soon, or not well.
    pub(super) fn give_back(&mut self) {
        if self.spares.let_go() {
            self.hand_back();
        }
    }

    /// A master of ours is to hear what we have, and so what we have not.
    pub(super) fn hand_back(&mut self) {
        self.hands_back = self.ours.is_some() && !self.goodbye_said;
    }
}
