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
use super::held::{Fate, Held};
use super::load::Meta;
use super::mend::mend;
use super::rows::Wall;
use super::{Recalled, Store, StoreError, log, lost};

/// Largest database of which every page is looked at whenever it is opened, in bytes: that takes about 3 ms a megabyte.
/// In a larger one the rows that are used are checked all the same, and counted.
const CHECKED_WHOLE_MAX: u64 = 32 << 20;

/// Where the database is.
enum Home {
    Memory(Base),
    Disk(Disk),
}

/// A database in a folder.
struct Disk {
    files: Files,
    /// None after a failure.
    open: Option<Open>,
    /// What it was when it was last sound.
    meta: Meta,
    /// Whether damage was met, and every page is to be looked at when it is opened next.
    is_doubtful: bool,
}

/// An open database, and where its files lay.
struct Open {
    base: Base,
    held: Held,
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
        lost::list(&files, &mut damage);
        let noted = opened.and_then(|(base, recalled)| {
            if let Some(first) = damage.first().filter(|_| !recalled.has_lost) {
                base.note_lost(first, now)?;
            }
            Ok((base, recalled))
        });
        let (base, recalled) = noted.map_err(|fail| fail.of("open", &files.database))?;
        let meta = base.meta();
        let held = Held::note(&files)?;
        let home = Home::Disk(Disk {
            files,
            open: Some(Open { base, held }),
            meta,
            is_doubtful: false,
        });
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
            Home::Disk(_) => Err(Fail::busy()),
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
            Home::Disk(disk) => disk.commit(records, now),
        }
    }
}

impl Disk {
    fn commit(&mut self, records: &[Record], now: Wall) -> Result<(), StoreError> {
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.reopen(now)?,
        };
        let written = open.base.write(records, now);
        self.is_doubtful = matches!(written, Err(Fail::Damage(_)));
        written.map_err(|fail| fail.of("write to", &self.files.database))?;
        match open.held.look(&self.files)? {
            Fate::There => {
                self.meta = open.base.meta();
                self.open = Some(open);
                Ok(())
            }
            Fate::Gone => Err(self.replaced()),
            Fate::WithoutLog => Err(self.rescue(open)),
            Fate::Cut => {
                self.is_doubtful = true;
                let why = "it was cut while it was open".to_owned();
                Err(Fail::Damage(why).of("write to", &self.files.database))
            }
        }
    }

    /// Moves what the lost log told, which is open still, into the database.
    fn rescue(&mut self, open: Open) -> StoreError {
        match open.base.rewrite_log() {
            Ok(true) => StoreError::NoLog(self.files.log()),
            // Nothing else has what was committed, so it stays open until whoever reads is done.
            Ok(false) => {
                self.open = Some(open);
                Fail::busy().of("save", &self.files.database)
            }
            Err(fail) => {
                self.open = Some(open);
                fail.of("save", &self.files.database)
            }
        }
    }

    fn replaced(&self) -> StoreError {
        StoreError::Replaced(self.files.database.clone())
    }

    /// Opens the database again after a failure; what is found damaged is said in the program's log.
    fn reopen(&mut self, now: Wall) -> Result<Open, StoreError> {
        let (files, own) = (&self.files, self.meta);
        // A new one would take no record of the tasks that there are.
        if Files::known(files.folder()).is_err() {
            return Err(self.replaced());
        }
        let mut damage = files.prepare()?;
        damage.extend(log::examine(files)?);
        let whole = self.is_doubtful || !damage.is_empty();
        let mut reopened = again(files, whole);
        if let Err(Fail::Damage(why)) = reopened {
            damage.extend(mend(files, &why, Some(own), now)?);
            reopened = again(files, whole);
        }
        lost::list(files, &mut damage);
        for line in lost::shown(&damage) {
            tracing::error!("{line}");
        }
        let base = reopened.map_err(|fail| fail.of("open", &files.database))?;
        let found = base.meta();
        // A copy of former times knows less than this master does.
        let is_old = damage.is_empty() && (found.epoch, found.tasks) < (own.epoch, own.tasks);
        if found.master != own.master || is_old {
            return Err(self.replaced());
        }
        let held = Held::note(files)?;
        // It may have lost tasks now that it was mended.
        self.meta = found;
        Ok(Open { base, held })
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let home = match &self.home {
            Home::Memory(_) => Path::new("in memory"),
            Home::Disk(disk) => &disk.files.database,
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

fn again(files: &Files, whole: bool) -> Result<Base, Fail> {
    let mut base = Base::known(&files.database, whole)?;
    base.count()?;
    base.rewrite_log()?.then_some(base).ok_or_else(Fail::busy)
}

/// The time for people.
pub(super) fn wall(clock: &Clock) -> Wall {
    clock.wall(clock.now()).as_millisecond()
}
