//! Files that are to get a name that others look for: in `results/`, or in `tasks/`.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use mutirao_actors::model::Digest;

use super::touched::Touched;
use super::{ARCHIVE_MAX, Places, Refused, load};
use crate::disk::{DiskError, OnDisk as _, Part, publish};

/// What gets a name: it lies among the payloads and is moved, or was copied out of a pack.
#[derive(Debug)]
pub(super) enum Unnamed<'a> {
    Payload(PathBuf),
    Copy(Part<'a>),
}

/// Gives it a name; false when another file has that.
pub(super) fn give_name(
    places: &Places,
    unnamed: &mut Unnamed<'_>,
    path: &Path,
    sha256: Digest,
    touched: &mut Touched,
) -> Result<bool, DiskError> {
    if unnamed.rename(places, path, touched)? {
        return Ok(true);
    }
    if !holds(places, path, sha256)? {
        return Ok(false);
    }
    // A copy of the same bytes that a crash or a failed flush left, so nobody knows whether its name lasts: made anew.
    places.volume.remove(path)?;
    unnamed.rename(places, path, touched)
}

/// Whether a file holds the bytes of this digest.
pub(super) fn holds(places: &Places, path: &Path, sha256: Digest) -> Result<bool, DiskError> {
    match load(&places.volume, path, sha256) {
        Ok(_) => Ok(true),
        Err(Refused::Cannot(_)) => Ok(false),
        Err(Refused::Disk(error)) => Err(error),
    }
}

impl Unnamed<'_> {
    fn path(&self) -> &Path {
        match self {
            Self::Payload(payload) => payload,
            Self::Copy(copy) => copy.path(),
        }
    }

    /// Gives it a name; false when a file has that.
    fn rename(
        &mut self,
        places: &Places,
        path: &Path,
        touched: &mut Touched,
    ) -> Result<bool, DiskError> {
        let renamed = match self {
            Self::Payload(payload) => places.volume.rename_new(payload, path),
            Self::Copy(copy) => copy.rename_new(path),
        };
        match (renamed, &*self) {
            (Ok(()), Self::Payload(payload)) => touched.moved(payload.clone(), path.to_owned()),
            (Ok(()), Self::Copy(_)) => touched.made(path.to_owned()),
            (Err(error), _) if error.kind() == ErrorKind::AlreadyExists => return Ok(false),
            (Err(error), from) if error.kind() == ErrorKind::CrossesDevices => {
                return copy_over(places, from.path(), path);
            }
            (Err(error), _) => return Err(error).on_disk("name the new file", path),
        }
        Ok(true)
    }
}

/// Copies a file to another disk, and removes it when both the copy and its name are flushed; false when a file lies there.
fn copy_over(places: &Places, from: &Path, path: &Path) -> Result<bool, DiskError> {
    let (folder, name) = (path.parent(), path.file_name());
    let (folder, name) = (folder.unwrap_or(path), name.unwrap_or_default());
    let read = places.volume.read(from, ARCHIVE_MAX as u64);
    let bytes = read.on_disk("read", from)?.bytes;
    let name = name.to_string_lossy();
    let is_copied = publish::publish_as(&places.volume, folder, &name, &bytes)?.is_some();
    if is_copied {
        places.volume.remove(from)?;
    }
    Ok(is_copied)
}
