//! The files of the message log: one that grows, and numbered older ones that are at last deleted.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

/// Name of the file that grows.
pub const FILE_NAME: &str = "messages.jsonl";
/// Size in bytes at which a file is moved aside: some 200,000 letters, which any tool still opens.
pub const FILE_MAX: u64 = 64 * 1024 * 1024;
/// Files kept, the growing one included: 256 MiB at most, about an hour of a very busy master.
pub const FILES_MAX: usize = 4;

/// The file that was moved aside `age` moves ago: `messages.1.jsonl` is the newest of them.
pub fn older(file: &Path, age: usize) -> PathBuf {
    file.with_extension(format!("{age}.jsonl"))
}

/// How much is kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) file_max: u64,
    pub(super) files_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            file_max: FILE_MAX,
            files_max: FILES_MAX,
        }
    }
}

/// The files in one folder, and the one among them that is open.
#[derive(Debug)]
pub(super) struct Files {
    path: PathBuf,
    limits: Limits,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    file: File,
    /// Its length up to the last whole line.
    size: u64,
}

impl Files {
    pub(super) fn new(dir: &Path, limits: Limits) -> Self {
        Self {
            path: dir.join(FILE_NAME),
            limits,
            open: None,
        }
    }

    /// The file that grows.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Appends whole lines: all of them, or after an error none.
    pub(super) fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let mut open = match self.open.take() {
            Some(open) => open,
            None => Open::at(&self.path)?,
        };
        let added = lines.len() as u64;
        if open.size > 0 && open.size + added > self.limits.file_max {
            self.rotate()?;
            open = Open::at(&self.path)?;
        }
        if let Err(error) = open.file.write_all(lines) {
            // What was half written would be a torn line in the middle. If cutting it off fails too,
            // the next opening closes that line, and readers skip it.
            let _ = open.file.set_len(open.size);
            return Err(error);
        }
        open.size += added;
        self.open = Some(open);
        Ok(())
    }

    /// Moves every file one number up, over the oldest one.
    pub(super) fn rotate(&mut self) -> io::Result<()> {
        self.open = None;
        for age in (1..self.limits.files_max.saturating_sub(1)).rev() {
            rename(&older(&self.path, age), &older(&self.path, age + 1))?;
        }
        rename(&self.path, &older(&self.path, 1))
    }
}

impl Open {
    /// Opens the file at its end, and ends a line that a crash has torn.
    fn at(path: &Path) -> io::Result<Self> {
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir)?;
        }
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(path)?;
        let mut size = file.metadata()?.len();
        if size > 0 {
            let mut last = [0];
            file.seek(SeekFrom::Start(size - 1))?;
            file.read_exact(&mut last)?;
            if last != *b"\n" {
                file.write_all(b"\n")?;
                size += 1;
            }
        }
        Ok(Self { file, size })
    }
}

/// Renames; a file that is not there is none to move.
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}
