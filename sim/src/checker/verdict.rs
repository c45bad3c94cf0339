//! What a run comes to.

use std::fmt;

use mutirao_rig::findings::Findings;

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// How often each was found.
    pub findings: Findings,
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
        self.findings += other.findings;
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
            "{} · unlucky {} · {} executions of {} tasks",
            self.findings, self.unlucky, self.executions, self.tasks
        )
    }
}
