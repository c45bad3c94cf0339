use super::*;
use crate::logic::fixtures::{plain, task};

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

#[test]
fn a_peer_is_counted_once_however_often_it_joins_and_leaves() {
    let mut standings = Standings::default();
    for _ in 0..2 {
        standings.arrive(&plain("a"), SessionId(1), 1);
        assert_eq!(
            (standings.present(), standings.is_present(&plain("a"))),
            (1, true)
        );
    }
    for _ in 0..2 {
        standings.depart(&plain("a"));
        assert_eq!(
            (standings.present(), standings.is_present(&plain("a"))),
            (0, false)
        );
    }
    standings.depart(&plain("unheard of"));
    assert!(standings.peers.is_empty() && standings.absent.is_empty());
}

#[test]
fn a_peer_that_is_gone_is_remembered_while_it_owes() {
    let mut standings = Standings::default();
    standings.arrive(&plain("a"), SessionId(1), 1);
    standings.of(&plain("a")).holds.push(held(1));
    standings.depart(&plain("a"));
    assert!(standings.get(&plain("a")).is_some());
    standings.settle(&plain("a"), held(1).0, held(1).1);
    assert!(standings.get(&plain("a")).is_none());
}

#[test]
fn leaving_and_coming_back_shortens_no_pause() {
    let mut standings = Standings::default();
    standings.arrive(&plain("a"), SessionId(1), 1);
    standings.of(&plain("a")).came_back_without(Moment(0));
    let until = standings.of(&plain("a")).pause_until;
    standings.depart(&plain("a"));
    standings.arrive(&plain("a"), SessionId(1), 1);
    assert_eq!(standings.of(&plain("a")).pause_until, until);
}

#[test]
fn absent_peers_are_remembered_up_to_a_bound_the_latest_longest() {
    let mut standings = Standings::default();
    standings.arrive(&plain("old"), SessionId(1), 1);
    standings.of(&plain("old")).owes = vec![held(1)];
    standings.depart(&plain("old"));
    // One peer that comes and goes pushes nobody out.
    standings.of(&plain("flapping")).owes = vec![held(2)];
    for _ in 0..=ABSENT_MAX {
        standings.arrive(&plain("flapping"), SessionId(1), 1);
        standings.depart(&plain("flapping"));
    }
    assert!(standings.get(&plain("old")).is_some());
    for number in 0..ABSENT_MAX {
        standings.of(&plain(&format!("stranger {number}"))).owes = vec![held(3)];
    }
    assert_eq!(standings.peers.len(), ABSENT_MAX);
    assert_eq!(standings.absent.len(), ABSENT_MAX);
    assert!(standings.get(&plain("old")).is_none());
}
