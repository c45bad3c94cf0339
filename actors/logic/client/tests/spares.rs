//! Tasks that are fetched while others run.

use super::*;

/// How long the master of these tests takes to take a result.
const ANSWER: Duration = Duration::from_millis(100);

fn is_spare(say: &Say) -> bool {
    *say == Say::Ask(Want::Spare)
}

fn waits(say: &Say) -> bool {
    matches!(say, Say::Ask(Want::Slot(Some(_))))
}

fn count(play: &Play, is: impl Fn(&Say) -> bool) -> usize {
    play.open.iter().filter(|(_, say)| is(say)).count()
}

/// A peer with two slots that runs two tasks, has asked for another one to spare, and knows that a run takes so long.
fn at_work(run: Duration) -> Play {
    let mut play = Play::with_ours();
    for number in 1..5 {
        play.take(number);
        play.wait(run);
        play.ended(key(number));
        play.wait(ANSWER);
        play.answer_to(is_hand_in, Said::Taken);
    }
    for number in 5..7 {
        play.take(number);
    }
    play
}

/// A peer with one slot that runs its fourth task, holds the next one, and has asked for another.
fn at_work_on_one() -> Play {
    let mut play = Play::of(Terms {
        slots: 1,
        fixed: Some(master(&[1], None)),
    });
    play.start();
    play.connected();
    play.answer(Said::Registered(Some(OURS)));
    for number in 1..4 {
        play.take(number);
        play.wait(ANSWER);
        play.ended(key(number));
        play.wait(2 * ANSWER);
        play.answer_to(is_hand_in, Said::Taken);
    }
    play.take(4);
    play.answer_to(is_spare, task(Some(key(5))));
    play
}

#[test]
fn a_task_that_is_held_begins_when_a_slot_is_free() {
    let mut play = at_work(2 * ANSWER);
    let orders = play.answer_to(is_spare, task(Some(key(7))));
    assert_eq!(runs(&orders), []);
    assert_eq!(play.mind.running().count(), 2);
    let orders = play.ended(key(5));
    assert_eq!(runs(&orders), [key(7)]);
    assert!(says_any(&orders, is_spare), "the next one is fetched");
}

#[test]
fn as_many_are_held_as_begin_while_another_one_comes() {
    let mut spares = Spares::default();
    assert_eq!(spares.wanted(8), 0, "nothing is known yet");
    spares.answered(ANSWER);
    spares.ran(2 * ANSWER);
    assert_eq!((spares.wanted(1), spares.wanted(8)), (1, 4));
    for (run, wanted) in [(40 * ANSWER, 0), (20 * ANSWER, 1), (ANSWER / 1000, 32)] {
        let mut spares = Spares::default();
        spares.answered(ANSWER);
        spares.ran(run);
        assert_eq!(spares.wanted(8), wanted, "{run:?}");
    }
    let mut spares = Spares::default();
    spares.answered(Duration::from_secs(2));
    spares.ran(Duration::from_secs(20));
    let wanted = [1, 3, 4].map(|slots| spares.wanted(slots));
    assert_eq!(
        wanted,
        [0, 0, 1],
        "the next run ends after they were given back"
    );
}

#[test]
fn none_is_asked_for_to_spare_where_nobody_knows_what_that_is() {
    let mut play = at_work(2 * ANSWER);
    play.another_master(Some(Ours {
        has_spares: false,
        ..OURS
    }));
    assert_eq!(play.mind.spares.wanted(2), 1);
    assert_eq!((count(&play, is_spare), count(&play, is_ask)), (0, 0));
}

#[test]
fn none_is_asked_for_to_spare_while_a_request_for_a_free_slot_waits() {
    let mut play = at_work(2 * ANSWER);
    play.answer_to(is_spare, Said::Nothing);
    play.ended(key(5));
    assert_eq!((count(&play, waits), count(&play, is_spare)), (1, 0));
}

#[test]
fn a_master_without_a_task_to_spare_is_asked_again_when_it_has_given_one() {
    let mut play = at_work(2 * ANSWER);
    play.answer_to(is_spare, Said::Nothing);
    assert!(!says_any(&play.wait_s(1), is_ask));
    play.ended(key(5));
    let orders = play.answer_to(waits, task(Some(key(7))));
    assert_eq!(runs(&orders), [key(7)]);
    assert!(says_any(&orders, is_spare));
}

#[test]
fn who_gives_is_asked_for_all_free_slots_at_once_and_who_has_nothing_is_not() {
    let mut play = Play::of(Terms {
        slots: 8,
        fixed: Some(master(&[1], None)),
    });
    play.start();
    play.connected();
    play.answer(Said::Registered(Some(OURS)));
    let mut given = 0;
    for expected in [1, 2, 4, 1] {
        assert_eq!(count(&play, is_ask), expected, "after {given}");
        for _ in 0..expected {
            given += 1;
            play.take(given);
        }
    }
    assert_eq!(count(&play, is_ask), 0, "all slots are taken");

    let mut play = Play::with_ours();
    play.take(1);
    play.ended(key(1));
    play.answer_to(|say| *say == Say::Ask(Want::Slot(None)), Said::Nothing);
    assert_eq!(count(&play, is_ask), 1, "one waits");
}

#[test]
fn a_run_that_takes_its_time_gives_back_what_waits_for_it_and_holds_it_no_more() {
    let mut play = at_work(2 * ANSWER);
    play.answer_to(is_spare, task(Some(key(7))));
    let orders = play.wait_s(4);
    assert!(!says_any(&orders, is_register));
    play.mind
        .in_flight
        .retain(|_, open| !is_heartbeat(&open.say));
    let orders = play.reach(is_register);
    let held = vec![key(5), key(6)];
    assert_eq!(says(&orders).pop(), Some(&Say::Register(held)));
    let orders = play.answer_to(is_register, Said::Registered(Some(OURS)));
    assert!(!says_any(&orders, is_spare), "runs are not short any more");
    assert_eq!(runs(&play.ended(key(5))), []);
}

#[test]
fn nothing_is_given_back_while_a_task_may_be_on_its_way() {
    let mut play = at_work_on_one();
    assert_eq!(count(&play, is_spare), 1);
    let orders = play.wait_s(8);
    assert!(!says_any(&orders, is_register));
    let orders = play.answer_to(is_spare, task(Some(key(6))));
    assert_eq!(says(&orders), [&Say::Register(vec![key(4)])]);
}

#[test]
fn a_peer_in_trouble_gives_back_what_it_holds_and_asks_for_nothing_for_a_while() {
    let mut play = at_work(2 * ANSWER);
    play.answer_to(is_spare, task(Some(key(7))));
    let mut orders = play.had_no_room(key(5));
    assert_eq!(runs(&orders), [], "it would fail as this one did");
    let held = vec![key(5), key(6)];
    assert_eq!(says(&orders), [&Say::Register(held)]);
    orders = play.answer_to(is_register, Said::Registered(Some(OURS)));
    orders.extend(play.answer_to(is_hand_in, Said::Taken));
    assert!(!says_any(&orders, is_ask), "{orders:?}");
    orders = play.wait_s(4);
    assert!(!says_any(&orders, is_ask), "{orders:?}");
    assert!(says_any(&play.wait_s(2), is_ask));
}

#[test]
fn a_peer_in_trouble_registers_once_it_knows_what_was_on_its_way() {
    let mut play = at_work_on_one();
    let mut orders = play.had_no_room(key(4));
    orders.extend(play.wait_s(2));
    assert!(!says_any(&orders, is_register), "one may be on its way");
    assert!(!says_any(&orders, is_ask) && runs(&orders).is_empty());
    orders = play.answer_to(is_spare, task(Some(key(6))));
    assert_eq!(runs(&orders), [key(6)]);
    let has = vec![key(4), key(6)];
    assert_eq!(says(&orders), [&Say::Register(has)]);
}

#[test]
fn what_is_held_is_named_to_a_master_that_was_lost_and_found() {
    let mut play = at_work(2 * ANSWER);
    play.answer_to(is_spare, task(Some(key(7))));
    play.closed();
    play.wait_s(1);
    let held = vec![key(5), key(6), key(7)];
    assert_eq!(says(&play.connected()), [&Say::Register(held)]);
    play.answer(Said::Registered(Some(OURS)));
    assert_eq!(runs(&play.ended(key(5))), [key(7)]);
}

#[test]
fn another_master_is_not_told_of_what_is_held() {
    for ours in [Some(THEIRS), None] {
        let mut play = at_work(2 * ANSWER);
        play.answer_to(is_spare, task(Some(key(7))));
        play.another_master(ours);
        assert_eq!(runs(&play.ended(key(5))), [], "{ours:?}");
    }
}

#[test]
fn what_is_cancelled_while_it_is_held_never_runs() {
    let mut play = at_work(2 * ANSWER);
    play.answer_to(is_spare, task(Some(key(7))));
    assert_eq!(play.heard(None, Said::Cancel(key(7))), []);
    assert_eq!(runs(&play.ended(key(5))), []);
}

#[test]
fn one_that_leaves_gives_back_what_it_holds_at_once() {
    let mut play = at_work(2 * ANSWER);
    play.answer_to(is_spare, task(Some(key(7))));
    let orders = play.leave(false);
    let held = vec![key(5), key(6)];
    assert_eq!(says(&orders), [&Say::Register(held)]);
    play.answer_to(is_register, Said::Registered(Some(OURS)));
    assert_eq!(runs(&play.ended(key(5))), []);
}

#[test]
fn what_is_given_back_while_we_register_is_not_forgotten() {
    let mut play = at_work(2 * ANSWER);
    play.answer_to(is_spare, task(Some(key(7))));
    play.closed();
    play.wait_s(1);
    play.connected();
    play.leave(false);
    let orders = play.answer_to(is_register, Said::Registered(Some(OURS)));
    let held = vec![key(5), key(6)];
    assert_eq!(says(&orders), [&Say::Register(held)]);
}

#[test]
fn one_that_fails_fast_gets_no_more_for_it() {
    let mut play = Play::with_ours();
    for number in 1..9 {
        play.take(number);
        let failed = Outcome {
            ending: Ending::Exit(1),
            ..outcome()
        };
        let orders = play
            .mind
            .run_ended(key(number), failed, Archive::new("result"), play.now);
        play.did(orders);
        play.answer_to(is_hand_in, Said::Taken);
    }
    play.take(9);
    play.take(10);
    assert_eq!(count(&play, is_spare), 0);
}
