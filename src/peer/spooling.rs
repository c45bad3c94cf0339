//! A runner whose results lie on disk before it says that they are there.

use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use mutirao_actors::model::{Attempt, Ending, TaskId};
use mutirao_actors::runner::{Finished, Job, Runner};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::spool::{Label, Spool};
use crate::disk::Hands;

/// Any runner, with a spool between it and whoever waits for its results.
#[derive(Debug)]
pub struct Spooling<R> {
    runner: R,
    spool: Arc<Spool>,
    hands: Arc<dyn Hands>,
    /// Runs and removals: the program waits for them before it ends.
    under_way: TaskTracker,
}

impl<R: Runner> Spooling<R> {
    /// Keeps what this runner's runs leave in this spool; the hands do the work on the disk.
    pub fn new(runner: R, spool: Arc<Spool>, hands: Arc<dyn Hands>) -> Self {
        Self {
            runner,
            spool,
            hands,
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
        let run = self.runner.run(job, stop);
        let run = async move {
            let finished = run.await;
            if is_worth_keeping(&finished.outcome.ending) {
                let result = finished.result.clone();
                let label = Label {
                    task,
                    attempt,
                    name,
                    named,
                    master_id,
                    outcome: finished.outcome.clone(),
                    sha256: result.digest(),
                };
                done_by(&*hands, move || spool.keep(&label, &result)).await;
            }
            finished
        };
        self.under_way.track_future(run).boxed()
    }

    fn forget(&self, task: TaskId, attempt: Attempt) -> BoxFuture<'static, ()> {
        let (spool, hands) = (Arc::clone(&self.spool), Arc::clone(&self.hands));
        let forgotten = self.runner.forget(task, attempt);
        let removal = async move {
            done_by(&*hands, move || spool.forget((task, attempt))).await;
            forgotten.await;
        };
        self.under_way.track_future(removal).boxed()
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
    use mutirao_actors::model::{Archive, Outcome, TaskName};
    use tempfile::TempDir;

    use super::*;
    use crate::disk::Volume;
    use crate::disk::hands::Threads;

    /// A run that ends as it is told, and what was forgotten.
    #[derive(Debug)]
    struct Pretence {
        ending: Ending,
        forgotten: Mutex<Vec<TaskId>>,
    }

    impl Runner for Pretence {
        fn run(&self, job: Job, _: CancellationToken) -> BoxFuture<'static, Finished> {
            let ending = self.ending.clone();
            async move {
                Finished {
                    outcome: Outcome {
                        ending,
                        took: std::time::Duration::ZERO,
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

    fn spooling(home: &TempDir, ending: Ending) -> Spooling<Pretence> {
        let (spool, _) = open(home);
        let forgotten = Mutex::default();
        let runner = Pretence { ending, forgotten };
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
        let spooling = spooling(&home, Ending::Exit(1));
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
    async fn what_nobody_waits_for_is_not_kept() {
        for ending in [Ending::Cancelled, Ending::PeerTrouble("full".into())] {
            let home = tempfile::tempdir().unwrap();
            let spooling = spooling(&home, ending);
            spooling.run(job(), CancellationToken::new()).await;
            assert_eq!(spooling.spool.count(), 0);
        }
    }
}
