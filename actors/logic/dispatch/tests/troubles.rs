//! Failures: how often, how soon again, and on whom they fall.

use crate::logic::dispatch::Rules;
use crate::logic::effect::{Effect, End, Verdict};
use crate::logic::fixtures::{
    Desk, by_name, cancels, ends, keeps, kind_of, offered, ours, plain, task, verdicts,
};
use crate::logic::ledger::State;
use crate::model::{Attempt, Ending, Part, Task};

#[test]
fn a_failed_run_is_tried_again_after_a_rest_that_doubles() {
    let rules = Rules {
        failures_max: 9,
        ..Rules::default()
    };
    let mut desk = Desk::ruled(rules, &[&ours("a")]);
    desk.arrive(task(1));
    for rest in [1, 2, 4, 8, 16, 32, 60, 60] {
        let offer = desk.take(&ours("a"));
        assert_eq!(verdicts(&desk.fail(&ours("a"), &offer)), [Verdict::Taken]);
        desk.pass(rest - 1);
        assert_eq!(*desk.state(offer.task), State::Resting);
        desk.pass(1);
        assert_eq!(*desk.state(offer.task), State::Waiting, "after {rest} s");
    }
}

#[test]
fn the_last_failure_keeps_its_output_and_then_the_task_is_failed() {
    let mut desk = Desk::with(&[&ours("a")]);
    desk.arrive(task(1));
    for _ in 0..2 {
        let offer = desk.take(&ours("a"));
        desk.fail(&ours("a"), &offer);
        desk.pass(60);
    }
    let offer = desk.take(&ours("a"));
    let effects = desk.fail(&ours("a"), &offer);
    assert_eq!(keeps(&effects), [(offer.task, offer.attempt, false)]);
    let effects = desk.kept(offer.task);
    assert_eq!(verdicts(&effects), [Verdict::Taken]);
    assert!(matches!(&ends(&effects)[..], [End::Failed(why)] if why.contains("exit code 1")));
    assert_eq!(desk.entry(offer.task).story.failures, 3);
}

#[test]
fn a_last_output_that_cannot_be_kept_fails_the_task_all_the_same() {
    let mut desk = Desk::with(&[&ours("a")]);
    let mut once = task(1);
    kind_of(&mut once).wishes.retries = Some(0);
    desk.arrive(once);
    let offer = desk.take(&ours("a"));
    desk.fail(&ours("a"), &offer);
    let effects = desk.refused(offer.task);
    assert!(matches!(ends(&effects)[..], [End::Failed(_)]));
    assert_eq!(desk.entry(offer.task).story.failures, 1);
}

#[test]
fn a_full_disk_of_ours_is_nobodys_failure_and_whoever_has_the_result_keeps_its_task() {
    let mut desk = Desk::with(&[&ours("a"), &ours("b")]);
    desk.arrive(task(1));
    let offer = desk.take(&ours("a"));
    for _ in 0..9 {
        desk.succeed(&ours("a"), &offer);
        let effects = desk.not_stored(offer.task);
        assert!(
            matches!(&verdicts(&effects)[..], [Verdict::NotStored(why)] if why.contains("full"))
        );
        assert_eq!(desk.entry(offer.task).story.failures, 0);
        assert!(desk.entry(offer.task).story.state.lease().is_some());
        assert_eq!(desk.ask(&ours("b")).len(), 1, "nothing waits");
        desk.pass(5);
    }
    desk.succeed(&ours("a"), &offer);
    assert_eq!(verdicts(&desk.kept(offer.task)), [Verdict::Taken]);
}

#[test]
fn a_plain_peer_whose_result_our_disk_did_not_take_has_not_failed() {
    let mut desk = Desk::with(&[&plain("a")]);
    desk.arrive(task(1));
    let offer = desk.take(&plain("a"));
    desk.succeed(&plain("a"), &offer);
    desk.not_stored(offer.task);
    desk.ask(&plain("a"));
    assert_eq!(desk.entry(offer.task).story.failures, 0);
    desk.pass(6);
    assert_eq!(desk.take(&plain("a")).attempt, Attempt(2));
}

#[test]
fn as_many_retries_as_the_task_wishes_count() {
    for retries in [0, 1, 4] {
        let mut desk = Desk::with(&[&ours("a")]);
        let mut wishing = task(1);
        kind_of(&mut wishing).wishes.retries = Some(retries);
        desk.arrive(wishing);
        for _ in 0..retries {
            let offer = desk.take(&ours("a"));
            assert_eq!(keeps(&desk.fail(&ours("a"), &offer)), []);
            desk.pass(60);
        }
        let offer = desk.take(&ours("a"));
        assert_eq!(keeps(&desk.fail(&ours("a"), &offer)).len(), 1);
    }
}

#[test]
fn a_task_is_not_given_again_to_whom_it_failed_on_while_others_are_here() {
    let mut desk = Desk::with(&[&ours("a"), &ours("b")]);
    desk.arrive(task(1));
    let offer = desk.take(&ours("a"));
    desk.fail(&ours("a"), &offer);
    desk.pass(1);
    assert!(desk.in_vain(&ours("a")));
    let offer = desk.take(&ours("b"));
    desk.fail(&ours("b"), &offer);
    desk.pass(2);
    // It failed on everybody: then anybody may try.
    assert!(offered(&desk.ask(&ours("a"))).is_some());
}

#[test]
fn a_task_is_not_given_again_to_whom_it_was_lost_with_while_others_are_here() {
    let mut desk = Desk::with(&[&ours("a"), &ours("b")]);
    desk.arrive(task(1));
    desk.take(&ours("a"));
    desk.leave(&ours("a"), false);
    desk.join(&ours("a"));
    desk.pass(0);
    assert!(desk.in_vain(&ours("a")));
    desk.pass(120);
    desk.take(&ours("a"));
}

#[test]
fn peers_that_have_left_do_not_count_among_those_who_could_try() {
    let mut desk = Desk::with(&[&ours("a"), &ours("b"), &ours("c")]);
    desk.arrive(task(1));
    for peer in ["a", "b"] {
        let offer = desk.take(&ours(peer));
        desk.fail(&ours(peer), &offer);
        desk.pass(5);
    }
    desk.leave(&ours("a"), true);
    assert!(desk.in_vain(&ours("b")), "c has not tried yet");
    desk.take(&ours("c"));
}

#[test]
fn a_task_that_failed_on_the_only_peer_is_given_to_it_again() {
    let mut desk = Desk::with(&[&ours("a")]);
    desk.arrive(task(1));
    let offer = desk.take(&ours("a"));
    desk.fail(&ours("a"), &offer);
    assert!(desk.in_vain(&ours("a")));
    desk.pass(1);
    assert_eq!(desk.take(&ours("a")).attempt.0, 2);
}

#[test]
fn a_plain_peer_that_comes_back_without_a_result_has_failed_and_waits_before_the_next() {
    let mut desk = Desk::with(&[&plain("a"), &plain("b")]);
    desk.mind.peers.of(&plain("a")).names = true;
    desk.arrive(task(1));
    desk.arrive(task(2));
    let offer = desk.take(&plain("a"));
    assert!(desk.in_vain(&plain("a")), "it pauses");
    assert_eq!(desk.entry(offer.task).story.failures, 1);
    desk.pass(1);
    assert_eq!(desk.take(&plain("a")).task, task(2).id);
    assert_eq!(desk.take(&plain("b")).task, task(1).id);
}

#[test]
fn a_lone_plain_peer_gets_what_it_gave_up_again_after_its_pause() {
    let mut desk = Desk::with(&[&plain("a")]);
    desk.arrive(task(1));
    desk.take(&plain("a"));
    assert!(desk.in_vain(&plain("a")));
    desk.pass(1);
    assert_eq!(desk.take(&plain("a")).attempt.0, 2);
}

#[test]
fn a_peer_that_fails_everything_does_not_spin() {
    let mut desk = Desk::with(&[&plain("a")]);
    (1..=100).for_each(|number| drop(desk.arrive(task(number))));
    let mut handed_out = 0;
    for _ in 0..600 {
        desk.pass(1);
        handed_out += usize::from(offered(&desk.ask(&plain("a"))).is_some());
    }
    assert!(handed_out <= 16, "{handed_out} in ten minutes");
}

#[test]
fn what_was_given_up_and_comes_late_after_all_is_taken() {
    let mut desk = Desk::with(&[&plain("a")]);
    desk.arrive(task(1));
    let offer = desk.take(&plain("a"));
    desk.ask(&plain("a"));
    let effects = desk.submit(&plain("a"), by_name(&offer.name), b"good", Ending::Unsaid);
    assert_eq!(keeps(&effects).len(), 1);
}

#[test]
fn strangers_that_only_ask_are_not_remembered() {
    let mut desk = Desk::with(&[]);
    for number in 0..1000 {
        let stranger = plain(&format!("stranger {number}"));
        assert!(matches!(desk.ask(&stranger)[..], [Effect::Nothing(_)]));
        assert!(desk.mind.peers.get(&stranger).is_none());
    }
}

#[test]
fn a_group_in_which_too_many_tasks_failed_is_cancelled_also_what_runs_of_it() {
    let mut desk = Desk::with(&[&ours("a")]);
    for number in 1..=4 {
        let mut row = task(number);
        kind_of(&mut row).group = "rows".into();
        kind_of(&mut row).wishes.retries = Some(0);
        kind_of(&mut row).wishes.max_fails = Some(1);
        desk.arrive(row);
    }
    desk.arrive(task(5));
    let offers = [1, 2, 3].map(|_| desk.take(&ours("a")));
    desk.fail(&ours("a"), &offers[0]);
    assert_eq!(ends(&desk.kept(offers[0].task)).len(), 1);
    desk.fail(&ours("a"), &offers[1]);
    let effects = desk.kept(offers[1].task);
    let why = "group rows gave up: 2 tasks failed, at most 1 may".to_owned();
    let cancelled = End::Cancelled(why);
    assert_eq!(ends(&effects)[1..], [cancelled.clone(), cancelled]);
    let third = &offers[2];
    assert_eq!(cancels(&effects), [(ours("a"), third.task, third.attempt)]);
    assert_eq!(desk.mind.ledger().counts().open(), 1, "of another group");
}

#[test]
fn parts_that_end_faster_than_they_come_are_given_up_together_with_those_that_come_later() {
    let mut desk = Desk::with(&[&ours("a")]);
    let part = |number: u32| {
        let mut row = task(u128::from(number) + 1);
        kind_of(&mut row).group = "rows".into();
        kind_of(&mut row).wishes.retries = Some(0);
        kind_of(&mut row).wishes.max_fails = Some(1);
        row.set_part(Part::new(number, 4));
        row
    };
    for number in [0, 1] {
        desk.arrive(part(number));
        let offer = desk.take(&ours("a"));
        desk.fail(&ours("a"), &offer);
        assert_eq!(ends(&desk.kept(offer.task)).len(), 1);
    }
    for number in [2, 3] {
        desk.arrive(part(number));
    }
    let counts = desk.mind.ledger().counts();
    assert_eq!((counts.failed, counts.cancelled, counts.open()), (2, 2, 0));
    // The same name once more is another group.
    desk.arrive(Task {
        id: task(9).id,
        ..part(0)
    });
    assert_eq!(desk.mind.ledger().counts().open(), 1);
}
