//! The peer's mind towards its master: what to say next, and what to make of the answers.
//!
//! ```text
//!  Seeking ── found ──► Dialling ── connected ──► registering ── REGISTERED ──► at work
//!     ▲                  │   ▲                                                    │
//!     └── no address ────┘   └────────────── closed, silent, refused ─────────────┘
//! ```
//!
//! Rule: a master of ours gets one lasting connection with several requests in flight; any other is told one
//! thing at a time and may close after each. What was run is handed in until it is taken, whatever happens.

mod errands;
mod replies;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use crate::model::{Archive, Attempt, Dialect, Moment, Outcome, TaskId, TaskName};

/// Dials of all addresses of a master that may fail in a row before another one is looked for.
const ROUNDS_MAX: u32 = 3;
/// The first pause after a round of dials that failed; doubled each time.
const REDIAL_FIRST: Duration = Duration::from_millis(250);
/// The longest such pause: a master that comes back is found within some seconds.
const REDIAL_MAX: Duration = Duration::from_secs(5);
/// How long a drain waits for a master that is not there before it gives up; the results stay in `work/`.
const LEAVE_MAX: Duration = Duration::from_secs(30);

/// One try of one task, as the master names it or as we do for one that does not.
pub type RunKey = (TaskId, Attempt);

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Look for a master; these addresses just failed.
    Seek(Vec<SocketAddr>),
    /// A master has taken us.
    StopSeeking,
    /// Open a connection; whatever was open is closed.
    Dial(SocketAddr),
    /// Close the connection.
    HangUp,
    /// Say this, in this dialect; the number comes back with the answer where the master knows how.
    Say(u64, Dialect, Say),
    /// Run this.
    Run(Assignment),
    /// Kill this run.
    Stop(RunKey),
    /// The result was taken, or nobody wants it.
    Forget(RunKey),
    /// Kill everything that runs.
    StopAll,
    /// All is handed in and said: the peer may end.
    Gone,
}

/// What a peer says to its master.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Say {
    /// Who we are, and which tries we hold.
    Register(Vec<RunKey>),
    /// That we live.
    Heartbeat,
    /// That we want a task; a master of ours may let it wait this long.
    Ask(Option<Duration>),
    /// What a run left.
    HandIn(Box<HandIn>),
    /// Goodbye.
    Leave,
}

/// A result on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandIn {
    /// Of which try.
    pub key: RunKey,
    /// The name under which the task was handed out, echoed.
    pub name: String,
    /// How the run ended.
    pub outcome: Outcome,
    /// The result ZIP.
    pub result: Archive,
}

/// A task as the master hands it out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// Which try.
    pub key: RunKey,
    /// Its name as sent, to be echoed.
    pub sent_name: String,
    /// The same, fit for a folder.
    pub name: TaskName,
    /// The ZIP.
    pub archive: Archive,
    /// Killed after this long.
    pub time_limit: Option<Duration>,
    /// Whether only the two texts are wanted back.
    pub plain_result: bool,
}

/// What a master answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// We are registered; a master of ours says how often it wants a heartbeat.
    Registered(Option<Duration>),
    /// It heard the heartbeat.
    Alive,
    /// There is nothing to do now.
    Nothing,
    /// A task: with the try's key from a master of ours.
    Task {
        /// Which try, if the master says.
        key: Option<RunKey>,
        /// Its name as sent.
        name: String,
        /// The ZIP.
        archive: Archive,
        /// Killed after this long.
        time_limit: Option<Duration>,
    },
    /// The result was taken.
    Taken,
    /// It heard the goodbye.
    Left,
    /// It will not: for readers, and in a word for machines from a master of ours.
    Error(String, Option<String>),
    /// Pushed by a master of ours: this try is no longer wanted.
    Cancel(RunKey),
    /// Something else.
    Unknown(String),
}

/// A master to work for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Master {
    /// For people.
    pub name: String,
    /// Where to try, in this order.
    pub addresses: Vec<SocketAddr>,
    /// Its dialect if it is known from its announcement.
    pub dialect: Option<Dialect>,
}

/// What the peer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Tasks at a time with a master of ours.
    pub slots: u32,
    /// The master that was named by the user: then no other is looked for.
    pub fixed: Option<Master>,
}

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
}

/// A run, from its assignment until its result is taken.
#[derive(Debug, Clone)]
struct Run {
    name: String,
    since: Moment,
    result: Option<(Outcome, Archive)>,
    refusals: u32,
    not_before: Moment,
}

/// The mind.
#[derive(Debug)]
pub struct Client {
    terms: Terms,
    master: Option<Master>,
    seeking: bool,
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
    /// How often a master of ours wants a heartbeat; none: it is not ours.
    ours: Option<Duration>,
    in_flight: BTreeMap<u64, InFlight>,
    said: u64,
    runs: BTreeMap<RunKey, Run>,
    heartbeat_at: Moment,
    ask_at: Moment,
    asks_refused: u32,
    leaving: Option<Moment>,
    stopping: bool,
    /// A task came that will not be run: registering anew tells the master that we do not hold it.
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
            seeking: false,
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
            runs: BTreeMap::new(),
            heartbeat_at: Moment::default(),
            ask_at: Moment::default(),
            asks_refused: 0,
            leaving: None,
            stopping: false,
            hands_back: false,
            goodbye_said: false,
            gone: false,
        }
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
        // The search ends with what it finds; should that not serve us, it begins anew.
        if !std::mem::take(&mut self.seeking) {
            return Vec::new();
        }
        self.turn_to(master, now)
    }

    /// The connection is open.
    pub fn connected(&mut self, now: Moment) -> Vec<Order> {
        self.line = Line::Open(0);
        self.next(now)
    }

    /// The connection could not be opened.
    pub fn not_connected(&mut self, now: Moment) -> Vec<Order> {
        self.line = Line::Down;
        self.next_address += 1;
        let addresses = self
            .master
            .as_ref()
            .map_or(0, |master| master.addresses.len());
        if self.next_address < addresses {
            return self.next(now);
        }
        self.round_failed(now)
    }

    /// The connection has ended, by either side.
    pub fn closed(&mut self, now: Moment) -> Vec<Order> {
        let reused = matches!(self.line, Line::Open(answered) if answered > 0);
        self.line = Line::Down;
        let unanswered = std::mem::take(&mut self.in_flight);
        if self.ours.is_some() {
            let served = std::mem::take(&mut self.registered);
            let mut orders = if served {
                // A master that takes us and hangs up each time must not make us spin.
                self.dial_at = now.after(REDIAL_FIRST);
                Vec::new()
            } else {
                self.round_failed(now)
            };
            orders.extend(self.next(now));
            return orders;
        }
        if unanswered.is_empty() {
            return self.next(now);
        }
        if reused {
            // It answered here before, so it takes one message a connection; this one is said again on a new one.
            self.keeps_open = false;
            return self.next(now);
        }
        let mut orders = Vec::new();
        for (_, in_flight) in unanswered {
            orders.extend(self.unanswered(in_flight.say, now));
        }
        orders.extend(self.next(now));
        orders
    }

    /// A run ended.
    pub fn run_ended(
        &mut self,
        key: RunKey,
        outcome: Outcome,
        result: Archive,
        now: Moment,
    ) -> Vec<Order> {
        match self.runs.get_mut(&key) {
            Some(_) if self.stopping => {
                let mut orders = self.settled(key);
                orders.extend(self.next(now));
                orders
            }
            Some(run) => {
                run.result = Some((outcome, result));
                self.next(now)
            }
            None => vec![Order::Forget(key)],
        }
    }

    /// The program is to end: hand in what runs, or stop it now.
    pub fn leave(&mut self, at_once: bool, now: Moment) -> Vec<Order> {
        self.leaving.get_or_insert(now.after(LEAVE_MAX));
        let mut orders = Vec::new();
        if at_once && !self.stopping {
            self.stopping = true;
            // What has ended stays in `work/`; what runs is waited for until it is dead.
            self.runs.retain(|_, run| run.result.is_none());
            orders.push(Order::StopAll);
        }
        orders.extend(self.next(now));
        orders
    }

    /// What runs, and under which name.
    pub fn running(&self) -> impl Iterator<Item = (&str, Moment)> {
        let running = self.runs.values().filter(|run| run.result.is_none());
        running.map(|run| (run.name.as_str(), run.since))
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
        self.next(now)
    }

    /// None of the master's addresses serves us: once more after a pause, or look for another.
    fn round_failed(&mut self, now: Moment) -> Vec<Order> {
        self.next_address = 0;
        self.registered = false;
        self.failed_rounds += 1;
        let pause = REDIAL_FIRST
            .saturating_mul(1 << self.failed_rounds.min(16))
            .min(REDIAL_MAX);
        self.dial_at = now.after(pause);
        if self.failed_rounds < ROUNDS_MAX || self.terms.fixed.is_some() || self.seeking {
            return Vec::new();
        }
        self.seek()
    }

    /// Looks for a master; the old one is dialled on meanwhile, for it may come back.
    fn seek(&mut self) -> Vec<Order> {
        self.seeking = true;
        let failed = self.master.as_ref().map(|master| master.addresses.clone());
        vec![Order::Seek(failed.unwrap_or_default())]
    }
}
