//! What the disk may answer, and how it is said to the person who owns it.
//!
//! Rule: a disk error is never the end. It is said once with what to do, and the work is tried again at the next look.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use nix::errno::Errno;

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

impl DiskError {
    /// What the system said, in a word.
    pub fn kind(&self) -> ErrorKind {
        self.source.kind()
    }
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
pub(crate) trait OnDisk<T> {
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

/// Whether a path leads to no file of its own: nothing, or a link.
pub(crate) fn is_absent(error: &io::Error) -> bool {
    error.kind() == ErrorKind::NotFound || error.raw_os_error() == Some(Errno::ELOOP as i32)
}

/// Whether there is no such folder, and so nothing in it.
pub(crate) fn is_no_folder(error: &io::Error) -> bool {
    is_absent(error) || error.kind() == ErrorKind::NotADirectory
}

/// Says each trouble once: again only after it had gone, or when it has become another.
#[derive(Debug, Default)]
pub(crate) struct Troubles(BTreeMap<(&'static str, PathBuf), (ErrorKind, String)>);

impl Troubles {
    /// How this work went on this path; a trouble is a warning, unless it is the same as last time.
    pub fn hear(&mut self, work: &'static str, path: &Path, trouble: Option<&DiskError>) {
        if trouble.is_none() && self.0.is_empty() {
            return;
        }
        let key = (work, path.to_owned());
        let Some(error) = trouble else {
            self.0.remove(&key);
            return;
        };
        if self.0.len() >= TROUBLES_MAX {
            self.0.clear();
        }
        let kind = error.source.kind();
        let before = self.0.insert(key, (kind, error.to_string()));
        if before.is_none_or(|(before, _)| before != kind) {
            tracing::warn!("{error}; mutirao goes on and tries again");
        }
    }

    /// These works do well again, whatever they are done on.
    pub fn end(&mut self, works: &[&'static str]) {
        self.0.retain(|(work, _), _| !works.contains(work));
    }

    /// What was said of these paths is over: nothing lies there any more.
    pub fn forget(&mut self, is_gone: impl Fn(&Path) -> bool) {
        self.0.retain(|(_, path), _| !is_gone(path));
    }

    /// One that there is now, in words for a reader.
    pub fn any(&self) -> Option<&str> {
        self.0.values().next().map(|(_, said)| said.as_str())
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
}
