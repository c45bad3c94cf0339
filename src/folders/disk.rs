//! What the disk may answer, and how it is said to the person who owns it.
//!
//! Rule: a disk error is never the end. It is said once with what to do, and the work is tried again at the next look.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;

use super::intake::Stamp;

/// Troubles that are remembered as said: beyond this many all are forgotten, and said once more.
const TROUBLES_MAX: usize = 1024;

/// The disk did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[error("failed to {doing} {}: {source}; {}", .path.display(), advice(.source.kind()))]
pub struct DiskError {
    doing: &'static str,
    path: PathBuf,
    source: io::Error,
}

/// What its owner can do about it.
fn advice(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "free some space",
        ErrorKind::PermissionDenied => "let the user that runs mutirao read and write there",
        ErrorKind::ReadOnlyFilesystem => "mount it writable",
        ErrorKind::NotADirectory => "move away the file that stands where a folder should be",
        _ => "look at the disk and its mount",
    }
}

/// Adds to an I/O error what was being done, and to what.
pub(super) trait OnDisk<T> {
    /// `doing` completes "failed to …".
    fn on_disk(self, doing: &'static str, path: &Path) -> Result<T, DiskError>;
}

impl<T> OnDisk<T> for io::Result<T> {
    fn on_disk(self, doing: &'static str, path: &Path) -> Result<T, DiskError> {
        self.map_err(|source| DiskError {
            doing,
            path: path.to_owned(),
            source,
        })
    }
}

/// The stamp of a file, as the system tells it.
pub(super) fn stamp_of(metadata: &Metadata) -> Stamp {
    Stamp {
        size: metadata.len(),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
        changed: (metadata.ctime(), metadata.ctime_nsec()),
        inode: metadata.ino(),
    }
}

/// Opens a plain file to read it; a link in its place fails, and a pipe does not block.
pub(super) fn open_plain(path: &Path) -> io::Result<File> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits())
        .open(path)
}

/// Reads a file to its end, but not more than `max` bytes of it.
pub(super) fn read_at_most(file: &File, max: u64) -> io::Result<Vec<u8>> {
    let size = file.metadata()?.len().min(max);
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
    file.take(max).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Makes a folder and those above it, so that they outlast a power cut.
pub(super) fn make_folder(folder: &Path) -> Result<(), DiskError> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    let above = folder.parent().unwrap_or(Path::new(""));
    make_folder(above)?;
    match fs::create_dir(folder) {
        // Another job made it just now.
        Err(error) if error.kind() == ErrorKind::AlreadyExists && folder.is_dir() => {}
        made => made.on_disk("make the folder", folder)?,
    }
    sync_folder(above)
}

/// Names in a folder outlast a power cut only after this.
pub(super) fn sync_folder(folder: &Path) -> Result<(), DiskError> {
    let here = Path::new(".");
    let folder = if folder.as_os_str().is_empty() {
        here
    } else {
        folder
    };
    let synced = File::open(folder).and_then(|opened| opened.sync_all());
    synced.on_disk("flush the folder", folder)
}

/// Says each trouble once: again only after it had gone, or when it has become another.
#[derive(Debug, Default)]
pub(super) struct Troubles(BTreeMap<(&'static str, PathBuf), ErrorKind>);

impl Troubles {
    /// How this work went on this path; a trouble is a warning, unless it is the same as last time.
    pub fn hear(&mut self, work: &'static str, path: &Path, trouble: Option<&DiskError>) {
        let key = (work, path.to_owned());
        let Some(error) = trouble else {
            self.0.remove(&key);
            return;
        };
        if self.0.len() >= TROUBLES_MAX {
            self.0.clear();
        }
        let kind = error.source.kind();
        if self.0.insert(key, kind) != Some(kind) {
            tracing::warn!("{error}; mutirao goes on and tries again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full(path: &str) -> Result<(), DiskError> {
        let error = io::Error::from(ErrorKind::StorageFull);
        Err(error).on_disk("write", Path::new(path))
    }

    #[test]
    fn an_error_says_what_happened_to_what_and_what_to_do() {
        let said = full("results").unwrap_err().to_string();
        assert!(said.starts_with("failed to write results: "), "{said}");
        assert!(said.ends_with("; free some space"), "{said}");
    }

    #[test]
    fn a_trouble_is_remembered_until_the_same_work_succeeds() {
        let mut troubles = Troubles::default();
        let results = Path::new("results");
        let error = full("results").unwrap_err();
        troubles.hear("keep", results, Some(&error));
        assert_eq!(troubles.0.len(), 1);
        troubles.hear("look", results, None);
        assert_eq!(
            troubles.0.len(),
            1,
            "other work says nothing about this one"
        );
        troubles.hear("keep", results, None);
        assert!(troubles.0.is_empty());
    }

    #[test]
    fn a_link_is_not_opened() {
        let temp = tempfile::tempdir().unwrap();
        fs::write(temp.path().join("real"), b"x").unwrap();
        std::os::unix::fs::symlink("real", temp.path().join("link")).unwrap();
        assert!(open_plain(&temp.path().join("real")).is_ok());
        assert!(open_plain(&temp.path().join("link")).is_err());
    }

    #[test]
    fn no_more_is_read_than_allowed() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("file");
        fs::write(&path, b"abcdef").unwrap();
        assert_eq!(
            read_at_most(&open_plain(&path).unwrap(), 4).unwrap(),
            b"abcd"
        );
    }
}
