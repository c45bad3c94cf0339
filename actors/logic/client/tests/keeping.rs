//! What waits to be handed in: for a disk, for the next life, for its own master.

use super::*;

fn kept(number: u128, named: bool) -> Kept {
    Kept {
        hand_in: HandIn {
            key: key(number),
            name: "exemplo.zip".into(),
            outcome: outcome(),
            result: Archive::new("result"),
        },
        named,
        master_id: None,
    }
}

/// The same with the master that named it.
fn kept_for(number: u128, master: Ours) -> Kept {
    Kept {
        master_id: Some(master.master_id),
        ..kept(number, true)
    }
}

/// A peer that was started anew with what its last life left.
fn restarted(left: Vec<Kept>) -> Play {
    let mut play = Play::of(Terms {
        slots: 2,
        fixed: Some(master(&[1], None)),
    });
    play.mind = play.mind.holding(left);
    play.start();
    play
}

fn handed_in(orders: &[Order]) -> Vec<RunKey> {
    let key = |say: &&Say| match say {
        Say::HandIn(hand_in) => Some(hand_in.key),
        _ => None,
    };
    says(orders).iter().filter_map(key).collect()
}

fn forgets(orders: &[Order]) -> bool {
    orders.iter().any(|order| matches!(order, Order::Forget(_)))
}

/// How long after the answer the result is handed in again.
fn pause_after(play: &mut Play, said: Said) -> Duration {
    let answered = play.now;
    let mut orders = play.answer_to(is_hand_in, said);
    orders.extend(play.reach(is_hand_in));
    assert!(!forgets(&orders));
    play.now.since(answered)
}

#[test]
fn a_result_that_could_not_be_stored_is_handed_in_again_every_five_seconds_and_never_dropped() {
    let mut play = Play::with_ours();
    let key = play.take(1);
    play.ended(key);
    for _ in 0..500 {
        let pause = pause_after(&mut play, coded("not_stored"));
        // A heartbeat that is due meanwhile is said first.
        assert!((5..6).contains(&pause.as_secs()), "{pause:?}");
    }
    let orders = play.answer_to(is_hand_in, Said::Taken);
    assert!(orders.contains(&Order::Forget(key)));
}

#[test]
fn a_master_that_cannot_store_has_not_forgotten_us() {
    let mut play = Play::with_ours();
    for number in 0..20 {
        play.take(number);
        play.ended(key(number));
        let orders = play.answer_to(is_hand_in, coded("not_stored"));
        assert!(!says_any(&orders, is_register));
    }
}

#[test]
fn a_master_whose_disk_is_full_gets_no_more_work_done() {
    let mut play = Play::with_ours();
    let mut done = 0;
    while play.open.iter().any(|(_, say)| is_ask(say)) {
        assert!(done < 1000, "it works on for nothing");
        play.take(done);
        play.ended(key(done));
        play.answer_to(is_hand_in, coded("not_stored"));
        done += 1;
    }
    assert!(done > 2, "some may wait");
    play.reach(is_hand_in);
    let orders = play.answer_to(is_hand_in, Said::Taken);
    assert!(says_any(&orders, is_ask), "it took one");
}

#[test]
fn what_the_last_life_left_is_named_and_handed_in() {
    let mut play = restarted(vec![kept(1, true), kept(2, true)]);
    assert_eq!(
        says(&play.connected()),
        [&Say::Register(vec![key(1), key(2)])]
    );
    let orders = play.answer(Said::Registered(Some(OURS)));
    assert_eq!(handed_in(&orders), [key(1), key(2)]);
    assert!(says_any(&orders, is_ask), "and work goes on");
    for key in [key(1), key(2)] {
        let orders = play.answer_to(is_hand_in, Said::Taken);
        assert!(orders.contains(&Order::Forget(key)));
    }
}

#[test]
fn what_a_successor_does_not_know_is_forgotten() {
    let mut play = restarted(vec![kept(1, true)]);
    play.connected();
    play.answer(Said::Registered(Some(OURS)));
    let orders = play.answer_to(is_hand_in, coded("unmatched"));
    assert!(orders.contains(&Order::Forget(key(1))));
}

#[test]
fn what_the_last_life_left_runs_no_more() {
    let mut play = restarted(vec![kept(1, true)]);
    play.connected();
    play.answer(Said::Registered(Some(OURS)));
    assert_eq!(play.mind.running().count(), 0);
    assert_eq!(runs(&play.answer_to(is_ask, task(Some(key(1))))), []);
}

#[test]
fn each_result_goes_to_its_own_kind_of_master() {
    for ours in [true, false] {
        let mut play = restarted(vec![kept(1, true), kept(2, false)]);
        play.connected();
        let mut orders = play.answer(Said::Registered(ours.then_some(OURS)));
        orders.extend(play.reach(is_hand_in));
        orders.extend(play.answer_to(is_hand_in, Said::Taken));
        orders.extend(play.reach(is_ask));
        let (own, other) = if ours {
            (key(1), key(2))
        } else {
            (key(2), key(1))
        };
        assert_eq!(handed_in(&orders), [own]);
        assert!(!orders.contains(&Order::Forget(other)));
    }
}

#[test]
fn a_result_waits_while_another_kind_of_master_serves_and_does_not_stop_the_work() {
    let mut play = Play::with_ours();
    let named = play.take(1);
    play.ended(named);
    let mut orders = play.another_master(None);
    orders.extend(play.reach(is_ask));
    let unnamed = play.take_unnamed();
    orders.extend(play.ended(unnamed));
    assert!(!forgets(&orders));
    orders = play.another_master(Some(OURS));
    assert!(says_any(&orders, |say| *say == Say::Register(vec![named])));
    orders.extend(play.reach(is_hand_in));
    assert!(handed_in(&orders).iter().all(|handed| *handed == named));
    orders = play.answer_to(is_hand_in, Said::Taken);
    assert!(orders.contains(&Order::Forget(named)));
    play.another_master(None);
    play.reach(is_hand_in);
    orders = play.answer_to(is_hand_in, Said::Taken);
    assert!(orders.contains(&Order::Forget(unnamed)));
}

#[test]
fn a_task_for_which_our_disk_has_no_room_is_answered_for_and_the_next_is_not_taken_at_once() {
    let mut play = Play::with_ours();
    let key = play.take(1);
    play.answer_to(is_ask, Said::Nothing);
    assert!(says_any(&play.had_no_room(key), is_hand_in));
    let orders = [play.answer_to(is_hand_in, Said::Taken), play.wait_s(4)].concat();
    assert!(!says_any(&orders, is_ask));
    assert!(says_any(&play.wait_s(2), is_ask), "later it may");
}

#[test]
fn one_that_leaves_a_master_whose_disk_is_full_says_goodbye_and_keeps_the_result() {
    let mut play = Play::with_ours();
    let key = play.take(1);
    play.ended(key);
    play.answer_to(is_hand_in, coded("not_stored"));
    let mut orders = play.leave(false);
    for _ in 0..60 {
        orders.extend(play.wait_s(1));
        while let Some((_, say)) = play.open.iter().find(|(_, say)| !is_leave(say)) {
            let say = say.clone();
            let said = match say {
                Say::HandIn(_) => coded("not_stored"),
                Say::Heartbeat => Said::Alive,
                Say::Register(_) => Said::Registered(Some(OURS)),
                _ => Said::Nothing,
            };
            orders.extend(play.answer_to(|open| *open == say, said));
        }
    }
    let goodbyes = says(&orders).into_iter().filter(|say| is_leave(say));
    assert_eq!(goodbyes.count(), 1);
    assert!(orders.contains(&Order::Gone) && !forgets(&orders));
}

#[test]
fn a_drain_does_not_wait_for_another_kind_of_master() {
    let mut play = restarted(vec![kept(1, false)]);
    play.connected();
    play.answer(Said::Registered(Some(OURS)));
    assert!(says_any(&play.leave(false), is_leave));
    let orders = play.answer_to(is_leave, Said::Left);
    assert!(orders.contains(&Order::Gone) && !forgets(&orders));
}

#[test]
fn what_another_master_of_ours_says_of_a_run_changes_nothing() {
    for (first, second) in [(OURS, THEIRS), (THEIRS, OURS)] {
        let (mut play, _) = Play::fixed(None);
        play.connected();
        play.answer(Said::Registered(Some(first)));
        let (running, done) = (play.take(1), play.take(2));
        play.ended(done);
        let mut orders = play.another_master(Some(second));
        assert!(says_any(&orders, |say| *say == Say::Register(vec![running, done])));
        for key in [running, done] {
            assert_eq!(play.heard(None, Said::Cancel(key)), []);
        }
        orders.extend(play.wait_s(1));
        assert_eq!(handed_in(&orders), []);
        orders.extend(play.reach(is_ask));
        let its = play.take(3);
        play.ended(its);
        play.reach(is_hand_in);
        let taken = play.answer_to(is_hand_in, Said::Taken);
        assert_eq!(taken.first(), Some(&Order::Forget(its)));
        orders.extend(play.ended(running));
        assert_eq!(handed_in(&orders), []);
        assert!(!forgets(&orders));
        let orders = play.another_master(Some(first));
        assert_eq!(handed_in(&orders), [running, done]);
        for key in [running, done] {
            let orders = play.answer_to(is_hand_in, Said::Taken);
            assert!(orders.contains(&Order::Forget(key)));
        }
    }
}

#[test]
fn a_master_that_was_started_anew_may_cancel_what_it_named_once_it_has_said_who_it_is() {
    let mut play = Play::with_ours();
    let (first, second) = (play.take(1), play.take(2));
    play.closed();
    play.wait_s(1);
    play.connected();
    assert_eq!(play.heard(None, Said::Cancel(first)), []);
    play.answer(Said::Registered(Some(OURS)));
    for key in [first, second] {
        let orders = play.heard(None, Said::Cancel(key));
        assert_eq!(orders[..2], [Order::Stop(key), Order::Forget(key)]);
    }
}

#[test]
fn what_the_last_life_left_goes_to_the_master_that_named_it_or_to_any_if_that_is_unknown() {
    let mut play = restarted(vec![kept_for(1, OURS), kept_for(2, THEIRS), kept(3, true)]);
    play.connected();
    let orders = play.answer(Said::Registered(Some(THEIRS)));
    assert_eq!(handed_in(&orders), [key(2), key(3)]);
    for key in [key(2), key(3)] {
        let orders = play.answer_to(is_hand_in, coded("unmatched"));
        assert!(orders.contains(&Order::Forget(key)));
    }
    let orders = play.another_master(Some(OURS));
    assert_eq!(handed_in(&orders), [key(1)]);
}

#[test]
fn results_for_other_masters_stop_the_work_only_when_they_are_twice_what_one_master_may_leave() {
    // Twice two slots and the 64 beside them.
    for (waiting, works) in [(131, true), (132, false)] {
        let left = (0..waiting).map(|number| kept_for(number, THEIRS));
        let mut play = restarted(left.collect());
        play.connected();
        let orders = play.answer(Said::Registered(Some(OURS)));
        assert_eq!(says_any(&orders, is_ask), works);
    }
}

#[test]
fn a_drain_does_not_wait_for_another_master_of_ours() {
    let mut play = restarted(vec![kept_for(1, THEIRS)]);
    play.connected();
    play.answer(Said::Registered(Some(OURS)));
    assert!(says_any(&play.leave(false), is_leave));
    let orders = play.answer_to(is_leave, Said::Left);
    assert!(orders.contains(&Order::Gone) && !forgets(&orders));
}
