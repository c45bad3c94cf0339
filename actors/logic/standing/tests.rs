use super::*;
use crate::logic::fixtures::task;

fn held(number: u128) -> (TaskId, Attempt) {
    (task(number).id, Attempt(1))
}

#[test]
fn one_try_held_or_owed_is_the_one_that_an_unnamed_result_is_of() {
    let mut standing = Standing::default();
    assert_eq!(standing.sole(), None);
    standing.holds.push(held(1));
    assert_eq!(standing.sole(), Some(held(1)));
    standing.holds.push(held(2));
    assert_eq!(standing.sole(), None, "two are ambiguous");
    standing.settle(held(1).0, held(1).1);
    standing.owes = vec![held(3)];
    assert_eq!(standing.sole(), None, "one held and one owed are, too");
    standing.settle(held(2).0, held(2).1);
    assert_eq!(standing.sole(), Some(held(3)));
    standing.settle(held(3).0, Attempt(2));
    assert_eq!(
        standing.sole(),
        Some(held(3)),
        "another try settles nothing"
    );
    standing.settle(held(3).0, held(3).1);
    assert_eq!(standing.sole(), None);
}

#[test]
fn the_pause_doubles_to_its_bound_and_a_result_ends_the_row() {
    let mut standing = Standing::default();
    let pauses = [1, 2, 4, 8, 16, 32, 60, 60];
    for seconds in pauses {
        standing.came_back_without(Moment(7));
        assert_eq!(
            standing.pause_until,
            Moment(7).after(Duration::from_secs(seconds))
        );
    }
    standing.came_back_with();
    standing.came_back_without(Moment(7));
    assert_eq!(standing.pause_until, Moment(7).after(PAUSE_FIRST));
}
