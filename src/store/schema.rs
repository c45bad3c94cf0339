//! The versions of the schema: `migrations/` has one file for each step.
//!
//! Rule: the version stands in two places, and only what both say is believed: one flipped bit neither makes this
//! program refuse its own store, nor has it migrated twice. A step writes both in its own transaction, the second as its last
//! statement: whatever kills the program finds the step done or not begun.

use std::error::Error as _;

use jiff::Timestamp;
use rusqlite::Connection;

use super::fail::Fail;

/// Findings that are listed of one database: a reader has seen enough, and each costs SQLite another look.
const FINDINGS_MAX: usize = 100;

mod embedded {
    refinery::embed_migrations!("src/store/migrations");
}

/// The newest version that we know.
pub fn newest() -> i64 {
    let runner = embedded::migrations::runner();
    let versions = runner.get_migrations().iter();
    versions
        .map(|step| step.version().into())
        .max()
        .unwrap_or(0)
}

/// The version of a database that has one.
pub fn version(base: &Connection) -> Result<i64, Fail> {
    let header: i64 = base.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let mut history =
        base.prepare("SELECT version, applied_on, checksum FROM refinery_schema_history")?;
    let mut steps = history.query([])?;
    let mut newest = 0;
    while let Some(step) = steps.next()? {
        newest = newest.max(step.get(0)?);
        let (applied, checksum): (String, String) = (step.get(1)?, step.get(2)?);
        // The migrations' crate takes these for granted.
        let is_time = applied.parse::<Timestamp>().is_ok() && applied.find('T') == Some(10);
        if !is_time || !applied.ends_with('Z') || checksum.parse::<u64>().is_err() {
            return Err(Fail::Damage(
                "its history of versions does not read".to_owned(),
            ));
        }
    }
    if newest == header && newest > 0 {
        Ok(newest)
    } else {
        Err(Fail::Damage(format!(
            "its version is {header} in one place and {newest} in another"
        )))
    }
}

/// Whether it tells of earlier ends of tasks: what an older program wrote does not, until a master opens it.
pub fn has_earlier_ends(base: &Connection) -> bool {
    let sql = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'earlier_end')";
    // What cannot be read is told by whoever reads the table.
    base.query_row(sql, [], |row| row.get(0)).unwrap_or(true)
}

/// Brings a database to the newest version; a new one has none yet.
pub fn migrate(base: &mut Connection) -> Result<(), Fail> {
    embedded::migrations::runner()
        .set_grouped(true)
        .run(base)
        .map_err(|error| unpacked(&error))?;
    Ok(())
}

/// What SQLite said to the migrations' crate.
fn unpacked(error: &refinery::Error) -> Fail {
    let inner = error.kind().source();
    match inner.and_then(|inner| inner.downcast_ref()) {
        Some(rusqlite::Error::SqliteFailure(failure, words)) => {
            rusqlite::Error::SqliteFailure(*failure, words.clone()).into()
        }
        _ => Fail::Damage(error.to_string()),
    }
}

/// Refuses a newer program's database.
pub fn refuse_newer(base: &Connection) -> Result<(), Fail> {
    let (found, known) = (version(base)?, newest());
    match found > known {
        true => Err(Fail::Newer { found, known }),
        false => Ok(()),
    }
}

/// Whether the database says that its pages hang together; reads all of them.
pub fn quick_check(base: &Connection) -> Result<(), Fail> {
    match said(base, "PRAGMA quick_check(1)")?.into_iter().next() {
        Some(wrong) => Err(Fail::Damage(wrong)),
        None => Ok(()),
    }
}

/// What the database says is wrong with its pages and rows; reads all of them.
pub fn integrity(base: &Connection) -> Result<Vec<String>, Fail> {
    said(base, &format!("PRAGMA integrity_check({FINDINGS_MAX})"))
}

fn said(base: &Connection, check: &str) -> Result<Vec<String>, Fail> {
    let mut statement = base.prepare(check)?;
    let lines = statement.query_map([], |row| row.get(0))?;
    let mut lines: Vec<String> = lines.collect::<Result<_, _>>()?;
    lines.retain(|line| line != "ok");
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_and_the_version_that_it_leads_to_are_written_together() {
        let runner = embedded::migrations::runner();
        // The first one is only ever run with those behind it, on a database in the making.
        let steps = runner.get_migrations().iter().skip(1);
        for step in steps {
            let says = format!("PRAGMA user_version = {};", step.version());
            let sql = step.sql().unwrap_or_default();
            assert!(sql.trim_end().ends_with(&says), "{}", step.name());
        }
        let mut base = Connection::open_in_memory().unwrap();
        migrate(&mut base).unwrap();
        assert_eq!(version(&base).unwrap(), newest());
    }
}
