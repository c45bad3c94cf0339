//! Which peers are sick: they fail what others pass.
//!
//! Rule: what failed at a peer and then passed at another casts a doubt on the peer; one success there takes all
//! doubts back. A row of doubts that chance would not make is a sickness: the peer is quarantined. When that is over
//! it gets one task, as a probe: a success forgives, a failure doubles the quarantine. A task that fails everywhere
//! casts no doubt, and where many fail now and then a longer row is needed.
//!
//! It is a machine that is sick, so a new life of the same peer is as sick as the one before. A new life of ours learns
//! from the tries of the tasks that it remembers what the one before knew, but for how long a quarantine still was.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use crate::model::{Attempt, Endpoint, Life, Moment, PeerId, TaskId};

/// Shortest row of doubts that is a sickness: one or two may be chance whatever the others do.
const DOUBTS_MIN: u32 = 3;
/// A row of doubts is a sickness when a healthy peer would have one so seldom: once in a million rows.
const CHANCE: f64 = 1e-6;
/// However unreliable the tasks are, a doubt is no likelier than this at a healthy peer: then 20 in a row are enough.
const DOUBTFUL_MAX: f64 = 0.5;
/// What the others do is known from about so many of their last runs: some minutes of a busy cluster.
const RUNS_MAX: u32 = 512;
/// Failures since the last success that a machine is remembered for, the first ones: these pass elsewhere first.
const ROW_MAX: usize = 256;
/// Machines that are remembered for their failures: as many as there may be peers that are not here.
const MACHINES_MAX: usize = 10_000;
/// The first quarantine: most of what makes a machine sick takes a person to mend.
const TERM_FIRST: Duration = Duration::from_secs(300);
/// The longest quarantine: a machine that was mended is back within the hour.
const TERM_MAX: Duration = Duration::from_secs(3600);
/// How often a sick peer gets a probe while nobody well is here, so that work goes on as soon as one of them is mended.
const PROBE_EVERY: Duration = Duration::from_secs(60);

/// What stays the same over the lives of a peer: the name of one of ours; of others, who may share a name, with the
/// address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Machine(PeerId, Option<IpAddr>);

impl From<&Endpoint> for Machine {
    fn from(endpoint: &Endpoint) -> Self {
        let address = match endpoint.life {
            Life::Boot(_) => None,
            Life::Address(address) => Some(address),
        };
        Self(endpoint.peer.clone(), address)
    }
}

/// Whether two endpoints are lives of one machine: they are sick together.
pub fn is_same_machine(one: &Endpoint, other: &Endpoint) -> bool {
    Machine::from(one) == Machine::from(other)
}

/// A quarantine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quarantine {
    /// Until when; then the peer gets one task at a time until one succeeds.
    pub until: Moment,
    /// How many tasks in a row failed there and passed elsewhere.
    pub doubts: u32,
    term: Duration,
    /// The last task that was handed out there, and when that or the quarantine began.
    probe: Option<(TaskId, Attempt)>,
    probed: Moment,
}

impl Quarantine {
    /// Whether the peer may be given one task, as a probe.
    pub fn allows_probe(&self, anybody_well: bool, now: Moment) -> bool {
        now >= self.until || (!anybody_well && now >= self.probed.after(PROBE_EVERY))
    }
}

/// What is held against one machine; machines with a clean chart are not kept.
#[derive(Debug, Default)]
struct Chart {
    /// What failed there since its last success and may still pass elsewhere.
    failed: VecDeque<(TaskId, Attempt)>,
    /// How many of these have passed elsewhere.
    doubts: u32,
    quarantine: Option<Quarantine>,
}

/// The health of all peers.
#[derive(Debug, Default)]
pub struct Health {
    machines: HashMap<Machine, Chart>,
    /// Successes of late.
    passed: u32,
    /// Doubts of late that a success took back: those were chance.
    doubtful: u32,
}

impl Health {
    /// The peer's quarantine, if it is sick.
    pub fn quarantine(&self, peer: &Endpoint) -> Option<&Quarantine> {
        self.machines.get(&peer.into())?.quarantine.as_ref()
    }

    /// Whether the peer is sick.
    pub fn is_sick(&self, peer: &Endpoint) -> bool {
        self.quarantine(peer).is_some()
    }

    /// Whether it may be: something failed there that passed elsewhere, and nothing has passed there since.
    pub fn is_doubted(&self, peer: &Endpoint) -> bool {
        let chart = self.machines.get(&peer.into());
        chart.is_some_and(|chart| chart.doubts > 0)
    }

    /// Whether anybody is.
    pub fn is_anybody_sick(&self) -> bool {
        let mut charts = self.machines.values();
        charts.any(|chart| chart.quarantine.is_some())
    }

    /// A run succeeded there; whether the peer was sick till now.
    pub fn passed(&mut self, peer: &Endpoint) -> bool {
        let chart = self.machines.remove(&peer.into()).unwrap_or_default();
        let was_sick = chart.quarantine.is_some();
        self.passed += 1;
        // What was a sickness says nothing of what chance does.
        if !was_sick {
            self.doubtful += chart.doubts;
        }
        if self.passed + self.doubtful > RUNS_MAX {
            self.passed /= 2;
            self.doubtful /= 2;
        }
        was_sick
    }

    /// A run failed there.
    pub fn failed(&mut self, peer: &Endpoint, task: TaskId, attempt: Attempt, now: Moment) {
        let machine = peer.into();
        if !self.machines.contains_key(&machine) && self.machines.len() >= MACHINES_MAX {
            return;
        }
        let chart = self.machines.entry(machine).or_default();
        if let Some(quarantine) = &mut chart.quarantine {
            // What it had before it was quarantined is no probe.
            if quarantine.probe != Some((task, attempt)) {
                return;
            }
            quarantine.term = quarantine.term.saturating_mul(2).min(TERM_MAX);
            quarantine.until = now.after(quarantine.term);
        } else if chart.failed.len() < ROW_MAX {
            chart.failed.push_back((task, attempt));
        }
    }

    /// What failed there has passed elsewhere; the quarantine, if it begins with this.
    pub fn passed_elsewhere(
        &mut self,
        peer: &Endpoint,
        task: TaskId,
        attempt: Attempt,
        now: Moment,
    ) -> Option<Quarantine> {
        let needed = self.needed();
        let chart = self.machines.get_mut(&peer.into())?;
        let at = chart
            .failed
            .iter()
            .position(|failed| *failed == (task, attempt))?;
        chart.failed.remove(at);
        chart.doubts += 1;
        if chart.doubts < needed {
            return None;
        }
        chart.failed.clear();
        chart.quarantine = Some(Quarantine {
            until: now.after(TERM_FIRST),
            doubts: chart.doubts,
            term: TERM_FIRST,
            probe: None,
            probed: now,
        });
        chart.quarantine
    }

    /// The task has ended: whether it passes elsewhere will not be seen.
    pub fn ended(&mut self, peer: &Endpoint, task: TaskId, attempt: Attempt) {
        let machine = peer.into();
        if let Some(chart) = self.machines.get_mut(&machine) {
            chart.failed.retain(|failed| *failed != (task, attempt));
            if chart.failed.is_empty() && chart.doubts == 0 {
                self.machines.remove(&machine);
            }
        }
    }

    /// A task was handed out there.
    pub fn handed_out(&mut self, peer: &Endpoint, task: TaskId, attempt: Attempt, now: Moment) {
        let chart = self.machines.get_mut(&peer.into());
        if let Some(quarantine) = chart.and_then(|chart| chart.quarantine.as_mut()) {
            (quarantine.probe, quarantine.probed) = (Some((task, attempt)), now);
        }
    }

    /// Nobody knows how much of the quarantines is over: each is, and who was sick gets a probe.
    pub fn cut_terms(&mut self, now: Moment) {
        let quarantines = self.machines.values_mut();
        for quarantine in quarantines.filter_map(|chart| chart.quarantine.as_mut()) {
            quarantine.until = now;
        }
    }

    /// How long a row of doubts must be to be no chance, after what the others did of late.
    fn needed(&self) -> u32 {
        let runs = f64::from(self.passed + self.doubtful);
        // One of each is taken for granted: who knows little should not be sure.
        let doubtful = ((f64::from(self.doubtful) + 1.0) / (runs + 2.0)).min(DOUBTFUL_MAX);
        let (mut chance, mut needed) = (1.0, 0);
        while chance > CHANCE {
            chance *= doubtful;
            needed += 1;
        }
        needed.max(DOUBTS_MIN)
    }
}

#[cfg(test)]
mod tests;
