//! What is read at a start, and by whom.

use super::*;
use crate::store::load;

/// Many rows, of which the first ones are over.
const ROWS: &str = "WITH RECURSIVE each(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM each WHERE n < 299999) \
    INSERT INTO task SELECT CAST(printf('%016d', n) AS BLOB), n, '', x'', 0, 0, 0, 0, 0, 0, 0, x'', x'', '', NULL, \
    CASE WHEN n < 240000 THEN 'done' ELSE 'queued' END, NULL, 0, 0, NULL, 1, 0, NULL, 0 FROM each";

#[test]
fn the_middle_is_that_of_the_tasks_that_are_read() {
    let bench = Bench::new();
    let base = Connection::open(bench.folder.path().join("mutirao.db")).unwrap();
    let counts = |done, queued| Counts {
        done,
        queued,
        ..Counts::default()
    };
    let few = load::middle(&base, &[], counts(0, 19_999)).unwrap();
    assert_eq!(few, None);
    base.execute(ROWS, []).unwrap();
    let counts = counts(240_000, 60_000);
    let oldest = load::oldest(&base, counts).unwrap().unwrap();
    assert_eq!(oldest, b"0000000000140000");
    let middle = load::middle(&base, &oldest, counts).unwrap().unwrap();
    assert_eq!(middle, b"0000000000220000");
}

#[test]
fn halves_read_by_two_are_the_whole_and_damage_of_either_is_noticed() {
    let mut bench = Bench::new();
    for number in 1..=6 {
        bench.commit(&[adopted(number), leased(number, 1, ours("a"))]);
    }
    let file = bench.folder.path().join("mutirao.db");
    let base = Connection::open(&file).unwrap();
    let beside = |first: u128| {
        let other = Connection::open(&file).unwrap();
        Some((other, id(first).0.into_bytes().to_vec()))
    };
    let whole = load::tasks(&base, &[], None).unwrap();
    assert_eq!(whole.len(), 6);
    for first in [0, 1, 4, 6, 7] {
        let halves = load::tasks(&base, &[], beside(first)).unwrap();
        assert_eq!(halves, whole, "from {first} on");
    }
    let flip = "UPDATE task SET state = 'failed' WHERE id = ?";
    for damaged in [2, 5] {
        assert_eq!(base.execute(flip, [id(damaged).0.as_bytes()]), Ok(1));
        let told = load::tasks(&base, &[], beside(4));
        assert!(matches!(told, Err(Fail::Damage(_))), "{told:?}");
        let mend = "UPDATE task SET state = 'leased' WHERE id = ?";
        assert_eq!(base.execute(mend, [id(damaged).0.as_bytes()]), Ok(1));
    }
}
