use super::*;
use crate::logic::fixtures::{ours, ours_in_life, plain, plain_at, task};

const FIRST: Attempt = Attempt(1);

/// A cluster whose runs succeed.
fn reliable() -> Health {
    let mut health = Health::default();
    (0..200).for_each(|_| assert!(!health.passed(&ours("well"))));
    health
}

/// Tasks fail there and pass elsewhere until it is quarantined; how many.
fn sicken(health: &mut Health, peer: &Endpoint, now: Moment) -> u128 {
    (1..=100)
        .find(|number| {
            let id = task(*number).id;
            health.failed(peer, id, FIRST, now);
            health.passed_elsewhere(peer, id, FIRST, now).is_some()
        })
        .unwrap()
}

fn seconds(seconds: u64) -> Moment {
    Moment(0).after(Duration::from_secs(seconds))
}

#[test]
fn three_doubts_in_a_row_are_enough_where_runs_succeed() {
    let mut health = reliable();
    assert_eq!(sicken(&mut health, &ours("sick"), Moment(0)), 3);
    assert!(health.is_sick(&ours("sick")) && !health.is_sick(&ours("well")));
}

#[test]
fn more_are_needed_while_little_is_known_and_where_runs_fail_now_and_then() {
    let mut unknown = Health::default();
    assert_eq!(sicken(&mut unknown, &ours("sick"), Moment(0)), 20);
    let mut unreliable = Health::default();
    for number in 0..200 {
        let (peer, id) = (ours("well"), task(number).id);
        if number % 3 == 0 {
            unreliable.failed(&peer, id, FIRST, Moment(0));
            unreliable.passed_elsewhere(&peer, id, FIRST, Moment(0));
        }
        unreliable.passed(&peer);
    }
    assert!(!unreliable.is_sick(&ours("well")));
    assert!(sicken(&mut unreliable, &ours("sick"), Moment(0)) >= 9);
}

#[test]
fn a_success_takes_the_doubts_back_also_those_still_to_come() {
    let mut health = reliable();
    let peer = ours("unlucky");
    for number in 0..30 {
        health.failed(&peer, task(number).id, FIRST, Moment(0));
    }
    health.passed(&peer);
    for number in 0..30 {
        health.passed_elsewhere(&peer, task(number).id, FIRST, Moment(0));
    }
    assert!(!health.is_sick(&peer));
}

#[test]
fn what_ends_without_having_passed_casts_no_doubt() {
    let mut health = reliable();
    for number in 0..3 * ROW_MAX as u128 {
        health.failed(&ours("well"), task(number).id, FIRST, Moment(0));
        health.ended(&ours("well"), task(number).id, FIRST);
    }
    assert!(health.machines.is_empty());
}

#[test]
fn a_probe_that_fails_doubles_the_quarantine_to_its_bound_and_one_that_succeeds_ends_it() {
    let mut health = reliable();
    let peer = ours("sick");
    sicken(&mut health, &peer, Moment(0));
    let mut now = Moment(0);
    for term in [300, 600, 1200, 2400, 3600, 3600] {
        let quarantine = *health.quarantine(&peer).unwrap();
        assert_eq!(quarantine.until, now.after(Duration::from_secs(term)));
        assert!(!quarantine.allows_probe(true, now));
        assert!(quarantine.allows_probe(true, quarantine.until));
        now = quarantine.until;
        health.failed(&peer, task(98).id, FIRST, now);
        health.handed_out(&peer, task(99).id, FIRST, now);
        health.failed(&peer, task(99).id, FIRST, now);
    }
    health.passed(&peer);
    assert!(!health.is_sick(&peer) && health.machines.is_empty());
}

#[test]
fn while_nobody_well_is_here_a_sick_peer_gets_a_probe_a_minute() {
    let mut health = reliable();
    let peer = ours("sick");
    sicken(&mut health, &peer, seconds(0));
    let allows = |health: &Health, now| {
        let quarantine = health.quarantine(&peer).unwrap();
        quarantine.allows_probe(false, seconds(now))
    };
    assert!(!allows(&health, 59) && allows(&health, 60));
    health.handed_out(&peer, task(99).id, FIRST, seconds(60));
    assert!(!allows(&health, 119) && allows(&health, 120));
}

#[test]
fn a_new_life_of_a_sick_peer_is_sick_and_a_namesake_at_another_address_is_not() {
    let mut health = reliable();
    sicken(&mut health, &ours("sick"), Moment(0));
    assert!(health.is_sick(&ours_in_life("sick", 2)));
    sicken(&mut health, &plain("sick"), Moment(0));
    assert!(health.is_sick(&plain("sick")) && !health.is_sick(&plain_at("sick", 2)));
}

#[test]
fn machines_are_remembered_up_to_a_bound() {
    let mut health = Health::default();
    for number in 0..=MACHINES_MAX {
        health.failed(&ours(&format!("{number}")), task(1).id, FIRST, Moment(0));
    }
    assert_eq!(health.machines.len(), MACHINES_MAX);
}
