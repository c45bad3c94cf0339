//! Damage of every kind: the store always opens, and what it gives back was written or is listed.

use std::fs;
use std::path::PathBuf;

use super::*;

/// Tasks that are written, enough for some dozen pages.
const TASKS: u128 = 150;

/// A store with tasks in all states, closed; its folder, and what it gives back when it is sound.
struct Sound {
    folder: TempDir,
    bytes: Vec<u8>,
    tasks: Vec<Remembered>,
}

impl Sound {
    fn new() -> Self {
        let mut bench = Bench::new();
        for number in 1..=TASKS {
            let mut records = vec![adopted(number)];
            if number % 5 > 0 {
                records.push(leased(number, 1, ours("p")));
            }
            match number % 5 {
                2 => records.push(try_ended(number, 1, Fault::Late)),
                3 => records.extend([ended(number, done(1)), settled(number, None)]),
                4 => records.push(Record::Conflict {
                    task: id(number),
                    attempt: Attempt(1),
                    peer: "q".parse().unwrap(),
                    sha256: Digest::of(b"other"),
                }),
                _ => {}
            }
            bench.commit(&records);
        }
        let tasks = bench.reopen().tasks;
        assert_eq!(tasks.len(), TASKS as usize);
        let folder = bench.folder;
        drop(bench.store);
        let bytes = fs::read(folder.path().join("mutirao.db")).unwrap();
        Self {
            folder,
            bytes,
            tasks,
        }
    }

    fn database(&self) -> PathBuf {
        self.folder.path().join("mutirao.db")
    }

    /// Opens the store with these bytes for its database, and checks that whatever is not as it was is listed, and
    /// that it works.
    fn opens_with(&self, bytes: &[u8], how: &str) -> Recalled {
        fs::write(self.database(), bytes).unwrap();
        for end in ["-wal", "-shm"] {
            let _ = fs::remove_file(format!("{}{end}", self.database().display()));
        }
        let (mut store, recalled) = open(self.folder.path());
        if recalled.damage.is_empty() {
            assert_eq!(
                recalled.tasks, self.tasks,
                "{how}: something is lost in silence"
            );
        }
        for known in &recalled.tasks {
            let before = self.tasks.iter().find(|before| before.task == known.task);
            let before = before.unwrap_or_else(|| panic!("{how}: {known:?} was never written"));
            let listed = recalled
                .damage
                .iter()
                .any(|line| line.contains(&known.task.id.to_string()));
            assert!(known == before || listed, "{how}: {known:?} was {before:?}");
            let given = before.course.tries.len();
            assert!(
                known.course.tries.len() >= given,
                "{how}: a try is given twice"
            );
        }
        store.commit(&[adopted(TASKS + 1)]).unwrap();
        drop(store);
        let (_, again) = open(self.folder.path());
        assert_eq!(
            again.damage,
            Vec::<String>::new(),
            "{how}: mended once is mended"
        );
        assert_eq!(again.tasks.len(), recalled.tasks.len() + 1, "{how}");
        recalled
    }
}

/// Numbers that look like chance and are the same in every run.
pub(super) fn chance(seed: u64) -> impl FnMut(usize) -> usize {
    let mut state = seed;
    move |below| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    }
}

#[test]
fn a_database_cut_anywhere_opens() {
    let sound = Sound::new();
    let mut chance = chance(1);
    let length = sound.bytes.len();
    let mut cuts = vec![0, 1, 15, 16, 99, 100, 4095, 4096, 4097, length - 1];
    cuts.extend((0..15).map(|_| chance(length)));
    for cut in cuts {
        let found = sound.opens_with(&sound.bytes[..cut], &format!("cut at {cut}"));
        assert!(!found.damage.is_empty(), "cut at {cut}");
    }
}

#[test]
fn a_database_with_zeroed_blocks_opens_with_the_other_tasks() {
    let sound = Sound::new();
    let blocks = sound.bytes.len() / 4096;
    for block in 0..blocks {
        let mut bytes = sound.bytes.clone();
        bytes[block * 4096..][..4096].fill(0);
        sound.opens_with(&bytes, &format!("block {block} zeroed"));
    }
}

#[test]
fn a_database_with_flipped_bits_opens() {
    let sound = Sound::new();
    let mut chance = chance(2);
    for _ in 0..100 {
        let (byte, bit) = (chance(sound.bytes.len()), chance(8));
        let mut bytes = sound.bytes.clone();
        bytes[byte] ^= 1 << bit;
        sound.opens_with(&bytes, &format!("bit {bit} of byte {byte} flipped"));
    }
}

#[test]
fn a_file_that_is_no_database_is_moved_aside() {
    let sound = Sound::new();
    let found = sound.opens_with(&[b'x'; 10_000], "garbage");
    assert!(found.tasks.is_empty());
    assert!(!found.damage.is_empty());
    let aside = sound.folder.path().join("damaged-1").join("mutirao.db");
    assert_eq!(fs::read(aside).unwrap(), [b'x'; 10_000]);
}

#[test]
fn a_check_counts_what_an_export_tells_and_lists_what_it_leaves_out() {
    let sound = Sound::new();
    let root = folder();
    let folder = root.path().join(crate::store::FOLDER);
    fs::create_dir_all(&folder).unwrap();
    let mut left_out = 0;
    for block in 1..sound.bytes.len() / 4096 {
        let mut bytes = sound.bytes.clone();
        bytes[block * 4096 + 3000..][..500].fill(0xa5);
        fs::write(folder.join("mutirao.db"), &bytes).unwrap();
        let mut told = 0;
        let Ok(unread) = crate::store::export::export(root.path(), |_| {
            told += 1;
            true
        }) else {
            continue;
        };
        let checked = crate::store::check::check(root.path()).unwrap();
        assert_eq!(checked.tasks, told, "block {block}");
        assert!(unread == 0 || !checked.database.is_empty(), "block {block}");
        left_out += unread;
    }
    assert!(left_out > 0);
}

#[test]
fn all_that_was_lost_is_in_a_file_and_the_log_says_which() {
    let sound = Sound::new();
    let recalled = sound.opens_with(&sound.bytes[..sound.bytes.len() / 2], "cut");
    let list = sound.folder.path().join("damaged-1/lost.txt");
    let listed = fs::read_to_string(&list).unwrap();
    assert_eq!(listed.lines().count(), recalled.damage.len());
    let shown = crate::store::shown(&recalled.damage);
    assert!(shown[0].contains(list.to_str().unwrap()), "{shown:?}");
    let many: Vec<String> = (0..30).map(|line| line.to_string()).collect();
    let shown = crate::store::shown(&many);
    assert_eq!(shown.len(), 11);
    assert!(shown[10].starts_with("20 more"), "{shown:?}");
}

#[test]
fn a_store_that_is_gone_is_missed_where_an_earlier_master_left_something() {
    let root = folder();
    let folder = root.path().join(crate::store::FOLDER);
    for place in ["results", "tasks/done"] {
        fs::create_dir_all(root.path().join(place)).unwrap();
    }
    // What a command leaves there that never had a master of this folder.
    fs::write(root.path().join("results/t.zip"), b"x").unwrap();
    let never = crate::store::check::find(root.path()).unwrap_err();
    assert!(matches!(never, StoreError::Missing(_)), "{never}");
    fs::write(root.path().join("tasks/done/t.zip"), b"x").unwrap();
    let gone = crate::store::check::find(root.path()).unwrap_err();
    assert!(matches!(gone, StoreError::Gone { .. }), "{gone}");
    let (_, recalled) = open(&folder);
    assert!(recalled.has_lost && recalled.damage.len() == 1);
    assert!(
        recalled.damage[0].contains("tasks/done is left"),
        "{:?}",
        recalled.damage
    );
    let (_, again) = open(&folder);
    assert!(again.has_lost && again.damage.is_empty());
}
