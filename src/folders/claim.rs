//! One master a folder: two would take each other's files for deleted.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// Where the lock lies, below the folder; the system drops it with the process, however that ends.
const LOCK: &str = ".mutirao/master.lock";

/// The right to be the master of a folder, as long as it lives.
#[derive(Debug)]
pub struct Claim {
    _lock: File,
}

/// Why a folder cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// Another master has it.
    #[error(
        "a master already serves the folder {}: `mutirao status` shows it; start another one in a folder of its own",
        .0.display()
    )]
    Taken(PathBuf),
    /// The system does not let us lock it.
    #[error("failed to lock {}: {error}", file.display())]
    Lock {
        /// The lock's file.
        file: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

impl Claim {
    /// Claims a folder.
    ///
    /// # Errors
    /// [`ClaimError::Taken`] when another master has it.
    pub fn of(folder: &Path) -> Result<Self, ClaimError> {
        let file = folder.join(LOCK);
        let open = || {
            fs::create_dir_all(folder.join(".mutirao"))?;
            File::options().create(true).append(true).open(&file)
        };
        let failed = |error| ClaimError::Lock {
            file: file.clone(),
            error,
        };
        let lock = open().map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { _lock: lock }),
            Err(TryLockError::WouldBlock) => {
                let shown = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
                Err(ClaimError::Taken(shown))
            }
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_master_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let first = Claim::of(folder.path()).unwrap();
        assert!(matches!(
            Claim::of(folder.path()),
            Err(ClaimError::Taken(_))
        ));
        drop(first);
        Claim::of(folder.path()).unwrap();
    }
}
