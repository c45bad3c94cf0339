//! A runner whose results outlast its process.
//!
//! Rule: what took a while to make lies on disk before anybody hears that its run has ended. What was made quickly is made
//! again as quickly, so it is written down only when its master keeps it waiting: most is taken before that, and costs the
//! disk nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use mutirao_actors::logic::client::RunKey;
use mutirao_actors::model::{Attempt, Both, Ending, Outcome, Piece, TaskId};
use mutirao_actors::runner::{Finished, Job, Runner};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::spool::{Label, Spool};
use crate::disk::Hands;

/// A run that took less than this is quick: to lose its result to a kill costs no more than to be killed so much earlier.
const QUICK: Duration = Duration::from_secs(1);
/// How long the result of a quick run waits for its master before it is written down: long enough for a master on a bad
/// Wi-Fi to take it, short enough to be over before somebody presses Ctrl-C twice.
const KEPT_AFTER: Duration = Duration::from_millis(500);

/// Any runner, with a spool between it and whoever waits for its results.
#[derive(Debug)]
pub struct Spooling<R> {
    runner: R,
    spool: Arc<Spool>,
    hands: Arc<dyn Hands>,
    /// Results of quick runs that are not forgotten; bounded like all that waits to be handed in.
    waiting: Arc<Mutex<HashMap<RunKey, Waiting>>>,
    /// Runs and removals: the program waits for them before it ends.
    under_way: TaskTracker,
}

/// A result that is written down unless it is forgotten before.
#[derive(Debug)]
struct Waiting {
    forgotten: CancellationToken,
    /// Ends when it lies there, or will not.
    keeping: JoinHandle<()>,
}

impl<R: Runner> Spooling<R> {
    /// Keeps what this runner's runs leave in this spool; the hands do the work on the disk.
    pub fn new(runner: R, spool: Arc<Spool>, hands: Arc<dyn Hands>) -> Self {
        Self {
            runner,
            spool,
            hands,
            waiting: Arc::default(),
            under_way: TaskTracker::new(),
        }
    }

    /// The runner itself.
    pub fn runner(&self) -> &R {
        &self.runner
    }

    /// Comes back when what was run lies in the spool and what was forgotten does not; nothing may be run after this.
    pub async fn tidied(&self) {
        self.under_way.close();
        self.under_way.wait().await;
    }
}

impl<R: Runner> Runner for Spooling<R> {
    fn run(&self, job: Job, stop: CancellationToken) -> BoxFuture<'static, Finished> {
        let (task, attempt) = (job.task, job.attempt);
        let (name, named, master_id) = (job.sent_name.clone(), job.named, job.master_id);
        let (spool, hands) = (Arc::clone(&self.spool), Arc::clone(&self.hands));
        let (waiting, under_way) = (Arc::clone(&self.waiting), self.under_way.clone());
        let run = self.runner.run(job, stop);
        let run = async move {
            let finished = run.await;
            let Outcome { ending, took, .. } = &finished.outcome;
            if !is_worth_keeping(ending) {
                return finished;
            }
            let (outcome, result) = (finished.outcome.clone(), finished.result.clone());
            let keep = async move {
                let work = move || {
                    let label = Label {
                        task,
                        attempt,
                        name,
                        named,
                        master_id,
                        outcome,
                        sha256: result.digest(),
                    };
                    spool.keep(&label, &result);
                };
                done_by(&*hands, work).await;
            };
            if *took >= QUICK {
                keep.await;
            } else {
                let later = Waiting::unless_forgotten(keep, &under_way);
                let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
                waiting.insert((task, attempt), later);
            }
            finished
        };
        self.under_way.track_future(run).boxed()
    }

    fn printed(
        &self,
        task: TaskId,
        attempt: Attempt,
        from: Option<Both<u64>>,
    ) -> BoxFuture<'static, Option<Both<Piece>>> {
        self.runner.printed(task, attempt, from)
    }

    fn forget(&self, task: TaskId, attempt: Attempt) -> BoxFuture<'static, ()> {
        let (spool, hands) = (Arc::clone(&self.spool), Arc::clone(&self.hands));
        let forgotten = self.runner.forget(task, attempt);
        let waiting = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.remove(&(task, attempt))
        };
        let removal = async move {
            if let Some(Waiting { forgotten, keeping }) = waiting {
                forgotten.cancel();
                // It fails only when the runtime shuts down.
                let _ = keeping.await;
            }
            done_by(&*hands, move || spool.forget((task, attempt))).await;
            forgotten.await;
        };
        self.under_way.track_future(removal).boxed()
    }
}

impl Waiting {
    /// Has something done after a while, unless it is called off before it was begun.
    fn unless_forgotten(keep: impl Future<Output = ()> + 'static, by: &TaskTracker) -> Self {
        let forgotten = CancellationToken::new();
        let called_off = forgotten.clone();
        // Beside the actor that runs tasks, where a simulation has its hands.
        let keeping = by.spawn_local(async move {
            tokio::select! {
                biased;
                () = called_off.cancelled() => {}
                () = sleep(KEPT_AFTER) => keep.await,
            }
        });
        Self { forgotten, keeping }
    }
}

/// Nobody waits for a run that was stopped, and a peer in trouble has nothing to show.
fn is_worth_keeping(ending: &Ending) -> bool {
    !matches!(ending, Ending::Cancelled | Ending::PeerTrouble(_))
}

/// Has work done that blocks, and waits for it; undone only when the program ends.
async fn done_by(hands: &dyn Hands, work: impl FnOnce() + Send + 'static) {
    let (done, told) = oneshot::channel();
    hands.take(Box::new(move || {
        work();
        // Nobody waits any more when the run was dropped.
        let _ = done.send(());
    }));
    let _ = told.await;
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use mutirao_actors::logic::client::Kept;
    use mutirao_actors::model::{Archive, TaskName};
    use tempfile::TempDir;
    use tokio::task::LocalSet;

    use super::*;
    use crate::disk::Volume;
    use crate::disk::hands::Threads;

    /// A run that ends as it is told, and what was forgotten.
    #[derive(Debug)]
    struct Pretence {
        ending: Ending,
        took: Duration,
        forgotten: Mutex<Vec<TaskId>>,
    }

    impl Runner for Pretence {
        fn run(&self, job: Job, _: CancellationToken) -> BoxFuture<'static, Finished> {
            let (ending, took) = (self.ending.clone(), self.took);
            async move {
                Finished {
                    outcome: Outcome {
                        ending,
                        took,
                        peak_rss: None,
                    },
                    result: job.archive,
                }
            }
            .boxed()
        }

        fn forget(&self, task: TaskId, _: Attempt) -> BoxFuture<'static, ()> {
            self.forgotten.lock().unwrap().push(task);
            async {}.boxed()
        }
    }

    fn open(home: &TempDir) -> (Spool, Vec<Kept>) {
        Spool::open(Arc::new(Volume::real()), home.path().join("spool")).unwrap()
    }

    fn spooling(home: &TempDir, ending: Ending, took: Duration) -> Spooling<Pretence> {
        let (spool, _) = open(home);
        let forgotten = Mutex::default();
        let runner = Pretence {
            ending,
            took,
            forgotten,
        };
        Spooling::new(runner, Arc::new(spool), Arc::new(Threads))
    }

    fn job() -> Job {
        Job {
            task: TaskId::new(),
            attempt: Attempt(1),
            name: TaskName::tamed("o exemplo.zip"),
            sent_name: "o exemplo.zip".into(),
            named: false,
            master_id: None,
            archive: Archive::new("zip"),
            time_limit: None,
            plain_result: false,
        }
    }

    #[tokio::test]
    async fn a_result_is_on_disk_when_its_run_has_ended_until_it_is_forgotten() {
        let home = tempfile::tempdir().unwrap();
        let spooling = spooling(&home, Ending::Exit(1), QUICK);
        let job = job();
        let finished = spooling.run(job.clone(), CancellationToken::new()).await;
        let (_, kept) = open(&home);
        let [kept] = &kept[..] else {
            panic!("{kept:?}")
        };
        assert_eq!(kept.hand_in.result, finished.result);
        assert_eq!(
            (kept.hand_in.name.as_str(), kept.named),
            ("o exemplo.zip", false)
        );
        spooling.forget(job.task, job.attempt).await;
        assert_eq!(spooling.spool.count(), 0);
        assert_eq!(*spooling.runner().forgotten.lock().unwrap(), [job.task]);
        spooling.tidied().await;
    }

    #[tokio::test]
    async fn what_was_made_quickly_is_on_disk_when_it_has_waited_and_goes_when_it_is_forgotten() {
        LocalSet::new().run_until(quickly()).await;
    }

    async fn quickly() {
        let home = tempfile::tempdir().unwrap();
        let spooling = spooling(&home, Ending::Exit(0), Duration::ZERO);
        let (kept, taken) = (job(), job());
        for job in [&kept, &taken] {
            spooling.run(job.clone(), CancellationToken::new()).await;
        }
        assert_eq!(spooling.spool.count(), 0);
        spooling.forget(taken.task, taken.attempt).await;
        while spooling.spool.count() == 0 {
            sleep(KEPT_AFTER).await;
        }
        let (_, found) = open(&home);
        let [found] = &found[..] else {
            panic!("{found:?}")
        };
        assert_eq!(found.hand_in.key, (kept.task, kept.attempt));
        spooling.forget(kept.task, kept.attempt).await;
        assert_eq!(open(&home).1, []);
    }

    #[tokio::test]
    async fn what_waits_when_the_program_ends_is_on_disk_before() {
        let home = tempfile::tempdir().unwrap();
        let spooling = spooling(&home, Ending::Exit(0), Duration::ZERO);
        let end = async {
            spooling.run(job(), CancellationToken::new()).await;
            spooling.tidied().await;
        };
        LocalSet::new().run_until(end).await;
        assert_eq!(spooling.spool.count(), 1);
    }

    #[tokio::test]
    async fn what_nobody_waits_for_is_not_kept() {
        for ending in [Ending::Cancelled, Ending::PeerTrouble("full".into())] {
            let home = tempfile::tempdir().unwrap();
            let spooling = spooling(&home, ending, Duration::ZERO);
            spooling.run(job(), CancellationToken::new()).await;
            spooling.tidied().await;
            assert_eq!(spooling.spool.count(), 0);
        }
    }
}
