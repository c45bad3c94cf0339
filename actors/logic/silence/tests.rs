use std::ops::RangeInclusive;

use proptest::prelude::*;

use super::*;
use crate::model::Life;

const START: Moment = Moment(0);

fn peer(number: u8) -> Endpoint {
    Endpoint {
        peer: format!("p{number}").parse().unwrap(),
        life: Life::Address([10, 0, 0, number].into()),
    }
}

fn at_ms(ms: u64) -> Moment {
    Moment(ms * 1000)
}

fn at_s(seconds: u64) -> Moment {
    at_ms(seconds * 1000)
}

/// Sweeps every second from one second to another, and tells who fell silent when.
fn sweep_through(silence: &mut Silence, seconds: RangeInclusive<u64>) -> Vec<(u64, u8)> {
    let mut silent = Vec::new();
    for second in seconds {
        for one in silence.sweep(at_s(second)) {
            let number = one.endpoint.peer.as_str()[1..].parse().unwrap();
            silent.push((second, number));
        }
    }
    silent
}

/// A peer that beat with this interval until the second that is answered, swept every second.
fn beating(silence: &mut Silence, interval: u64, beats: u64) -> u64 {
    for second in 0..=interval * beats {
        if second % interval == 0 {
            silence.heard(&peer(1), true, at_s(second));
        }
        assert_eq!(silence.sweep(at_s(second)), []);
    }
    interval * beats
}

#[test]
fn speakers_of_5_10_and_30_seconds_live_side_by_side() {
    let mut silence = Silence::default();
    for second in 0..3600 {
        for interval in [5, 10, 30] {
            if second % u64::from(interval) == 0 {
                silence.heard(&peer(interval), true, at_s(second));
            }
        }
        assert_eq!(silence.sweep(at_s(second)), []);
    }
    let silent = sweep_through(&mut silence, 3600..=4000);
    assert_eq!(
        silent,
        [(3595 + 15, 5), (3590 + 30, 10), (3570 + 90, 30)],
        "three intervals after the last word of each"
    );
}

#[test]
fn whose_interval_is_not_known_gets_the_first_window() {
    let mut silence = Silence::default();
    silence.heard(&peer(1), false, START);
    silence.heard(&peer(2), true, START);
    assert_eq!(sweep_through(&mut silence, 0..=89), []);
    assert_eq!(sweep_through(&mut silence, 90..=400), [(90, 1), (90, 2)]);
}

#[test]
fn a_peer_that_was_told_its_interval_gets_three_of_it_from_the_start() {
    let mut silence = Silence::default();
    let ours = Endpoint {
        life: Life::Boot(crate::model::BootId::random()),
        ..peer(1)
    };
    silence.heard(&ours, false, START);
    assert_eq!(sweep_through(&mut silence, 0..=14), []);
    assert_eq!(sweep_through(&mut silence, 15..=20), [(15, 1)]);
}

#[test]
fn two_early_beats_do_not_shorten_the_first_window() {
    let mut silence = Silence::default();
    silence.heard(&peer(1), true, START);
    silence.heard(&peer(1), true, at_s(2));
    assert_eq!(sweep_through(&mut silence, 2..=400), [(92, 1)]);
}

#[test]
fn a_burst_of_beats_does_not_shorten_the_window_of_a_slow_speaker() {
    let mut silence = Silence::default();
    let last = beating(&mut silence, 30, 6);
    for ms in [100, 200, 300, 400, 500, 600] {
        silence.heard(&peer(1), true, at_ms(last * 1000 + ms));
    }
    silence.heard(&peer(1), true, at_s(last + 2));
    let silent = sweep_through(&mut silence, last + 2..=last + 400);
    assert_eq!(silent, [(last + 92, 1)]);
}

#[test]
fn the_window_has_a_floor_and_a_cap() {
    let mut silence = Silence::default();
    let last = beating(&mut silence, 1, 20);
    let silent = sweep_through(&mut silence, last..=last + 400);
    assert_eq!(silent, [(last + 15, 1)]);

    let mut silence = Silence::default();
    let last = beating(&mut silence, 80, 1);
    silence.heard(&peer(1), true, at_s(last + 80));
    silence.heard(&peer(1), false, at_s(last + 160));
    silence.heard(&peer(1), true, at_s(last + 240));
    let last = last + 240;
    let silent = sweep_through(&mut silence, last..=last + 400);
    assert_eq!(silent, [(last + 300, 1)]);
}

#[test]
fn any_word_shows_life() {
    let mut silence = Silence::default();
    let last = beating(&mut silence, 5, 6);
    for second in (last..last + 1000).step_by(14) {
        silence.heard(&peer(1), false, at_s(second));
        assert_eq!(sweep_through(&mut silence, second..=second + 13), []);
    }
}

#[test]
fn our_own_stall_is_held_against_nobody() {
    let mut silence = Silence::default();
    let last = beating(&mut silence, 5, 6);
    silence.heard(&peer(2), true, at_s(last));
    let woke = last + 3600;
    for _ in 0..100 {
        assert_eq!(silence.sweep(at_s(woke)), [], "ticks bunch after a stall");
    }
    silence.heard(&peer(1), true, at_s(woke));
    let silent = sweep_through(&mut silence, woke..=woke + 86);
    assert!(silent.is_empty(), "its word waited in the mailbox");
    let silent = sweep_through(&mut silence, woke + 87..=woke + 1000);
    assert_eq!(silent.len(), 2, "whoever stays silent is still given up");
}

#[test]
fn a_watch_that_is_always_late_still_finds_the_silent() {
    let mut silence = Silence::default();
    silence.heard(&peer(1), false, START);
    let found = (1..).find(|sweep| !silence.sweep(at_s(sweep * 60)).is_empty());
    assert_eq!(found, Some(30), "90 s at 3 s a sweep");
}

#[test]
fn who_is_forgotten_is_not_told() {
    let mut silence = Silence::default();
    silence.heard(&peer(1), true, START);
    silence.forget(&peer(1));
    silence.forget(&peer(2));
    assert_eq!(sweep_through(&mut silence, 0..=400), []);
    assert!(silence.watched.is_empty() && silence.deadlines.is_empty());
}

proptest! {
    /// Any words of three peers at any times, swept every second in between and afterwards.
    #[test]
    fn nobody_is_given_up_before_its_window_and_everybody_after_it(
        words in proptest::collection::vec((1..4_u8, any::<bool>(), 0..40_000_u64), 1..80)
    ) {
        let mut silence = Silence::default();
        let mut last = HashMap::new();
        let (mut now, mut swept) = (0, 0);
        let end = (0, false, 400_000);
        for (number, beat, later) in words.into_iter().chain([end]) {
            now += later;
            while (swept + 1) * 1000 <= now {
                swept += 1;
                for silent in silence.sweep(at_s(swept)) {
                    let (word, window) = last.remove(&silent.endpoint).expect("told once");
                    prop_assert_eq!(silent.silent_for, at_s(swept).since(word));
                    prop_assert!(silent.silent_for >= window, "before its window");
                    prop_assert!(silent.silent_for < window + SWEEP_EVERY, "too late");
                }
            }
            if number > 0 {
                silence.heard(&peer(number), beat, at_ms(now));
                let window = silence.watched[&peer(number)].window(false);
                prop_assert!((WINDOW_MIN..=WINDOW_MAX).contains(&window));
                last.insert(peer(number), (at_ms(now), window));
            }
        }
        prop_assert!(last.is_empty(), "somebody is watched for ever");
        prop_assert!(silence.watched.is_empty() && silence.deadlines.is_empty());
    }

    /// However the beats of a peer wobble within an interval of which two fit into the first window, it is never given up.
    #[test]
    fn a_speaker_that_keeps_its_interval_is_never_given_up(
        interval in 1_000..45_000_u64,
        wobbles in proptest::collection::vec(0..100_u64, 100)
    ) {
        let mut silence = Silence::default();
        let mut swept = 0;
        for (beat, wobble) in (0..).zip(wobbles) {
            let now = beat * interval + interval * wobble / 100;
            while (swept + 1) * 1000 <= now {
                swept += 1;
                prop_assert_eq!(silence.sweep(at_s(swept)), []);
            }
            silence.heard(&peer(1), true, at_ms(now));
        }
    }
}
