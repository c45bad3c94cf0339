//! The desk of the store: many letters, one commit.
//!
//! Rule: while a commit runs, what comes waits; then all that waits is committed at once, and whoever had it written
//! down is told. What the disk does not take is kept and tried again, and nothing else is taken before it.
//!
//! Hears: `WriteDown`. Tells whoever had something written down `WrittenDown`, and everybody `StoreChanged`.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use actix::{
    Actor, ActorContext as _, ActorFutureExt as _, AsyncContext as _, Context, Handler,
    WrapFuture as _,
};
use mutirao_actors::logic::record::Record;
use mutirao_actors::message_log::{Cause, Name};
use mutirao_actors::messages::{
    FoldersInbox, SchedulerInbox, Scribe, StoreChanged, WriteDown, WrittenDown,
};
use mutirao_actors::port::{Letter, Port};
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::RecvError;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::{Store, StoreError};
use crate::disk::Hands;

/// The store's name in the message log.
pub const NAME: Name = Name::one("store");
/// How often what the disk did not take is tried again, and a commit that runs is looked at.
const RETRY: Duration = Duration::from_secs(1);
/// How long a commit may run before everybody hears that the disk does not get on: slow ones take a second or two.
/// A multiple of [`RETRY`].
const HANGS_AFTER: Duration = Duration::from_secs(10);
/// Records of one commit: some 50 ms of work, beyond which whoever waits first waits for the others.
const BATCH_MAX: usize = 4096;

/// Who is told that something is written down, or cannot be.
#[derive(Debug, Clone)]
pub struct Scribes {
    /// The scheduler.
    pub scheduler: Port<SchedulerInbox>,
    /// The folders.
    pub folders: Port<FoldersInbox>,
}

impl Scribes {
    fn written(&self, scribe: Scribe, ticket: u64, cause: Cause) {
        let message = WrittenDown { ticket };
        match scribe {
            Scribe::Scheduler => self.scheduler.tell(message, cause),
            Scribe::Folders => self.folders.tell(message, cause),
        }
    }

    fn changed(&self, trouble: Option<String>) {
        let message = StoreChanged { trouble };
        self.scheduler.tell(message.clone(), Cause::OUTSIDE);
        self.folders.tell(message, Cause::OUTSIDE);
    }
}

/// Who waits for the records up to here.
type Ticket = (Scribe, u64, Cause);

/// Records that are committed together.
#[derive(Debug, Default)]
struct Batch {
    records: Vec<Record>,
    tickets: Vec<Ticket>,
}

/// What comes back of a commit.
type Committed = (Box<dyn Store>, Batch, Result<(), StoreError>);

/// The desk.
pub struct StoreDesk {
    /// None while a commit runs.
    store: Option<Box<dyn Store>>,
    scribes: Scribes,
    hands: Arc<dyn Hands>,
    /// No more than what one try of each task makes: while the disk takes nothing, nobody decides anything new.
    waiting: VecDeque<(Ticket, Vec<Record>)>,
    /// What the disk did not take last time.
    refused: Batch,
    /// Why nothing can be written down now, as it was said, if so.
    trouble: Option<String>,
    /// For how many looks the commit that runs has run.
    looks: u32,
    under_way: TaskTracker,
    /// Held while anything is not written down: the program waits for it before it ends.
    owed: Option<TaskTrackerToken>,
}

impl fmt::Debug for StoreDesk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreDesk({} letters wait)", self.waiting.len())
    }
}

impl StoreDesk {
    /// A desk for this store; `under_way` tells whoever ends the program when all is written down.
    pub fn new(
        store: Box<dyn Store>,
        scribes: &Scribes,
        hands: Arc<dyn Hands>,
        under_way: TaskTracker,
    ) -> Self {
        Self {
            store: Some(store),
            scribes: Scribes {
                scheduler: scribes.scheduler.used_by(NAME),
                folders: scribes.folders.used_by(NAME),
            },
            hands,
            waiting: VecDeque::new(),
            refused: Batch::default(),
            trouble: None,
            looks: 0,
            under_way,
            owed: None,
        }
    }

    /// Commits what waits, unless a commit runs or nothing does.
    fn commit(&mut self, ctx: &mut Context<Self>) {
        let Some(mut store) = self.store.take() else {
            return;
        };
        let Some(batch) = self.next_batch() else {
            self.store = Some(store);
            self.owed = None;
            return;
        };
        let (tell, done) = oneshot::channel();
        self.hands.take(Box::new(move || {
            let committed = store.commit(&batch.records);
            // A desk that is gone wants to know nothing.
            drop(tell.send((store, batch, committed)));
        }));
        ctx.spawn(done.into_actor(self).map(Self::committed));
    }

    /// What the disk did not take is tried again as it was, for some of it may have been written.
    fn next_batch(&mut self) -> Option<Batch> {
        let mut batch = std::mem::take(&mut self.refused);
        let is_new = batch.tickets.is_empty();
        while let Some((_, records)) = self.waiting.front().filter(|_| is_new) {
            let is_full = batch.records.len() + records.len() > BATCH_MAX;
            if is_full && !batch.tickets.is_empty() {
                break;
            }
            if let Some((ticket, records)) = self.waiting.pop_front() {
                batch.tickets.push(ticket);
                batch.records.extend(records);
            }
        }
        (!batch.tickets.is_empty()).then_some(batch)
    }

    fn committed(found: Result<Committed, RecvError>, desk: &mut Self, ctx: &mut Context<Self>) {
        let Ok((store, batch, committed)) = found else {
            // Only a bug panics there; nothing can be written down any more, and nobody is to wait for it.
            tracing::error!("writing down broke off");
            ctx.stop();
            return;
        };
        desk.store = Some(store);
        desk.looks = 0;
        match committed {
            Ok(()) => {
                desk.hear_trouble(None);
                desk.tell_written(batch.tickets);
                desk.commit(ctx);
            }
            Err(error) => {
                desk.refused = batch;
                desk.hear_trouble(Some(error.to_string()));
            }
        }
    }

    /// A commit still runs: one that has run for too long is a trouble too.
    fn watch(&mut self) {
        self.looks += 1;
        if RETRY * self.looks == HANGS_AFTER {
            let seconds = HANGS_AFTER.as_secs();
            self.hear_trouble(Some(format!(
                "the disk has been writing for {seconds} s and does not get on"
            )));
        }
    }

    /// Each scribe is told the highest ticket only.
    fn tell_written(&self, tickets: Vec<Ticket>) {
        for scribe in [Scribe::Scheduler, Scribe::Folders] {
            let own = tickets.iter().filter(|(of, ..)| *of == scribe);
            if let Some((_, ticket, cause)) = own.max_by_key(|(_, ticket, _)| *ticket) {
                self.scribes.written(scribe, *ticket, *cause);
            }
        }
    }

    /// A trouble is said when it comes, changes and goes.
    fn hear_trouble(&mut self, trouble: Option<String>) {
        if trouble == self.trouble {
            return;
        }
        match &trouble {
            Some(why) => tracing::error!(
                "{why}; until it is well nothing is handed out and no result is taken"
            ),
            None => tracing::info!("what happens is written down again"),
        }
        self.trouble.clone_from(&trouble);
        self.scribes.changed(trouble);
    }
}

impl Actor for StoreDesk {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(RETRY, |desk, ctx| {
            if desk.store.is_none() {
                desk.watch();
            } else if desk.trouble.is_some() {
                desk.commit(ctx);
            }
        });
    }
}

impl Handler<Letter<WriteDown>> for StoreDesk {
    type Result = ();

    fn handle(&mut self, letter: Letter<WriteDown>, ctx: &mut Self::Context) {
        let (message, cause) = letter.open();
        let ticket = (message.scribe, message.ticket, cause);
        self.waiting.push_back((ticket, message.records));
        if self.owed.is_none() {
            self.owed = Some(self.under_way.token());
        }
        if self.trouble.is_none() {
            self.commit(ctx);
        }
    }
}

#[cfg(test)]
mod tests;
