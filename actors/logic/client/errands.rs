//! What the peer says next.

use std::time::Duration;

use super::{Client, GOODBYE_MAX, HandIn, InFlight, Line, Order, Ours, Run, RunKey, Say, Want};
use crate::model::{Moment, Piece};

/// Heartbeats to a master that does not say how often it wants them: the quickest seen of others.
const HEARTBEAT_UNSAID: Duration = Duration::from_secs(5);
/// A master that is not ours and says nothing to a request has nothing (protocol, section 3); one that says
/// nothing to a heartbeat does not know the word.
const ASK_SILENCE: Duration = Duration::from_secs(5);
/// Any other answer is waited for this long before the connection is given up.
const REPLY_WAIT: Duration = Duration::from_secs(15);
/// Bytes that move buy this much more time, which is a megabyte in 4 s: a task or a result on its way over the
/// slowest Wi-Fi worth waiting for is no silence, and a large result is written to disk before it is answered.
const BYTES_A_SECOND: u64 = 256 << 10;
/// Results on their way at once: enough to fill the link, and a heartbeat behind them is still heard in time.
const HAND_INS_MAX: usize = 4;
/// The same for results that are small together: a link that is slow to answer is not full of them. With all that may
/// be asked meanwhile they are fewer than a master hears of at once (`IN_FLIGHT_MAX` of a connection).
const SMALL_HAND_INS_MAX: usize = 16;
/// What is small together, in bytes: BYTES_A_SECOND carries it within a quarter of a second.
const SMALL: usize = 64 << 10;

impl Client {
    /// What there is to say or do now.
    pub(super) fn next(&mut self, now: Moment) -> Vec<Order> {
        if self.may_go(now) {
            self.gone = true;
            self.line = Line::Down;
            self.in_flight.clear();
            return vec![Order::HangUp, Order::Gone];
        }
        self.give_back_overdue(now);
        let mut orders = self.begin_held(now);
        let looks = self.follows.looks(now).into_iter();
        orders.extend(looks.map(|(key, from)| Order::Look(key, from)));
        while let Some(say) = self.next_errand(now) {
            match self.line {
                Line::Dialling => break,
                Line::Down => {
                    orders.extend(self.dial(now));
                    break;
                }
                Line::Open(answered) if answered > 0 && !self.keeps_open && self.ours.is_none() => {
                    self.line = Line::Down;
                    orders.push(Order::HangUp);
                }
                Line::Open(_) => orders.push(self.say(say, now)),
            }
        }
        orders
    }

    fn dial(&mut self, now: Moment) -> Option<Order> {
        if now < self.dial_at {
            return None;
        }
        let address = *self.master.as_ref()?.addresses.get(self.next_address)?;
        self.line = Line::Dialling;
        Some(Order::Dial(address))
    }

    fn say(&mut self, say: Say, now: Moment) -> Order {
        self.said += 1;
        match &say {
            Say::Register(_) => self.hands_back = false,
            Say::Heartbeat => {
                let every = self.ours.map_or(HEARTBEAT_UNSAID, |ours| ours.heartbeat);
                self.heartbeat_at = now.after(every);
            }
            Say::Leave => {
                self.goodbye_said = true;
                self.leaving = Some(now.after(GOODBYE_MAX));
            }
            Say::Output(key, _) => self.follows.said(*key, now),
            Say::Ask(_) | Say::HandIn(_) => {}
        }
        self.in_flight.insert(
            self.said,
            InFlight {
                say: say.clone(),
                since: now,
                moved: self.moved,
            },
        );
        Order::Say(self.said, self.dialect, say)
    }

    /// The most urgent thing to say that is not being said already.
    fn next_errand(&self, now: Moment) -> Option<Say> {
        if self.master.is_none() || self.gone {
            return None;
        }
        if self.ours.is_none() && !self.in_flight.is_empty() {
            return None;
        }
        // What is said meanwhile could overtake it, and a task that is given meanwhile would pass for one that never came;
        // but a goodbye goes the same way.
        if self.is_said(|say| matches!(say, Say::Register(_))) {
            return self.next_goodbye(now).filter(|_| self.registered);
        }
        if (!self.registered || self.hands_back) && self.knows_what_it_has() {
            return Some(Say::Register(self.tries_held()));
        }
        if let Some(hand_in) = self.next_hand_in(now) {
            return Some(Say::HandIn(Box::new(hand_in)));
        }
        if now >= self.heartbeat_at && !self.is_said(|say| *say == Say::Heartbeat) {
            return Some(Say::Heartbeat);
        }
        if let Some((key, piece)) = self.next_output(now) {
            return Some(Say::Output(key, piece));
        }
        if self.leaving.is_some() {
            return self.next_goodbye(now);
        }
        let want = self.next_want();
        let want = want.filter(|_| now >= self.ask_at && !self.hands_back);
        want.map(Say::Ask)
    }

    fn next_goodbye(&self, now: Moment) -> Option<Say> {
        let goes = self.ours.is_some() && !self.goodbye_said && self.is_ready_to_go(now);
        goes.then_some(Say::Leave)
    }

    /// What was printed and is to be told next: one piece at a time.
    fn next_output(&self, now: Moment) -> Option<(RunKey, Piece)> {
        let next = self.follows.next(now)?;
        let is_said = self.is_said(|say| matches!(say, Say::Output(..)));
        (!is_said && self.registered && self.ours.is_some()).then_some(next)
    }

    /// Whether all that we have can be told: a task that is on its way would pass for one that never came, and run
    /// twice. One that leaves runs none that comes now.
    fn knows_what_it_has(&self) -> bool {
        self.leaving.is_some() || self.asks() == 0
    }

    pub(super) fn is_said(&self, is: impl Fn(&Say) -> bool) -> bool {
        self.times_said(is) > 0
    }

    pub(super) fn times_said(&self, is: impl Fn(&Say) -> bool) -> usize {
        let said = self.in_flight.values().map(|in_flight| &in_flight.say);
        said.filter(|say| is(say)).count()
    }

    /// The tries of masters of ours that are run, held, or not handed in.
    fn tries_held(&self) -> Vec<RunKey> {
        let named = self.runs.iter().filter(|(_, run)| run.named);
        named
            .map(|(key, _)| *key)
            .chain(self.spares.keys())
            .collect()
    }

    /// The first result that is neither on its way nor to be tried later.
    fn next_hand_in(&self, now: Moment) -> Option<HandIn> {
        let said = self.in_flight.values().map(|in_flight| &in_flight.say);
        let said: Vec<(RunKey, usize)> = said
            .filter_map(|say| match say {
                Say::HandIn(hand_in) => Some((hand_in.key, hand_in.result.bytes().len())),
                _ => None,
            })
            .collect();
        let bytes: usize = said.iter().map(|(_, bytes)| bytes).sum();
        let most = match bytes {
            0..SMALL => SMALL_HAND_INS_MAX,
            _ => HAND_INS_MAX,
        };
        if self.stopping || self.goodbye_said || said.len() >= most {
            return None;
        }
        self.runs.iter().find_map(|(key, run)| {
            let (outcome, result) = run.result.clone()?;
            let is_said = said.iter().any(|(said, _)| said == key);
            let is_held_back = self.follows.holds_back(key, now);
            let ready = now >= run.not_before && self.may_have(run) && !is_said && !is_held_back;
            ready.then(|| HandIn {
                key: *key,
                name: run.name.clone(),
                outcome,
                result,
            })
        })
    }

    /// Whether the run is one for this master: see the rule of the module.
    pub(super) fn may_have(&self, run: &Run) -> bool {
        let Some(Ours { master_id, .. }) = self.ours else {
            return !run.named;
        };
        run.named && run.master_id.is_none_or(|its| its == master_id)
    }

    fn may_go(&self, now: Moment) -> bool {
        let Some(until) = self
            .leaving
            .filter(|_| self.is_ready_to_go(now) && !self.gone)
        else {
            return false;
        };
        let owes_goodbye = self.ours.is_some() && self.registered && !self.goodbye_said;
        let waits_for_answer = self.is_said(|say| *say == Say::Leave) && now < until;
        !owes_goodbye && !waits_for_answer
    }

    /// Whether nothing but the goodbye keeps one that leaves.
    pub(super) fn is_ready_to_go(&self, now: Moment) -> bool {
        let Some(until) = self.leaving else {
            return false;
        };
        // A result on its way is waited for as long as it moves, unless somebody presses for the end.
        let hands_in = !self.stopping && self.is_said(|say| matches!(say, Say::HandIn(_)));
        self.goodbye_said || self.is_done() || (!self.runs_any() && !hands_in && now >= until)
    }

    /// Whether nothing is left to do for one that leaves: a stop only waits until its runs are dead, and what is for
    /// another master waits for the next start.
    fn is_done(&self) -> bool {
        let is_for_later = |run: &Run| self.stopping || (self.registered && !self.may_have(run));
        let mut runs = self.runs.values();
        runs.all(|run| run.result.is_some() && is_for_later(run))
    }

    fn runs_any(&self) -> bool {
        self.runs.values().any(|run| run.result.is_none())
    }

    /// Gives up on an answer that is overdue.
    pub(super) fn hang_up_if_silent(&mut self, now: Moment) -> Vec<Order> {
        let ours = self.ours.is_some();
        let overdue = |in_flight: &InFlight| {
            let moved = self.moved.saturating_sub(in_flight.moved);
            let bought = Duration::from_millis(moved.saturating_mul(1000) / BYTES_A_SECOND);
            now.since(in_flight.since) > patience(&in_flight.say, ours) + bought
        };
        if !self.in_flight.values().any(overdue) {
            return Vec::new();
        }
        let mut orders = vec![Order::HangUp];
        orders.extend(self.closed(now));
        orders
    }
}

fn patience(say: &Say, ours: bool) -> Duration {
    match say {
        Say::Ask(_) | Say::Heartbeat if !ours => ASK_SILENCE,
        Say::Ask(Want::Slot(Some(wait))) => *wait + REPLY_WAIT,
        Say::Ask(_)
        | Say::Register(_)
        | Say::Heartbeat
        | Say::HandIn(_)
        | Say::Output(..)
        | Say::Leave => REPLY_WAIT,
    }
}
