//! Tasks that ended too long ago to be loaded, read when somebody needs them.
//!
//! Rule: it reads beside the master that writes, and keeps it from nothing.

use std::path::Path;

use mutirao_actors::logic::record::Remembered;
use mutirao_actors::model::{Kinds, TaskId};

use super::StoreError;
use super::base::connect_read_only;
use super::fail::Fail;
use super::files::Files;
use super::row::Sealed as _;
use super::rows::TaskRow;
use super::whole::Whole;

/// These tasks of the store in this folder; one that is not there, or not whole, is an error.
///
/// # Errors
/// When there is no store, a task is not in it, or the disk refuses.
pub fn read(folder: &Path, tasks: &[TaskId]) -> Result<Vec<Remembered>, StoreError> {
    let files = Files::known(folder)?;
    let read = || {
        let base = connect_read_only(&files.database)?;
        let mut kinds = Kinds::default();
        let each = tasks.iter().map(|task| {
            let row = TaskRow::get(&base, &[task.0.as_bytes()])?;
            let row = row.ok_or_else(|| Fail::Damage(format!("the task {task} is not in it")))?;
            Whole::of(&base, row)?.remembered(&mut kinds)
        });
        each.collect()
    };
    let read: Result<Vec<Remembered>, Fail> = read();
    read.map_err(|fail| fail.of("read", &files.database))
}
