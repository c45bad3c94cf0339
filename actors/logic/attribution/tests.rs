use std::sync::Arc;

use super::*;
use crate::logic::fixtures::{by_name, ours, ours_in_life, plain, plain_at, task};

/// Task 1 was handed to `a`, task 2 to `b`.
fn two_leases(a: &Endpoint, b: &Endpoint) -> Ledger {
    let mut ledger = Ledger::default();
    for (number, peer) in [(1, a), (2, b)] {
        ledger.insert(Arc::new(task(number)));
        ledger.begin_try(&task(number).id, peer);
    }
    ledger
}

fn ids(number: u128, attempt: u32) -> Claim {
    Claim {
        attempt: Some((task(number).id, Attempt(attempt))),
        name: None,
    }
}

fn found(number: u128, named: bool) -> Result<Match, String> {
    Ok(Match {
        task: task(number).id,
        attempt: Attempt(1),
        named,
    })
}

const ALIVE: fn(&Endpoint) -> bool = |_| true;
const DEAD: fn(&Endpoint) -> bool = |_| false;

#[test]
fn the_ids_decide_before_the_name_and_what_is_owed() {
    let a = ours("a");
    let mut ledger = two_leases(&a, &a);
    ledger.insert(Arc::new(task(3)));
    let claim = Claim {
        name: Some("task-2.zip".into()),
        ..ids(1, 1)
    };
    let owed = Some((task(2).id, Attempt(1)));
    assert_eq!(attribute(&ledger, &a, &claim, owed, ALIVE), found(1, true));
}

#[test]
fn ids_that_were_not_handed_to_the_speaker_are_refused_whatever_it_owes() {
    let (a, b) = (ours("a"), ours("b"));
    let ledger = two_leases(&a, &b);
    let owed = Some((task(1).id, Attempt(1)));
    for claim in [ids(2, 1), ids(1, 2), ids(9, 1)] {
        assert!(
            attribute(&ledger, &a, &claim, owed, DEAD).is_err(),
            "{claim:?}"
        );
    }
}

#[test]
fn the_exact_echo_of_a_name_decides_before_what_is_owed() {
    let a = plain("a");
    let ledger = two_leases(&a, &a);
    let owed = Some((task(2).id, Attempt(1)));
    assert_eq!(
        attribute(&ledger, &a, &by_name("task-1.zip"), owed, ALIVE),
        found(1, true)
    );
}

#[test]
fn a_decorated_name_is_no_echo_and_leaves_it_to_what_is_owed() {
    let a = plain("a");
    let ledger = two_leases(&a, &plain("b"));
    let owed = Some((task(1).id, Attempt(1)));
    // As seen on the wire; the last two are names that are not even allowed.
    for name in [
        "result_task-1.zip",
        "results_task-2.zip",
        "task-2.zip_result.zip",
        "../../task-2.zip",
        "",
    ] {
        assert_eq!(
            attribute(&ledger, &a, &by_name(name), owed, ALIVE),
            found(1, false)
        );
        assert!(attribute(&ledger, &a, &by_name(name), None, ALIVE).is_err());
    }
}

#[test]
fn a_decorated_name_that_is_by_chance_anothers_leaves_it_to_what_is_owed() {
    let (a, b) = (plain("a"), plain("b"));
    let mut ledger = two_leases(&a, &plain("c"));
    let mut other = task(3);
    other.name = "result_task-1.zip".parse().unwrap();
    ledger.insert(Arc::new(other));
    ledger.begin_try(&task(3).id, &b);
    let owed = Some((task(1).id, Attempt(1)));
    let claim = by_name("result_task-1.zip");
    assert_eq!(attribute(&ledger, &a, &claim, owed, ALIVE), found(1, false));
}

#[test]
fn the_exact_name_of_anothers_try_is_of_nobody_else_whatever_is_owed() {
    let (a, b) = (plain("a"), plain("b"));
    let ledger = two_leases(&a, &b);
    let owed = Some((task(2).id, Attempt(1)));
    for lives in [ALIVE, DEAD] {
        assert!(attribute(&ledger, &b, &by_name("task-1.zip"), owed, lives).is_err());
    }
    // A name that was never handed out says nothing.
    let claim = by_name("result.zip");
    assert_eq!(attribute(&ledger, &b, &claim, owed, ALIVE), found(2, false));
}

#[test]
fn the_name_of_anothers_try_of_the_task_that_is_owed_contradicts_nothing() {
    let (a, b) = (plain("a"), plain("b"));
    let mut ledger = two_leases(&a, &plain("c"));
    let again = ledger.begin_try(&task(1).id, &b).unwrap();
    let found = Match {
        task: task(1).id,
        attempt: again.attempt,
        named: false,
    };
    let owed = Some((found.task, found.attempt));
    let claim = by_name("task-1.zip");
    assert_eq!(attribute(&ledger, &b, &claim, owed, ALIVE), Ok(found));
}

#[test]
fn a_result_without_any_claim_is_of_the_one_try_that_is_owed_or_of_none() {
    let a = plain("a");
    let ledger = two_leases(&a, &a);
    let none = Claim::default();
    let owed = Some((task(2).id, Attempt(1)));
    assert_eq!(attribute(&ledger, &a, &none, owed, ALIVE), found(2, false));
    assert!(attribute(&ledger, &a, &none, None, ALIVE).is_err());
}

#[test]
fn a_namesake_at_another_address_does_not_finish_what_a_living_peer_holds() {
    let (here, there) = (plain_at("a", 1), plain_at("a", 2));
    let ledger = two_leases(&here, &plain("b"));
    let echo = by_name("task-1.zip");
    assert!(attribute(&ledger, &there, &echo, None, ALIVE).is_err());
    assert_eq!(
        attribute(&ledger, &here, &echo, None, ALIVE),
        found(1, true)
    );
    // Once the first is gone it is the same peer with another address.
    assert_eq!(
        attribute(&ledger, &there, &echo, None, DEAD),
        found(1, true)
    );
}

#[test]
fn a_restarted_peer_hands_in_what_its_earlier_life_had_kept() {
    let (first, second) = (ours_in_life("a", 1), ours_in_life("a", 2));
    let ledger = two_leases(&first, &ours("b"));
    assert_eq!(
        attribute(&ledger, &second, &ids(1, 1), None, DEAD),
        found(1, true)
    );
    assert!(attribute(&ledger, &second, &ids(1, 1), None, ALIVE).is_err());
    assert!(attribute(&ledger, &second, &ids(2, 1), None, DEAD).is_err());
}

#[test]
fn another_peer_does_not_finish_what_a_dead_one_held() {
    let ledger = two_leases(&plain("a"), &plain("b"));
    let echo = by_name("task-1.zip");
    assert!(attribute(&ledger, &plain("c"), &echo, None, DEAD).is_err());
}
