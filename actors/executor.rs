//! Runs tasks on the peer, one slot each.
//!
//! Rule: it is given a [`Runner`], so that tests run none; a run ends once, and what it left on disk goes when
//! the master has the result.
//!
//! Hears: [`ExecutorInbox`](crate::messages::ExecutorInbox). Tells: the master session which runs ended, and what they print.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix::{Actor, ActorFutureExt as _, AsyncContext as _, Context, Handler, WrapFuture as _};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, Span, error_span};

use crate::logic::client::RunKey;
use crate::message_log::{Cause, Name};
use crate::messages::{
    ForgetRun, MasterSessionInbox, PrintedSeen, RunEnded, RunTask, SeePrinted, StopAll, StopRun,
};
use crate::port::{Letter, Port};
use crate::runner::{Finished, Job, Runner};

/// The executor's name in the message log.
pub const NAME: Name = Name::one("executor");

/// The actor.
pub struct Executor {
    runner: Arc<dyn Runner>,
    master_session: Port<MasterSessionInbox>,
    /// In an order that is the same in every run: all are stopped in it.
    running: BTreeMap<RunKey, Run>,
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
            running: BTreeMap::new(),
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
        let span = span_of(key);
        span.in_scope(|| tracing::info!(name = %job.name, "running a task"));
        let run = self.runner.run(job, stop).instrument(span).into_actor(self);
        ctx.spawn(run.map(move |finished, executor, ctx| executor.end(key, finished, ctx, cause)));
    }

    fn end(&mut self, key: RunKey, finished: Finished, ctx: &mut Context<Self>, cause: Cause) {
        let (task, attempt) = key;
        let Finished { outcome, result } = finished;
        let span = span_of(key);
        span.in_scope(|| tracing::info!(took = ?outcome.took, "a task ended: {}", outcome.ending));
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

    fn forget(&self, key: RunKey, ctx: &mut Context<Self>) {
        let (task, attempt) = key;
        let removal = self.runner.forget(task, attempt);
        ctx.spawn(removal.instrument(span_of(key)).into_actor(self));
    }
}

/// What every log line of a run carries. Of the highest level, for a span that is filtered out takes its fields
/// from the lines that are not.
fn span_of((task, attempt): RunKey) -> Span {
    error_span!("attempt", %task, %attempt)
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

impl Handler<Letter<SeePrinted>> for Executor {
    type Result = ();

    fn handle(&mut self, letter: Letter<SeePrinted>, ctx: &mut Context<Self>) {
        let (see, cause) = letter.open();
        let SeePrinted {
            task,
            attempt,
            from,
        } = see;
        let look = self.runner.printed(task, attempt, from).into_actor(self);
        ctx.spawn(look.map(move |seen, executor, _| {
            let seen = PrintedSeen {
                task,
                attempt,
                seen,
            };
            executor.master_session.tell(seen, cause);
        }));
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

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Mutex;

    use futures_util::FutureExt as _;
    use futures_util::future::BoxFuture;
    use tokio::task::LocalSet;
    use uuid::Uuid;

    use super::*;
    use crate::master_session;
    use crate::messages::ExecutorInbox;
    use crate::model::{Archive, Attempt, Ending, Outcome, TaskId, TaskName};
    use crate::testing::Stage;

    /// Runs nothing: each run ends when it is stopped, or when the test lets it.
    #[derive(Default)]
    struct Pretence {
        done: Mutex<HashMap<TaskId, CancellationToken>>,
        forgotten: Mutex<Vec<TaskId>>,
    }

    impl Runner for Pretence {
        fn run(&self, job: Job, stop: CancellationToken) -> BoxFuture<'static, Finished> {
            let done = CancellationToken::new();
            self.done.lock().unwrap().insert(job.task, done.clone());
            async move {
                let ending = tokio::select! {
                    () = stop.cancelled() => Ending::Cancelled,
                    () = done.cancelled() => Ending::Exit(0),
                };
                let outcome = Outcome {
                    ending,
                    took: std::time::Duration::ZERO,
                    peak_rss: None,
                };
                Finished {
                    outcome,
                    result: Archive::new("result"),
                }
            }
            .boxed()
        }

        fn forget(&self, task: TaskId, _: Attempt) -> BoxFuture<'static, ()> {
            self.forgotten.lock().unwrap().push(task);
            async {}.boxed()
        }
    }

    struct Scene {
        stage: Stage,
        runner: Arc<Pretence>,
        executor: Port<ExecutorInbox>,
    }

    impl Scene {
        async fn runs(&self, number: u128) -> TaskId {
            let task = TaskId(Uuid::from_u128(number));
            let job = Job {
                task,
                attempt: Attempt(1),
                name: TaskName::tamed("exemplo.zip"),
                sent_name: "exemplo.zip".into(),
                named: true,
                master_id: None,
                archive: Archive::new("task"),
                time_limit: None,
                plain_result: false,
            };
            self.executor.tell(RunTask { job }, Cause::OUTSIDE);
            self.stage.settle().await;
            task
        }

        async fn ends(&self, task: TaskId) {
            self.runner.done.lock().unwrap()[&task].cancel();
            self.stage.settle().await;
        }

        fn forgotten(&self) -> Vec<TaskId> {
            self.runner.forgotten.lock().unwrap().clone()
        }

        fn endings(&self) -> Vec<serde_json::Value> {
            let ended = self.stage.said("RunEnded").into_iter();
            ended
                .map(|mut ended| ended["outcome"]["ending"].take())
                .collect()
        }
    }

    async fn on_stage(play: impl AsyncFnOnce(Scene)) {
        let scene = async {
            let stage = Stage::new();
            let runner = Arc::new(Pretence::default());
            let session = stage.probe(master_session::NAME, MasterSessionInbox::of);
            let executor = Executor::new(Arc::clone(&runner) as Arc<dyn Runner>, &session).start();
            let executor = stage.port(NAME, ExecutorInbox::of(&executor));
            play(Scene {
                stage,
                runner,
                executor,
            })
            .await;
        };
        LocalSet::new().run_until(scene).await;
    }

    #[tokio::test]
    async fn each_run_ends_by_itself_and_is_told_once() {
        on_stage(async |scene| {
            let (first, second) = (scene.runs(1).await, scene.runs(2).await);
            scene.ends(second).await;
            assert_eq!(scene.endings().len(), 1);
            scene.ends(first).await;
            assert_eq!(scene.endings(), vec![serde_json::json!({"exit": 0}); 2]);
            assert!(scene.forgotten().is_empty(), "nobody has the results yet");
        })
        .await;
    }

    #[tokio::test]
    async fn one_that_is_stopped_ends_and_the_others_run_on() {
        on_stage(async |scene| {
            let (first, attempt) = (scene.runs(1).await, Attempt(1));
            scene.runs(2).await;
            let stop = StopRun {
                task: first,
                attempt,
            };
            scene.executor.tell(stop, Cause::OUTSIDE);
            scene.stage.settle().await;
            assert_eq!(scene.endings(), ["cancelled"]);
        })
        .await;
    }

    #[tokio::test]
    async fn what_is_forgotten_while_it_runs_goes_once_when_it_has_ended() {
        on_stage(async |scene| {
            let (task, attempt) = (scene.runs(1).await, Attempt(1));
            scene
                .executor
                .tell(ForgetRun { task, attempt }, Cause::OUTSIDE);
            scene.stage.settle().await;
            assert!(scene.forgotten().is_empty());
            scene.ends(task).await;
            assert_eq!(scene.forgotten(), [task]);
        })
        .await;
    }

    #[tokio::test]
    async fn what_has_ended_goes_when_it_is_forgotten() {
        on_stage(async |scene| {
            let (task, attempt) = (scene.runs(1).await, Attempt(1));
            scene.ends(task).await;
            scene
                .executor
                .tell(ForgetRun { task, attempt }, Cause::OUTSIDE);
            scene.stage.settle().await;
            assert_eq!(scene.forgotten(), [task]);
        })
        .await;
    }

    #[tokio::test]
    async fn a_stop_of_all_ends_each() {
        on_stage(async |scene| {
            scene.runs(1).await;
            scene.runs(2).await;
            scene.executor.tell(StopAll {}, Cause::OUTSIDE);
            scene.stage.settle().await;
            assert_eq!(scene.endings(), ["cancelled", "cancelled"]);
        })
        .await;
    }
}
