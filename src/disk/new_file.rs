//! A new file of this machine, written whole.

use std::fs::{self, File, Metadata};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use mutirao_actors::model::Stamp;

/// Writes a file that must not be there, and finishes it; what cannot be finished is removed.
pub(super) fn write_new(
    path: &Path,
    bytes: &[u8],
    finish: impl FnOnce(&File) -> io::Result<()>,
) -> io::Result<(File, Stamp)> {
    let mut file = File::create_new(path)?;
    let written = file
        .write_all(bytes)
        .and_then(|()| finish(&file))
        .and_then(|()| file.metadata());
    if written.is_err() {
        // The error that made it half a file says more than one that keeps it lying there.
        let _ = fs::remove_file(path);
    }
    Ok((file, stamp_of(&written?)))
}

/// When a file was changed, how long it is, and which it is.
pub(super) fn stamp_of(metadata: &Metadata) -> Stamp {
    Stamp {
        size: metadata.len(),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
        changed: (metadata.ctime(), metadata.ctime_nsec()),
        inode: metadata.ino(),
    }
}
