//! With a master of another group: one thing at a time, closed or silent at any moment.

use super::*;

#[test]
fn one_thing_is_said_at_a_time() {
    let (mut play, _) = Play::fixed(None);
    assert_eq!(says(&play.connected()), [&Say::Register(vec![])]);
    assert_eq!(
        says(&play.answer(Said::Registered(None))),
        [&Say::Heartbeat]
    );
    assert_eq!(
        says(&play.answer(Said::Alive)),
        [&Say::Ask(Want::Slot(None))]
    );
    assert_eq!(play.wait_s(4), []);
}

#[test]
fn one_that_closes_after_each_reply_is_dialled_for_each_message() {
    let (mut play, _) = Play::fixed(None);
    play.connected();
    let mut reply = Said::Registered(None);
    for _ in 0..3 {
        play.answer(reply);
        let mut orders = play.closed();
        orders.extend(play.wait_s(2));
        assert_eq!(dials(&orders), [address(1)]);
        assert_eq!(says(&play.connected()).len(), 1);
        reply = Said::Nothing;
    }
}

#[test]
fn one_that_answers_one_message_a_connection_is_remembered() {
    let (mut play, _) = Play::fixed(None);
    play.connected();
    play.answer(Said::Registered(None));
    let orders = play.wait_s(20);
    assert_eq!(orders, [Order::HangUp, Order::Dial(address(1))]);
    play.connected();
    assert_eq!(play.open.len(), 1, "it is said again where it can be heard");
    let orders = play.answer(Said::Nothing);
    let orders = [orders, play.wait_s(2)].concat();
    assert_eq!(orders, [Order::HangUp, Order::Dial(address(1))]);
}

#[test]
fn silence_to_an_ask_is_nothing_now_after_five_seconds() {
    let mut play = Play::with_foreign();
    play.closed();
    play.connected();
    assert!(play.open.iter().any(|(_, say)| is_ask(say)));
    assert_eq!(play.wait_s(5), []);
    assert!(play.wait(TICK).contains(&Order::HangUp));
    play.reach(is_ask);
}

#[test]
fn a_task_that_takes_long_to_arrive_is_not_taken_for_silence() {
    let mut play = Play::with_foreign();
    for tenth in 1..200 {
        play.mind.moved(tenth << 17);
        assert!(!play.wait(TICK).contains(&Order::HangUp));
    }
    play.take_unnamed();
}

#[test]
fn a_heartbeat_that_is_never_answered_does_not_keep_the_line_for_long() {
    let (mut play, _) = Play::fixed(None);
    play.connected();
    play.answer(Said::Registered(None));
    play.closed();
    play.wait_s(5);
    play.connected();
    let orders = play.wait_s(7);
    assert!(orders.contains(&Order::HangUp), "{:?}", play.open);
}

#[test]
fn no_task_is_asked_for_again_after_a_pause() {
    let mut play = Play::with_foreign();
    assert_eq!(play.answer(Said::Nothing), []);
    assert_eq!(says(&play.wait_s(1)), [&Say::Ask(Want::Slot(None))]);
}

#[test]
fn one_task_at_a_time_is_taken_and_only_heartbeats_are_said_meanwhile() {
    let mut play = Play::with_foreign();
    play.take_unnamed();
    for _ in 0..12 {
        let orders = play.wait_s(5);
        assert_eq!(says(&orders), [&Say::Heartbeat]);
        play.answer(Said::Alive);
    }
}

#[test]
fn nothing_is_asked_for_before_the_result_is_taken() {
    let mut play = Play::with_foreign();
    let key = play.take_unnamed();
    let orders = play.ended(key);
    assert!(matches!(says(&orders)[..], [Say::HandIn(hand_in)] if hand_in.name == "exemplo.zip"));
    let orders = play.answer(Said::Taken);
    assert_eq!(orders.first(), Some(&Order::Forget(key)));
    assert!(says_any(&orders, is_ask));
}

#[test]
fn a_plain_result_is_made_for_it() {
    let mut play = Play::with_foreign();
    let ran = play.answer(task(None));
    assert!(
        matches!(&ran[0], Order::Run(run) if run.plain_result && run.sent_name == "exemplo.zip")
    );
}

#[test]
fn a_result_that_was_refused_without_a_reason_or_met_silence_is_handed_in_again() {
    let mut play = Play::with_foreign();
    let key = play.take_unnamed();
    play.ended(key);
    let orders = play.answer(error());
    assert!(!orders.contains(&Order::Forget(key)));
    play.reach(is_hand_in);
    assert!(play.wait_s(16).contains(&Order::HangUp));
    play.reach(is_hand_in);
    assert!(
        play.answer_to(is_hand_in, Said::Taken)
            .contains(&Order::Forget(key))
    );
}

#[test]
fn a_result_outlives_a_master_that_is_away_for_a_day() {
    let mut play = Play::with_foreign();
    let key = play.take_unnamed();
    play.ended(key);
    let mut orders = play.closed();
    for _ in 0..2_000 {
        orders.extend(play.not_connected());
        orders.extend(play.wait_s(6));
    }
    assert!(!orders.contains(&Order::Forget(key)));
    assert!(
        says_any(&play.connected(), is_register),
        "it may have forgotten us"
    );
    play.reach(is_hand_in);
}

#[test]
fn a_master_that_goes_and_comes_back_between_refusals_is_not_believed() {
    let mut play = Play::with_foreign();
    let key = play.take_unnamed();
    let mut orders = play.ended(key);
    for _ in 0..30 {
        orders.extend(play.reach(is_hand_in));
        orders.extend(play.answer_to(is_hand_in, error()));
        orders.extend(play.closed());
        orders.extend(play.wait_s(60));
        orders.extend(play.not_connected());
        orders.extend(play.wait_s(6));
    }
    assert!(!orders.contains(&Order::Forget(key)));
}

#[test]
fn one_that_has_forgotten_us_is_registered_with_again() {
    let mut play = Play::with_foreign();
    let mut orders = Vec::new();
    for _ in 0..3 {
        orders.extend(play.answer_to(is_ask, error()));
        orders.extend(play.wait_s(2));
    }
    assert!(says_any(&orders, is_register));
}

#[test]
fn one_that_has_forgotten_us_while_we_worked_is_registered_with_again() {
    let mut play = Play::with_foreign();
    let key = play.take_unnamed();
    let mut orders = play.ended(key);
    for _ in 0..60 {
        if play.open.iter().any(|(_, say)| is_register(say)) {
            break;
        }
        if !play.open.is_empty() {
            orders.extend(play.answer(error()));
        }
        orders.extend(play.wait_s(2));
    }
    assert!(says_any(&orders, is_register));
    assert!(!orders.contains(&Order::Forget(key)));
}

#[test]
fn a_number_that_it_sends_by_itself_is_not_taken_for_one_of_ours() {
    let (mut play, _) = Play::fixed(None);
    play.connected();
    let orders = play.heard(Some(4711), Said::Registered(None));
    assert_eq!(says(&orders), [&Say::Heartbeat]);
}

#[test]
fn a_word_that_is_no_answer_to_an_ask_is_nothing_now() {
    let mut play = Play::with_foreign();
    assert_eq!(play.answer(Said::Unknown("HELLO".into())), []);
    assert_eq!(says(&play.wait_s(1)), [&Say::Ask(Want::Slot(None))]);
}

#[test]
fn tries_that_no_master_named_are_not_said_to_be_held() {
    let mut play = Play::with_foreign();
    play.take_unnamed();
    play.closed();
    play.wait_s(6);
    play.not_connected();
    play.wait_s(6);
    assert_eq!(says(&play.connected()), [&Say::Register(vec![])]);
}
