//! From files to a ZIP: the same files give the same bytes, so that equal tasks have equal hashes.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::limits::{ENTRIES_MAX, UNPACKED_BYTES_MAX};
use super::packer::{Compression, PackError, Packer};

/// A ZIP of these files, in this order. Blocks.
///
/// # Errors
/// When a name cannot be one inside a ZIP, or is there twice.
pub fn pack<'a>(
    files: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    compression: Compression,
) -> Result<Vec<u8>, PackError> {
    let mut packer = Packer::new(compression);
    for (name, content) in files {
        packer.add(name, content)?;
    }
    packer.finish()
}

/// The task ZIP of a script and, if there is one, its input, whatever both are called. Blocks.
///
/// # Errors
/// When one of them cannot be read.
pub fn pack_script(script: &Path, input: Option<&Path>) -> Result<Vec<u8>, PackError> {
    let mut packer = Packer::new(Compression::Fast);
    let files = [
        Some(("main.py", script)),
        input.map(|input| ("input.csv", input)),
    ];
    for (name, path) in files.into_iter().flatten() {
        add_file(&mut packer, name, path, UNPACKED_BYTES_MAX)?;
    }
    packer.finish()
}

/// The task ZIP of a folder that holds `main.py`: all of it, but nothing hidden (`.git`, `.venv`), no `__pycache__`, and
/// neither the `results/` nor the `tasks/` of a master that has run here. Links to files are followed. Blocks.
///
/// # Errors
/// When there is no `main.py`, something cannot be read, or nobody would take the ZIP.
pub fn pack_folder(folder: &Path) -> Result<Vec<u8>, PackError> {
    pack_files(&task_files(folder)?, &[])
}

/// The files of a folder that holds `main.py` which go into its task, with their names there, sorted by these. Blocks.
///
/// # Errors
/// When there is no `main.py`, or something cannot be read.
pub fn task_files(folder: &Path) -> Result<Vec<(String, PathBuf)>, PackError> {
    if !folder.join("main.py").is_file() {
        return Err(PackError::NoMain(folder.into()));
    }
    list(folder)
}

/// The task ZIP of these files, and of these bytes under these names. Blocks.
///
/// # Errors
/// When something cannot be read, a name is there twice, or nobody would take the ZIP.
pub fn pack_files(
    files: &[(String, PathBuf)],
    texts: &[(&str, &[u8])],
) -> Result<Vec<u8>, PackError> {
    let mut packer = Packer::new(Compression::Fast);
    let mut left = UNPACKED_BYTES_MAX;
    for (name, path) in files {
        left -= add_file(&mut packer, name, path, left)?;
    }
    for (name, text) in texts {
        packer.add(name, *text)?;
    }
    packer.finish()
}

/// Adds a file of at most `limit` bytes and returns its size.
fn add_file(packer: &mut Packer, name: &str, path: &Path, limit: u64) -> Result<u64, PackError> {
    let file = File::open(path).map_err(|source| PackError::Read {
        path: path.into(),
        source,
    })?;
    // The file may grow while it is read, so its size is what was read.
    let size = packer.add(name, file.take(limit.saturating_add(1)))?;
    if size > limit {
        return Err(PackError::TooLarge(path.into()));
    }
    Ok(size)
}

/// The folders that a master, or what was brought from one, has made here: with them each task would carry all earlier ones.
/// Where nothing of ours ever ran they are the script's own.
fn ours_in(folder: &Path) -> Vec<&'static str> {
    let made_by = [("results", ".mutirao"), ("tasks", ".mutirao/store")];
    let made = made_by.iter().filter(|(_, by)| folder.join(by).is_dir());
    made.map(|(name, _)| *name).collect()
}

/// The files to pack, with their names inside the ZIP, sorted by these.
fn list(folder: &Path) -> Result<Vec<(String, PathBuf)>, PackError> {
    let ours = ours_in(folder);
    let mut files = Vec::new();
    let mut folders = vec![(String::new(), folder.to_path_buf())];
    while let Some((prefix, next)) = folders.pop() {
        let failed = |source| PackError::Read {
            path: next.clone(),
            source,
        };
        for entry in fs::read_dir(&next).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_ours = prefix.is_empty() && ours.contains(&&*name);
            if name.starts_with('.') || name == "__pycache__" || is_ours {
                continue;
            }
            let failed = |source| PackError::Read {
                path: path.clone(),
                source,
            };
            let is_link = entry.file_type().map_err(failed)?.is_symlink();
            match fs::metadata(&path).map_err(failed)? {
                meta if meta.is_dir() && is_link => return Err(PackError::LinkedFolder(path)),
                meta if meta.is_dir() => folders.push((format!("{prefix}{name}/"), path)),
                // Reading a pipe or a device would never end.
                meta if meta.is_file() => files.push((format!("{prefix}{name}"), path)),
                _ => {}
            }
            if files.len() + folders.len() > ENTRIES_MAX {
                return Err(PackError::TooLarge(folder.into()));
            }
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::super::samples::files_below;
    use super::super::{inspect_task, unpack};
    use super::*;

    #[test]
    fn what_is_packed_is_a_sound_task() {
        for compression in [Compression::Fast, Compression::Best] {
            let zip = pack(
                [("main.py", &b"print(1)"[..]), ("input.csv", b"a")],
                compression,
            )
            .unwrap();
            assert!(inspect_task(&zip).unwrap().has_input);
        }
    }

    #[test]
    fn the_same_files_give_the_same_bytes() {
        let home = tempfile::tempdir().unwrap();
        let zips = ["one", "two"].map(|name| {
            let folder = home.path().join(name);
            fs::create_dir_all(folder.join("b")).unwrap();
            let mut names = ["main.py", "a.txt", "b/c.txt"];
            if name == "two" {
                names.reverse();
            }
            for file in names {
                fs::write(folder.join(file), file).unwrap();
            }
            pack_folder(&folder).unwrap()
        });
        assert_eq!(zips[0], zips[1]);
    }

    #[test]
    fn a_folder_is_packed_without_what_is_hidden() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("src");
        for inner in [".git", "__pycache__", "lib/__pycache__"] {
            fs::create_dir_all(folder.join(inner)).unwrap();
            fs::write(folder.join(inner).join("x"), "").unwrap();
        }
        for inner in ["lib/results", "work", "results", "tasks"] {
            fs::create_dir_all(folder.join(inner)).unwrap();
            fs::write(folder.join(inner).join("own"), "").unwrap();
        }
        for file in ["main.py", "lib/a.py", ".env"] {
            fs::write(folder.join(file), "").unwrap();
        }
        std::os::unix::fs::symlink("lib/a.py", folder.join("linked.py")).unwrap();
        let into = home.path().join("out");
        unpack(&pack_folder(&folder).unwrap(), &into).unwrap();
        let own = [
            "lib/a.py",
            "lib/results/own",
            "linked.py",
            "main.py",
            "results/own",
            "tasks/own",
            "work/own",
        ];
        assert_eq!(files_below(&into), own);

        // Where a master has run these are not the script's own.
        fs::create_dir_all(folder.join(".mutirao/store")).unwrap();
        let into = home.path().join("beside a master");
        unpack(&pack_folder(&folder).unwrap(), &into).unwrap();
        let own = [
            "lib/a.py",
            "lib/results/own",
            "linked.py",
            "main.py",
            "work/own",
        ];
        assert_eq!(files_below(&into), own);

        std::os::unix::fs::symlink(".", folder.join("again")).unwrap();
        assert!(matches!(
            pack_folder(&folder),
            Err(PackError::LinkedFolder(_))
        ));
        assert!(matches!(
            pack_folder(&folder.join("lib")),
            Err(PackError::NoMain(_))
        ));
    }

    #[test]
    fn a_script_and_its_input_get_the_names_that_a_task_has() {
        let home = tempfile::tempdir().unwrap();
        let (script, input) = (home.path().join("sim.py"), home.path().join("rows.csv"));
        fs::write(&script, "print(1)").unwrap();
        assert!(matches!(
            pack_script(&script, Some(&input)),
            Err(PackError::Read { .. })
        ));
        fs::write(&input, "a\n").unwrap();
        let contents = inspect_task(&pack_script(&script, Some(&input)).unwrap()).unwrap();
        assert!(contents.has_input);
        assert!(
            !inspect_task(&pack_script(&script, None).unwrap())
                .unwrap()
                .has_input
        );
    }
}
