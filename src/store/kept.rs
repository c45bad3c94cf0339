//! Rows of tasks under way, as they were last written.
//!
//! Rule: nobody else writes to the database, so what is kept here needs no reading; what is not here is read.

use std::collections::HashMap;

use mutirao_actors::model::TaskId;
use rusqlite::Connection;

use super::fail::Fail;
use super::row::Sealed;
use super::rows::{ResultRow, TaskRow};

/// Rows that are kept of one table: what a thousand peers have under way, in some 2 MB. Beyond that all are read anew,
/// which costs less than to know which was not used for longest.
pub const KEPT_MAX: usize = 4096;

/// The rows of which the next change will be made.
#[derive(Debug, Default)]
pub struct UnderWay {
    /// Of tasks that are open or not settled.
    pub tasks: Kept<TaskRow>,
    /// Of their results.
    pub results: Kept<ResultRow>,
}

/// The rows of one table whose key is a task.
#[derive(Debug)]
pub struct Kept<R>(HashMap<TaskId, R>);

impl<R> Default for Kept<R> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<R: Sealed> Kept<R> {
    /// The row of a task, which is not kept any more until it is written.
    pub fn take(&mut self, base: &Connection, task: TaskId) -> Result<Option<R>, Fail> {
        match self.0.remove(&task) {
            Some(row) => Ok(Some(row)),
            None => R::get(base, &[task.0.as_bytes()]),
        }
    }

    /// Writes it, and keeps it for its next change.
    pub fn put(&mut self, base: &Connection, task: TaskId, row: R) -> Result<(), Fail> {
        row.put(base)?;
        if self.0.len() >= KEPT_MAX {
            self.0.clear();
        }
        self.0.insert(task, row);
        Ok(())
    }

    /// Keeps the row of a task no longer.
    pub fn forget(&mut self, task: TaskId) {
        self.0.remove(&task);
    }
}
