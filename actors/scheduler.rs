//! Turns a [`Policy`] into an actor, and has what any scheduler actor is made of: [`Cast`] and [`Desk`].
//!
//! Rule: an actor decides at most who is served when; what keeps tasks from being lost is the mind's
//! ([`Dispatch`](crate::logic::dispatch::Dispatch)), and the desk carries its answers out. A scheduler that is
//! more than an order of tasks handles some letters itself and leaves the others to its desk: see
//! `schedulers/spread.rs`.
//!
//! Hears: [`SchedulerInbox`]. Tells: the folders what to keep and what has ended, sessions what they asked for, and how
//! tasks stand that somebody follows.

mod desk;
mod following;
mod letters;
mod report;
mod retries;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, AsyncContext as _, Context, Handler};

pub use desk::Desk;

use crate::clock::Clock;
use crate::logic::dispatch::Rules;
use crate::logic::policy::Policy;
use crate::logic::record::Past;
use crate::message_log::{Cause, Name};
use crate::messages::{FoldersInbox, SchedulerInbox, StoreInbox};
use crate::port::{Letter, Port};

/// How often due leases, rests and waits are looked at: a retry may be this late.
pub const TICK: Duration = Duration::from_millis(100);
/// The scheduler's name in the message log.
pub const NAME: Name = Name::one("scheduler");

/// What any scheduler actor is given.
#[derive(Debug, Clone)]
pub struct Cast {
    /// The name by which it was chosen, for reports.
    pub title: &'static str,
    /// Where results and ended tasks go.
    pub folders: Port<FoldersInbox>,
    /// Where it is written down what must survive.
    pub store: Port<StoreInbox>,
    /// What is known of earlier lives.
    pub past: Arc<Past>,
    /// How often a task may go wrong.
    pub rules: Rules,
    /// The time.
    pub clock: Clock,
}

/// Knows what to do about a message.
pub trait Takes<M> {
    /// Tells the mind, and sends what follows.
    fn take(&mut self, message: M, cause: Cause);
}

/// Gives an actor with a field `desk` the handlers of the letters that it leaves to it.
macro_rules! leave_to_desk {
    ($actor:ty: $($message:ty),+ $(,)?) => {
        $(impl actix::Handler<crate::port::Letter<$message>> for $actor {
            type Result = ();

            fn handle(&mut self, letter: crate::port::Letter<$message>, _: &mut Self::Context) {
                let (message, cause) = letter.open();
                crate::scheduler::Takes::take(&mut self.desk, message, cause);
            }
        })+
    };
}
pub(crate) use leave_to_desk;

/// A scheduler that follows a policy: it leaves every letter to its desk.
#[derive(Debug)]
pub struct Scheduler<P: Policy> {
    desk: Desk<P>,
}

impl<P: Policy> Scheduler<P> {
    /// Starts a scheduler with the tasks of earlier lives.
    pub fn start(policy: P, cast: Cast) -> SchedulerInbox {
        let desk = Desk::new(policy, cast);
        SchedulerInbox::of(&Actor::start(Self { desk }))
    }
}

impl<P: Policy> Actor for Scheduler<P> {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.run_interval(TICK, |scheduler, _| scheduler.desk.tick());
    }
}

impl<P: Policy, M> Handler<Letter<M>> for Scheduler<P>
where
    Desk<P>: Takes<M>,
{
    type Result = ();

    fn handle(&mut self, letter: Letter<M>, _: &mut Context<Self>) {
        let (message, cause) = letter.open();
        self.desk.take(message, cause);
    }
}
