//! What can go wrong with the database, and whether it is the disk's refusal or damage.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;
use rusqlite::ffi::{self, SQLITE_BUSY, SQLITE_IOERR_READ, SQLITE_IOERR_SHORT_READ};

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Nobody wrote anything down there.
    #[error(
        "there is no {}: no master was ever started in this folder; go to the one that holds its tasks/", .0.display()
    )]
    Missing(PathBuf),
    /// It was there once.
    #[error(
        "there is no {}, though {} is left of an earlier master: put the database back with its -wal; a master that \
         starts now begins anew", .file.display(), .trace.display()
    )]
    Gone {
        /// The database.
        file: PathBuf,
        /// What tells that there was one.
        trace: PathBuf,
    },
    /// A newer program wrote it; it was not touched.
    #[error(
        "{} was written by a newer mutirao (its version is {found}, this one knows {known}): \
         start that one again, or move the folder away to begin anew", .file.display()
    )]
    Newer {
        /// The database.
        file: PathBuf,
        /// The version of its schema.
        found: i64,
        /// The newest that we know.
        known: i64,
    },
    /// Another one stands in its place, or none.
    #[error(
        "{} is not the database with which this master started: put that back (is its disk mounted?), \
         or start the master again", .0.display()
    )]
    Replaced(PathBuf),
    /// It was taken away from its database, which has all of it now.
    #[error(
        "{} was deleted or moved while it was in use: what it held was saved, and it is made anew; leave it alone", .0.display()
    )]
    NoLog(PathBuf),
    /// The disk would not, or somebody else has the database.
    #[error("failed to {doing} {}: {source}; {}", .file.display(), advice(.source))]
    Base {
        /// Completes "failed to …".
        doing: &'static str,
        /// The database.
        file: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// It is damaged; it is mended when it is opened next.
    #[error("{} is damaged: {why}", .file.display())]
    Damaged {
        /// The database.
        file: PathBuf,
        /// How that was seen.
        why: String,
    },
    /// A file or folder beside it could not be handled.
    #[error("failed to {doing} {}: {source}; look at the disk and its mount, and who may write there", .file.display())]
    File {
        /// Completes "failed to …".
        doing: &'static str,
        /// Which.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// What the owner of the disk can do.
fn advice(error: &rusqlite::Error) -> &'static str {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "free some space",
        Some(ErrorCode::ReadOnly) => {
            "mount it writable, and let the user that runs mutirao write there"
        }
        Some(ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
            "let the user that runs mutirao read and write there"
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "end the program that keeps it open"
        }
        _ => "look at the disk and its mount",
    }
}

/// What went wrong, before it is said of which file.
#[derive(Debug)]
pub enum Fail {
    /// What was read is not what was written, in words for a reader.
    Damage(String),
    /// SQLite would not.
    Base(rusqlite::Error),
    /// A newer program wrote it.
    Newer {
        /// The version of its schema.
        found: i64,
        /// The newest that we know.
        known: i64,
    },
}

impl Fail {
    /// Somebody else keeps the database in use.
    pub fn busy() -> Self {
        Self::Base(rusqlite::Error::SqliteFailure(
            ffi::Error::new(SQLITE_BUSY),
            None,
        ))
    }

    /// The same as an error for a reader.
    pub fn of(self, doing: &'static str, file: &Path) -> StoreError {
        let file = file.to_owned();
        match self {
            Self::Damage(why) => StoreError::Damaged { file, why },
            Self::Base(source) => StoreError::Base {
                doing,
                file,
                source,
            },
            Self::Newer { found, known } => StoreError::Newer { file, found, known },
        }
    }
}

impl From<rusqlite::Error> for Fail {
    /// What a sound database on a sound disk never answers to our statements is damage.
    fn from(error: rusqlite::Error) -> Self {
        let unread = [SQLITE_IOERR_READ, SQLITE_IOERR_SHORT_READ];
        let is_refusal = match &error {
            rusqlite::Error::SqliteFailure(failure, _) => match failure.code {
                ErrorCode::SystemIoFailure => !unread.contains(&failure.extended_code),
                ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::PermissionDenied
                | ErrorCode::AuthorizationForStatementDenied
                | ErrorCode::ReadOnly
                | ErrorCode::DiskFull
                | ErrorCode::CannotOpen
                | ErrorCode::OutOfMemory
                | ErrorCode::OperationInterrupted
                | ErrorCode::FileLockingProtocolFailed
                | ErrorCode::NoLargeFileSupport => true,
                _ => false,
            },
            _ => false,
        };
        if is_refusal {
            Self::Base(error)
        } else {
            Self::Damage(error.to_string())
        }
    }
}
