//! `spread`: the machine that runs the fewest tasks goes first. A whole actor, as an example of one.
//!
//! For tasks that each want most of a machine: a machine gets its second task only when every machine that
//! asks has one. No order of the tasks can say this, for it is an order of those who ask. So this actor keeps
//! the requests, serves an idle machine at once and a busy one at the next tick, when whoever is idle has come
//! first; of equals, the request that has waited longest. All else it leaves to its desk.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use actix::{Actor, AsyncContext as _, Context, Handler};

use super::Fifo;
use crate::logic::dispatch::Ask;
use crate::message_log::Cause;
use crate::messages::{
    AdoptAfter, CancelGroup, CancelSome, CancelTask, CloseQueue, DescribeGroup, DescribeQueue,
    DescribeTask, DrainPeer, FoldersChanged, FollowTask, IntakeCounted, ListGroups, ListTasks,
    OfferFailed, PeerJoined, PeerLeft, ResultKept, ResultRefused, ResultSubmitted, RetryGroup,
    RetrySome, RetryTask, SchedulerInbox, SessionClosed, StoreChanged, TallyPeers, TaskArrived,
    TaskRequested, TaskWithdrawn, TasksRetried, WrittenDown,
};
use crate::model::Moment;
use crate::port::Letter;
use crate::scheduler::{Cast, Desk, TICK, Takes as _, leave_to_desk};

/// Requests that are kept: one for each slot of some thousand machines. More wait in the order of arrival.
const ASKS_MAX: usize = 65_536;
/// Serves machines that run nothing.
const IDLE_ONLY: usize = 0;

/// Keeps the requests by the number of their arrival, each with the end of its wait.
#[derive(Debug)]
pub struct Spread {
    desk: Desk<Fifo>,
    asks: BTreeMap<u64, (Ask, Moment)>,
    last: u64,
}

impl Spread {
    /// Starts it with an empty queue.
    pub fn start(cast: Cast) -> SchedulerInbox {
        let spread = Self {
            desk: Desk::new(Fifo, cast),
            asks: BTreeMap::new(),
            last: 0,
        };
        SchedulerInbox::of(&Actor::start(spread))
    }

    /// Gives what waits to machines that run at most so many tasks, the least loaded first.
    fn serve(&mut self, load_max: usize, cause: Cause) {
        if self.desk.mind().queued() == 0 {
            return;
        }
        let asks = self.asks.iter();
        let by_load = asks.map(|(number, (ask, _))| (load(&self.desk, ask), *number));
        let mut by_load: BTreeSet<(usize, u64)> = by_load.collect();
        while let Some((known, number)) = by_load.pop_first()
            && let Some((ask, _)) = self.asks.get(&number)
        {
            let load = load(&self.desk, ask);
            if load > known {
                // It got a task for another of its slots meanwhile: back into the line.
                by_load.insert((load, number));
            } else if load > load_max || self.desk.mind().queued() == 0 {
                break;
            } else if self.desk.offer(ask, cause) {
                self.asks.remove(&number);
            }
        }
    }

    /// Answers those who have waited as long as they may.
    fn let_go(&mut self) {
        let now = self.desk.now();
        for (_, (ask, _)) in self.asks.extract_if(.., |_, (_, until)| *until <= now) {
            let wait = Duration::ZERO;
            self.desk.request(Ask { wait, ..ask }, Cause::OUTSIDE);
        }
    }
}

/// How many tasks the machine has that asks.
fn load(desk: &Desk<Fifo>, ask: &Ask) -> usize {
    let standing = desk.mind().peers().get(&ask.peer);
    standing.map_or(0, |standing| standing.holds.len())
}

impl Actor for Spread {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.run_interval(TICK, |spread, _| {
            spread.desk.tick();
            spread.serve(usize::MAX, Cause::OUTSIDE);
            spread.let_go();
        });
    }
}

impl Handler<Letter<TaskArrived>> for Spread {
    type Result = ();

    fn handle(&mut self, letter: Letter<TaskArrived>, _: &mut Context<Self>) {
        let (arrived, cause) = letter.open();
        self.desk.take(arrived, cause);
        self.serve(IDLE_ONLY, cause);
    }
}

impl Handler<Letter<TaskRequested>> for Spread {
    type Result = ();

    fn handle(&mut self, letter: Letter<TaskRequested>, _: &mut Context<Self>) {
        let (request, cause) = letter.open();
        // One at a time, whatever it takes at once: its second task is for whoever has none.
        let count = 1;
        let ask = Ask {
            count,
            ..self.desk.ask(request)
        };
        if ask.wait.is_zero() || self.asks.len() >= ASKS_MAX {
            self.desk.request(ask, cause);
            return;
        }
        let until = self.desk.now().after(ask.wait);
        self.last += 1;
        self.asks.insert(self.last, (ask, until));
        self.serve(IDLE_ONLY, cause);
    }
}

impl Handler<Letter<PeerLeft>> for Spread {
    type Result = ();

    fn handle(&mut self, letter: Letter<PeerLeft>, _: &mut Context<Self>) {
        let (left, cause) = letter.open();
        self.asks.retain(|_, (ask, _)| ask.peer != left.endpoint);
        self.desk.take(left, cause);
    }
}

impl Handler<Letter<SessionClosed>> for Spread {
    type Result = ();

    fn handle(&mut self, letter: Letter<SessionClosed>, _: &mut Context<Self>) {
        let (closed, cause) = letter.open();
        self.asks
            .retain(|_, (ask, _)| ask.asker.session != closed.session);
        self.desk.take(closed, cause);
    }
}

// What a scheduler has to hear is in `SchedulerInbox`; the compiler says what is missing here.
leave_to_desk! { Spread:
    TaskWithdrawn, IntakeCounted, OfferFailed, ResultSubmitted, ResultKept, ResultRefused, PeerJoined, DescribeQueue,
    DescribeTask, CancelTask, ListTasks, TallyPeers, CloseQueue, WrittenDown, StoreChanged, AdoptAfter, DescribeGroup,
    ListGroups, CancelGroup, CancelSome, RetryTask, RetryGroup, RetrySome, TasksRetried, DrainPeer, FoldersChanged,
    FollowTask,
}
