//! The work on the disk: everything here blocks, and runs off the arbiter.
//!
//! Rule: a job is given plain values and gives one back; what it means is decided by the desk and its mind.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use mutirao_actors::model::{Archive, Digest, TaskId};
use mutirao_actors::wire::scanner::ARCHIVE_MAX;

pub(super) use self::bring_back::{MaybeEnded, bring_back};
pub(super) use self::keep::{Keeping, keep, keep_together};
pub(super) use self::lay::{Adopted, Laid, Unlaid, adopt_together, lay, load_unlaid};
pub(super) use self::put_away::{Shelved, reject};
pub(super) use self::set_aside::set_aside;
pub(super) use self::settle::{Settled, Settling, discard, payload_of, settle};
pub(super) use self::take_in::{Draft, Look, glance, read};
use super::kept::Kept;
use super::packs::{Key, Packs};
use crate::archive::Refusal;
use crate::disk::{DiskError, OnDisk as _, Volume, is_absent, publish};

mod bring_back;
mod copies;
mod keep;
mod lay;
mod place;
mod put_away;
mod set_aside;
mod settle;
mod take_in;
mod touched;
mod unclaimed;
mod unnamed;

/// What was taken lies here, below our own files, until it has a place of its own.
const PAYLOADS: &str = "payloads";

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
            packs: Arc::new(Packs::new(hidden.join(PAYLOADS))),
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

    /// Results that were taken, and whose task's record a damage took.
    fn unclaimed(&self) -> PathBuf {
        self.hidden.join("unclaimed")
    }

    /// Results that nobody uses.
    pub(super) fn set_aside(&self) -> PathBuf {
        self.hidden.join("set-aside")
    }

    /// Where a result lies until its task is settled, or a task's ZIP until it is put into `tasks/`.
    pub(crate) fn payload(&self, task: TaskId, sha256: Digest) -> PathBuf {
        self.payloads().join(settle::payload_name(task, sha256))
    }

    pub(super) fn failed_results(&self) -> PathBuf {
        self.results.join("failed")
    }
}

/// Why a job did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    /// The disk would not.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// It cannot be done; in words for a reader.
    #[error("{0}")]
    Cannot(String),
}

/// What was found when the folders were opened.
#[derive(Debug)]
pub(super) struct Opened {
    /// The wanted payloads that are there.
    pub found: Vec<Key>,
    /// What the disk refuses in one of the folders: other work is none the worse for it.
    pub trouble: Option<DiskError>,
}

/// Makes the folders and clears away what an earlier life left half-written, all payloads but the wanted ones too, which
/// are sorted.
///
/// # Errors
/// When it cannot be told what lies among the payloads: nothing may be written or moved before that is known.
pub(super) fn open(
    places: &Places,
    wanted: &[Key],
    past_is_whole: bool,
) -> Result<Opened, DiskError> {
    let trouble = prepare(places).err();
    let found = unclaimed::clear_payloads(places, wanted, past_is_whole)?;
    Ok(Opened { found, trouble })
}

fn prepare(places: &Places) -> Result<(), DiskError> {
    let volume = &places.volume;
    volume.make_folder(&places.tasks)?;
    volume.make_folder(&places.results)?;
    volume.make_folder(&places.payloads())?;
    publish::sweep(volume, &places.tasks)?;
    publish::sweep(volume, &places.results)?;
    publish::sweep(volume, &places.failed_results())?;
    publish::sweep(volume, &places.done())?;
    publish::sweep(volume, &places.failed())?;
    publish::sweep(volume, &places.rejected())?;
    publish::sweep(volume, &places.payloads())
}

/// Reads a result, wherever it lies by now.
pub(super) fn load_kept(places: &Places, task: TaskId, kept: &Kept) -> Result<Archive, Refused> {
    let payload = payload_of(places, task, kept);
    if !kept.is_settled {
        // When it is neither here nor there it was just put where it belongs.
        if let Some(archive) = places.packs.read(&places.volume, (task, kept.sha256))? {
            return Ok(archive);
        }
        if places.volume.stat(&payload).is_ok()
            && let Ok(archive) = load(&places.volume, &payload, kept.sha256)
        {
            return Ok(archive);
        }
    }
    load(
        &places.volume,
        &places.results.join(&kept.file),
        kept.sha256,
    )
}

/// Reads a ZIP that must be the one with this digest.
pub(super) fn load(volume: &Volume, path: &Path, sha256: Digest) -> Result<Archive, Refused> {
    let shown = path.display();
    let bytes = match volume.read(path, ARCHIVE_MAX as u64 + 1) {
        Err(error) if is_absent(&error) => {
            return Err(Refused::Cannot(format!("{shown} is gone: put it back")));
        }
        read => read.on_disk("read", path)?.bytes,
    };
    if bytes.len() > ARCHIVE_MAX {
        let why = Refusal::TooLong;
        return Err(Refused::Cannot(format!("{shown} cannot be sent: {why}")));
    }
    let archive = Archive::new(bytes);
    if archive.digest() == sha256 {
        Ok(archive)
    } else {
        Err(Refused::Cannot(format!(
            "{shown} has changed since mutirao wrote or adopted it"
        )))
    }
}

#[cfg(test)]
mod tests;
