//! Tasks that ended too long ago to be loaded, read when somebody needs them.
//!
//! Rule: it reads beside the master that writes, and keeps it from nothing. One that is damaged is told as that, and keeps no
//! other from being read.

use std::path::Path;

use mutirao_actors::logic::record::Remembered;
use mutirao_actors::model::{Kinds, TaskId};
use rusqlite::Connection;

use super::StoreError;
use super::base::connect_read_only;
use super::fail::Fail;
use super::files::Files;
use super::load::Meta;
use super::row::Sealed as _;
use super::rows::TaskRow;
use super::whole::Whole;

/// A task that was read, or why what is written down of it cannot be, in words for a reader.
pub type Read = Result<Remembered, String>;

/// These tasks of the store in this folder, in their order.
///
/// # Errors
/// When there is no store, it is damaged as a whole, or the disk refuses.
pub fn read(folder: &Path, tasks: &[TaskId]) -> Result<Vec<Read>, StoreError> {
    let files = Files::known(folder)?;
    let read = || {
        let base = connect_read_only(&files.database)?;
        // Where not even this can be read nothing is said of any task: the master mends it when it writes next.
        Meta::read(&base)?;
        let mut kinds = Kinds::default();
        let each = tasks
            .iter()
            .map(|task| match one(&base, *task, &mut kinds) {
                Err(Fail::Damage(why)) => Ok(Err(why)),
                read => read.map(Ok),
            });
        each.collect()
    };
    let read: Result<Vec<Read>, Fail> = read();
    read.map_err(|fail| fail.of("read", &files.database))
}

fn one(base: &Connection, task: TaskId, kinds: &mut Kinds) -> Result<Remembered, Fail> {
    let row = TaskRow::get(base, &[task.0.as_bytes()])?;
    let row = row.ok_or_else(|| Fail::Damage("it is not in the store".to_owned()))?;
    Whole::of(base, row)?.remembered(kinds)
}
