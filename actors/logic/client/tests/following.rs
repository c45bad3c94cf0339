//! A master that follows what is printed here.

use super::*;

const LASTING: Duration = Duration::from_secs(5);

/// A peer that runs a task of our master, which follows it.
fn followed() -> Play {
    let mut play = Play::with_ours();
    play.answer_to(is_ask, task(Some(key(1))));
    let orders = play.heard(None, Said::Follow(key(1), None, LASTING));
    assert_eq!(orders, [Order::Look(key(1), None)]);
    play
}

fn outputs(play: &Play) -> usize {
    let open = play.open.iter();
    open.filter(|(_, say)| matches!(say, Say::Output(..)))
        .count()
}

#[test]
fn what_a_look_has_seen_is_said_piece_by_piece() {
    let mut play = followed();
    play.seen(key(1), b"hello");
    assert_eq!(outputs(&play), 1);
    play.wait(TICK);
    assert_eq!(outputs(&play), 1, "the first is not answered yet");
    play.answer_to(|say| matches!(say, Say::Output(..)), Said::Taken);
    play.wait(TICK);
    assert_eq!(outputs(&play), 1);
}

#[test]
fn only_what_runs_for_that_master_is_looked_at() {
    let mut play = Play::with_ours();
    assert_eq!(
        play.heard(None, Said::Follow(key(7), None, LASTING)),
        [],
        "nothing of it is here"
    );
    let mut play = Play::with_foreign();
    assert!(
        play.heard(None, Said::Follow(key(1), None, LASTING))
            .iter()
            .all(|order| !matches!(order, Order::Look(..)))
    );
}

#[test]
fn whoever_does_not_want_to_hear_it_is_told_no_more() {
    let mut play = followed();
    play.seen(key(1), b"hello");
    play.answer_to(|say| matches!(say, Say::Output(..)), coded("not_followed"));
    let orders: Vec<_> = (0..10).flat_map(|_| play.wait(TICK)).collect();
    assert!(
        !orders
            .iter()
            .any(|order| matches!(order, Order::Look(..) | Order::Say(_, _, Say::Output(..)))),
        "{orders:?}"
    );
}

#[test]
fn the_result_follows_the_last_words_and_does_not_wait_for_them_for_ever() {
    let is_hand_in = |order: &Order| matches!(order, Order::Say(_, _, Say::HandIn(_)));
    let mut play = followed();
    play.seen(key(1), b"hello");
    let orders = play.ended(key(1));
    assert!(!orders.iter().any(is_hand_in), "{orders:?}");
    let later: Vec<_> = (0..20).flat_map(|_| play.wait(TICK)).collect();
    assert!(later.iter().any(is_hand_in), "{later:?}");

    let mut play = Play::with_ours();
    play.answer_to(is_ask, task(Some(key(1))));
    let orders = play.ended(key(1));
    assert!(orders.iter().any(is_hand_in), "nobody follows it");
}

#[test]
fn a_new_connection_follows_nothing() {
    let mut play = followed();
    play.closed();
    let orders: Vec<_> = (0..10).flat_map(|_| play.wait(TICK)).collect();
    assert!(!orders.iter().any(|order| matches!(order, Order::Look(..))));
}
