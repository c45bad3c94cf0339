//! Groups put together as a whole: what is seen is what a run of the whole input would have made.

use std::collections::BTreeMap;
use std::io::Cursor;

use mutirao_actors::model::{Digest, TaskId};
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::archive::{Compression, pack};

type Zip = Cursor<Vec<u8>>;

fn zip(files: &[(&str, &str)]) -> Zip {
    let files = files.iter().map(|(name, text)| (*name, text.as_bytes()));
    Cursor::new(pack(files, Compression::Fast).unwrap())
}

fn part(number: u32, state: TaskState) -> Part {
    Part {
        part: number,
        task_id: TaskId(uuid::Uuid::from_u128(number.into())),
        state,
        peer: Some("ana".parse().unwrap()),
        attempts: 1,
        input_sha256: Some(Digest::of(b"in")),
        result_sha256: None,
        reason: (state == TaskState::Failed).then(|| "exit code 1".into()),
    }
}

fn whole(parts: u32) -> Whole {
    Whole {
        group: "main-7".into(),
        parts,
    }
}

/// What lies in the folder, hidden files too.
fn seen(folder: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        (name, fs::read_to_string(path).unwrap())
    });
    entries.collect()
}

/// Puts these results together, all of tasks that were done.
fn gathered(results: &[Zip]) -> BTreeMap<String, String> {
    let home = tempfile::tempdir().unwrap();
    let mut gather = Gather::begin(home.path(), whole(results.len() as u32)).unwrap();
    for (number, result) in (0..).zip(results) {
        let part = part(number, TaskState::Done);
        gather.add(&part, Some(result.clone()), None).unwrap();
        gather.show().unwrap();
    }
    assert!(is_complete_in(home.path()));
    seen(home.path())
}

#[test]
fn a_group_that_waits_for_parts_holds_no_file_open() {
    let home = tempfile::tempdir().unwrap();
    let held = || {
        let open = fs::read_dir("/proc/self/fd").unwrap().flatten();
        let paths = open.filter_map(|entry| fs::read_link(entry.path()).ok());
        paths.filter(|path| path.starts_with(home.path())).count()
    };
    let mut gather = Gather::begin(home.path(), whole(2)).unwrap();
    for number in 0..2 {
        let result = zip(&[("stdout.txt", "1\n")]);
        let part = part(number, TaskState::Done);
        gather.add(&part, Some(result), None).unwrap();
        assert!(held() > 0, "the check sees them");
        gather.show().unwrap();
        assert_eq!(held(), 0);
    }
    assert_eq!(seen(home.path())["stdout.txt"], "1\n1\n");
}

#[test]
fn printed_tables_become_one_with_one_header() {
    let files = gathered(&[
        zip(&[("stdout.txt", "a,b\n1,\"x\ny\"\n")]),
        zip(&[("stdout.txt", "a,b\r\n2,z"), ("stderr.txt", "warned")]),
        zip(&[("stdout.txt", "a,b\n")]),
        zip(&[("stdout.txt", "a,b\n3,w\n"), ("stderr.txt", "again\n")]),
    ]);
    assert_eq!(files["merged.csv"], "a,b\n1,\"x\ny\"\n2,z\n3,w\n");
    assert_eq!(
        files["stdout.txt"],
        "a,b\n1,\"x\ny\"\na,b\r\n2,z\na,b\na,b\n3,w\n"
    );
    assert_eq!(files["stderr.txt"], "warned\nagain\n");
    assert_eq!(files.len(), 4, "{files:?}");
}

#[test]
fn rows_of_numbers_are_data_though_they_are_the_same() {
    let files = gathered(&[
        zip(&[("stdout.txt", "5\n")]),
        zip(&[("stdout.txt", "6\n")]),
        zip(&[("stdout.txt", "5\n")]),
    ]);
    assert_eq!(files["merged.csv"], "5\n6\n5\n");
}

#[test]
fn a_made_table_goes_before_a_printed_one_and_all_parts_give_the_same() {
    let files = gathered(&[
        zip(&[("stdout.txt", "no, table\nat all\n")]),
        zip(&[("stdout.txt", "p,q\n"), ("output.csv", "a\n1\n")]),
        zip(&[("stdout.txt", "p,q\n")]),
        zip(&[("stdout.txt", ""), ("output.csv", "a\n2\n")]),
    ]);
    assert_eq!(files["merged.csv"], "a\n1\n2\n");
    let manifest: Value = serde_json::from_str(&files[MANIFEST]).unwrap();
    let unmerged = |part: usize| manifest["ended"][part]["unmerged"].as_str();
    assert!(unmerged(0).unwrap().contains("no table"));
    assert!(unmerged(2).unwrap().contains("no output.csv"));
    assert_eq!((unmerged(1), unmerged(3)), (None, None));
}

#[test]
fn printed_tables_of_other_columns_are_left_out() {
    let files = gathered(&[
        zip(&[("stdout.txt", "a;b\n1;2\n")]),
        zip(&[("stdout.txt", "a;b;c\n1;2;3\n")]),
        zip(&[("stdout.txt", "a;b\n3;\"4\n")]),
        zip(&[("folder/stdout.txt", "a;b\n5;6\n")]),
    ]);
    assert_eq!(files["merged.csv"], "a;b\n1;2\n5;6\n");
}

#[test]
fn the_rows_of_what_was_not_done_can_be_handed_in_again() {
    let home = tempfile::tempdir().unwrap();
    let mut gather = Gather::begin(home.path(), whole(5)).unwrap();
    let task = |rows: &str| {
        let input = format!("h\n{rows}");
        Some(zip(&[("main.py", ""), ("input.csv", &input)]))
    };
    let last = Some(zip(&[("stdout.txt", "so far")]));
    let lost = [TaskState::Failed, TaskState::Cancelled];
    gather.add(&part(0, lost[0]), last, task("1\n2")).unwrap();
    let done = Some(zip(&[("stdout.txt", "fine\n")]));
    gather.add(&part(1, TaskState::Done), done, None).unwrap();
    gather.add(&part(2, lost[1]), None, task("5\n6\n")).unwrap();
    let of_another = Some(zip(&[("main.py", ""), ("input.csv", "other\n1\n")]));
    gather.add(&part(3, lost[0]), None, of_another).unwrap();
    let with_params = [
        ("main.py", ""),
        ("input.csv", "h\n9\n"),
        ("params.json", "{}"),
    ];
    gather
        .add(&part(4, lost[0]), None, Some(zip(&with_params)))
        .unwrap();
    gather.show().unwrap();
    let files = seen(home.path());
    assert_eq!(files["failed.csv"], "h\n1\n2\n5\n6\n");
    assert_eq!(files["stdout.txt"], "so far\nfine\n");
    let manifest: Value = serde_json::from_str(&files[MANIFEST]).unwrap();
    let counts = ["parts", "done", "failed", "cancelled"].map(|key| manifest[key].as_u64());
    assert_eq!(counts, [5, 1, 3, 1].map(Some));
    assert_eq!(manifest["ended"][0]["reason"], "exit code 1");
}

#[test]
fn a_part_that_cannot_be_put_in_leaves_nothing_behind_and_is_tried_again() {
    /// Fails while its last half is read.
    #[derive(Clone)]
    struct Failing(Zip, u64);
    impl Read for Failing {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let end = (self.0.position() + into.len() as u64).min(self.0.get_ref().len() as u64);
            match self.0.position() < self.1 && end > self.1 {
                true => Err(io::Error::other("gone")),
                false => self.0.read(into),
            }
        }
    }
    impl Seek for Failing {
        fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
            self.0.seek(to)
        }
    }
    let home = tempfile::tempdir().unwrap();
    let mut gather = Gather::begin(home.path(), whole(2)).unwrap();
    let noise: String = (0..200_000_u32)
        .map(|n| char::from(b'a' + (n.wrapping_mul(2_654_435_761) >> 27) as u8 % 26))
        .collect();
    let text = format!("a\n{noise}\n");
    let first = zip(&[("stdout.txt", &text)]);
    let done = part(0, TaskState::Done);
    let half = first.get_ref().len() as u64 / 2;
    let broken = Failing(first.clone(), half);
    gather.add(&done, Some(broken), None).unwrap_err();
    assert_eq!(gather.next(), 0);
    gather.add(&done, Some(first), None).unwrap();
    let second = zip(&[("stdout.txt", "a\nb\n")]);
    gather
        .add(&part(1, TaskState::Done), Some(second), None)
        .unwrap();
    gather.show().unwrap();
    assert_eq!(seen(home.path())["merged.csv"], format!("{text}b\n"));
}

#[test]
fn what_is_seen_is_whole_and_shown_again_only_when_there_is_much_more() {
    let home = tempfile::tempdir().unwrap();
    let shown = || fs::read_to_string(home.path().join("stdout.txt")).unwrap();
    let line = || Some(zip(&[("stdout.txt", "1234567\n")]));
    let mut gather = Gather::begin(home.path(), whole(9)).unwrap();
    let mut lengths = Vec::new();
    for number in 0..8 {
        gather
            .add(&part(number, TaskState::Done), line(), None)
            .unwrap();
        gather.show().unwrap();
        lengths.push(shown().len() / 8);
        let manifest = fs::read(home.path().join(MANIFEST)).unwrap();
        let manifest: Value = serde_json::from_slice(&manifest).unwrap();
        assert_eq!(manifest["complete"], false);
    }
    assert_eq!(lengths, [1, 2, 3, 3, 5, 5, 5, 8]);
    assert!(!is_complete_in(home.path()));

    // Another life begins anew, and shows nothing that is less.
    let mut gather = Gather::begin(home.path(), whole(9)).unwrap();
    gather.add(&part(0, TaskState::Done), line(), None).unwrap();
    gather.show().unwrap();
    assert_eq!(shown().len() / 8, 8);
    for number in 1..9 {
        gather
            .add(&part(number, TaskState::Done), line(), None)
            .unwrap();
    }
    gather.show().unwrap();
    assert_eq!(shown().len() / 8, 9);
    assert_eq!(seen(home.path()).len(), 3, "nothing hidden is left");
}

proptest! {
    // Each flushes some files for each of its parts.
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_is_merged_is_what_a_run_over_the_whole_table_prints(
        rows in proptest::collection::vec(("[a-z]{0,3}", "[a-z\n\r,\"]{0,5}"), 1..30),
        each in 1..8_u64,
    ) {
        let quoted = |text: &String| format!("\"{}\"", text.replace('"', "\"\""));
        let body: Vec<_> = rows.iter().map(|(a, b)| format!("{a},{}\n", quoted(b))).collect();
        let input = format!("a,b\n{}", body.concat());
        // The script prints its input.
        let mut table = crate::cut::Table::open(input.as_bytes()).unwrap();
        let mut results = Vec::new();
        while let Some(part) = table.next_rows(each).unwrap() {
            results.push(zip(&[("stdout.txt", std::str::from_utf8(&part.bytes).unwrap())]));
        }
        prop_assert_eq!(&gathered(&results)["merged.csv"], &input);
    }
}
