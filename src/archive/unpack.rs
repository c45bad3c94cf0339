//! From a ZIP to a folder, all of it or nothing.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use mutirao_actors::model::Digest;
use sha2::{Digest as _, Sha256};

use super::inspect::{self, Look, TaskContents};
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
    anew(into, || fill(&mut zip, into, |_, _| {}))
}

/// Unpacks a task's ZIP in the same way, and tells what it holds and the digest of its `input.csv`: each file is inflated
/// once.
///
/// # Errors
/// [`UnpackError`], also when it is no task; then nothing is left behind.
pub fn unpack_task(
    bytes: &[u8],
    into: &Path,
) -> Result<(TaskContents, Option<Digest>), UnpackError> {
    let mut zip = inspect::open(bytes)?;
    let mut look = Look::at(&zip)?;
    let input = look.input().map(str::to_owned);
    let mut hash = Sha256::new();
    anew(into, || {
        fill(&mut zip, into, |path, chunk| {
            look.see(path, chunk);
            if Some(path) == input.as_deref() {
                hash.update(chunk);
            }
        })?;
        let digest = Digest::from(<[u8; 32]>::from(hash.finalize()));
        Ok((look.told()?, input.is_some().then_some(digest)))
    })
}

fn anew<T>(folder: &Path, fill: impl FnOnce() -> Result<T, UnpackError>) -> Result<T, UnpackError> {
    fs::create_dir(folder).map_err(|source| UnpackError::Io {
        path: folder.into(),
        source,
    })?;
    let filled = fill();
    if filled.is_err() {
        // What is wrong with the ZIP matters more than what is left of it.
        let _ = fs::remove_dir_all(folder);
    }
    filled
}

fn fill(
    zip: &mut Vetted<'_>,
    folder: &Path,
    mut see: impl FnMut(&str, &[u8]),
) -> Result<(), UnpackError> {
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
        zip.read(&entry, |chunk| {
            see(&entry.path, chunk);
            file.write_all(chunk).map_err(failed)
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::inspect::inspect_task;
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
    fn of_a_task_is_told_what_an_inspection_tells_and_one_that_is_none_leaves_nothing_behind() {
        let home = tempfile::tempdir().unwrap();
        let files: &[(&str, &[u8])] = &[
            ("t/main.py", b"print(1)"),
            ("t/input.csv", b"a\n1\n"),
            ("t/task.toml", b"retries = 3"),
            ("input.csv", b"another"),
        ];
        for (at, files) in [files, &files[..1]].into_iter().enumerate() {
            let (zip, into) = (zip_of(files), home.path().join(at.to_string()));
            let (contents, input) = unpack_task(&zip, &into).unwrap();
            assert_eq!(contents, inspect_task(&zip).unwrap());
            let expected = files.get(1).map(|(_, bytes)| Digest::of(bytes));
            assert_eq!(input, expected);
            assert_eq!(fs::read(into.join("t/main.py")).unwrap(), b"print(1)");
        }
        for (name, bytes) in [
            ("t/task.toml", &b"no"[..]),
            ("u/main.py", b""),
            ("../x", b""),
        ] {
            let zip = zip_of(&[("t/main.py", b""), (name, bytes)]);
            let refused = unpack_task(&zip, &home.path().join("task"));
            assert!(matches!(refused, Err(UnpackError::Refused(_))), "{name}");
            assert!(inspect_task(&zip).is_err() && !home.path().join("task").exists());
        }
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
