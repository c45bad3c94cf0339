//! The table of what was lost, for people: it stays in the database.

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
