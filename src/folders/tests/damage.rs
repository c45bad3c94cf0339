//! What a disk has damaged while the master was away: in packs, among the payloads.

use mutirao_actors::logic::record::{Fate, Remembered};
use mutirao_actors::model::{Archive, TaskId};
use tempfile::TempDir;

use super::restart::{done, kept, killed, submitted};
use super::stage::{PATIENCE, Stage, id, play, result_zip, task_zip};
use crate::disk::Volume;
use crate::folders::ZIP_DAMAGED;
use crate::folders::packs::{PACKED, Packs};

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

#[tokio::test(start_paused = true)]
async fn a_result_that_is_damaged_in_its_pack_is_kept_aside_and_its_task_stays_done() {
    play(async {
        let (root, past) = killed(kept().await, |_| done("a.zip"));
        let archive = Archive::new(result_zip("x"));
        let payloads = root.path().join(".mutirao/payloads");
        std::fs::remove_dir_all(payloads).unwrap();
        let damage = |bytes: &mut Vec<u8>| *bytes.last_mut().unwrap() ^= 1;
        pack(&root, (past[0].task.id, &archive), damage);
        let stage = Stage::remembering(root, past);
        stage.until(|stage| stage.records.borrow().len() == 1).await;
        assert!(!stage.path("results/a.zip").exists());
        assert!(stage.path("tasks/done/a.zip").exists());
        let note = stage.note(".mutirao/damaged/pack-1.txt");
        assert!(note.contains(&archive.digest().to_string()), "{note}");
    })
    .await;
}
