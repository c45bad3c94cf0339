//! What a crash left half done is done at the next start.

use std::fs;

use mutirao_actors::logic::effect::End;
use mutirao_actors::logic::ledger::Submitted;
use mutirao_actors::logic::record::{Fate, Record, Remembered};
use mutirao_actors::messages::{AdoptTask, KeepResult, LoadTask};
use mutirao_actors::model::{Archive, Attempt, Part, TaskId, TaskName, Wishes};
use tempfile::TempDir;

use super::stage::{PATIENCE, Stage, id, play, result_zip, task_zip};

/// The tasks that were adopted in a life, standing like this, and the folder that it left.
pub(super) fn killed(stage: Stage, fate: impl Fn(usize) -> Fate) -> (TempDir, Vec<Remembered>) {
    let adopted = stage.records.borrow().clone().into_iter();
    let adopted = adopted.filter_map(|record| match record {
        Record::Adopted { task, lies } => Some((task, lies)),
        _ => None,
    });
    let known = adopted.enumerate().map(|(number, (task, lies))| {
        let mut known = Remembered::untried(task, lies);
        known.course.told().fate = fate(number);
        known
    });
    (stage.root, known.collect())
}

pub(super) fn done(file: &str) -> Fate {
    let archive = Archive::new(result_zip("x"));
    let submitted = Submitted {
        attempt: Attempt(1),
        peer: "p".parse().unwrap(),
        sha256: archive.digest(),
        size: archive.bytes().len() as u64,
        took: PATIENCE,
        failure: None,
    };
    let file = file.to_owned();
    Fate::Done { submitted, file }
}

/// A life in which `tasks/a.zip` was adopted and its result kept, and that ended before anything was moved.
pub(super) async fn kept() -> Stage {
    let mut stage = Stage::new();
    stage.put("tasks/a.zip", &task_zip("1"));
    let task = stage.arrival().await;
    stage.tell(KeepResult {
        task,
        name: TaskName::tamed("a.zip"),
        attempt: Attempt(1),
        success: true,
        archive: Archive::new(result_zip("x")),
    });
    stage.hear(["ResultKept"]).await;
    stage
}

#[tokio::test(start_paused = true)]
async fn a_task_that_was_done_gets_its_files_where_they_belong_and_does_not_run_again() {
    play(async {
        let (root, past) = killed(kept().await, |_| done("a.zip"));
        let mut stage = Stage::remembering(root, past);
        stage.until(|stage| stage.records.borrow().len() == 1).await;
        assert_eq!(stage.read("results/a.zip"), result_zip("x"));
        assert!(stage.path("tasks/done/a.zip").exists());
        stage.pass(PATIENCE).await;
        assert_eq!(stage.news(), []);
        stage.put("tasks/a.zip", &task_zip("1"));
        stage.arrival().await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn tasks_of_an_earlier_life_are_read_when_they_are_asked_for() {
    play(async {
        let mut stage = Stage::new();
        for number in 0..5 {
            stage.put(
                &format!("tasks/{number}.zip"),
                &task_zip(&number.to_string()),
            );
        }
        let arrived = stage.hear(["TaskArrived"; 5]).await;
        let (root, past) = killed(stage, |_| Fate::Queued);
        let mut stage = Stage::remembering(root, past);
        for arrived in &arrived {
            stage.tell(LoadTask {
                task: id(&arrived["task"]["id"]),
                reply: stage.reply(),
            });
        }
        let loaded = stage.hear(["PayloadLoaded"; 5]).await;
        for arrived in &arrived {
            let (name, sha256) = (&arrived["task"]["name"], arrived["task"]["sha256"].as_str());
            let loaded = loaded
                .iter()
                .find(|loaded| loaded["name"] == *name)
                .unwrap();
            assert!(
                loaded["archive"]
                    .as_str()
                    .unwrap()
                    .ends_with(sha256.unwrap())
            );
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_moved_before_it_is_known_what_an_earlier_life_left() {
    play(async {
        let (root, past) = killed(kept().await, |_| done("a.zip"));
        let unreadable = root.path().join(".mutirao/payloads/pack-9");
        fs::create_dir(&unreadable).unwrap();
        let mut stage = Stage::remembering(root, past);
        stage.put("tasks/b.zip", &task_zip("2"));
        stage.pass(PATIENCE).await;
        stage.tell(AdoptTask {
            name: TaskName::tamed("c.zip"),
            archive: Archive::new(task_zip("3")),
            group: "lab".into(),
            wishes: Wishes::default(),
            part: None,
            reply: stage.reply(),
        });
        let [refused] = stage.hear(["RequestRefused"]).await;
        assert!(refused["why"].as_str().unwrap().contains("pack-9"));
        assert!(stage.records.borrow().is_empty());
        assert!(!stage.path("results/a.zip").exists());
        assert!(stage.trouble().is_some_and(|said| said.contains("pack-9")));
        fs::remove_dir(&unreadable).unwrap();
        stage.arrival().await;
        let is_settled = |stage: &Stage| stage.path("results/a.zip").exists();
        stage.until(is_settled).await;
        assert_eq!(stage.read("results/a.zip"), result_zip("x"));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn settling_goes_on_wherever_the_crash_stopped_it() {
    play(async {
        for moves in [
            vec![("payload", "results/a.zip")],
            vec![
                ("payload", "results/a.zip"),
                ("tasks/a.zip", "tasks/done/a.zip"),
            ],
        ] {
            let before = kept().await;
            let payload = before.names(".mutirao/payloads").pop_first().unwrap();
            for (from, to) in moves {
                let from = match from {
                    "payload" => format!(".mutirao/payloads/{payload}"),
                    other => other.to_owned(),
                };
                fs::create_dir_all(before.path(to).parent().unwrap()).unwrap();
                fs::rename(before.path(&from), before.path(to)).unwrap();
            }
            let (root, past) = killed(before, |_| done("a.zip"));
            let stage = Stage::remembering(root, past);
            stage.until(|stage| stage.records.borrow().len() == 1).await;
            assert_eq!(stage.names("results").len(), 1);
            assert_eq!(stage.names("tasks/done").len(), 1);
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_result_that_was_not_answered_for_goes_and_one_that_may_have_been_does_not() {
    play(async {
        let (root, past) = killed(kept().await, |_| Fate::Queued);
        let stage = Stage::remembering(root, past);
        stage
            .until(|stage| stage.names(".mutirao/payloads").is_empty())
            .await;
        assert!(!stage.path(".mutirao/unclaimed").exists());

        let root = kept().await.root;
        let stage = Stage::damaged(root);
        stage
            .until(|stage| stage.names(".mutirao/unclaimed").len() == 1)
            .await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn of_two_tasks_that_a_crash_left_with_one_file_the_later_has_it() {
    play(async {
        let mut before = Stage::new();
        before.put("tasks/a.zip", &task_zip("old"));
        let old = before.arrival().await;
        before.put("tasks/a.zip", &task_zip("new"));
        before.hear(["TaskWithdrawn", "TaskArrived"]).await;
        let (root, past) = killed(before, |_| Fate::Queued);
        assert_eq!(past.len(), 2);
        let mut stage = Stage::remembering(root, past);
        let [withdrawn] = stage.hear(["TaskWithdrawn"]).await;
        assert_eq!(id(&withdrawn["task"]), old);
        stage.pass(PATIENCE).await;
        assert_eq!(stage.news(), []);
        assert!(stage.path("tasks/a.zip").exists());
    })
    .await;
}

/// A life in which two tasks with the same ZIP ended, and of which no more is known than that they were adopted.
async fn forgotten() -> (TempDir, Vec<Remembered>) {
    let mut before = Stage::new();
    for end in [End::Done, End::Failed("exit 1".into())] {
        before.put("tasks/a.zip", &task_zip("1"));
        let task = before.arrival().await;
        before.end(task, end);
        before
            .until(|stage| !stage.path("tasks/a.zip").exists())
            .await;
    }
    before
        .until(|stage| stage.path("tasks/failed/a.zip.txt").exists())
        .await;
    let (root, mut past) = killed(before, |_| Fate::Queued);
    past.remove(0);
    (root, past)
}

#[tokio::test(start_paused = true)]
async fn a_task_whose_end_was_lost_gets_its_zip_back() {
    play(async {
        let (root, past) = forgotten().await;
        let task = past[0].task.id;
        fs::remove_dir_all(root.path().join("tasks/done")).unwrap();
        let mut stage = Stage::forgetful(root, past);
        stage
            .until(|stage| stage.path("tasks/a.zip").exists())
            .await;
        stage.pass(PATIENCE).await;
        assert_eq!(stage.news(), [], "nobody deleted it");
        assert_eq!(stage.names("tasks/failed"), [].into());
        let reply = stage.reply();
        stage.tell(LoadTask { task, reply });
        stage.hear(["PayloadLoaded"]).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_zip_that_was_deleted_while_all_is_known_takes_its_task_back() {
    play(async {
        let (root, past) = forgotten().await;
        let mut stage = Stage::remembering(root, past);
        stage.hear(["TaskWithdrawn"]).await;
        assert!(!stage.path("tasks/a.zip").exists());

        let (root, past) = forgotten().await;
        fs::write(root.path().join("tasks/done/a.zip"), "another").unwrap();
        fs::write(root.path().join("tasks/failed/a.zip"), "another").unwrap();
        let mut stage = Stage::forgetful(root, past);
        stage.hear(["TaskWithdrawn"]).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_zip_that_could_not_be_brought_back_is_brought_back_later() {
    play(async {
        let (root, past) = forgotten().await;
        let done = root.path().join("tasks/done");
        let elsewhere = root.path().join("elsewhere");
        fs::rename(&done, &elsewhere).unwrap();
        fs::remove_dir_all(root.path().join("tasks/failed")).unwrap();
        fs::write(&done, "no folder").unwrap();
        let mut stage = Stage::forgetful(root, past);
        stage.pass(PATIENCE).await;
        fs::remove_file(&done).unwrap();
        fs::rename(&elsewhere, &done).unwrap();
        stage
            .until(|stage| stage.path("tasks/a.zip").exists())
            .await;
        stage.pass(PATIENCE).await;
        assert_eq!(stage.news(), []);
    })
    .await;
}

/// A life in which a task with wishes came over the wire.
pub(super) async fn submitted() -> (Stage, TaskId) {
    let mut stage = Stage::new();
    let wishes = Wishes {
        priority: 9,
        ..Wishes::default()
    };
    stage.tell(AdoptTask {
        name: TaskName::tamed("a.zip"),
        archive: Archive::new(task_zip("1")),
        group: "lab".into(),
        wishes,
        part: Part::new(3, 9),
        reply: stage.reply(),
    });
    let [arrived, _] = stage.hear(["TaskArrived", "TaskAccepted"]).await;
    stage
        .until(|stage| stage.path("tasks/a.zip").exists())
        .await;
    (stage, id(&arrived["task"]["id"]))
}

/// The same, ended before its ZIP was put into `tasks/`.
fn unlaid(stage: Stage, fate: &Fate) -> (TempDir, Vec<Remembered>) {
    let (root, mut past) = killed(stage, |_| fate.clone());
    past.truncate(1);
    let task = &past[0].task;
    assert_eq!(task.kind.wishes.priority, 9);
    assert_eq!(task.part(), Part::new(3, 9));
    let payload = format!(".mutirao/payloads/{}-{}", task.sha256, task.id);
    let root_path = root.path();
    fs::rename(root_path.join("tasks/a.zip"), root_path.join(payload)).unwrap();
    (root, past)
}

#[tokio::test(start_paused = true)]
async fn a_task_that_was_accepted_is_put_into_its_place_by_the_next_life() {
    play(async {
        let (before, task) = submitted().await;
        let (root, past) = unlaid(before, &Fate::Queued);
        let mut stage = Stage::remembering(root, past);
        stage
            .until(|stage| stage.path("tasks/a.zip").exists())
            .await;
        assert_eq!(stage.names(".mutirao/payloads"), [].into());
        stage.pass(PATIENCE).await;
        assert_eq!(stage.news(), [], "it is the same task");
        let reply = stage.reply();
        stage.tell(LoadTask { task, reply });
        stage.hear(["PayloadLoaded"]).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_task_in_whose_place_a_stranger_put_another_file_gets_another_name() {
    play(async {
        let (before, task) = submitted().await;
        let (root, past) = unlaid(before, &Fate::Queued);
        fs::write(root.path().join("tasks/a.zip"), task_zip("2")).unwrap();
        let mut stage = Stage::remembering(root, past);
        stage
            .until(|stage| stage.path("tasks/a.2.zip").exists())
            .await;
        let [arrived] = stage.hear(["TaskArrived"]).await;
        assert_ne!(id(&arrived["task"]["id"]), task);
        assert_eq!(stage.read("tasks/a.2.zip"), task_zip("1"));
        let records = stage.records.borrow();
        let mut adopted = records.iter().filter_map(|record| match record {
            Record::Adopted { task, lies } => Some((task.id, lies.file.clone())),
            _ => None,
        });
        let last = adopted.rfind(|(id, _)| *id == task);
        assert_eq!(last, Some((task, "a.2.zip".into())));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_zip_of_a_task_that_ended_before_it_was_put_into_its_place_is_shelved() {
    play(async {
        let (before, _) = submitted().await;
        let (root, past) = unlaid(before, &Fate::Cancelled { why: "no".into() });
        let stage = Stage::remembering(root, past);
        stage
            .until(|stage| stage.path("tasks/failed/a.zip").exists())
            .await;
        assert_eq!(stage.names(".mutirao/payloads"), [].into());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_task_of_which_the_submitter_was_not_told_is_none() {
    play(async {
        let (before, _) = submitted().await;
        let (root, _) = unlaid(before, &Fate::Queued);
        let mut stage = Stage::remembering(root, Vec::new());
        stage.pass(PATIENCE).await;
        assert_eq!(stage.news(), []);
        assert_eq!(stage.names(".mutirao/payloads"), [].into());
    })
    .await;
}
