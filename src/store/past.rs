//! Tells how tasks stood at a moment of the past: what was written down has the time of each step with it.
//!
//! Rule: it reads beside a running master and keeps nobody from writing. The clock on the wall may have been set meanwhile, so
//! the past is as true as that was.

use std::path::Path;

use jiff::Timestamp;
use mutirao_actors::logic::ledger::{Entry, Lease, State, Story};
use mutirao_actors::logic::rare::Rare;
use mutirao_actors::logic::record::{Fate, Remembered};
use mutirao_actors::model::{Kinds, Moment, TaskId};
use rusqlite::Connection;

use super::base::connect_read_only;
use super::check::each_task;
use super::fail::Fail;
use super::files::Files;
use super::row::Sealed as _;
use super::rows::{TaskRow, Wall};
use super::whole::Whole;
use super::{FOLDER, StoreError, schema};

/// What is written down, as of one moment.
#[derive(Debug)]
pub struct Past {
    files: Files,
    base: Connection,
    at: Wall,
}

/// A moment as minds count them, here since 1970; what was before is the beginning.
fn of_wall(at: Wall) -> Moment {
    Moment(u64::try_from(at).unwrap_or_default().saturating_mul(1000))
}

impl Past {
    /// Of the store of this folder's master.
    ///
    /// # Errors
    /// When there is no store, a newer program wrote it, or the disk refuses.
    pub fn open(root: &Path, at: Timestamp) -> Result<Self, StoreError> {
        let files = Files::known(&root.join(FOLDER))?;
        let open = || {
            let base = connect_read_only(&files.database)?;
            schema::refuse_newer(&base)?;
            Ok(base)
        };
        let base = open().map_err(|fail: Fail| fail.of("read", &files.database))?;
        let at = at.as_millisecond();
        Ok(Self { files, base, at })
    }

    /// The moment of which it tells, as the leases count.
    pub fn now(&self) -> Moment {
        of_wall(self.at)
    }

    /// Tells each task that was there then, in the order of their ids; how many could not be read.
    ///
    /// # Errors
    /// When the database is damaged beyond its rows, or the disk refuses.
    pub fn each(&self, mut see: impl FnMut(Entry)) -> Result<u64, StoreError> {
        let (mut unread, mut kinds) = (0, Kinds::default());
        let each = each_task(&self.base, |whole| {
            match whole.and_then(|whole| as_of(whole, self.at, &mut kinds)) {
                Ok(entry) => entry.into_iter().for_each(&mut see),
                Err(Fail::Damage(_)) => unread += 1,
                Err(fail) => return Err(fail),
            }
            Ok(())
        });
        each.map_err(|fail| fail.of("read", &self.files.database))?;
        Ok(unread)
    }

    /// One task as it was then, if it was there.
    ///
    /// # Errors
    /// When its rows are damaged, or the disk refuses.
    pub fn one(&self, task: TaskId) -> Result<Option<Entry>, StoreError> {
        let one = || {
            let row = TaskRow::get(&self.base, &[task.0.as_bytes()])?;
            let whole = row.map(|row| Whole::of(&self.base, row)).transpose()?;
            let entry = whole.map(|whole| as_of(whole, self.at, &mut Kinds::default()));
            Ok(entry.transpose()?.flatten())
        };
        one().map_err(|fail: Fail| fail.of("read", &self.files.database))
    }
}

/// The task as it was then; none if it came later.
fn as_of(whole: Whole, at: Wall, kinds: &mut Kinds) -> Result<Option<Entry>, Fail> {
    if whole.row.adopted_at > at {
        return Ok(None);
    }
    let was_over = whole.row.ended_at.is_some_and(|ended| ended <= at);
    let times: Vec<_> = whole
        .tries
        .iter()
        .map(|tried| (tried.began_at, tried.ended_at))
        .collect();
    let Remembered {
        task, fate, tries, ..
    } = whole.remembered(kinds)?;
    let mut story = Story::default();
    let mut running = None;
    for (mut tried, (began, ended)) in tries.into_iter().zip(times) {
        if began > at {
            continue;
        }
        let had_ended = ended.is_some_and(|ended| ended <= at);
        if !had_ended {
            tried.fault = None;
        }
        running = (!had_ended).then(|| Lease {
            attempt: tried.attempt,
            holder: tried.holder.clone(),
            granted: of_wall(began),
            deadline: None,
            confirmed: true,
        });
        story.failures += u32::from(tried.has_failed());
        story.tries.push(tried);
    }
    story.state = match (fate, was_over, running) {
        (Fate::Done { submitted, file }, true, _) => State::Done { submitted, file },
        (Fate::Failed { why, output }, true, _) => State::Failed { why, output },
        (Fate::Cancelled { why }, true, _) => State::Cancelled { why },
        (_, _, Some(lease)) => State::Leased(lease),
        _ => State::Waiting,
    };
    let last = story.tries.last();
    story.trouble = last.and_then(|tried| Some(tried.fault.as_ref()?.on(&tried.holder.peer)));
    let mut told = Rare::<Story>::default();
    *told.told() = story;
    Ok(Some(Entry { task, story: told }))
}
