//! From a ZIP to a folder, all of it or nothing.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::limits::Limits;
use super::refusal::Refusal;
use super::vetted::Vetted;

/// Why a ZIP was not unpacked; nothing of it is left behind.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// The ZIP is at fault.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The disk, or the place, is at fault.
    #[error("failed to unpack into {}: {source}", path.display())]
    Io {
        /// What could not be written.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Unpacks a ZIP into a new folder; `into` must not exist, the folder above it must.
/// The ZIP's permissions and times are not taken over. Blocks.
///
/// # Errors
/// [`UnpackError`]; then nothing is left behind, whatever was wrong.
pub fn unpack(bytes: &[u8], into: &Path) -> Result<(), UnpackError> {
    let mut zip = Vetted::open(bytes, &Limits::USUAL)?;
    fs::create_dir(into).map_err(|source| UnpackError::Io {
        path: into.into(),
        source,
    })?;
    let filled = fill(&mut zip, into);
    if filled.is_err() {
        // What is wrong with the ZIP matters more than what is left of it.
        let _ = fs::remove_dir_all(into);
    }
    filled
}

fn fill(zip: &mut Vetted<'_>, folder: &Path) -> Result<(), UnpackError> {
    for entry in zip.entries().to_vec() {
        let path = folder.join(&entry.path);
        let failed = |source| UnpackError::Io {
            path: path.clone(),
            source,
        };
        if entry.is_folder {
            fs::create_dir_all(&path).map_err(failed)?;
            continue;
        }
        // Created anew: where names that differ by case are one file, the second one fails here.
        let created = match (File::create_new(&path), path.parent()) {
            (Err(error), Some(above)) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(above).and_then(|()| File::create_new(&path))
            }
            (created, _) => created,
        };
        let mut file = created.map_err(failed)?;
        zip.read(&entry, |chunk| file.write_all(chunk).map_err(failed))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::samples::{deflated, files_below, hostile, zip_of};
    use super::*;

    #[test]
    fn a_zip_becomes_a_folder() {
        let home = tempfile::tempdir().unwrap();
        let into = home.path().join("task");
        unpack(
            &zip_of(&[
                ("main.py", b"print(1)"),
                ("a/b/c.txt", b"deep"),
                ("empty/", b""),
            ]),
            &into,
        )
        .unwrap();
        assert_eq!(fs::read(into.join("main.py")).unwrap(), b"print(1)");
        assert_eq!(fs::read(into.join("a/b/c.txt")).unwrap(), b"deep");
        assert!(into.join("empty").is_dir());
        assert_eq!(files_below(home.path()), ["task/a/b/c.txt", "task/main.py"]);
    }

    #[test]
    fn what_exists_is_never_replaced() {
        let home = tempfile::tempdir().unwrap();
        let error = unpack(&zip_of(&[("main.py", b"")]), home.path()).unwrap_err();
        assert!(
            matches!(error, UnpackError::Io { source, .. } if source.kind() == io::ErrorKind::AlreadyExists)
        );
    }

    #[test]
    fn a_hostile_zip_leaves_nothing_behind() {
        let home = tempfile::tempdir().unwrap();
        for (what, zip) in hostile() {
            let result = unpack(&zip, &home.path().join("task"));
            assert!(
                matches!(result, Err(UnpackError::Refused(_))),
                "{what}: {result:?}"
            );
            assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0, "{what}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn flipped_bytes_never_panic_nor_write_outside(
            flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        ) {
            let mut zip = deflated(&[("main.py", b"print('hello hello hello')"), ("a/../x", b"2"), ("é/b", b"3")]);
            for (at, value) in &flips {
                let at = at.index(zip.len());
                zip[at] = *value;
            }
            assert_contained(&zip);
        }

        #[test]
        fn any_bytes_never_panic_nor_write_outside(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            assert_contained(&bytes);
        }
    }

    /// Either the folder is there and alone, or nothing is.
    fn assert_contained(zip: &[u8]) {
        let home = tempfile::tempdir().unwrap();
        let done = unpack(zip, &home.path().join("task")).is_ok();
        let names: Vec<_> = fs::read_dir(home.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(names, if done { vec!["task"] } else { vec![] });
    }
}
