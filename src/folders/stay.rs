//! `tasks/.stay`: files that stay in `tasks/` when their task has ended, because something else keeps them there.
//!
//! Rule: their task runs once. What ended leaves an identical copy in `done/` or `failed/`, and while that lies there the
//! file is not adopted again; so a ZIP that git tracks can run, and git still calls the clone clean.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use mutirao_actors::model::Digest;

use crate::disk::{DiskError, OnDisk as _, Volume, is_absent};

/// The file that lists the names.
pub const FILE: &str = ".stay";
/// Longest `.stay` that is read, in bytes: a thousand long names; what follows is not heard.
const STAY_BYTES_MAX: u64 = 256 << 10;

/// The names in `tasks/.stay`, one a line, `#` before a comment; none when there is no such file.
///
/// # Errors
/// Whatever the disk refuses.
pub fn names(volume: &Volume, tasks: &Path) -> Result<BTreeSet<String>, DiskError> {
    let path = tasks.join(FILE);
    let read = volume.read(&path, STAY_BYTES_MAX);
    let text = read
        .map(|contents| contents.bytes)
        .or_else(missing_is(Bytes::new))
        .on_disk("read", &path)?;
    let text = String::from_utf8_lossy(&text);
    let lines = text.lines().map(str::trim);
    let names = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(names.map(str::to_owned).collect())
}

/// What lies in `done/` and `failed/`.
#[derive(Debug)]
pub struct Copies {
    folders: Vec<(PathBuf, BTreeSet<OsString>)>,
}

impl Copies {
    /// Lists these folders; one that is missing is empty.
    ///
    /// # Errors
    /// Whatever the disk refuses.
    pub fn list(volume: &Volume, folders: &[PathBuf]) -> Result<Self, DiskError> {
        let list = |folder: &PathBuf| {
            let names = volume.list(folder).and_then(Iterator::collect);
            let names = names
                .or_else(missing_is(BTreeSet::new))
                .on_disk("list", folder)?;
            Ok((folder.clone(), names))
        };
        let folders = folders.iter().map(list).collect::<Result<_, _>>()?;
        Ok(Self { folders })
    }

    /// The file of this name, else the first that is named after it (`a.2.zip`), that holds `size` bytes of this digest.
    ///
    /// # Errors
    /// Whatever the disk refuses.
    pub fn find(
        &self,
        volume: &Volume,
        name: &str,
        size: u64,
        sha256: Digest,
    ) -> Result<Option<PathBuf>, DiskError> {
        let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
        let prefix = OsString::from(format!("{stem}."));
        let own = self.folders.iter().filter_map(|(folder, names)| {
            let own = names.get(OsStr::new(name))?;
            Some(folder.join(own))
        });
        let numbered = self.folders.iter().flat_map(|(folder, names)| {
            let after = names.range::<OsString, _>(&prefix..);
            let is_named = |name: &&OsString| {
                name.as_encoded_bytes()
                    .starts_with(prefix.as_encoded_bytes())
            };
            after.take_while(is_named).map(|name| folder.join(name))
        });
        for path in own.chain(numbered) {
            if is_copy(volume, &path, size, sha256).on_disk("read", &path)? {
                return Ok(Some(path));
            }
        }
        Ok(None)
    }
}

/// Lists the folders and finds one file: see [`Copies::find`].
///
/// # Errors
/// Whatever the disk refuses.
pub fn find_copy(
    volume: &Volume,
    folders: &[PathBuf],
    name: &str,
    size: u64,
    sha256: Digest,
) -> Result<Option<PathBuf>, DiskError> {
    Copies::list(volume, folders)?.find(volume, name, size, sha256)
}

fn is_copy(volume: &Volume, path: &Path, size: u64, sha256: Digest) -> io::Result<bool> {
    let stat = match volume.stat(path) {
        Err(error) if is_absent(&error) => return Ok(false),
        stat => stat?,
    };
    if !stat.is_file || stat.stamp.size != size {
        return Ok(false);
    }
    Ok(Digest::of(&volume.read(path, size)?.bytes) == sha256)
}

/// What a missing file or folder stands for.
fn missing_is<T>(empty: impl FnOnce() -> T) -> impl FnOnce(io::Error) -> io::Result<T> {
    |error| match error.kind() {
        ErrorKind::NotFound => Ok(empty()),
        _ => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn names_stand_one_a_line_between_comments() {
        let temp = tempfile::tempdir().unwrap();
        assert!(names(&Volume::real(), temp.path()).unwrap().is_empty());
        let text = "# shipped\n\nexample.zip\r\n  with space.zip \n#gone.zip\n";
        fs::write(temp.path().join(FILE), text).unwrap();
        assert_eq!(
            names(&Volume::real(), temp.path()).unwrap(),
            ["example.zip", "with space.zip"].map(String::from).into()
        );
    }

    #[test]
    fn only_an_identical_copy_of_that_name_is_found() {
        let temp = tempfile::tempdir().unwrap();
        let folders = ["done", "failed"].map(|name| temp.path().join(name));
        let find = || find_copy(&Volume::real(), &folders, "a.zip", 3, Digest::of(b"one")).unwrap();
        assert_eq!(find(), None, "the folders need not be there");
        fs::create_dir(&folders[1]).unwrap();
        for (name, bytes) in [
            ("a.zip", &b"two"[..]),
            ("a.2.zip", b"longer"),
            ("b.zip", b"one"),
        ] {
            fs::write(folders[1].join(name), bytes).unwrap();
        }
        assert_eq!(find(), None);
        let copy = folders[1].join("a.3.zip");
        fs::write(&copy, b"one").unwrap();
        assert_eq!(find(), Some(copy));
    }
}
