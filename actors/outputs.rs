//! What tasks print while they run, for those who read it.
//!
//! Rule: decides nothing by itself; the mind does ([`Outputs`](crate::logic::outputs::Outputs)). Nothing is asked of anybody
//! while nobody reads.
//!
//! Hears: [`OutputsInbox`]. Tells: readers what is new, the scheduler which tasks they read.

use std::collections::BTreeMap;
use std::time::Duration;

use actix::{Actor, AsyncContext as _, Context, Handler};

use crate::clock::Clock;
use crate::logic::outputs::{self, Effect, Reader};
use crate::message_log::{Cause, Name};
use crate::messages::{
    FollowTask, OutputCame, OutputTold, OutputWithheld, OutputsInbox, ReadOutput, ReaderLeft,
    ReplyTo, RequestRefused, SchedulerInbox, TaskStands,
};
use crate::port::{Letter, Port};

/// The name in the message log.
pub const NAME: Name = Name::one("outputs");
/// How often it is looked whose wait is over.
const TICK: Duration = Duration::from_millis(250);

/// The actor.
#[derive(Debug)]
pub struct Outputs {
    mind: outputs::Outputs,
    clock: Clock,
    scheduler: Port<SchedulerInbox>,
    /// Where others speak to us.
    me: Port<OutputsInbox>,
    readers: BTreeMap<Reader, ReplyTo>,
    last: Reader,
}

impl Outputs {
    /// One that nobody reads yet; `me` is its own inbox.
    pub fn new(clock: Clock, scheduler: &Port<SchedulerInbox>, me: Port<OutputsInbox>) -> Self {
        Self {
            mind: outputs::Outputs::default(),
            clock,
            scheduler: scheduler.used_by(NAME),
            me,
            readers: BTreeMap::new(),
            last: Reader(0),
        }
    }

    fn carry_out(&mut self, effects: Vec<Effect>, cause: Cause) {
        for effect in effects {
            match effect {
                Effect::Tell(reader, news) => {
                    if let Some(ReplyTo { session, request }) = self.readers.remove(&reader) {
                        session.tell(OutputTold { request, news }, cause);
                    }
                }
                Effect::Refuse(reader, why) => {
                    if let Some(ReplyTo { session, request }) = self.readers.remove(&reader) {
                        session.tell(RequestRefused { request, why }, cause);
                    }
                }
                Effect::Follow(task, known) => {
                    let listener = self.me.clone();
                    let follow = FollowTask {
                        task,
                        known,
                        listener,
                    };
                    self.scheduler.tell(follow, cause);
                }
            }
        }
    }
}

impl Actor for Outputs {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.run_interval(TICK, |outputs, _| {
            let effects = outputs.mind.tick(outputs.clock.now());
            outputs.carry_out(effects, Cause::OUTSIDE);
        });
    }
}

impl Handler<Letter<ReadOutput>> for Outputs {
    type Result = ();

    fn handle(&mut self, letter: Letter<ReadOutput>, _: &mut Context<Self>) {
        let (read, cause) = letter.open();
        let ReadOutput {
            task,
            place,
            wait,
            reply,
        } = read;
        self.last.0 += 1;
        let reader = self.last;
        let ReplyTo { session, request } = reply;
        let session = session.used_by(NAME);
        self.readers.insert(reader, ReplyTo { session, request });
        let now = self.clock.now();
        let effects = self.mind.read(task, place, wait, reader, now);
        self.carry_out(effects, cause);
    }
}

impl Handler<Letter<ReaderLeft>> for Outputs {
    type Result = ();

    fn handle(&mut self, letter: Letter<ReaderLeft>, _: &mut Context<Self>) {
        let (ReaderLeft { reply }, _) = letter.open();
        let mut readers = self.readers.iter();
        let left = readers.find(|(_, waits)| waits.is(&reply));
        // Its answer may have been on its way.
        if let Some(reader) = left.map(|(reader, _)| *reader) {
            self.readers.remove(&reader);
            self.mind.left(reader);
        }
    }
}

impl Handler<Letter<TaskStands>> for Outputs {
    type Result = ();

    fn handle(&mut self, letter: Letter<TaskStands>, _: &mut Context<Self>) {
        let (TaskStands { task, standing }, cause) = letter.open();
        let effects = self.mind.stands(task, standing, self.clock.now());
        self.carry_out(effects, cause);
    }
}

impl Handler<Letter<OutputCame>> for Outputs {
    type Result = ();

    fn handle(&mut self, letter: Letter<OutputCame>, _: &mut Context<Self>) {
        let (came, cause) = letter.open();
        let effects = self.mind.came(came.task, came.attempt, &came.piece);
        self.carry_out(effects, cause);
    }
}

impl Handler<Letter<OutputWithheld>> for Outputs {
    type Result = ();

    fn handle(&mut self, letter: Letter<OutputWithheld>, _: &mut Context<Self>) {
        let (OutputWithheld { task, attempt }, cause) = letter.open();
        let effects = self.mind.withheld(task, attempt);
        self.carry_out(effects, cause);
    }
}
