//! A peer that is drained is given nothing and ends what it has.

use super::restart::past;
use crate::logic::dispatch::Dispatch;
use crate::logic::fixtures::{Desk, offered, ours, ours_in_life, task};
use crate::logic::ledger::State;
use crate::logic::record::{Past, Record};
use crate::schedulers::Fifo;

#[test]
fn a_drained_peer_ends_what_it_has_and_gets_nothing_in_any_life_until_that_is_undone() {
    let mut desk = Desk::with(&[&ours("a"), &ours("b")]);
    (1..=3).for_each(|number| drop(desk.arrive(task(number))));
    let offer = desk.take(&ours("a"));
    let a = ours("a").peer;
    assert!(desk.mind.drain(&a, true));
    assert_eq!(desk.mind.held_by(&a), 1);
    assert_eq!(desk.mind.peers().slots(), 1, "nothing is counted on it");
    assert!(desk.in_vain(&ours("a")));
    desk.succeed(&ours("a"), &offer);
    desk.kept(offer.task);
    assert!(matches!(desk.state(offer.task), State::Done { .. }));
    desk.leave(&ours("a"), false);
    desk.join(&ours_in_life("a", 2));
    assert!(desk.in_vain(&ours_in_life("a", 2)));
    assert_eq!(desk.mind.peers().slots(), 1);
    let why = desk.mind.waits_for(&task(2).id, desk.now);
    let drained = why.iter().find(|row| row.reason == "1 peer is drained");
    assert_eq!(
        drained.and_then(|row| row.help.as_deref()),
        Some("mutirao drain a --undo")
    );
    assert!(desk.mind.drain(&a, false));
    assert_eq!(desk.take(&ours_in_life("a", 2)).task, task(2).id);
    assert_eq!(desk.mind.peers().slots(), 2);
}

#[test]
fn who_waits_for_a_task_gets_it_when_it_is_drained_no_longer() {
    let mut desk = Desk::with(&[&ours("a")]);
    let a = ours("a").peer;
    desk.mind.drain(&a, true);
    desk.ask_waiting(&ours("a"), 60);
    assert_eq!(offered(&desk.arrive(task(1))), None);
    desk.mind.drain(&a, false);
    assert!(offered(&desk.mind.serve(desk.now)).is_some());
}

#[test]
fn what_is_drained_is_written_down_once_and_known_in_the_next_life() {
    let mut desk = Desk::with(&[]);
    let a = ours("a").peer;
    desk.mind.drain(&a, true);
    desk.mind.drain(&a, true);
    let is_drained = true;
    let peer = a.clone();
    assert_eq!(
        desk.mind.take_news(),
        [Record::Drained { peer, is_drained }]
    );
    let mut next = Dispatch::new(Fifo, Default::default());
    let past = Past {
        drained: vec![a.clone()],
        ..past(Vec::new())
    };
    next.restore(&past, desk.now);
    assert!(next.is_drained(&a));
}

#[test]
fn a_task_does_not_wait_for_a_drained_peer_to_try_it_too() {
    let mut desk = Desk::with(&[&ours("a"), &ours("b")]);
    desk.mind.drain(&ours("b").peer, true);
    desk.arrive(task(1));
    let first = desk.take(&ours("a"));
    desk.fail(&ours("a"), &first);
    desk.pass(2);
    assert_eq!(desk.take(&ours("a")).task, first.task);
}
