//! A disk that fails as a test wants it to.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use mutirao_actors::model::Stamp;

use super::{Contents, Disk, Names, RealDisk, Stat};

/// The disk of this machine, on which the next flush of a folder with this name fails.
#[derive(Debug, Default)]
pub struct Ailing(Mutex<Option<PathBuf>>);

impl Ailing {
    /// Lets the next flush of a folder of this name fail.
    pub fn fail_flush_of(&self, name: &str) {
        *self.0.lock().unwrap() = Some(name.into());
    }
}

impl Disk for Ailing {
    fn make_dir(&self, folder: &Path) -> io::Result<bool> {
        RealDisk.make_dir(folder)
    }

    fn list(&self, folder: &Path) -> io::Result<Names> {
        RealDisk.list(folder)
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        RealDisk.stat(path)
    }

    fn read(&self, path: &Path, max: u64) -> io::Result<Contents> {
        RealDisk.read(path, max)
    }

    fn write_new(&self, path: &Path, bytes: &[u8]) -> io::Result<Stamp> {
        RealDisk.write_new(path, bytes)
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        RealDisk.sync_file(path)
    }

    fn sync_dir(&self, folder: &Path) -> io::Result<()> {
        let mut fails = self.0.lock().unwrap();
        if folder.file_name() == fails.as_deref().map(Path::as_os_str) && fails.take().is_some() {
            return Err(io::Error::from_raw_os_error(5));
        }
        RealDisk.sync_dir(folder)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.rename(from, to)
    }

    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.rename_new(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove(path)
    }
}
