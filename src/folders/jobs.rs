//! The work on the disk: everything here blocks, and runs off the arbiter.
//!
//! Rule: a job is given plain values and gives one back; what it means is decided by the desk and its mind.

use std::path::Path;

use mutirao_actors::model::{Archive, Digest, TaskId};
use mutirao_actors::wire::scanner::ARCHIVE_MAX;

pub(super) use self::again::{Again, clear_put_away, copy_back};
pub(super) use self::bring_back::{MaybeEnded, bring_back};
pub(super) use self::ended::Settling;
pub(super) use self::groups::{numbers as numbers_of_groups, open_group};
pub(super) use self::keep::{Keeping, keep, keep_together};
pub(super) use self::lay::{Adopted, Laid, Unlaid, adopt_together, lay, load_unlaid};
pub(super) use self::put_away::{Shelved, reject};
pub(super) use self::read::{Hold, Read, Unread, read_together};
pub(super) use self::set_aside::set_aside;
pub(super) use self::settle::{Settled, discard, settle};
pub(super) use self::take_in::{Draft, Look, glance};
use super::kept::Kept;
use super::packs::Key;
use super::places::Places;
use crate::archive::Refusal;
use crate::disk::{DiskError, OnDisk as _, Parts, Volume, is_absent, publish};

mod again;
mod bring_back;
mod copies;
mod ended;
mod groups;
mod keep;
mod lay;
mod place;
mod put_away;
mod read;
mod set_aside;
mod settle;
mod take_in;
mod touched;
mod unclaimed;
mod unnamed;

/// What the disk is tried with at least: as much as a small result.
const PROBE_LEAST: usize = 16 << 10;

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
    /// Those that may have lain in a pack that a disk has damaged; others of them lie where they belong.
    pub missing: Vec<Key>,
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
    let is_missing = |key: &&Key| found.binary_search(key).is_err();
    let missing = match places.packs.trouble() {
        Some(_) => wanted.iter().filter(is_missing).copied().collect(),
        None => Vec::new(),
    };
    Ok(Opened {
        found,
        missing,
        trouble,
    })
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

/// Whether the disk takes and gives back so many bytes, which lie among the payloads for a while.
pub(super) fn probe(places: &Places, bytes: usize) -> Result<(), DiskError> {
    let bytes = bytes.clamp(PROBE_LEAST, ARCHIVE_MAX);
    let (volume, folder) = (&places.volume, places.payloads());
    let mark = volume.mark();
    let mut parts = Parts::begin(volume, &folder)?;
    parts.write(&vec![0; bytes])?;
    let parts = parts.flush()?;
    volume.sync_since(&folder, mark)?;
    parts.iter().try_for_each(|part| {
        let read = volume.read(part.path(), bytes as u64);
        read.on_disk("read", part.path()).map(drop)
    })
}

/// Reads a result, wherever it lies by now.
pub(super) fn load_kept(places: &Places, task: TaskId, kept: &Kept) -> Result<Archive, Refused> {
    let payload = places.payload(task, kept.sha256);
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
