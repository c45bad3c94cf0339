//! Judges a run in Jepsen's words: what was promised to whoever asked, against what lies there in the end.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::AddAssign;
use std::time::Instant;

use mutirao_rig::clock;
use mutirao_rig::findings::Findings;

/// What the outside was told during a run. A task goes by its key, which no other task of the run has.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// Tasks that were answered with an id, or lay whole in `tasks/`.
    pub accepted: BTreeSet<String>,
    /// Tasks that were sent and not answered: they may exist.
    pub unsure: BTreeSet<String>,
    /// The digests of the results that were answered with OK, by task.
    pub acked: BTreeMap<String, BTreeSet<String>>,
    /// Tasks that are made to fail.
    pub doomed: BTreeSet<String>,
    /// Every word of the master that something is safe, in the order in which it was heard.
    pub promises: Vec<Promise>,
}

/// A task that was answered with an id, or a result that was answered with OK.
#[derive(Debug, Clone)]
pub struct Promise {
    /// Of which task.
    pub key: String,
    /// Before it was asked for.
    pub asked: Instant,
    /// When it was heard.
    pub heard: Instant,
}

impl Promise {
    /// One that is heard now.
    pub fn heard(key: &str, asked: Instant) -> Self {
        Self {
            key: key.into(),
            asked,
            heard: clock::now(),
        }
    }
}

/// What lies there in the end.
#[derive(Debug, Clone, Default)]
pub struct Observed {
    /// The committed results, by task.
    pub committed: BTreeMap<String, Vec<Committed>>,
    /// The digests of results that are kept and on their way to `results/`.
    pub kept: BTreeSet<String>,
    /// Tasks that failed for good.
    pub failed: BTreeSet<String>,
    /// Tasks that still wait or run.
    pub open: BTreeSet<String>,
    /// Results that were kept beside another of their task.
    pub conflicts: u64,
    /// How many times each task was begun.
    pub executions: BTreeMap<String, u64>,
}

/// One result in `results/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// What its script printed; none when that cannot be read.
    pub printed: Option<String>,
    /// Its digest.
    pub sha256: String,
}

/// The judgement; a run is over when nothing is stuck.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// What the promises come to.
    pub findings: Findings,
    /// Accepted tasks that still wait or run.
    pub stuck: u64,
    /// Tasks that were accepted.
    pub tasks: u64,
    /// Tasks that were begun, those that the sender was not told of included.
    pub begun: u64,
    /// How many times any of them was begun.
    pub executions: u64,
    /// The same of the task that was begun most often.
    pub executions_max: u64,
}

/// What the script of the task with this key prints.
pub fn expected_print(key: &str) -> String {
    format!("{key}\n")
}

/// The judgement on a run.
pub fn check(history: &History, observed: &Observed) -> Counts {
    let mut counts = Counts {
        findings: Findings {
            conflicts: observed.conflicts,
            ..Findings::default()
        },
        tasks: size(history.accepted.len()),
        begun: size(observed.executions.len()),
        executions: observed.executions.values().sum(),
        executions_max: observed.executions.values().copied().max().unwrap_or(0),
        ..Counts::default()
    };
    for key in &history.accepted {
        let is_there = observed.committed.contains_key(key) || observed.failed.contains(key);
        match (is_there, observed.open.contains(key)) {
            (true, _) => {}
            (false, true) => counts.stuck += 1,
            (false, false) => counts.findings.lost += 1,
        }
    }
    for (key, digests) in &history.acked {
        let committed = observed.committed.get(key).into_iter().flatten();
        let mut kept: BTreeSet<_> = committed.map(|result| &result.sha256).collect();
        kept.extend(&observed.kept);
        let gone = digests.iter().filter(|digest| !kept.contains(digest));
        counts.findings.acked_then_lost += size(gone.count());
    }
    for (key, results) in &observed.committed {
        let is_known = history.accepted.contains(key) || history.unsure.contains(key);
        let is_right = |result: &&Committed| result.printed == Some(expected_print(key));
        let right = size(results.iter().filter(is_right).count());
        let is_wanted = is_known && !history.doomed.contains(key);
        counts.findings.unexpected += size(results.len()) - if is_wanted { right } else { 0 };
        counts.findings.duplicated += u64::from(results.len() > 1);
        counts.findings.recovered += u64::from(history.unsure.contains(key));
    }
    counts.findings.unexpected += size(observed.failed.difference(&history.doomed).count());
    counts
}

fn size(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

impl Counts {
    /// Whether no promise was broken and nothing is left to do.
    pub fn is_good(&self) -> bool {
        self.is_valid() && self.stuck == 0
    }

    /// Whether no promise was broken.
    pub fn is_valid(&self) -> bool {
        self.findings.is_valid()
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.findings += other.findings;
        self.stuck += other.stuck;
        self.tasks += other.tasks;
        self.begun += other.begun;
        self.executions += other.executions;
        self.executions_max = self.executions_max.max(other.executions_max);
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hundredths = self.executions * 100 / self.begun.max(1);
        write!(
            f,
            "{} tasks: {} · stuck {} · executions per task {}.{:02} (most {})",
            self.tasks,
            self.findings,
            self.stuck,
            hundredths / 100,
            hundredths % 100,
            self.executions_max,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(key: &str, sha256: &str) -> Committed {
        Committed {
            printed: Some(expected_print(key)),
            sha256: sha256.into(),
        }
    }

    fn set(keys: &[&str]) -> BTreeSet<String> {
        keys.iter().map(|key| (*key).to_owned()).collect()
    }

    fn committed(results: &[(&str, &str)]) -> BTreeMap<String, Vec<Committed>> {
        let mut all = BTreeMap::<_, Vec<_>>::new();
        for (key, sha256) in results {
            let of_key = all.entry((*key).to_owned()).or_default();
            of_key.push(result(key, sha256));
        }
        all
    }

    fn accepted(keys: &[&str]) -> History {
        History {
            accepted: set(keys),
            ..History::default()
        }
    }

    #[test]
    fn a_run_in_which_all_is_done_once_is_valid() {
        let observed = Observed {
            committed: committed(&[("a", "1"), ("b", "2")]),
            executions: [("a".into(), 1), ("b".into(), 2)].into(),
            ..Observed::default()
        };
        let counts = check(&accepted(&["a", "b"]), &observed);
        assert!(counts.is_valid() && counts.stuck == 0);
        assert_eq!(
            (counts.tasks, counts.executions, counts.executions_max),
            (2, 3, 2)
        );
        assert!(
            counts
                .to_string()
                .contains("executions per task 1.50 (most 2)")
        );
    }

    #[test]
    fn a_task_without_a_trace_is_lost_and_one_that_waits_is_stuck() {
        let observed = Observed {
            open: set(&["b"]),
            ..Observed::default()
        };
        let counts = check(&accepted(&["a", "b"]), &observed);
        assert_eq!((counts.findings.lost, counts.stuck), (1, 1));
        assert!(!counts.is_valid());
    }

    #[test]
    fn an_acked_result_must_be_there_with_the_same_bytes() {
        let mut history = accepted(&["a", "b", "c"]);
        for key in ["a", "b", "c"] {
            history.acked.insert(key.into(), set(&["1"]));
        }
        let observed = Observed {
            committed: committed(&[("a", "1"), ("b", "2")]),
            open: set(&["c"]),
            ..Observed::default()
        };
        let counts = check(&history, &observed);
        assert_eq!(
            counts.findings.acked_then_lost, 2,
            "b was altered, c is gone"
        );
    }

    #[test]
    fn an_acked_result_on_its_way_is_not_lost() {
        let mut history = accepted(&["a"]);
        history.acked.insert("a".into(), set(&["1"]));
        let observed = Observed {
            kept: set(&["1"]),
            open: set(&["a"]),
            ..Observed::default()
        };
        let counts = check(&history, &observed);
        assert_eq!((counts.findings.acked_then_lost, counts.stuck), (0, 1));
    }

    #[test]
    fn two_results_of_a_task_are_a_duplicate() {
        let observed = Observed {
            committed: committed(&[("a", "1"), ("a", "1")]),
            ..Observed::default()
        };
        let counts = check(&accepted(&["a"]), &observed);
        assert_eq!(
            (counts.findings.duplicated, counts.findings.unexpected),
            (1, 0)
        );
    }

    #[test]
    fn a_result_of_nothing_or_with_another_content_is_unexpected() {
        let mut observed = Observed {
            committed: committed(&[("a", "1"), ("b", "2"), ("stranger", "3")]),
            ..Observed::default()
        };
        for damaged in [None, Some("half".to_owned())] {
            let results = observed.committed.get_mut("b").unwrap();
            results[0].printed = damaged;
            assert_eq!(
                check(&accepted(&["a", "b"]), &observed).findings.unexpected,
                2
            );
        }
    }

    #[test]
    fn what_was_not_answered_may_be_missing_or_recovered() {
        let mut history = accepted(&[]);
        history.unsure = set(&["a", "b"]);
        let observed = Observed {
            committed: committed(&[("a", "1")]),
            ..Observed::default()
        };
        let counts = check(&history, &observed);
        assert!(counts.is_valid());
        assert_eq!(counts.findings.recovered, 1);
    }

    #[test]
    fn only_what_is_made_to_fail_may_fail_and_must() {
        let mut history = accepted(&["good", "bad", "worse"]);
        history.doomed = set(&["bad", "worse"]);
        let observed = Observed {
            committed: committed(&[("worse", "1")]),
            failed: set(&["good", "bad"]),
            ..Observed::default()
        };
        let counts = check(&history, &observed);
        assert_eq!((counts.findings.unexpected, counts.findings.lost), (2, 0));
    }

    #[test]
    fn counts_of_several_runs_add_up() {
        let mut sum = Counts::default();
        for most in [3, 1] {
            sum += Counts {
                findings: Findings {
                    lost: 1,
                    ..Findings::default()
                },
                tasks: 2,
                executions: 4,
                executions_max: most,
                ..Counts::default()
            };
        }
        assert_eq!(
            (sum.findings.lost, sum.tasks, sum.executions_max),
            (2, 4, 3)
        );
    }
}
