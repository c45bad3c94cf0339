//! What the peer makes of its master's answers, and of silence.

use std::time::Duration;

use super::{Assignment, Client, InFlight, Line, Order, Run, RunKey, Said, Say};
use crate::model::{Archive, Attempt, Dialect, Moment, TaskId, TaskName};

/// In which order dialects are tried with a master that was not heard announcing itself.
const DIALECTS: [Dialect; 3] = [Dialect::Flat, Dialect::Envelope, Dialect::SuperPeer];
/// The pause after "nothing now": a master that is not ours cannot hold the request, so it is asked again soon.
const ASK_PAUSE: Duration = Duration::from_secs(1);
/// The pause before a result is handed in again.
const HAND_IN_PAUSE: Duration = Duration::from_secs(5);
/// How often a master may refuse a result, or not answer to it, before it is believed.
const HAND_INS_MAX: u32 = 10;
/// Refused requests in a row after which the master is believed to have forgotten us.
const ASKS_REFUSED_MAX: u32 = 3;

/// A task as it came.
struct Arrived {
    key: Option<RunKey>,
    name: String,
    archive: Archive,
    time_limit: Option<Duration>,
}

impl Client {
    /// The master answered, or spoke by itself; `id` is that of the request where the master knows ids.
    pub fn heard(&mut self, id: Option<u64>, said: Said, now: Moment) -> Vec<Order> {
        if let Said::Cancel(key) = said {
            return self.cancelled(key);
        }
        let asked = match id {
            Some(id) => self.in_flight.remove(&id),
            None => self.in_flight.pop_first().map(|(_, in_flight)| in_flight),
        };
        if let Line::Open(answered) = &mut self.line {
            *answered += 1;
        }
        let Some(InFlight { say, .. }) = asked else {
            return self.next(now);
        };
        let mut orders = match (say, said) {
            (Say::Register(_), Said::Registered(heartbeat)) => self.registered(heartbeat, now),
            (
                Say::Ask(_),
                Said::Task {
                    key,
                    name,
                    archive,
                    time_limit,
                },
            ) => {
                self.asks_refused = 0;
                let task = Arrived {
                    key,
                    name,
                    archive,
                    time_limit,
                };
                self.take(task, now)
            }
            (Say::HandIn(hand_in), Said::Taken) => self.settled(hand_in.key),
            (Say::HandIn(hand_in), Said::Error(_, code)) => {
                self.hand_in_refused(hand_in.key, code, now)
            }
            (Say::Ask(_), Said::Error(..)) => {
                self.asks_refused += 1;
                self.registered &= self.asks_refused < ASKS_REFUSED_MAX;
                self.ask_at = now.after(ASK_PAUSE);
                Vec::new()
            }
            (Say::Ask(_), Said::Nothing) => {
                self.asks_refused = 0;
                self.ask_at = now.after(ASK_PAUSE);
                Vec::new()
            }
            (Say::Heartbeat | Say::Leave, _) => Vec::new(),
            (say, _) => self.unanswered(say, now),
        };
        orders.extend(self.next(now));
        orders
    }

    fn registered(&mut self, heartbeat: Option<Duration>, now: Moment) -> Vec<Order> {
        self.ours = heartbeat;
        self.registered = true;
        self.hands_back = false;
        self.failed_rounds = 0;
        self.asks_refused = 0;
        self.ask_at = now;
        self.heartbeat_at = now.after(heartbeat.unwrap_or_default());
        self.seeking = false;
        vec![Order::StopSeeking]
    }

    /// A task came.
    fn take(&mut self, task: Arrived, now: Moment) -> Vec<Order> {
        let Arrived {
            key,
            name: sent_name,
            archive,
            time_limit,
        } = task;
        let key = key.unwrap_or_else(|| (TaskId::new(), Attempt(1)));
        if self.runs.contains_key(&key) {
            return Vec::new();
        }
        if self.leaving.is_some() && self.ours.is_some() {
            self.hands_back = true;
            return Vec::new();
        }
        let run = Run {
            name: sent_name.clone(),
            since: now,
            result: None,
            refusals: 0,
            not_before: Moment::default(),
        };
        self.runs.insert(key, run);
        vec![Order::Run(Assignment {
            key,
            name: TaskName::tamed(&sent_name),
            sent_name,
            archive,
            time_limit,
            plain_result: self.ours.is_none(),
        })]
    }

    pub(super) fn settled(&mut self, key: RunKey) -> Vec<Order> {
        self.runs.remove(&key);
        vec![Order::Forget(key)]
    }

    /// A master of ours means what it says; another may have stumbled.
    fn hand_in_refused(&mut self, key: RunKey, code: Option<String>, now: Moment) -> Vec<Order> {
        if code.is_some() {
            return self.settled(key);
        }
        self.hand_in_later(key, now)
    }

    fn hand_in_later(&mut self, key: RunKey, now: Moment) -> Vec<Order> {
        let Some(run) = self.runs.get_mut(&key) else {
            return Vec::new();
        };
        run.refusals += 1;
        run.not_before = now.after(HAND_IN_PAUSE);
        if run.refusals < HAND_INS_MAX {
            Vec::new()
        } else {
            self.settled(key)
        }
    }

    fn cancelled(&mut self, key: RunKey) -> Vec<Order> {
        if self.runs.remove(&key).is_some() {
            vec![Order::Stop(key), Order::Forget(key)]
        } else {
            Vec::new()
        }
    }

    /// Nothing came back, or something that is no answer to this.
    pub(super) fn unanswered(&mut self, say: Say, now: Moment) -> Vec<Order> {
        match say {
            Say::Register(_) => self.not_understood(now),
            Say::Ask(_) => {
                self.ask_at = now.after(ASK_PAUSE);
                Vec::new()
            }
            Say::HandIn(hand_in) => self.hand_in_later(hand_in.key, now),
            Say::Heartbeat | Say::Leave => Vec::new(),
        }
    }

    /// The master did not take our introduction: perhaps it speaks another dialect.
    fn not_understood(&mut self, now: Moment) -> Vec<Order> {
        let announced = self.master.as_ref().and_then(|master| master.dialect);
        self.dialects_failed += 1;
        let mut orders = vec![Order::HangUp];
        self.line = Line::Down;
        match DIALECTS.get(self.dialects_failed) {
            Some(dialect) if announced.is_none() => self.dialect = *dialect,
            _ => {
                self.dialects_failed = 0;
                self.dialect = announced.unwrap_or_default();
                orders.extend(self.round_failed(now));
            }
        }
        orders
    }
}
