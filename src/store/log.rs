//! Finds out whether the log of a database can be believed, before SQLite takes of it what it can.
//!
//! Rule: of the last commit, which nobody was told of, a crash may leave a part: that is said in one line. What was lost
//! behind damage is listed, and a log that is another database's is not taken at all; either is kept aside.

use std::fs::{self, File};
use std::io::{self, BufReader, ErrorKind};

use super::StoreError;
use super::base::{connect_read_only, connect_without_log};
use super::fail::Fail;
use super::files::{Files, failed};
use super::frames::{self, Found, Index};
use super::load::Meta;

/// What was lost of the log, in words for a reader; the database is to be checked whole then.
pub fn examine(files: &Files) -> Result<Vec<String>, StoreError> {
    let (log, index) = (files.log(), fs::read(files.index()).unwrap_or_default());
    let look = || match File::open(&log) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        opened => frames::look(&mut BufReader::new(opened?), Index::read(&index)).map(Some),
    };
    let found: io::Result<Option<Found>> = look();
    let found = found.map_err(|error| failed("read", &log, error))?;
    let Some(found) = found else {
        return Ok(Vec::new());
    };
    if is_foreign(files) {
        let aside = files.set_log_aside()?.unwrap_or_default();
        let (log, aside) = (log.display(), aside.display());
        return Ok(vec![format!(
            "{log} belongs to another database and was moved to {aside}: what was written down last may be lost"
        )]);
    }
    match found {
        Found::Whole => Ok(Vec::new()),
        Found::Torn(bytes) => {
            let log = log.display();
            tracing::info!(
                "a crash cut the last {bytes} bytes of {log}, which were confirmed to nobody: they are left out"
            );
            Ok(Vec::new())
        }
        Found::Lost { at, commits } => {
            let aside = files.copy_log()?.unwrap_or_default();
            let (log, aside) = (log.display(), aside.display());
            Ok(vec![format!(
                "{log} was damaged at byte {at}: at least the last {commits} commits are lost, and tasks may stand as \
                 they did before; the damaged log is in {aside}"
            )])
        }
    }
}

/// Whether the database says without its log which master it is of, and with it anything else.
fn is_foreign(files: &Files) -> bool {
    let alone = connect_without_log(&files.database).and_then(|alone| Meta::read(&alone));
    let Ok(alone) = alone else {
        return false;
    };
    match connect_read_only(&files.database).and_then(|whole| Meta::read(&whole)) {
        Ok(whole) => whole.master != alone.master,
        Err(fail) => matches!(fail, Fail::Damage(_)),
    }
}
