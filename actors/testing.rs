//! Support for tests of actors, of this crate and of the program: a stage with a clock and a message log,
//! probes that stand behind any inbox, and a way to wait until everybody has said what they had to say.
//!
//! Rule: what an actor did is what it said, so tests read the message log and look into nobody. Nothing here
//! waits for real time; tests that need time to pass run under a paused tokio clock and sleep there.

use std::cell::OnceCell;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use actix::{Actor, Addr, Context, Handler};
use serde_json::Value;

use crate::clock::Clock;
use crate::message_log::{Line, MessageLog, Name, Sink};
use crate::messages::{ReplyTo, SchedulerInbox, SessionInbox, StoreInbox, WriteDown, WrittenDown};
use crate::model::{RequestId, SessionId};
use crate::port::{Letter, Port};

/// Who speaks when the test itself does.
pub const TEST: Name = Name::one("test");
/// The store's name in the message log.
const STORE: Name = Name::one("store");
/// Turns of the runtime without a letter after which everybody has had one: a turn polls some sixty actors.
const QUIET_TURNS: u32 = 32;
/// Turns after which a conversation has no end.
const TURNS_MAX: u32 = 1_000_000;

/// An actor that takes any letter and says nothing: what it was told is in the log.
#[derive(Debug)]
pub struct Deaf;

impl Actor for Deaf {
    type Context = Context<Self>;
}

impl<M> Handler<Letter<M>> for Deaf {
    type Result = ();

    fn handle(&mut self, _: Letter<M>, _: &mut Context<Self>) {}
}

/// A store that forgets everything, and says at once that it is safe.
#[derive(Debug, Clone)]
pub struct Notebook {
    scheduler: Rc<OnceCell<Port<SchedulerInbox>>>,
    /// Where a scheduler has it written down what must survive.
    pub port: Port<StoreInbox>,
}

impl Notebook {
    /// Who is told that what it had written down is safe; to be said before it has anything.
    pub fn serve(&self, scheduler: &Port<SchedulerInbox>) {
        // A second scheduler is never told, and its test stands still.
        let _ = self.scheduler.set(scheduler.used_by(STORE));
    }
}

struct Writer {
    scheduler: Rc<OnceCell<Port<SchedulerInbox>>>,
}

impl Actor for Writer {
    type Context = Context<Self>;
}

impl Handler<Letter<WriteDown>> for Writer {
    type Result = ();

    fn handle(&mut self, letter: Letter<WriteDown>, _: &mut Context<Self>) {
        let (WriteDown { ticket, .. }, cause) = letter.open();
        if let Some(scheduler) = self.scheduler.get() {
            scheduler.tell(WrittenDown { ticket }, cause);
        }
    }
}

/// Every letter of one test, as the log's lines.
#[derive(Debug, Default)]
struct Transcript(Mutex<Vec<Line>>);

impl Transcript {
    fn lines(&self) -> Vec<Line> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl Sink for Arc<Transcript> {
    fn take(&self, line: Line) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.push(line);
    }
}

/// What actors under test stand on. Lives inside a `tokio::task::LocalSet` or an actix system.
pub struct Stage {
    clock: Clock,
    log: MessageLog,
    transcript: Arc<Transcript>,
}

impl Stage {
    /// An empty stage; its clock reads zero.
    pub fn new() -> Self {
        let clock = Clock::start();
        let transcript = Arc::<Transcript>::default();
        let sink = Box::new(Arc::clone(&transcript));
        Self {
            log: MessageLog::new(clock.clone(), Some(sink)),
            clock,
            transcript,
        }
    }

    /// The clock for the actors on the stage.
    pub fn clock(&self) -> Clock {
        self.clock.clone()
    }

    /// The log, for actors that make ports of their own.
    pub fn log(&self) -> MessageLog {
        self.log.clone()
    }

    /// The test's voice towards an actor: `stage.port(registry::NAME, RegistryInbox::of(&address))`.
    pub fn port<I>(&self, to: Name, inbox: I) -> Port<I> {
        Port::new(self.log.clone(), TEST, to, inbox)
    }

    /// A stand-in behind any inbox: `stage.probe(scheduler::NAME, SchedulerInbox::of)`.
    pub fn probe<I>(&self, to: Name, inbox_of: impl FnOnce(&Addr<Deaf>) -> I) -> Port<I> {
        self.port(to, inbox_of(&Deaf.start()))
    }

    /// A store that keeps nothing.
    pub fn notebook(&self) -> Notebook {
        let scheduler = Rc::new(OnceCell::new());
        let writer = Writer {
            scheduler: Rc::clone(&scheduler),
        };
        let port = self.port(STORE, StoreInbox::of(&writer.start()));
        Notebook { scheduler, port }
    }

    /// A request of a session that is a probe: its answers are addressed to `peer_session#1` and so on.
    pub fn reply_to(&self, session: SessionId, request: RequestId) -> ReplyTo {
        let name = Name::numbered("peer_session", session.0);
        ReplyTo {
            session: self.probe(name, SessionInbox::of),
            request,
        }
    }

    /// Every letter so far as a record of the log, the test's own too: `from`, `to`, `kind`, `body`, …
    pub fn letters(&self) -> Vec<Value> {
        let lines = self.transcript.lines();
        let parsed = lines
            .iter()
            .map(|line| serde_json::from_str(&line.to_string()));
        parsed.map(Result::unwrap_or_default).collect()
    }

    /// The bodies of all letters of this kind that actors sent, in order: `stage.said("PeerJoined")`.
    pub fn said(&self, kind: &str) -> Vec<Value> {
        let mut letters = self.letters();
        letters.retain(|letter| letter["kind"] == kind && letter["from"] != TEST.to_string());
        letters
            .iter_mut()
            .map(|letter| letter["body"].take())
            .collect()
    }

    /// Lets everybody read what they were told and answer it, until nobody says anything more. Time stands still.
    ///
    /// # Panics
    /// If the conversation does not end.
    pub async fn settle(&self) {
        let (mut heard, mut quiet) = (self.transcript.len(), 0);
        for _ in 0..TURNS_MAX {
            tokio::task::yield_now().await;
            let now_heard = self.transcript.len();
            quiet = if now_heard == heard { quiet + 1 } else { 0 };
            heard = now_heard;
            if quiet == QUIET_TURNS {
                return;
            }
        }
        panic!("the actors on the stage talk without end: {heard} letters");
    }
}

impl Default for Stage {
    fn default() -> Self {
        Self::new()
    }
}
