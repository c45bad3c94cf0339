//! The disk of this machine.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use mutirao_actors::model::Stamp;
use nix::fcntl::OFlag;

use super::batch::{Together, write_out};
use super::new_file::{stamp_of, write_new};
use super::reading::first_bytes;
use super::{Batch, Contents, Disk, Names, Stat};

/// Names in folders are not flushed: what a power cut must not forgive.
const SKIP_DIR_SYNC: &str = "MUTIRAO_TEST_SKIP_DIR_SYNC";

/// The file systems that the machine has mounted.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn make_dir(&self, folder: &Path) -> io::Result<bool> {
        // Asked first, because making takes a lock on the folder above even where there is nothing to make.
        if folder.is_dir() {
            return Ok(false);
        }
        match fs::create_dir(folder) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists && folder.is_dir() => Ok(false),
            made => made.map(|()| true),
        }
    }

    fn remove_dir(&self, folder: &Path) -> io::Result<()> {
        fs::remove_dir(folder)
    }

    fn list(&self, folder: &Path) -> io::Result<Names> {
        let entries = fs::read_dir(folder)?;
        Ok(Box::new(entries.map(|entry| Ok(entry?.file_name()))))
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        let metadata = fs::symlink_metadata(path)?;
        Ok(Stat {
            stamp: stamp_of(&metadata),
            is_file: metadata.is_file(),
        })
    }

    fn read(&self, path: &Path, max: u64) -> io::Result<Contents> {
        let file = open_plain(path)?;
        let before = file.metadata()?;
        let bytes = first_bytes(&file, before.len(), max)?;
        let (before, after) = (stamp_of(&before), stamp_of(&file.metadata()?));
        Ok(Contents {
            bytes,
            stamp: (before == after).then_some(after),
        })
    }

    fn write_new(&self, path: &Path, bytes: &[u8]) -> io::Result<Stamp> {
        write_new(path, bytes, File::sync_all).map(|(_, stamp)| stamp)
    }

    fn begin_batch(&self, folder: &Path) -> io::Result<Box<dyn Batch + '_>> {
        Ok(Box::new(Together::begin(folder)?))
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        open_plain(path)?.sync_all()
    }

    fn write_out(&self, folder: &Path, files: &[PathBuf]) -> io::Result<()> {
        write_out(folder, files)
    }

    fn sync_dir(&self, folder: &Path) -> io::Result<()> {
        let opened = File::open(folder)?;
        if is_mutant(SKIP_DIR_SYNC) {
            return Ok(());
        }
        opened.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        #[cfg(all(target_os = "linux", target_env = "gnu"))]
        {
            use nix::errno::Errno;
            use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};

            match renameat2(AT_FDCWD, from, AT_FDCWD, to, RenameFlags::RENAME_NOREPLACE) {
                // This file system or kernel does not know the flag.
                Err(Errno::EINVAL | Errno::ENOSYS) => {}
                renamed => return Ok(renamed?),
            }
        }
        fs::hard_link(from, to)?;
        fs::remove_file(from)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }
}

/// Opens a plain file to read it; a link in its place fails, and a pipe does not block.
///
/// # Errors
/// When it is not there, is a link, or may not be read.
pub fn open_plain(path: &Path) -> io::Result<File> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits())
        .open(path)
}

/// Whether the program is to have this defect, so that a trial can show that it finds it. No build has defects but
/// those with the feature `mutants`.
fn is_mutant(defect: &str) -> bool {
    cfg!(feature = "mutants") && std::env::var_os(defect).is_some()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    use super::super::is_absent;
    use super::*;

    const DISK: RealDisk = RealDisk;

    fn folder() -> (tempfile::TempDir, impl Fn(&str) -> PathBuf) {
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path().to_owned();
        (temp, move |name| root.join(name))
    }

    #[test]
    fn a_folder_is_made_once_and_a_link_to_one_is_one() {
        let (_temp, at) = folder();
        assert!(DISK.make_dir(&at("real")).unwrap());
        assert!(!DISK.make_dir(&at("real")).unwrap());
        symlink("real", at("link")).unwrap();
        assert!(!DISK.make_dir(&at("link")).unwrap());
        let above_is_missing = DISK.make_dir(&at("a/b")).unwrap_err();
        assert_eq!(above_is_missing.kind(), ErrorKind::NotFound);
        fs::write(at("file"), b"").unwrap();
        let is_no_folder = DISK.make_dir(&at("file")).unwrap_err();
        assert_eq!(is_no_folder.kind(), ErrorKind::AlreadyExists);
    }

    #[test]
    fn everything_in_a_folder_is_listed_and_told_apart() {
        let (temp, at) = folder();
        fs::create_dir(at("folder")).unwrap();
        fs::write(at(".hidden"), b"x").unwrap();
        symlink(".hidden", at("link")).unwrap();
        let names = DISK.list(temp.path()).unwrap();
        let names: BTreeSet<_> = names.map(Result::unwrap).collect();
        assert!(names.iter().eq([".hidden", "folder", "link"].iter()));
        let is_file = |name| DISK.stat(&at(name)).unwrap().is_file;
        assert!(is_file(".hidden") && !is_file("folder") && !is_file("link"));
        let missing = DISK.list(&at("missing")).err().unwrap();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
    }

    #[test]
    fn no_more_is_read_than_asked_for_and_no_link_is_followed() {
        let (_temp, at) = folder();
        fs::write(at("file"), b"abcdef").unwrap();
        symlink("file", at("link")).unwrap();
        let contents = DISK.read(&at("file"), 4).unwrap();
        assert_eq!(contents.bytes, "abcd");
        assert_eq!(contents.stamp, Some(DISK.stat(&at("file")).unwrap().stamp));
        assert_eq!(DISK.read(&at("file"), 99).unwrap().bytes, "abcdef");
        for name in ["link", "missing"] {
            assert!(is_absent(&DISK.read(&at(name), 4).unwrap_err()), "{name}");
        }
    }

    #[test]
    fn a_new_file_replaces_nothing_and_its_stamp_is_its_own() {
        let (_temp, at) = folder();
        let stamp = DISK.write_new(&at("a"), b"one").unwrap();
        assert_eq!(stamp, DISK.stat(&at("a")).unwrap().stamp);
        let taken = DISK.write_new(&at("a"), b"two").unwrap_err();
        assert_eq!(taken.kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read(at("a")).unwrap(), b"one");
        DISK.sync_file(&at("a")).unwrap();
        assert!(is_absent(&DISK.sync_file(&at("b")).unwrap_err()));
    }

    #[test]
    fn one_way_to_rename_replaces_and_the_other_never_does() {
        let (temp, at) = folder();
        let put = |name, bytes: &[u8]| DISK.write_new(&at(name), bytes).unwrap();
        let stamp = put("a", b"one");
        put("b", b"two");
        symlink("nowhere", at("link")).unwrap();
        for taken in ["b", "link"] {
            let refused = DISK.rename_new(&at("a"), &at(taken)).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::AlreadyExists, "{taken}");
        }
        DISK.rename_new(&at("a"), &at("c")).unwrap();
        let renamed = DISK.stat(&at("c")).unwrap().stamp;
        let changed = renamed.changed;
        assert_eq!(renamed, Stamp { changed, ..stamp });
        DISK.rename(&at("c"), &at("b")).unwrap();
        assert_eq!(fs::read(at("b")).unwrap(), b"one");
        DISK.sync_dir(temp.path()).unwrap();
        DISK.remove(&at("b")).unwrap();
        assert!(is_absent(&DISK.stat(&at("b")).unwrap_err()));
    }
}
