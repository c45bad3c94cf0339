//! What is to blame when tasks fail or run for long: the code, the row, the machine, what is installed, or chance.
//!
//! Rule: failures that look alike are judged together, by where they happened and by what passed beside them; those of a
//! sick peer apart from the others, for they say nothing of the task. What passed when it was tried again is never the row's,
//! though others that fail in the same way may be. Nothing is remembered for this: the tries that the
//! ledger knows are looked at when somebody asks, each once; and of failures no more than a thousand kinds are told apart,
//! however many parts a group has.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::health::Health;
use super::ledger::{Entry, Lease, State, Tried};
use crate::model::{Moment, Part, PeerId, Task};
use crate::wire::report::{
    Culprit, EXAMPLES_MAX, ExampleRow, FINDINGS_MAX, Findings, ReasonRow, RunRow, UsualRow,
    VerdictRow,
};

mod symptom;
mod words;

use symptom::{Kind, Symptom};
pub use words::helps_against;

/// How the advice ends to look at one task, which helps nobody who does.
pub const SHOWS_WHERE: &str = "shows where";
/// How the advice begins to mend rows, which helps only where the folder lies that it names.
pub const MENDS: &str = "mend results/";
/// Failures that are told apart: where there are more kinds, the first thousand are enough to choose the largest from.
const CLUSTERS_MAX: usize = 1000;
/// So many times as long as the longest of its group: what runs on then is no mere outlier.
const SLOW_TIMES: u64 = 3;
/// What takes less than this is slow to nobody, in milliseconds: a machine hesitates for so long now and then.
const SLOW_MS: u64 = 5000;
/// Tasks that must be done before it is known how long they take.
const USUAL_OF: usize = 3;

/// Failures that look alike.
#[derive(Debug, Clone, Default)]
struct Cluster<'a> {
    /// The words of the first of them.
    error: String,
    /// Tasks that failed so.
    tasks: u64,
    /// Of these, those that failed for good.
    failed: u64,
    /// Of these, those that passed on a peer where they had not failed so.
    elsewhere: u64,
    /// Of these, those that passed where they had failed before.
    again: u64,
    /// Of these, those that failed so on several peers, and are not done.
    everywhere: u64,
    tries: u64,
    peers: BTreeMap<&'a PeerId, u64>,
    examples: Vec<&'a Task>,
}

/// The tries of tasks that belong together, as they are looked at.
#[derive(Debug, Default)]
pub struct Diagnosis<'a> {
    /// Which peers are sick, if that is known.
    health: Option<&'a Health>,
    clusters: BTreeMap<Symptom, Cluster<'a>>,
    untold: u64,
    /// How many tasks passed where.
    passes: HashMap<&'a PeerId, u64>,
    /// How many more passed that are not looked at.
    beyond: u64,
    /// Tasks that were tried.
    tried: u64,
    took_ms: Vec<u64>,
    runs: Vec<(&'a Task, &'a Lease)>,
    /// Why tasks were cancelled, and how many.
    cancelled: BTreeMap<&'a str, u64>,
}

impl<'a> Diagnosis<'a> {
    /// Of tries at peers of which it is known who is sick.
    pub fn knowing(health: &'a Health) -> Self {
        Self {
            health: Some(health),
            ..Self::default()
        }
    }

    /// What a try of this task looked like that failed.
    fn symptom(&self, entry: &Entry, tried: &Tried) -> Option<Symptom> {
        let symptom = Symptom::of(tried.fault.as_ref()?)?;
        let symptom = symptom.of_task_that(matches!(entry.story.state, State::Done { .. }));
        let health = self.health;
        Some(symptom.at(health.is_some_and(|health| health.is_sick(&tried.holder))))
    }

    /// Looks at one task.
    pub fn look_at(&mut self, entry: &'a Entry) {
        let story = &*entry.story;
        self.tried += u64::from(!story.tries.is_empty());
        let passed = match &story.state {
            State::Done { submitted, .. } => {
                *self.passes.entry(&submitted.peer).or_default() += 1;
                let took = u64::try_from(submitted.took.as_millis());
                self.took_ms.push(took.unwrap_or(u64::MAX));
                Some(submitted)
            }
            State::Leased(lease) => {
                self.runs.push((&entry.task, lease));
                None
            }
            State::Cancelled { why } => {
                if self.cancelled.len() < CLUSTERS_MAX || self.cancelled.contains_key(&**why) {
                    *self.cancelled.entry(why).or_default() += 1;
                }
                None
            }
            _ => None,
        };
        let mut looks: BTreeMap<Symptom, (String, Vec<&PeerId>)> = BTreeMap::new();
        for tried in &story.tries {
            let was_taken = passed.is_some_and(|passed| passed.attempt == tried.attempt);
            let fault = tried.fault.as_ref().filter(|_| !was_taken);
            if let Some((fault, symptom)) =
                fault.and_then(|fault| Some((fault, self.symptom(entry, tried)?)))
            {
                let look = looks.entry(symptom);
                let (_, peers) = look.or_insert_with(|| (fault.to_string(), Vec::new()));
                peers.push(&tried.holder.peer);
            }
        }
        let has_failed = matches!(story.state, State::Failed { .. });
        // What a sick peer did is why the task failed for good only if it failed nowhere else.
        let is_of_peers = looks.keys().all(|symptom| symptom.is_of_peer);
        for (symptom, (error, peers)) in looks {
            let has_failed = has_failed && (is_of_peers || !symptom.is_of_peer);
            let Some(cluster) = self.cluster(symptom) else {
                self.untold += peers.len() as u64;
                continue;
            };
            if cluster.error.is_empty() {
                cluster.error = error;
            }
            let passed = passed.map(|passed| &passed.peer);
            cluster.add((&entry.task, has_failed), &peers, passed);
        }
    }

    fn cluster(&mut self, symptom: Symptom) -> Option<&mut Cluster<'a>> {
        let is_known = self.clusters.contains_key(&symptom);
        let has_room = is_known || self.clusters.len() < CLUSTERS_MAX;
        has_room.then(|| self.clusters.entry(symptom).or_default())
    }

    /// What is found out about all that was looked at.
    pub fn of_all(self, now: Moment) -> Findings {
        self.findings(|_| true, |_| true, now)
    }

    /// So many of the group passed in all, though not each is looked at.
    pub fn passed_in_all(&mut self, tasks: u64) {
        let seen: u64 = self.passes.values().sum();
        self.beyond = tasks.saturating_sub(seen);
    }

    /// How many passed in all.
    fn passed_anywhere(&self) -> u64 {
        self.passes.values().sum::<u64>() + self.beyond
    }

    /// What is found out about one of the tasks, in the light of the others.
    pub fn of_one(mut self, entry: &'a Entry, now: Moment) -> Findings {
        let tries = entry.story.tries.iter();
        let symptoms = tries.filter_map(|tried| self.symptom(entry, tried));
        let symptoms: Vec<Symptom> = symptoms.collect();
        let untold = symptoms.iter();
        let untold = untold.filter(|symptom| !self.clusters.contains_key(*symptom));
        self.untold = untold.count() as u64;
        self.cancelled = match &entry.story.state {
            State::Cancelled { why } => BTreeMap::from([(&**why, 1)]),
            _ => BTreeMap::new(),
        };
        let symptoms = BTreeSet::from_iter(symptoms);
        let has = |symptom: &Symptom| symptoms.contains(symptom) || symptom.kind == Kind::Slow;
        self.findings(has, |task| task.id == entry.task.id, now)
    }

    fn findings(
        mut self,
        is_of_interest: impl Fn(&Symptom) -> bool,
        is_meant: impl Fn(&Task) -> bool,
        now: Moment,
    ) -> Findings {
        let usual = self.usual();
        self.runs.retain(|(task, _)| is_meant(task));
        self.runs
            .sort_by_key(|(task, lease)| (lease.granted, task.id));
        self.find_slow(usual, now);
        let mut clusters = self.told_apart(is_of_interest);
        clusters.sort_by_key(|(_, cluster)| Reverse((cluster.failed, cluster.tasks)));
        let beyond = clusters.iter().skip(FINDINGS_MAX);
        let beyond: u64 = beyond.map(|(_, cluster)| cluster.tries).sum();
        clusters.truncate(FINDINGS_MAX);
        let verdicts = clusters
            .into_iter()
            .map(|(symptom, cluster)| self.verdict(&symptom, cluster));
        let mut cancelled: Vec<_> = self.cancelled.iter().collect();
        cancelled.sort_by_key(|(_, tasks)| Reverse(**tasks));
        let cancelled = cancelled.into_iter().take(FINDINGS_MAX);
        let cancelled = cancelled.map(|(why, tasks)| ReasonRow {
            reason: (*why).to_owned(),
            tasks: *tasks,
            help: None,
        });
        let cancelled = cancelled.collect();
        let runs = self.runs.iter().take(FINDINGS_MAX);
        Findings {
            verdicts: verdicts.collect(),
            untold: self.untold + beyond,
            waits: Vec::new(),
            cancelled,
            runs: runs.map(|run| run_row(*run, usual, now)).collect(),
            usual,
        }
    }

    /// Failures that look alike are one, but where some are the row's: then those that passed are told apart, for theirs is well.
    fn told_apart(
        &mut self,
        is_of_interest: impl Fn(&Symptom) -> bool,
    ) -> Vec<(Symptom, Cluster<'a>)> {
        let mut told = Vec::new();
        let mut clusters = std::mem::take(&mut self.clusters);
        while let Some((symptom, cluster)) = clusters.pop_first() {
            let of_passed = symptom.clone().of_task_that(true);
            let passed = clusters.remove(&of_passed);
            let is_meant = is_of_interest(&symptom);
            let Some(passed) = passed else {
                told.extend(is_meant.then_some((symptom, cluster)));
                continue;
            };
            let is_passed_meant = is_of_interest(&of_passed);
            let both = cluster.clone().with(passed.clone());
            match self.judge(&symptom, &both) {
                Culprit::Row => {
                    told.extend(is_meant.then_some((symptom, cluster)));
                    told.extend(is_passed_meant.then_some((of_passed, passed)));
                }
                _ => told.extend((is_meant || is_passed_meant).then_some((symptom, both))),
            }
        }
        told
    }

    fn usual(&mut self) -> Option<UsualRow> {
        let tasks = self.took_ms.len();
        let (_, median, _) = match tasks {
            0 => return None,
            _ => self.took_ms.select_nth_unstable(tasks / 2),
        };
        let median_ms = *median;
        Some(UsualRow {
            tasks: tasks as u64,
            median_ms,
            longest_ms: self.took_ms.iter().copied().max().unwrap_or_default(),
        })
    }

    /// What runs for far too long is a failure that is not over yet.
    fn find_slow(&mut self, usual: Option<UsualRow>, now: Moment) {
        let is_slow = |(_, lease): &&(&Task, &Lease)| slow(usual, lease, now);
        let slow: Vec<_> = self.runs.iter().filter(is_slow).copied().collect();
        let (Some(usual), false) = (usual, slow.is_empty()) else {
            return;
        };
        let mut cluster = Cluster {
            error: format!(
                "still runs; {} took {} ms at most",
                words::tasks(usual.tasks),
                usual.longest_ms
            ),
            ..Cluster::default()
        };
        for (task, lease) in slow {
            cluster.tasks += 1;
            cluster.tried_on(&[&lease.holder.peer]);
            cluster.show(task, false);
        }
        self.clusters.insert(Symptom::only(Kind::Slow), cluster);
    }

    fn verdict(&self, symptom: &Symptom, cluster: Cluster<'a>) -> VerdictRow {
        let culprit = self.judge(symptom, &cluster);
        let mut peers: Vec<_> = cluster.peers.iter().collect();
        peers.sort_by_key(|(_, tries)| Reverse(**tries));
        let examples = cluster.examples.iter().map(|task| ExampleRow {
            task_id: task.id,
            task_name: task.name.clone(),
            part: task.part().map(Part::number),
        });
        VerdictRow {
            culprit,
            words: words::of(culprit, symptom, &cluster, self),
            helps: words::helps(culprit, &symptom.kind, &cluster),
            tasks: cluster.tasks,
            failed: cluster.failed,
            done: cluster.elsewhere + cluster.again,
            tries: cluster.tries,
            peers: peers
                .into_iter()
                .take(FINDINGS_MAX)
                .map(|(peer, _)| (*peer).clone())
                .collect(),
            peers_total: cluster.peers.len() as u64,
            examples: examples.collect(),
            error: cluster.error,
        }
    }

    /// What is to blame. First what the failure says itself; then whether these tasks passed when they were tried again, and
    /// where; then what else passed, and where.
    fn judge(&self, symptom: &Symptom, cluster: &Cluster<'_>) -> Culprit {
        let here: u64 = cluster.peers.keys().map(|peer| self.passed(peer)).sum();
        match &symptom.kind {
            _ if symptom.is_of_peer => return Culprit::Machine,
            Kind::Module(_) | Kind::Program => return Culprit::Environment,
            Kind::Trouble => return Culprit::Machine,
            Kind::Slow if here > 0 => return Culprit::Row,
            Kind::Slow => return Culprit::Machine,
            Kind::Lost if cluster.everywhere == 0 => return Culprit::Machine,
            _ => {}
        }
        let done = cluster.elsewhere + cluster.again;
        let stuck = cluster.failed.max(cluster.everywhere);
        if self.passed_anywhere() == 0 {
            return Culprit::Code;
        }
        // Those that were tried elsewhere passed there, all of them: the others were not.
        let is_refuted = cluster.elsewhere > 0 && cluster.everywhere == 0;
        if done > stuck || is_refuted {
            // Where not all is looked at, one task shows too little of what passes there.
            let shows_enough = self.beyond == 0 || cluster.tasks > 1;
            let fails_more = here < cluster.tries && shows_enough;
            return match cluster.elsewhere > cluster.again && fails_more {
                true => Culprit::Machine,
                false => Culprit::Chance,
            };
        }
        // One that passes nothing, where others do, and several tasks fail alike of which none was tried elsewhere.
        let passes_nothing = here == 0 && self.beyond == 0;
        let only_here = passes_nothing && cluster.everywhere == 0 && cluster.tasks > 1;
        match only_here {
            true => Culprit::Machine,
            false => Culprit::Row,
        }
    }

    fn passed(&self, peer: &PeerId) -> u64 {
        self.passes.get(peer).copied().unwrap_or_default()
    }
}

impl<'a> Cluster<'a> {
    /// A task failed so on these peers, one for each try, and for good if it has; and may have passed.
    fn add(
        &mut self,
        (task, has_failed): (&'a Task, bool),
        peers: &[&'a PeerId],
        passed: Option<&PeerId>,
    ) {
        let several = peers.iter().any(|peer| Some(peer) != peers.first());
        self.tasks += 1;
        self.failed += u64::from(has_failed);
        match passed {
            Some(passed) if peers.contains(&passed) => self.again += 1,
            Some(_) => self.elsewhere += 1,
            None => self.everywhere += u64::from(several),
        }
        self.tried_on(peers);
        self.show(task, has_failed);
    }

    /// Both together.
    fn with(mut self, other: Self) -> Self {
        self.tasks += other.tasks;
        self.failed += other.failed;
        self.elsewhere += other.elsewhere;
        self.again += other.again;
        self.everywhere += other.everywhere;
        self.tries += other.tries;
        for (peer, tries) in other.peers {
            *self.peers.entry(peer).or_default() += tries;
        }
        self.examples.extend(other.examples);
        self.examples.truncate(EXAMPLES_MAX);
        self
    }

    /// Whether none of it failed for good, or was tried on more than one peer: then it is to be tried elsewhere.
    fn is_early(&self) -> bool {
        self.failed == 0 && self.everywhere == 0
    }

    fn tried_on(&mut self, peers: &[&'a PeerId]) {
        self.tries += peers.len() as u64;
        for peer in peers {
            *self.peers.entry(peer).or_default() += 1;
        }
    }

    /// Takes a task as an example: those that failed for good first.
    fn show(&mut self, task: &'a Task, has_failed: bool) {
        if has_failed && self.failed <= EXAMPLES_MAX as u64 {
            self.examples
                .insert(self.failed.saturating_sub(1) as usize, task);
            self.examples.truncate(EXAMPLES_MAX);
        } else if self.examples.len() < EXAMPLES_MAX {
            self.examples.push(task);
        }
    }
}

fn run_row((task, lease): (&Task, &Lease), usual: Option<UsualRow>, now: Moment) -> RunRow {
    RunRow {
        task_id: task.id,
        task_name: task.name.clone(),
        part: task.part().map(Part::number),
        attempt: lease.attempt,
        peer_id: lease.holder.peer.clone(),
        for_s: now.since(lease.granted).as_secs(),
        is_slow: slow(usual, lease, now),
    }
}

/// Whether a task runs for much longer than any of its group took.
fn slow(usual: Option<UsualRow>, lease: &Lease, now: Moment) -> bool {
    let for_ms = now.since(lease.granted).as_millis();
    usual.is_some_and(|usual| {
        let longest = usual.longest_ms.saturating_mul(SLOW_TIMES).max(SLOW_MS);
        usual.tasks >= USUAL_OF as u64 && for_ms > u128::from(longest)
    })
}

#[cfg(test)]
mod tests;
