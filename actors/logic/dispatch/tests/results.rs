//! What becomes of results.

use std::time::Duration;

use crate::logic::attribution::Claim;
use crate::logic::dispatch::Rules;
use crate::logic::effect::{Effect, End, Offer, Verdict};
use crate::logic::fixtures::{
    Desk, by_id, by_name, cancels, ends, keeps, kind_of, ours, ours_in_life, plain, plain_at, task,
    verdicts,
};
use crate::logic::ledger::State;
use crate::model::{Attempt, Ending, Endpoint};

#[test]
fn a_task_is_done_when_its_result_is_kept_and_only_then_is_its_peer_answered() {
    let mut desk = Desk::with(&[&ours("a")]);
    desk.arrive(task(1));
    let offer = desk.take(&ours("a"));
    assert_eq!(offer.name.as_str(), "task-1.zip");
    let effects = desk.succeed(&ours("a"), &offer);
    assert_eq!(keeps(&effects), [(offer.task, Attempt(1), true)]);
    assert_eq!((verdicts(&effects), ends(&effects)), (vec![], vec![]));
    let effects = desk.kept(offer.task);
    assert_eq!(verdicts(&effects), [Verdict::Taken]);
    assert_eq!(ends(&effects), [End::Done]);
    assert_eq!(cancels(&effects), []);
    assert_eq!(desk.kept(offer.task), [], "it is kept once");
}

#[test]
fn the_same_bytes_again_are_taken_as_before_and_others_come_too_late() {
    let mut desk = Desk::with(&[&ours("a")]);
    desk.arrive(task(1));
    let offer = desk.take(&ours("a"));
    desk.succeed(&ours("a"), &offer);
    desk.kept(offer.task);
    for (bytes, verdict) in [
        (b"good", Verdict::TakenBefore),
        (b"else", Verdict::TooLate),
        (b"good", Verdict::TakenBefore),
    ] {
        let effects = desk.submit(&ours("a"), by_id(&offer), bytes, Ending::Exit(0));
        assert_eq!(verdicts(&effects), std::slice::from_ref(&verdict));
        let is_aside = |effect: &Effect| matches!(effect, Effect::SetAside(..));
        let is_kept_for_people = effects.iter().any(is_aside);
        assert_eq!(is_kept_for_people, verdict == Verdict::TooLate);
    }
    assert_eq!(desk.entry(offer.task).story.conflicts.len(), 1);
    assert_eq!(desk.mind.ledger().conflicts(), 1);
}

#[test]
fn the_same_bytes_again_while_they_are_being_kept_share_their_fate() {
    let mut desk = Desk::with(&[&ours("a")]);
    desk.arrive(task(1));
    let offer = desk.take(&ours("a"));
    desk.succeed(&ours("a"), &offer);
    assert_eq!(desk.succeed(&ours("a"), &offer), []);
    let effects = desk.kept(offer.task);
    assert_eq!(verdicts(&effects), [Verdict::Taken, Verdict::TakenBefore]);
}

#[test]
fn nobody_of_ours_is_told_that_it_comes_too_late_before_the_first_result_is_safe() {
    for is_sound in [true, false] {
        let (mut desk, first, again) = second_try(&ours("b"));
        desk.submit(&ours("a"), by_id(&first), b"else", Ending::Exit(0));
        let effects = desk.succeed(&ours("b"), &again);
        assert!(matches!(verdicts(&effects)[..], [Verdict::NotStored(_)]));
        assert_eq!(effects.len(), 1, "it keeps it");
        if is_sound {
            desk.kept(first.task);
            let effects = desk.succeed(&ours("b"), &again);
            assert_eq!(verdicts(&effects), [Verdict::TooLate]);
            assert_eq!(desk.entry(first.task).story.conflicts.len(), 1);
        } else {
            desk.refused(first.task);
            desk.succeed(&ours("b"), &again);
            assert_eq!(verdicts(&desk.kept(first.task)), [Verdict::Taken]);
        }
    }
}

#[test]
fn what_others_hand_in_while_another_result_is_being_kept_is_set_aside() {
    let (mut desk, first, again) = second_try(&plain("b"));
    desk.succeed(&ours("a"), &first);
    let effects = desk.submit(&plain("b"), by_name(&again.name), b"else", Ending::Unsaid);
    assert!(matches!(
        effects[..],
        [Effect::SetAside(..), Effect::Answer(_, Verdict::TooLate)]
    ));
    assert_eq!(desk.entry(first.task).story.conflicts.len(), 1);
}

#[test]
fn the_same_bytes_more_often_than_is_waited_for_are_to_be_handed_in_again() {
    let mut desk = Desk::with(&[&ours("a")]);
    desk.arrive(task(1));
    let offer = desk.take(&ours("a"));
    let mut effects = Vec::new();
    for _ in 0..100 {
        effects.extend(verdicts(&desk.succeed(&ours("a"), &offer)));
    }
    let is_final = |verdict: &Verdict| !matches!(verdict, Verdict::NotStored(_));
    assert!(!effects.is_empty() && !effects.iter().any(is_final));
}

#[test]
fn a_result_that_fits_nothing_changes_nothing() {
    let mut desk = Desk::with(&[&ours("a"), &plain("b")]);
    desk.arrive(task(1));
    let offer = desk.take(&ours("a"));
    let stranger = desk.submit(&plain("b"), by_name("task-1.zip"), b"x", Ending::Unsaid);
    let unknown = desk.submit(&ours("a"), Claim::default(), b"x", Ending::Unsaid);
    assert!(matches!(verdicts(&stranger)[..], [Verdict::Unmatched(_)]));
    // A peer of ours with one lease may leave the ids out.
    assert_eq!(keeps(&unknown), [(offer.task, Attempt(1), true)]);
}

#[test]
fn two_leases_and_no_name_is_ambiguous_and_unmatched() {
    let mut desk = Desk::with(&[&ours("a")]);
    (1..=2).for_each(|number| drop(desk.arrive(task(number))));
    desk.take(&ours("a"));
    desk.take(&ours("a"));
    let effects = desk.submit(&ours("a"), Claim::default(), b"x", Ending::Exit(0));
    assert!(matches!(verdicts(&effects)[..], [Verdict::Unmatched(_)]));
    assert_eq!(desk.mind.ledger().counts().leased, 2);
}

#[test]
fn two_speakers_with_one_peer_id_keep_their_own_leases() {
    let (here, there) = (plain_at("a", 1), plain_at("a", 2));
    let mut desk = Desk::with(&[&here, &there]);
    (1..=2).for_each(|number| drop(desk.arrive(task(number))));
    let first = desk.take(&here);
    let second = desk.take(&there);
    // Neither gives up, nor finishes, nor loses the lease of the other.
    let effects = desk.submit(&there, by_name(&first.name), b"x", Ending::Unsaid);
    assert!(matches!(verdicts(&effects)[..], [Verdict::Unmatched(_)]));
    let effects = desk.submit(&there, by_name(&second.name), b"x", Ending::Unsaid);
    assert_eq!(keeps(&effects), [(second.task, Attempt(1), true)]);
    desk.leave(&there, false);
    assert!(matches!(desk.state(first.task), State::Leased(lease) if lease.holder == here));
    let effects = desk.submit(&here, by_name(&first.name), b"x", Ending::Unsaid);
    assert_eq!(keeps(&effects), [(first.task, Attempt(1), true)]);
}

#[test]
fn a_restarted_peer_hands_in_what_it_had_kept() {
    let (before, after) = (ours_in_life("a", 1), ours_in_life("a", 2));
    let mut desk = Desk::with(&[&before]);
    desk.arrive(task(1));
    let offer = desk.take(&before);
    desk.leave(&before, false);
    desk.join(&after);
    let effects = desk.succeed(&after, &offer);
    assert_eq!(keeps(&effects), [(offer.task, Attempt(1), true)]);
    assert_eq!(ends(&desk.kept(offer.task)), [End::Done]);
}

#[test]
fn whoever_answers_for_a_peer_that_is_gone_clears_what_that_held() {
    let (before, after) = (plain_at("a", 1), plain_at("a", 2));
    let mut desk = Desk::with(&[&before]);
    desk.arrive(task(1));
    let offer = desk.take(&before);
    desk.leave(&before, false);
    desk.submit(&after, by_name(&offer.name), b"good", Ending::Unsaid);
    desk.kept(offer.task);
    desk.join(&before);
    let effects = desk.submit(&before, by_name("out.zip"), b"x", Ending::Unsaid);
    assert!(matches!(verdicts(&effects)[..], [Verdict::Unmatched(_)]));
}

/// Try 1 was lost with `a`, which is back; try 2 runs on the other.
fn second_try(second: &Endpoint) -> (Desk, Offer, Offer) {
    let mut desk = Desk::with(&[&ours("a"), second]);
    desk.arrive(task(1));
    let first = desk.take(&ours("a"));
    desk.leave(&ours("a"), false);
    desk.join(&ours("a"));
    desk.pass(0);
    let again = desk.take(second);
    assert_eq!(again.attempt, Attempt(2));
    assert_eq!(again.name.as_str(), "task-1.2.zip");
    (desk, first, again)
}

#[test]
fn a_late_success_is_taken_and_the_try_that_runs_is_called_off() {
    let (mut desk, first, again) = second_try(&ours("b"));
    let effects = desk.succeed(&ours("a"), &first);
    assert_eq!(keeps(&effects), [(first.task, Attempt(1), true)]);
    let effects = desk.kept(first.task);
    assert_eq!(ends(&effects), [End::Done]);
    assert_eq!(cancels(&effects), [(ours("b"), again.task, Attempt(2))]);
    let effects = desk.succeed(&ours("b"), &again);
    assert_eq!(verdicts(&effects), [Verdict::TakenBefore]);
}

#[test]
fn a_late_success_that_is_refused_leaves_the_try_that_runs_alone() {
    let (mut desk, first, again) = second_try(&ours("b"));
    desk.succeed(&ours("a"), &first);
    let effects = desk.refused(first.task);
    assert!(matches!(verdicts(&effects)[..], [Verdict::Refused(_)]));
    assert!(matches!(desk.state(first.task), State::Leased(lease) if lease.attempt == Attempt(2)));
    assert_eq!(desk.entry(first.task).story.failures, 0);
    desk.succeed(&ours("b"), &again);
    assert_eq!(ends(&desk.kept(first.task)), [End::Done]);
}

#[test]
fn a_try_that_ends_while_a_late_result_is_looked_over_is_not_waited_for() {
    // However the second try ends meanwhile, a refusal must not bring its lease back.
    type Ends = fn(&mut Desk, &Offer);
    let ways: [(Endpoint, Ends); 5] = [
        (ours("b"), |desk, _| drop(desk.leave(&ours("b"), false))),
        (ours("b"), |desk, again| {
            drop(desk.succeed(&ours("b"), again))
        }),
        (ours("b"), |desk, again| drop(desk.fail(&ours("b"), again))),
        (plain("b"), |desk, _| drop(desk.ask(&plain("b")))),
        (ours("b"), |desk, again| {
            let why = "gone".to_owned();
            drop(
                desk.mind
                    .offer_failed(&again.task, again.attempt, why, desk.now),
            )
        }),
    ];
    for (number, (second, ends_meanwhile)) in ways.into_iter().enumerate() {
        let (mut desk, first, again) = second_try(&second);
        desk.submit(&ours("a"), by_id(&first), b"torn", Ending::Exit(0));
        ends_meanwhile(&mut desk, &again);
        desk.refused(first.task);
        assert_eq!(desk.state(first.task).lease(), None, "way {number}");
        desk.pass(60);
        assert_eq!(*desk.state(first.task), State::Waiting, "way {number}");
    }
}

#[test]
fn a_late_failure_changes_nothing() {
    let (mut desk, first, again) = second_try(&ours("b"));
    let before = desk.entry(first.task).clone();
    let effects = desk.fail(&ours("a"), &first);
    assert_eq!(verdicts(&effects), [Verdict::Taken]);
    let after = desk.entry(first.task);
    assert_eq!(after.story.state, before.story.state);
    assert_eq!((after.story.failures, after.story.losses), (0, 1));
    desk.succeed(&ours("b"), &again);
    desk.kept(first.task);
    assert_eq!(verdicts(&desk.fail(&ours("a"), &first)), [Verdict::TooLate]);
    assert!(matches!(desk.state(first.task), State::Done { .. }));
}

#[test]
fn a_late_failure_is_not_the_last_one_either() {
    let mut desk = Desk::with(&[&ours("a"), &ours("b")]);
    let mut once = task(1);
    kind_of(&mut once).wishes.retries = Some(0);
    desk.arrive(once);
    let offer = desk.take(&ours("a"));
    desk.leave(&ours("a"), false);
    desk.join(&ours("a"));
    desk.pass(0);
    desk.take(&ours("b"));
    let effects = desk.fail(&ours("a"), &offer);
    assert_eq!(verdicts(&effects), [Verdict::Taken]);
    assert!(matches!(desk.state(offer.task), State::Leased(_)));
}

#[test]
fn a_late_success_is_taken_while_the_task_waits_or_rests() {
    for rests in [false, true] {
        let mut desk = Desk::with(&[&ours("a")]);
        desk.arrive(task(1));
        let offer = desk.take(&ours("a"));
        desk.leave(&ours("a"), rests);
        desk.join(&ours("a"));
        if !rests {
            desk.pass(0);
        }
        assert_eq!(*desk.state(offer.task) == State::Resting, rests);
        let effects = desk.succeed(&ours("a"), &offer);
        assert_eq!(keeps(&effects).len(), 1);
        assert!(desk.in_vain(&ours("a")), "it waits no more");
        desk.pass(60);
        assert_eq!(ends(&desk.kept(offer.task)), [End::Done]);
    }
}

#[test]
fn a_refused_result_counts_as_a_failure_and_the_task_is_tried_again() {
    let mut desk = Desk::with(&[&ours("a")]);
    let mut limited = task(1);
    kind_of(&mut limited).wishes.time_limit = Some(Duration::from_secs(1000));
    desk.arrive(limited);
    let offer = desk.take(&ours("a"));
    desk.succeed(&ours("a"), &offer);
    let effects = desk.refused(offer.task);
    assert_eq!(verdicts(&effects), [Verdict::Refused("no ZIP".into())]);
    assert_eq!(desk.entry(offer.task).story.failures, 1);
    assert_eq!(desk.mind.due.len(), 1, "its rest, and no lease");
    desk.pass(60);
    assert_eq!(desk.take(&ours("a")).attempt, Attempt(2));
}

#[test]
fn rubbish_handed_in_again_and_again_for_one_try_keeps_no_task_from_the_others() {
    let mut desk = Desk::with(&[&ours("a"), &ours("b")]);
    desk.arrive(task(1));
    let offer = desk.take(&ours("a"));
    desk.leave(&ours("a"), false);
    desk.join(&ours("a"));
    for _ in 0..100 {
        let effects = desk.submit(&ours("a"), by_id(&offer), b"rubbish", Ending::Exit(0));
        if !keeps(&effects).is_empty() {
            desk.refused(offer.task);
        }
    }
    assert_eq!(
        desk.entry(offer.task).story.failures,
        0,
        "it is not the task's fault"
    );
    desk.pass(60);
    let again = desk.take(&ours("b"));
    desk.succeed(&ours("b"), &again);
    assert_eq!(ends(&desk.kept(again.task)), [End::Done]);
}

#[test]
fn whoever_hands_in_while_the_task_is_taken_back_is_answered() {
    let mut desk = Desk::with(&[&ours("a")]);
    desk.arrive(task(1));
    let offer = desk.take(&ours("a"));
    desk.succeed(&ours("a"), &offer);
    let effects = desk.mind.task_withdrawn(&offer.task, "no".into());
    assert_eq!(verdicts(&effects), [Verdict::TooLate]);
    assert_eq!(desk.kept(offer.task), []);
    assert_eq!(desk.refused(offer.task), []);
}

#[test]
fn a_plain_peer_that_missed_the_answer_and_sends_again_hears_that_it_was_taken() {
    let mut desk = Desk::with(&[&plain("a")]);
    desk.arrive(task(1));
    let offer = desk.take(&plain("a"));
    let send = |desk: &mut Desk, bytes: &[u8]| {
        desk.submit(&plain("a"), by_name("out.zip"), bytes, Ending::Unsaid)
    };
    send(&mut desk, b"good");
    desk.kept(offer.task);
    assert_eq!(verdicts(&send(&mut desk, b"good")), [Verdict::TakenBefore]);
    let other = verdicts(&send(&mut desk, b"else"));
    assert!(matches!(other[..], [Verdict::Unmatched(_)]), "{other:?}");
}

#[test]
fn an_effect_is_ordered_after_its_answer() {
    let mut desk = Desk::with(&[&ours("a")]);
    desk.arrive(task(1));
    let offer = desk.take(&ours("a"));
    desk.succeed(&ours("a"), &offer);
    assert!(matches!(
        desk.kept(offer.task)[..],
        [Effect::Answer(..), Effect::End(..)]
    ));
}

#[test]
fn a_task_that_has_its_result_takes_none_of_an_older_try_unless_fencing_is_off() {
    for is_fenced in [true, false] {
        let rules = Rules {
            is_fenced,
            ..Rules::default()
        };
        let (slow, quick) = (ours("slow"), ours("quick"));
        let mut desk = Desk::ruled(rules, &[&slow, &quick]);
        desk.arrive(task(1));
        let first = desk.take(&slow);
        desk.leave(&slow, false);
        desk.pass(1);
        let second = desk.take(&quick);
        desk.succeed(&quick, &second);
        desk.kept(second.task);
        let late = desk.succeed(&slow, &first);
        assert_eq!(keeps(&late).is_empty(), is_fenced);
        assert_eq!(ends(&desk.kept(first.task)).is_empty(), is_fenced);
        let counts = desk.mind.ledger().counts();
        assert_eq!((counts.done, counts.open()), (1, 0));
    }
}
