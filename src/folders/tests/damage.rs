//! What a disk has damaged while the master was away: in packs, among the payloads.

use mutirao_actors::logic::ledger::Tried;
use mutirao_actors::logic::record::{Fate, Record, Remembered};
use mutirao_actors::model::{Archive, Attempt, BootId, Endpoint, Life, TaskId};
use tempfile::TempDir;

use super::restart::{done, kept, killed, submitted};
use super::stage::{PATIENCE, Stage, id, play, result_zip, task_zip};
use crate::disk::Volume;
use crate::folders::packs::{PACKED, Packs};
use crate::folders::{Places, ZIP_DAMAGED, reopen_damaged};

/// Packs a ZIP behind another, of which nobody knows, and damages the pack.
fn pack(root: &TempDir, zip: (TaskId, &Archive), damage: impl FnOnce(&mut Vec<u8>)) {
    let payloads = root.path().join(".mutirao/payloads");
    let packs = Packs::new(payloads.clone(), root.path().join("aside"));
    let other = Archive::new("another");
    let zips = [(TaskId::new(), &other), zip];
    packs.pack(&Volume::real(), &zips).unwrap();
    let path = payloads.join("pack-1");
    let mut bytes = std::fs::read(&path).unwrap();
    damage(&mut bytes);
    std::fs::write(path, bytes).unwrap();
}

/// A life that accepted a task and left its ZIP in a damaged pack.
async fn accepted(damage: impl FnOnce(&mut Vec<u8>)) -> (TempDir, Vec<Remembered>) {
    let (before, task) = submitted().await;
    let (root, mut past) = killed(before, |_| Fate::Queued);
    past.truncate(1);
    past[0].lies.stamp = PACKED;
    std::fs::remove_file(root.path().join("tasks/a.zip")).unwrap();
    pack(&root, (task, &Archive::new(task_zip("1"))), damage);
    (root, past)
}

#[tokio::test(start_paused = true)]
async fn a_task_whose_zip_is_whole_in_a_damaged_pack_goes_on() {
    play(async {
        let (root, past) = accepted(|bytes| bytes[..60].fill(0)).await;
        let mut stage = Stage::remembering(root, past);
        let lies = |stage: &Stage| stage.path("tasks/a.zip").exists();
        stage.until(lies).await;
        stage.pass(PATIENCE).await;
        assert_eq!(stage.news(), []);
        let damaged = ["pack-1", "pack-1.txt"].map(String::from).into();
        assert_eq!(stage.names(".mutirao/damaged"), damaged);
        assert_eq!(stage.names(".mutirao/payloads"), [].into());
        let said = stage.trouble().unwrap();
        assert!(said.contains("1 pack was damaged"), "{said}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_task_whose_zip_is_damaged_in_its_pack_is_cancelled_with_the_reason() {
    play(async {
        for cut in [false, true] {
            let damage = |bytes: &mut Vec<u8>| match cut {
                // So that not even a line tells of it.
                true => bytes.truncate(20),
                false => *bytes.last_mut().unwrap() ^= 1,
            };
            let (root, past) = accepted(damage).await;
            let task = past[0].task.id;
            let mut stage = Stage::remembering(root, past);
            let [withdrawn] = stage.hear(["TaskWithdrawn"]).await;
            assert_eq!(id(&withdrawn["task"]), task);
            assert_eq!(withdrawn["why"], ZIP_DAMAGED);
            assert_eq!(stage.names(".mutirao/damaged").len(), 2);
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_task_that_lies_in_its_place_needs_no_pack() {
    play(async {
        let (root, past) = accepted(|bytes| bytes.truncate(20)).await;
        std::fs::write(root.path().join("tasks/a.zip"), task_zip("1")).unwrap();
        let mut stage = Stage::remembering(root, past);
        stage.pass(PATIENCE).await;
        assert_eq!(stage.news(), []);
        std::fs::remove_file(stage.path("tasks/a.zip")).unwrap();
        let [withdrawn] = stage.hear(["TaskWithdrawn"]).await;
        assert_ne!(withdrawn["why"], ZIP_DAMAGED, "it was deleted");
    })
    .await;
}

/// A life that took a result and left it in a damaged pack, with the ZIP of its task in `tasks/`.
async fn taken() -> (TempDir, Vec<Remembered>, Archive) {
    let (root, past) = killed(kept().await, |_| done("a.zip"));
    let archive = Archive::new(result_zip("x"));
    let payloads = root.path().join(".mutirao/payloads");
    std::fs::remove_dir_all(payloads).unwrap();
    let damage = |bytes: &mut Vec<u8>| *bytes.last_mut().unwrap() ^= 1;
    pack(&root, (past[0].task.id, &archive), damage);
    (root, past, archive)
}

fn reopened(root: &TempDir, past: &mut [Remembered]) -> Vec<Vec<Record>> {
    let places = Places::under(root.path(), Volume::real().into());
    reopen_damaged(&places, past).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_done_task_whose_result_is_damaged_in_its_pack_is_open_again() {
    play(async {
        let (root, mut past, _) = taken().await;
        let (task, attempt) = (past[0].task.id, Attempt(1));
        past[0].course.told().tries = vec![tried(attempt)];
        let records = reopened(&root, &mut past).concat();
        let [
            Record::Reopened { task: first },
            Record::TryEnded { task: second, .. },
        ] = &records[..]
        else {
            panic!("{records:?}");
        };
        assert_eq!([first, second], [&task; 2]);
        assert_eq!(past[0].course.fate, Fate::Queued);
        assert!(past[0].course.tries[0].fault.is_some());
        let mut stage = Stage::remembering(root, past);
        stage.pass(PATIENCE).await;
        assert_eq!(stage.news(), [], "the task is not taken back");
        assert!(stage.path("tasks/a.zip").exists());
        assert_eq!(stage.names(".mutirao/damaged").len(), 2);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_done_task_stays_done_while_its_result_lies_anywhere() {
    play(async {
        let zip = result_zip("x");
        for elsewhere in ["results/a.zip", "results/a.2.zip", "payload"] {
            let (root, mut past, archive) = taken().await;
            let places = Places::under(root.path(), Volume::real().into());
            let path = match elsewhere {
                "payload" => places.payload(past[0].task.id, archive.digest()),
                file => root.path().join(file),
            };
            std::fs::write(path, &zip).unwrap();
            assert!(reopened(&root, &mut past).is_empty(), "{elsewhere}");
        }
        let (root, mut past, _) = taken().await;
        std::fs::write(root.path().join("results/a.zip"), "another").unwrap();
        assert_eq!(reopened(&root, &mut past).len(), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_done_task_stays_done_where_no_pack_is_damaged_or_its_files_were_in_place_before() {
    play(async {
        let (root, mut past, _) = taken().await;
        past[0].settled = true;
        assert!(reopened(&root, &mut past).is_empty());
        past[0].settled = false;
        std::fs::remove_file(root.path().join(".mutirao/payloads/pack-1")).unwrap();
        assert!(
            reopened(&root, &mut past).is_empty(),
            "a person took it away"
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_result_that_is_damaged_after_it_lay_in_its_place_is_kept_aside_and_its_task_stays_done()
{
    play(async {
        let (root, mut past, archive) = taken().await;
        let (tasks, shelf) = (root.path().join("tasks"), root.path().join("tasks/done"));
        std::fs::create_dir_all(&shelf).unwrap();
        std::fs::rename(tasks.join("a.zip"), shelf.join("a.zip")).unwrap();
        assert!(reopened(&root, &mut past).is_empty());
        let stage = Stage::remembering(root, past);
        stage.until(|stage| stage.records.borrow().len() == 1).await;
        assert!(!stage.path("results/a.zip").exists());
        assert!(stage.path("tasks/done/a.zip").exists());
        let note = stage.note(".mutirao/damaged/pack-1.txt");
        assert!(note.contains(&archive.digest().to_string()), "{note}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_done_task_whose_result_and_zip_are_both_damaged_is_cancelled_with_the_reason() {
    play(async {
        let (root, mut past, _) = taken().await;
        std::fs::remove_file(root.path().join("tasks/a.zip")).unwrap();
        past[0].lies.stamp = PACKED;
        assert_eq!(reopened(&root, &mut past).len(), 1);
        let mut stage = Stage::remembering(root, past);
        let [withdrawn] = stage.hear(["TaskWithdrawn"]).await;
        assert_eq!(withdrawn["why"], ZIP_DAMAGED);
    })
    .await;
}

fn tried(attempt: Attempt) -> Tried {
    let boot = BootId(uuid::Uuid::nil());
    Tried {
        attempt,
        name: "a.zip".parse().unwrap(),
        holder: Endpoint {
            peer: "p".parse().unwrap(),
            life: Life::Boot(boot),
        },
        fault: None,
        refusals: 0,
    }
}
