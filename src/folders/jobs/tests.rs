use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use mutirao_actors::logic::effect::End;
use mutirao_actors::model::{Stamp, TaskId, TaskName, Wishes};

use super::put_away::Shelves;
use super::take_in::{task_name, task_of};
use super::touched::Touched;
use super::*;
use crate::archive::{Compression, inspect_task, pack};
use crate::disk::Disk;
use crate::disk::testing::Ailing;
use crate::folders::intake::{Leaving, Mark, Reading};
use crate::folders::packs::Packs;
use crate::folders::plans::Plans;

mod read;
mod submitted;
mod unclaimed;

fn places() -> (tempfile::TempDir, Places) {
    let (temp, places, _) = ailing();
    (temp, places)
}

/// And the disk below them.
fn ailing() -> (tempfile::TempDir, Places, Arc<Ailing>) {
    let (temp, disk) = (tempfile::tempdir().unwrap(), Arc::new(Ailing::default()));
    let volume = Volume::new(Arc::clone(&disk) as Arc<dyn Disk>);
    let places = Places::under(temp.path(), Arc::new(volume));
    open(&places, &[], true).unwrap();
    (temp, places, disk)
}

fn put(places: &Places, name: &str, bytes: &[u8]) -> Stamp {
    let path = places.tasks.join(name);
    fs::write(&path, bytes).unwrap();
    stamp(places, &path)
}

fn stamp(places: &Places, path: &Path) -> Stamp {
    places.volume.stat(path).unwrap().stamp
}

fn zip() -> Vec<u8> {
    pack([("main.py", &b"1"[..])], Compression::Fast).unwrap()
}

#[test]
fn a_disk_is_tried_with_as_much_as_it_refused_for_it_may_well_take_less() {
    let (_temp, places, disk) = ailing();
    disk.has_room_for(100_000);
    probe(&places, 0).unwrap();
    probe(&places, 100_000).unwrap();
    let refused = probe(&places, 100_001).unwrap_err();
    assert!(refused.to_string().contains("free some space"), "{refused}");
    let left = fs::read_dir(places.payloads()).unwrap();
    assert_eq!(left.count(), 0, "nothing of it stays");
}

#[test]
fn only_visible_plain_zips_are_listed() {
    let (_temp, places) = places();
    for name in ["a.zip", "b.ZiP", ".c.zip", "d.txt", "zip"] {
        put(&places, name, b"");
    }
    fs::create_dir(places.tasks.join("e.zip")).unwrap();
    std::os::unix::fs::symlink("a.zip", places.tasks.join("f.zip")).unwrap();
    let mut look = Look::new(Vec::new(), Arc::default());
    let mut listing = look.go_on(&places).unwrap();
    let said = look.strangers.in_words(Path::new("tasks")).unwrap();
    assert!(said.starts_with("tasks/d.txt, tasks/zip are no ZIPs"));
    listing.files.sort_by(|(one, _), (other, _)| one.cmp(other));
    let files = listing.files.iter().map(|(name, _)| name);
    assert!(files.eq(["a.zip", "b.ZiP"].iter()));
    assert!(listing.others.iter().eq(["e.zip", "f.zip"].iter()));
    assert!(listing.is_last && !listing.cut);
}

#[test]
fn a_rewrite_that_hides_its_time_still_changes_the_stamp() {
    let (_temp, places) = places();
    let before = put(&places, "a.zip", b"one");
    let path = places.tasks.join("a.zip");
    let modified = fs::metadata(&path).unwrap().modified().unwrap();
    // The system stamps changes with the time of its last tick.
    let changed = || {
        fs::write(&path, b"two").unwrap();
        let file = fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(modified).unwrap();
        stamp(&places, &path)
    };
    let after = std::iter::repeat_with(changed).find(|after| after.changed != before.changed);
    assert_eq!(after.unwrap().modified, before.modified);
}

#[test]
fn what_is_too_large_to_travel_is_said_so_when_it_is_to_be_sent() {
    let (_temp, places) = places();
    put(&places, "a.zip", &vec![0; ARCHIVE_MAX + 1]);
    let path = places.tasks.join("a.zip");
    let refused = load(&places.volume, &path, Digest::of(b"")).unwrap_err();
    assert!(refused.to_string().contains("larger than 64 MiB"));
}

/// What becomes of the file of a task that is done.
fn shelve(places: &Places, leaving: &Leaving) -> Shelved {
    let task = Settling {
        task: TaskId::new(),
        name: TaskName::tamed("a.zip"),
        end: End::Done,
        kept: None,
        leaving: None,
        may_be_unlaid: true,
    };
    let mut touched = Touched::begin(&places.volume);
    let mut shelves = Shelves::of(places).unwrap();
    shelves.shelve(&task, leaving, None, &mut touched).unwrap()
}

#[test]
fn a_touched_file_still_leaves_and_another_stays() {
    let (_temp, places) = places();
    let leaving = Leaving {
        file: "a.zip".into(),
        mark: Mark::of(&put(&places, "a.zip", &zip())),
        sha256: Some(Digest::of(&zip())),
    };
    let shelve = || shelve(&places, &leaving);
    put(&places, "a.zip", b"another");
    assert_eq!(shelve(), Shelved::Left);
    assert!(places.tasks.join("a.zip").exists());
    put(&places, "a.zip", &zip());
    assert_eq!(shelve(), Shelved::Left);
    assert!(places.done().join("a.zip").exists());
    assert_eq!(shelve(), Shelved::Left, "it is gone");
}

#[test]
fn a_copy_that_an_earlier_try_made_is_not_made_again() {
    let (_temp, places) = places();
    fs::write(places.tasks.join(".stay"), "a.zip").unwrap();
    let leaving = Leaving {
        file: "a.zip".into(),
        mark: Mark::of(&put(&places, "a.zip", &zip())),
        sha256: Some(Digest::of(&zip())),
    };
    for _ in 0..2 {
        let stays = Shelved::Stays(places.done().join("a.zip"));
        assert_eq!(shelve(&places, &leaving), stays);
    }
    assert_eq!(fs::read_dir(places.done()).unwrap().count(), 1);
}

#[test]
fn a_file_gets_a_name_that_may_be_handed_out() {
    for (file, name) in [
        ("a.zip", "a.zip"),
        ("A b.ZIP", "A_b.zip"),
        ("x.y.zip", "x.y.zip"),
    ] {
        assert_eq!(task_name(file).as_str(), name);
    }
}

#[test]
fn what_the_submitter_does_not_ask_for_is_as_task_toml_says() {
    let toml: &[u8] = b"priority = 3\nretries = 2\n";
    let zip = pack(
        [("main.py", &b"1"[..]), ("task.toml", toml)],
        Compression::Fast,
    )
    .unwrap();
    let draft = Draft {
        id: TaskId::new(),
        name: TaskName::tamed("a.zip"),
        archive: Archive::new(zip.clone()),
        group: "lab".into(),
        wishes: Wishes {
            retries: Some(0),
            ..Wishes::default()
        },
        part: None,
    };
    let task = task_of(draft, inspect_task(&zip).unwrap());
    assert_eq!(
        (task.kind.wishes.priority, task.kind.wishes.retries),
        (3, Some(0))
    );
}

/// A task `a.zip` that is done, with its result among the payloads.
fn done(places: &Places) -> Settling {
    let result = pack([("stdout.txt", &b"x"[..])], Compression::Fast).unwrap();
    let result = Keeping {
        task: TaskId::new(),
        name: TaskName::tamed("a.zip"),
        success: true,
        archive: Archive::new(result),
    };
    let file = keep(places, &Plans::default(), &result).unwrap();
    let Keeping {
        task,
        name,
        archive,
        ..
    } = result;
    Settling {
        task,
        name,
        end: End::Done,
        kept: Some(Kept {
            file,
            sha256: archive.digest(),
            size: archive.bytes().len() as u64,
            success: true,
            is_settled: false,
        }),
        leaving: Some(Leaving {
            file: "a.zip".into(),
            mark: Mark::of(&put(places, "a.zip", &zip())),
            sha256: Some(Digest::of(&zip())),
        }),
        may_be_unlaid: false,
    }
}

/// Where the result of a task lies, once it is settled.
fn settle_alone(places: &Places, task: &Settling) -> Result<String, DiskError> {
    let settled = settle(places, &Plans::default(), std::slice::from_ref(task))?;
    Ok(settled.into_iter().next().unwrap()?.file.unwrap())
}

#[test]
fn a_promised_name_is_released_when_the_file_has_it_and_not_before() {
    let (_temp, places, disk) = ailing();
    let (plans, task) = (Plans::default(), done(&places));
    plans.promise(task.task, "a.zip".to_owned());
    let tasks = std::slice::from_ref(&task);
    disk.fail_flush_of("results");
    settle(&places, &plans, tasks).unwrap_err();
    assert_eq!(plans.of(task.task).as_deref(), Some("a.zip"));
    settle(&places, &plans, tasks).unwrap();
    assert_eq!(plans.of(task.task), None, "no turn of the desk is needed");
}

#[test]
fn what_could_not_be_flushed_is_moved_again() {
    for folder in ["results", "done", "tasks", "payloads"] {
        let (_temp, places, disk) = ailing();
        places.volume.make_folder(&places.done()).unwrap();
        let task = done(&places);
        let payload = places.payload(task.task, task.kept.as_ref().unwrap().sha256);
        disk.fail_flush_of(folder);
        settle_alone(&places, &task).unwrap_err();
        assert!(
            payload.exists() && places.tasks.join("a.zip").exists(),
            "{folder}"
        );
        assert_eq!(settle_alone(&places, &task).unwrap(), "a.zip");
        assert!(places.results.join("a.zip").exists() && places.done().join("a.zip").exists());
    }
}

#[test]
fn a_name_that_a_crash_left_unflushed_is_given_anew() {
    let (_temp, places, disk) = ailing();
    let task = done(&places);
    let payload = places.payload(task.task, task.kept.as_ref().unwrap().sha256);
    let result = places.results.join("a.zip");
    fs::rename(&payload, &result).unwrap();
    disk.fail_flush_of("results");
    settle_alone(&places, &task).unwrap_err();
    assert!(
        payload.exists() && !result.exists(),
        "it is to be named once more"
    );
    assert_eq!(settle_alone(&places, &task).unwrap(), "a.zip");
    assert!(result.exists());
}

#[test]
fn a_result_is_found_after_a_crash_under_the_name_that_a_stranger_left_it() {
    let (_temp, places) = places();
    let task = done(&places);
    let payload = places.payload(task.task, task.kept.as_ref().unwrap().sha256);
    fs::write(places.results.join("a.zip"), "a stranger's").unwrap();
    fs::rename(&payload, places.results.join("a.2.zip")).unwrap();
    assert_eq!(settle_alone(&places, &task).unwrap(), "a.2.zip");
    assert_eq!(
        fs::read(places.results.join("a.zip")).unwrap(),
        b"a stranger's"
    );
}

#[test]
fn a_file_that_cannot_be_flushed_in_rejected_is_back_in_tasks() {
    let (_temp, places, disk) = ailing();
    let leaving = Leaving {
        file: "a.zip".into(),
        mark: Mark::of(&put(&places, "a.zip", b"no task")),
        sha256: None,
    };
    places.volume.make_folder(&places.rejected()).unwrap();
    disk.fail_flush_of("rejected");
    reject(&places, &leaving, "why").unwrap_err();
    assert!(places.tasks.join("a.zip").exists());
}

/// Several results that came together.
fn together(count: usize) -> Vec<Keeping> {
    let result = result_zip();
    let one = |number| Keeping {
        task: TaskId::new(),
        name: TaskName::tamed(&format!("{number}.zip")),
        success: true,
        archive: Archive::new(result.clone()),
    };
    (0..count).map(one).collect()
}

fn settling(result: &Keeping, file: &str) -> Settling {
    Settling {
        task: result.task,
        name: result.name.clone(),
        end: End::Done,
        kept: Some(Kept {
            file: file.to_owned(),
            sha256: result.archive.digest(),
            size: result.archive.bytes().len() as u64,
            success: true,
            is_settled: false,
        }),
        leaving: None,
        may_be_unlaid: false,
    }
}

/// How many lie there, hidden ones too.
fn count(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

#[test]
fn copies_that_cannot_be_flushed_get_no_name_and_are_made_again() {
    for is_ill in ["files", "folder"] {
        let (_temp, places, disk) = ailing();
        let (plans, results) = (Plans::default(), together(9));
        keep_together(&places, &plans, &results);
        let tasks = results
            .iter()
            .map(|result| settling(result, result.name.as_str()));
        let tasks: Vec<_> = tasks.collect();
        match is_ill {
            "files" => disk.fail_batch_in("results"),
            _ => disk.fail_flush_of("results"),
        }
        settle(&places, &plans, &tasks).unwrap_err();
        assert_eq!(count(&places.results), 0, "{is_ill}");
        assert_eq!(count(&places.payloads()), 1, "{is_ill}");
        assert!(tasks.iter().all(|task| plans.of(task.task).is_some()));
        let settled = settle(&places, &plans, &tasks).unwrap();
        for (task, settled) in tasks.iter().zip(settled) {
            assert_eq!(settled.unwrap().file.as_deref(), Some(task.name.as_str()));
        }
        assert_eq!(count(&places.results), 9);
        assert_eq!(count(&places.payloads()), 0);
    }
}

#[test]
fn results_that_are_settled_together_pass_over_a_strangers_file_and_go_apart() {
    let (_temp, places) = places();
    let (plans, mut results) = (Plans::default(), together(7));
    results[2].success = false;
    keep_together(&places, &plans, &results);
    fs::write(places.results.join("1.zip"), "a stranger's").unwrap();
    let mut tasks: Vec<_> = results
        .iter()
        .map(|result| settling(result, result.name.as_str()))
        .collect();
    tasks[2].kept.as_mut().unwrap().file = "failed/2.zip".to_owned();
    tasks[2].kept.as_mut().unwrap().success = false;
    tasks[3].end = End::Cancelled("not needed".into());
    let settled = settle(&places, &plans, &tasks).unwrap();
    let files: Vec<_> = settled
        .into_iter()
        .map(|settled| settled.unwrap().file)
        .collect();
    let files: Vec<_> = files.iter().map(Option::as_deref).collect();
    assert_eq!(files[..2], [Some("0.zip"), Some("1.2.zip")]);
    assert_eq!(files[2..5], [Some("failed/2.zip"), None, Some("4.zip")]);
    for file in files.into_iter().flatten() {
        let read = fs::read(places.results.join(file)).unwrap();
        assert_eq!(&read, results[0].archive.bytes(), "{file}");
    }
    assert_eq!(count(&places.results), 7, "failed/ among them");
    assert_eq!(count(&places.payloads()), 0);
}

#[test]
fn results_that_came_together_lie_in_one_file_until_they_are_settled() {
    let (_temp, places) = places();
    let (plans, mut results) = (Plans::default(), together(3));
    results[1].archive = Archive::new("no ZIP");
    let kept = keep_together(&places, &plans, &results);
    assert!(kept[1].is_err());
    let payloads = || fs::read_dir(places.payloads()).unwrap().count();
    assert_eq!(payloads(), 1);
    let (first, last) = (
        settling(&results[0], "0.zip"),
        settling(&results[2], "2.zip"),
    );
    let loaded = load_kept(&places, first.task, first.kept.as_ref().unwrap()).unwrap();
    assert_eq!(loaded, results[0].archive);
    assert_eq!(settle_alone(&places, &first).unwrap(), "0.zip");
    assert_eq!(payloads(), 1);
    assert_eq!(settle_alone(&places, &last).unwrap(), "2.zip");
    assert_eq!(payloads(), 0);
    assert!(places.results.join("0.zip").exists() && places.results.join("2.zip").exists());
}

#[test]
fn a_packed_result_that_a_crash_left_half_settled_is_settled_once() {
    let (_temp, mut places, disk) = ailing();
    let (plans, results) = (Plans::default(), together(2));
    keep_together(&places, &plans, &results);
    let first = settling(&results[0], "0.zip");
    disk.fail_flush_of("results");
    settle_alone(&places, &first).unwrap_err();
    fs::write(places.results.join("0.zip"), results[0].archive.bytes()).unwrap();
    places.packs = Arc::new(Packs::new(places.payloads(), places.damaged()));
    let wanted = [(first.task, first.kept.as_ref().unwrap().sha256)];
    assert_eq!(open(&places, &wanted, false).unwrap().found, wanted);
    assert_eq!(
        fs::read_dir(places.unclaimed()).unwrap().count(),
        1,
        "the other is nobody's"
    );
    assert_eq!(settle_alone(&places, &first).unwrap(), "0.zip");
    assert_eq!(fs::read_dir(&places.results).unwrap().count(), 1);
    assert_eq!(fs::read_dir(places.payloads()).unwrap().count(), 0);
}

fn result_zip() -> Vec<u8> {
    pack([("stdout.txt", &b"x"[..])], Compression::Fast).unwrap()
}

#[test]
fn results_that_find_no_room_together_are_kept_one_by_one() {
    let (_temp, places, disk) = ailing();
    let (plans, results) = (Plans::default(), together(2));
    disk.fail_flush_of("payloads");
    let kept = keep_together(&places, &plans, &results);
    assert!(kept.iter().all(Result::is_ok));
    for result in &results {
        assert!(
            places
                .payload(result.task, result.archive.digest())
                .exists()
        );
    }
}
