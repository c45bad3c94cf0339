//! The store as one SQLite database.
//!
//! Rule: a connection on which something went wrong is given up. The next commit opens a new one, and what is then
//! committed again may have been written already.

use std::fmt;
use std::path::Path;

use mutirao_actors::clock::Clock;
use mutirao_actors::logic::record::Record;
use rusqlite::Connection;

use super::base::Base;
use super::fail::Fail;
use super::files::Files;
use super::load::Meta;
use super::mend::mend;
use super::rows::Wall;
use super::{Recalled, Store, StoreError, log};

/// Largest database of which every page is looked at whenever it is opened, in bytes: that takes about 3 ms a megabyte.
/// In a larger one the rows that are used are checked all the same, and counted.
const CHECKED_WHOLE_MAX: u64 = 32 << 20;

/// Where the database is.
enum Home {
    Memory(Base),
    Disk {
        files: Files,
        /// None after a failure.
        base: Option<Base>,
        /// What it was when it was last sound.
        meta: Meta,
    },
}

/// An SQLite database that holds what must survive.
pub struct SqliteStore {
    home: Home,
    clock: Clock,
}

impl SqliteStore {
    /// Opens the store in this folder, or makes one, and begins another life. Whoever calls has the right to the
    /// folder alone.
    ///
    /// # Errors
    /// When a newer program wrote it, or the disk refuses; never because it is damaged.
    pub fn open(folder: &Path, clock: Clock) -> Result<(Self, Recalled), StoreError> {
        let files = Files::of(folder);
        let now = wall(&clock);
        let mut damage = files.prepare()?;
        damage.extend(log::examine(&files)?);
        let whole = !damage.is_empty() || files.size() <= CHECKED_WHOLE_MAX;
        let mut opened = open(&files, whole);
        if let Err(Fail::Damage(why)) = opened {
            damage.extend(mend(&files, &why, None, now)?);
            opened = open(&files, whole);
        }
        let (base, recalled) = opened.map_err(|fail| fail.of("open", &files.database))?;
        let meta = base.meta();
        let base = Some(base);
        let home = Home::Disk { files, base, meta };
        let recalled = Recalled {
            has_lost: recalled.has_lost || !damage.is_empty(),
            damage,
            ..recalled
        };
        Ok((Self { home, clock }, recalled))
    }

    /// A new store that ends with the process, for tests and simulations.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn in_memory(clock: Clock) -> Result<(Self, Recalled), StoreError> {
        let made = || {
            let mut base = Base::fresh(Connection::open_in_memory()?, Meta::new())?;
            let recalled = base.recall()?;
            Ok((base, recalled))
        };
        let failed = |fail: Fail| fail.of("make a database", Path::new("in memory"));
        let (base, recalled) = made().map_err(failed)?;
        let home = Home::Memory(base);
        Ok((Self { home, clock }, recalled))
    }

    /// What a store in memory remembers now, as if it was opened anew.
    ///
    /// # Errors
    /// When it lies on a disk, where it is opened instead, or there is no memory for it.
    pub fn recall(&mut self) -> Result<Recalled, StoreError> {
        let recalled = match &mut self.home {
            Home::Memory(base) => base.recall(),
            Home::Disk { .. } => Err(Fail::busy()),
        };
        recalled.map_err(|fail| fail.of("read", Path::new("in memory")))
    }
}

impl Store for SqliteStore {
    fn commit(&mut self, records: &[Record]) -> Result<(), StoreError> {
        let now = wall(&self.clock);
        match &mut self.home {
            Home::Memory(base) => {
                let written = base.write(records, now);
                written.map_err(|fail| fail.of("write", Path::new("in memory")))
            }
            Home::Disk { files, base, meta } => {
                let mut open = match base.take() {
                    Some(open) => open,
                    None => reopen(files, *meta, now)?,
                };
                let written = open.write(records, now);
                written.map_err(|fail| fail.of("write to", &files.database))?;
                *meta = open.meta();
                *base = Some(open);
                Ok(())
            }
        }
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let home = match &self.home {
            Home::Memory(_) => Path::new("in memory"),
            Home::Disk { files, .. } => &files.database,
        };
        write!(f, "SqliteStore({})", home.display())
    }
}

fn open(files: &Files, whole: bool) -> Result<(Base, Recalled), Fail> {
    let mut base = Base::known(&files.database, whole)?;
    base.rewrite_log()?;
    let recalled = base.recall()?;
    Ok((base, recalled))
}

/// Opens the database again after a failure; what is found damaged is said in the program's log.
fn reopen(files: &Files, own: Meta, now: Wall) -> Result<Base, StoreError> {
    let replaced = || StoreError::Replaced(files.database.clone());
    // A new one would take no record of the tasks that there are.
    if Files::known(files.folder()).is_err() {
        return Err(replaced());
    }
    let mut damage = files.prepare()?;
    damage.extend(log::examine(files)?);
    let whole = !damage.is_empty();
    let mut reopened = again(files, whole);
    if let Err(Fail::Damage(why)) = reopened {
        damage.extend(mend(files, &why, Some(own), now)?);
        reopened = again(files, whole);
    }
    for line in damage {
        tracing::error!("{line}");
    }
    let base = reopened.map_err(|fail| fail.of("open", &files.database))?;
    if base.meta().master == own.master {
        Ok(base)
    } else {
        Err(replaced())
    }
}

fn again(files: &Files, whole: bool) -> Result<Base, Fail> {
    let mut base = Base::known(&files.database, whole)?;
    base.count()?;
    base.rewrite_log()?.then_some(base).ok_or_else(Fail::busy)
}

/// The time for people.
pub(super) fn wall(clock: &Clock) -> Wall {
    clock.wall(clock.now()).as_millisecond()
}
