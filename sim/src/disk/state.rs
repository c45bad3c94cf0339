//! What is on the disk, what of it is flushed, and what goes wrong there.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use mutirao_actors::model::Stamp;

use crate::tally::{Met, Tally};

/// The error of a broken disk.
const EIO: i32 = 5;
/// What lies below it is never lied about.
const HIDDEN: &str = ".mutirao/store";

/// What a file system calls an inode.
pub(super) type Number = u64;

/// What lies under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Node {
    Folder(Number),
    File(Number),
}

impl Node {
    pub(super) fn number(self) -> Number {
        match self {
            Self::Folder(number) | Self::File(number) => number,
        }
    }
}

/// A change of names that its folders' flush makes last.
#[derive(Debug, Clone)]
pub(super) enum Change {
    Made(PathBuf, Node),
    Moved(PathBuf, PathBuf, Node),
    Removed(PathBuf, Node),
}

impl Change {
    pub(super) fn node(&self) -> Node {
        match self {
            Self::Made(_, node) | Self::Moved(_, _, node) | Self::Removed(_, node) => *node,
        }
    }

    pub(super) fn is_in(&self, folder: &Path) -> bool {
        let within = |path: &Path| path.parent() == Some(folder);
        match self {
            Self::Made(path, _) | Self::Removed(path, _) => within(path),
            Self::Moved(from, to, _) => within(from) || within(to),
        }
    }

    pub(super) fn apply(&self, names: &mut BTreeMap<PathBuf, Node>) {
        match self {
            Self::Made(path, node) => {
                names.insert(path.clone(), *node);
            }
            Self::Moved(from, to, node) => {
                if names.get(from) == Some(node) {
                    names.remove(from);
                }
                names.insert(to.clone(), *node);
            }
            Self::Removed(path, node) => {
                if names.get(path) == Some(node) {
                    names.remove(path);
                }
            }
        }
    }
}

/// A change that no flush has made last yet.
#[derive(Debug, Clone)]
pub(super) struct Pending {
    pub(super) change: Change,
    /// A flush that was to make it last has failed: the system takes it for written, and no later flush writes it.
    pub(super) is_given_up: bool,
}

/// The bytes of a file.
#[derive(Debug, Clone)]
pub(super) struct Data {
    pub(super) now: Bytes,
    /// What a power cut leaves for certain.
    pub(super) flushed: Option<Bytes>,
    /// As of a [`Pending`] change.
    pub(super) is_given_up: bool,
    pub(super) stamp: Stamp,
}

impl Data {
    pub(super) fn is_flushed(&self) -> bool {
        self.flushed.as_ref() == Some(&self.now)
    }
}

/// What the disk does wrong while it is so set.
#[derive(Debug, Clone, Default)]
pub struct Ills {
    /// There is no space left.
    pub full: bool,
    /// Flushes fail, and what they were to flush is flushed by no later one, whatever that says.
    pub flushes_fail: bool,
    /// The operation after this many fails once, with EIO.
    pub error_after: Option<u64>,
    /// From the operation after this many on everything fails, until the host is crashed.
    pub fuse: Option<u64>,
    /// Flushes of files that are not hidden are said to be done and are not: what a test must notice.
    pub files_unflushed: bool,
    /// The same of their folders.
    pub folders_unflushed: bool,
}

impl Ills {
    /// The disk is well again, save what is broken on purpose.
    pub fn end(&mut self) {
        *self = Self {
            files_unflushed: self.files_unflushed,
            folders_unflushed: self.folders_unflushed,
            ..Self::default()
        };
    }
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) names: BTreeMap<PathBuf, Node>,
    pub(super) durable: BTreeMap<PathBuf, Node>,
    pub(super) journal: Vec<Pending>,
    pub(super) files: BTreeMap<Number, Data>,
    pub(super) last_number: Number,
    pub(super) changes: i64,
    pub(super) operations: u64,
    pub(super) ills: Ills,
    pub(super) tally: Tally,
    /// The host is being crashed: what its actors still want to do is not done.
    pub(super) is_dead: bool,
}

impl State {
    /// Counts an operation, which may be the one that fails.
    pub(super) fn begin(&mut self) -> io::Result<()> {
        self.operations += 1;
        let has_blown = self.ills.fuse.is_some_and(|at| self.operations > at);
        let fails = self.ills.error_after.is_some_and(|at| self.operations > at);
        if fails {
            self.ills.error_after = None;
            self.tally.count(Met::OneError);
        }
        if self.is_dead || has_blown || fails {
            return Err(io::Error::from_raw_os_error(EIO));
        }
        Ok(())
    }

    /// One that needs space.
    pub(super) fn begin_to_fill(&mut self) -> io::Result<()> {
        self.begin()?;
        self.has_space()
    }

    pub(super) fn has_space(&self) -> io::Result<()> {
        if self.ills.full {
            self.tally.count(Met::NoSpace);
            return Err(ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    pub(super) fn can_flush(&self) -> io::Result<()> {
        if self.ills.flushes_fail {
            self.tally.count(Met::FlushFailed);
            return Err(io::Error::from_raw_os_error(EIO));
        }
        Ok(())
    }

    pub(super) fn node(&self, path: &Path) -> io::Result<Node> {
        self.names
            .get(path)
            .copied()
            .ok_or_else(|| ErrorKind::NotFound.into())
    }

    pub(super) fn folder_above(&self, path: &Path) -> io::Result<()> {
        let above = path.parent().unwrap_or(Path::new(""));
        if above.as_os_str().is_empty() {
            return Ok(());
        }
        match self.node(above)? {
            Node::Folder(_) => Ok(()),
            Node::File(_) => Err(ErrorKind::NotADirectory.into()),
        }
    }

    pub(super) fn file(&mut self, path: &Path) -> io::Result<&mut Data> {
        match self.node(path)? {
            Node::File(number) => self
                .files
                .get_mut(&number)
                .ok_or_else(|| ErrorKind::NotFound.into()),
            Node::Folder(_) => Err(ErrorKind::IsADirectory.into()),
        }
    }

    pub(super) fn next_number(&mut self) -> Number {
        self.last_number += 1;
        self.last_number
    }

    pub(super) fn stamp(&mut self, size: usize, inode: Number) -> Stamp {
        self.changes += 1;
        let at = (self.changes, 0);
        Stamp {
            size: size as u64,
            modified: at,
            changed: at,
            inode,
        }
    }

    pub(super) fn note(&mut self, change: Change) {
        change.apply(&mut self.names);
        self.journal.push(Pending {
            change,
            is_given_up: false,
        });
    }

    pub(super) fn make_file(&mut self, path: &Path, bytes: Bytes) -> Stamp {
        let number = self.next_number();
        let stamp = self.stamp(bytes.len(), number);
        let data = Data {
            now: bytes,
            flushed: None,
            is_given_up: false,
            stamp,
        };
        self.files.insert(number, data);
        self.note(Change::Made(path.to_owned(), Node::File(number)));
        stamp
    }

    pub(super) fn flush_file(&mut self, path: &Path) -> io::Result<()> {
        let lies = self.ills.files_unflushed && !is_hidden(path);
        self.file(path)?;
        let can_flush = self.can_flush();
        let data = self.file(path)?;
        data.is_given_up |= can_flush.is_err() && !data.is_flushed();
        if can_flush.is_ok() && !lies && !data.is_given_up {
            data.flushed = Some(data.now.clone());
        }
        can_flush
    }

    pub(super) fn flush_folder(&mut self, folder: &Path) -> io::Result<()> {
        let lies = self.ills.folders_unflushed && !is_hidden(folder);
        let can_flush = self.can_flush();
        if can_flush.is_ok() && lies {
            return Ok(());
        }
        // What is flushed takes with it what happened before to the same files.
        let mut wanted = Vec::new();
        let mut taken = vec![false; self.journal.len()];
        for (pending, taken) in self.journal.iter().zip(&mut taken).rev() {
            let number = pending.change.node().number();
            let is_due = pending.change.is_in(folder) && !pending.is_given_up;
            if is_due || wanted.contains(&number) {
                wanted.push(number);
                *taken = true;
            }
        }
        let mut taken = taken.into_iter();
        let durable = &mut self.durable;
        self.journal.retain_mut(|pending| {
            let is_taken = taken.next().unwrap_or(false);
            match &can_flush {
                Ok(()) if is_taken => pending.change.apply(durable),
                Ok(()) => {}
                Err(_) => pending.is_given_up |= is_taken,
            }
            can_flush.is_err() || !is_taken
        });
        can_flush
    }

    /// Whether a power cut leaves this file as it is.
    pub(super) fn is_durable(&mut self, path: &Path) -> bool {
        let is_named = path.ancestors().all(|path| {
            path.as_os_str().is_empty() || self.durable.get(path) == self.names.get(path)
        });
        is_named && self.file(path).is_ok_and(|data| data.is_flushed())
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let node = self.node(from)?;
        self.folder_above(to)?;
        if let Node::File(number) = node {
            let changed = self.stamp(0, number).changed;
            if let Some(data) = self.files.get_mut(&number) {
                data.stamp.changed = changed;
            }
        }
        self.note(Change::Moved(from.to_owned(), to.to_owned(), node));
        Ok(())
    }
}

/// The store lies below a hidden folder: its losses would hide all others.
fn is_hidden(path: &Path) -> bool {
    path.starts_with(HIDDEN)
}
