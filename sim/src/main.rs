//! Runs seeds and says what was found; a failing one is run again, and everything that was said in it is kept.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::thread::available_parallelism;
use std::time::Duration;

use clap::{Parser, ValueEnum as _};
use mutirao_sim::checker::Verdict;
use mutirao_sim::tally::Met;
use mutirao_sim::world::{Mutant, Options, Report, panics, run};

/// Lines of a failing run that are shown.
const SHOWN: usize = 30;
/// Failing seeds after which nothing more is run.
const FAILURES_MAX: usize = 20;

/// Run whole clusters of mutirao in one thread, with every fault that a seed draws
#[derive(Debug, Parser)]
#[command(name = "cargo xtask sim")]
struct Args {
    /// Run this seed alone, and keep everything that is said in it
    #[arg(long, conflicts_with_all = ["seeds", "first"])]
    seed: Option<u64>,
    /// How many seeds
    #[arg(long, default_value_t = 1000)]
    seeds: u64,
    /// The first of them
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// Run each seed twice: one whose second run differs has failed
    #[arg(long)]
    twice: bool,
    /// What to break on purpose
    #[arg(long, value_enum, default_value_t)]
    mutant: Mutant,
    /// Where to keep what is said in failing runs
    #[arg(long, default_value = "target/sim")]
    keep: PathBuf,
}

/// What all threads find together.
#[derive(Debug, Default)]
struct Found {
    total: Verdict,
    /// How long after the storm the last task was done, and in which run.
    slowest: (Duration, u64),
    /// What was met, how often and in how many runs.
    met: BTreeMap<Met, (u64, u64)>,
    runs: u64,
    failed: Vec<(u64, Verdict)>,
}

impl Found {
    fn add(&mut self, seed: u64, report: Report) {
        self.runs += 1;
        self.total.add(&report.verdict);
        self.slowest = self.slowest.max((report.quiet, seed));
        for (met, count) in report.met {
            let (times, runs) = self.met.entry(met).or_default();
            (*times, *runs) = (*times + count, *runs + 1);
        }
        if !report.verdict.is_valid() {
            self.failed.push((seed, report.verdict));
        }
    }

    /// How often what was met, in a thousand runs.
    fn tell_met(&self) {
        println!("met in 1,000 seeds (in so many of them):");
        let thousandth = |count: u64| count * 1000 / self.runs.max(1);
        for met in Met::ALL {
            let (times, runs) = self.met.get(&met).copied().unwrap_or_default();
            let name = format!("{met:?}");
            println!(
                "  {name:<18}{:>8} ({})",
                thousandth(times),
                thousandth(runs)
            );
        }
    }
}

fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    panics::watch();
    let (first, seeds) = args.seed.map_or((args.first, args.seeds), |seed| (seed, 1));
    let began = now();
    let found = run_all(first, seeds, &args);
    let (latest, slowest) = found.slowest;
    let took = began.elapsed();
    println!(
        "{} seeds from {first}: {}; all done {latest:?} after the storm at the latest (seed {slowest})",
        found.runs, found.total
    );
    println!(
        "{:.1} seeds a second",
        found.runs as f64 / took.as_secs_f64()
    );
    found.tell_met();
    if let Some(seed) = args.seed {
        record(seed, &args)?;
    }
    for (seed, verdict) in &found.failed {
        println!("\nseed {seed} FAILED:");
        for why in verdict.violations.iter().take(8) {
            println!("  {why}");
        }
        println!("  again: {}", again(*seed, args.mutant));
    }
    if args.seed.is_none()
        && let Some((seed, _)) = found.failed.first()
    {
        record(*seed, &args)?;
    }
    Ok(if found.failed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What is typed to see a run again.
fn again(seed: u64, mutant: Mutant) -> String {
    let mutant = mutant.to_possible_value();
    let mutant = mutant.filter(|mutant| mutant.get_name() != "none");
    let mutant = mutant.map(|mutant| format!(" --mutant {}", mutant.get_name()));
    format!(
        "cargo xtask sim --seed {seed}{}",
        mutant.unwrap_or_default()
    )
}

/// Runs the seeds on all cores.
fn run_all(first: u64, seeds: u64, args: &Args) -> Found {
    let (next, found) = (AtomicU64::new(first), Mutex::new(Found::default()));
    let threads = available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + seeds {
                        return;
                    }
                    let options = Options {
                        seed,
                        mutant: args.mutant,
                        is_recorded: false,
                    };
                    let mut report = run(options);
                    if args.twice && run(options).fingerprint != report.fingerprint {
                        let why = "its second run was another".into();
                        report.verdict.violations.push(why);
                    }
                    let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                    found.add(seed, report);
                    if found.failed.len() >= FAILURES_MAX {
                        return;
                    }
                }
            });
        }
    });
    let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    found.failed.sort_by_key(|(seed, _)| *seed);
    found
}

/// Runs one seed again, and keeps what is said.
fn record(seed: u64, args: &Args) -> anyhow::Result<()> {
    let report = run(Options {
        seed,
        mutant: args.mutant,
        is_recorded: true,
    });
    fs::create_dir_all(&args.keep)?;
    let path = args.keep.join(format!("seed-{seed}.log"));
    fs::write(&path, report.transcript.join("\n"))?;
    println!(
        "\nseed {seed} lasted {:?}; its last letters:",
        report.lasted
    );
    for line in report.transcript.iter().rev().take(SHOWN).rev() {
        println!("  {}", line.chars().take(220).collect::<String>());
    }
    println!(
        "all {} of them: {}",
        report.transcript.len(),
        path.display()
    );
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "a stopwatch for people; nothing here is decided by the time"
)]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}
