//! One open database.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::Duration;

use mutirao_actors::logic::ledger::Counts;
use mutirao_actors::logic::record::Record;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use super::apply::Writing;
use super::fail::Fail;
use super::kept::UnderWay;
use super::load::{self, Meta, Tally};
use super::rows::Wall;
use super::{Recalled, damaged, drained, schema};

/// How long whoever reads beside us may keep us waiting.
const PATIENCE: Duration = Duration::from_secs(5);
/// Statements that stay prepared: all that are ever said.
const STATEMENTS_MAX: usize = 64;
/// Bytes that the log keeps on disk after a checkpoint: a burst of large commits is not to stay for ever.
const LOG_BYTES_MAX: i64 = 16 << 20;

/// A database of the newest version, and what was counted in it.
#[derive(Debug)]
pub struct Base {
    connection: Connection,
    meta: Meta,
    tally: Tally,
    under_way: UnderWay,
}

/// What a database notes before it changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Journal {
    /// The log of one in use: a commit is one flush, and others may read meanwhile.
    Log,
    /// The journal of one in the making, which is one file in the end.
    Delete,
}

/// Opens a database, which is made only when it is in the making; a commit comes back once it is on disk.
pub fn connect(file: &Path, journal: Journal) -> Result<Connection, Fail> {
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    flags.set(OpenFlags::SQLITE_OPEN_CREATE, journal == Journal::Delete);
    let connection = Connection::open_with_flags(file, flags)?;
    connection.busy_timeout(PATIENCE)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    let mode = match journal {
        Journal::Log => "wal",
        Journal::Delete => "delete",
    };
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "journal_mode", mode)?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "journal_size_limit", LOG_BYTES_MAX)?;
    Ok(connection)
}

/// Opens a database to read it, and leaves it as it is.
pub fn connect_read_only(file: &Path) -> Result<Connection, Fail> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags)?;
    connection.busy_timeout(PATIENCE)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    Ok(connection)
}

/// Opens a database that nobody uses to read it with its log, and touches neither that nor its index: it keeps an index
/// of its own in memory.
pub fn connect_still(file: &Path, log: &Path) -> Result<Connection, Fail> {
    if fs::metadata(log).map_or(0, |found| found.len()) == 0 {
        // SQLite would make one.
        return connect_without_log(file);
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags_and_vfs(file, flags, c"unix-none")?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.pragma_update(None, "locking_mode", "exclusive")?;
    connection.pragma_update(None, "trusted_schema", false)?;
    Ok(connection)
}

/// Opens a database to read it without its log, as if nobody ever wrote to it.
pub fn connect_without_log(file: &Path) -> Result<Connection, Fail> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let quoted = file.as_os_str().as_bytes().iter().map(|byte| match byte {
        b'/' | b'.' | b'-' | b'_' => char::from(*byte).to_string(),
        byte if byte.is_ascii_alphanumeric() => char::from(*byte).to_string(),
        byte => format!("%{byte:02x}"),
    });
    let quoted: String = quoted.collect();
    Ok(Connection::open_with_flags(
        format!("file:{quoted}?immutable=1"),
        flags,
    )?)
}

/// A newer program's database is not even opened to write, unless a crash left it so that only a writer can read it:
/// then what the crash cut off is undone first.
fn refuse_newer(file: &Path) -> Result<(), Fail> {
    match schema::refuse_newer(&connect_read_only(file)?) {
        Err(Fail::Base(rusqlite::Error::SqliteFailure(failure, _)))
            if failure.code == ErrorCode::ReadOnly =>
        {
            schema::refuse_newer(&connect(file, Journal::Log)?)
        }
        told => told,
    }
}

impl Base {
    /// A new database without tasks.
    pub fn fresh(mut connection: Connection, meta: Meta) -> Result<Self, Fail> {
        schema::migrate(&mut connection)?;
        meta.write(&connection)?;
        Ok(Self {
            connection,
            meta,
            tally: Tally::default(),
            under_way: UnderWay::default(),
        })
    }

    /// A database that was there, once all that it says of itself fits; `whole` looks at every page too.
    pub fn known(file: &Path, whole: bool) -> Result<Self, Fail> {
        refuse_newer(file)?;
        let mut connection = connect(file, Journal::Log)?;
        if whole {
            schema::quick_check(&connection)?;
        }
        if schema::version(&connection)? < schema::newest() {
            schema::migrate(&mut connection)?;
        }
        let meta = Meta::read(&connection)?;
        Ok(Self {
            connection,
            meta,
            tally: Tally::default(),
            under_way: UnderWay::default(),
        })
    }

    /// What holds for the whole of it.
    pub fn meta(&self) -> Meta {
        self.meta
    }

    /// Moves the log into the database; whether nobody kept it in use.
    ///
    /// Pages of a flush that failed once may never reach the disk by another one unless they are written anew.
    pub fn rewrite_log(&self) -> Result<bool, Fail> {
        let busy: i64 =
            self.connection
                .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        Ok(busy == 0)
    }

    /// Reads everything that matters, and begins another life.
    pub fn recall(&mut self) -> Result<Recalled, Fail> {
        let counts = self.count()?;
        let oldest = load::oldest(&self.connection, counts)?;
        let from = oldest.as_deref().unwrap_or_default();
        let tasks = load::tasks(&self.connection, from, self.beside(from, counts)?)?;
        let older_parts = match &oldest {
            Some(oldest) => load::older_parts(&self.connection, oldest, &tasks)?,
            None => Vec::new(),
        };
        self.meta.epoch += 1;
        let transaction = self.connection.transaction()?;
        self.meta.write(&transaction)?;
        transaction.commit()?;
        Ok(Recalled {
            master: self.meta.master,
            epoch: self.meta.epoch,
            counts,
            tasks,
            older_parts,
            drained: drained::read(&self.connection)?.into_iter().collect(),
            damage: Vec::new(),
            has_lost: damaged::is_any(&self.connection)?,
        })
    }

    /// Another connection, to read what is from the middle on, where there is much in a file, and files enough to open.
    fn beside(&self, oldest: &[u8], counts: Counts) -> Result<Option<(Connection, Vec<u8>)>, Fail> {
        let file = self.connection.path().filter(|path| !path.is_empty());
        let middle = load::middle(&self.connection, oldest, counts)?;
        Ok(file.zip(middle).and_then(|(file, middle)| {
            let other = connect_read_only(Path::new(file)).ok()?;
            Some((other, middle))
        }))
    }

    /// Writes down that something was lost, for all later lives.
    pub fn note_lost(&self, what: &str, now: Wall) -> Result<(), Fail> {
        damaged::list(&self.connection, now, what, "")
    }

    /// Fills a new database in one transaction.
    pub fn fill<T>(
        &mut self,
        fill: impl FnOnce(&Connection) -> Result<T, Fail>,
    ) -> Result<T, Fail> {
        let transaction = self.connection.transaction()?;
        let filled = fill(&transaction)?;
        transaction.commit()?;
        Ok(filled)
    }

    /// Counts the tasks, which are to be as many as were adopted.
    pub fn count(&mut self) -> Result<Counts, Fail> {
        let (tally, counts) = load::count(&self.connection)?;
        if tally.tasks != self.meta.tasks {
            return Err(Fail::Damage(format!(
                "it has {} tasks where {} were written down",
                tally.tasks, self.meta.tasks
            )));
        }
        self.tally = tally;
        Ok(counts)
    }

    /// Commits records, all or nothing.
    pub fn write(&mut self, records: &[Record], now: Wall) -> Result<(), Fail> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut writing = Writing {
            base: &transaction,
            now,
            tally: self.tally,
            // After an error nothing is under way: what was written is taken back.
            under_way: std::mem::take(&mut self.under_way),
        };
        for record in records {
            writing.apply(record)?;
        }
        let Writing {
            tally, under_way, ..
        } = writing;
        let meta = Meta {
            tasks: tally.tasks,
            ..self.meta
        };
        if meta != self.meta {
            meta.write(&transaction)?;
        }
        transaction.commit()?;
        (self.meta, self.tally, self.under_way) = (meta, tally, under_way);
        Ok(())
    }
}
