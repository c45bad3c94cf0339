//! Where a run takes place: `work/<name>/`, which holds the unpacked `task/`, and `stdout.txt` and `stderr.txt` if it is kept.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// How many folders of one name may lie in `work/` before it is an error: leftovers of a thousand lives mean that
/// nobody looks.
const NUMBER_MAX: u32 = 1000;
/// Most files and folders that are looked at after a run: a script that makes more gets none of the rest back.
pub const LISTED_MAX: usize = 100_000;

/// Creates the folder of a run, numbered when the name is taken: `exemplo`, `exemplo.2`, …
///
/// # Errors
/// When the disk refuses, or [`NUMBER_MAX`] folders of the name are there.
pub fn claim(work: &Path, stem: &str) -> io::Result<PathBuf> {
    for number in 1..=NUMBER_MAX {
        let folder = if number == 1 {
            work.join(stem)
        } else {
            work.join(format!("{stem}.{number}"))
        };
        let made = fs::create_dir(&folder).or_else(|error| match error.kind() {
            // Somebody tidied up too thoroughly.
            io::ErrorKind::NotFound => {
                fs::create_dir_all(work).and_then(|()| fs::create_dir(&folder))
            }
            _ => Err(error),
        });
        match made {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            done => return done.map(|()| folder),
        }
    }
    let full = format!(
        "{} holds {NUMBER_MAX} folders named {stem}: remove old ones",
        work.display()
    );
    Err(io::Error::new(io::ErrorKind::AlreadyExists, full))
}

/// What tells whether a file was changed. The change time cannot be set by a script, unlike the modification time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Size in bytes.
    pub size: u64,
    /// Whether it is a plain file, not a link, a pipe or a device.
    pub is_file: bool,
    inode: u64,
    changed: (i64, i64),
}

/// What lies below a folder, folders themselves left out, by path relative to it; `None` when there is more than
/// [`LISTED_MAX`]. Links are listed, never followed; `__pycache__` and what cannot be read is left out.
pub fn list(folder: &Path) -> Option<BTreeMap<PathBuf, Stamp>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    let mut looked_at = 0;
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).into_iter().flatten().flatten() {
            looked_at += 1;
            if looked_at > LISTED_MAX {
                return None;
            }
            let Ok(meta) = entry.metadata() else { continue };
            if meta.is_dir() {
                if entry.file_name() != "__pycache__" {
                    folders.push(entry.path());
                }
            } else if let Ok(path) = entry.path().strip_prefix(folder) {
                let stamp = Stamp {
                    size: meta.len(),
                    is_file: meta.is_file(),
                    inode: meta.ino(),
                    changed: (meta.ctime(), meta.ctime_nsec()),
                };
                found.insert(path.to_path_buf(), stamp);
            }
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_name_gets_a_number() {
        let home = tempfile::tempdir().unwrap();
        let work = home.path().join("work");
        for expected in ["exemplo", "exemplo.2", "exemplo.3"] {
            assert_eq!(claim(&work, "exemplo").unwrap(), work.join(expected));
        }
    }

    #[test]
    fn a_file_written_again_has_another_stamp_and_links_are_not_followed() {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir_all(home.path().join("a/__pycache__")).unwrap();
        for file in ["a/x", "a/y", "a/__pycache__/z"] {
            fs::write(home.path().join(file), "1").unwrap();
        }
        std::os::unix::fs::symlink(".", home.path().join("a/loop")).unwrap();
        let before = list(home.path()).unwrap();
        fs::rename(home.path().join("a/x"), home.path().join("a/y")).unwrap();
        let after = list(home.path()).unwrap();
        let names: Vec<_> = before.keys().map(|path| path.to_str().unwrap()).collect();
        assert_eq!(names, ["a/loop", "a/x", "a/y"]);
        assert!(!before[Path::new("a/loop")].is_file);
        assert_ne!(before[Path::new("a/y")], after[Path::new("a/y")]);
        assert_eq!(before[Path::new("a/loop")], after[Path::new("a/loop")]);
    }
}
