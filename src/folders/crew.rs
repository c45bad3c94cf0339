//! The desk's crew: jobs that block are done by other hands, a few at a time, and come back as a call on the desk.
//!
//! Rule: whatever a job found is heard with the desk's state at hand, in a turn of its own; nobody awaits.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use actix::{ActorContext as _, ActorFutureExt as _, AsyncContext as _, Context, WrapFuture as _};
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::RecvError;

use super::Folders;
use crate::disk::Hands;

/// Jobs that run at a time: enough that flushes of several files share one commit of the disk, few enough that a burst of
/// large ZIPs does not take all memory.
pub(super) const WORK_MAX: usize = 8;
/// Jobs that wait before requests are refused. Results and endings are always taken: there are never more of them than
/// open tasks.
pub(super) const WAITING_MAX: usize = 1024;

type Start = Box<dyn FnOnce(&mut Folders, &mut Context<Folders>)>;

/// Who does the jobs, how many run, how many may, and those that wait.
pub(super) struct Crew {
    hands: Arc<dyn Hands>,
    running: usize,
    at_a_time: usize,
    waiting: VecDeque<Start>,
}

impl Crew {
    /// A crew that does nothing but what must be done first: to open the folders.
    pub fn opening(hands: Arc<dyn Hands>) -> Self {
        Self {
            hands,
            running: 0,
            at_a_time: 0,
            waiting: VecDeque::new(),
        }
    }

    /// From now on all may work.
    pub fn opened(&mut self) {
        self.at_a_time = WORK_MAX;
    }

    /// Whether requests are to be refused.
    pub fn is_behind(&self) -> bool {
        self.waiting.len() >= WAITING_MAX
    }
}

impl fmt::Debug for Crew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Crew({} run, {} wait)", self.running, self.waiting.len())
    }
}

impl Folders {
    /// Has a job done, now or in its turn, and hears what it found.
    pub(super) fn work<T: Send + 'static>(
        &mut self,
        ctx: &mut Context<Self>,
        job: impl FnOnce() -> T + Send + 'static,
        done: impl FnOnce(&mut Self, T, &mut Context<Self>) + 'static,
    ) {
        let start = self.job(job, done);
        self.crew.waiting.push_back(start);
        self.fill_hands(ctx);
    }

    /// Has a job done before all others, which wait for it.
    pub(super) fn work_first<T: Send + 'static>(
        &mut self,
        ctx: &mut Context<Self>,
        job: impl FnOnce() -> T + Send + 'static,
        done: impl FnOnce(&mut Self, T, &mut Context<Self>) + 'static,
    ) {
        let start = self.job(job, done);
        self.crew.running += 1;
        start(self, ctx);
    }

    fn job<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
        done: impl FnOnce(&mut Self, T, &mut Context<Self>) + 'static,
    ) -> Start {
        let under_way = self.under_way.token();
        Box::new(|desk: &mut Self, ctx: &mut Context<Self>| {
            let (tell, found) = oneshot::channel();
            // A desk that is gone wants to know nothing.
            desk.crew
                .hands
                .take(Box::new(move || drop(tell.send(job()))));
            ctx.spawn(found.into_actor(desk).map(|found, desk: &mut Self, ctx| {
                desk.worked(found, done, ctx);
                drop(under_way);
            }));
        })
    }

    fn fill_hands(&mut self, ctx: &mut Context<Self>) {
        while self.crew.running < self.crew.at_a_time {
            let Some(next) = self.crew.waiting.pop_front() else {
                return;
            };
            self.crew.running += 1;
            next(self, ctx);
        }
    }

    fn worked<T>(
        &mut self,
        found: Result<T, RecvError>,
        done: impl FnOnce(&mut Self, T, &mut Context<Self>),
        ctx: &mut Context<Self>,
    ) {
        self.crew.running -= 1;
        match found {
            Ok(found) => done(self, found, ctx),
            Err(error) => {
                // Only a bug panics there; a desk that never hears back would be deaf to its file for ever.
                tracing::error!("work on the folders broke off: {error}");
                ctx.stop();
            }
        }
        self.fill_hands(ctx);
    }
}
