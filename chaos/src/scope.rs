//! What a row is told, and what it answers.

use std::fmt::Display;
use std::path::PathBuf;
use std::time::Duration;

use mutirao_rig::dice::Dice;

use crate::checker::Counts;

/// What a row is told.
#[derive(Debug, Clone)]
pub struct Scope {
    /// The program under trial.
    pub binary: PathBuf,
    /// The row's own folder, empty at first.
    pub folder: PathBuf,
    /// Whether it is the long run.
    pub long: bool,
    /// How many faults, if not as many as the row's own size.
    pub n: Option<u64>,
    /// Where chance begins.
    pub seed: u64,
    /// The defect that the program under trial is to have, so that the row can be seen to find it.
    pub mutant: Option<String>,
}

impl Scope {
    /// How many faults: what was asked for, or one of the row's two sizes.
    pub fn size(&self, per_commit: u64, long: u64) -> u64 {
        self.n.unwrap_or(if self.long { long } else { per_commit })
    }

    /// Chance of the row.
    pub fn dice(&self) -> Dice {
        Dice::of(self.seed)
    }
}

/// How a row went: its figures, its counts, and the targets that it missed.
#[derive(Debug, Default)]
pub struct Verdict {
    figures: Vec<String>,
    counts: Counts,
    missed: Vec<String>,
}

impl Verdict {
    /// Tells a figure.
    pub fn figure(&mut self, text: impl Display) {
        self.figures.push(text.to_string());
    }

    /// Notes a target that is missed unless this holds.
    pub fn require(&mut self, holds: bool, target: impl Display) {
        if !holds {
            self.missed.push(target.to_string());
        }
    }

    /// What came of a trial; when that is an error, it is a missed target.
    pub fn take<T>(&mut self, trial: &str, outcome: anyhow::Result<T>) -> Option<T> {
        outcome
            .map_err(|error| self.require(false, format_args!("{trial}: {error:#}")))
            .ok()
    }

    /// Adds the counts of a trial, which may break no promise and leave nothing undone.
    pub fn judge(&mut self, trial: &str, counts: anyhow::Result<Counts>) {
        let Some(counts) = self.take(trial, counts) else {
            return;
        };
        self.require(
            counts.is_valid(),
            format_args!("{trial} broke a promise ({counts})"),
        );
        self.require(
            counts.stuck == 0,
            format_args!("{trial} left tasks undone ({counts})"),
        );
        self.counts += counts;
    }

    /// The counts of all trials together.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Takes the place of what was missed so far: for a program with a known defect, which must be found.
    pub fn expect_found(&mut self, is_found: bool, defect: &str) {
        self.missed.clear();
        self.require(is_found, format_args!("the defect {defect} was not found"));
    }

    /// The targets that were missed.
    pub fn missed(&self) -> &[String] {
        &self.missed
    }

    /// All on one line.
    pub fn line(&self) -> String {
        let mut parts = self.figures.clone();
        parts.push(self.counts.to_string());
        parts.join(" · ")
    }
}

/// Median and worst of these times, in milliseconds.
pub fn quantiles(mut times: Vec<Duration>) -> String {
    times.sort();
    let median = times.get(times.len() / 2).copied().unwrap_or_default();
    let worst = times.last().copied().unwrap_or_default();
    format!(
        "p50 {} ms, worst {} ms",
        median.as_millis(),
        worst.as_millis()
    )
}
