//! The disk as the program uses it: a trait, so that a simulated one can lose what was not flushed.
//!
//! Rule: whatever the folders do to files goes through [`Disk`], and blocks; it is called by [`Hands`], never by an actor.
//! What the trait's methods do is one system call or a few; what outlasts a power cut is made of them in `publish.rs`.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use mutirao_actors::model::Stamp;

mod batch;
mod flushes;
pub mod hands;
pub(crate) mod names;
mod new_file;
pub(crate) mod numbers;
mod parts;
pub mod publish;
mod reading;
mod real;
#[cfg(test)]
pub(crate) mod testing;
mod trouble;
mod volume;

pub use self::flushes::Mark;
pub use self::hands::Hands;
pub use self::parts::{Part, Parts};
pub use self::real::{RealDisk, open_plain};
pub use self::trouble::DiskError;
pub(crate) use self::trouble::{OnDisk, Troubles, is_absent, is_no_folder};
pub use self::volume::Volume;

/// What lies under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// How it is now.
    pub stamp: Stamp,
    /// Whether it is a plain file: no folder, no link, no pipe.
    pub is_file: bool,
}

/// What a file held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// Its first bytes, as many as were asked for.
    pub bytes: Bytes,
    /// Its stamp, if that was the same before and after reading.
    pub stamp: Option<Stamp>,
}

/// New files of one folder, whose bytes are flushed together.
pub trait Batch {
    /// Writes a file of that folder that must not be there; its bytes outlast a power cut only after
    /// [`flush`](Self::flush). Gives the new file's stamp.
    ///
    /// # Errors
    /// `AlreadyExists` when the name is taken, and whatever else the system refuses; then no half file is left.
    fn write_new(&mut self, path: &Path, bytes: &[u8]) -> io::Result<Stamp>;

    /// Flushes the bytes of all that were written; their names outlast a power cut only after [`Disk::sync_dir`].
    ///
    /// # Errors
    /// Whatever the system refuses, or refused since the batch was begun; then nobody knows whose bytes are safe.
    fn flush(self: Box<Self>) -> io::Result<()>;
}

/// The names in a folder, in no order.
pub type Names = Box<dyn Iterator<Item = io::Result<OsString>> + Send>;

/// What is done to files and folders. Errors are those of the system calls in the names of the methods.
pub trait Disk: fmt::Debug + Send + Sync {
    /// Makes one folder; false when it is there, or a link to one.
    ///
    /// # Errors
    /// `NotFound` when the folder above is missing, and whatever else the system refuses.
    fn make_dir(&self, folder: &Path) -> io::Result<bool>;

    /// Removes one folder in which nothing lies.
    ///
    /// # Errors
    /// Whatever the system refuses.
    fn remove_dir(&self, folder: &Path) -> io::Result<()>;

    /// The names in a folder, hidden ones too; read bit by bit, for there may be very many.
    ///
    /// # Errors
    /// `NotFound` when it is missing, and whatever else the system refuses.
    fn list(&self, folder: &Path) -> io::Result<Names>;

    /// What lies there; a link is looked at itself.
    ///
    /// # Errors
    /// `NotFound` when there is nothing, and whatever else the system refuses.
    fn stat(&self, path: &Path) -> io::Result<Stat>;

    /// Reads a plain file to its end, but not more than `max` bytes of it; a link fails, and a pipe does not block.
    ///
    /// # Errors
    /// `NotFound`, or that of a link, when there is no file of its own, and whatever else the system refuses.
    fn read(&self, path: &Path, max: u64) -> io::Result<Contents>;

    /// Writes a file that must not be there, and flushes it; its name outlasts a power cut only after
    /// [`sync_dir`](Self::sync_dir). Gives the new file's stamp.
    ///
    /// # Errors
    /// `AlreadyExists` when the name is taken, and whatever else the system refuses; then no half file is left.
    fn write_new(&self, path: &Path, bytes: &[u8]) -> io::Result<Stamp>;

    /// Begins to write new files into a folder: a flush for all of them costs less than one for each.
    ///
    /// # Errors
    /// `NotFound` when the folder is missing, and whatever else the system refuses.
    fn begin_batch(&self, folder: &Path) -> io::Result<Box<dyn Batch + '_>>;

    /// Flushes the bytes of a plain file that somebody wrote.
    ///
    /// # Errors
    /// Whatever the system refuses; then some of them may be lost, whatever a second flush says.
    fn sync_file(&self, path: &Path) -> io::Result<()>;

    /// Has files of a folder that are to be flushed put on the disk, all at once where that can be done and pays: to flush
    /// one after the other after it costs little. It promises nothing.
    ///
    /// # Errors
    /// Whatever the system refuses; then some of them may be lost, whatever a later flush says.
    fn write_out(&self, folder: &Path, files: &[PathBuf]) -> io::Result<()>;

    /// Flushes the names in a folder: what was renamed, made or removed there outlasts a power cut.
    ///
    /// # Errors
    /// Whatever the system refuses; then some of it may be lost, whatever a second flush says.
    fn sync_dir(&self, folder: &Path) -> io::Result<()>;

    /// Renames; a file that has the name already is replaced.
    ///
    /// # Errors
    /// Whatever the system refuses.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Renames and never replaces.
    ///
    /// # Errors
    /// `AlreadyExists` when the name is taken, even by a dangling link, and whatever else the system refuses.
    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// Whatever the system refuses.
    fn remove(&self, path: &Path) -> io::Result<()>;
}
