//! With a master of ours: one connection, several requests, tries by their keys.

use super::*;

#[test]
fn one_ask_waits_at_the_master_and_the_heartbeat_has_its_rhythm() {
    let (mut play, _) = Play::fixed(None);
    play.connected();
    let orders = play.answer(Said::Registered(Some(OURS)));
    assert!(matches!(says(&orders)[..], [Say::Ask(Want::Slot(Some(_)))]));
    assert_eq!(play.wait(BEAT - TICK), []);
    assert_eq!(says(&play.wait(TICK)), [&Say::Heartbeat]);
    play.answer_to(is_heartbeat, Said::Alive);
    assert_eq!(says(&play.wait(BEAT)), [&Say::Heartbeat]);
}

#[test]
fn as_many_tasks_are_taken_as_there_are_slots() {
    let mut play = Play::with_ours();
    play.take(1);
    let ran = play.answer_to(is_ask, task(Some(key(2))));
    assert_eq!(runs(&ran), [key(2)]);
    assert!(!says_any(&ran, is_ask));
    assert!(
        says_any(&play.ended(key(1)), is_ask),
        "the slot is free again"
    );
}

#[test]
fn a_result_goes_in_while_the_ask_waits_and_the_other_task_runs() {
    let mut play = Play::with_ours();
    play.take(1);
    let orders = play.ended(key(1));
    assert!(matches!(says(&orders)[0], Say::HandIn(hand_in) if hand_in.key == key(1)));
    let orders = play.answer_to(is_hand_in, Said::Taken);
    assert_eq!(orders, [Order::Forget(key(1))]);
    assert!(play.open.iter().any(|(_, say)| is_ask(say)));
}

#[test]
fn no_more_than_some_results_are_on_their_way_at_once_and_fewer_large_ones() {
    for (bytes, most) in [(10, 16), (1 << 20, 4)] {
        let mut play = Play::of(Terms {
            slots: 200,
            fixed: Some(master(&[1], None)),
        });
        play.start();
        play.connected();
        play.answer(Said::Registered(Some(OURS)));
        for number in 0..200 {
            play.take(number);
        }
        let on_their_way =
            |play: &Play| play.open.iter().filter(|(_, say)| is_hand_in(say)).count();
        for number in 0..200 {
            let result = Archive::new(vec![0; bytes]);
            let orders = play
                .mind
                .run_ended(key(number), outcome(), result, play.now);
            play.did(orders);
            assert!(on_their_way(&play) <= most);
        }
        assert_eq!(on_their_way(&play), most);
        for _ in 0..200 {
            play.answer_to(is_hand_in, Said::Taken);
        }
        assert!(play.mind.runs.is_empty());
    }
}

#[test]
fn nothing_waits_is_asked_again_after_a_pause() {
    let mut play = Play::with_ours();
    assert_eq!(play.answer_to(is_ask, Said::Nothing), []);
    assert!(says_any(&play.wait_s(2), is_ask));
}

#[test]
fn a_result_that_the_master_is_sure_not_to_want_is_forgotten() {
    for code in ["too_late", "unmatched", "refused"] {
        let mut play = Play::with_ours();
        let key = play.take(1);
        play.ended(key);
        assert!(
            play.answer_to(is_hand_in, coded(code))
                .contains(&Order::Forget(key))
        );
    }
}

#[test]
fn a_result_that_was_damaged_on_its_way_is_handed_in_again() {
    let mut play = Play::with_ours();
    let key = play.take(1);
    play.ended(key);
    let orders = play.answer_to(is_hand_in, coded("damaged"));
    assert!(!orders.contains(&Order::Forget(key)));
    play.reach(is_hand_in);
}

#[test]
fn a_result_survives_every_lost_connection_and_is_handed_in_until_it_is_taken() {
    let mut play = Play::with_ours();
    let key = play.take(1);
    play.ended(key);
    for _ in 0..50 {
        let orders = play.closed();
        assert!(!orders.contains(&Order::Forget(key)));
        play.wait_s(6);
        play.not_connected();
        play.wait_s(6);
        let registers = play.connected();
        assert_eq!(says(&registers), [&Say::Register(vec![key])]);
        play.answer(Said::Registered(Some(OURS)));
        play.reach(is_hand_in);
    }
    assert!(
        play.answer_to(is_hand_in, Said::Taken)
            .contains(&Order::Forget(key))
    );
}

#[test]
fn a_connection_that_breaks_under_a_result_is_no_refusal_of_it() {
    let mut play = Play::with_ours();
    let key = play.take(1);
    play.ended(key);
    for _ in 0..20 {
        play.closed();
        play.wait_s(1);
        play.connected();
        play.answer(Said::Registered(Some(OURS)));
        play.reach(is_hand_in);
    }
    let orders = play.answer_to(is_hand_in, coded("damaged"));
    assert!(!orders.contains(&Order::Forget(key)));
    play.reach(is_hand_in);
}

#[test]
fn one_that_comes_back_says_what_it_holds() {
    let mut play = Play::with_ours();
    let (first, second) = (play.take(1), play.take(2));
    play.ended(first);
    play.closed();
    play.wait_s(1);
    assert_eq!(
        says(&play.connected()),
        [&Say::Register(vec![first, second])]
    );
}

#[test]
fn a_try_that_is_held_already_is_not_run_twice() {
    let mut play = Play::with_ours();
    let key = play.take(1);
    assert_eq!(runs(&play.answer_to(is_ask, task(Some(key)))), []);
}

#[test]
fn a_cancelled_try_is_stopped_and_forgotten_once() {
    let mut play = Play::with_ours();
    let key = play.take(1);
    assert_eq!(
        play.heard(None, Said::Cancel(key)),
        [Order::Stop(key), Order::Forget(key)]
    );
    assert_eq!(play.heard(None, Said::Cancel(key)), []);
    assert!(!play.ended(key).contains(&Order::Forget(key)));
}

#[test]
fn a_result_cancelled_on_its_way_is_forgotten_once() {
    let mut play = Play::with_ours();
    let key = play.take(1);
    play.ended(key);
    assert!(
        play.heard(None, Said::Cancel(key))
            .contains(&Order::Forget(key))
    );
    assert!(
        !play
            .answer_to(is_hand_in, coded("too_late"))
            .contains(&Order::Forget(key))
    );
}

#[test]
fn a_cancel_answers_no_request() {
    let mut play = Play::with_ours();
    play.heard(None, Said::Cancel(key(9)));
    play.take(1);
}

#[test]
fn an_answer_with_an_unknown_number_changes_nothing() {
    let mut play = Play::with_ours();
    assert_eq!(play.heard(Some(999), task(Some(key(1)))), []);
    play.take(1);
}

#[test]
fn a_heartbeat_that_is_not_answered_costs_the_connection_not_the_runs() {
    let mut play = Play::with_ours();
    let key = play.take(1);
    let orders = play.wait_s(20);
    assert!(orders.contains(&Order::HangUp));
    assert_eq!(dials(&orders), [address(1)]);
    assert_eq!(says(&play.connected()), [&Say::Register(vec![key])]);
}

#[test]
fn bytes_that_move_buy_an_answer_more_time() {
    let mut play = Play::with_ours();
    play.take(1);
    play.ended(key(1));
    for second in 1..120 {
        play.mind.moved(second << 20);
        let orders = play.wait_s(1);
        assert!(
            !orders.contains(&Order::HangUp),
            "given up after {second} s"
        );
    }
    assert!(
        play.wait_s(600).contains(&Order::HangUp),
        "nothing moves any more"
    );
}

#[test]
fn one_that_was_not_welcomed_back_gives_up_nothing() {
    let mut play = Play::with_ours();
    let key = play.take(1);
    play.ended(key);
    play.closed();
    play.wait_s(1);
    play.connected();
    let mut orders = play.answer(coded("refused"));
    orders.extend(play.reach(is_hand_in));
    assert!(!orders.contains(&Order::Forget(key)));
}

#[test]
fn a_word_without_a_number_answers_no_request() {
    let mut play = Play::with_ours();
    assert_eq!(play.heard(None, error()), []);
    play.take(1);
}

#[test]
fn one_that_is_not_registered_anew_hangs_up_and_introduces_itself_in_the_same_words() {
    let mut play = Play::of(Terms {
        slots: 2,
        fixed: Some(master(&[1, 2], None)),
    });
    play.start();
    play.connected();
    play.answer(Said::Registered(Some(OURS)));
    let first = play.take(1);
    play.leave(false);
    play.answer_to(is_ask, task(Some(key(2))));
    let orders = play.answer_to(is_register, coded("damaged"));
    assert_eq!(orders, [Order::HangUp, Order::Dial(address(2))]);
    let orders = play.connected();
    let again = Say::Register(vec![first]);
    assert!(
        matches!(&orders[..], [Order::Say(_, Dialect::Flat, say)] if *say == again),
        "{orders:?}"
    );
}

#[test]
fn errors_in_a_row_cost_the_connection_and_nothing_that_waits_on_it_is_taken_for_lost() {
    let mut play = Play::with_ours();
    let first = play.take(1);
    play.ended(first);
    play.answer_to(|say| *say == Say::Ask(Want::Slot(None)), Said::Nothing);
    let mut orders = Vec::new();
    for _ in 0..3 {
        orders.extend(play.reach(is_hand_in));
        assert_eq!(play.open.iter().filter(|(_, say)| is_ask(say)).count(), 1);
        orders.extend(play.answer_to(is_hand_in, coded("damaged")));
    }
    assert!(!says_any(&orders, is_register), "a task may be on its way");
    assert_eq!(orders.last(), Some(&Order::HangUp));
    play.wait_s(1);
    assert_eq!(says(&play.connected()), [&Say::Register(vec![first])]);
    play.answer(Said::Registered(Some(OURS)));
    play.reach(is_hand_in);
}

#[test]
fn a_master_that_takes_no_results_gets_no_more_work_done() {
    let mut play = Play::with_ours();
    let mut done = 0;
    while play.open.iter().any(|(_, say)| is_ask(say)) {
        assert!(done < 1000, "it works on for nothing");
        play.take(done);
        play.ended(key(done));
        done += 1;
    }
    assert!(play.mind.runs.len() > 2, "some may wait");
    let orders = play.answer_to(is_hand_in, Said::Taken);
    assert!(says_any(&orders, is_ask), "it took one");
}

#[test]
fn a_master_that_hands_out_what_is_held_is_not_asked_in_a_tight_loop() {
    let mut play = Play::with_ours();
    play.take(1);
    let orders = play.answer_to(is_ask, task(Some(key(1))));
    assert!(runs(&orders).is_empty() && !says_any(&orders, is_ask));
    assert!(says_any(&play.wait(Duration::from_secs(2)), is_ask));
}
