//! What is said of a task that waits.

use std::num::NonZero;

use crate::logic::fixtures::{Desk, kind_of, ours, plain, task};
use crate::model::Part;

fn reasons(desk: &Desk, number: u128) -> String {
    let waits = desk.mind.waits_for(&task(number).id, desk.now);
    let reasons: Vec<_> = waits.into_iter().map(|wait| wait.reason).collect();
    reasons.join(" · ")
}

#[test]
fn where_nobody_is_it_says_how_to_start_a_peer() {
    let mut desk = Desk::with(&[]);
    desk.arrive(task(1));
    let waits = desk.mind.waits_for(&task(1).id, desk.now);
    assert_eq!(waits[0].reason, "no peer is here");
    assert!(waits[0].help.as_ref().unwrap().starts_with("mutirao peer"));
    assert_eq!(reasons(&desk, 99), "", "of a task that is not known");
}

#[test]
fn the_peers_are_counted_by_what_keeps_them_from_it() {
    let mut desk = Desk::with(&[&ours("a"), &ours("b"), &ours("c"), &plain("d")]);
    (1..=4).for_each(|number| drop(desk.arrive(task(number))));
    desk.take(&ours("a"));
    desk.take(&ours("b"));
    desk.take(&plain("d"));
    desk.pass(130);
    assert_eq!(
        reasons(&desk, 4),
        "3 peers are busy · 1 peer does not ask for tasks"
    );
    desk.ask(&plain("d"));
    desk.join_with(&ours("c"), 0, Some(&[]));
    assert_eq!(
        reasons(&desk, 4),
        "2 peers are busy · 1 peer is about to leave · \
         1 peer pauses, for it came back without a result"
    );
    assert!(reasons(&desk, 1).is_empty(), "it runs");
}

#[test]
fn a_task_that_failed_rests_and_then_waits_for_those_who_have_not_tried_it() {
    let mut desk = Desk::with(&[&ours("a"), &ours("b")]);
    desk.arrive(task(1));
    let offer = desk.take(&ours("a"));
    desk.fail(&ours("a"), &offer);
    assert!(reasons(&desk, 1).starts_with("it rests for 2 s before it is tried again"));
    desk.pass(1);
    desk.arrive(task(2));
    assert_eq!(
        reasons(&desk, 1),
        "1 peer had it already, and others are to try it first · 1 other task waits too"
    );
}

#[test]
fn a_master_that_hands_nothing_out_says_so() {
    let mut desk = Desk::with(&[&ours("a")]);
    desk.arrive(task(1));
    desk.mind.stall(true);
    desk.mind.close();
    assert_eq!(
        reasons(&desk, 1),
        "the master is about to end and hands nothing out · \
         the master's disk takes nothing, so nothing is handed out"
    );
}

#[test]
fn a_disk_that_refused_a_result_is_told_while_it_is_given_time() {
    let mut desk = Desk::with(&[&ours("a")]);
    (1..=2).for_each(|number| drop(desk.arrive(task(number))));
    let offer = desk.take(&ours("a"));
    desk.succeed(&ours("a"), &offer);
    desk.not_stored(offer.task);
    let disk = "the master's disk takes nothing";
    assert!(reasons(&desk, 2).contains(disk));
    desk.pass(60);
    assert!(!reasons(&desk, 2).contains(disk));
}

#[test]
fn the_reasons_of_a_group_are_counted_over_all_that_wait() {
    let mut desk = Desk::with(&[&ours("a"), &ours("b")]);
    for number in 1..=9 {
        let mut part = task(number);
        kind_of(&mut part).wishes.max_running = NonZero::new(2).filter(|_| number > 4);
        kind_of(&mut part).group = "rows".into();
        part.set_part(Part::new(u32::try_from(number).unwrap() - 1, 9));
        desk.arrive(part);
    }
    desk.arrive(task(10));
    let first = desk.take(&ours("a"));
    desk.fail(&ours("a"), &first);
    desk.take(&ours("b"));
    let waits = desk.mind.group_waits_for("rows", desk.now);
    let told: Vec<_> = waits
        .iter()
        .map(|wait| (wait.tasks, &*wait.reason))
        .collect();
    assert_eq!(
        told,
        [
            (4, "1 peer is busy"),
            (3, "of group rows 2 run or are next, and at most 2 may"),
            (1, "it rests for up to a minute before it is tried again"),
        ]
    );
    assert!(waits[1].help.as_ref().unwrap().contains("--max-running 3"));
}
