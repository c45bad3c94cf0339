use super::*;
use crate::logic::fixtures::{ours, plain, task};
use crate::model::Moment;

fn held(number: u128) -> (TaskId, Attempt) {
    (task(number).id, Attempt(1))
}

#[test]
fn a_peer_is_counted_once_however_often_it_joins_and_leaves() {
    let mut standings = Standings::default();
    for _ in 0..2 {
        standings.arrive(&plain("a"), SessionId(1), 1, false);
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
    standings.arrive(&plain("a"), SessionId(1), 1, false);
    standings.of(&plain("a")).holds.push(held(1));
    standings.depart(&plain("a"));
    assert!(standings.get(&plain("a")).is_some());
    standings.settle(&plain("a"), held(1).0, held(1).1);
    assert!(standings.get(&plain("a")).is_none());
}

#[test]
fn leaving_and_coming_back_shortens_no_pause() {
    let mut standings = Standings::default();
    standings.arrive(&plain("a"), SessionId(1), 1, false);
    standings.of(&plain("a")).came_back_without(Moment(0));
    let until = standings.of(&plain("a")).pause_until;
    standings.depart(&plain("a"));
    standings.arrive(&plain("a"), SessionId(1), 1, false);
    assert_eq!(standings.of(&plain("a")).pause_until, until);
}

#[test]
fn absent_peers_are_remembered_up_to_a_bound_the_latest_longest() {
    let mut standings = Standings::default();
    standings.arrive(&plain("old"), SessionId(1), 1, false);
    standings.of(&plain("old")).owes = vec![held(1)];
    standings.depart(&plain("old"));
    // One peer that comes and goes pushes nobody out.
    standings.of(&plain("flapping")).owes = vec![held(2)];
    for _ in 0..=ABSENT_MAX {
        standings.arrive(&plain("flapping"), SessionId(1), 1, false);
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

#[test]
fn slots_are_those_of_peers_that_are_here_well_and_not_about_to_leave() {
    let mut standings = Standings::default();
    let mut arrive = |name, slots, is_sick| {
        standings.arrive(&ours(name), SessionId(1), slots, is_sick);
        standings.slots()
    };
    assert_eq!(arrive("a", 4, false), 4);
    assert_eq!(arrive("sick", 8, true), 4);
    assert_eq!(arrive("b", 2, false), 6);
    assert_eq!(arrive("b", 0, false), 4);
    let mut falls = |name, is_sick| {
        standings.fell_sick(|peer| *peer == ours(name), is_sick);
        standings.slots()
    };
    assert_eq!(falls("a", true), 0);
    assert_eq!(falls("a", true), 0);
    assert_eq!(falls("sick", false), 8);
    assert_eq!(falls("a", false), 12);
    assert_eq!(falls("a", true), 8);
    for name in ["a", "b", "sick"] {
        standings.depart(&ours(name));
    }
    assert_eq!(standings.slots(), 0);
}
