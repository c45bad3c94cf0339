//! Which files an open database has.
//!
//! Rule: a commit holds only if the names still lead to the files that took it: what is written to a file that was
//! deleted or moved away is gone with the next start, and SQLite does not look.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::StoreError;
use super::files::{Files, failed};

/// The files of a database as they lay when it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    database: Option<Found>,
    log: Option<Found>,
}

/// What a name leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Found {
    device: u64,
    inode: u64,
    /// Bytes.
    size: u64,
}

impl Found {
    fn is_same(self, other: Self) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }
}

/// What became of the files since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// They are where they were.
    There,
    /// The database is, but its log is not; what that told can still be moved into the database.
    WithoutLog,
    /// The database is smaller than it was, which we never make it.
    Cut,
    /// There is no database, or another one.
    Gone,
}

impl Held {
    /// Notes the files of a database that was just opened, and written to so that its log is there.
    pub fn note(files: &Files) -> Result<Self, StoreError> {
        Ok(Self {
            database: find(&files.database)?,
            log: find(&files.log())?,
        })
    }

    /// Looks where they are; that takes about two microseconds.
    pub fn look(&mut self, files: &Files) -> Result<Fate, StoreError> {
        let now = Self::note(files)?;
        let (Some(old), Some(new)) = (self.database, now.database) else {
            return Ok(Fate::Gone);
        };
        if !old.is_same(new) {
            return Ok(Fate::Gone);
        }
        let has_log = matches!((self.log, now.log), (Some(old), Some(new)) if old.is_same(new));
        if !has_log {
            return Ok(Fate::WithoutLog);
        }
        if new.size < old.size {
            return Ok(Fate::Cut);
        }
        *self = now;
        Ok(Fate::There)
    }
}

fn find(file: &Path) -> Result<Option<Found>, StoreError> {
    match fs::metadata(file) {
        Ok(found) => Ok(Some(Found {
            device: found.dev(),
            inode: found.ino(),
            size: found.len(),
        })),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(failed("look at", file, error)),
    }
}
