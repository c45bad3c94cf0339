//! How a master is found, dialled and introduced to.

use super::*;

fn seeker() -> Play {
    Play::of(Terms {
        slots: 2,
        fixed: None,
    })
}

#[test]
fn one_without_a_master_looks_for_one_and_says_nothing() {
    let mut play = seeker();
    assert_eq!(play.start(), [Order::Seek(Vec::new())]);
    assert_eq!(play.wait_s(60), []);
}

#[test]
fn one_whose_master_was_named_dials_it_and_never_looks_for_another() {
    let (mut play, orders) = Play::fixed(None);
    assert_eq!(orders, [Order::Dial(address(1))]);
    let mut dialled = 1;
    for _ in 0..600 {
        let orders = play.not_connected();
        assert_eq!(seeks(&orders), 0);
        dialled += dials(&play.wait_s(6)).len();
    }
    assert_eq!(dialled, 601);
}

#[test]
fn the_addresses_of_a_master_are_tried_in_their_order() {
    let mut play = seeker();
    play.start();
    assert_eq!(play.found(&[1, 2], None), [Order::Dial(address(1))]);
    assert_eq!(play.not_connected(), [Order::Dial(address(2))]);
    let registers = play.connected();
    assert!(says_any(&registers, is_register));
    assert!(
        play.answer(Said::Registered(Some(OURS)))
            .contains(&Order::StopSeeking)
    );
}

#[test]
fn the_next_address_is_tried_when_whoever_answers_at_the_first_is_no_master() {
    let mut play = seeker();
    play.start();
    play.found(&[1, 2], Some(Dialect::Flat));
    play.connected();
    let orders = play.answer(Said::Unknown("SSH-2.0".into()));
    assert_eq!(orders, [Order::HangUp, Order::Dial(address(2))]);
}

#[test]
fn a_master_that_was_lost_is_dialled_on_while_another_is_looked_for() {
    let mut play = seeker();
    play.start();
    play.found(&[1], None);
    play.connected();
    play.answer(Said::Registered(Some(OURS)));
    let mut orders = play.closed();
    for _ in 0..20 {
        orders.extend(play.wait_s(6));
        orders.extend(play.not_connected());
    }
    assert_eq!(seeks(&orders), 1);
    assert!(orders.contains(&Order::Seek(vec![address(1)])));
    assert!(dials(&orders).len() >= 15);
    play.wait_s(6);
    play.connected();
    assert!(
        play.answer(Said::Registered(Some(OURS)))
            .contains(&Order::StopSeeking)
    );
}

#[test]
fn a_master_that_was_found_and_never_serves_is_not_the_last_one_looked_for() {
    let mut play = seeker();
    play.start();
    play.found(&[1], None);
    let mut orders = Vec::new();
    for _ in 0..5 {
        orders.extend(play.not_connected());
        orders.extend(play.wait_s(6));
    }
    assert_eq!(seeks(&orders), 1);
    assert_eq!(play.found(&[2], None), [Order::Dial(address(2))]);
}

#[test]
fn one_that_is_served_takes_no_other_master() {
    let mut play = seeker();
    play.start();
    play.found(&[1], None);
    play.connected();
    play.answer(Said::Registered(None));
    assert_eq!(play.found(&[2], None), []);
}

#[test]
fn each_dialect_is_tried_with_a_master_that_was_not_heard() {
    let (mut play, _) = Play::fixed(None);
    let mut tried = Vec::new();
    for _ in 0..4 {
        let said = play.connected();
        let Some(Order::Say(_, dialect, Say::Register(_))) = said.first() else {
            panic!("{said:?}");
        };
        tried.push(*dialect);
        play.closed();
        play.wait_s(1);
    }
    let (flat, envelope, super_peer) = (Dialect::Flat, Dialect::Envelope, Dialect::SuperPeer);
    assert_eq!(tried, [flat, envelope, super_peer, flat]);
}

#[test]
fn one_that_is_refused_was_understood_and_tries_no_other_dialect() {
    let (mut play, _) = Play::fixed(None);
    play.connected();
    assert_eq!(play.answer(coded("refused")), [Order::HangUp]);
    play.wait_s(1);
    let said = play.connected();
    assert!(matches!(said[..], [Order::Say(_, Dialect::Flat, _)]));
}

#[test]
fn only_the_announced_dialect_is_spoken_to_one_that_was_heard() {
    let (mut play, _) = Play::fixed(Some(Dialect::Envelope));
    for _ in 0..4 {
        let said = play.connected();
        assert!(matches!(said[..], [Order::Say(_, Dialect::Envelope, _)]));
        assert_eq!(dials(&play.closed()), []);
        play.wait_s(6);
    }
}

#[test]
fn a_master_that_takes_connections_and_closes_them_is_not_dialled_in_a_spin() {
    let (mut play, _) = Play::fixed(None);
    let mut dialled = 0;
    for _ in 0..600 {
        if play.mind.line == Line::Dialling {
            play.connected();
            dialled += dials(&play.closed()).len();
        }
        dialled += dials(&play.wait(TICK)).len();
    }
    assert!(dialled < 100, "{dialled}");
}

#[test]
fn a_master_of_ours_that_registers_and_closes_is_not_dialled_in_a_spin() {
    let mut play = Play::with_ours();
    for _ in 0..600 {
        let orders = play.closed();
        assert_eq!(dials(&orders), [], "dialled in the same instant");
        play.wait_s(1);
        play.connected();
        play.answer(Said::Registered(Some(OURS)));
    }
}

#[test]
fn a_registration_that_is_not_answered_is_given_up() {
    let (mut play, _) = Play::fixed(Some(Dialect::Flat));
    play.connected();
    let orders = play.wait_s(16);
    assert!(orders.contains(&Order::HangUp));
    assert!(!dials(&orders).is_empty());
}
