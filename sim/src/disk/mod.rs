//! A disk in memory that forgets what was not flushed when its power goes.
//!
//! Rule: a name outlasts a power cut only after a flush of its folder, bytes only after a flush of their file; what was not
//! flushed may be there all the same, whole, torn or as zeros. A rename is in the journal whole or not at all, as on the
//! file systems that are in use. The clock of its stamps counts changes: no two of them are alike.

mod power;
mod state;

use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use mutirao::disk::{Batch, Contents, Disk, Names, Stat};
use mutirao_actors::model::Stamp;

pub use power::Loss;
pub use state::Ills;
use state::{Change, Node, State};

use crate::tally::Tally;

/// The disk of one machine; it outlives the hosts that run there.
#[derive(Debug, Clone, Default)]
pub struct SimDisk(Arc<Mutex<State>>);

impl SimDisk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A disk whose faults are counted there.
    pub fn counted(tally: Tally) -> Self {
        let disk = Self::default();
        disk.state().tally = tally;
        disk
    }

    /// Lets the disk be ill, or well again.
    pub fn ail(&self, change: impl FnOnce(&mut Ills)) {
        change(&mut self.state().ills);
    }

    /// How much was done so far.
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// Whether the fuse has blown: the machine is to be crashed.
    pub fn has_blown(&self) -> bool {
        let state = self.state();
        !state.is_dead && state.ills.fuse.is_some_and(|at| state.operations > at)
    }

    /// Nothing is done any more, until [`SimDisk::revive`].
    pub fn die(&self) {
        self.state().is_dead = true;
    }

    /// The machine starts again.
    pub fn revive(&self) {
        let mut state = self.state();
        state.is_dead = false;
        state.ills.fuse = None;
    }

    /// Every file below a folder with its bytes, for who looks at the end of a run.
    pub fn files_below(&self, folder: &Path) -> Vec<(PathBuf, Bytes)> {
        let state = self.state();
        let below = state
            .names
            .iter()
            .filter(|(path, _)| path.starts_with(folder));
        let files = below.filter_map(|(path, node)| match node {
            Node::File(number) => Some((path.clone(), state.files.get(number)?.now.clone())),
            Node::Folder(_) => None,
        });
        files.collect()
    }

    /// Every name, for who reads a transcript; what is not flushed is marked.
    pub fn listing(&self) -> String {
        let state = self.state();
        let mut listing = String::new();
        for (path, node) in &state.names {
            let mark = if state.durable.get(path) == Some(node) {
                ""
            } else {
                "?"
            };
            listing.push_str(&format!("{}{mark} ", path.display()));
        }
        listing
    }

    /// A file that a person copies there, without flushing it; false when the folder is missing or the name is taken.
    pub fn drop_file(&self, path: &Path, bytes: Bytes) -> bool {
        let mut state = self.state();
        let is_possible = !state.is_dead && state.folder_above(path).is_ok();
        let is_possible = is_possible && !state.names.contains_key(path);
        if is_possible {
            state.make_file(path, bytes);
        }
        is_possible
    }

    /// Whoever put a file there waits until it is flushed; whether it is. Where flushes fail nobody tries: whose flush has
    /// failed knows that his file is not safe, and no other program can know it.
    pub fn settle_file(&self, path: &Path) -> bool {
        let mut state = self.state();
        if state.can_flush().is_err() {
            return false;
        }
        let folder = path.parent().unwrap_or(Path::new(""));
        let mut flushed = state.flush_file(path);
        for folder in folder.ancestors() {
            flushed = flushed.and_then(|()| state.flush_folder(folder));
        }
        flushed.is_ok() && state.is_durable(path)
    }
}

/// Files that are written together, and flushed one after the other: a crash comes between any two.
struct SimBatch<'a> {
    disk: &'a SimDisk,
    written: Vec<PathBuf>,
}

impl Batch for SimBatch<'_> {
    fn write_new(&mut self, path: &Path, bytes: &[u8]) -> io::Result<Stamp> {
        let mut state = self.disk.state();
        state.begin_to_fill()?;
        state.folder_above(path)?;
        if state.names.contains_key(path) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        self.written.push(path.to_owned());
        Ok(state.make_file(path, Bytes::copy_from_slice(bytes)))
    }

    fn flush(self: Box<Self>) -> io::Result<()> {
        self.written.iter().try_for_each(|path| {
            let mut state = self.disk.state();
            state.begin()?;
            state.flush_file(path)
        })
    }
}

impl Disk for SimDisk {
    fn make_dir(&self, folder: &Path) -> io::Result<bool> {
        let mut state = self.state();
        state.begin()?;
        match state.node(folder) {
            Ok(Node::Folder(_)) => return Ok(false),
            Ok(Node::File(_)) => return Err(ErrorKind::AlreadyExists.into()),
            Err(_) => {}
        }
        state.folder_above(folder)?;
        state.has_space()?;
        let number = state.next_number();
        state.note(Change::Made(folder.to_owned(), Node::Folder(number)));
        Ok(true)
    }

    fn remove_dir(&self, folder: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.begin()?;
        let node = state.node(folder)?;
        if let Node::File(_) = node {
            return Err(ErrorKind::NotADirectory.into());
        }
        let is_empty = !state.names.keys().any(|path| path.parent() == Some(folder));
        if !is_empty {
            return Err(ErrorKind::DirectoryNotEmpty.into());
        }
        state.note(Change::Removed(folder.to_owned(), node));
        Ok(())
    }

    fn list(&self, folder: &Path) -> io::Result<Names> {
        let mut state = self.state();
        state.begin()?;
        if let Node::File(_) = state.node(folder)? {
            return Err(ErrorKind::NotADirectory.into());
        }
        let inside = state
            .names
            .keys()
            .filter(|path| path.parent() == Some(folder));
        let names: Vec<OsString> = inside
            .filter_map(|path| Some(path.file_name()?.to_owned()))
            .collect();
        Ok(Box::new(names.into_iter().map(Ok)))
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        let mut state = self.state();
        state.begin()?;
        match state.node(path)? {
            Node::File(_) => Ok(Stat {
                stamp: state.file(path)?.stamp,
                is_file: true,
            }),
            Node::Folder(inode) => Ok(Stat {
                stamp: Stamp {
                    inode,
                    ..Stamp::default()
                },
                is_file: false,
            }),
        }
    }

    fn read(&self, path: &Path, max: u64) -> io::Result<Contents> {
        let mut state = self.state();
        state.begin()?;
        let data = state.file(path)?;
        let length = data
            .now
            .len()
            .min(usize::try_from(max).unwrap_or(usize::MAX));
        Ok(Contents {
            bytes: data.now.slice(..length),
            stamp: Some(data.stamp),
        })
    }

    fn write_new(&self, path: &Path, bytes: &[u8]) -> io::Result<Stamp> {
        let mut state = self.state();
        state.begin_to_fill()?;
        state.folder_above(path)?;
        if state.names.contains_key(path) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        let stamp = state.make_file(path, Bytes::copy_from_slice(bytes));
        // Between the two the machine may die, and leave half a file.
        let flushed = state.begin().and_then(|()| state.flush_file(path));
        if flushed.is_err() && state.begin().is_ok() {
            let node = state.node(path)?;
            state.note(Change::Removed(path.to_owned(), node));
        }
        flushed.map(|()| stamp)
    }

    fn begin_batch(&self, folder: &Path) -> io::Result<Box<dyn Batch + '_>> {
        let mut state = self.state();
        state.begin()?;
        match state.node(folder)? {
            Node::Folder(_) => Ok(Box::new(SimBatch {
                disk: self,
                written: Vec::new(),
            })),
            Node::File(_) => Err(ErrorKind::NotADirectory.into()),
        }
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.begin()?;
        state.flush_file(path)
    }

    fn write_out(&self, _: &Path, _: &[PathBuf]) -> io::Result<()> {
        self.state().begin()
    }

    fn sync_dir(&self, folder: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.begin()?;
        let folder = if folder == Path::new(".") {
            Path::new("")
        } else {
            folder
        };
        state.flush_folder(folder)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.begin()?;
        state.rename(from, to)
    }

    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.begin()?;
        if state.names.contains_key(to) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        state.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.begin()?;
        match state.node(path)? {
            node @ Node::File(_) => {
                state.note(Change::Removed(path.to_owned(), node));
                Ok(())
            }
            Node::Folder(_) => Err(ErrorKind::IsADirectory.into()),
        }
    }
}

#[cfg(test)]
mod tests;
