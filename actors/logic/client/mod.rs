//! The peer's mind towards its master: what to say next, and what to make of the answers.
//!
//! ```text
//!  Seeking ── found ──► Dialling ── connected ──► registering ── REGISTERED ──► at work
//!     ▲                  │   ▲                                                    │
//!     └── no address ────┘   └────────────── closed, silent, refused ─────────────┘
//! ```
//!
//! Rule: a master of ours gets one lasting connection with several requests in flight; any other is told one
//! thing at a time and may close after each. What was run is handed in until it is taken, whatever happens, and to
//! its own master only: one of ours knows a try by its key, so it gets the tries that it named, and what it says of
//! those of another changes nothing; any other knows it by the echo of a name, so it is not sent what belongs under a
//! key and would be filed as something else. A try of which the master is not known is for every master of ours.

mod errands;
mod follows;
mod refusals;
mod replies;
mod spares;
#[cfg(test)]
mod tests;
mod wants;
mod words;

use std::collections::BTreeMap;
use std::time::Duration;

use uuid::Uuid;

use crate::model::{Archive, Both, Dialect, Ending, Moment, Outcome, Piece};

use follows::Follows;
use spares::Spares;
pub use words::{Assignment, HandIn, Kept, Master, Order, Ours, RunKey, Said, Say, Terms, Want};

/// Dials of all addresses of a master that may fail in a row before another one is looked for.
const ROUNDS_MAX: u32 = 3;
/// The first pause after a round of dials that failed; doubled each time.
const REDIAL_FIRST: Duration = Duration::from_millis(250);
/// The longest such pause: a master that comes back is found within some seconds.
const REDIAL_MAX: Duration = Duration::from_secs(5);
/// How long a drain whose runs have ended waits for a receipt before it gives up; the results stay on disk.
const LEAVE_MAX: Duration = Duration::from_secs(30);
/// The pause after a task for which our own disk had no room: it would be the next one's trouble too.
const TROUBLE_PAUSE: Duration = Duration::from_secs(5);
/// How long the answer to a goodbye is waited for: somebody may have pressed Ctrl-C and watches.
const GOODBYE_MAX: Duration = Duration::from_secs(2);

/// The connection, as far as the mind knows.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Line {
    /// There is none, and none is being opened.
    Down,
    /// It is being opened.
    Dialling,
    /// It is open; how many messages have been answered on it.
    Open(u32),
}

/// Something said and not answered yet.
#[derive(Debug, Clone)]
struct InFlight {
    say: Say,
    since: Moment,
    /// How many bytes had moved on the connection when it was said.
    moved: u64,
}

/// A run, from its assignment until its result is taken.
#[derive(Debug, Clone)]
struct Run {
    name: String,
    /// Whether the key is the master's own; else it is ours, and means nothing to any master.
    named: bool,
    /// The master whose key it is, if that is known.
    master_id: Option<Uuid>,
    since: Moment,
    result: Option<(Outcome, Archive)>,
    /// How often masters refused the result.
    refusals: u32,
    /// How often a connection broke under it.
    breaks: u32,
    not_before: Moment,
}

impl Run {
    fn new(name: String, named: bool, master_id: Option<Uuid>, since: Moment) -> Self {
        Self {
            name,
            named,
            master_id,
            since,
            result: None,
            refusals: 0,
            breaks: 0,
            not_before: Moment::default(),
        }
    }
}

/// How far the search for a master is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Search {
    /// Nobody looks for one.
    Off,
    /// One is looked for.
    On,
    /// One was found, and nobody looks on; it has not served us yet.
    Found,
}

/// The mind.
#[derive(Debug)]
pub struct Client {
    terms: Terms,
    master: Option<Master>,
    search: Search,
    line: Line,
    next_address: usize,
    failed_rounds: u32,
    dial_at: Moment,
    dialect: Dialect,
    /// Dialects in which the master has not answered, of those that were tried because none is known.
    dialects_failed: usize,
    /// A master that is not ours: whether it answers more than one message on a connection.
    keeps_open: bool,
    registered: bool,
    /// What a master of ours said of itself; none: it is not ours.
    ours: Option<Ours>,
    in_flight: BTreeMap<u64, InFlight>,
    said: u64,
    /// Bytes that moved on the present connection, in both directions.
    moved: u64,
    runs: BTreeMap<RunKey, Run>,
    /// Tasks of a master of ours for which no slot is free yet.
    spares: Spares,
    /// Runs whose output a master of ours follows.
    follows: Follows,
    heartbeat_at: Moment,
    ask_at: Moment,
    /// Errors in a row to what only a peer that is known may say.
    rebuffs: u32,
    /// The program is to end; once nothing runs, at this moment at the latest.
    leaving: Option<Moment>,
    stopping: bool,
    /// The master is to hear anew what we have and how many slots: a task came, or was held, that will not be run, or
    /// we leave.
    hands_back: bool,
    goodbye_said: bool,
    gone: bool,
}

impl Client {
    /// A peer without a master yet.
    pub fn new(terms: Terms) -> Self {
        Self {
            terms,
            master: None,
            search: Search::Off,
            line: Line::Down,
            next_address: 0,
            failed_rounds: 0,
            dial_at: Moment::default(),
            dialect: Dialect::Flat,
            dialects_failed: 0,
            keeps_open: true,
            registered: false,
            ours: None,
            in_flight: BTreeMap::new(),
            said: 0,
            moved: 0,
            runs: BTreeMap::new(),
            spares: Spares::default(),
            follows: Follows::default(),
            heartbeat_at: Moment::default(),
            ask_at: Moment::default(),
            rebuffs: 0,
            leaving: None,
            stopping: false,
            hands_back: false,
            goodbye_said: false,
            gone: false,
        }
    }

    /// The same with what an earlier life left to be handed in.
    #[must_use]
    pub fn holding(mut self, kept: impl IntoIterator<Item = Kept>) -> Self {
        for Kept {
            hand_in,
            named,
            master_id,
        } in kept
        {
            let mut run = Run::new(hand_in.name, named, master_id, Moment::default());
            run.result = Some((hand_in.outcome, hand_in.result));
            self.runs.insert(hand_in.key, run);
        }
        self
    }

    /// The master that we are registered with, for people.
    pub fn master(&self) -> Option<&Master> {
        self.master.as_ref().filter(|_| self.registered)
    }

    /// Whether the master is one of ours, so that it knows numbers and tries.
    pub fn is_ours(&self) -> bool {
        self.ours.is_some()
    }

    /// The program has started.
    pub fn start(&mut self, now: Moment) -> Vec<Order> {
        match self.terms.fixed.clone() {
            Some(master) => self.turn_to(master, now),
            None => self.seek(),
        }
    }

    /// A master answered the search.
    pub fn found(&mut self, master: Master, now: Moment) -> Vec<Order> {
        if self.search != Search::On || self.gone {
            return Vec::new();
        }
        self.search = Search::Found;
        self.turn_to(master, now)
    }

    /// The connection is open.
    pub fn connected(&mut self, now: Moment) -> Vec<Order> {
        self.line = Line::Open(0);
        self.moved = 0;
        self.next(now)
    }

    /// The connection could not be opened.
    pub fn not_connected(&mut self, now: Moment) -> Vec<Order> {
        self.line = Line::Down;
        let mut orders = self.address_failed(now);
        orders.extend(self.next(now));
        orders
    }

    /// The connection has ended, by either side.
    pub fn closed(&mut self, now: Moment) -> Vec<Order> {
        let reused = matches!(self.line, Line::Open(answered) if answered > 0);
        self.line = Line::Down;
        self.follows.clear();
        let unanswered = std::mem::take(&mut self.in_flight);
        let mut orders = if self.gone {
            Vec::new()
        } else if self.ours.is_some() {
            self.lost_ours(unanswered.into_values(), now)
        } else if reused {
            // It answered here before, so it takes one message a connection; this one is said again on a new one.
            self.keeps_open &= unanswered.is_empty();
            if unanswered
                .values()
                .any(|in_flight| in_flight.say == Say::Heartbeat)
            {
                self.heartbeat_at = now;
            }
            Vec::new()
        } else {
            let unanswered = unanswered.into_values();
            unanswered
                .flat_map(|in_flight| self.unanswered(in_flight.say, now))
                .collect()
        };
        orders.extend(self.next(now));
        orders
    }

    /// A master of ours keeps its connection, so something is wrong; it is not told at once again what it broke on.
    fn lost_ours(&mut self, unanswered: impl Iterator<Item = InFlight>, now: Moment) -> Vec<Order> {
        for InFlight { say, .. } in unanswered {
            if let Say::HandIn(hand_in) = say {
                self.hand_in_interrupted(hand_in.key, now);
            }
        }
        if std::mem::take(&mut self.registered) {
            self.dial_at = now.after(REDIAL_FIRST);
            return Vec::new();
        }
        // Perhaps another program answers there now, in other words.
        self.ours = None;
        self.address_failed(now)
    }

    /// A run ended.
    pub fn run_ended(
        &mut self,
        key: RunKey,
        outcome: Outcome,
        result: Archive,
        now: Moment,
    ) -> Vec<Order> {
        self.put_off_leaving(now);
        self.follows.ended(key, now);
        let mut orders = match self.runs.get_mut(&key) {
            Some(_) if self.stopping => self.settled(key),
            Some(run) => {
                // One that fails may fail fast, and is to get no more for it.
                if outcome.ending.is_success() {
                    self.spares.ran(now.since(run.since));
                }
                let is_trouble = matches!(outcome.ending, Ending::PeerTrouble(_));
                run.result = Some((outcome, result));
                if is_trouble {
                    self.ask_at = now.after(TROUBLE_PAUSE);
                    self.give_back();
                }
                Vec::new()
            }
            // It was cancelled, and is forgotten already.
            None => Vec::new(),
        };
        orders.extend(self.next(now));
        orders
    }

    /// What was seen of what a run has printed; nothing of one that has not begun.
    pub fn output_seen(
        &mut self,
        key: RunKey,
        seen: Option<Both<Piece>>,
        now: Moment,
    ) -> Vec<Order> {
        self.follows.seen(key, seen, now);
        self.next(now)
    }

    /// The program is to end: hand in what runs, or stop it now. What could not be handed in stays on disk.
    pub fn leave(&mut self, at_once: bool, now: Moment) -> Vec<Order> {
        let stops = at_once && !self.stopping;
        let begins = self.leaving.is_none();
        self.stopping |= at_once;
        if stops || begins {
            self.leaving = Some(now);
            self.put_off_leaving(now);
        }
        self.spares.let_go();
        let mut orders = Vec::new();
        if stops {
            orders.push(Order::StopAll);
        }
        // One that goes soon says so with its goodbye.
        if begins && !self.stopping && !self.is_ready_to_go(now) {
            self.hand_back();
        }
        orders.extend(self.next(now));
        orders
    }

    /// One that leaves has got on; the rest may take its time again.
    fn put_off_leaving(&mut self, now: Moment) {
        let patience = if self.stopping {
            GOODBYE_MAX
        } else {
            LEAVE_MAX
        };
        self.leaving = self.leaving.map(|_| now.after(patience));
    }

    /// What runs, and under which name.
    pub fn running(&self) -> impl Iterator<Item = (&str, Moment)> {
        let running = self.runs.values().filter(|run| run.result.is_none());
        running.map(|run| (run.name.as_str(), run.since))
    }

    /// So many bytes have moved on the connection since it was opened, in both directions.
    pub fn moved(&mut self, bytes: u64) {
        self.moved = bytes;
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Moment) -> Vec<Order> {
        let mut orders = self.hang_up_if_silent(now);
        orders.extend(self.next(now));
        orders
    }

    /// Works for this master from here on.
    fn turn_to(&mut self, master: Master, now: Moment) -> Vec<Order> {
        self.dialect = master.dialect.unwrap_or_default();
        self.master = Some(master);
        self.line = Line::Down;
        self.next_address = 0;
        self.dialects_failed = 0;
        self.failed_rounds = 0;
        self.dial_at = now;
        self.keeps_open = true;
        self.registered = false;
        self.ours = None;
        self.in_flight.clear();
        self.follows.clear();
        self.next(now)
    }

    /// Nobody serves us at this address: the next one, and after the last a pause.
    fn address_failed(&mut self, now: Moment) -> Vec<Order> {
        self.next_address += 1;
        let addresses = self
            .master
            .as_ref()
            .map_or(0, |master| master.addresses.len());
        if self.next_address < addresses {
            return Vec::new();
        }
        self.round_failed(now)
    }

    /// None of the master's addresses serves us: once more after a pause, or look for another.
    fn round_failed(&mut self, now: Moment) -> Vec<Order> {
        self.next_address = 0;
        self.registered = false;
        for run in self.runs.values_mut() {
            // Whoever is there next may know better than to refuse them, or to break under them.
            (run.refusals, run.breaks) = (0, 0);
        }
        let pause = REDIAL_FIRST
            .saturating_mul(1 << self.failed_rounds.min(16))
            .min(REDIAL_MAX);
        self.dial_at = now.after(pause);
        self.failed_rounds += 1;
        let looked_for = self.terms.fixed.is_some() || self.search == Search::On;
        if self.failed_rounds < ROUNDS_MAX || looked_for {
            return Vec::new();
        }
        self.seek()
    }

    /// Looks for a master; the old one is dialled on meanwhile, for it may come back.
    fn seek(&mut self) -> Vec<Order> {
        self.search = Search::On;
        let failed = self.master.as_ref().map(|master| master.addresses.clone());
        vec![Order::Seek(failed.unwrap_or_default())]
    }
}
