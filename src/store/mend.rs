//! Makes a sound database of what a damaged one still tells.
//!
//! Rule: only rows that fit their seal are taken over, each with what it needs to be understood; whatever is not taken
//! over is listed, and the damaged files are kept beside the new ones. Attempts of which the record is lost are not
//! given again.

use std::collections::VecDeque;

use rusqlite::{Connection, Row};
use uuid::Uuid;

use super::StoreError;
use super::base::{Base, connect_read_only};
use super::damaged;
use super::drained;
use super::fail::Fail;
use super::files::Files;
use super::load::Meta;
use super::reconcile::reconcile;
use super::row::Sealed;
use super::rows::{ConflictRow, EndRow, ResultRow, TaskRow, TryRow, Wall};
use super::schema;

/// Ranges of one table that are looked at, to find the rows between those that cannot be read: a damaged page hides
/// some twenty rows, so this finds what lies between a hundred of them.
const RANGES_MAX: usize = 1024;
/// Lines of damage that are listed; the rest is counted.
const LINES_MAX: usize = 1000;

/// What could not be taken over, in words for a reader.
#[derive(Debug, Default)]
pub struct Losses {
    lines: Vec<String>,
    more: usize,
}

impl Losses {
    /// One more.
    pub fn add(&mut self, line: String) {
        if self.lines.len() < LINES_MAX {
            self.lines.push(line);
        } else {
            self.more += 1;
        }
    }

    /// One more, unless it is listed.
    pub fn add_once(&mut self, line: String) {
        if !self.lines.contains(&line) {
            self.add(line);
        }
    }

    /// Several more.
    pub fn extend(&mut self, lines: impl IntoIterator<Item = String>) {
        lines.into_iter().for_each(|line| self.add(line));
    }

    /// Whether there is one.
    pub fn any(&self) -> bool {
        !self.lines.is_empty()
    }

    /// All of them.
    pub fn listed(mut self) -> Vec<String> {
        if self.more > 0 {
            self.lines.push(format!("and {} more", self.more));
        }
        self.lines
    }
}

/// Replaces the database by a sound one, and lists what was lost; `own` is what a running master knows of itself.
pub fn mend(
    files: &Files,
    why: &str,
    own: Option<Meta>,
    now: Wall,
) -> Result<Vec<String>, StoreError> {
    let mut losses = Losses::default();
    let damaged = connect_read_only(&files.database).ok();
    let kept = files.make(|new| rebuild(damaged.as_ref(), new, own, &mut losses, now))?;
    drop(damaged);
    let aside = files.set_aside()?;
    files.install()?;
    let database = files.database.display();
    let aside = aside.unwrap_or_default();
    let head = format!(
        "{database} was damaged ({why}): {kept} tasks were read, and the damaged files are in {}",
        aside.display()
    );
    let mut lines = vec![head];
    lines.extend(losses.listed());
    Ok(lines)
}

/// Fills a new database; how many tasks it has.
fn rebuild(
    damaged: Option<&Connection>,
    new: Connection,
    own: Option<Meta>,
    losses: &mut Losses,
    now: Wall,
) -> Result<u64, Fail> {
    let known = damaged.and_then(|damaged| Meta::read(damaged).ok());
    let meta = known.or(own).unwrap_or_else(Meta::new);
    let mut base = Base::fresh(new, meta)?;
    base.fill(|new| {
        if let Some(damaged) = damaged {
            take_over::<TaskRow>(damaged, new, losses, now)?;
            take_over::<TryRow>(damaged, new, losses, now)?;
            take_over::<ResultRow>(damaged, new, losses, now)?;
            take_over::<ConflictRow>(damaged, new, losses, now)?;
            if schema::has_earlier_ends(damaged) {
                take_over::<EndRow>(damaged, new, losses, now)?;
            }
            match drained::read(damaged) {
                Ok(peers) => drained::write(new, &peers)?,
                Err(_) => losses.add("which peers are drained was lost".to_owned()),
            }
        }
        let kept = reconcile(new, losses, now)?;
        if let Some(lost) = meta.tasks.checked_sub(kept).filter(|lost| *lost > 0) {
            let tasks = meta.tasks;
            losses.add(format!(
                "{lost} of {tasks} tasks are lost: a ZIP that lies in tasks/ is adopted anew"
            ));
        }
        if known.or(own).is_none() {
            losses.add("which master this is could not be read: it is a new one".to_owned());
        }
        let meta = Meta {
            tasks: kept,
            ..meta
        };
        meta.write(new)?;
        Ok(kept)
    })
}

/// A range of tasks' ids.
type Range = (u128, u128);

/// Takes over every row of a table that can be read, from both ends and then from the middle of what is left.
fn take_over<R: Sealed>(
    damaged: &Connection,
    new: &Connection,
    losses: &mut Losses,
    now: Wall,
) -> Result<(), Fail> {
    let all = (0, u128::MAX);
    if let Err(error) = damaged.prepare(&R::table().all) {
        // Not even what the table is can be read, so no part of it can.
        list_unread(R::table().name, vec![(all, error.to_string())], losses);
        return Ok(());
    }
    let mut ranges = VecDeque::from([all]);
    let mut unread: Vec<(Range, String)> = Vec::new();
    let mut looked_at = 0;
    while let Some((low, high)) = ranges.pop_front() {
        looked_at += 1;
        let mut sink = |row: &Row<'_>| take_row::<R>(row, new, losses, now);
        let Swept::Until(first, _) = sweep::<R>(damaged, (low, high), "ASC", &mut sink)? else {
            continue;
        };
        let low = first.unwrap_or(low);
        let Swept::Until(last, why) = sweep::<R>(damaged, (low, high), "DESC", &mut sink)? else {
            continue;
        };
        let high = last.unwrap_or(high);
        let middle = low + (high - low) / 2;
        if high - low <= 1 || looked_at >= RANGES_MAX {
            unread.push(((low, high), why));
        } else {
            ranges.extend([(low, middle), (middle + 1, high)]);
        }
    }
    list_unread(R::table().name, unread, losses);
    Ok(())
}

/// How far a sweep came: to the end, or to this task's id.
enum Swept {
    All,
    Until(Option<u128>, String),
}

fn sweep<R: Sealed>(
    damaged: &Connection,
    (low, high): Range,
    order: &str,
    sink: &mut impl FnMut(&Row<'_>) -> Result<(), Fail>,
) -> Result<Swept, Fail> {
    let table = R::table();
    let key = table.columns.first().copied().unwrap_or_default();
    let sql = format!(
        "{} WHERE {key} >= ? AND {key} <= ? ORDER BY {key} {order}",
        table.all
    );
    let mut last = None;
    let mut read = || {
        let mut statement = damaged.prepare_cached(&sql)?;
        let mut rows = statement.query((low.to_be_bytes(), high.to_be_bytes()))?;
        while let Some(row) = rows.next()? {
            // What goes wrong here is the new database's, and ends the mending.
            if let Err(fail) = sink(row) {
                return Ok(Err(fail));
            }
            let id: Option<[u8; 16]> = row.get(0).ok();
            last = id.map(u128::from_be_bytes).or(last);
        }
        Ok(Ok(()))
    };
    let swept: Result<Result<(), Fail>, rusqlite::Error> = read();
    match swept {
        Ok(Ok(())) => Ok(Swept::All),
        Ok(Err(fail)) => Err(fail),
        Err(error) => Ok(Swept::Until(last, error.to_string())),
    }
}

fn take_row<R: Sealed>(
    row: &Row<'_>,
    new: &Connection,
    losses: &mut Losses,
    now: Wall,
) -> Result<(), Fail> {
    // A cell that cannot be read at all is no more than a row that does not fit.
    if let Ok(Some(whole)) = R::check(row) {
        whole.add(new)?;
        return Ok(());
    }
    let table = R::table();
    let what = table.damaged(row);
    damaged::list(new, now, &what, &table.describe(row).to_string())?;
    losses.add(what);
    Ok(())
}

/// Ranges that lie side by side are one to a reader.
fn list_unread(table: &str, mut unread: Vec<(Range, String)>, losses: &mut Losses) {
    unread.sort_by_key(|(range, _)| *range);
    let Some(((low, _), why)) = unread.first().cloned() else {
        return;
    };
    let high = unread.last().map_or(low, |((_, high), _)| *high);
    losses.add(format!(
        "rows of the table `{table}` between {} and {} could not be read ({why})",
        Uuid::from_u128(low),
        Uuid::from_u128(high)
    ));
}
