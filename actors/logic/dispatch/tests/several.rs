//! Several tasks for one request.

use crate::logic::effect::Effect;
use crate::logic::fixtures::{Desk, ours, plain, task};
use crate::logic::ledger::State;
use crate::logic::record::Record;
use crate::logic::standing::HOLDS_MAX;
use crate::model::{Endpoint, TaskId};

/// A desk with one who asks, and so many tasks.
fn desk(peer: &Endpoint, tasks: u128) -> Desk {
    let mut desk = Desk::with(&[peer]);
    (1..=tasks).for_each(|number| drop(desk.arrive(task(number))));
    desk
}

/// What was offered, each with how many more follow.
fn given(effects: &[Effect]) -> Vec<(TaskId, u32)> {
    let given = |effect: &Effect| match effect {
        Effect::Offer(_, offer) => Some((offer.task, offer.more)),
        _ => None,
    };
    effects.iter().filter_map(given).collect()
}

#[test]
fn one_request_gets_as_many_as_it_asks_for_in_the_order_of_the_queue() {
    let peer = ours("a");
    let mut desk = desk(&peer, 4);
    desk.mind.take_news();
    let effects = desk.ask_several(&peer, 3, 0);
    let three = [(task(1).id, 2), (task(2).id, 1), (task(3).id, 0)];
    assert_eq!(given(&effects), three);
    assert_eq!(effects.len(), 3, "and nothing else is said: {effects:?}");
    for (task, _) in three {
        assert_eq!(desk.state(task).lease().unwrap().holder, peer);
    }
    let news = desk.mind.take_news();
    let begun = |record: &&Record| matches!(record, Record::Leased { .. });
    assert_eq!(news.iter().filter(begun).count(), 3, "{news:?}");
    assert_eq!(*desk.state(task(4).id), State::Waiting);
}

#[test]
fn fewer_are_given_when_fewer_are_ready_and_nothing_more_is_waited_for() {
    let peer = ours("a");
    let mut desk = desk(&peer, 2);
    let effects = desk.ask_several(&peer, 3, 60);
    assert_eq!(given(&effects), [(task(1).id, 1), (task(2).id, 0)]);
    assert_eq!(given(&desk.arrive(task(3))), []);
}

#[test]
fn a_request_that_had_to_wait_gets_one() {
    let peer = ours("a");
    let mut desk = desk(&peer, 0);
    assert_eq!(desk.ask_several(&peer, 3, 60), []);
    assert_eq!(given(&desk.arrive(task(1))), [(task(1).id, 0)]);
    assert_eq!(given(&desk.arrive(task(2))), []);
}

#[test]
fn one_that_has_one_task_at_a_time_gets_one_whatever_it_asks_for() {
    let peer = plain("a");
    let mut desk = desk(&peer, 3);
    let effects = desk.ask_several(&peer, 3, 0);
    assert_eq!(given(&effects), [(task(1).id, 0)]);
}

#[test]
fn nobody_is_given_more_than_anybody_may_hold() {
    let peer = ours("a");
    let mut desk = desk(&peer, HOLDS_MAX as u128 + 1);
    for _ in 0..HOLDS_MAX - 2 {
        desk.take(&peer);
    }
    let effects = desk.ask_several(&peer, 16, 0);
    let more: Vec<u32> = given(&effects).iter().map(|(_, more)| *more).collect();
    assert_eq!(more, [1, 0]);
    assert!(desk.in_vain(&peer));
}

#[test]
fn of_several_to_spare_only_those_are_given_that_nobody_else_goes_without() {
    let peer = ours("a");
    let mut desk = desk(&peer, 4);
    desk.join_with(&ours("b"), 2, Some(&[]));
    // Three slots: of four tasks one is to spare, and of the three that are left one more.
    let more: Vec<u32> = given(&desk.ask_several_to_spare(&peer, 16))
        .iter()
        .map(|(_, more)| *more)
        .collect();
    assert_eq!(more, [1, 0]);
}

#[test]
fn each_of_several_comes_back_by_itself() {
    let peer = ours("a");
    let mut desk = desk(&peer, 3);
    let offers = desk.ask_several(&peer, 3, 0);
    let offers: Vec<_> = offers
        .iter()
        .filter_map(|effect| match effect {
            Effect::Offer(_, offer) => Some(offer.clone()),
            _ => None,
        })
        .collect();
    let why = "the file is gone".to_owned();
    let (failed, now) = (&offers[1], desk.now);
    desk.mind
        .offer_failed(&failed.task, failed.attempt, why, now);
    desk.succeed(&peer, &offers[0]);
    desk.kept(offers[0].task);
    assert!(matches!(desk.state(offers[0].task), State::Done { .. }));
    assert_eq!(*desk.state(failed.task), State::Resting);
    assert!(matches!(desk.state(offers[2].task), State::Leased(_)));
    desk.leave(&peer, false);
    assert_eq!(*desk.state(offers[2].task), State::Resting);
    desk.pass(1);
    assert_eq!(desk.mind.queued(), 2);
}
