//! Tells all that a store holds, a task at a time.
//!
//! Rule: it reads beside a running master and keeps nobody from writing; what it tells stood so at one moment.

use std::path::Path;

use jiff::Timestamp;
use mutirao_actors::logic::fault::Fault;
use mutirao_actors::model::{Digest, PeerId, TaskName};
use serde::Serialize;
use uuid::Uuid;

use super::apply::ENDS_MAX;
use super::base::connect_read_only;
use super::check::each_task;
use super::fail::Fail;
use super::files::Files;
use super::nouns::Asked;
use super::row::Sealed as _;
use super::rows::{ConflictRow, EndRow, ResultRow, TaskRow, TryRow, Wall};
use super::whole::Whole;
use super::{FOLDER, StoreError, schema};

/// A task as it is told; docs/store.md says what each field means.
#[derive(Debug, Serialize)]
pub struct Told {
    id: Uuid,
    name: TaskName,
    state: &'static str,
    attempt: Option<u32>,
    reason: Option<String>,
    file: String,
    size: u64,
    sha256: Digest,
    group: String,
    wishes: Option<Asked>,
    settled: bool,
    adopted_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    tries: Vec<ToldTry>,
    result: Option<ToldResult>,
    conflicts: Vec<ToldConflict>,
    earlier_ends: Vec<ToldEnd>,
}

#[derive(Debug, Serialize)]
struct ToldTry {
    attempt: u32,
    name: TaskName,
    peer: PeerId,
    fault: Option<Fault>,
    began_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
}

#[derive(Debug, Serialize)]
struct ToldResult {
    attempt: u32,
    peer: PeerId,
    file: String,
    size: u64,
    sha256: Digest,
    took_s: f64,
    failure: Option<Fault>,
    taken_at: Option<Timestamp>,
}

#[derive(Debug, Serialize)]
struct ToldConflict {
    attempt: u32,
    peer: PeerId,
    sha256: Digest,
    came_at: Option<Timestamp>,
}

/// How it had ended before it was tried again.
#[derive(Debug, Serialize)]
struct ToldEnd {
    state: &'static str,
    reason: Option<String>,
    ended_at: Option<Timestamp>,
    opened_at: Option<Timestamp>,
}

/// Tells every task of the store of this folder's master, in the order of their ids, until `tell` says that it is
/// enough; how many could not be read.
///
/// # Errors
/// When there is no store, a newer program wrote it, it is damaged, or the disk refuses.
pub fn export(root: &Path, mut tell: impl FnMut(Told) -> bool) -> Result<u64, StoreError> {
    let files = Files::known(&root.join(FOLDER))?;
    let mut unread = 0;
    let mut export = || {
        let mut base = connect_read_only(&files.database)?;
        schema::refuse_newer(&base)?;
        let moment = base.transaction()?;
        let has_ends = schema::has_earlier_ends(&moment);
        let mut goes_on = true;
        each_task(&moment, |whole| {
            let with_ends = |whole: Whole| {
                let ends = match has_ends {
                    true => EndRow::of_task(&moment, whole.row.id.as_bytes(), ENDS_MAX as usize)?,
                    false => Vec::new(),
                };
                Ok((whole, ends))
            };
            match whole.and_then(with_ends) {
                _ if !goes_on => {}
                Ok((whole, ends)) => goes_on = tell(Told::of(whole, ends)),
                Err(Fail::Damage(_)) => unread += 1,
                Err(fail) => return Err(fail),
            }
            Ok(())
        })
    };
    let exported: Result<(), Fail> = export();
    exported.map_err(|fail| fail.of("read", &files.database))?;
    Ok(unread)
}

impl Told {
    /// With how it had ended before, the newest first.
    fn of(whole: Whole, ends: Vec<EndRow>) -> Self {
        let TaskRow {
            id,
            name,
            file,
            size,
            sha256,
            group_name,
            wishes,
            state,
            attempt,
            reason,
            settled,
            adopted_at,
            ended_at,
            ..
        } = whole.row;
        Self {
            id,
            name,
            state: state.word(),
            attempt,
            reason,
            file: String::from_utf8_lossy(&file).into_owned(),
            size,
            sha256,
            group: group_name.as_ref().to_owned(),
            wishes,
            settled,
            adopted_at: time(adopted_at),
            ended_at: ended_at.and_then(time),
            tries: whole.tries.into_iter().map(Into::into).collect(),
            result: whole.result.map(Into::into),
            conflicts: whole.conflicts.into_iter().map(Into::into).collect(),
            earlier_ends: ends.into_iter().rev().map(Into::into).collect(),
        }
    }
}

impl From<TryRow> for ToldTry {
    fn from(row: TryRow) -> Self {
        Self {
            attempt: row.attempt,
            name: row.name,
            peer: row.peer,
            fault: row.fault,
            began_at: time(row.began_at),
            ended_at: row.ended_at.and_then(time),
        }
    }
}

impl From<ResultRow> for ToldResult {
    fn from(row: ResultRow) -> Self {
        Self {
            attempt: row.attempt,
            peer: row.peer,
            file: row.file,
            size: row.size,
            sha256: row.sha256,
            took_s: row.took_ns.as_secs_f64(),
            failure: row.failure,
            taken_at: time(row.taken_at),
        }
    }
}

impl From<ConflictRow> for ToldConflict {
    fn from(row: ConflictRow) -> Self {
        Self {
            attempt: row.attempt,
            peer: row.peer,
            sha256: row.sha256,
            came_at: time(row.came_at),
        }
    }
}

impl From<EndRow> for ToldEnd {
    fn from(row: EndRow) -> Self {
        Self {
            state: row.state.word(),
            reason: row.reason,
            ended_at: time(row.ended_at),
            opened_at: time(row.opened_at),
        }
    }
}

/// None for what is on no calendar, which only a strange clock can have written.
fn time(wall: Wall) -> Option<Timestamp> {
    Timestamp::from_millisecond(wall).ok()
}
