//! What a master wrote down, looked at with the real binary: whole, exported, damaged and mended.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod common;

use std::fs;
use std::path::PathBuf;

use common::PATIENCE;
use common::archives::{SUM_OF_42, put_task};
use common::desk::{Desk, each_row, err, out};
use mutirao_actors::model::Digest;
use serde_json::Value;

/// Tasks that are done before a database is damaged: enough for some pages.
const TASKS: usize = 12;

impl Desk {
    /// With so many tasks done.
    fn with_done(tasks: usize) -> Self {
        let desk = Self::new();
        for number in 1..=tasks {
            put_task(
                &desk.path("tasks"),
                &format!("sum-{number}.zip"),
                &SUM_OF_42,
            );
        }
        let up = desk.output(&["up", "--drain"]);
        assert!(up.status.success(), "{}", err(&up));
        desk
    }

    fn database(&self) -> PathBuf {
        self.path(".mutirao/store/mutirao.db")
    }

    /// What a check says, and its exit code.
    fn check(&self, more: &[&str]) -> (String, i32) {
        let output = self.output(&[&["store", "check"], more].concat());
        (out(&output), output.status.code().unwrap())
    }

    fn exported(&self) -> Vec<Value> {
        let output = self.output(&["store", "export"]);
        assert!(output.status.success(), "{}", err(&output));
        let lines = out(&output);
        lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Writes over one page in the middle of the database.
    fn damage_database(&self) {
        let mut bytes = fs::read(self.database()).unwrap();
        let middle = bytes.len() / 4096 / 2 * 4096;
        bytes[middle..][..4096].fill(0xa5);
        fs::write(self.database(), bytes).unwrap();
    }
}

#[test]
fn a_sound_store_is_found_sound_and_tells_its_tasks() {
    let desk = Desk::with_done(1);
    let (said, code) = desk.check(&[]);
    assert_eq!((said.lines().count(), code), (1, 0), "{said}");
    assert!(said.contains("tasks: 1 · results: 1 · all is sound"));
    let (json, _) = desk.check(&["--json"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["sound"], true);
    assert_eq!(json["results"], 1);

    let tasks = desk.exported();
    assert_eq!(tasks.len(), 1);
    let task = &tasks[0];
    assert_eq!(task["name"], "sum-1.zip");
    assert_eq!(task["state"], "done");
    assert_eq!(task["settled"], true);
    assert_eq!(task["tries"][0]["attempt"], 1);
    assert_eq!(task["result"]["file"], "sum-1.zip");
    let result = fs::read(desk.path("results/sum-1.zip")).unwrap();
    assert_eq!(task["result"]["sha256"], Digest::of(&result).to_string());
    assert_eq!(task["conflicts"], Value::Array(Vec::new()));
}

#[test]
fn a_folder_without_a_store_is_left_as_it_is() {
    let desk = Desk::new();
    for what in ["check", "export"] {
        let output = desk.output(&["store", what]);
        assert_eq!(output.status.code(), Some(2));
        let said = err(&output);
        assert!(said.contains("no master was ever started"), "{said}");
    }
    assert_eq!(fs::read_dir(desk.folder.path()).unwrap().count(), 0);
}

#[test]
fn beside_a_running_master_an_export_reads_and_a_check_is_refused() {
    let desk = Desk::with_done(1);
    let _master = desk.master();
    assert_eq!(desk.exported().len(), 1);
    let check = desk.output(&["store", "check"]);
    assert_eq!(check.status.code(), Some(2));
    let said = err(&check);
    assert!(
        said.contains("a master already serves the folder"),
        "{said}"
    );
}

#[test]
fn a_result_that_changed_or_is_gone_is_found() {
    let desk = Desk::with_done(1);
    let result = desk.path("results/sum-1.zip");
    let mut bytes = fs::read(&result).unwrap();
    bytes[20] ^= 1;
    fs::write(&result, bytes).unwrap();
    let (said, code) = desk.check(&[]);
    assert!(said.contains("results/sum-1.zip, the result of"), "{said}");
    assert!(said.contains("has changed") && code == 1, "{said}");
    fs::remove_file(&result).unwrap();
    let (said, code) = desk.check(&["--repair"]);
    assert!(said.contains("is gone") && code == 1, "{said}");
}

#[test]
fn a_task_that_is_open_and_gone_is_found() {
    let desk = Desk::new();
    put_task(&desk.path("tasks"), "sum.zip", &SUM_OF_42);
    let master = desk.master();
    common::wait_until("the task is adopted", PATIENCE, || {
        desk.exported().len() == 1
    });
    master.kill();
    master.wait_end(PATIENCE);
    assert_eq!(desk.check(&[]).1, 0);
    fs::remove_file(desk.path("tasks/sum.zip")).unwrap();
    let (said, code) = desk.check(&[]);
    assert!(said.contains("tasks/sum.zip, of the open task"), "{said}");
    assert_eq!(code, 1);
}

#[test]
fn a_damaged_pack_is_found_and_kept_by_the_next_master() {
    let desk = Desk::with_done(1);
    let pack = desk.path(".mutirao/payloads/pack-7");
    fs::write(&pack, "[]\n{\"task\":").unwrap();
    let (said, code) = desk.check(&[]);
    assert!(said.contains("pack-7 is damaged") && code == 1, "{said}");
    assert!(pack.exists(), "a check changes nothing");
    let up = desk.output(&["up", "--drain"]);
    let log = err(&up);
    assert!(log.contains("pack-7 is damaged"), "{log}");
    let kept = desk.path(".mutirao/damaged/pack-7");
    assert!(!pack.exists() && kept.exists() && kept.with_extension("txt").exists());
    assert_eq!(desk.check(&[]).1, 0);
}

#[test]
fn a_damaged_database_is_found_repaired_on_demand_and_kept() {
    let desk = Desk::with_done(TASKS);
    desk.damage_database();
    let damaged = fs::read(desk.database()).unwrap();
    let (said, code) = desk.check(&[]);
    assert!(said.contains("store check --repair") && code == 1, "{said}");
    assert!(fs::read(desk.database()).unwrap() == damaged, "it is left");
    let (said, code) = desk.check(&["--repair"]);
    assert!(said.contains("repaired") && code == 0, "{said}");
    let kept = desk.path(".mutirao/store/damaged-1/mutirao.db");
    assert!(fs::read(kept).unwrap() == damaged, "it is kept");
    assert_eq!(desk.check(&[]).1, 0);
}

#[test]
fn a_part_that_the_disk_took_of_a_group_that_was_whole_is_told_by_its_number() {
    let desk = Desk::new();
    fs::write(desk.path("main.py"), "print('a')").unwrap();
    fs::write(desk.path("rows.csv"), "n\n1\n2\n3\n").unwrap();
    let (up, _) = desk.up();
    let run = desk.output(&each_row("run"));
    assert!(run.status.success(), "{}", err(&run));
    up.terminate();
    assert_eq!(up.wait_end(PATIENCE), Some(0));
    let base = rusqlite::Connection::open(desk.database()).unwrap();
    let taken = base.execute("DELETE FROM task WHERE name = 'main-1.1.zip'", []);
    assert_eq!(taken, Ok(1));
    drop(base);
    let _master = desk.master();
    for command in ["info", "why"] {
        let told = out(&desk.output(&[command, "main-1"]));
        assert!(
            told.contains(
                "part 1: not handed in, for that was cut off or goes on; or lost with the disk"
            ),
            "{told}"
        );
    }
    let cancelled = desk.output(&["cancel", "main-1"]);
    let told = out(&cancelled);
    assert!(cancelled.status.success(), "{}", err(&cancelled));
    assert!(told.starts_with("main-1 has ended already: "), "{told}");
}

#[test]
fn a_master_starts_with_a_damaged_database_and_says_so() {
    let desk = Desk::with_done(TASKS);
    desk.damage_database();
    let master = desk.master();
    assert!(master.count(|line| line.contains("the store was damaged")) > 0);
    master.terminate();
    assert_eq!(master.wait_end(PATIENCE), Some(0));
    assert_eq!(desk.check(&[]).1, 0);
}
