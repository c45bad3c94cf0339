//! Whole clusters under every fault that a seed draws: nothing promised is broken, and what is broken is noticed.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, Once};
use std::thread::{available_parallelism, scope};

use mutirao_sim::tally::Met;
use mutirao_sim::world::{Mutant, Options, Report, panics, run};

/// Seeds that every change has to pass; `cargo xtask sim` runs more.
const SEEDS: u64 = 100;
/// Seeds within which something broken on purpose must be noticed.
const NOTICED_WITHIN: u64 = 100;

/// What so few seeds need not meet; `cargo xtask sim` tells how often it is met. Nobody makes a bad result here.
const RARE: [Met; 6] = [
    Met::BadResult,
    Met::CommitAfterAll,
    Met::Conflict,
    Met::HandedBack,
    Met::ToldNo,
    Met::TryNotStored,
];

fn play(options: Options) -> Report {
    static WATCHED: Once = Once::new();
    WATCHED.call_once(panics::watch);
    run(options)
}

#[test]
fn no_seed_breaks_a_promise() {
    let (next, broken) = (AtomicU64::new(0), AtomicU64::new(0));
    let met = Mutex::new(BTreeSet::new());
    scope(|scope| {
        for _ in 0..available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= SEEDS {
                        return;
                    }
                    let report = play(Options {
                        seed,
                        ..Options::default()
                    });
                    met.lock().unwrap().extend(report.met.into_keys());
                    if !report.verdict.is_valid() {
                        broken.fetch_add(1, Ordering::Relaxed);
                        let violations = report.verdict.violations.join("\n  ");
                        println!("cargo xtask sim --seed {seed}\n  {violations}");
                    }
                }
            });
        }
    });
    assert_eq!(broken.into_inner(), 0, "of {SEEDS} seeds");
    let met = met.into_inner().unwrap();
    let unmet = Met::ALL.iter().filter(|known| !met.contains(known));
    let unmet: Vec<_> = unmet.filter(|unmet| !RARE.contains(unmet)).collect();
    assert!(unmet.is_empty(), "no seed met {unmet:?}");
}

#[test]
fn a_seed_gives_the_same_run_again_to_the_last_letter() {
    for seed in 0..6 {
        let record = || {
            play(Options {
                seed,
                is_recorded: true,
                ..Options::default()
            })
        };
        let (one, other) = (record(), record());
        let (lines, again) = (&one.transcript, &other.transcript);
        assert!(lines.len() > 100, "seed {seed} says next to nothing");
        for (number, (line, again)) in lines.iter().zip(again).enumerate() {
            assert_eq!(line, again, "seed {seed}, line {number}");
        }
        assert_eq!(lines.len(), again.len(), "seed {seed}");
        assert_eq!(one.fingerprint, other.fingerprint, "seed {seed}");
    }
}

#[test]
fn whatever_is_broken_on_purpose_is_noticed() {
    for mutant in [
        Mutant::FilesUnflushed,
        Mutant::FoldersUnflushed,
        Mutant::Misattribution,
        Mutant::Unfenced,
        Mutant::ForgetsEverything,
        Mutant::ForgetsEndings,
    ] {
        let breaks = |seed: &u64| {
            let report = play(Options {
                seed: *seed,
                mutant,
                is_recorded: false,
            });
            !report.verdict.is_valid()
        };
        let noticed = (0..NOTICED_WITHIN).find(breaks);
        assert!(noticed.is_some(), "{mutant:?} goes unnoticed");
    }
}
