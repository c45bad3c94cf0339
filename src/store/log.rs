//! Finds out whether the log of a database can be believed, before SQLite takes of it what it can.
//!
//! Rule: of the last commit, which nobody was told of, a crash may leave a part: that is said in one line. What was lost
//! behind damage is listed, and a log that is another database's is not taken at all; either is kept aside.

use std::fs::{self, File};
use std::io::{self, BufReader, ErrorKind};

use super::StoreError;
use super::base::{connect_still, connect_without_log};
use super::fail::Fail;
use super::files::{Files, failed};
use super::frames::{self, Found};
use super::index::Index;
use super::load::Meta;

/// What there is to say of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// As SQLite would take it.
    Holds(Found),
    /// It is another database's.
    Foreign,
}

/// Looks at the log, and leaves it as it is.
pub fn judge(files: &Files) -> Result<Verdict, StoreError> {
    let (log, index) = (files.log(), fs::read(files.index()).unwrap_or_default());
    let index = Index::read(&index);
    let look = || match File::open(&log) {
        Err(error) if error.kind() == ErrorKind::NotFound => frames::look(&mut io::empty(), index),
        opened => frames::look(&mut BufReader::new(opened?), index),
    };
    let found: io::Result<Found> = look();
    let found = found.map_err(|error| failed("read", &log, error))?;
    if is_foreign(files) {
        Ok(Verdict::Foreign)
    } else {
        Ok(Verdict::Holds(found))
    }
}

/// Keeps a log that is damaged, and lists what was lost of it; the database is to be checked whole then.
pub fn examine(files: &Files) -> Result<Vec<String>, StoreError> {
    let verdict = judge(files)?;
    let aside = match verdict {
        Verdict::Foreign => files.set_log_aside()?,
        Verdict::Holds(Found::Lost { .. }) => files.copy_log()?,
        Verdict::Holds(Found::Whole) => None,
        Verdict::Holds(Found::Torn(bytes)) => {
            let log = files.log();
            let log = log.display();
            tracing::info!(
                "a crash cut the last {bytes} bytes of {log}, which were confirmed to nobody: they are left out"
            );
            None
        }
    };
    let aside = aside.unwrap_or_default();
    let lost = verdict.in_words(files);
    Ok(lost
        .map(|lost| format!("{lost}; the damaged log is in {}", aside.display()))
        .into_iter()
        .collect())
}

impl Verdict {
    /// What was lost, in words for a reader.
    pub fn in_words(self, files: &Files) -> Option<String> {
        let log = files.log();
        let log = log.display();
        match self {
            Self::Holds(Found::Whole | Found::Torn(_)) => None,
            Self::Holds(Found::Lost { at, commits }) => {
                let what = match fs::metadata(files.log()).map_or(0, |found| found.len()) {
                    0 => "is empty or gone, and its index knows of more".to_owned(),
                    _ => format!("was damaged at byte {at}"),
                };
                let lost = match commits {
                    0 => "what was committed behind that may be lost".to_owned(),
                    commits => format!("at least {commits} commits behind that are lost"),
                };
                Some(format!(
                    "{log} {what}: {lost}, and tasks may stand as they did before"
                ))
            }
            Self::Foreign => Some(format!(
                "{log} belongs to another database and is not taken: what was written down last may be lost"
            )),
        }
    }
}

/// Whether the database says without its log which master it is of, and with it anything else.
fn is_foreign(files: &Files) -> bool {
    let alone = connect_without_log(&files.database).and_then(|alone| Meta::read(&alone));
    let Ok(alone) = alone else {
        return false;
    };
    match connect_still(&files.database, &files.log()).and_then(|whole| Meta::read(&whole)) {
        Ok(whole) => whole.master != alone.master,
        Err(fail) => matches!(fail, Fail::Damage(_)),
    }
}
