//! The desk of the store on a stage, with a store that does as it is told.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use mutirao_actors::messages::StoreInbox;
use mutirao_actors::model::TaskId;
use mutirao_actors::testing::Stage;
use serde_json::json;
use tokio::task::LocalSet;

use super::*;
use crate::disk::hands::Job;

/// Jobs wait until the test does them.
#[derive(Clone, Default)]
struct Slow(Arc<Mutex<VecDeque<Job>>>);

impl fmt::Debug for Slow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Slow")
    }
}

impl Hands for Slow {
    fn take(&self, job: Job) {
        self.0.lock().unwrap().push_back(job);
    }
}

/// What was committed, in which pieces, and whether the disk takes anything.
#[derive(Debug, Clone, Default)]
struct Fake(Arc<Mutex<(Vec<usize>, bool)>>);

impl Fake {
    fn commits(&self) -> Vec<usize> {
        self.0.lock().unwrap().0.clone()
    }

    fn is_full(&self, full: bool) {
        self.0.lock().unwrap().1 = full;
    }
}

impl Store for Fake {
    fn commit(&mut self, records: &[Record]) -> Result<(), StoreError> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.1 {
            return Err(StoreError::Damaged {
                file: "mutirao.db".into(),
                why: "full".to_owned(),
            });
        }
        state.0.push(records.len());
        Ok(())
    }
}

struct Play {
    stage: Stage,
    desk: Port<StoreInbox>,
    hands: Slow,
    disk: Fake,
    under_way: TaskTracker,
}

impl Play {
    fn new() -> Self {
        let stage = Stage::new();
        let scribes = Scribes {
            scheduler: stage.probe(Name::one("scheduler"), SchedulerInbox::of),
            folders: stage.probe(Name::one("folders"), FoldersInbox::of),
        };
        let (hands, disk, under_way) = (Slow::default(), Fake::default(), TaskTracker::new());
        under_way.close();
        let store = Box::new(disk.clone());
        let desk = StoreDesk::new(store, &scribes, Arc::new(hands.clone()), under_way.clone());
        let desk = stage.port(NAME, StoreInbox::of(&desk.start()));
        Self {
            stage,
            desk,
            hands,
            disk,
            under_way,
        }
    }

    fn write_down(&self, scribe: Scribe, ticket: u64, count: usize) {
        let settled = Record::Settled {
            task: TaskId::default(),
            file: None,
        };
        let records = vec![settled; count];
        self.desk.tell(
            WriteDown {
                scribe,
                ticket,
                records,
            },
            Cause::OUTSIDE,
        );
    }

    /// Does the job that waits, if one does.
    async fn work(&self) -> bool {
        self.stage.settle().await;
        let job = self.hands.0.lock().unwrap().pop_front();
        let is_one = job.is_some();
        if let Some(job) = job {
            job();
        }
        self.stage.settle().await;
        is_one
    }

    /// Who was told that it is safe, and up to where.
    fn told(&self) -> Vec<(String, u64)> {
        let mut letters = self.stage.letters();
        letters.retain(|letter| letter["kind"] == "WrittenDown");
        let told = letters.iter().map(|letter| {
            let ticket = letter["body"]["ticket"].as_u64().unwrap();
            (letter["to"].as_str().unwrap().to_owned(), ticket)
        });
        told.collect()
    }
}

fn told(to: &str, ticket: u64) -> (String, u64) {
    (to.to_owned(), ticket)
}

#[tokio::test(start_paused = true)]
async fn what_comes_while_a_commit_runs_is_one_commit() {
    let play = async {
        let play = Play::new();
        play.write_down(Scribe::Scheduler, 1, 1);
        play.stage.settle().await;
        play.write_down(Scribe::Scheduler, 2, 2);
        play.write_down(Scribe::Folders, 1, 3);
        play.write_down(Scribe::Scheduler, 3, 4);
        assert!(play.told().is_empty(), "nothing is safe yet");
        assert!(play.work().await);
        assert_eq!(play.told(), [told("scheduler", 1)]);
        assert!(play.work().await);
        assert_eq!(play.disk.commits(), [1, 9]);
        let rest = [told("scheduler", 3), told("folders", 1)];
        assert_eq!(play.told()[1..], rest);
        assert!(!play.work().await);
    };
    LocalSet::new().run_until(play).await;
}

#[tokio::test(start_paused = true)]
async fn a_commit_has_a_largest_size_and_nothing_is_torn() {
    let play = async {
        let play = Play::new();
        for (ticket, count) in [
            (1, 1),
            (2, BATCH_MAX - 1),
            (3, 2),
            (4, BATCH_MAX + 1),
            (5, 1),
        ] {
            play.write_down(Scribe::Folders, ticket, count);
            play.stage.settle().await;
        }
        while play.work().await {}
        let sizes = [1, BATCH_MAX - 1, 2, BATCH_MAX + 1, 1];
        assert_eq!(play.disk.commits(), sizes);
    };
    LocalSet::new().run_until(play).await;
}

#[tokio::test(start_paused = true)]
async fn what_the_disk_does_not_take_is_tried_until_it_does() {
    let play = async {
        let play = Play::new();
        play.disk.is_full(true);
        play.write_down(Scribe::Scheduler, 1, 1);
        assert!(play.work().await);
        play.write_down(Scribe::Scheduler, 2, 1);
        for _ in 0..3 {
            assert!(!play.work().await, "it is not tried before its time");
            tokio::time::sleep(RETRY).await;
            assert!(play.work().await);
        }
        let troubles = play.stage.said("StoreChanged");
        assert_eq!(troubles.len(), 2, "said once to each: {troubles:?}");
        assert!(troubles[0]["trouble"].as_str().unwrap().contains("full"));
        assert!(play.told().is_empty());
        assert!(!play.under_way.is_empty(), "the program waits for it");

        play.disk.is_full(false);
        tokio::time::sleep(RETRY).await;
        while play.work().await {}
        assert_eq!(play.disk.commits(), [1, 1]);
        assert_eq!(play.told(), [told("scheduler", 1), told("scheduler", 2)]);
        let troubles = play.stage.said("StoreChanged");
        assert_eq!(
            troubles[2..],
            [json!({"trouble": null}), json!({"trouble": null})]
        );
        play.under_way.wait().await;
    };
    LocalSet::new().run_until(play).await;
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_hangs_is_told_as_a_trouble_until_it_gets_on() {
    let play = async {
        let play = Play::new();
        play.write_down(Scribe::Scheduler, 1, 1);
        play.stage.settle().await;
        tokio::time::sleep(HANGS_AFTER - RETRY).await;
        play.stage.settle().await;
        assert_eq!(play.stage.said("StoreChanged").len(), 0);
        tokio::time::sleep(Duration::from_secs(2)).await;
        play.stage.settle().await;
        let troubles = play.stage.said("StoreChanged");
        let why = troubles[0]["trouble"].as_str().unwrap();
        assert!(why.contains("writing for 10 s"), "{why}");
        play.write_down(Scribe::Scheduler, 2, 1);
        while play.work().await {}
        assert_eq!(play.told(), [told("scheduler", 1), told("scheduler", 2)]);
        let last = play.stage.said("StoreChanged").pop();
        assert_eq!(last, Some(json!({"trouble": null})));
        play.under_way.wait().await;
    };
    LocalSet::new().run_until(play).await;
}

#[tokio::test(start_paused = true)]
async fn commits_that_follow_one_another_are_no_disk_that_hangs() {
    let play = async {
        let play = Play::new();
        for ticket in 1..=10 {
            play.write_down(Scribe::Scheduler, ticket, 1);
            play.stage.settle().await;
            tokio::time::sleep(HANGS_AFTER / 2).await;
            assert!(play.work().await);
        }
        assert_eq!(play.stage.said("StoreChanged").len(), 0);
    };
    LocalSet::new().run_until(play).await;
}
