//! Requests that wait, and what ends their waiting.

use crate::logic::dispatch::PASSED_OVER_MAX;
use crate::logic::effect::Effect;
use crate::logic::fixtures::{Desk, ends, keeps, offered, ours, plain, task};
use crate::logic::standing::HOLDS_MAX;
use crate::model::SessionId;

#[test]
fn a_request_that_waits_gets_the_next_task_that_arrives() {
    let mut desk = Desk::with(&[&ours("a")]);
    assert_eq!(desk.ask_waiting(&ours("a"), 10), []);
    let effects = desk.arrive(task(1));
    assert_eq!(offered(&effects).unwrap().task, task(1).id);
    assert_eq!(desk.pass(60), [], "it was answered once");
}

#[test]
fn requests_that_wait_are_served_in_the_order_in_which_they_came() {
    let mut desk = Desk::with(&[&ours("a"), &ours("b"), &ours("c")]);
    for peer in ["b", "a", "c"] {
        desk.ask_waiting(&ours(peer), 10);
    }
    for (number, peer) in [(1, "b"), (2, "a"), (3, "c")] {
        desk.arrive(task(number));
        let lease = desk.state(task(number).id).lease().unwrap();
        assert_eq!(lease.holder, ours(peer));
    }
}

#[test]
fn a_request_waits_as_long_as_it_said_and_is_then_told_that_nothing_waits() {
    let mut desk = Desk::with(&[&ours("a"), &ours("b")]);
    desk.ask_waiting(&ours("a"), 10);
    desk.ask_waiting(&ours("b"), 5);
    assert_eq!(desk.pass(4), []);
    assert!(matches!(desk.pass(1)[..], [Effect::Nothing(asker)] if asker.request.0 == 2));
    assert!(matches!(desk.pass(5)[..], [Effect::Nothing(asker)] if asker.request.0 == 1));
    assert_eq!(offered(&desk.arrive(task(1))), None);
}

#[test]
fn no_request_waits_for_ever() {
    let mut desk = Desk::with(&[&ours("a")]);
    desk.ask_waiting(&ours("a"), u64::MAX);
    assert!(matches!(desk.pass(3600)[..], [Effect::Nothing(_)]));
}

#[test]
fn a_plain_peer_is_never_kept_waiting() {
    let mut desk = Desk::with(&[&plain("a")]);
    assert!(matches!(
        desk.ask_waiting(&plain("a"), 10)[..],
        [Effect::Nothing(_)]
    ));
}

#[test]
fn what_waited_on_a_connection_that_ended_gets_nothing_more() {
    let mut desk = Desk::with(&[&ours("a")]);
    desk.ask_waiting(&ours("a"), 10);
    desk.mind.session_closed(SessionId(1));
    assert_eq!(desk.arrive(task(1)), []);
    assert_eq!(desk.pass(60), []);
}

#[test]
fn what_waits_on_a_connection_that_its_peer_has_left_is_answered_and_what_waits_on_its_own_waits_on()
 {
    let mut desk = Desk::with(&[&ours("a"), &ours("b")]);
    desk.ask_waiting(&ours("a"), 10);
    desk.ask_waiting(&ours("b"), 10);
    assert_eq!(desk.join(&ours("a")), []);
    desk.session = SessionId(2);
    let effects = desk.join(&ours("a"));
    assert!(matches!(effects[..], [Effect::Nothing(asker)] if asker.request.0 == 1));
    desk.arrive(task(1));
    assert_eq!(desk.state(task(1).id).lease().unwrap().holder, ours("b"));
    assert_eq!(desk.pass(60), []);
}

#[test]
fn one_that_is_about_to_leave_waits_for_nothing() {
    let mut desk = Desk::with(&[&ours("a")]);
    desk.ask_waiting(&ours("a"), 10);
    let effects = desk.join_with(&ours("a"), 0, Some(&[]));
    assert!(matches!(effects[..], [Effect::Nothing(asker)] if asker.request.0 == 1));
    assert_eq!(offered(&desk.arrive(task(1))), None);
    assert_eq!(desk.pass(60), []);
}

#[test]
fn what_a_peer_waited_for_goes_with_it_and_whoever_still_listens_is_told() {
    let mut desk = Desk::with(&[&ours("a"), &ours("b")]);
    desk.ask_waiting(&ours("a"), 10);
    desk.ask_waiting(&ours("b"), 10);
    let effects = desk.leave(&ours("a"), false);
    assert!(matches!(effects[..], [Effect::Nothing(asker)] if asker.request.0 == 1));
    desk.arrive(task(1));
    let lease = desk.state(task(1).id).lease().unwrap();
    assert_eq!(lease.holder, ours("b"));
    assert_eq!(desk.pass(60), []);
}

#[test]
fn requests_that_cannot_be_served_yet_keep_nobody_from_being_served() {
    let (hog, honest) = (ours("hog"), ours("honest"));
    let mut desk = Desk::with(&[&hog, &honest]);
    for number in 0..HOLDS_MAX as u128 {
        desk.arrive(task(number));
        desk.take(&hog);
    }
    assert!(
        desk.ask_waiting(&hog, 30).len() == 1,
        "whoever is full is told so"
    );
    // Full only after it began to wait: those requests stay in the line.
    let mut desk = Desk::with(&[&hog, &honest]);
    for _ in 0..3 * PASSED_OVER_MAX + HOLDS_MAX {
        desk.ask_waiting(&hog, 30);
    }
    desk.ask_waiting(&honest, 30);
    for number in 0..=HOLDS_MAX as u128 {
        desk.arrive(task(number));
    }
    for _ in 0..4 {
        desk.pass(1);
    }
    let last = task(HOLDS_MAX as u128).id;
    assert_eq!(desk.state(last).lease().unwrap().holder, honest);
}

#[test]
fn nothing_is_handed_out_once_closed_and_what_runs_still_comes_in() {
    let mut desk = Desk::with(&[&ours("a")]);
    (1..=2).for_each(|number| drop(desk.arrive(task(number))));
    let offer = desk.take(&ours("a"));
    desk.mind.close();
    assert!(desk.in_vain(&ours("a")));
    desk.ask_waiting(&ours("a"), 10);
    assert_eq!(keeps(&desk.succeed(&ours("a"), &offer)).len(), 1);
    assert_eq!(ends(&desk.kept(offer.task)).len(), 1);
    assert!(matches!(desk.pass(10)[..], [Effect::Nothing(_)]));
}
