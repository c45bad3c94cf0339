//! What the peer makes of its master's answers, and of silence.

use std::time::Duration;

use super::refusals::REFUSED;
use super::{
    Assignment, Client, InFlight, Line, Order, Ours, Run, RunKey, Said, Say, Search, Want,
};
use crate::model::{Archive, Attempt, Both, Moment, TaskId, TaskName};

/// The pause after "nothing now": a master that is not ours cannot hold the request, so it is asked again soon.
const ASK_PAUSE: Duration = Duration::from_secs(1);
/// The pause before a result is handed in again, longer by this each time.
const HAND_IN_PAUSE: Duration = Duration::from_secs(5);
/// The longest such pause.
const HAND_IN_PAUSE_MAX: Duration = Duration::from_secs(60);
/// How often a master may refuse a result without a code, or not answer to it, before it is believed: over five
/// minutes in all, counted anew when the master was away meanwhile.
const REFUSALS_MAX: u32 = 10;
/// The code with which a master of ours says that its disk would not take a result, but may do so soon.
const NOT_STORED: &str = "not_stored";
/// The pause after that, always the same: the master is to have everything ten seconds after its disk takes it again
/// (promise R6).
const STORE_PAUSE: Duration = Duration::from_secs(5);
/// The codes with which a master of ours says that it will never take a result; any other tells of an accident.
const FINAL_CODES: [&str; 3] = ["too_late", "unmatched", REFUSED];
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
        match said {
            Said::Cancel(key) => return self.cancelled(key),
            Said::Follow(key, from, lasting) => return self.followed(key, from, lasting, now),
            _ => {}
        }
        // A number from a master that was told none is not ours. One of ours answers by number what follows its
        // introduction, so there a word without one is no answer.
        let asked = match id.filter(|_| self.ours.is_some()) {
            Some(id) => self.in_flight.remove(&id),
            None if self.ours.is_some() && self.registered => None,
            None => self.in_flight.pop_first().map(|(_, in_flight)| in_flight),
        };
        if let Line::Open(answered) = &mut self.line {
            *answered += 1;
        }
        let Some(InFlight { say, since, .. }) = asked else {
            return self.next(now);
        };
        let mut orders = match (say, said) {
            (Say::Register(_), Said::Registered(ours)) => self.registered(ours, now),
            (Say::Register(_), Said::Error(_, code)) if self.is_understood(code.as_deref()) => {
                self.turned_away(now)
            }
            (
                Say::Ask(_),
                Said::Task {
                    key,
                    name,
                    archive,
                    time_limit,
                },
            ) => {
                self.rebuffs = 0;
                self.spares.gave();
                let task = Arrived {
                    key,
                    name,
                    archive,
                    time_limit,
                };
                self.take(task, now)
            }
            (Say::HandIn(hand_in), Said::Taken) => {
                self.rebuffs = 0;
                self.put_off_leaving(now);
                self.spares.answered(now.since(since));
                self.settled(hand_in.key)
            }
            (Say::HandIn(hand_in), Said::Error(_, code)) => {
                self.hand_in_refused(hand_in.key, code, now)
            }
            (Say::Ask(_), Said::Error(..)) => {
                self.ask_at = now.after(ASK_PAUSE);
                self.rebuffed(now)
            }
            (Say::Ask(want), Said::Nothing) => {
                self.rebuffs = 0;
                self.spares.gave_nothing();
                if self.ours.is_none() || matches!(want, Want::Slot(Some(_))) {
                    self.ask_at = now.after(ASK_PAUSE);
                }
                Vec::new()
            }
            (Say::Output(key, _), Said::Error(..)) => {
                self.follows.forget(&key);
                Vec::new()
            }
            (Say::Heartbeat | Say::Leave | Say::Output(..), _) => Vec::new(),
            (say, _) => self.unanswered(say, now),
        };
        orders.extend(self.next(now));
        orders
    }

    fn registered(&mut self, ours: Option<Ours>, now: Moment) -> Vec<Order> {
        self.ours = ours;
        let master_id = ours.map(|ours| ours.master_id);
        self.spares.retain(|task| task.master_id == master_id);
        self.registered = true;
        self.failed_rounds = 0;
        self.rebuffs = 0;
        self.heartbeat_at = now.after(ours.map_or(Duration::ZERO, |ours| ours.heartbeat));
        let search = std::mem::replace(&mut self.search, Search::Off);
        if search == Search::Off {
            Vec::new()
        } else {
            vec![Order::StopSeeking]
        }
    }

    /// A task came.
    fn take(&mut self, task: Arrived, now: Moment) -> Vec<Order> {
        let Arrived {
            key,
            name: sent_name,
            archive,
            time_limit,
        } = task;
        // The keys of a master that is not ours are nothing that it would know again.
        let named = self.ours.is_some();
        let key = match key.filter(|_| named) {
            None if !named => Some((TaskId::new(), Attempt(1))),
            key => key.filter(|key| !self.runs.contains_key(key) && !self.spares.holds(*key)),
        };
        let Some(key) = key else {
            // One of ours that names no try, or one that we hold, is confused or worse: it is not asked in a tight loop.
            self.ask_at = now.after(ASK_PAUSE);
            return Vec::new();
        };
        // What comes while we leave is for others; a goodbye that is said already tells the master so too.
        if self.stopping || (self.leaving.is_some() && self.ours.is_some()) {
            self.hand_back();
            return Vec::new();
        }
        let task = Assignment {
            key,
            name: TaskName::tamed(&sent_name),
            sent_name,
            named,
            master_id: self.ours.map(|ours| ours.master_id),
            archive,
            time_limit,
            plain_result: self.ours.is_none(),
        };
        self.begin_or_hold(task, now)
    }

    pub(super) fn settled(&mut self, key: RunKey) -> Vec<Order> {
        let held = self.runs.remove(&key);
        held.map(|_| Order::Forget(key)).into_iter().collect()
    }

    /// A master of ours means what it says; another may have stumbled, or forgotten us.
    fn hand_in_refused(&mut self, key: RunKey, code: Option<String>, now: Moment) -> Vec<Order> {
        match code.as_deref().filter(|_| self.ours.is_some()) {
            Some(code) if FINAL_CODES.contains(&code) => self.settled(key),
            Some(NOT_STORED) => {
                self.rebuffs = 0;
                self.hand_in_when_stored(key, now);
                Vec::new()
            }
            _ => {
                let mut orders = self.hand_in_later(key, now);
                orders.extend(self.rebuffed(now));
                orders
            }
        }
    }

    /// The master wants the result and its disk does not take it: however often that is, the result is kept.
    fn hand_in_when_stored(&mut self, key: RunKey, now: Moment) {
        if let Some(run) = self.runs.get_mut(&key) {
            run.not_before = now.after(STORE_PAUSE);
        }
    }

    fn hand_in_later(&mut self, key: RunKey, now: Moment) -> Vec<Order> {
        let Some(run) = self.runs.get_mut(&key) else {
            return Vec::new();
        };
        run.refusals += 1;
        let pause = HAND_IN_PAUSE.saturating_mul(run.refusals);
        run.not_before = now.after(pause.min(HAND_IN_PAUSE_MAX));
        if run.refusals < REFUSALS_MAX {
            Vec::new()
        } else {
            self.settled(key)
        }
    }

    /// The connection broke under a result: the first time it is handed in on the next one at once, then later
    /// and later, for perhaps it is what breaks them. However often that is, nobody has refused it.
    pub(super) fn hand_in_interrupted(&mut self, key: RunKey, now: Moment) {
        if let Some(run) = self.runs.get_mut(&key) {
            let pause = HAND_IN_PAUSE.saturating_mul(run.breaks);
            run.breaks = run.breaks.saturating_add(1);
            run.not_before = now.after(pause.min(HAND_IN_PAUSE_MAX));
        }
    }

    /// A master of ours does not want what it does not know, so the word of one counts for its own tries alone, and
    /// for none before it has said which one it is.
    fn cancelled(&mut self, key: RunKey) -> Vec<Order> {
        let master_id = self.ours.map(|ours| ours.master_id);
        if self.registered {
            let is_it = |task: &Assignment| task.key == key && task.master_id == master_id;
            self.spares.retain(|task| !is_it(task));
        }
        let run = self.runs.get(&key).filter(|_| self.registered);
        if run.is_none_or(|run| !self.may_have(run)) {
            return Vec::new();
        }
        self.runs.remove(&key);
        self.follows.forget(&key);
        vec![Order::Stop(key), Order::Forget(key)]
    }

    /// A master of ours follows what a try prints: one of its own that runs, or will.
    fn followed(
        &mut self,
        key: RunKey,
        from: Option<Both<u64>>,
        lasting: Duration,
        now: Moment,
    ) -> Vec<Order> {
        let runs = |run: &Run| run.result.is_none() && self.may_have(run);
        let is_here = self.runs.get(&key).is_some_and(runs) || self.spares.holds(key);
        if self.registered && self.ours.is_some() && is_here {
            self.follows.follow(key, from, lasting, now);
        }
        self.next(now)
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
            Say::Heartbeat | Say::Leave | Say::Output(..) => Vec::new(),
        }
    }
}
