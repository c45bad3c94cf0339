//! What failed or was cancelled is tried again.

use crate::logic::effect::{Effect, Verdict};
use crate::logic::fault::Blame;
use crate::logic::fixtures::{Desk, by_id, ends, kind_of, offered, ours, plain, task, verdicts};
use crate::logic::ledger::State;
use crate::model::{Attempt, Ending, Part, TaskId};

/// It is written down that these are to be tried again, and whatever was cancelled with them.
fn retry(desk: &mut Desk, chosen: &[TaskId]) -> Vec<Effect> {
    let tasks = desk.mind.begin_retry(chosen.iter().copied());
    let tasks: Vec<_> = tasks.iter().map(|task| task.id).collect();
    desk.mind.retried(&tasks, desk.now)
}

/// A task that is to be tried once fails.
fn fail_for_good(desk: &mut Desk, number: u128) -> crate::logic::effect::Offer {
    let mut once = task(number);
    kind_of(&mut once).wishes.retries = Some(0);
    desk.arrive(once);
    let offer = desk.take(&ours("a"));
    desk.fail(&ours("a"), &offer);
    desk.kept(offer.task);
    assert!(matches!(desk.state(offer.task), State::Failed { .. }));
    offer
}

#[test]
fn a_task_that_failed_is_tried_again_at_once_where_it_failed_with_all_its_chances() {
    let mut desk = Desk::with(&[&ours("a"), &ours("b")]);
    let offer = fail_for_good(&mut desk, 1);
    assert_eq!(ends(&retry(&mut desk, &[offer.task])), []);
    let story = &desk.entry(offer.task).story;
    assert_eq!((story.failures, story.losses), (0, 0));
    let fault = story.tries[0].fault.as_ref().unwrap();
    assert_eq!(fault.blame(), Blame::None);
    assert_eq!(fault.to_string(), "exit code 1 (forgiven)");
    let again = desk.take(&ours("a"));
    assert_eq!((again.task, again.attempt), (offer.task, Attempt(2)));
    desk.succeed(&ours("a"), &again);
    desk.kept(again.task);
    assert!(matches!(desk.state(again.task), State::Done { .. }));
    assert_eq!(retry(&mut desk, &[again.task]), [], "it is done");
    assert!(matches!(desk.state(again.task), State::Done { .. }));
}

#[test]
fn a_late_result_of_a_forgiven_try_is_taken_and_a_late_failure_counts_nothing() {
    let mut desk = Desk::with(&[&ours("a"), &ours("b")]);
    desk.arrive(task(1));
    let offer = desk.take(&ours("a"));
    desk.mind.task_withdrawn(&offer.task, "a slip".into());
    let late = desk.submit(&ours("a"), by_id(&offer), b"late", Ending::Exit(0));
    assert_eq!(verdicts(&late), [Verdict::TooLate]);
    retry(&mut desk, &[offer.task]);
    let late = desk.submit(&ours("a"), by_id(&offer), b"late", Ending::Exit(1));
    assert_eq!(verdicts(&late), [Verdict::Taken]);
    assert_eq!(desk.entry(offer.task).story.failures, 0);
    desk.submit(&ours("a"), by_id(&offer), b"late", Ending::Exit(0));
    desk.kept(offer.task);
    assert!(matches!(desk.state(offer.task), State::Done { .. }));
}

#[test]
fn what_was_cancelled_with_a_task_comes_along_and_what_somebody_cancelled_does_not() {
    let mut desk = Desk::with(&[&ours("a")]);
    for number in 2..=4 {
        let mut follower = task(number);
        let before = if number == 3 { 2 } else { 1 };
        kind_of(&mut follower).wishes.after = Some(task(before).id);
        if number == 2 {
            let mut first = task(1);
            kind_of(&mut first).wishes.retries = Some(0);
            desk.arrive(first);
        }
        desk.arrive(follower);
    }
    desk.mind.task_withdrawn(&task(4).id, "a slip".into());
    let offer = desk.take(&ours("a"));
    desk.fail(&ours("a"), &offer);
    desk.kept(offer.task);
    let cancelled =
        |desk: &Desk, number| matches!(desk.state(task(number).id), State::Cancelled { .. });
    assert!(cancelled(&desk, 2) && cancelled(&desk, 3));
    // By itself a follower cannot come back.
    let alone = retry(&mut desk, &[task(2).id]);
    assert_eq!(ends(&alone).len(), 2);
    assert!(cancelled(&desk, 2) && cancelled(&desk, 3));

    retry(&mut desk, &[offer.task]);
    assert!(cancelled(&desk, 4), "somebody wanted that");
    for number in 1..=3 {
        let offer = desk.take(&ours("a"));
        assert_eq!(offer.task, task(number).id);
        desk.succeed(&ours("a"), &offer);
        desk.kept(offer.task);
    }
}

#[test]
fn a_group_that_gave_up_gets_all_its_chances_back() {
    let mut desk = Desk::with(&[&ours("a")]);
    for number in 0..4_u32 {
        let mut part = task(u128::from(number) + 1);
        let kind = kind_of(&mut part);
        (kind.group, kind.wishes.max_fails, kind.wishes.retries) =
            ("rows".into(), Some(1), Some(0));
        part.set_part(Part::new(number, 4));
        desk.arrive(part);
    }
    for _ in 0..2 {
        let offer = desk.take(&ours("a"));
        desk.fail(&ours("a"), &offer);
        desk.kept(offer.task);
    }
    let counts = |desk: &Desk| desk.mind.ledger().counts();
    assert_eq!((counts(&desk).failed, counts(&desk).cancelled), (2, 2));
    let all: Vec<_> = (1..=4).map(|number| task(number).id).collect();
    retry(&mut desk, &all);
    assert_eq!(counts(&desk).queued, 4);
    for fails in [true, false, false, false] {
        let offer = desk.take(&ours("a"));
        match fails {
            true => desk.fail(&ours("a"), &offer),
            false => desk.succeed(&ours("a"), &offer),
        };
        desk.kept(offer.task);
    }
    assert_eq!((counts(&desk).failed, counts(&desk).done), (1, 3));
    let (_, tally) = desk.mind.ledger().tallies().find("rows").unwrap();
    assert_eq!(tally.reasons, [("exit code 1".to_owned(), 1)]);
}

#[test]
fn until_its_zip_is_back_a_task_stays_as_it_ended_and_is_not_asked_for_twice() {
    let mut desk = Desk::with(&[&ours("a")]);
    let offer = fail_for_good(&mut desk, 1);
    let begun = desk.mind.begin_retry([offer.task]);
    assert_eq!(begun.len(), 1);
    assert!(desk.mind.begin_retry([offer.task]).is_empty());
    assert!(matches!(desk.state(offer.task), State::Failed { .. }));
    assert!(desk.in_vain(&ours("a")));
    desk.mind.not_retried(&[offer.task]);
    assert!(matches!(desk.state(offer.task), State::Failed { .. }));
    assert_eq!(desk.mind.ledger().newest_terminal().count(), 1);
    retry(&mut desk, &[offer.task]);
    assert!(offered(&desk.ask(&ours("a"))).is_some());
}

#[test]
fn a_stranger_that_let_its_lease_expire_is_not_given_the_task_before_others() {
    let mut desk = Desk::with(&[&plain("a"), &plain("b")]);
    let mut timed = task(1);
    kind_of(&mut timed).wishes.time_limit = Some(std::time::Duration::from_secs(1));
    desk.arrive(timed);
    let offer = desk.take(&plain("a"));
    desk.pass(3600);
    desk.mind.task_withdrawn(&offer.task, "a slip".into());
    retry(&mut desk, &[offer.task]);
    assert!(desk.in_vain(&plain("a")), "it may be at it still");
    assert_eq!(desk.take(&plain("b")).task, offer.task);
}
