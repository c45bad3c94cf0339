//! Who gets which task, for how long.

use std::time::Duration;

use crate::logic::dispatch::Rules;
use crate::logic::effect::{Effect, Verdict};
use crate::logic::fixtures::{
    Desk, by_id, by_name, cancels, ends, keeps, kind_of, offered, ours, ours_in_life, plain, task,
    verdicts,
};
use crate::logic::ledger::{State, TERMINAL_MAX};
use crate::model::{Ending, SessionId, Task};

fn limited(number: u128, seconds: u64) -> Task {
    let mut task = task(number);
    kind_of(&mut task).wishes.time_limit = Some(Duration::from_secs(seconds));
    task
}

#[test]
fn a_peer_of_ours_holds_as_many_tasks_as_it_asks_for_and_a_plain_one_a_single_one() {
    let mut desk = Desk::with(&[&ours("a"), &plain("b")]);
    (1..=4).for_each(|number| drop(desk.arrive(task(number))));
    let first = desk.take(&ours("a"));
    desk.take(&ours("a"));
    assert!(matches!(desk.state(first.task), State::Leased(_)));
    let given_up = desk.take(&plain("b"));
    desk.pass(1);
    desk.ask(&plain("b"));
    assert_eq!(desk.entry(given_up.task).story.failures, 1);
    assert_eq!(*desk.state(given_up.task), State::Resting);
}

#[test]
fn a_task_to_spare_is_given_only_while_there_is_one_for_every_slot_of_every_peer() {
    let (a, b) = (ours("a"), ours("b"));
    let mut desk = Desk::with(&[]);
    for (peer, slots) in [(&a, 2), (&b, 3)] {
        desk.join_with(peer, slots, None);
    }
    (1..=6).for_each(|number| drop(desk.arrive(task(number))));
    assert!(desk.ask_to_spare(&a).is_some());
    assert!(desk.ask_to_spare(&a).is_some());
    assert_eq!(desk.ask_to_spare(&a), None, "four wait, and five slots");
    desk.leave(&b, true);
    assert!(desk.ask_to_spare(&a).is_some(), "two slots are left");
    desk.join_with(&a, 4, None);
    assert_eq!(desk.ask_to_spare(&a), None, "it came back with more");
}

#[test]
fn nothing_is_kept_for_the_slots_of_a_peer_that_leaves() {
    let (a, b) = (ours("a"), ours("b"));
    let mut desk = Desk::with(&[&a]);
    desk.join_with(&b, 3, None);
    (1..=3).for_each(|number| drop(desk.arrive(task(number))));
    assert_eq!(desk.ask_to_spare(&a), None);
    desk.join_with(&b, 0, Some(&[]));
    assert!(desk.ask_to_spare(&a).is_some());
}

#[test]
fn the_lease_of_a_limited_task_ends_when_its_result_is_overdue_whoever_holds_it() {
    for peer in [ours("a"), plain("a")] {
        let mut desk = Desk::with(&[&peer]);
        desk.arrive(limited(1, 100));
        let offer = desk.take(&peer);
        assert_eq!(offer.time_limit, Some(Duration::from_secs(100)));
        assert_eq!(desk.pass(159), []);
        let effects = desk.pass(1);
        let told = cancels(&effects).len();
        assert_eq!(told, usize::from(peer.is_ours()), "others cannot be told");
        assert_eq!(desk.entry(offer.task).story.losses, 1);
        assert_eq!(*desk.state(offer.task), State::Waiting);
    }
}

#[test]
fn a_task_without_a_limit_stays_with_a_peer_of_ours_that_is_here() {
    let mut desk = Desk::with(&[&ours("a")]);
    desk.arrive(task(1));
    let offer = desk.take(&ours("a"));
    desk.pass(30 * 24 * 3600);
    assert!(matches!(desk.state(offer.task), State::Leased(_)));
    desk.leave(&ours("a"), false);
    assert_eq!(desk.entry(offer.task).story.losses, 1);
}

#[test]
fn a_task_without_a_limit_stays_with_a_plain_peer_while_that_is_heard() {
    let mut desk = Desk::with(&[&plain("a")]);
    desk.arrive(task(1));
    let offer = desk.take(&plain("a"));
    desk.pass(3000);
    desk.pass(3000);
    assert!(matches!(desk.state(offer.task), State::Leased(_)));
    desk.leave(&plain("a"), false);
    assert!(
        matches!(desk.state(offer.task), State::Leased(_)),
        "it may be silent because it works"
    );
    desk.pass(60);
    assert_eq!(*desk.state(offer.task), State::Waiting);
}

#[test]
fn a_peer_of_ours_that_is_not_here_is_given_nothing() {
    let mut desk = Desk::with(&[]);
    desk.arrive(task(1));
    assert!(desk.in_vain(&ours("unannounced")));
    desk.join(&ours("gone"));
    desk.leave(&ours("gone"), false);
    assert!(desk.in_vain(&ours("gone")));
    assert_eq!(*desk.state(task(1).id), State::Waiting);
}

#[test]
fn a_request_on_a_connection_that_its_peer_has_left_leases_nothing() {
    for reborn in [ours("a"), ours_in_life("a", 2)] {
        let mut desk = Desk::with(&[&ours("a")]);
        desk.arrive(task(1));
        if reborn != ours("a") {
            desk.leave(&ours("a"), false);
        }
        desk.session = SessionId(2);
        desk.join_with(&reborn, 1, Some(&[]));
        desk.session = SessionId(1);
        assert!(desk.in_vain(&ours("a")));
        assert_eq!(*desk.state(task(1).id), State::Waiting);
        desk.session = SessionId(2);
        desk.take(&reborn);
    }
}

#[test]
fn a_plain_peer_may_ask_on_any_connection() {
    let mut desk = Desk::with(&[&plain("a")]);
    desk.arrive(task(1));
    desk.session = SessionId(2);
    desk.take(&plain("a"));
}

#[test]
fn a_limit_beyond_all_time_is_no_limit() {
    let mut desk = Desk::with(&[&ours("a")]);
    let mut endless = task(1);
    kind_of(&mut endless).wishes.time_limit = Some(Duration::MAX);
    desk.arrive(endless);
    let offer = desk.take(&ours("a"));
    desk.pass(3600);
    assert!(matches!(desk.state(offer.task), State::Leased(_)));
}

#[test]
fn a_planned_leave_counts_against_no_task() {
    let mut desk = Desk::with(&[&ours("a")]);
    desk.arrive(task(1));
    for _ in 0..20 {
        desk.take(&ours("a"));
        desk.leave(&ours("a"), true);
        desk.join(&ours("a"));
        desk.pass(60);
    }
    let entry = desk.entry(task(1).id);
    assert_eq!((entry.story.failures, entry.story.losses), (0, 0));
    assert_eq!(entry.story.state, State::Waiting);
}

#[test]
fn a_task_that_takes_its_peers_with_it_is_failed_after_five() {
    let mut desk = Desk::with(&[]);
    desk.arrive(task(1));
    for number in 1..=5 {
        let peer = ours(&format!("peer {number}"));
        desk.join(&peer);
        desk.take(&peer);
        let effects = desk.leave(&peer, false);
        assert_eq!(ends(&effects).len(), usize::from(number == 5));
        desk.pass(0);
    }
    assert!(matches!(desk.state(task(1).id), State::Failed { .. }));
}

#[test]
fn a_peer_that_lost_its_last_chance_is_told_once() {
    let rules = Rules {
        losses_max: 1,
        ..Rules::default()
    };
    let mut desk = Desk::ruled(rules, &[&ours("a")]);
    desk.arrive(limited(1, 1));
    desk.take(&ours("a"));
    let effects = desk.pass(3600);
    assert_eq!((cancels(&effects).len(), ends(&effects).len()), (1, 1));
}

#[test]
fn a_plain_peer_whose_lease_expired_gets_nothing_until_its_result_has_come() {
    let mut desk = Desk::with(&[&plain("a")]);
    desk.arrive(limited(1, 10));
    desk.arrive(task(2));
    let offer = desk.take(&plain("a"));
    desk.pass(70);
    assert!(desk.in_vain(&plain("a")));
    // Its late bytes name nothing and are of the task that it owed.
    let effects = desk.submit(&plain("a"), by_name("out.zip"), b"late", Ending::Unsaid);
    assert!(matches!(&effects[..], [Effect::Keep { task, .. }] if *task == offer.task));
    assert_eq!(desk.take(&plain("a")).task, task(2).id);
}

#[test]
fn a_plain_peer_that_registers_anew_owes_nothing() {
    let mut desk = Desk::with(&[&plain("a")]);
    desk.arrive(limited(1, 10));
    desk.arrive(task(2));
    desk.take(&plain("a"));
    desk.pass(70);
    assert!(desk.in_vain(&plain("a")));
    desk.join(&plain("a"));
    assert_eq!(desk.take(&plain("a")).task, task(2).id);
}

#[test]
fn a_plain_peer_that_only_ever_asks_is_believed_to_have_given_up_some_day() {
    let mut desk = Desk::with(&[&plain("a")]);
    desk.arrive(limited(1, 10));
    desk.arrive(task(2));
    desk.take(&plain("a"));
    desk.pass(70);
    for _ in 0..9 {
        desk.pass(60);
        assert!(desk.in_vain(&plain("a")));
    }
    desk.pass(60);
    // What it hands in from now on is of what it has now.
    let offer = offered(&desk.ask(&plain("a"))).unwrap();
    let effects = desk.submit(&plain("a"), by_name("out.zip"), b"good", Ending::Unsaid);
    assert_eq!(keeps(&effects), [(offer.task, offer.attempt, true)]);
}

#[test]
fn what_a_plain_peer_gave_up_and_hands_in_late_is_never_filed_as_another_task() {
    let mut desk = Desk::with(&[&plain("a"), &ours("b")]);
    (1..=2).for_each(|number| drop(desk.arrive(task(number))));
    let given_up = desk.take(&plain("a"));
    for _ in 0..9 {
        assert!(desk.in_vain(&plain("a")), "it still owes");
        desk.pass(1);
    }
    let effects = desk.submit(&plain("a"), by_name("result.zip"), b"late", Ending::Unsaid);
    assert_eq!(keeps(&effects), [(given_up.task, given_up.attempt, true)]);
    desk.kept(given_up.task);
    assert_eq!(desk.take(&plain("a")).task, task(2).id);
}

#[test]
fn a_plain_peer_that_has_a_task_twice_owes_two_results_of_it_and_gets_no_other_till_then() {
    let mut desk = Desk::with(&[&plain("a")]);
    (1..=2).for_each(|number| drop(desk.arrive(task(number))));
    let first = desk.take(&plain("a"));
    desk.in_vain(&plain("a"));
    desk.pass(1);
    let again = desk.take(&plain("a"));
    assert_eq!(again.task, first.task);
    let send = |desk: &mut Desk, bytes: &[u8]| {
        desk.submit(&plain("a"), by_name("out.zip"), bytes, Ending::Unsaid)
    };
    assert_eq!(
        keeps(&send(&mut desk, b"one")),
        [(again.task, again.attempt, true)]
    );
    desk.kept(first.task);
    assert!(desk.in_vain(&plain("a")), "the other run may still be on");
    desk.pass(60);
    assert!(desk.in_vain(&plain("a")));
    send(&mut desk, b"two");
    assert_eq!(desk.entry(first.task).story.conflicts.len(), 1);
    assert_eq!(desk.take(&plain("a")).task, task(2).id);
}

#[test]
fn a_plain_peer_that_gave_up_what_was_cancelled_owes_its_result_too() {
    let mut desk = Desk::with(&[&plain("a")]);
    (1..=2).for_each(|number| drop(desk.arrive(task(number))));
    let offer = desk.take(&plain("a"));
    desk.mind.task_withdrawn(&offer.task, "no".into());
    assert!(desk.in_vain(&plain("a")));
    let effects = desk.submit(&plain("a"), by_name("out.zip"), b"late", Ending::Unsaid);
    assert_eq!(verdicts(&effects), [Verdict::TooLate]);
    assert_eq!(desk.take(&plain("a")).task, task(2).id);
}

#[test]
fn a_plain_peer_that_registered_anew_before_it_asked_again_owes_nothing() {
    let mut desk = Desk::with(&[&plain("a"), &ours("b")]);
    (1..=2).for_each(|number| drop(desk.arrive(task(number))));
    desk.take(&plain("a"));
    desk.join(&plain("a"));
    assert!(desk.in_vain(&plain("a")), "it pauses");
    desk.pass(1);
    assert_eq!(desk.take(&plain("a")).task, task(2).id);
}

#[test]
fn a_plain_peer_that_only_ever_gives_up_gets_other_tasks_some_day() {
    let mut desk = Desk::with(&[&plain("a")]);
    (1..=2).for_each(|number| drop(desk.arrive(task(number))));
    let offer = desk.take(&plain("a"));
    assert!(desk.in_vain(&plain("a")));
    desk.mind.task_withdrawn(&offer.task, "no".into());
    desk.pass(599);
    assert!(desk.in_vain(&plain("a")));
    desk.pass(1);
    assert_eq!(desk.take(&plain("a")).task, task(2).id);
}

#[test]
fn a_plain_peer_that_names_its_results_owes_nothing() {
    let mut desk = Desk::with(&[&plain("a")]);
    desk.arrive(task(1));
    let offer = desk.take(&plain("a"));
    desk.submit(&plain("a"), by_name(&offer.name), b"good", Ending::Unsaid);
    desk.kept(offer.task);
    desk.arrive(limited(2, 10));
    let late = desk.take(&plain("a"));
    desk.arrive(task(3));
    desk.pass(70);
    assert_eq!(desk.take(&plain("a")).task, task(3).id);
    let effects = desk.submit(&plain("a"), by_name(&late.name), b"late", Ending::Unsaid);
    assert!(matches!(&effects[..], [Effect::Keep { task, .. }] if *task == late.task));
}

#[test]
fn an_offer_that_could_not_be_delivered_is_nobodys_fault() {
    let mut desk = Desk::with(&[&ours("a"), &plain("b")]);
    desk.arrive(task(1));
    for peer in [ours("a"), plain("b")] {
        let offer = desk.take(&peer);
        let why = "its file is gone".to_owned();
        desk.mind
            .offer_failed(&offer.task, offer.attempt, why, desk.now);
        assert_eq!(*desk.state(offer.task), State::Resting);
        desk.pass(1);
    }
    let entry = desk.entry(task(1).id);
    assert_eq!(
        (
            entry.story.failures,
            entry.story.losses,
            entry.story.avoided.len()
        ),
        (0, 0, 0)
    );
    assert!(entry.story.trouble.as_deref().unwrap().contains("file"));
    let offer = desk.take(&plain("b"));
    let late = offer.attempt.0 - 1;
    desk.mind.offer_failed(
        &offer.task,
        crate::model::Attempt(late),
        String::new(),
        desk.now,
    );
    assert!(matches!(desk.state(offer.task), State::Leased(_)), "old");
}

#[test]
fn a_task_that_is_taken_back_ends_once_in_whatever_state_it_is() {
    let mut desk = Desk::with(&[&ours("a"), &plain("b")]);
    (1..=5).for_each(|number| drop(desk.arrive(task(number))));
    let leased = desk.take(&ours("a"));
    let failed = desk.take(&ours("a"));
    desk.fail(&ours("a"), &failed);
    let keeping = desk.take(&ours("a"));
    desk.succeed(&ours("a"), &keeping);
    let plainly = desk.take(&plain("b"));
    for (number, told) in [(1, 1), (2, 0), (3, 0), (4, 0), (5, 0)] {
        let effects = desk.mind.task_withdrawn(&task(number).id, "no".into());
        assert_eq!(ends(&effects).len(), 1, "task {number}");
        assert_eq!(cancels(&effects).len(), told, "task {number}");
        assert_eq!(desk.mind.task_withdrawn(&task(number).id, "no".into()), []);
    }
    assert_eq!(desk.mind.ledger().counts().cancelled, 5);
    let held = &desk.mind.peers.get(&ours("a")).unwrap().holds;
    assert!(held.is_empty(), "{held:?}");
    desk.pass(3600);
    assert!(desk.in_vain(&ours("a")));
    let effects = desk.submit(&ours("a"), by_id(&leased), b"late", Ending::Exit(0));
    assert!(matches!(effects[..], [Effect::Answer(..)]));
    // The plain peer cannot be told; that it comes back without the result is no fault.
    assert_eq!(plainly.task, task(4).id);
    desk.arrive(task(6));
    desk.join(&plain("b"));
    assert_eq!(desk.take(&plain("b")).task, task(6).id);
}

#[test]
fn what_never_reached_a_peer_of_ours_goes_to_another_at_nobodys_fault() {
    let mut desk = Desk::with(&[&ours("a")]);
    (1..=2).for_each(|number| drop(desk.arrive(task(number))));
    let lost = desk.take(&ours("a"));
    let arrived = desk.take(&ours("a"));
    let holds = [(arrived.task, arrived.attempt)];
    let effects = desk.join_with(&ours("a"), 1, Some(&holds));
    assert_eq!(effects, []);
    assert!(matches!(desk.state(arrived.task), State::Leased(_)));
    assert_eq!(*desk.state(lost.task), State::Resting);
    assert_eq!(desk.entry(lost.task).story.losses, 0);
}

#[test]
fn what_a_peer_of_ours_still_runs_after_it_was_given_up_goes_on_there() {
    let mut desk = Desk::with(&[&ours("a"), &ours("b")]);
    (1..=3).for_each(|number| drop(desk.arrive(task(number))));
    let [elsewhere, kept, failed] = [1, 2, 3].map(|_| desk.take(&ours("a")));
    desk.submit(&ours("a"), by_id(&failed), b"bad", Ending::Exit(1));
    desk.leave(&ours("a"), false);
    desk.pass(0);
    assert_eq!(desk.take(&ours("b")).task, elsewhere.task);

    let holds = [&kept, &elsewhere, &failed].map(|offer| (offer.task, offer.attempt));
    let effects = desk.join_with(&ours("a"), 1, Some(&holds));
    assert_eq!(effects, []);
    let holder = |task| desk.state(task).lease().map(|lease| lease.holder.clone());
    assert_eq!(holder(kept.task), Some(ours("a")));
    assert_eq!(holder(elsewhere.task), Some(ours("b")));
    assert_eq!(holder(failed.task), None, "its word was taken");
}

#[test]
fn what_a_peer_of_ours_still_runs_for_a_task_that_is_over_is_called_off() {
    let mut desk = Desk::with(&[&ours("a")]);
    desk.arrive(task(1));
    let offer = desk.take(&ours("a"));
    desk.leave(&ours("a"), false);
    desk.mind.task_withdrawn(&offer.task, "no".into());
    let holds = [(offer.task, offer.attempt), (task(9).id, offer.attempt)];
    let effects = desk.join_with(&ours("a"), 1, Some(&holds));
    assert_eq!(cancels(&effects).len(), 2);
}

#[test]
fn a_plain_peer_that_held_a_task_which_is_forgotten_starts_afresh() {
    let mut desk = Desk::with(&[&plain("a")]);
    desk.arrive(task(0));
    desk.take(&plain("a"));
    for number in 0..=TERMINAL_MAX as u128 {
        desk.arrive(task(number));
        desk.mind.task_withdrawn(&task(number).id, "no".into());
    }
    assert!(desk.mind.ledger().get(&task(0).id).is_none());
    desk.arrive(task(u128::MAX));
    let offer = desk.take(&plain("a"));
    let effects = desk.submit(&plain("a"), by_name("out.zip"), b"good", Ending::Unsaid);
    assert_eq!(keeps(&effects), [(offer.task, offer.attempt, true)]);
}
