//! Looks at everything that a store holds, and at the files of which it tells.
//!
//! Rule: a check changes nothing; a repair is what a master does at its start, but for every row. Whoever calls has the
//! right to the folder alone.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use mutirao_actors::clock::Clock;
use mutirao_actors::model::Kinds;
use mutirao_actors::model::{Digest, TaskId};
use mutirao_actors::wire::scanner::ARCHIVE_MAX;
use rusqlite::Connection;
use serde::Serialize;

use super::StoreError;
use super::base::{Base, connect_still};
use super::fail::Fail;
use super::files::Files;
use super::load::{self, Meta};
use super::mend::{Losses, mend};
use super::row::Sealed;
use super::rows::{ConflictRow, EndRow, MetaRow, ResultRow, TaskRow, TryRow};
use super::sqlite::wall;
use super::whole::Whole;
use super::{FOLDER, log, schema};
use crate::disk::{Volume, is_absent};
use crate::folders::Places;

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Checked {
    /// Tasks that could be read.
    pub tasks: u64,
    /// Results of which the files were looked for.
    pub results: u64,
    /// What is wrong with the database, in words for a reader.
    pub database: Vec<String>,
    /// What is wrong with the files of tasks and results.
    pub files: Vec<String>,
}

impl Checked {
    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.database.is_empty() && self.files.is_empty()
    }
}

/// Whether there is a store to check; asked before the folder is claimed, which makes a place for the lock in it.
///
/// # Errors
/// When there is none.
pub fn find(root: &Path) -> Result<(), StoreError> {
    Files::known(&root.join(FOLDER)).map(drop)
}

/// Checks the store of the master that serves this folder.
///
/// # Errors
/// When there is none, a newer program wrote it, or the disk refuses.
pub fn check(root: &Path) -> Result<Checked, StoreError> {
    let places = Places::under(root, Volume::real().into());
    let damaged = match places.packs.learn(&places.volume) {
        Ok(learned) => places.packs.in_words(&learned.damaged),
        Err(error) => {
            tracing::warn!("{error}; what lies there is told as gone");
            Vec::new()
        }
    };
    let mut checked = look(&Files::known(&root.join(FOLDER))?, Some(places))?;
    checked.files.splice(..0, damaged);
    Ok(checked)
}

/// Makes a sound database of a damaged one; what was lost, in words for a reader.
///
/// # Errors
/// As of [`check`].
pub fn repair(root: &Path, clock: &Clock) -> Result<Vec<String>, StoreError> {
    let files = Files::known(&root.join(FOLDER))?;
    let mut damage = files.prepare()?;
    damage.extend(log::examine(&files)?);
    let known = Base::known(&files.database, true).and_then(|base| base.rewrite_log());
    let why = match known {
        Err(Fail::Damage(why)) => Some(why),
        known => {
            known.map_err(|fail| fail.of("open", &files.database))?;
            look(&files, None)?.database.into_iter().next()
        }
    };
    if let Some(why) = why {
        damage.extend(mend(&files, &why, None, wall(clock))?);
    }
    Ok(damage)
}

/// Looks at the database, and at the files of which it tells if it is said where they are.
fn look(files: &Files, places: Option<Places>) -> Result<Checked, StoreError> {
    let mut look = Look {
        places,
        checked: Checked::default(),
        lost: Losses::default(),
        missing: Losses::default(),
    };
    look.lost.extend(files.interrupted());
    look.lost.extend(log::judge(files)?.in_words(files));
    match connect_still(&files.database, &files.log()).and_then(|base| look.through(&base)) {
        Err(Fail::Damage(why)) => look.lost.add(why),
        Err(_) if look.lost.any() => {}
        looked => looked.map_err(|fail| fail.of("read", &files.database))?,
    }
    Ok(Checked {
        database: look.lost.listed(),
        files: look.missing.listed(),
        ..look.checked
    })
}

/// A look at a store.
struct Look {
    places: Option<Places>,
    checked: Checked,
    lost: Losses,
    missing: Losses,
}

impl Look {
    fn through(&mut self, base: &Connection) -> Result<(), Fail> {
        self.survive(schema::refuse_newer(base))?;
        let wrong = self.survive(schema::integrity(base))?;
        self.lost.extend(wrong.unwrap_or_default());
        self.rows::<MetaRow>(base)?;
        self.rows::<TaskRow>(base)?;
        self.rows::<TryRow>(base)?;
        self.rows::<ResultRow>(base)?;
        self.rows::<ConflictRow>(base)?;
        if schema::has_earlier_ends(base) {
            self.rows::<EndRow>(base)?;
        }
        let tally = self.survive(load::count(base))?;
        let meta = self.survive(Meta::read(base))?;
        if let (Some((tally, _)), Some(meta)) = (tally, meta) {
            let (tasks, written) = (tally.tasks, meta.tasks);
            if tasks != written {
                let line = format!("it has {tasks} tasks where {written} were written down");
                self.lost.add(line);
            }
        }
        let each = each_task(base, |whole| {
            let whole = self.survive(whole)?;
            whole.map_or(Ok(()), |whole| self.task(whole))
        });
        self.survive(each).map(drop)
    }

    /// Lists every row that does not fit its seal.
    fn rows<R: Sealed>(&mut self, base: &Connection) -> Result<(), Fail> {
        let unsealed = unsealed::<R>(base, &mut self.lost);
        self.survive(unsealed).map(drop)
    }

    /// Lists damage, once, and goes on behind it.
    fn survive<T>(&mut self, looked: Result<T, Fail>) -> Result<Option<T>, Fail> {
        match looked {
            Ok(found) => Ok(Some(found)),
            Err(Fail::Damage(why)) => {
                self.lost.add_once(why);
                Ok(None)
            }
            Err(fail) => Err(fail),
        }
    }

    fn task(&mut self, whole: Whole) -> Result<(), Fail> {
        self.checked.tasks += 1;
        if let Some(places) = &self.places {
            let missing = task_file(places, &whole).into_iter();
            self.missing
                .extend(missing.chain(result_file(places, &whole)));
            self.checked.results += u64::from(whole.result.is_some());
        }
        self.survive(whole.remembered(&mut Kinds::default()))
            .map(drop)
    }
}

/// What is wrong with the ZIP of an open task.
fn task_file(places: &Places, whole: &Whole) -> Option<String> {
    let row = &whole.row;
    if row.state.is_terminal() {
        return None;
    }
    // One that came over the wire may not be in its place yet.
    if places.packs.has((TaskId(row.id), row.sha256)) {
        return None;
    }
    let payload = places.payload(TaskId(row.id), row.sha256);
    misses(places, &payload, row.sha256)?;
    let file = places.tasks.join(OsStr::from_bytes(&row.file));
    let why = misses(places, &file, row.sha256)?;
    Some(format!(
        "{}, of the open task {}, {why}",
        file.display(),
        row.id
    ))
}

/// What is wrong with the file of a result, wherever it lies by now.
fn result_file(places: &Places, whole: &Whole) -> Option<String> {
    let (row, result) = (&whole.row, whole.result.as_ref()?);
    let file = places.results.join(&result.file);
    let payload = places.payload(TaskId(row.id), result.sha256);
    let is_packed = places.packs.has((TaskId(row.id), result.sha256));
    let is_safe = is_packed || misses(places, &payload, result.sha256).is_none();
    if !row.settled && is_safe {
        return None;
    }
    let why = misses(places, &file, result.sha256)?;
    let (file, id, name) = (file.display(), row.id, &row.name);
    Some(format!(
        "{file}, the result of the task {id} ({name}), {why}"
    ))
}

/// Why the file is not the one with this digest, if it is not.
fn misses(places: &Places, file: &Path, sha256: Digest) -> Option<String> {
    match places.volume.read(file, ARCHIVE_MAX as u64 + 1) {
        Ok(read) if Digest::of(&read.bytes) == sha256 => None,
        Ok(_) => Some(format!("has changed: its SHA-256 is not {sha256}")),
        Err(error) if is_absent(&error) => Some("is gone".to_owned()),
        Err(error) => Some(format!("cannot be read: {error}")),
    }
}

fn unsealed<R: Sealed>(base: &Connection, bad: &mut Losses) -> Result<(), Fail> {
    let mut statement = base.prepare(&R::table().all)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if R::check(row)?.is_none() {
            bad.add(R::table().damaged(row));
        }
    }
    Ok(())
}

/// Goes through all tasks, in the order of their ids.
pub(super) fn each_task(
    base: &Connection,
    mut see: impl FnMut(Result<Whole, Fail>) -> Result<(), Fail>,
) -> Result<(), Fail> {
    let mut statement = base.prepare(&TaskRow::table().all)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        see(TaskRow::whole(row).and_then(|row| Whole::of(base, row)))?;
    }
    Ok(())
}
