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
    let key = play.take_unnamed();
    let orders = play.heard(None, Said::Follow(key, None, LASTING));
    assert!(
        !orders.iter().any(|order| matches!(order, Order::Look(..))),
        "it is none of ours: {orders:?}"
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
    let mut play = followed();
    play.seen(key(1), b"hello");
    let orders = play.ended(key(1));
    assert!(!says_any(&orders, is_hand_in), "{orders:?}");
    let later = play.wait_s(4);
    assert!(says_any(&later, is_hand_in), "{later:?}");

    let mut play = Play::with_ours();
    play.answer_to(is_ask, task(Some(key(1))));
    let orders = play.ended(key(1));
    assert!(says_any(&orders, is_hand_in), "nobody follows it");
}

#[test]
fn a_master_that_answers_has_the_last_words_and_the_result_at_once() {
    let is_output = |say: &Say| matches!(say, Say::Output(..));
    let mut play = followed();
    play.seen(key(1), b"hello");
    play.ended(key(1));
    let orders = play.answer_to(is_output, Said::Taken);
    assert!(says_any(&orders, is_output), "{orders:?}");
    let orders = play.answer_to(is_output, Said::Taken);
    assert!(matches!(orders[..], [Order::Look(..)]), "{orders:?}");
    play.seen(key(1), b"bye");
    let orders = play.answer_to(is_output, Said::Taken);
    assert!(says_any(&orders, is_output), "{orders:?}");
    // The last of them is on its way before the result.
    assert!(says_any(&orders, is_hand_in), "{orders:?}");
}

#[test]
fn a_new_connection_follows_nothing() {
    let mut play = followed();
    play.closed();
    let orders: Vec<_> = (0..10).flat_map(|_| play.wait(TICK)).collect();
    assert!(!orders.iter().any(|order| matches!(order, Order::Look(..))));
}
