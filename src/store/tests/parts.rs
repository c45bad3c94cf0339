//! Parts of groups, of which not all are loaded, or there.

use super::*;
use crate::store::load;

#[test]
fn the_parts_that_are_not_loaded_are_counted_for_the_groups_that_are() {
    let mut bench = Bench::new();
    let cancelled = || Fate::Cancelled { why: "no".into() };
    let fates = [done(1), done(1), cancelled(), Fate::Queued];
    for (number, fate) in (1..).zip(fates) {
        let mut part = (*task(3 * number)).clone();
        Arc::make_mut(&mut part.kind).group = "rows".into();
        let (task, lies) = (Arc::new(part), place(3 * number));
        bench.commit(&[Record::Adopted { task, lies }]);
        if fate != Fate::Queued {
            bench.commit(&[leased(3 * number, 1, ours("a")), ended(3 * number, fate)]);
            bench.commit(&[settled(3 * number, None)]);
        }
    }
    // Another group, and a task that is no part.
    bench.commit(&[
        adopted(1),
        adopted(2),
        ended(2, cancelled()),
        settled(2, None),
    ]);
    let recalled = bench.reopen();
    assert_eq!(recalled.older_parts, [], "all are loaded");
    let base = Connection::open(bench.folder.path().join("mutirao.db")).unwrap();
    let oldest = id(12).0.into_bytes();
    let loaded = load::tasks(&base, &oldest, None).unwrap();
    let counted = load::older_parts(&base, &oldest, &loaded).unwrap();
    let counts = Counts {
        done: 2,
        cancelled: 1,
        ..Counts::default()
    };
    assert_eq!((&*counted[0].group, counted[0].counts), ("rows", counts));
    assert_eq!(
        counted[0].tasks,
        [3, 6, 9].map(|part| (part, id(part.into())))
    );
    // Nobody is told what a damaged row says.
    let flip = "UPDATE task SET state = 'failed' WHERE id = ?";
    assert_eq!(base.execute(flip, [id(6).0.as_bytes()]), Ok(1));
    let damaged = load::older_parts(&base, &oldest, &loaded);
    assert!(matches!(damaged, Err(Fail::Damage(_))), "{damaged:?}");
}
