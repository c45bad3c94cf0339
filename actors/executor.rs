//! Runs tasks on the peer, one slot each.
//!
//! Rule: it is given a [`Runner`], so that tests run none; a run ends once, and what it left on disk goes when
//! the master has the result.
//!
//! Hears: [`ExecutorInbox`](crate::messages::ExecutorInbox). Tells: the master session which runs ended.

use std::collections::HashMap;
use std::sync::Arc;

use actix::{Actor, ActorFutureExt as _, AsyncContext as _, Context, Handler, WrapFuture as _};
use tokio_util::sync::CancellationToken;

use crate::logic::client::RunKey;
use crate::message_log::{Cause, Name};
use crate::messages::{ForgetRun, MasterSessionInbox, RunEnded, RunTask, StopAll, StopRun};
use crate::port::{Letter, Port};
use crate::runner::{Finished, Job, Runner};

/// The executor's name in the message log.
pub const NAME: Name = Name::one("executor");

/// The actor.
pub struct Executor {
    runner: Arc<dyn Runner>,
    master_session: Port<MasterSessionInbox>,
    running: HashMap<RunKey, Run>,
}

/// One that runs.
struct Run {
    stop: CancellationToken,
    /// Whether its remains may go as soon as it has ended.
    forgotten: bool,
}

impl Executor {
    /// One that runs nothing yet. The master session sees to it that there are no more runs than slots.
    pub fn new(runner: Arc<dyn Runner>, master_session: &Port<MasterSessionInbox>) -> Self {
        Self {
            runner,
            master_session: master_session.used_by(NAME),
            running: HashMap::new(),
        }
    }

    fn begin(&mut self, job: Job, ctx: &mut Context<Self>, cause: Cause) {
        let key = (job.task, job.attempt);
        let stop = CancellationToken::new();
        self.running.insert(
            key,
            Run {
                stop: stop.clone(),
                forgotten: false,
            },
        );
        tracing::info!(task = %job.task, attempt = %job.attempt, name = %job.name, "running a task");
        let run = self.runner.run(job, stop).into_actor(self);
        ctx.spawn(run.map(move |finished, executor, ctx| executor.end(key, finished, ctx, cause)));
    }

    fn end(&mut self, key: RunKey, finished: Finished, ctx: &mut Context<Self>, cause: Cause) {
        let (task, attempt) = key;
        let Finished { outcome, result } = finished;
        tracing::info!(%task, %attempt, took = ?outcome.took, "a task ended: {}", outcome.ending);
        let forgotten = self.running.remove(&key).is_some_and(|run| run.forgotten);
        if forgotten {
            self.forget(key, ctx);
        }
        self.master_session.tell(
            RunEnded {
                task,
                attempt,
                outcome,
                result,
            },
            cause,
        );
    }

    fn forget(&self, (task, attempt): RunKey, ctx: &mut Context<Self>) {
        ctx.spawn(self.runner.forget(task, attempt).into_actor(self));
    }
}

impl Actor for Executor {
    type Context = Context<Self>;
}

impl Handler<Letter<RunTask>> for Executor {
    type Result = ();

    fn handle(&mut self, letter: Letter<RunTask>, ctx: &mut Context<Self>) {
        let (RunTask { job }, cause) = letter.open();
        self.begin(job, ctx, cause);
    }
}

impl Handler<Letter<StopRun>> for Executor {
    type Result = ();

    fn handle(&mut self, letter: Letter<StopRun>, _: &mut Context<Self>) {
        let (StopRun { task, attempt }, _) = letter.open();
        if let Some(run) = self.running.get(&(task, attempt)) {
            run.stop.cancel();
        }
    }
}

impl Handler<Letter<ForgetRun>> for Executor {
    type Result = ();

    fn handle(&mut self, letter: Letter<ForgetRun>, ctx: &mut Context<Self>) {
        let (ForgetRun { task, attempt }, _) = letter.open();
        match self.running.get_mut(&(task, attempt)) {
            Some(run) => run.forgotten = true,
            None => self.forget((task, attempt), ctx),
        }
    }
}

impl Handler<Letter<StopAll>> for Executor {
    type Result = ();

    fn handle(&mut self, letter: Letter<StopAll>, _: &mut Context<Self>) {
        let (StopAll {}, _) = letter.open();
        for run in self.running.values() {
            run.stop.cancel();
        }
    }
}
