//! A store that is damaged or taken away while it is open, or whose mending broke off.

use std::fs;
use std::path::PathBuf;

use rusqlite::Connection;

use super::*;

/// Tries within which a commit comes through: one that meets the damage, one that mends it.
const COMMITS_MAX: usize = 3;

impl Bench {
    /// With so many tasks, all of them in the database and none in its log.
    fn with(tasks: u128) -> Self {
        let mut bench = Self::new();
        bench.commit(&(1..=tasks).map(adopted).collect::<Vec<_>>());
        bench.reopen();
        bench
    }

    fn database(&self) -> PathBuf {
        self.folder.path().join("mutirao.db")
    }

    fn try_commit(&mut self, records: &[Record]) -> Result<(), StoreError> {
        self.store.as_mut().unwrap().commit(records)
    }

    /// Writes garbage over the pages behind the first ones, and sees to it that none is known from before.
    fn damage(&self, from: usize) {
        if self.store.is_some() {
            let other = Connection::open(self.database()).unwrap();
            let write = "INSERT INTO damaged VALUES (0, 'nothing', NULL)";
            other.execute(write, []).unwrap();
        }
        let mut bytes = fs::read(self.database()).unwrap();
        bytes[from * 4096..].fill(0xa5);
        fs::write(self.database(), bytes).unwrap();
    }
}

#[test]
fn what_is_damaged_while_it_is_open_is_mended_and_takes_the_next_records() {
    for from in [0, 1, 4] {
        let mut bench = Bench::with(100);
        let before = bench.reopen();
        bench.damage(from);
        let new = [adopted(101), leased(101, 1, ours("p"))];
        let came = (0..COMMITS_MAX).position(|_| bench.try_commit(&new).is_ok());
        assert!(came.is_some(), "pages from {from} on");
        let after = bench.reopen();
        assert_eq!(after.master, before.master, "it stays who it is");
        assert!(after.epoch > before.epoch);
        let newest = after.tasks.last().unwrap();
        assert_eq!(newest.task.id, id(101), "pages from {from} on");
        assert_eq!(newest.course.fate, Fate::Leased(Attempt(1)));
    }
}

#[test]
fn a_store_that_is_taken_away_takes_nothing_until_it_is_back() {
    let mut bench = Bench::with(100);
    let names = ["mutirao.db", "mutirao.db-wal", "mutirao.db-shm"];
    let sound = names.map(|name| fs::read(bench.folder.path().join(name)).unwrap());
    bench.damage(0);
    let new = [adopted(101)];
    let met = (0..COMMITS_MAX).any(|_| bench.try_commit(&new).is_err());
    assert!(met, "the damage is met");
    for name in names {
        let _ = fs::remove_file(bench.folder.path().join(name));
    }
    let gone = bench.try_commit(&new).unwrap_err();
    assert!(matches!(gone, StoreError::Replaced(_)), "{gone}");
    let other = Bench::with(3);
    fs::copy(other.database(), bench.database()).unwrap();
    let replaced = bench.try_commit(&new).unwrap_err();
    assert!(matches!(replaced, StoreError::Replaced(_)), "{replaced}");
    for name in names {
        let _ = fs::remove_file(bench.folder.path().join(name));
    }
    for (name, bytes) in names.iter().zip(sound) {
        fs::write(bench.folder.path().join(name), bytes).unwrap();
    }
    bench.commit(&new);
    assert_eq!(bench.reopen().tasks.len(), 101);
}

#[test]
fn mending_that_broke_off_anywhere_is_done_again() {
    let mut bench = Bench::with(100);
    bench.store = None;
    bench.damage(4);
    let damaged = fs::read(bench.database()).unwrap();
    let tasks = bench.reopen().tasks;
    bench.store = None;
    let made = fs::read(bench.database()).unwrap();
    // As they lie after each step: made by half, made, moved aside by half, moved aside.
    let steps: [&[(&str, &[u8])]; 4] = [
        &[("mutirao.db", &damaged), ("made.db", &made[..5000])],
        &[("mutirao.db", &damaged), ("made.db", &made)],
        &[("mutirao.db-wal", b"x"), ("made.db", &made)],
        &[("made.db", &made)],
    ];
    for (at, step) in steps.iter().enumerate() {
        let folder = folder();
        for (name, bytes) in *step {
            fs::write(folder.path().join(name), bytes).unwrap();
        }
        for life in 1..=2 {
            let (_, recalled) = open(folder.path());
            assert_eq!(recalled.tasks, tasks, "life {life} after step {at}");
        }
        assert!(!folder.path().join("made.db").exists());
    }
}

#[test]
fn nothing_is_promised_on_files_that_were_taken_away_until_they_are_back() {
    for how in ["folder", "database"] {
        let mut bench = Bench::with(100);
        bench.commit(&[adopted(101)]);
        let from = match how {
            "folder" => bench.folder.path().to_owned(),
            _ => bench.database(),
        };
        let away = from.with_extension("away");
        fs::rename(&from, &away).unwrap();
        for _ in 0..3 {
            let gone = bench.try_commit(&[adopted(102)]).unwrap_err();
            assert!(matches!(gone, StoreError::Replaced(_)), "{how}: {gone}");
        }
        assert!(!bench.database().exists(), "{how}: none is made anew");
        fs::rename(&away, &from).unwrap();
        bench.commit(&[adopted(102)]);
        let recalled = bench.reopen();
        assert_eq!(recalled.damage, Vec::<String>::new(), "{how}");
        assert_eq!(recalled.tasks.len(), 102, "{how}");
    }
}

#[test]
fn an_older_copy_of_its_own_database_is_not_its_own() {
    let mut bench = Bench::with(100);
    let old = fs::read(bench.database()).unwrap();
    bench.commit(&[adopted(101)]);
    for name in ["mutirao.db", "mutirao.db-wal", "mutirao.db-shm"] {
        fs::remove_file(bench.folder.path().join(name)).unwrap();
    }
    fs::write(bench.database(), old).unwrap();
    for _ in 0..3 {
        let replaced = bench.try_commit(&[adopted(102)]).unwrap_err();
        assert!(matches!(replaced, StoreError::Replaced(_)), "{replaced}");
    }
}

#[test]
fn a_log_that_is_taken_away_is_noticed_and_what_it_held_is_saved() {
    let mut bench = Bench::with(100);
    bench.commit(&[adopted(101)]);
    fs::remove_file(bench.folder.path().join("mutirao.db-wal")).unwrap();
    let gone = bench.try_commit(&[adopted(102)]).unwrap_err();
    assert!(matches!(gone, StoreError::NoLog(_)), "{gone}");
    bench.commit(&[adopted(102)]);
    let recalled = bench.reopen();
    assert_eq!(recalled.damage, Vec::<String>::new());
    assert_eq!(recalled.tasks.len(), 102);
}

#[test]
fn a_database_that_is_cut_while_it_is_open_is_mended_and_promises_nothing_before() {
    let mut bench = Bench::with(100);
    let file = fs::OpenOptions::new().write(true).open(bench.database());
    let length = fs::metadata(bench.database()).unwrap().len();
    file.unwrap().set_len(length / 2).unwrap();
    assert!(bench.try_commit(&[adopted(101)]).is_err());
    let came = (0..COMMITS_MAX).any(|_| bench.try_commit(&[adopted(101)]).is_ok());
    assert!(came);
    let recalled = bench.reopen();
    assert_eq!(recalled.damage, Vec::<String>::new(), "it was mended");
    assert_eq!(recalled.tasks.last().unwrap().task.id, id(101));
}
