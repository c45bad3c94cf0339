//! Results on the peer's disk, from the end of their runs until a master has them (promise R12).
//!
//! Rule: a result that is kept is flushed, and goes when its run is forgotten. It is two files, the ZIP and then its
//! label, and is there when both are and agree; what does not agree is set aside and said, never handed in. A disk that does not take a result costs only this: it is kept in memory alone.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mutirao_actors::logic::client::{HandIn, Kept, RunKey};
use mutirao_actors::model::{Archive, Attempt, Digest, Outcome, TaskId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::disk::publish::{move_into, publish_over, sweep};
use crate::disk::{DiskError, OnDisk as _, Volume};

/// Results that are read back at a start: twice what the peer's mind lets wait for one master with as many slots as there
/// can be, which is all that it lets wait. What lies beyond stays for another start.
pub const READ_MAX: usize = 2200;
/// Longest label, in bytes: a name came in a reply of at most 4 MiB, and JSON writes a byte of it with six at most.
const LABEL_MAX: u64 = 32 << 20;
/// Results that were set aside and still lie there: enough to look into, and the oldest go first.
const DAMAGED_MAX: usize = 16;
/// Where those lie.
const DAMAGED: &str = "damaged";

/// The folder with the results.
#[derive(Debug)]
pub struct Spool {
    volume: Arc<Volume>,
    folder: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What lies there.
    holds: BTreeSet<RunKey>,
    /// What the disk last refused, so that it is said once.
    trouble: Option<ErrorKind>,
}

/// What is known of a result besides its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// Of which task.
    pub task: TaskId,
    /// Of which try.
    pub attempt: Attempt,
    /// The name under which the task was handed out, as it was sent.
    pub name: String,
    /// Whether the task's id and the try are the master's own.
    pub named: bool,
    /// The master whose they are; none if they are ours, or the label is of a version that did not say.
    #[serde(default)]
    pub master_id: Option<Uuid>,
    /// How the run ended.
    pub outcome: Outcome,
    /// Of the ZIP.
    pub sha256: Digest,
}

impl Label {
    fn key(&self) -> RunKey {
        (self.task, self.attempt)
    }
}

impl Spool {
    /// Opens the folder, which is made when missing, and reads what an earlier life left. Blocks.
    ///
    /// # Errors
    /// When the folder cannot be made or listed.
    pub fn open(volume: Arc<Volume>, folder: PathBuf) -> Result<(Self, Vec<Kept>), DiskError> {
        volume.make_folder(&folder)?;
        sweep(&volume, &folder)?;
        let spool = Self {
            volume,
            folder,
            state: Mutex::default(),
        };
        let kept = spool.read_all()?;
        spool.state().holds = kept.iter().map(|kept| kept.hand_in.key).collect();
        Ok((spool, kept))
    }

    /// Where the results lie.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// How many results lie there.
    pub fn count(&self) -> usize {
        self.state().holds.len()
    }

    /// Writes a result down. Blocks; a disk that refuses is said once.
    pub fn keep(&self, label: &Label, result: &Archive) {
        match self.write(label, result) {
            Ok(()) => {
                let mut state = self.state();
                state.holds.insert(label.key());
                state.trouble = None;
            }
            Err(error) => {
                self.discard(&stem(label.key()));
                if self.state().trouble.replace(error.kind()) != Some(error.kind()) {
                    tracing::warn!("{error}; until then results are kept in memory alone");
                }
            }
        }
    }

    /// Nobody wants the result any more. Blocks.
    pub fn forget(&self, key: RunKey) {
        if self.state().holds.remove(&key) {
            self.discard(&stem(key));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, label: &Label, result: &Archive) -> Result<(), DiskError> {
        let stem = stem(label.key());
        let publish = |ending, bytes: &[u8]| {
            let name = format!("{stem}.{ending}");
            publish_over(&self.volume, &self.folder, &name, bytes)
        };
        publish("zip", result.bytes())?;
        let text = serde_json::to_vec(label).map_err(std::io::Error::from);
        publish("json", &text.on_disk("label a result in", &self.folder)?)
    }

    /// Removes the label first: a ZIP alone is no result. It is not flushed: what comes back with a power cut is handed
    /// in once more, and known there.
    fn discard(&self, stem: &str) {
        for ending in ["json", "zip"] {
            let path = self.folder.join(format!("{stem}.{ending}"));
            let is_there = self.volume.stat(&path).is_ok();
            if is_there && let Err(error) = self.volume.remove(&path) {
                tracing::warn!("{error}");
            }
        }
    }

    fn read_all(&self) -> Result<Vec<Kept>, DiskError> {
        let names = self.names(&self.folder)?;
        let stems_of = |ending| names.iter().filter_map(move |name| stem_of(name, ending));
        let labelled: BTreeSet<&str> = stems_of(".json").collect();
        for stem in stems_of(".zip").filter(|stem| !labelled.contains(stem)) {
            // The life before ended between its two files, or between removing them.
            self.discard(stem);
        }
        if labelled.len() > READ_MAX {
            let more = labelled.len() - READ_MAX;
            let folder = self.folder.display();
            tracing::warn!("{more} more results lie in {folder}; they are read at another start");
        }
        let read = |stem: &&str| match self.read(stem) {
            Ok(kept) => Some(kept),
            Err(why) => {
                self.set_aside(stem, &why);
                None
            }
        };
        Ok(labelled.iter().take(READ_MAX).filter_map(read).collect())
    }

    /// A result that is whole, or in words why it is none.
    fn read(&self, of: &str) -> Result<Kept, String> {
        let read = |ending, max| {
            let path = self.folder.join(format!("{of}.{ending}"));
            let contents = self.volume.read(&path, max);
            contents.map_err(|error| format!("its {ending} cannot be read: {error}"))
        };
        let label = read("json", LABEL_MAX)?.bytes;
        let label: Label = serde_json::from_slice(&label).map_err(|error| error.to_string())?;
        if stem(label.key()) != of {
            return Err("its label is that of another".into());
        }
        let result = Archive::new(read("zip", u64::MAX)?.bytes);
        if result.digest() != label.sha256 {
            return Err("its bytes are not those that were written".into());
        }
        Ok(Kept {
            named: label.named,
            master_id: label.master_id,
            hand_in: HandIn {
                key: label.key(),
                name: label.name,
                outcome: label.outcome,
                result,
            },
        })
    }

    fn set_aside(&self, stem: &str, why: &str) {
        let damaged = self.folder.join(DAMAGED);
        let shown = damaged.display();
        tracing::warn!("the kept result {stem} is damaged, and set aside in {shown}: {why}");
        let moved = || {
            self.volume.make_folder(&damaged)?;
            let lie_there = self.names(&damaged)?;
            // Each is two files at most, whose names begin with the time of their task.
            let excess = (lie_there.len() + 2).saturating_sub(2 * DAMAGED_MAX);
            for name in lie_there.iter().take(excess) {
                self.volume.remove(&damaged.join(name))?;
            }
            for name in [format!("{stem}.zip"), format!("{stem}.json")] {
                let file = self.folder.join(name);
                if self.volume.stat(&file).is_ok() {
                    move_into(&self.volume, &damaged, &file)?;
                }
            }
            Ok::<_, DiskError>(())
        };
        if let Err(error) = moved() {
            tracing::warn!("{error}");
        }
    }

    /// The names in a folder, sorted.
    fn names(&self, folder: &Path) -> Result<Vec<OsString>, DiskError> {
        let names = self.volume.list(folder).and_then(Iterator::collect);
        let mut names: Vec<OsString> = names.on_disk("list", folder)?;
        names.sort();
        Ok(names)
    }
}

/// The name of a result's two files, without their endings.
fn stem((task, attempt): RunKey) -> String {
    format!("{task}-{attempt}")
}

fn stem_of<'a>(name: &'a OsStr, ending: &str) -> Option<&'a str> {
    name.to_str()?.strip_suffix(ending)
}

#[cfg(test)]
mod tests;
