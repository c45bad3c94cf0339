//! On which peer what failed is tried again: another if one is free, and else whoever asks, after a while.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;

use crate::logic::dispatch::others::patience;
use crate::logic::effect::{Effect, Offer};
use crate::logic::fixtures::{Desk, by_name, keeps, kind_of, offered, ours, plain, task};
use crate::logic::ledger::State;
use crate::model::{Ending, Endpoint, TaskId};

/// A desk where a task failed at two peers while a third has begun another; the first two have nothing to do.
fn two_failed_while_the_third_is_busy(third: &Endpoint) -> (Desk, Offer) {
    let mut desk = Desk::with(&[&ours("a"), &ours("b"), third]);
    desk.arrive(task(1));
    let long = desk.take(third);
    desk.arrive(task(2));
    for peer in ["a", "b"] {
        let offer = desk.take(&ours(peer));
        desk.fail(&ours(peer), &offer);
        desk.pass(2);
    }
    (desk, long)
}

#[test]
fn a_task_that_two_peers_failed_does_not_wait_for_ever_for_a_third_that_is_busy() {
    let (mut desk, _) = two_failed_while_the_third_is_busy(&ours("c"));
    assert_eq!(desk.ask_waiting(&ours("a"), 60), []);
    let patience = patience(2).as_secs();
    assert_eq!(desk.pass(patience - 1), [], "the third may soon be free");
    let offer = offered(&desk.pass(1));
    assert_eq!(offer.unwrap().task, task(2).id);
}

#[test]
fn who_has_still_to_try_it_is_first_as_soon_as_it_is_free() {
    for third in [ours("c"), plain("c")] {
        let (mut desk, long) = two_failed_while_the_third_is_busy(&third);
        desk.succeed(&third, &long);
        desk.kept(long.task);
        desk.pass(patience(2).as_secs());
        assert!(desk.in_vain(&ours("a")), "{third} is free");
        assert_eq!(desk.take(&third).task, task(2).id);
    }
}

#[test]
fn who_pauses_or_owes_a_result_is_not_waited_for() {
    let third = plain("c");
    let (mut desk, _) = two_failed_while_the_third_is_busy(&third);
    desk.pass(patience(2).as_secs());
    // It came back without what it had: that goes to the others, and it pauses.
    assert!(desk.in_vain(&third));
    assert_eq!(desk.take(&ours("a")).task, task(2).id);
}

#[test]
fn tasks_that_fail_everywhere_do_not_wait_for_one_that_never_hands_anything_in() {
    let mute = plain("c");
    let mut desk = Desk::with(&[&ours("a"), &ours("b"), &mute]);
    let fails = |desk: &mut Desk, peer: &str| {
        let offer = desk.take(&ours(peer));
        desk.fail(&ours(peer), &offer);
        desk.kept(offer.task);
        desk.pass(30);
    };
    for number in 1..=6 {
        // It has forgotten what it had.
        desk.join(&mute);
        desk.arrive(task(number));
        let offer = offered(&desk.ask(&mute)).unwrap();
        assert!(desk.in_vain(&mute), "it asks again, and hands nothing in");
        desk.pass(2);
        for peer in ["a", "b"] {
            fails(&mut desk, peer);
        }
        assert!(matches!(desk.state(offer.task), State::Failed { .. }));
    }
    assert!(desk.in_vain(&mute), "it is here");
    desk.arrive(task(7));
    for peer in ["a", "b", "a"] {
        fails(&mut desk, peer);
    }
    assert!(matches!(desk.state(task(7).id), State::Failed { .. }));
}

/// It is given something, comes back without it and has forgotten it; after six times it is fruitless, after twenty barren.
pub(super) fn comes_back_without(desk: &mut Desk, peer: &Endpoint, times: u128) {
    for number in 101..=100 + times {
        desk.arrive(task(number));
        desk.take(peer);
        desk.join(peer);
        assert!(desk.in_vain(peer), "it hands nothing in");
        desk.mind.task_withdrawn(&task(number).id, "enough".into());
        desk.pass(60);
    }
}

#[test]
fn one_peer_alone_does_not_fail_a_task_while_one_that_came_back_without_any_has_still_to_try_it() {
    let (hasty, other) = (ours("hasty"), plain("other"));
    let mut desk = Desk::with(&[&hasty, &other]);
    comes_back_without(&mut desk, &other, 6);
    (1..=2).for_each(|number| drop(desk.arrive(task(number))));
    let long = desk.take(&other);
    for _ in 0..9 {
        let offer = desk.take(&hasty);
        assert_eq!(keeps(&desk.fail(&hasty, &offer)), []);
        desk.pass(600);
    }
    desk.join(&other);
    assert!(desk.in_vain(&other), "it hands nothing in");
    desk.mind.task_withdrawn(&long.task, "enough".into());
    desk.pass(60);
    assert_eq!(desk.take(&other).task, task(2).id);
}

#[test]
fn one_that_came_back_without_any_is_first_with_what_one_peer_alone_failed_as_soon_as_it_is_free() {
    let (hasty, other) = (ours("hasty"), plain("other"));
    let mut desk = Desk::with(&[&hasty, &other]);
    comes_back_without(&mut desk, &other, 6);
    desk.arrive(task(1));
    let offer = desk.take(&hasty);
    desk.fail(&hasty, &offer);
    desk.pass(30);
    assert!(desk.in_vain(&hasty), "the other is free");
    assert_eq!(desk.take(&other).task, offer.task);
}

#[test]
fn what_one_peer_alone_failed_is_failed_for_good_when_the_other_leaves_or_is_drained() {
    for is_drained in [false, true] {
        let (hasty, other) = (ours("hasty"), plain("other"));
        let mut desk = Desk::with(&[&hasty, &other]);
        comes_back_without(&mut desk, &other, 6);
        (1..=2).for_each(|number| drop(desk.arrive(task(number))));
        desk.take(&other);
        for _ in 0..3 {
            let offer = desk.take(&hasty);
            desk.fail(&hasty, &offer);
            desk.pass(600);
        }
        match is_drained {
            true => drop(desk.mind.drain(&other.peer, true)),
            false => drop(desk.leave(&other, false)),
        }
        let offer = desk.take(&hasty);
        assert_eq!(keeps(&desk.fail(&hasty, &offer)).len(), 1);
    }
}

/// A hundred tasks that fail at the peer of ours and of which another comes back without a result, until all are failed
/// for good; how many of them the other one never had.
fn failed_unheard(desk: &mut Desk, hasty: &Endpoint, other: &Endpoint) -> usize {
    const TASKS: std::ops::RangeInclusive<u128> = 1001..=1100;
    TASKS.for_each(|number| drop(desk.arrive(task(number))));
    // Five hours: twenty times it may owe the result of a task for ten minutes, and pauses for one.
    for _ in 0..1800 {
        while let Some(offer) = offered(&desk.ask(hasty)) {
            desk.fail(hasty, &offer);
            desk.kept(offer.task);
        }
        desk.ask(other);
        desk.pass(10);
    }
    assert_eq!(
        u128::from(desk.mind.ledger().counts().failed),
        TASKS.count() as u128
    );
    let is_unheard = |number: &u128| {
        let tries = &desk.entry(task(*number).id).story.tries;
        tries.iter().all(|tried| tried.holder != *other)
    };
    TASKS.filter(is_unheard).count()
}

#[test]
fn a_queue_of_nothing_but_bad_tasks_does_not_wait_for_ever_for_one_that_comes_back_without_any() {
    let (hasty, other) = (ours("hasty"), plain("other"));
    let mut desk = Desk::with(&[&hasty, &other]);
    let unheard = failed_unheard(&mut desk, &hasty, &other);
    assert!((1..100).contains(&unheard), "{unheard}");
}

#[test]
fn where_something_passed_elsewhere_that_one_peer_failed_that_one_alone_fails_no_task() {
    let (hasty, other) = (ours("hasty"), plain("other"));
    let mut desk = Desk::with(&[&hasty, &other]);
    desk.arrive(task(1));
    let offer = desk.take(&hasty);
    desk.fail(&hasty, &offer);
    desk.pass(1);
    let offer = desk.take(&other);
    desk.submit(&other, by_name(&offer.name), b"good", Ending::Unsaid);
    desk.kept(offer.task);
    assert_eq!(failed_unheard(&mut desk, &hasty, &other), 0);
}

#[test]
fn who_is_about_to_leave_is_not_waited_for() {
    let (mut desk, long) = two_failed_while_the_third_is_busy(&ours("c"));
    let holds = [(long.task, long.attempt)];
    desk.join_with(&ours("c"), 0, Some(&holds));
    assert_eq!(desk.take(&ours("a")).task, task(2).id);
}

#[test]
fn what_failed_at_a_peer_comes_there_after_what_did_not() {
    let (mut desk, _) = two_failed_while_the_third_is_busy(&ours("c"));
    desk.arrive(task(3));
    desk.pass(patience(2).as_secs());
    assert_eq!(desk.take(&ours("a")).task, task(3).id);
    assert_eq!(desk.take(&ours("a")).task, task(2).id);
}

#[test]
fn patience_grows_with_each_try_and_never_overflows() {
    let waits = [1, 2, 3].map(|tries| patience(tries).as_secs());
    assert_eq!(waits, [5, 10, 20]);
    assert!(patience(usize::MAX) > Duration::from_secs(600));
}

/// What one peer does when it is its turn.
#[derive(Debug, Clone, Copy)]
enum Turn {
    /// It asks, if it has nothing to do.
    Asks,
    /// It fails what it has, or asks.
    Fails,
}

/// Some peers that ask and fail, and one that is busy all the time.
struct Trial {
    desk: Desk,
    peers: Vec<Endpoint>,
    runs: BTreeMap<usize, Offer>,
    failed: BTreeSet<(TaskId, usize)>,
}

impl Trial {
    fn new(peers: usize, tasks: u128) -> Self {
        let peers: Vec<_> = (0..peers)
            .map(|number| ours(&format!("p{number}")))
            .collect();
        let mut desk = Desk::with(&peers.iter().chain([&ours("busy")]).collect::<Vec<_>>());
        desk.arrive(task(99));
        desk.take(&ours("busy"));
        for number in 1..=tasks {
            let mut often = task(number);
            kind_of(&mut often).wishes.retries = Some(99);
            desk.arrive(often);
        }
        let (runs, failed) = Default::default();
        Self {
            desk,
            peers,
            runs,
            failed,
        }
    }

    fn takes(&mut self, number: usize, turn: Turn) {
        let peer = self.peers[number].clone();
        if let (Turn::Fails, Some(offer)) = (turn, self.runs.get(&number).cloned()) {
            self.runs.remove(&number);
            self.desk.fail(&peer, &offer);
            self.failed.insert((offer.task, number));
            return;
        }
        if self.runs.contains_key(&number) {
            return;
        }
        let effects = self.desk.ask(&peer);
        let Some(offer) = offered(&effects) else {
            assert!(matches!(effects.last(), Some(Effect::Nothing(_))));
            return;
        };
        self.is_due(number, offer.task);
        self.runs.insert(number, offer);
    }

    /// Nobody gets again what it failed while somebody free has not tried it.
    fn is_due(&self, number: usize, task: TaskId) {
        if !self.failed.contains(&(task, number)) {
            return;
        }
        for other in 0..self.peers.len() {
            let is_free = other != number && !self.runs.contains_key(&other);
            let has_failed = self.failed.contains(&(task, other));
            assert!(!is_free || has_failed, "p{other} was to try it before");
        }
    }
}

proptest! {
    #[test]
    fn a_retry_goes_to_whoever_is_free_and_has_not_failed_it_and_waits_for_no_busy_peer_for_ever(
        peers in 1usize..4,
        tasks in 1u128..4,
        turns in prop::collection::vec((0usize..4, prop::bool::ANY, 0u64..4), 0..40),
    ) {
        let mut trial = Trial::new(peers, tasks);
        for (number, fails, passes) in turns {
            let turn = if fails { Turn::Fails } else { Turn::Asks };
            trial.takes(number % peers, turn);
            trial.desk.pass(passes);
        }
        // The longest rest, and then the longest patience.
        let tries = (1..=tasks).map(|number| trial.desk.entry(task(number).id).story.tries.len());
        let longest = tries.map(patience).max().unwrap_or_default();
        trial.desk.pass(60);
        trial.desk.pass(longest.as_secs());
        for number in (0..peers).cycle().take(peers * peers) {
            if !trial.runs.contains_key(&number)
                && let Some(offer) = offered(&trial.desk.ask(&trial.peers[number]))
            {
                trial.runs.insert(number, offer);
            }
        }
        let is_anybody_idle = trial.runs.len() < peers;
        prop_assert!(!is_anybody_idle || trial.desk.mind.queued() == 0);
    }
}
