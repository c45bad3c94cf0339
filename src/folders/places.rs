//! Where everything of a master lies, and how what waits among the payloads is called.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use mutirao_actors::model::{Archive, Digest, TaskId};

use super::packs::{Key, Packs};
use crate::disk::{DiskError, Volume, publish};

/// What was taken lies here, below our own files, until it has a place of its own.
const PAYLOADS: &str = "payloads";
/// What a disk has damaged lies here, for a person to look at.
const DAMAGED: &str = "damaged";

/// Where everything lies.
#[derive(Debug, Clone)]
pub struct Places {
    /// The disk that all of it lies on.
    pub volume: Arc<Volume>,
    /// Tasks come in here.
    pub tasks: PathBuf,
    /// Results go out here.
    pub results: PathBuf,
    /// Our own files.
    pub hidden: PathBuf,
    /// The small ones of those that came together.
    pub(crate) packs: Arc<Packs>,
}

impl Places {
    /// The usual ones below a folder.
    pub fn under(root: &Path, volume: Arc<Volume>) -> Self {
        let hidden = root.join(".mutirao");
        Self {
            volume,
            tasks: root.join("tasks"),
            results: root.join("results"),
            packs: Arc::new(Packs::new(hidden.join(PAYLOADS), hidden.join(DAMAGED))),
            hidden,
        }
    }

    pub(super) fn done(&self) -> PathBuf {
        self.tasks.join("done")
    }

    pub(super) fn failed(&self) -> PathBuf {
        self.tasks.join("failed")
    }

    pub(super) fn rejected(&self) -> PathBuf {
        self.tasks.join("rejected")
    }

    /// Results that were taken and have no place in `results/` yet, and tasks that have none in `tasks/`.
    pub(super) fn payloads(&self) -> PathBuf {
        self.hidden.join(PAYLOADS)
    }

    /// Packs that a disk has damaged.
    pub(super) fn damaged(&self) -> PathBuf {
        self.hidden.join(DAMAGED)
    }

    /// Results that were taken, and whose task's record a damage took.
    pub(super) fn unclaimed(&self) -> PathBuf {
        self.hidden.join("unclaimed")
    }

    /// Results that nobody uses.
    pub(super) fn set_aside(&self) -> PathBuf {
        self.hidden.join("set-aside")
    }

    /// Where a result lies until its task is settled, or a task's ZIP until it is put into `tasks/`.
    pub(crate) fn payload(&self, task: TaskId, sha256: Digest) -> PathBuf {
        self.payloads().join(payload_name(task, sha256))
    }

    /// Writes a ZIP among the payloads, where no crash loses it.
    pub(super) fn write_payload(&self, task: TaskId, archive: &Archive) -> Result<(), DiskError> {
        let name = payload_name(task, archive.digest());
        publish::publish_over(&self.volume, &self.payloads(), &name, archive.bytes())
    }

    /// Where it is written down what became of tasks.
    pub(super) fn store(&self) -> PathBuf {
        self.hidden.join("store")
    }

    pub(super) fn failed_results(&self) -> PathBuf {
        self.results.join("failed")
    }
}

/// By its digest, so that `sha256sum` tells whether it is whole; and by its task, for two may have the same bytes.
pub(super) fn payload_name(task: TaskId, sha256: Digest) -> String {
    format!("{sha256}-{task}")
}

/// Of which task and bytes a payload of this name is, if it is one.
pub(super) fn payload_named(name: &str) -> Option<Key> {
    let (sha256, task) = name.split_once('-')?;
    let (task, sha256) = (TaskId(task.parse().ok()?), sha256.parse().ok()?);
    (payload_name(task, sha256) == name).then_some((task, sha256))
}
