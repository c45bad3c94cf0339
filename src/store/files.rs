//! The files of the store.
//!
//! Rule: a database is made under another name and gets its own by a rename, so that one which is not whole was whole
//! once; and what is damaged is moved aside, never overwritten.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::StoreError;
use super::base::{Base, Journal, connect};
use super::fail::Fail;
use super::load::Meta;
use super::lost;

/// The database.
const DATABASE: &str = "mutirao.db";
/// A database in the making.
const MADE: &str = "made.db";
/// What SQLite puts beside a database: its log, the log's index, and the journal of one in the making.
const BESIDE: [&str; 3] = [LOG, INDEX, "-journal"];
/// The log's name ends with this.
const LOG: &str = "-wal";
/// And that of its index.
const INDEX: &str = "-shm";
/// Folders of damaged files begin with this, and a number follows.
const ASIDE: &str = "damaged-";
/// Folders of damaged files that are kept: each may be as large as the store.
const ASIDE_MAX: usize = 4;

/// Where they are.
#[derive(Debug, Clone)]
pub struct Files {
    folder: PathBuf,
    /// The database.
    pub database: PathBuf,
    made: PathBuf,
}

impl Files {
    /// Those of a store in this folder.
    pub fn of(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            database: folder.join(DATABASE),
            made: folder.join(MADE),
        }
    }

    /// Those of a store that is there.
    pub fn known(folder: &Path) -> Result<Self, StoreError> {
        let files = Self::of(folder);
        if exists(&files.database) || exists(&files.made) {
            Ok(files)
        } else {
            Err(match lost::trace(folder) {
                Some(trace) => StoreError::Gone {
                    file: files.database,
                    trace,
                },
                None => StoreError::Missing(files.database),
            })
        }
    }

    /// The folder in which they lie.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// That somebody was ended while he mended the database, in words for a reader.
    pub fn interrupted(&self) -> Option<String> {
        (!exists(&self.database)).then(|| {
            format!(
                "{} is not there: mending it broke off, and {} is to take its place",
                self.database.display(),
                self.made.display()
            )
        })
    }

    /// The database's log, if it has one.
    pub fn log(&self) -> PathBuf {
        beside(&self.database, LOG)
    }

    /// The index of its log.
    pub fn index(&self) -> PathBuf {
        beside(&self.database, INDEX)
    }

    /// Bytes of the database and its log.
    pub fn size(&self) -> u64 {
        let files = [self.database.clone(), self.log()];
        let sizes = files
            .iter()
            .map(|file| fs::metadata(file).map_or(0, |found| found.len()));
        sizes.sum()
    }

    /// Sees to it that there is a database; what was to be there and is not, in words for a reader.
    pub fn prepare(&self) -> Result<Vec<String>, StoreError> {
        make_folder(&self.folder).map_err(|error| failed("make", &self.folder, error))?;
        let mut damage = Vec::new();
        if exists(&self.database) {
            self.remove_made()?;
        } else if exists(&self.made) {
            // It was whole before the damaged one was moved aside.
            self.set_aside()?;
            self.install()?;
        } else {
            if let Some(aside) = self.set_aside()? {
                damage.push(format!(
                    "{} is missing, and its log alone tells nothing: the log is in {} now",
                    self.database.display(),
                    aside.display()
                ));
            } else if let Some(trace) = lost::trace(&self.folder) {
                damage.push(format!(
                    "{} is missing, though {} is left of an earlier master: what that wrote down is lost, and every \
                     ZIP in tasks/ is a new task",
                    self.database.display(),
                    trace.display()
                ));
            }
            self.make(|connection| Base::fresh(connection, Meta::new()).map(drop))?;
            self.install()?;
        }
        Ok(damage)
    }

    /// Makes a database beside the one that is there.
    pub fn make<T>(
        &self,
        fill: impl FnOnce(Connection) -> Result<T, Fail>,
    ) -> Result<T, StoreError> {
        self.remove_made()?;
        let made = connect(&self.made, Journal::Delete).and_then(fill);
        made.map_err(|fail| fail.of("make", &self.made))
    }

    /// Gives the database that was made its name.
    pub fn install(&self) -> Result<(), StoreError> {
        fs::rename(&self.made, &self.database)
            .and_then(|()| sync(&self.folder))
            .map_err(|error| failed("name", &self.database, error))
    }

    /// Moves the database and what is beside it into a folder of their own; which, if there was any.
    pub fn set_aside(&self) -> Result<Option<PathBuf>, StoreError> {
        let mut files = vec![self.database.clone()];
        files.extend(BESIDE.map(|end| beside(&self.database, end)));
        self.keep(&files, |from, to| fs::rename(from, to))
    }

    /// Moves the log and its index away from the database.
    pub fn set_log_aside(&self) -> Result<Option<PathBuf>, StoreError> {
        self.keep(&[self.log(), self.index()], |from, to| fs::rename(from, to))
    }

    /// Copies the log and its index, of which the database needs what is whole.
    pub fn copy_log(&self) -> Result<Option<PathBuf>, StoreError> {
        self.keep(&[self.log(), self.index()], |from, to| {
            fs::copy(from, to)?;
            File::open(to)?.sync_all()
        })
    }

    /// Keeps those files that are there in a new folder.
    fn keep(
        &self,
        files: &[PathBuf],
        keep: impl Fn(&Path, &Path) -> io::Result<()>,
    ) -> Result<Option<PathBuf>, StoreError> {
        let mut files = files.iter().filter(|file| exists(file)).peekable();
        if files.peek().is_none() {
            return Ok(None);
        }
        let aside = self
            .new_aside()
            .map_err(|error| failed("list", &self.folder, error))?;
        let kept = || {
            fs::create_dir(&aside)?;
            for file in files {
                keep(file, &aside.join(file.file_name().unwrap_or_default()))?;
            }
            sync(&aside)?;
            sync(&self.folder)
        };
        kept().map_err(|error| failed("keep the damaged files in", &aside, error))?;
        Ok(Some(aside))
    }

    /// Writes a file into the newest folder of damaged files; where, if there is one.
    pub fn put_aside(&self, name: &str, text: &str) -> Result<Option<PathBuf>, StoreError> {
        let numbers = self
            .asides()
            .map_err(|error| failed("list", &self.folder, error))?;
        let Some(newest) = numbers.last() else {
            return Ok(None);
        };
        let file = self.aside(*newest).join(name);
        fs::write(&file, text)
            .and_then(|()| File::open(&file)?.sync_all())
            .map_err(|error| failed("write", &file, error))?;
        Ok(Some(file))
    }

    fn aside(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{ASIDE}{number}"))
    }

    /// The numbers of the folders for damaged files, oldest first.
    fn asides(&self) -> io::Result<Vec<u64>> {
        let mut numbers: Vec<u64> = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let name = entry?.file_name();
            let number = name.to_str().and_then(|name| name.strip_prefix(ASIDE));
            numbers.extend(number.and_then(|number| number.parse::<u64>().ok()));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// The name of a new folder for damaged files; the oldest of too many are removed.
    fn new_aside(&self) -> io::Result<PathBuf> {
        let numbers = self.asides()?;
        let too_many = (numbers.len() + 1).saturating_sub(ASIDE_MAX);
        for number in numbers.iter().take(too_many) {
            fs::remove_dir_all(self.aside(*number))?;
        }
        Ok(self.aside(numbers.last().map_or(1, |last| last + 1)))
    }

    /// Removes what somebody began to make.
    fn remove_made(&self) -> Result<(), StoreError> {
        let mut files = vec![self.made.clone()];
        files.extend(BESIDE.map(|end| beside(&self.made, end)));
        for file in files {
            match fs::remove_file(&file) {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                removed => removed.map_err(|error| failed("remove", &file, error))?,
            }
        }
        Ok(())
    }
}

pub(super) fn failed(doing: &'static str, file: &Path, source: io::Error) -> StoreError {
    StoreError::File {
        doing,
        file: file.to_owned(),
        source,
    }
}

fn beside(file: &Path, end: &str) -> PathBuf {
    let mut name = OsString::from(file);
    name.push(end);
    name.into()
}

/// Whether anything has this name, be it a link to nothing.
fn exists(file: &Path) -> bool {
    fs::symlink_metadata(file).is_ok()
}

/// Makes a folder and those above it, so that they outlast a power cut. One that is there may have been made by a life
/// that ended before it had flushed the name.
fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.as_os_str().is_empty() {
        return Ok(());
    }
    let above = folder.parent().unwrap_or(Path::new(""));
    // What lies above a path that is given from the root was there before us, and is not ours to flush.
    if folder.is_relative() || !folder.is_dir() {
        make_folder(above)?;
    }
    match fs::create_dir(folder) {
        Err(_) if folder.is_dir() => {}
        made => made?,
    }
    sync(above)
}

/// Names in a folder outlast a power cut only after this.
fn sync(folder: &Path) -> io::Result<()> {
    let here = Path::new(".");
    let folder = if folder.as_os_str().is_empty() {
        here
    } else {
        folder
    };
    File::open(folder)?.sync_all()
}
