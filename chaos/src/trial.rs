//! One trial: a master in a folder of its own, tasks that leave a mark each time they are begun, and the look at what
//! lies there in the end.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use mutirao_rig::clock;
use serde_json::Value;

use crate::archives::{printed, sha256, zips_in};
use crate::checker::{Committed, Counts, Observed, check};
use crate::client::status;
use crate::master::Master;
use crate::memory::Memory;
use crate::peer::Peer;
use crate::place::Place;
use crate::scope::Scope;
use crate::tasks::Tasks;

/// How often a queue that drains is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long a queue must stay empty before tasks that have no result count as lost.
const IDLE_FOR: Duration = Duration::from_secs(2);

/// A master, its tasks and what was promised about them.
pub struct Trial {
    /// Where all of it lies.
    pub folder: PathBuf,
    /// The master.
    pub master: Master,
    /// Its tasks.
    pub tasks: Tasks,
}

impl Trial {
    /// A trial in a folder of this name. Trials that run at the same time have different lanes, and so other ports.
    pub fn new(scope: &Scope, name: &str, lane: u16) -> anyhow::Result<Self> {
        Self::at(Place::here(), scope, name, lane)
    }

    /// The same with the master at this place.
    pub fn at(place: Place, scope: &Scope, name: &str, lane: u16) -> anyhow::Result<Self> {
        let folder = scope.folder.join(name);
        let master = Master::new(&scope.binary, &folder, place, lane)?;
        let (marks, tasks) = (folder.join("executions"), master.folder.join("tasks"));
        Ok(Self {
            tasks: Tasks::new(marks, tasks, master.address()),
            folder,
            master,
        })
    }

    /// A real peer in a folder of this name.
    pub fn peer(&self, name: &str, arguments: &[&str]) -> anyhow::Result<Peer> {
        self.start_peer(Place::here(), None, name, arguments)
    }

    /// The same at this place.
    pub fn peer_at(&self, place: Place, name: &str, arguments: &[&str]) -> anyhow::Result<Peer> {
        self.start_peer(place, None, name, arguments)
    }

    /// The same, with this memory.
    pub fn peer_in(
        &self,
        memory: Option<&Memory>,
        name: &str,
        arguments: &[&str],
    ) -> anyhow::Result<Peer> {
        self.start_peer(Place::here(), memory, name, arguments)
    }

    fn start_peer(
        &self,
        place: Place,
        memory: Option<&Memory>,
        name: &str,
        arguments: &[&str],
    ) -> anyhow::Result<Peer> {
        Peer::start(&self.master, (place, memory), &self.folder, name, arguments)
    }

    /// Waits until every accepted task has ended and nothing waits or runs; false when that is not so `within` this
    /// long. A queue that stays empty has drained, whatever it lost.
    pub fn drained(&self, within: Duration) -> bool {
        let end = clock::now() + within;
        let mut idle_since = None;
        while clock::now() < end {
            let is_idle = status(self.master.address()).is_ok_and(|report| is_idle(&report));
            let since = *idle_since.get_or_insert_with(clock::now);
            if !is_idle || !zips_in(&self.tasks.folder).is_empty() {
                idle_since = None;
            } else if self.all_ended() || since.elapsed() > IDLE_FOR {
                return true;
            }
            clock::pause(LOOK_EVERY);
        }
        false
    }

    /// Whether every accepted task has ended and its ZIP has left `tasks/`.
    pub fn is_settled(&self) -> bool {
        zips_in(&self.tasks.folder).is_empty() && self.all_ended()
    }

    fn all_ended(&self) -> bool {
        let ended = ["results", "tasks/failed"].map(|folder| keys_in(&self.master.folder, folder));
        let history = self.tasks.history();
        let mut accepted = history.accepted.iter();
        accepted.all(|key| ended.iter().any(|keys| keys.contains_key(key)))
    }

    /// Whether `mutirao status` tells what keeps the master from working, `within` this long.
    pub fn says_trouble(&self, within: Duration) -> bool {
        let address = self.master.address();
        let mut command = Command::new(&self.master.binary);
        command.args(["status", "--master", &address.to_string()]);
        clock::until(within, || {
            let trouble = status(address).unwrap_or_default()["trouble"].take();
            let told = command.output().map(|told| told.stdout).unwrap_or_default();
            let told = String::from_utf8_lossy(&told);
            trouble
                .as_str()
                .is_some_and(|trouble| told.contains(trouble))
        })
    }

    /// How many tasks have a result.
    pub fn done(&self) -> usize {
        zips_in(&self.master.folder.join("results")).len()
    }

    /// How many times a task was begun.
    pub fn begun(&self) -> usize {
        let marks = fs::read_to_string(&self.tasks.marks).unwrap_or_default();
        marks.lines().count()
    }

    /// The judgement on it as it lies there now.
    pub fn counts(&self) -> Counts {
        let observed = self.observe();
        check(&self.tasks.history(), &observed)
    }

    fn observe(&self) -> Observed {
        let root = &self.master.folder;
        let read = |name: String| {
            let bytes = fs::read(root.join("results").join(name)).unwrap_or_default();
            Committed {
                printed: printed(&bytes),
                sha256: sha256(&bytes),
            }
        };
        let committed = keys_in(root, "results").into_iter();
        let committed = committed.map(|(key, names)| (key, names.into_iter().map(read).collect()));
        let mut executions = BTreeMap::new();
        for mark in fs::read_to_string(&self.tasks.marks)
            .unwrap_or_default()
            .lines()
        {
            *executions.entry(mark.to_owned()).or_default() += 1;
        }
        Observed {
            committed: committed.collect(),
            kept: self.kept(),
            failed: keys_in(root, "tasks/failed").into_keys().collect(),
            open: keys_in(root, "tasks").into_keys().collect(),
            conflicts: self.conflicts(),
            executions,
        }
    }

    /// Results that were taken and are not in `results/` yet lie there under names of their own.
    fn kept(&self) -> BTreeSet<String> {
        let payloads = fs::read_dir(self.master.folder.join(".mutirao/payloads"));
        let payloads = payloads.into_iter().flatten().flatten();
        let bytes = payloads.filter_map(|payload| fs::read(payload.path()).ok());
        bytes.map(|bytes| sha256(&bytes)).collect()
    }

    /// As many as the master reports, if it serves.
    fn conflicts(&self) -> u64 {
        let report = status(self.master.address()).unwrap_or_default();
        report["conflicts"].as_u64().unwrap_or_default()
    }
}

/// Whether nothing waits, runs or arrives.
pub fn is_idle(report: &Value) -> bool {
    let tasks = &report["tasks"];
    [&tasks["queued"], &tasks["leased"], &report["arriving"]]
        .iter()
        .all(|count| count.as_u64() == Some(0))
}

/// The ZIPs of a folder by the task's key: `a.2.zip` is of `a`.
fn keys_in(root: &Path, folder: &str) -> BTreeMap<String, Vec<String>> {
    let mut keys = BTreeMap::<_, Vec<_>>::new();
    for name in zips_in(&root.join(folder)) {
        let key = name.split('.').next().unwrap_or_default().to_owned();
        keys.entry(key).or_default().push(name);
    }
    keys
}
