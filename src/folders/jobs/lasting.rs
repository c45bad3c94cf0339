//! Files that somebody put into `tasks/`, made to outlast a power cut (promise R1): whoever copies one there does not
//! flush it.
//!
//! Rule: a flush that succeeds says nothing of what an earlier one lost. A file that may have lain there when a flush
//! failed is not believed but written anew: among the payloads, and from there over itself.

use std::path::Path;

use mutirao_actors::model::TaskId;

use super::{Archive, Places};
use crate::disk::{DiskError, Mark};

/// How a file is made to last.
#[derive(Debug, Clone, Copy)]
pub(in crate::folders) enum Hold {
    /// By a flush; none has failed between this mark and the first sight of the file.
    Flush(Mark),
    /// By a copy.
    Rewrite,
}

/// Makes the file of a task last; whether a copy of it lies among the payloads now.
///
/// # Errors
/// Whatever the disk refuses; then it is to be tried anew.
pub(super) fn hold(
    places: &Places,
    how: Hold,
    path: &Path,
    task: TaskId,
    archive: &Archive,
) -> Result<bool, DiskError> {
    let volume = &*places.volume;
    match how {
        Hold::Flush(mark) => {
            volume.sync_file(path)?;
            volume.sync_since(&places.tasks, mark)?;
            Ok(false)
        }
        Hold::Rewrite => {
            places.write_payload(task, archive)?;
            Ok(true)
        }
    }
}
