//! Many new files of one folder, flushed by one call.
//!
//! Rule: `syncfs` flushes a whole file system, and tells whoever opened a file there of each write that failed since. Where
//! the system or the file system does less than that, each file is flushed for itself.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mutirao_actors::model::Stamp;

use super::Batch;
use super::new_file::write_new;

/// Files of a batch that are flushed one by one: up to so many that costs no more than flushing what others wrote too.
const FEW_MAX: usize = 4;

/// What was changed longer ago was written by the system itself: by default it does so after half a minute.
const WRITTEN_AFTER: Duration = Duration::from_secs(60);

/// The files of a batch.
#[derive(Debug)]
pub(super) struct Together {
    /// Opened before anything is written, so that it is told of each failure since.
    folder: File,
    /// Whether one call flushes all.
    is_whole: bool,
    /// Those that were written first, to flush them one by one if no more come.
    few: Vec<File>,
    count: usize,
}

impl Together {
    /// A batch in this folder.
    pub fn begin(folder: &Path) -> io::Result<Self> {
        let folder = File::open(folder)?;
        Ok(Self {
            is_whole: flushes_whole(&folder),
            folder,
            few: Vec::new(),
            count: 0,
        })
    }
}

impl Batch for Together {
    fn write_new(&mut self, path: &Path, bytes: &[u8]) -> io::Result<Stamp> {
        if !self.is_whole {
            return write_new(path, bytes, File::sync_all).map(|(_, stamp)| stamp);
        }
        let (file, stamp) = write_new(path, bytes, |_| Ok(()))?;
        self.count += 1;
        if self.count <= FEW_MAX {
            self.few.push(file);
        }
        Ok(stamp)
    }

    fn flush(self: Box<Self>) -> io::Result<()> {
        if self.count > FEW_MAX {
            return flush_whole(&self.folder);
        }
        self.few.iter().try_for_each(File::sync_all)
    }
}

/// Has all that lies on the file system of a folder written, where one call does so, if enough of these files may not be on
/// the disk yet: the call writes what others left there too.
pub(super) fn write_out(folder: &Path, files: &[PathBuf]) -> io::Result<()> {
    let is_fresh = |path: &&PathBuf| {
        let changed = fs::symlink_metadata(path).and_then(|metadata| metadata.modified());
        changed.is_ok_and(|changed| changed.elapsed().is_ok_and(|age| age < WRITTEN_AFTER))
    };
    if files.iter().filter(is_fresh).nth(FEW_MAX).is_none() {
        return Ok(());
    }
    let folder = File::open(folder)?;
    match flushes_whole(&folder) {
        true => flush_whole(&folder),
        false => Ok(()),
    }
}

#[cfg(target_os = "linux")]
fn flush_whole(folder: &File) -> io::Result<()> {
    Ok(nix::unistd::syncfs(folder)?)
}

/// Whether one call makes all bytes on the file system of this folder safe, or says that it did not: so it is on those that
/// keep their own journal or log on a disk, and since Linux 5.17. Network shares, FUSE and layers above another file
/// system pass the call on half or not at all.
#[cfg(target_os = "linux")]
fn flushes_whole(folder: &File) -> bool {
    use nix::sys::statfs::{
        BTRFS_SUPER_MAGIC, EXT4_SUPER_MAGIC, F2FS_SUPER_MAGIC, TMPFS_MAGIC, XFS_SUPER_MAGIC,
        fstatfs,
    };
    const WHOLE: [nix::sys::statfs::FsType; 5] = [
        BTRFS_SUPER_MAGIC,
        EXT4_SUPER_MAGIC,
        F2FS_SUPER_MAGIC,
        TMPFS_MAGIC,
        XFS_SUPER_MAGIC,
    ];
    let is_known = fstatfs(folder).is_ok_and(|found| WHOLE.contains(&found.filesystem_type()));
    is_known
        && nix::sys::utsname::uname().is_ok_and(|system| {
            let release = system.release().to_string_lossy().into_owned();
            tells_errors(&release)
        })
}

/// Since Linux 5.8 the call fails when a write failed that nobody waited for, and since 5.17 also when the disk's own flush
/// did.
#[cfg(target_os = "linux")]
fn tells_errors(release: &str) -> bool {
    let mut numbers = release
        .split(|c: char| !c.is_ascii_digit())
        .map_while(|n| n.parse().ok());
    let version: (u32, u32) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    version >= (5, 17)
}

#[cfg(not(target_os = "linux"))]
fn flush_whole(folder: &File) -> io::Result<()> {
    folder.sync_all()
}

#[cfg(not(target_os = "linux"))]
fn flushes_whole(_: &File) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::ErrorKind;

    use super::*;

    #[test]
    fn few_and_many_are_written_whole_and_replace_nothing() {
        for count in [0, 1, FEW_MAX, FEW_MAX + 1, 20] {
            for is_whole in [true, false] {
                let temp = tempfile::tempdir().unwrap();
                let at = |number| temp.path().join(format!("{number}"));
                let mut batch = Together::begin(temp.path()).unwrap();
                batch.is_whole = is_whole;
                for number in 0..count {
                    let bytes = number.to_string();
                    let stamp = batch.write_new(&at(number), bytes.as_bytes()).unwrap();
                    assert_eq!(stamp.size, bytes.len() as u64);
                    let taken = batch.write_new(&at(number), b"another").unwrap_err();
                    assert_eq!(taken.kind(), ErrorKind::AlreadyExists);
                }
                Box::new(batch).flush().unwrap();
                assert!((0..count).all(|n| fs::read(at(n)).unwrap() == n.to_string().as_bytes()));
            }
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn old_systems_and_odd_file_systems_are_not_trusted() {
        for (release, tells) in [
            ("6.18.44-fc", true),
            ("5.17.0", true),
            ("5.16.19", false),
            ("6.1", true),
            ("4.19.0-27-amd64", false),
            ("", false),
            ("unknown", false),
        ] {
            assert_eq!(tells_errors(release), tells, "{release}");
        }
        assert!(!flushes_whole(&File::open("/proc/self").unwrap()));
    }
}
