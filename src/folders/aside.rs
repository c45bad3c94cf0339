//! Folders of what is kept for a person to look at, each with a note beside it: never so much that it fills a disk.

use std::ffi::OsString;
use std::path::Path;

use mutirao_actors::model::Stamp;

use crate::disk::{DiskError, OnDisk as _, Volume, is_absent};

/// Files that are kept at a time: enough to see what a confused peer sends, or a failing disk damages.
pub(super) const FILES_MAX: usize = 64;
/// Bytes of all of them: some results of the largest size.
pub(super) const BYTES_MAX: u64 = 256 << 20;
/// The name of a note ends with this, and begins with that of its file.
const NOTE: &str = ".txt";

/// Removes the oldest files, with their notes, until one of this size fits.
///
/// # Errors
/// Whatever the disk refuses.
pub(super) fn make_room(volume: &Volume, folder: &Path, size: u64) -> Result<(), DiskError> {
    let mut files = list(volume, folder)?;
    files.sort_by_key(|(stamp, _)| stamp.modified);
    let mut bytes = files.iter().map(|(stamp, _)| stamp.size).sum::<u64>() + size;
    let mut count = files.len() + 1;
    for (stamp, name) in files {
        if bytes <= BYTES_MAX && count <= FILES_MAX {
            break;
        }
        volume.remove(&folder.join(&name))?;
        let mut note = name;
        note.push(NOTE);
        let note = folder.join(note);
        if volume.stat(&note).is_ok() {
            volume.remove(&note)?;
        }
        (bytes, count) = (bytes - stamp.size, count - 1);
    }
    Ok(())
}

fn list(volume: &Volume, folder: &Path) -> Result<Vec<(Stamp, OsString)>, DiskError> {
    let names = match volume.list(folder) {
        Err(error) if is_absent(&error) => return Ok(Vec::new()),
        names => names.on_disk("list", folder)?,
    };
    let mut files = Vec::new();
    for name in names {
        let name = name.on_disk("list", folder)?;
        if !name.as_encoded_bytes().ends_with(NOTE.as_bytes()) {
            let path = folder.join(&name);
            let stat = volume.stat(&path).on_disk("look at", &path)?;
            files.push((stat.stamp, name));
        }
    }
    Ok(files)
}
