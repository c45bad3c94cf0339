use std::fs;
use std::sync::Arc;
use std::time::Duration;

use mutirao_actors::clock::Clock;
use mutirao_actors::logic::ledger::{Counts, Submitted};
use mutirao_actors::logic::record::{Fate, Place, Record};
use mutirao_actors::messages::TaskEnded;
use mutirao_actors::model::{self, Digest};
use rusqlite::Connection;

use super::*;
use crate::archive::{Compression, pack};
use crate::disk::Volume;
use crate::folders::places::Places;
use crate::gather::{MANIFEST, is_complete_in};
use crate::store::{SqliteStore, Store as _};

struct Stage {
    home: tempfile::TempDir,
    places: Places,
    assemblies: Assemblies,
    /// What was told of parts that ended, and where their results lie.
    told: Vec<(TaskEnded, Told)>,
}

impl Stage {
    /// A master's folders in which `main-1` was opened.
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let places = Places::under(home.path(), Arc::new(Volume::real()));
        fs::create_dir_all(places.results.join("main-1")).unwrap();
        fs::create_dir_all(places.failed()).unwrap();
        Self {
            home,
            places,
            assemblies: Assemblies::default(),
            told: Vec::new(),
        }
    }

    /// A part of three ends, with its number as what it printed.
    fn ends(&mut self, group: &str, number: u32, end: &End) {
        let name = TaskName::tamed(&format!("{group}.{number}"));
        let input = format!("h\n{number}\n");
        let task = [("main.py", &b""[..]), ("input.csv", input.as_bytes())];
        let task = pack(task, Compression::Fast).unwrap();
        let printed = format!("{number}\n");
        let result = pack([("stdout.txt", printed.as_bytes())], Compression::Fast).unwrap();
        if *end != End::Done {
            fs::write(self.places.failed().join(name.as_str()), &task).unwrap();
        }
        fs::write(self.places.results.join(name.as_str()), &result).unwrap();
        let ended = EndedPart {
            group: group.into(),
            part: part(number),
            sha256: Digest::of(&task),
            size: u32::try_from(task.len()).unwrap(),
            peer: None,
            attempts: 1,
        };
        let id = TaskId::new();
        let result = Some((name.as_str().to_owned(), Digest::of(&result)));
        let told = TaskEnded {
            task: id,
            name: name.clone(),
            end: end.clone(),
            part: Some(Box::new(ended.clone())),
        };
        self.told.push((told, result.clone()));
        self.assemblies.ends(id, ended, &name, end);
        self.assemblies.settled(id, result);
    }

    /// These parts are open again or still, and these have ended; whether the group is put together anew.
    fn reopen(&mut self, open: &[u32], ended: Vec<(TaskEnded, Told)>) -> bool {
        let open = open.iter().copied().collect();
        self.assemblies.reopen("main-1".into(), 3, open, ended)
    }

    /// Of three parts one fails, and the others are told.
    fn all_but_one(&mut self) -> Vec<(TaskEnded, Told)> {
        self.ends("main-1", 0, &End::Done);
        self.ends("main-1", 2, &End::Done);
        let others = self.told.clone();
        self.ends("main-1", 1, &failed());
        assert_eq!(self.work(), None);
        others
    }

    /// It is put together of the two that were done, also when the third ends.
    fn stays(&mut self) {
        assert_eq!(self.work(), None);
        self.ends("main-1", 1, &End::Done);
        assert_eq!(self.work(), None);
        assert_eq!(self.text("merged.csv"), "0\n2\n");
        assert!(is_complete_in(&self.places.results.join("main-1")));
    }

    /// Works until nothing is due or the disk refuses something; the latter is said.
    fn work(&mut self) -> Option<String> {
        while let Some(work) = self.assemblies.begin() {
            let (group, turn) = (work.whole.group.clone(), work.turn);
            let (assembled, trouble) = assemble(&self.places, work);
            self.assemblies.ended(&group, turn, assembled);
            if let Some(trouble) = trouble {
                return Some(trouble.to_string());
            }
        }
        None
    }

    fn text(&self, name: &str) -> String {
        let path = self.home.path().join("results/main-1").join(name);
        fs::read_to_string(path).unwrap_or_default()
    }
}

fn part(number: u32) -> model::Part {
    model::Part::new(number, 3).unwrap()
}

fn failed() -> End {
    End::Failed("exit code 1".into())
}

#[test]
fn parts_that_end_in_any_order_are_put_together_in_theirs() {
    let mut stage = Stage::new();
    stage.ends("main-1", 2, &End::Done);
    assert_eq!(stage.work(), None);
    assert_eq!(
        stage.text("stdout.txt"),
        "",
        "those before it have not ended"
    );
    stage.ends("main-1", 0, &End::Done);
    assert_eq!(stage.work(), None);
    assert_eq!(stage.text("stdout.txt"), "0\n");
    stage.ends("main-1", 1, &failed());
    assert_eq!(stage.work(), None);
    assert_eq!(stage.text("stdout.txt"), "0\n1\n2\n");
    assert_eq!(stage.text("merged.csv"), "0\n2\n");
    assert_eq!(stage.text("failed.csv"), "h\n1\n");
    assert!(is_complete_in(&stage.places.results.join("main-1")));
}

#[test]
fn a_group_is_told_as_gathered_when_all_is_in_and_not_before() {
    let mut stage = Stage::new();
    let stands = |stage: &Stage| {
        let gathered = stage.assemblies.stands("main-1");
        gathered.map(|gathered| (gathered.parts_in, gathered.is_over))
    };
    assert_eq!(stands(&stage), None);
    assert!(!nothing_is_to_come(&stage.places, "main-1"), "it is opened");
    for name in ["other-1", "failed", "../main-1"] {
        assert!(nothing_is_to_come(&stage.places, name), "{name}");
    }
    let others = stage.all_but_one();
    assert_eq!(stands(&stage), Some((3, true)));
    assert!(nothing_is_to_come(&stage.places, "main-1"));
    assert!(stage.reopen(&[1], others));
    assert_eq!(stands(&stage), Some((0, false)), "a part is tried again");
    assert_eq!(stage.work(), None);
    assert_eq!(stands(&stage), Some((1, false)));
    stage.ends("main-1", 1, &End::Done);
    assert!(!stands(&stage).unwrap().1, "its last part is not in");
    assert_eq!(stage.work(), None);
    assert_eq!(stands(&stage), Some((3, true)));
}

/// A part of three that was done in an earlier life, as it is written down; its result lies in its place.
fn done_before(stage: &Stage, store: &mut SqliteStore, number: u32) -> TaskId {
    let name = TaskName::tamed(&format!("main-1.{number}"));
    let printed = format!("{number}\n");
    let result = pack([("stdout.txt", printed.as_bytes())], Compression::Fast).unwrap();
    fs::write(stage.places.results.join(name.as_str()), &result).unwrap();
    let mut task = model::Task {
        id: TaskId::new(),
        name: name.clone(),
        size: 1,
        nth: None,
        sha256: Digest::of(printed.as_bytes()),
        kind: Arc::new(model::Kind {
            code: Digest::of(b""),
            group: "main-1".into(),
            parts: None,
            wishes: model::Wishes::default(),
        }),
    };
    task.set_part(Some(part(number)));
    let submitted = Submitted {
        attempt: model::Attempt(1),
        peer: "ana".parse().unwrap(),
        sha256: Digest::of(&result),
        size: result.len() as u64,
        took: Duration::from_secs(1),
        failure: None,
    };
    let (task, file) = (Arc::new(task), name.to_string());
    let id = task.id;
    let lies = Place {
        file: name.as_str().into(),
        stamp: model::Stamp::default(),
    };
    let fate = Fate::Done { submitted, file };
    let ended = Record::Ended { task: id, fate };
    let settled = Record::Settled {
        task: id,
        file: None,
    };
    let records = [Record::Adopted { task, lies }, ended, settled];
    store.commit(&records).unwrap();
    id
}

fn older(tasks: &[(u32, TaskId)]) -> OlderParts {
    OlderParts {
        group: "main-1".into(),
        counts: Counts::default(),
        parts: 3,
        tasks: tasks.to_vec(),
    }
}

#[test]
fn parts_that_are_not_remembered_are_read_from_the_store_when_they_go_in() {
    let mut stage = Stage::new();
    let (mut store, _) = SqliteStore::open(&stage.places.store(), Clock::start()).unwrap();
    let tasks = [0, 1].map(|number| (number, done_before(&stage, &mut store, number)));
    stage.ends("main-1", 2, &End::Done);
    assert_eq!(stage.work(), None);
    assert_eq!(
        stage.text("stdout.txt"),
        "",
        "those before it are not known"
    );
    // As on a disk that is not there now.
    let database = stage.places.store().join("mutirao.db");
    let away = database.with_extension("away");
    fs::rename(&database, &away).unwrap();
    stage.assemblies.recall_older(&older(&tasks));
    let said = stage.work().unwrap();
    assert!(said.contains("failed to read which parts ended"), "{said}");
    fs::rename(&away, &database).unwrap();
    stage.assemblies.due.push_back("main-1".into());
    assert_eq!(stage.work(), None);
    assert_eq!(stage.text("merged.csv"), "0\n1\n2\n");
    assert!(is_complete_in(&stage.places.results.join("main-1")));
}

#[test]
fn parts_of_which_the_rows_are_damaged_or_gone_go_in_as_lost_and_keep_no_other_waiting() {
    let mut stage = Stage::new();
    let (mut store, _) = SqliteStore::open(&stage.places.store(), Clock::start()).unwrap();
    let tasks = [
        (0, done_before(&stage, &mut store, 0)),
        (1, TaskId::new()),
        (2, done_before(&stage, &mut store, 2)),
    ];
    let base = Connection::open(stage.places.store().join("mutirao.db")).unwrap();
    let flip = "UPDATE result SET file = 'main-1.9' WHERE task = ?";
    let flipped = base.execute(flip, [tasks[0].1.0.as_bytes()]);
    assert_eq!(flipped, Ok(1));
    stage.assemblies.recall_older(&older(&tasks));
    assert_eq!(stage.work(), None);
    assert_eq!(stage.text("merged.csv"), "2\n");
    assert!(is_complete_in(&stage.places.results.join("main-1")));
    let manifest: serde_json::Value = serde_json::from_str(&stage.text(MANIFEST)).unwrap();
    assert_eq!(
        (&manifest["done"], &manifest["failed"]),
        (&1.into(), &2.into())
    );
    for (number, why) in [(0, "does not fit its seal"), (1, "not in the store")] {
        let part = &manifest["ended"][number];
        assert_eq!(part["task_id"], tasks[number].1.to_string());
        assert!(part["reason"].to_string().contains(why), "{part}");
        assert_eq!(part["input_sha256"], serde_json::Value::Null);
    }
}

#[test]
fn a_store_that_is_damaged_as_a_whole_loses_no_part_and_is_read_again() {
    let mut stage = Stage::new();
    let (mut store, _) = SqliteStore::open(&stage.places.store(), Clock::start()).unwrap();
    let tasks = [0, 1, 2].map(|number| (number, done_before(&stage, &mut store, number)));
    let base = Connection::open(stage.places.store().join("mutirao.db")).unwrap();
    base.execute_batch("ALTER TABLE meta RENAME TO gone")
        .unwrap();
    stage.assemblies.recall_older(&older(&tasks));
    let said = stage.work().unwrap();
    assert!(said.contains("is damaged"), "{said}");
    base.execute_batch("ALTER TABLE gone RENAME TO meta")
        .unwrap();
    stage.assemblies.due.push_back("main-1".into());
    assert_eq!(stage.work(), None);
    assert_eq!(stage.text("merged.csv"), "0\n1\n2\n");
}

#[test]
fn the_names_of_groups_that_are_over_do_not_pile_up() {
    let mut stage = Stage::new();
    for number in 0..OVER_MAX + 10 {
        let group: Arc<str> = format!("group-{number}").into();
        let assembly = Assembly::of(1);
        stage.assemblies.groups.insert(Arc::clone(&group), assembly);
        stage.assemblies.ended(&group, 0, Assembled::Over);
    }
    assert_eq!(stage.assemblies.groups.len(), OVER_MAX);
    assert!(!stage.assemblies.groups.contains_key("group-0"));
}

#[test]
fn a_part_that_ends_twice_is_in_once_and_a_complete_group_stays_as_it_is() {
    let mut stage = Stage::new();
    for number in [0, 0, 1, 2] {
        stage.ends("main-1", number, &End::Done);
        assert_eq!(stage.work(), None);
    }
    stage.ends("main-1", 1, &failed());
    assert_eq!(stage.work(), None);
    assert_eq!(stage.text("stdout.txt"), "0\n1\n2\n");
    assert_eq!(stage.text("failed.csv"), "");
    // Nor does another life touch it.
    stage.assemblies = Assemblies::default();
    fs::write(stage.places.results.join("main-1/stdout.txt"), "mine").unwrap();
    stage.ends("main-1", 0, &End::Done);
    assert_eq!(stage.work(), None);
    assert_eq!(stage.text("stdout.txt"), "mine");
}

#[test]
fn another_life_puts_together_what_the_last_one_did_not_complete() {
    let mut stage = Stage::new();
    stage.ends("main-1", 0, &End::Done);
    assert_eq!(stage.work(), None);
    stage.assemblies = Assemblies::default();
    for number in 0..3 {
        stage.ends("main-1", number, &End::Done);
    }
    assert_eq!(stage.work(), None);
    assert_eq!(stage.text("stdout.txt"), "0\n1\n2\n");
}

#[test]
fn what_the_disk_refuses_is_told_and_tried_again() {
    let mut stage = Stage::new();
    stage.ends("main-1", 0, &End::Done);
    assert_eq!(stage.work(), None);
    // Nothing can be renamed onto a folder.
    let in_the_way = stage.places.results.join("main-1").join(MANIFEST);
    fs::remove_file(&in_the_way).unwrap();
    fs::create_dir(&in_the_way).unwrap();
    stage.ends("main-1", 1, &End::Done);
    stage.ends("main-1", 2, &End::Done);
    let said = stage.work().unwrap();
    assert!(said.contains("failed to put together"), "{said}");
    fs::remove_dir(&in_the_way).unwrap();
    assert_eq!(stage.work(), None);
    assert_eq!(stage.text("stdout.txt"), "0\n1\n2\n");
    let manifest = stage.text(MANIFEST);
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    assert_eq!(manifest["done"], 3, "nothing is in twice");
}

#[test]
fn a_group_that_nobody_opened_or_whose_name_leads_elsewhere_is_left_alone() {
    let mut stage = Stage::new();
    for group in ["other-1", "main-1/..", "../main-1"] {
        stage.ends(&group.replace('/', "_"), 0, &End::Done);
        let name = TaskName::tamed("a");
        let ended = EndedPart {
            group: group.into(),
            part: model::Part::new(0, 1).unwrap(),
            sha256: Digest::of(b""),
            size: 0,
            peer: None,
            attempts: 1,
        };
        let id = TaskId::new();
        stage.assemblies.ends(id, ended, &name, &End::Done);
        stage.assemblies.settled(id, None);
    }
    assert_eq!(stage.work(), None);
    assert!(!stage.places.results.join("other-1").exists());
    assert!(!stage.home.path().join(MANIFEST).exists());
    assert!(!stage.places.results.join(MANIFEST).exists());
}

#[test]
fn a_complete_group_of_which_parts_are_open_again_is_made_anew_with_what_they_give() {
    let mut stage = Stage::new();
    let others = stage.all_but_one();
    assert_eq!(stage.text("failed.csv"), "h\n1\n");
    let folder = stage.places.results.join("main-1");
    assert!(is_complete_in(&folder));

    assert!(stage.reopen(&[1], others));
    assert_eq!(stage.work(), None);
    assert!(!is_complete_in(&folder), "one is open");
    stage.ends("main-1", 1, &End::Done);
    assert_eq!(stage.work(), None);
    assert!(is_complete_in(&folder));
    assert_eq!(stage.text("merged.csv"), "0\n1\n2\n");
    assert_eq!(stage.text("failed.csv"), "");
}

#[test]
fn what_a_job_made_of_a_group_that_was_reopened_meanwhile_is_of_no_use() {
    let mut stage = Stage::new();
    stage.ends("main-1", 0, &failed());
    let work = stage.assemblies.begin().unwrap();
    let turn = work.turn;
    assert!(stage.reopen(&[0, 1, 2], Vec::new()));
    let (assembled, _) = assemble(&stage.places, work);
    stage.assemblies.ended("main-1", turn, assembled);
    for number in 0..3 {
        stage.ends("main-1", number, &End::Done);
    }
    assert_eq!(stage.work(), None);
    assert_eq!(stage.text("merged.csv"), "0\n1\n2\n");
}

#[test]
fn a_group_that_was_complete_is_not_when_another_life_finds_a_part_of_it_open() {
    let mut stage = Stage::new();
    (0..3).for_each(|number| stage.ends("main-1", number, &End::Done));
    assert_eq!(stage.work(), None);
    stage.assemblies = Assemblies::default();
    stage.assemblies.is_open(&"main-1".into(), part(2));
    (0..2).for_each(|number| stage.ends("main-1", number, &End::Done));
    assert_eq!(stage.work(), None);
    let folder = stage.places.results.join("main-1");
    assert!(!is_complete_in(&folder));
    stage.ends("main-1", 2, &End::Done);
    assert_eq!(stage.work(), None);
    assert!(is_complete_in(&folder));
}

#[test]
fn a_complete_group_of_which_a_result_is_gone_stays_as_it_is_when_a_part_is_tried_again() {
    let mut stage = Stage::new();
    let others = stage.all_but_one();
    let (file, _) = others[0].1.clone().unwrap();
    fs::remove_file(stage.places.results.join(file)).unwrap();
    assert!(stage.reopen(&[1], others));
    stage.stays();
}

#[test]
fn a_group_of_which_parts_are_forgotten_stays_as_it_is_when_a_part_is_tried_again() {
    let mut stage = Stage::new();
    let mut others = stage.all_but_one();
    others.pop();
    assert!(!stage.reopen(&[1], others));
    stage.stays();
}

#[test]
fn another_life_does_not_replace_a_complete_group_of_which_it_has_forgotten_a_part() {
    let mut stage = Stage::new();
    stage.all_but_one();
    stage.assemblies = Assemblies::default();
    stage.assemblies.is_open(&"main-1".into(), part(1));
    stage.ends("main-1", 0, &End::Done);
    stage.stays();
}

#[test]
fn a_part_that_is_being_put_away_is_not_forgotten() {
    let mut stage = Stage::new();
    let mut others = stage.all_but_one();
    let (unsettled, result) = others.pop().unwrap();
    let part = unsettled.part.unwrap();
    stage
        .assemblies
        .ends(unsettled.task, *part, &unsettled.name, &unsettled.end);
    assert!(stage.reopen(&[1], others));
    assert_eq!(stage.work(), None);
    stage.assemblies.settled(unsettled.task, result);
    stage.ends("main-1", 1, &End::Done);
    assert_eq!(stage.work(), None);
    assert_eq!(stage.text("merged.csv"), "0\n1\n2\n");
}
