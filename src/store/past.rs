//! Tells how tasks stood at a moment of the past: what was written down has the time of each step with it.
//!
//! Rule: it reads beside a running master and keeps nobody from writing. The clock on the wall may have been set meanwhile, so
//! the past is as true as that was.

use std::collections::HashMap;
use std::path::Path;

use jiff::Timestamp;
use mutirao_actors::logic::fault::Fault;
use mutirao_actors::logic::ledger::{Entry, Lease, State, Story};
use mutirao_actors::logic::rare::Rare;
use mutirao_actors::logic::record::{Course, Fate, Remembered};
use mutirao_actors::model::{Kinds, Moment, TaskId};
use rusqlite::Connection;
use uuid::Uuid;

use super::base::connect_read_only;
use super::check::each_task;
use super::fail::Fail;
use super::files::Files;
use super::row::Sealed as _;
use super::rows::{EndRow, Standing, TaskRow, Wall};
use super::whole::Whole;
use super::{FOLDER, StoreError, schema};

/// What is written down, as of one moment.
#[derive(Debug)]
pub struct Past {
    files: Files,
    base: Connection,
    at: Wall,
    /// How tasks had ended that were opened again; there are as many as were.
    ends: HashMap<Uuid, Vec<EndRow>>,
}

/// A task as it was then.
#[derive(Debug)]
pub struct Seen {
    /// What was known of it.
    pub entry: Entry,
    /// When it came.
    pub adopted_at: Moment,
    /// When it ended first, if it had.
    pub ended_first: Option<Moment>,
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
            // All that is told stood so at one moment.
            base.execute_batch("BEGIN")?;
            let ends = earlier_ends(&base)?;
            Ok((base, ends))
        };
        let (base, ends) = open().map_err(|fail: Fail| fail.of("read", &files.database))?;
        let at = at.as_millisecond();
        Ok(Self {
            files,
            base,
            at,
            ends,
        })
    }

    /// The moment of which it tells, as the leases count.
    pub fn now(&self) -> Moment {
        of_wall(self.at)
    }

    /// Tells each task that was there then, in the order of their ids; how many could not be read.
    ///
    /// # Errors
    /// When the database is damaged beyond its rows, or the disk refuses.
    pub fn each(&self, mut see: impl FnMut(Seen)) -> Result<u64, StoreError> {
        let (mut unread, mut kinds) = (0, Kinds::default());
        let each = each_task(&self.base, |whole| {
            match whole.and_then(|whole| self.as_of(whole, &mut kinds)) {
                Ok(seen) => seen.into_iter().for_each(&mut see),
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
            let seen = whole.map(|whole| self.as_of(whole, &mut Kinds::default()));
            Ok(seen.transpose()?.flatten().map(|seen| seen.entry))
        };
        one().map_err(|fail: Fail| fail.of("read", &self.files.database))
    }

    /// The task as it was then; none if it came later.
    fn as_of(&self, whole: Whole, kinds: &mut Kinds) -> Result<Option<Seen>, Fail> {
        let at = self.at;
        let (adopted, ended_at) = (whole.row.adopted_at, whole.row.ended_at);
        if adopted > at {
            return Ok(None);
        }
        let ends = self.ends.get(&whole.row.id).map_or(&[][..], Vec::as_slice);
        let ended = ends.iter().map(|end| end.ended_at).chain(ended_at);
        let ended_first = ended.filter(|ended| *ended <= at).min();
        // It had ended another way than it did in the end, and was not yet to be tried again.
        let earlier = ends
            .iter()
            .find(|end| end.ended_at <= at && at < end.opened_at);
        let was_over = ended_at.is_some_and(|ended| ended <= at);
        let is_forgiven = |ended: Wall| {
            let mut opened = ends.iter().map(|end| end.opened_at);
            opened.any(|opened| ended <= opened && opened <= at)
        };
        let times: Vec<_> = whole
            .tries
            .iter()
            .map(|tried| (tried.began_at, tried.ended_at))
            .collect();
        let Remembered { task, course, .. } = whole.remembered(kinds)?;
        let Course { fate, tries, .. } = course.into_inner();
        let mut story = Story::default();
        let mut running = None;
        for (mut tried, (began, ended)) in tries.into_iter().zip(times) {
            if began > at {
                continue;
            }
            let ended = ended.filter(|ended| *ended <= at);
            tried.fault = match (tried.fault, ended) {
                (_, None) => None,
                // That was said of it later.
                (Some(Fault::Forgiven(fault)), Some(ended)) if !is_forgiven(ended) => Some(*fault),
                (fault, Some(_)) => fault,
            };
            // What ran when the task was taken back was called off with it.
            let mut over = ends.iter().map(|end| end.ended_at);
            let is_called_off = over.any(|over| began <= over && over <= at);
            running = (ended.is_none() && !is_called_off).then(|| Lease {
                attempt: tried.attempt,
                holder: tried.holder.clone(),
                granted: of_wall(began),
                deadline: None,
                confirmed: true,
            });
            story.failures += u32::from(tried.has_failed());
            story.tries.push(tried);
        }
        story.state = match (earlier, fate, was_over, running) {
            (Some(end), ..) => had_ended(end),
            (None, Fate::Done { submitted, file }, true, _) => State::Done { submitted, file },
            (None, Fate::Failed { why, output }, true, _) => State::Failed { why, output },
            (None, Fate::Cancelled { why }, true, _) => State::Cancelled { why },
            (None, _, _, Some(lease)) => State::Leased(lease),
            _ => State::Waiting,
        };
        let last = story.tries.last();
        story.trouble = last.and_then(|tried| Some(tried.fault.as_ref()?.on(&tried.holder.peer)));
        let mut told = Rare::<Story>::default();
        *told.told() = story;
        Ok(Some(Seen {
            entry: Entry { task, story: told },
            adopted_at: of_wall(adopted),
            ended_first: ended_first.map(of_wall),
        }))
    }
}

/// As what it had ended; the last output of a failure was not kept when it was opened again.
fn had_ended(end: &EndRow) -> State {
    let why = end.reason.clone().unwrap_or_default();
    match end.state {
        Standing::Failed => State::Failed { why, output: None },
        _ => State::Cancelled { why },
    }
}

/// Those that can be read, by their tasks.
fn earlier_ends(base: &Connection) -> Result<HashMap<Uuid, Vec<EndRow>>, Fail> {
    let mut ends = HashMap::<_, Vec<_>>::new();
    if !schema::has_earlier_ends(base) {
        return Ok(ends);
    }
    let mut statement = base.prepare(&EndRow::table().all)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if let Some(end) = EndRow::check(row)? {
            ends.entry(end.task).or_default().push(end);
        }
    }
    Ok(ends)
}
