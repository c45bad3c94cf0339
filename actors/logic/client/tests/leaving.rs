//! How a peer goes.

use super::*;

#[test]
fn one_with_nothing_to_do_says_goodbye_and_goes() {
    let mut play = Play::with_ours();
    assert_eq!(says(&play.leave(false)), [&Say::Leave]);
    assert_eq!(
        play.answer_to(is_leave, Said::Left),
        [Order::HangUp, Order::Gone]
    );
    assert_eq!(play.wait_s(60), []);
}

#[test]
fn one_without_a_master_goes_at_once() {
    let (mut play, _) = Play::fixed(None);
    assert_eq!(play.leave(false), [Order::HangUp, Order::Gone]);
}

#[test]
fn a_drain_asks_for_nothing_and_waits_for_the_run_and_its_receipt() {
    let mut play = Play::with_ours();
    let key = play.take(1);
    assert_eq!(play.mind.slots(), 2);
    assert_eq!(says(&play.leave(false)), [&Say::Register(vec![key])]);
    assert_eq!(play.mind.slots(), 0, "which is said with it");
    assert_eq!(play.answer_to(is_ask, Said::Nothing), []);
    assert_eq!(play.answer(Said::Registered(Some(OURS))), []);
    for _ in 0..100 {
        for say in says(&play.wait_s(3)) {
            assert_eq!(say, &Say::Heartbeat);
        }
        play.answer(Said::Alive);
    }
    assert!(says_any(&play.ended(key), is_hand_in));
    assert!(says_any(&play.answer_to(is_hand_in, Said::Taken), is_leave));
    assert!(play.answer_to(is_leave, Said::Left).contains(&Order::Gone));
}

#[test]
fn a_drain_with_another_master_ends_with_the_last_receipt() {
    let mut play = Play::with_foreign();
    let key = play.take_unnamed();
    play.leave(false);
    let mut orders = play.ended(key);
    orders.extend(play.answer(Said::Taken));
    assert!(orders.contains(&Order::Gone));
    assert!(!says_any(&orders, is_leave));
}

#[test]
fn a_task_that_was_on_its_way_when_the_drain_began_is_handed_back() {
    let mut play = Play::with_ours();
    let first = play.take(1);
    play.leave(false);
    let mut orders = play.answer_to(is_ask, task(Some(key(2))));
    orders.extend(play.answer_to(is_register, Said::Registered(Some(OURS))));
    assert_eq!(runs(&orders), []);
    assert_eq!(says(&orders), [&Say::Register(vec![first])]);
    play.answer_to(is_register, Said::Registered(Some(OURS)));
    play.ended(first);
    assert!(says_any(&play.answer_to(is_hand_in, Said::Taken), is_leave));
}

#[test]
fn a_task_that_comes_after_the_goodbye_is_left_to_others() {
    let mut play = Play::with_ours();
    play.leave(false);
    assert_eq!(runs(&play.answer_to(is_ask, task(Some(key(1))))), []);
    assert!(play.answer_to(is_leave, Said::Left).contains(&Order::Gone));
}

#[test]
fn a_result_that_was_ready_long_after_the_order_to_leave_is_handed_in() {
    let mut play = Play::with_ours();
    let key = play.take(1);
    play.leave(false);
    play.answer_to(is_register, Said::Registered(Some(OURS)));
    for _ in 0..200 {
        play.wait_s(3);
        play.open.clear();
        play.mind
            .in_flight
            .retain(|_, open| !is_heartbeat(&open.say));
        play.mind.in_flight.retain(|_, open| !is_ask(&open.say));
    }
    let orders = play.ended(key);
    assert!(says_any(&orders, is_hand_in), "{orders:?}");
    assert!(!orders.contains(&Order::Gone));
}

#[test]
fn a_drain_without_a_master_waits_for_the_run_and_a_while_longer() {
    let mut play = Play::with_ours();
    let key = play.take(1);
    play.leave(false);
    play.closed();
    let dead_for = |play: &mut Play, seconds| {
        let mut orders = Vec::new();
        for _ in 0..seconds {
            orders.extend(play.wait_s(1));
            if play.mind.line == Line::Dialling {
                orders.extend(play.not_connected());
            }
        }
        orders
    };
    assert!(!dead_for(&mut play, 300).contains(&Order::Gone));
    play.ended(key);
    assert!(!dead_for(&mut play, 25).contains(&Order::Gone));
    let orders = dead_for(&mut play, 10);
    assert!(orders.contains(&Order::Gone));
    assert!(
        !orders.contains(&Order::Forget(key)),
        "the result stays on disk"
    );
}

#[test]
fn one_that_stops_kills_its_runs_and_waits_until_they_are_dead() {
    let mut play = Play::with_ours();
    let key = play.take(1);
    let orders = play.leave(true);
    assert_eq!(orders, [Order::StopAll]);
    assert_eq!(play.leave(true), [], "it is said once");
    let orders = play.ended(key);
    assert!(orders.contains(&Order::Forget(key)) && says_any(&orders, is_leave));
    assert!(play.answer_to(is_leave, Said::Left).contains(&Order::Gone));
}

#[test]
fn one_that_stops_runs_nothing_new() {
    let mut play = Play::with_ours();
    let key = play.take(1);
    play.leave(true);
    let late = play.answer_to(is_ask, task(Some(super::key(2))));
    assert_eq!(runs(&late), []);
    play.answer_to(is_register, Said::Registered(Some(OURS)));
    assert!(says_any(&play.ended(key), is_leave));
}

#[test]
fn one_that_stops_does_not_wait_long_for_a_silent_master() {
    let mut play = Play::with_ours();
    play.leave(true);
    assert!(play.wait_s(5).contains(&Order::Gone));
}

#[test]
fn a_drain_becomes_a_stop_when_the_order_is_given_twice() {
    let mut play = Play::with_ours();
    let key = play.take(1);
    assert!(!play.leave(false).contains(&Order::StopAll));
    assert!(play.leave(true).contains(&Order::StopAll));
    play.ended(key);
    assert!(play.wait_s(5).contains(&Order::Gone));
}

#[test]
fn a_result_that_waits_when_the_peer_stops_stays_on_disk() {
    let mut play = Play::with_ours();
    let key = play.take(1);
    play.ended(key);
    let mut orders = play.leave(true);
    orders.extend(play.wait_s(5));
    assert!(orders.contains(&Order::Gone));
    assert!(!orders.contains(&Order::Forget(key)));
}

#[test]
fn a_lost_connection_is_no_news_to_one_that_is_gone() {
    let (mut play, _) = Play::fixed(None);
    play.connected();
    play.leave(false);
    assert_eq!(play.closed(), []);
    assert_eq!(play.found(&[1], None), []);
    assert_eq!(play.wait_s(60), []);
}
