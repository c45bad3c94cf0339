use std::fs;
use std::time::Duration;

use mutirao_actors::model::Ending;
use tempfile::TempDir;
use uuid::Uuid;

use super::*;

struct Scene {
    home: TempDir,
}

impl Scene {
    fn new() -> Self {
        Self {
            home: tempfile::tempdir().unwrap(),
        }
    }

    fn folder(&self) -> PathBuf {
        self.home.path().join("spool")
    }

    /// The spool of another life.
    fn open(&self) -> (Spool, Vec<Kept>) {
        Spool::open(Arc::new(Volume::real()), self.folder()).unwrap()
    }

    fn lies(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name != DAMAGED).collect()
    }

    fn set_aside(&self) -> usize {
        fs::read_dir(self.folder().join(DAMAGED)).map_or(0, Iterator::count)
    }

    fn path(&self, label: &Label, ending: &str) -> PathBuf {
        let name = format!("{}.{ending}", stem(label.key()));
        self.folder().join(name)
    }
}

fn result(number: u128) -> (Label, Archive) {
    let archive = Archive::new(format!("result {number}"));
    let label = Label {
        task: TaskId(Uuid::from_u128(number)),
        attempt: Attempt(2),
        name: "a name/as it was \"sent\".zip".into(),
        named: number.is_multiple_of(2),
        master_id: number.is_multiple_of(2).then(|| Uuid::from_u128(7)),
        outcome: Outcome {
            ending: Ending::Exit(3),
            took: Duration::from_millis(1500),
            peak_rss: Some(4096),
        },
        sha256: archive.digest(),
    };
    (label, archive)
}

fn kept_of((label, result): (Label, Archive)) -> Kept {
    Kept {
        named: label.named,
        master_id: label.master_id,
        hand_in: HandIn {
            key: label.key(),
            name: label.name,
            outcome: label.outcome,
            result,
        },
    }
}

#[test]
fn what_is_kept_is_there_in_the_next_life_and_what_is_forgotten_is_not() {
    let scene = Scene::new();
    let (spool, kept) = scene.open();
    assert_eq!(kept, []);
    for number in [1, 2, 3, 4] {
        let (label, archive) = result(number);
        spool.keep(&label, &archive);
    }
    spool.forget(result(2).0.key());
    spool.forget(result(9).0.key());
    assert_eq!(spool.count(), 3);
    let (spool, kept) = scene.open();
    assert_eq!(kept, [1, 3, 4].map(|number| kept_of(result(number))));
    for kept in kept {
        spool.forget(kept.hand_in.key);
    }
    assert_eq!((scene.lies(), spool.count()), (vec![], 0));
}

#[test]
fn a_result_that_is_kept_twice_is_there_once() {
    let scene = Scene::new();
    let (spool, _) = scene.open();
    let (label, archive) = result(1);
    spool.keep(&label, &archive);
    spool.keep(&label, &archive);
    assert_eq!(scene.open().1.len(), 1);
}

#[test]
fn a_file_cut_at_any_byte_is_set_aside_and_never_handed_in() {
    let (label, archive) = result(1);
    for ending in ["zip", "json"] {
        let whole = {
            let scene = Scene::new();
            scene.open().0.keep(&label, &archive);
            fs::read(scene.path(&label, ending)).unwrap()
        };
        for length in 0..whole.len() {
            let scene = Scene::new();
            let (spool, _) = scene.open();
            spool.keep(&label, &archive);
            fs::write(scene.path(&label, ending), &whole[..length]).unwrap();
            assert_eq!(scene.open().1, [], "{ending} cut at {length}");
            assert_eq!((scene.lies(), scene.set_aside()), (vec![], 2));
        }
    }
}

#[test]
fn damage_costs_the_damaged_result_alone() {
    let scene = Scene::new();
    let (spool, _) = scene.open();
    for number in [1, 2, 3, 4] {
        let (label, archive) = result(number);
        spool.keep(&label, &archive);
    }
    fs::write(scene.path(&result(1).0, "zip"), "result 9").unwrap();
    fs::write(scene.path(&result(2).0, "json"), "[]").unwrap();
    // The label of another in its place.
    fs::copy(
        scene.path(&result(4).0, "json"),
        scene.path(&result(3).0, "json"),
    )
    .unwrap();
    assert_eq!(scene.open().1, [kept_of(result(4))]);
    assert_eq!(scene.set_aside(), 6);
}

#[test]
fn a_life_that_ended_between_the_two_files_left_no_result() {
    let scene = Scene::new();
    let (spool, _) = scene.open();
    let (label, archive) = result(1);
    spool.keep(&label, &archive);
    fs::remove_file(scene.path(&label, "json")).unwrap();
    fs::write(scene.folder().join(".mutirao-1.part"), "{").unwrap();
    assert_eq!(scene.open().1, []);
    assert_eq!((scene.lies(), scene.set_aside()), (vec![], 0));
}

#[test]
fn a_label_without_its_zip_is_set_aside() {
    let scene = Scene::new();
    let (label, archive) = result(1);
    scene.open().0.keep(&label, &archive);
    fs::remove_file(scene.path(&label, "zip")).unwrap();
    assert_eq!(scene.open().1, []);
    assert_eq!((scene.lies(), scene.set_aside()), (vec![], 1));
}

#[test]
fn what_was_set_aside_does_not_pile_up() {
    let scene = Scene::new();
    for number in 0..3 * DAMAGED_MAX as u128 {
        let (label, archive) = result(number);
        scene.open().0.keep(&label, &archive);
        fs::write(scene.path(&label, "zip"), "?").unwrap();
    }
    scene.open();
    assert_eq!(scene.set_aside(), 2 * DAMAGED_MAX);
}

#[test]
fn a_disk_that_takes_nothing_costs_no_more_than_the_copy() {
    let scene = Scene::new();
    let (spool, _) = scene.open();
    let (first, archive) = result(1);
    fs::remove_dir(scene.folder()).unwrap();
    fs::write(scene.folder(), "no folder").unwrap();
    spool.keep(&first, &archive);
    assert_eq!(spool.count(), 0);
    fs::remove_file(scene.folder()).unwrap();
    let (second, archive) = result(2);
    spool.keep(&second, &archive);
    assert_eq!(spool.count(), 1);
    assert_eq!(scene.open().1, [kept_of(result(2))]);
}

#[test]
fn a_label_of_a_version_that_named_no_master_is_read() {
    let scene = Scene::new();
    let (mut label, archive) = result(2);
    scene.open().0.keep(&label, &archive);
    let path = scene.path(&label, "json");
    let mut text: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert!(text.as_object_mut().unwrap().remove("master_id").is_some());
    fs::write(&path, text.to_string()).unwrap();
    label.master_id = None;
    assert_eq!(scene.open().1, [kept_of((label, archive))]);
}
