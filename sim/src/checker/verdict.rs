//! What a run comes to.

use std::fmt;

/// What was found, in Jepsen's words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Accepted, and not known any more (R1).
    pub lost: u64,
    /// Answered with OK, and not there with the same bytes (R2).
    pub acked_then_lost: u64,
    /// Results of what nobody ran, or filed under another task.
    pub unexpected: u64,
    /// More than one result of a task (R3).
    pub duplicated: u64,
    /// Done, and their OK never arrived.
    pub recovered: u64,
    /// Results that came and are not the one that was taken.
    pub conflicts: u64,
    /// Tasks that were known at the end.
    pub tasks: u64,
    /// Their runs.
    pub executions: u64,
    /// Failed although they would have succeeded: their peers were lost too often.
    pub unlucky: u64,
    /// Everything that is wrong, in words; empty when the run is valid.
    pub violations: Vec<String>,
}

impl Verdict {
    /// Whether every promise was kept.
    pub fn is_valid(&self) -> bool {
        self.violations.is_empty()
    }

    /// Adds another run's counts.
    pub fn add(&mut self, other: &Self) {
        self.lost += other.lost;
        self.acked_then_lost += other.acked_then_lost;
        self.unexpected += other.unexpected;
        self.duplicated += other.duplicated;
        self.recovered += other.recovered;
        self.conflicts += other.conflicts;
        self.tasks += other.tasks;
        self.executions += other.executions;
        self.unlucky += other.unlucky;
        self.violations.extend(other.violations.iter().cloned());
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} lost, {} acked-then-lost, {} unexpected, {} duplicated · {} recovered, {} conflicts, {} unlucky, {} executions of {} tasks",
            self.lost,
            self.acked_then_lost,
            self.unexpected,
            self.duplicated,
            self.recovered,
            self.conflicts,
            self.unlucky,
            self.executions,
            self.tasks
        )
    }
}
