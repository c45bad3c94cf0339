//! What a checker finds in a run, in Jepsen's words.

use std::fmt;
use std::ops::AddAssign;

/// How often each was found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Findings {
    /// Accepted tasks of which there is nothing (R1).
    pub lost: u64,
    /// Results that were answered with OK and are not there with the same bytes (R2).
    pub acked_then_lost: u64,
    /// Results of what nobody ran, of another content than was made, or filed under another task.
    pub unexpected: u64,
    /// Tasks with more than one committed result (R3).
    pub duplicated: u64,
    /// Done, though the OK never arrived.
    pub recovered: u64,
    /// Results that came and are not the one that was taken.
    pub conflicts: u64,
}

impl Findings {
    /// Whether no promise was broken.
    pub fn is_valid(&self) -> bool {
        self.lost + self.acked_then_lost + self.unexpected + self.duplicated == 0
    }
}

impl AddAssign for Findings {
    fn add_assign(&mut self, other: Self) {
        self.lost += other.lost;
        self.acked_then_lost += other.acked_then_lost;
        self.unexpected += other.unexpected;
        self.duplicated += other.duplicated;
        self.recovered += other.recovered;
        self.conflicts += other.conflicts;
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "lost {} · acked-then-lost {} · unexpected {} · duplicated {} · recovered {} · conflicts {}",
            self.lost,
            self.acked_then_lost,
            self.unexpected,
            self.duplicated,
            self.recovered,
            self.conflicts
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_broken_promise_makes_a_run_invalid_and_what_was_saved_does_not() {
        let none = Findings::default();
        let saved = Findings {
            recovered: 1,
            conflicts: 1,
            ..none
        };
        assert!(none.is_valid() && saved.is_valid());
        let broken = [
            Findings { lost: 1, ..none },
            Findings {
                acked_then_lost: 1,
                ..none
            },
            Findings {
                unexpected: 1,
                ..none
            },
            Findings {
                duplicated: 1,
                ..none
            },
        ];
        assert!(broken.iter().all(|findings| !findings.is_valid()));
    }
}
