//! A disk that fails as a test wants it to.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use mutirao_actors::model::Stamp;

use super::{Batch, Contents, Disk, Names, RealDisk, Stat};

/// The disk of this machine, on which the next flush of a folder with this name fails.
#[derive(Debug, Default)]
pub struct Ailing {
    folder: Mutex<Option<PathBuf>>,
    /// The same of a file.
    file: Mutex<Option<PathBuf>>,
    /// The next reading of a file with this name fails.
    unread: Mutex<Option<PathBuf>>,
    /// The next flush of a batch of files in a folder with this name fails.
    files: Mutex<Option<PathBuf>>,
    /// Whether each folder lies on a disk of its own.
    is_split: AtomicBool,
    /// How many bytes it takes of a file that is written with others, if not any.
    room: Mutex<Option<usize>>,
}

impl Ailing {
    /// Lets the next flush of a folder of this name fail.
    pub fn fail_flush_of(&self, name: &str) {
        *self.folder.lock().unwrap() = Some(name.into());
    }

    /// Lets the next flush of a file of this name fail.
    pub fn fail_flush_of_file(&self, name: &str) {
        *self.file.lock().unwrap() = Some(name.into());
    }

    /// Lets the next reading of a file of this name fail.
    pub fn fail_reading_of(&self, name: &str) {
        *self.unread.lock().unwrap() = Some(name.into());
    }

    /// Lets the next flush of files that were written together into a folder of this name fail.
    pub fn fail_batch_in(&self, name: &str) {
        *self.files.lock().unwrap() = Some(name.into());
    }

    /// Puts each folder on a disk of its own.
    pub fn split(&self) {
        self.is_split.store(true, Ordering::SeqCst);
    }

    /// Takes no files that are written with others and longer than this many bytes.
    pub fn has_room_for(&self, bytes: usize) {
        *self.room.lock().unwrap() = Some(bytes);
    }
}

fn is_due(wanted: &Mutex<Option<PathBuf>>, folder: &Path) -> io::Result<()> {
    let mut wanted = wanted.lock().unwrap();
    let is_meant = folder.file_name() == wanted.as_deref().map(Path::as_os_str);
    if is_meant && wanted.take().is_some() {
        return Err(io::Error::from_raw_os_error(5));
    }
    Ok(())
}

struct AilingBatch<'a> {
    disk: &'a Ailing,
    folder: PathBuf,
    real: Box<dyn Batch + 'a>,
}

impl Batch for AilingBatch<'_> {
    fn write_new(&mut self, path: &Path, bytes: &[u8]) -> io::Result<Stamp> {
        let room = *self.disk.room.lock().unwrap();
        if room.is_some_and(|room| bytes.len() > room) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.real.write_new(path, bytes)
    }

    fn flush(self: Box<Self>) -> io::Result<()> {
        is_due(&self.disk.files, &self.folder)?;
        self.real.flush()
    }
}

impl Disk for Ailing {
    fn make_dir(&self, folder: &Path) -> io::Result<bool> {
        RealDisk.make_dir(folder)
    }

    fn remove_dir(&self, folder: &Path) -> io::Result<()> {
        RealDisk.remove_dir(folder)
    }

    fn list(&self, folder: &Path) -> io::Result<Names> {
        RealDisk.list(folder)
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        RealDisk.stat(path)
    }

    fn read(&self, path: &Path, max: u64) -> io::Result<Contents> {
        is_due(&self.unread, path)?;
        RealDisk.read(path, max)
    }

    fn write_new(&self, path: &Path, bytes: &[u8]) -> io::Result<Stamp> {
        RealDisk.write_new(path, bytes)
    }

    fn begin_batch(&self, folder: &Path) -> io::Result<Box<dyn Batch + '_>> {
        Ok(Box::new(AilingBatch {
            disk: self,
            folder: folder.to_owned(),
            real: RealDisk.begin_batch(folder)?,
        }))
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        is_due(&self.file, path)?;
        RealDisk.sync_file(path)
    }

    fn write_out(&self, folder: &Path, files: &[PathBuf]) -> io::Result<()> {
        RealDisk.write_out(folder, files)
    }

    fn sync_dir(&self, folder: &Path) -> io::Result<()> {
        is_due(&self.folder, folder)?;
        RealDisk.sync_dir(folder)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.rename(from, to)
    }

    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        if self.is_split.load(Ordering::SeqCst) && from.parent() != to.parent() {
            return Err(io::ErrorKind::CrossesDevices.into());
        }
        RealDisk.rename_new(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove(path)
    }
}
