//! Files appear whole or not at all, and never over another.
//!
//! Rule: bytes go to a temporary file in the same folder, are flushed, get their name by a rename that refuses to
//! replace, and the folder is flushed: what was published outlasts a power cut (promises R2 and R6).

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::TempPath;

use super::disk::{DiskError, OnDisk as _, make_folder, sync_folder};
use super::numbers::free_number;

/// Temporary files begin with this; the dot hides them from whoever lists the folder for ZIPs.
const TEMP_PREFIX: &str = ".mutirao-";
/// Temporary files end with this.
const TEMP_SUFFIX: &str = ".part";
/// Longest file name that is published, in bytes: with `.txt` behind it, it fits the 255 of common file systems.
const FILE_NAME_MAX: usize = 240;
/// Names tried for one file after the first that looked free: each failure means that somebody else took one just then.
const CLAIMS_MAX: u64 = 64;

/// Publishes bytes in a folder, which is made when missing, and says under which name:
/// the one given, or with a number when that is taken (`exemplo.2.zip`).
///
/// # Errors
/// Whatever the disk refuses; then nothing is published.
pub fn publish(folder: &Path, name: &str, bytes: &[u8]) -> Result<String, DiskError> {
    make_folder(folder)?;
    let (_, temp) = write_temp(folder, bytes)?;
    let name = claim(folder, name, |path| rename_to_new(&temp, path))?;
    flush_published(folder, &name)?;
    Ok(name)
}

/// Publishes bytes under exactly this name and gives the file; none when the name is taken.
///
/// # Errors
/// Whatever the disk refuses; then nothing is published.
pub fn publish_as(folder: &Path, name: &str, bytes: &[u8]) -> Result<Option<File>, DiskError> {
    make_folder(folder)?;
    let (file, temp) = write_temp(folder, bytes)?;
    let path = folder.join(name);
    match rename_to_new(&temp, &path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(None),
        renamed => renamed.on_disk("name the new file", &path)?,
    }
    flush_published(folder, name)?;
    Ok(Some(file))
}

/// Publishes a note, over an older one of that name.
///
/// # Errors
/// Whatever the disk refuses.
pub fn publish_note(folder: &Path, name: &str, text: &str) -> Result<(), DiskError> {
    make_folder(folder)?;
    let (_, temp) = write_temp(folder, text.as_bytes())?;
    let path = folder.join(name);
    fs::rename(&temp, &path).on_disk("name the new file", &path)?;
    sync_folder(folder)
}

/// Moves a file into a folder of the same file system, which is made when missing, and says under which name it lies.
///
/// # Errors
/// Whatever the disk refuses; an error of the last flush leaves the file moved.
pub fn move_into(folder: &Path, file: &Path) -> Result<String, DiskError> {
    make_folder(folder)?;
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let name = claim(folder, &name, |path| rename_to_new(file, path))?;
    sync_folder(folder)?;
    file.parent().map_or(Ok(()), sync_folder)?;
    Ok(name)
}

/// Removes the temporary files that an earlier life left in a folder.
///
/// # Errors
/// Whatever the disk refuses; a folder that is missing is clean.
pub fn sweep(folder: &Path) -> Result<(), DiskError> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries.on_disk("list", folder)?,
    };
    for entry in entries {
        let entry = entry.on_disk("list", folder)?;
        if is_temp(&entry.file_name()) {
            fs::remove_file(entry.path()).on_disk("remove", &entry.path())?;
        }
    }
    Ok(())
}

fn is_temp(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    name.starts_with(TEMP_PREFIX.as_bytes()) && name.ends_with(TEMP_SUFFIX.as_bytes())
}

/// The bytes in a flushed file that vanishes unless it is renamed.
fn write_temp(folder: &Path, bytes: &[u8]) -> Result<(File, TempPath), DiskError> {
    let written = || {
        let mut temp = tempfile::Builder::new()
            .prefix(TEMP_PREFIX)
            .suffix(TEMP_SUFFIX)
            // Others may read results as far as the umask lets them; the crate's default lets nobody.
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(folder)?;
        temp.write_all(bytes)?;
        temp.as_file().sync_all()?;
        Ok(temp.into_parts())
    };
    written().on_disk("write a file into", folder)
}

/// Gives a file the first name that is free, trying again when another takes it in between.
fn claim(
    folder: &Path,
    name: &str,
    mut rename: impl FnMut(&Path) -> io::Result<()>,
) -> Result<String, DiskError> {
    let first = free_number(|number| exists(&folder.join(numbered(name, number))));
    let mut taken = io::Error::from(ErrorKind::AlreadyExists);
    for number in first..first + CLAIMS_MAX {
        let name = numbered(name, number);
        match rename(&folder.join(&name)) {
            Ok(()) => return Ok(name),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => taken = error,
            Err(error) => return Err(error).on_disk("name the new file", &folder.join(name)),
        }
    }
    Err(taken).on_disk("find a free name for", &folder.join(name))
}

/// The name itself, or with a number before its ending, cut to [`FILE_NAME_MAX`].
fn numbered(name: &str, number: u64) -> String {
    let (stem, ending) = name.split_at(name.rfind('.').unwrap_or(name.len()));
    let tail = match number {
        1 => ending.to_owned(),
        number => format!(".{number}{ending}"),
    };
    let room = FILE_NAME_MAX.saturating_sub(tail.len());
    let stem = stem
        .get(..stem.floor_char_boundary(room))
        .unwrap_or_default();
    format!("{stem}{tail}")
}

fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// Flushes the folder; when that fails the file is taken back, so that a second try leaves one, not two.
fn flush_published(folder: &Path, name: &str) -> Result<(), DiskError> {
    sync_folder(folder).inspect_err(|_| {
        let path: PathBuf = folder.join(name);
        if let Err(error) = fs::remove_file(&path) {
            tracing::warn!("failed to take {} back: {error}", path.display());
        }
    })
}

/// Renames, or fails with `AlreadyExists`; never replaces.
fn rename_to_new(from: &Path, to: &Path) -> io::Result<()> {
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::thread;

    use super::*;

    fn names(folder: &Path) -> BTreeSet<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    #[test]
    fn a_taken_name_gets_a_number_and_nothing_is_overwritten() {
        let temp = tempfile::tempdir().unwrap();
        let folder = temp.path().join("results/failed");
        let published: Vec<_> = (0..4)
            .map(|n| publish(&folder, "exemplo.zip", &[n]).unwrap())
            .collect();
        assert_eq!(
            published,
            [
                "exemplo.zip",
                "exemplo.2.zip",
                "exemplo.3.zip",
                "exemplo.4.zip"
            ]
        );
        for (n, name) in published.iter().enumerate() {
            assert_eq!(fs::read(folder.join(name)).unwrap(), [n as u8]);
        }
        assert_eq!(names(&folder).len(), 4, "no temporary file is left");
    }

    #[test]
    fn publishers_at_the_same_instant_get_different_names() {
        let temp = tempfile::tempdir().unwrap();
        thread::scope(|scope| {
            for n in 0..8_u8 {
                let folder = temp.path();
                scope.spawn(move || {
                    for _ in 0..8 {
                        publish(folder, "a.zip", &[n]).unwrap();
                    }
                });
            }
        });
        assert_eq!(names(temp.path()).len(), 64);
        let mut counts = [0; 8];
        for name in names(temp.path()) {
            counts[usize::from(fs::read(temp.path().join(name)).unwrap()[0])] += 1;
        }
        assert_eq!(counts, [8; 8]);
    }

    #[test]
    fn an_exact_name_is_not_taken_twice() {
        let temp = tempfile::tempdir().unwrap();
        assert!(publish_as(temp.path(), "a.zip", b"1").unwrap().is_some());
        assert!(publish_as(temp.path(), "a.zip", b"2").unwrap().is_none());
        assert_eq!(fs::read(temp.path().join("a.zip")).unwrap(), b"1");
        assert_eq!(names(temp.path()).len(), 1);
    }

    #[test]
    fn a_moved_file_never_replaces_another() {
        let temp = tempfile::tempdir().unwrap();
        let done = temp.path().join("done");
        for (bytes, name) in [(b"1", "a.zip"), (b"2", "a.2.zip")] {
            fs::write(temp.path().join("a.zip"), bytes).unwrap();
            assert_eq!(move_into(&done, &temp.path().join("a.zip")).unwrap(), name);
            assert_eq!(fs::read(done.join(name)).unwrap(), bytes);
        }
        assert_eq!(names(temp.path()), ["done".to_owned()].into());
        assert!(move_into(&done, &temp.path().join("a.zip")).is_err());
    }

    #[test]
    fn a_dangling_link_counts_as_taken() {
        let temp = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("nowhere", temp.path().join("a.zip")).unwrap();
        assert_eq!(publish(temp.path(), "a.zip", b"1").unwrap(), "a.2.zip");
        assert!(!temp.path().join("nowhere").exists());
    }

    #[test]
    fn a_note_replaces_an_older_one() {
        let temp = tempfile::tempdir().unwrap();
        publish_note(temp.path(), "a.txt", "old and long").unwrap();
        publish_note(temp.path(), "a.txt", "new").unwrap();
        assert_eq!(fs::read(temp.path().join("a.txt")).unwrap(), b"new");
    }

    #[test]
    fn only_what_an_earlier_life_left_is_swept() {
        let temp = tempfile::tempdir().unwrap();
        for name in [".mutirao-x1.part", ".stay", "a.zip", "b.part"] {
            fs::write(temp.path().join(name), b"").unwrap();
        }
        sweep(temp.path()).unwrap();
        assert_eq!(
            names(temp.path()),
            [".stay", "a.zip", "b.part"].map(String::from).into()
        );
        sweep(&temp.path().join("missing")).unwrap();
    }

    #[test]
    fn a_long_name_is_cut_between_characters() {
        let long = format!("{}.zip", "ã".repeat(200));
        for number in [1, 2, 1_000_000] {
            let name = numbered(&long, number);
            assert!((FILE_NAME_MAX - 1..=FILE_NAME_MAX).contains(&name.len()));
            assert!(name.ends_with(".zip"));
        }
        assert_eq!(numbered("a", 2), "a.2");
    }
}
