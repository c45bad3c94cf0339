//! The table of what was lost: it stays in the database, for people, and so that a file of nobody is never again taken
//! for worthless.

use rusqlite::Connection;

use super::fail::Fail;
use super::rows::Wall;

/// Writes down what could not be kept, in words and in as much of itself as could be read.
pub fn list(base: &Connection, now: Wall, what: &str, cells: &str) -> Result<(), Fail> {
    let mut list =
        base.prepare_cached("INSERT INTO damaged (found_at, what, cells) VALUES (?, ?, ?)")?;
    list.execute((now, what, cells))?;
    Ok(())
}

/// Whether anything was lost.
pub fn is_any(base: &Connection) -> Result<bool, Fail> {
    let found = base.query_row("SELECT EXISTS (SELECT 1 FROM damaged)", [], |row| {
        row.get(0)
    })?;
    Ok(found)
}
