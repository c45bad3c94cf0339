//! Damage of the database's log: what SQLite would leave out in silence is listed.

use std::fs;
use std::path::Path;

use rusqlite::Connection;

use super::damage::chance;
use super::*;

/// Tasks that lie in the database, and as many again that only its log tells of.
const HALF: usize = 25;
/// Bytes of a frame.
const FRAME: usize = 24 + 4096;

/// What a killed master leaves: each task is a commit of its own.
struct Killed {
    database: Vec<u8>,
    log: Vec<u8>,
    index: Vec<u8>,
    /// Where the log ended after each commit; the first is that of the opening.
    ends: Vec<usize>,
}

impl Killed {
    fn new() -> Self {
        let mut bench = Bench::new();
        let tasks = 1..=HALF as u128;
        bench.commit(&tasks.map(adopted).collect::<Vec<_>>());
        bench.reopen();
        let read = |bench: &Bench, end: &str| {
            fs::read(bench.folder.path().join(format!("mutirao.db{end}"))).unwrap()
        };
        let mut ends = vec![read(&bench, "-wal").len()];
        for number in 1..=HALF {
            bench.commit(&[adopted((HALF + number) as u128)]);
            ends.push(read(&bench, "-wal").len());
        }
        let [database, log, index] = ["", "-wal", "-shm"].map(|end| read(&bench, end));
        Self {
            database,
            log,
            index,
            ends,
        }
    }

    /// Opens it with this log and index; how many tasks are there, which are the first ones, and what is listed.
    fn opens_with(&self, log: &[u8], index: Option<&[u8]>, how: &str) -> (usize, Vec<String>) {
        let folder = folder();
        let write = |end: &str, bytes: &[u8]| {
            fs::write(folder.path().join(format!("mutirao.db{end}")), bytes).unwrap();
        };
        write("", &self.database);
        write("-wal", log);
        if let Some(index) = index {
            write("-shm", index);
        }
        let (mut store, recalled) = open(folder.path());
        for (at, known) in recalled.tasks.iter().enumerate() {
            assert_eq!(known.task.id, id(at as u128 + 1), "{how}");
        }
        let found = recalled.tasks.len();
        if !recalled.damage.is_empty() {
            assert!(recalled.has_lost, "{how}");
            let kept = fs::read(folder.path().join("damaged-1/mutirao.db-wal")).unwrap();
            assert!(kept == log, "{how}: the damaged log is kept");
        }
        store.commit(&[adopted(1000)]).unwrap();
        drop(store);
        let (_, again) = open(folder.path());
        assert_eq!(again.has_lost, recalled.has_lost, "{how}");
        assert_eq!(again.damage, Vec::<String>::new(), "{how}");
        assert_eq!(again.tasks.len(), found + 1, "{how}");
        (found, recalled.damage)
    }

    /// How many tasks are there when the log can be read up to this byte.
    fn tasks_before(&self, at: usize) -> usize {
        let commits = self.ends.iter().filter(|end| **end <= at).count();
        HALF + commits.saturating_sub(1)
    }

    /// Opens it with a log of which something at this byte is not whole, and checks that what was lost is listed.
    fn loses(&self, log: &[u8], at: usize, how: &str) {
        let (found, damage) = self.opens_with(log, None, how);
        assert_eq!(found, self.tasks_before(at), "{how}");
        // Nobody can tell a damaged last commit from one that a crash cut; nor the one before, if it is its last frame
        // that is damaged, which alone says where it ended.
        assert!(found >= 2 * HALF - 2 || !damage.is_empty(), "{how}");
        let (same, damage) = self.opens_with(log, Some(&self.index), how);
        assert_eq!(same, found, "{how}");
        assert!(!damage.is_empty(), "{how}: the index knows of the last one");
    }
}

#[test]
fn a_log_cut_anywhere_gives_the_commits_before_and_its_index_knows_of_the_others() {
    let killed = Killed::new();
    let length = killed.log.len();
    let mut chance = chance(3);
    let mut cuts = vec![0, 1, 31, 32, 33, 47, 48, 55, 56, 57, length - 1, length];
    cuts.extend((0..15).map(|_| chance(length)));
    for cut in cuts {
        let how = format!("cut at {cut}");
        let log = &killed.log[..cut];
        let (found, damage) = killed.opens_with(log, None, &how);
        assert_eq!((found, damage), (killed.tasks_before(cut), vec![]), "{how}");
        let (same, damage) = killed.opens_with(log, Some(&killed.index), &how);
        assert_eq!(same, found, "{how}");
        assert_eq!(cut < length, !damage.is_empty(), "{how}: {damage:?}");
    }
}

#[test]
fn a_zeroed_frame_is_damage_unless_it_is_of_the_last_commit() {
    let killed = Killed::new();
    let frames = (killed.log.len() - 32) / FRAME;
    for frame in (0..frames).step_by(4).chain([frames - 1]) {
        let mut log = killed.log.clone();
        let at = 32 + frame * FRAME;
        log[at..][..FRAME].fill(0);
        killed.loses(&log, at, &format!("frame {frame} zeroed"));
    }
}

#[test]
fn a_flipped_bit_in_the_log_is_damage_unless_it_is_of_the_last_commit() {
    let killed = Killed::new();
    let mut chance = chance(4);
    let mut places = vec![0, 7, 8, 16, 31, 32, 36, 41, 48, 55];
    places.extend((0..15).map(|_| chance(killed.log.len())));
    for byte in places {
        let mut log = killed.log.clone();
        let bit = chance(8);
        log[byte] ^= 1 << bit;
        let at = if byte < 32 { 0 } else { byte };
        killed.loses(&log, at, &format!("bit {bit} of byte {byte} flipped"));
    }
}

fn garbage(length: usize, chance: &mut impl FnMut(usize) -> usize) -> Vec<u8> {
    let byte = |_| chance(256).try_into().unwrap();
    (0..length).map(byte).collect()
}

#[test]
fn garbage_behind_the_last_commit_is_no_damage_if_the_index_knows_it_was_the_last() {
    let killed = Killed::new();
    let mut chance = chance(5);
    for length in [1, 20, FRAME - 1, FRAME, 3 * FRAME + 5] {
        let log = [killed.log.clone(), garbage(length, &mut chance)].concat();
        let how = format!("{length} bytes of garbage");
        let found = killed.opens_with(&log, Some(&killed.index), &how);
        assert_eq!(found, (2 * HALF, vec![]), "{how}");
        let index = garbage(killed.index.len(), &mut chance);
        for index in [None, Some(index.as_slice())] {
            let (found, damage) = killed.opens_with(&log, index, &how);
            assert_eq!(found, 2 * HALF, "{how}");
            assert_eq!(damage.is_empty(), length < 16, "{how}: {damage:?}");
        }
    }
}

#[test]
fn what_no_crash_leaves_in_a_log_is_damage_with_an_index_or_without() {
    let killed = Killed::new();
    let (length, mut chance) = (killed.log.len(), chance(6));
    let middle = 32 + 9 * FRAME + 1000;
    let overwritten = [(0, 32_768), (0, length), (middle, length)];
    for (from, to) in overwritten {
        let mut log = killed.log.clone();
        log[from..to].copy_from_slice(&garbage(to - from, &mut chance));
        killed.loses(&log, from, &format!("garbage from {from} to {to}"));
    }
    let mut log = killed.log.clone();
    log[middle..].fill(0);
    killed.loses(&log, middle, "zeros for more than a commit");
}

#[test]
fn a_log_that_is_gone_is_missed_if_its_index_knows_of_commits() {
    let killed = Killed::new();
    let folder = folder();
    let write = |end: &str, bytes: &[u8]| {
        fs::write(folder.path().join(format!("mutirao.db{end}")), bytes).unwrap();
    };
    write("", &killed.database);
    write("-shm", &killed.index);
    let (_, recalled) = open(folder.path());
    assert_eq!(recalled.tasks.len(), HALF);
    assert!(recalled.has_lost);
    let [damage] = &recalled.damage[..] else {
        panic!("{:?}", recalled.damage);
    };
    assert!(damage.contains("at least 1 commits"), "{damage}");
}

#[test]
fn a_check_touches_no_file() {
    let killed = Killed::new();
    let cut = killed.log.len() - 5;
    let index = Some(killed.index.as_slice());
    for (log, index, commits) in [
        (Some(&killed.log[..]), index, HALF),
        (Some(&killed.log[..]), None, HALF),
        (Some(&killed.log[..cut]), index, HALF - 1),
        (Some(&[][..]), index, 0),
        (None, index, 0),
    ] {
        let root = folder();
        let folder = root.path().join(crate::store::FOLDER);
        fs::create_dir_all(&folder).unwrap();
        let files = [
            ("", Some(&killed.database[..])),
            ("-wal", log),
            ("-shm", index),
        ];
        let name = |end: &str| folder.join(format!("mutirao.db{end}"));
        for (end, bytes) in files {
            if let Some(bytes) = bytes {
                fs::write(name(end), bytes).unwrap();
            }
        }
        let checked = crate::store::check::check(root.path()).unwrap();
        assert_eq!(checked.tasks, (HALF + commits) as u64);
        assert_eq!(checked.database.is_empty(), commits == HALF, "{checked:?}");
        for (end, bytes) in files {
            assert_eq!(fs::read(name(end)).ok().as_deref(), bytes, "{end}");
        }
    }
}

#[test]
fn the_log_of_another_database_is_set_aside() {
    let (killed, other) = (Killed::new(), Killed::new());
    let folder = folder();
    let unknown = folder.path().join("x.db");
    let base = Connection::open(&unknown).unwrap();
    base.execute_batch("PRAGMA journal_mode = wal; CREATE TABLE x (x); INSERT INTO x VALUES (1)")
        .unwrap();
    let log = fs::read(folder.path().join("x.db-wal")).unwrap();
    for log in [&other.log, &log] {
        let (found, damage) = killed.opens_with(log, None, "another's log");
        assert_eq!(found, HALF);
        assert!(damage[0].contains("belongs to another"), "{damage:?}");
    }
}

#[test]
fn what_an_earlier_round_left_in_the_log_is_no_damage() {
    let mut bench = Bench::new();
    for number in 1..=9 {
        bench.commit(&[adopted(number)]);
    }
    let file = |end: &str| bench.folder.path().join(format!("mutirao.db{end}"));
    let beside = Connection::open(file("")).unwrap();
    let (busy, all, moved): (i64, i64, i64) = beside
        .query_row("PRAGMA wal_checkpoint(RESTART)", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .unwrap();
    assert!(busy == 0 && all > 9 && all == moved);
    let (database, log) = (file(""), file("-wal"));
    let length = fs::metadata(&log).unwrap().len();
    bench.commit(&[adopted(10)]);
    assert_eq!(
        fs::metadata(&log).unwrap().len(),
        length,
        "a new round began"
    );
    let killed = Killed {
        database: read(&database),
        log: read(&log),
        index: read(&bench.folder.path().join("mutirao.db-shm")),
        ends: Vec::new(),
    };
    let found = killed.opens_with(&killed.log, None, "a new round");
    assert_eq!(found, (10, vec![]));
    let found = killed.opens_with(&killed.log, Some(&killed.index), "a new round");
    assert_eq!(found, (10, vec![]));
}

fn read(file: &Path) -> Vec<u8> {
    fs::read(file).unwrap()
}
