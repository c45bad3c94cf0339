//! Reads back what the records made.
//!
//! Rule: every row that is used fits its seal, and every row that another one counts is there; anything else is damage.

use std::collections::{HashMap, HashSet};
use std::panic::resume_unwind;
use std::thread;

use mutirao_actors::logic::ledger::{Counts, TERMINAL_MAX};
use mutirao_actors::logic::record::{OlderParts, Remembered};
use mutirao_actors::model::{Kinds, TaskId};
use rusqlite::{Connection, OptionalExtension as _, params, params_from_iter};
use uuid::Uuid;

use super::cell::Cell as _;
use super::fail::Fail;
use super::nouns::Asked;
use super::row::Sealed as _;
use super::rows::{MetaRow, Standing, TaskRow};
use super::whole::Whole;

const COUNT: &str = "SELECT count(*), coalesce(max(seq), 0), total(state = 'queued'), total(state = 'leased'), \
                     total(state = 'done'), total(state = 'failed'), total(state = 'cancelled') FROM task";
/// The ids follow the time of adoption, so the newest come last.
const OLDEST_LOADED: &str = "SELECT id FROM task WHERE state NOT IN ('queued', 'leased') \
                             ORDER BY id DESC LIMIT 1 OFFSET ?";
/// What is behind this counts as open whenever it is not surely over: a damaged word is to be noticed.
const LOADED: &str = "(id >= ?1 OR NOT (state IN ('done', 'failed', 'cancelled') AND settled = 1))";
/// So many tasks are read in halves: fewer take less time than a thread and a second connection.
const HALVED: u64 = 20_000;

/// Of the others, those that are parts of a group, in the order of their adoption.
const OLDER_PARTS: &str = "WHERE id < ? AND state IN ('done', 'failed', 'cancelled') AND settled = 1 \
                           AND instr(wishes, '\"part\":') > 0 ORDER BY id";

/// How many tasks there are, and the number of the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Rows of the table `task`.
    pub tasks: u64,
    /// The number of the newest.
    pub seq: i64,
}

/// What holds for the whole store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meta {
    /// Which master this is.
    pub master: Uuid,
    /// Which life of it was the last.
    pub epoch: u64,
    /// How many tasks were adopted.
    pub tasks: u64,
}

impl Meta {
    /// That of a new store.
    pub fn new() -> Self {
        Self {
            master: Uuid::new_v4(),
            epoch: 0,
            tasks: 0,
        }
    }

    /// As it was last written.
    pub fn read(base: &Connection) -> Result<Self, Fail> {
        Ok(Self {
            master: Self::value(base, "master")?,
            epoch: Self::value(base, "epoch")?,
            tasks: Self::value(base, "tasks")?,
        })
    }

    fn value<T: std::str::FromStr>(base: &Connection, key: &str) -> Result<T, Fail> {
        let row = MetaRow::get(base, &[&key])?;
        row.and_then(|row| row.value.parse().ok())
            .ok_or_else(|| Fail::Damage(format!("the table `meta` has no {key}")))
    }

    /// Writes it.
    pub fn write(&self, base: &Connection) -> Result<(), Fail> {
        let values = [
            ("master", self.master.to_string()),
            ("epoch", self.epoch.to_string()),
            ("tasks", self.tasks.to_string()),
        ];
        for (key, value) in values {
            let key = key.to_owned();
            MetaRow { key, value }.put(base)?;
        }
        Ok(())
    }
}

/// How many tasks there are, and how they stand.
pub fn count(base: &Connection) -> Result<(Tally, Counts), Fail> {
    let (tally, counts) = base.query_row(COUNT, [], |row| {
        let tasks: i64 = row.get(0)?;
        let tally = Tally {
            tasks: tasks.cast_unsigned(),
            seq: row.get(1)?,
        };
        // A total is a floating number, exact below 2^53.
        let total = |at| row.get::<_, f64>(at).map(|total| total as u64);
        let counts = Counts {
            queued: total(2)?,
            leased: total(3)?,
            done: total(4)?,
            failed: total(5)?,
            cancelled: total(6)?,
        };
        Ok((tally, counts))
    })?;
    let standing = counts.open() + counts.done + counts.failed + counts.cancelled;
    if standing == tally.tasks {
        Ok((tally, counts))
    } else {
        Err(Fail::Damage(
            "a task stands in no way that there is".to_owned(),
        ))
    }
}

/// The oldest of the terminal tasks that are loaded, if there are older ones that are not.
pub fn oldest(base: &Connection, counts: Counts) -> Result<Option<Vec<u8>>, Fail> {
    if counts.done + counts.failed + counts.cancelled < TERMINAL_MAX as u64 {
        // It would be looked for among all that wait.
        return Ok(None);
    }
    let offset = i64::try_from(TERMINAL_MAX - 1).unwrap_or(i64::MAX);
    let oldest = base.query_row(OLDEST_LOADED, [offset], |row| row.get(0));
    Ok(oldest.optional()?)
}

/// The id that divides the tasks that matter in halves, where they are worth it.
pub fn middle(base: &Connection, oldest: &[u8], counts: Counts) -> Result<Option<Vec<u8>>, Fail> {
    let over = counts.done + counts.failed + counts.cancelled;
    let matter = counts.open() + over.min(TERMINAL_MAX as u64);
    if matter < HALVED {
        return Ok(None);
    }
    let middle = format!("SELECT id FROM task WHERE {LOADED} ORDER BY id LIMIT 1 OFFSET ?2");
    let offset = (matter / 2).cast_signed();
    let middle = base.query_row(&middle, params![oldest, offset], |row| row.get(0));
    Ok(middle.optional()?)
}

/// The tasks that matter, in the order of their arrival: those that are open or not settled, and of the others these and
/// newer ones. Those from the middle on are read beside the others, by another connection to the same database.
pub fn tasks(
    base: &Connection,
    oldest: &[u8],
    beside: Option<(Connection, Vec<u8>)>,
) -> Result<Vec<Remembered>, Fail> {
    let mut found = match beside {
        None => read(base, oldest, None)?,
        Some((other, middle)) => thread::scope(|scope| {
            let (older, newer) = (Some(("<", &*middle)), Some((">=", &*middle)));
            let reader = thread::Builder::new();
            let reader = reader.spawn_scoped(scope, move || read(&other, oldest, newer));
            let mut found = read(base, oldest, older)?;
            found.append(&mut match reader {
                Ok(reader) => reader.join().unwrap_or_else(|panic| resume_unwind(panic))?,
                // There is no thread for it.
                Err(_) => read(base, oldest, newer)?,
            });
            Ok::<_, Fail>(found)
        })?,
    };
    // Sorts their numbers, and moves each task but once.
    found.sort_by_cached_key(|(seq, _)| *seq);
    Ok(found.into_iter().map(|(_, task)| task).collect())
}

/// Those of them whose id compares so to the middle, or all, each with its number.
fn read(
    base: &Connection,
    oldest: &[u8],
    half: Option<(&str, &[u8])>,
) -> Result<Vec<(i64, Remembered)>, Fail> {
    let mut wanted = format!("{} WHERE {LOADED}", TaskRow::table().all);
    let mut said = vec![oldest];
    if let Some((compares, middle)) = half {
        wanted.push_str(&format!(" AND id {compares} ?2"));
        said.push(middle);
    }
    let mut statement = base.prepare(&wanted)?;
    let mut rows = statement.query(params_from_iter(said))?;
    let (mut found, mut kinds) = (Vec::new(), Kinds::default());
    while let Some(row) = rows.next()? {
        let whole = Whole::of(base, TaskRow::whole(row)?)?;
        found.push((whole.row.seq, whole.remembered(&mut kinds)?));
    }
    Ok(found)
}

/// The parts that are not among [`tasks`], of the groups of which others are.
pub fn older_parts(
    base: &Connection,
    oldest: &[u8],
    tasks: &[Remembered],
) -> Result<Vec<OlderParts>, Fail> {
    let parts = tasks.iter().filter(|known| known.task.part().is_some());
    let groups: HashSet<&str> = parts.map(|known| &*known.task.kind.group).collect();
    if groups.is_empty() {
        return Ok(Vec::new());
    }
    let mut statement = base.prepare(&format!("{} {OLDER_PARTS}", TaskRow::table().all))?;
    let at = |column| statement.column_index(column);
    let (id_at, group_at, wishes_at, state_at) =
        (at("id")?, at("group_name")?, at("wishes")?, at("state")?);
    let mut rows = statement.query([oldest])?;
    let mut found = HashMap::<&str, (Counts, u32, HashMap<u32, TaskId>)>::new();
    while let Some(row) = rows.next()? {
        let Some(group) = row
            .get_ref(group_at)?
            .as_str()
            .ok()
            .and_then(|name| groups.get(name))
        else {
            continue;
        };
        // Its seal is enough: to read all of its cells takes much longer, and there may be a million.
        if TaskRow::sealed(row)?.is_none() {
            return Err(TaskRow::unsealed());
        }
        let id = Uuid::from_cell(row.get_ref(id_at)?);
        let state = Standing::from_cell(row.get_ref(state_at)?);
        let asked = Option::<Asked>::from_cell(row.get_ref(wishes_at)?).flatten();
        let (Some(id), Some(state), Some(part)) = (id, state, asked.and_then(|asked| asked.part))
        else {
            return Err(Fail::Damage(format!(
                "a part of the group {group} does not read"
            )));
        };
        let (counts, parts, tasks) = found.entry(group).or_default();
        match state {
            Standing::Done => counts.done += 1,
            Standing::Failed => counts.failed += 1,
            _ => counts.cancelled += 1,
        }
        *parts = part.of();
        tasks.insert(part.number(), TaskId(id));
    }
    let found = found.into_iter().map(|(group, (counts, parts, tasks))| {
        let mut tasks: Vec<_> = tasks.into_iter().collect();
        tasks.sort_unstable();
        OlderParts {
            group: group.into(),
            counts,
            parts,
            tasks,
        }
    });
    Ok(found.collect())
}
