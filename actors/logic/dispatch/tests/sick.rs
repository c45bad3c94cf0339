//! Bad tasks and bad peers are told apart: what is good gets done, whatever fails beside it.

use std::time::Duration;

use proptest::prelude::*;
use uuid::Uuid;

use super::others::comes_back_without;
use super::restart::restarted;

use crate::logic::dispatch::Rules;
use crate::logic::effect::Offer;
use crate::logic::effect::{Effect, End};
use crate::logic::fixtures::{
    Desk, by_name, ends, keeps, kind_of, offered, ours, ours_in_life, plain, task,
};
use crate::logic::ledger::State;
use crate::model::{Ending, Endpoint, Moment, TaskId};

/// One machine, with the task that it runs.
#[derive(Debug)]
struct Machine {
    peer: Endpoint,
    is_sick: bool,
    takes: u64,
    runs: Option<(Offer, Moment)>,
}

impl Machine {
    fn new(peer: Endpoint, is_sick: bool, takes: u64) -> Self {
        let runs = None;
        Self {
            peer,
            is_sick,
            takes,
            runs,
        }
    }
}

/// Good tasks, poisoned ones among them, and machines that work until all is over.
struct Day {
    desk: Desk,
    machines: Vec<Machine>,
    poison_every: u128,
}

impl Day {
    fn new(machines: Vec<Machine>, tasks: u128, poison_every: u128) -> Self {
        let peers: Vec<_> = machines.iter().map(|machine| &machine.peer).collect();
        let mut desk = Desk::with(&peers);
        for number in 1..=tasks {
            desk.arrive(task(number));
        }
        Self {
            desk,
            machines,
            poison_every,
        }
    }

    /// What was handed out ends, and the next is asked for; a machine that takes no time does some at once.
    fn turn(&mut self, at: usize) {
        for _ in 0..8 {
            let desk = &mut self.desk;
            let machine = &mut self.machines[at];
            if machine
                .runs
                .as_ref()
                .is_some_and(|(_, end)| desk.now < *end)
            {
                return;
            }
            if let Some((offer, _)) = machine.runs.take() {
                let is_poison = offer.task.0.as_u128().is_multiple_of(self.poison_every);
                hand_in(desk, machine, &offer, is_poison);
            }
            let Some(offer) = offered(&desk.ask(&machine.peer)) else {
                return;
            };
            let end = desk.now.after(Duration::from_secs(machine.takes));
            machine.runs = Some((offer, end));
        }
    }

    fn well(&self) -> impl Iterator<Item = &Machine> {
        self.machines.iter().filter(|machine| !machine.is_sick)
    }

    /// Until all is over; `order` says who is first at each step.
    fn pass(&mut self, order: &[u8]) {
        let slowest = self.machines.iter().map(|machine| machine.takes).max();
        // Whoever is idle asks at least this often.
        let step = (slowest.unwrap_or(0) / 8 + 1).min(60);
        // Each of three tries of thirty tasks may be owed for ten minutes by the only one who could take another.
        for turn in 0..60_000 {
            let first = usize::from(order[turn % order.len()]);
            for machine in 0..self.machines.len() {
                self.turn((first + machine) % self.machines.len());
            }
            for machine in self.well() {
                let peer = &machine.peer;
                assert!(!self.desk.mind.health.is_sick(peer), "{peer} is well");
            }
            if self.desk.mind.ledger().counts().open() == 0 {
                return;
            }
            self.desk.pass(step);
        }
        panic!("not over: {:?}", self.desk.mind.ledger().counts());
    }

    /// Whether all good tasks are done and no other.
    fn check(&self, tasks: u128) {
        let ledger = self.desk.mind.ledger();
        for number in 1..=tasks {
            let story = &ledger.get(&TaskId(Uuid::from_u128(number))).unwrap().story;
            let is_done = matches!(story.state, State::Done { .. });
            let is_poison = number.is_multiple_of(self.poison_every);
            assert_ne!(is_done, is_poison, "{number}: {story:?}");
        }
    }
}

/// Others than ours come back without a result when a script fails.
fn hand_in(desk: &mut Desk, machine: &Machine, offer: &Offer, is_poison: bool) {
    let peer = &machine.peer;
    let effects = match (machine.is_sick || is_poison, peer.is_ours()) {
        (true, true) => desk.fail(peer, offer),
        (true, false) => Vec::new(),
        (false, true) => desk.succeed(peer, offer),
        (false, false) => desk.submit(peer, by_name(&offer.name), b"good", Ending::Unsaid),
    };
    if !keeps(&effects).is_empty() {
        desk.kept(offer.task);
    }
}

/// One of ours, if it may be, or of another program.
fn machine(
    name: &'static str,
    is_sick: bool,
    longest: u64,
    may_be_ours: bool,
) -> impl Strategy<Value = Machine> {
    (any::<bool>(), 0..=longest).prop_map(move |(is_ours, takes)| {
        let is_ours = is_ours && may_be_ours;
        let peer = if is_ours { ours(name) } else { plain(name) };
        Machine::new(peer, is_sick, takes)
    })
}

/// One that is sick, and one or two that are well and may take their time; where these are not ours, nobody knows why they come
/// back without a result.
fn machines(may_be_ours: bool) -> impl Strategy<Value = Vec<Machine>> {
    let sick = |longest| machine("sick", true, longest, true);
    let well = |name, longest| machine(name, false, longest, may_be_ours);
    let first = prop_oneof![well("well", 5), well("well", 4000)];
    let second = prop_oneof![well("well too", 5), well("well too", 900)];
    (
        prop_oneof![sick(0), sick(30)],
        first,
        proptest::option::of(second),
    )
        .prop_map(|(sick, well, well_too)| [sick, well].into_iter().chain(well_too).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn with_one_sick_peer_the_good_tasks_are_done_and_only_the_poisoned_ones_fail(
        machines in prop_oneof![machines(true), machines(false)],
        poison_every in prop_oneof![2u128..5, 2u128..30],
        order in prop::collection::vec(any::<u8>(), 1..8),
    ) {
        const TASKS: u128 = 60;
        const ALL: u128 = 80;
        let mut day = Day::new(machines, TASKS, poison_every);
        day.pass(&order);
        // They come when whoever had nothing but bad ones at last has handed nothing in for long.
        (TASKS + 1..=ALL).for_each(|number| drop(day.desk.arrive(task(number))));
        day.pass(&order);
        day.check(ALL);
        let desk = restarted(&mut day.desk, ALL);
        for machine in day.well() {
            prop_assert!(!desk.mind.health.is_sick(&machine.peer), "{} is well", machine.peer);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn however_many_tasks_fail_a_peer_goes_on_with_the_good_ones_while_the_other_is_busy(
        good in prop::collection::btree_set(2u128..3300, 1..300),
        takes in 0u64..3,
    ) {
        let (free, busy) = (ours("free"), ours("busy"));
        let mut desk = Desk::with(&[&free, &busy]);
        desk.arrive(task(1));
        desk.take(&busy);
        (2..3300).for_each(|number| drop(desk.arrive(task(number))));
        let mut left = good.len();
        for _ in 2..3300 {
            let offer = desk.take(&free);
            if good.contains(&offer.task.0.as_u128()) {
                desk.succeed(&free, &offer);
                desk.kept(offer.task);
                left -= 1;
            } else {
                desk.fail(&free, &offer);
            }
            desk.pass(takes);
        }
        prop_assert_eq!(left, 0);
    }
}

#[test]
fn of_550_tasks_on_three_peers_one_of_them_sick_500_are_done_and_50_fail() {
    let machines = vec![
        Machine::new(ours("sick"), true, 0),
        Machine::new(ours("a"), false, 2),
        Machine::new(ours("b"), false, 3),
    ];
    let mut day = Day::new(machines, 550, 11);
    day.pass(&[0]);
    day.check(550);
    assert!(day.desk.mind.health.is_sick(&ours("sick")));
    let failed = day.desk.mind.peers.get(&ours("sick")).unwrap().failed;
    assert!(failed < 150, "{failed} runs for nothing");
    let desk = restarted(&mut day.desk, 550);
    assert!(desk.mind.health.is_sick(&ours("sick")));
}

#[test]
fn a_peer_that_was_sick_is_on_probation_after_a_restart_of_the_master() {
    for is_mended in [false, true] {
        let (mut before, sick, well) = quarantined();
        let tasks = before.mind.ledger().counts();
        let mut desk = restarted(&mut before, (tasks.done + tasks.cancelled).into());
        desk.join(&well);
        let reborn = ours_in_life("sick", 2);
        desk.join(&reborn);
        (201..=210).for_each(|number| drop(desk.arrive(task(number))));
        let probe = desk.take(&reborn);
        assert!(desk.in_vain(&reborn), "{sick} gets one at a time");
        if is_mended {
            desk.succeed(&reborn, &probe);
            desk.kept(probe.task);
            desk.take(&reborn);
            desk.take(&reborn);
        } else {
            desk.fail(&reborn, &probe);
            desk.ask(&well);
            desk.pass(599);
            assert!(desk.in_vain(&reborn), "doubled");
            desk.ask(&well);
            desk.pass(1);
            desk.take(&reborn);
        }
    }
}

#[test]
fn what_failed_at_a_sick_peer_before_a_restart_does_not_count_against_the_task_after_it() {
    let (mut before, sick, well) = quarantined();
    let tasks = before.mind.ledger().counts();
    let last = u128::from(tasks.done + tasks.cancelled) + 1;
    before.pass(300);
    before.arrive(task(last));
    let probe = before.take(&sick);
    before.fail(&sick, &probe);
    let mut desk = restarted(&mut before, last);
    desk.join(&well);
    for is_last in [false, false, true] {
        let offer = desk.take(&well);
        assert_eq!(keeps(&desk.fail(&well, &offer)).len(), usize::from(is_last));
        desk.pass(60);
    }
}

/// A desk with a peer that was found sick, and one that is well.
fn quarantined() -> (Desk, Endpoint, Endpoint) {
    let (sick, well) = (ours("sick"), ours("well"));
    let mut desk = Desk::with(&[&sick, &well]);
    for number in 1..=100 {
        desk.arrive(task(number));
        let Some(offer) = offered(&desk.ask(&sick)) else {
            desk.mind.task_withdrawn(&task(number).id, "enough".into());
            return (desk, sick, well);
        };
        desk.fail(&sick, &offer);
        desk.pass(1);
        pass_one(&mut desk, &well);
    }
    panic!("it was not found sick");
}

/// The peer gets the next task and does it; all that follows.
fn pass_one(desk: &mut Desk, peer: &Endpoint) -> Vec<Effect> {
    let offer = desk.take(peer);
    desk.succeed(peer, &offer);
    desk.kept(offer.task)
}

#[test]
fn a_sick_peer_gets_nothing_then_one_task_and_after_a_success_as_many_as_it_wants() {
    let (mut desk, sick, well) = quarantined();
    (201..=210).for_each(|number| drop(desk.arrive(task(number))));
    for _ in 0..5 {
        assert!(desk.in_vain(&sick));
        desk.ask(&well);
        desk.pass(60);
    }
    let probe = desk.take(&sick);
    assert!(desk.in_vain(&sick), "one at a time");
    desk.succeed(&sick, &probe);
    desk.kept(probe.task);
    desk.take(&sick);
    desk.take(&sick);
}

#[test]
fn nothing_is_kept_for_the_slots_of_a_sick_peer_till_it_is_forgiven_in_whatever_life() {
    let (mut desk, sick, well) = quarantined();
    desk.arrive(task(200));
    assert!(desk.ask_to_spare(&well).is_some(), "it fell sick here");
    (201..=210).for_each(|number| drop(desk.arrive(task(number))));
    desk.join_with(&sick, 50, None);
    assert!(desk.ask_to_spare(&well).is_some());
    desk.pass(300);
    let probe = desk.take(&sick);
    let reborn = ours_in_life("sick", 2);
    desk.leave(&sick, false);
    desk.join_with(&reborn, 50, None);
    assert!(desk.ask_to_spare(&well).is_some());
    desk.succeed(&reborn, &probe);
    desk.kept(probe.task);
    assert_eq!(desk.ask_to_spare(&well), None, "it takes them itself");
}

#[test]
fn what_failed_at_a_sick_peer_does_not_count_against_the_task() {
    let (mut desk, sick, well) = quarantined();
    desk.pass(300);
    let mut twice = task(200);
    kind_of(&mut twice).wishes.retries = Some(1);
    desk.arrive(twice);
    let probe = desk.take(&sick);
    desk.fail(&sick, &probe);
    for is_last in [false, true] {
        desk.pass(60);
        let offer = desk.take(&well);
        assert_eq!(keeps(&desk.fail(&well, &offer)).len(), usize::from(is_last));
    }
}

#[test]
fn a_sick_peer_that_was_restarted_is_still_sick() {
    let (mut desk, sick, _) = quarantined();
    desk.leave(&sick, false);
    let reborn = ours_in_life("sick", 2);
    desk.join(&reborn);
    desk.arrive(task(200));
    assert!(desk.in_vain(&reborn));
}

#[test]
fn where_only_sick_peers_are_they_try_now_and_then_and_their_failures_count() {
    let (mut desk, sick, well) = quarantined();
    desk.leave(&well, true);
    desk.arrive(task(200));
    let mut tries = 0;
    for _ in 0..20 {
        desk.pass(30);
        let Some(offer) = offered(&desk.ask(&sick)) else {
            continue;
        };
        tries += 1;
        if !keeps(&desk.fail(&sick, &offer)).is_empty() {
            assert!(matches!(ends(&desk.kept(offer.task))[..], [End::Failed(_)]));
        }
    }
    assert_eq!(tries, 3);
    assert_eq!(desk.mind.ledger().counts().failed, 1);
}

/// A sick peer, whose quarantine just began anew, beside one of another program that came back without a result so often.
fn quarantined_beside_one_that_came_back_without(times: u128) -> (Desk, Endpoint, Endpoint) {
    let (mut desk, sick, well) = quarantined();
    let other = plain("other");
    desk.leave(&well, true);
    desk.join(&other);
    comes_back_without(&mut desk, &other, times);
    desk.pass(300);
    desk.arrive(task(200));
    let probe = desk.take(&sick);
    desk.fail(&sick, &probe);
    desk.mind.task_withdrawn(&probe.task, "enough".into());
    assert!(desk.in_vain(&other), "it works here");
    (desk, sick, other)
}

#[test]
fn a_sick_peer_is_tried_each_minute_beside_one_that_never_hands_anything_in() {
    for (times, is_tried) in [(19, false), (20, true)] {
        let (mut desk, sick, other) = quarantined_beside_one_that_came_back_without(times);
        (201..=203).for_each(|number| drop(desk.arrive(task(number))));
        desk.pass(59);
        desk.take(&other);
        assert!(desk.in_vain(&sick));
        desk.pass(1);
        let probe = offered(&desk.ask(&sick));
        assert_eq!(probe.is_some(), is_tried, "beside one after {times}");
        if let Some(probe) = probe {
            desk.succeed(&sick, &probe);
            desk.kept(probe.task);
            desk.take(&sick);
        }
    }
}

#[test]
fn a_sick_peer_alone_fails_no_task_that_one_that_never_hands_anything_in_has_still_to_try() {
    let (mut desk, sick, other) = quarantined_beside_one_that_came_back_without(20);
    (201..=202).for_each(|number| drop(desk.arrive(task(number))));
    desk.take(&other);
    for _ in 0..3 {
        desk.pass(600);
        let probe = desk.take(&sick);
        assert_eq!(keeps(&desk.fail(&sick, &probe)), []);
    }
}

#[test]
fn failures_of_a_sick_peer_count_where_one_that_never_hands_anything_in_has_tried_the_task_too() {
    let (mut desk, sick, other) = quarantined_beside_one_that_came_back_without(20);
    desk.arrive(task(201));
    desk.take(&other);
    desk.join(&other);
    for is_last in [false, true] {
        assert!(desk.in_vain(&other), "it works here, and hands nothing in");
        desk.pass(60);
        let probe = desk.take(&sick);
        assert_eq!(keeps(&desk.fail(&sick, &probe)).len(), usize::from(is_last));
    }
}

#[test]
fn one_peer_alone_does_not_fail_a_task_while_another_has_still_to_try_it() {
    let (hasty, busy) = (ours("hasty"), ours("busy"));
    let mut desk = Desk::with(&[&hasty, &busy]);
    (1..=2).for_each(|number| drop(desk.arrive(task(number))));
    let long = desk.take(&busy);
    for _ in 0..9 {
        let offer = desk.take(&hasty);
        assert_eq!(keeps(&desk.fail(&hasty, &offer)), []);
        desk.pass(600);
    }
    desk.succeed(&busy, &long);
    desk.kept(long.task);
    assert_eq!(ends(&pass_one(&mut desk, &busy)), [End::Done]);
}

#[test]
fn flaky_tasks_put_nobody_in_quarantine() {
    let peers = [ours("a"), ours("b"), ours("c")];
    let mut desk = Desk::with(&[&peers[0], &peers[1], &peers[2]]);
    let mut chance: u64 = 1;
    for number in 1..=600 {
        let mut often = task(number);
        kind_of(&mut often).wishes.retries = Some(99);
        desk.arrive(often);
    }
    for _ in 0..6000 {
        for peer in &peers {
            let Some(offer) = offered(&desk.ask(peer)) else {
                continue;
            };
            // Knuth's linear congruential generator: every third run fails.
            chance = chance
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            if (chance >> 33).is_multiple_of(3) {
                desk.fail(peer, &offer);
            } else {
                desk.succeed(peer, &offer);
                desk.kept(offer.task);
            }
            assert!(!desk.mind.health.is_sick(peer), "{peer}");
        }
        desk.pass(1);
    }
    assert_eq!(desk.mind.ledger().counts().done, 600);
}

#[test]
fn a_run_that_passed_its_time_limit_is_tried_once_more_unless_the_task_wishes_more() {
    for (retries, runs) in [(None, 2), (Some(0), 1), (Some(3), 4)] {
        let mut desk = Desk::ruled(Rules::default(), &[&ours("a")]);
        let mut slow = task(1);
        kind_of(&mut slow).wishes.retries = retries;
        desk.arrive(slow);
        for run in 1..=runs {
            let offer = desk.take(&ours("a"));
            let claim = by_name(&offer.name);
            let effects = desk.submit(&ours("a"), claim, b"slow", Ending::TimeLimit);
            assert_eq!(keeps(&effects).len(), usize::from(run == runs), "run {run}");
            desk.pass(60);
        }
    }
}
