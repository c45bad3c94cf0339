//! Files appear whole or not at all, and never over another.
//!
//! Rule: bytes go to a temporary file in the same folder, are flushed, get their name by a rename that refuses to
//! replace, and the folder is flushed: what was published outlasts a power cut (promises R2 and R6).

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::Path;

use mutirao_actors::model::Stamp;

use super::names::claim;
use super::{DiskError, Mark, OnDisk as _, Part, Volume};

/// Temporary files begin with this; the dot hides them from whoever lists the folder for ZIPs.
pub(super) const TEMP_PREFIX: &str = ".mutirao-";
/// Temporary files end with this.
pub(super) const TEMP_SUFFIX: &str = ".part";
/// Publishes bytes in a folder, which is made when missing, and says under which name:
/// the one given, or with a number when that is taken (`exemplo.2.zip`).
///
/// # Errors
/// Whatever the disk refuses; then nothing is published.
pub fn publish(
    volume: &Volume,
    folder: &Path,
    name: &str,
    bytes: &[u8],
) -> Result<String, DiskError> {
    volume.make_folder(folder)?;
    let mut part = volume.write_part(folder, bytes)?;
    let mark = volume.mark();
    let name = name_part(volume, folder, name, &mut part)?;
    flush_published(volume, folder, &name, mark)?;
    Ok(name)
}

/// Publishes bytes under exactly this name and gives the file's stamp; none when the name is taken.
///
/// # Errors
/// Whatever the disk refuses; then nothing is published.
pub fn publish_as(
    volume: &Volume,
    folder: &Path,
    name: &str,
    bytes: &[u8],
) -> Result<Option<Stamp>, DiskError> {
    volume.make_folder(folder)?;
    let mut part = volume.write_part(folder, bytes)?;
    let (path, mark) = (folder.join(name), volume.mark());
    match part.rename_new(&path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(None),
        renamed => renamed.on_disk("name the new file", &path)?,
    }
    flush_published(volume, folder, name, mark)?;
    Ok(Some(stamp_after_renaming(volume, &path, part.stamp())))
}

/// Publishes bytes under exactly this name, over an older file that has it.
///
/// # Errors
/// Whatever the disk refuses; then the older file is still there, or the new one.
pub fn publish_over(
    volume: &Volume,
    folder: &Path,
    name: &str,
    bytes: &[u8],
) -> Result<(), DiskError> {
    let mark = volume.mark();
    write_over(volume, folder, name, bytes)?;
    volume.sync_since(folder, mark)
}

/// The same, but for the flush of the folder, without which a power cut may take the name: the caller has more to do there.
///
/// # Errors
/// Whatever the disk refuses; then the older file is still there.
pub fn write_over(
    volume: &Volume,
    folder: &Path,
    name: &str,
    bytes: &[u8],
) -> Result<(), DiskError> {
    volume.make_folder(folder)?;
    let part = volume.write_part(folder, bytes)?;
    let path = folder.join(name);
    part.rename(&path).on_disk("name the new file", &path)
}

/// Moves a file into a folder of the same file system, which is made when missing, and says under which name it lies.
/// The move outlasts a power cut when both folders are flushed, which is left to the caller: he may have more to move.
///
/// # Errors
/// Whatever the disk refuses.
pub fn move_into(volume: &Volume, folder: &Path, file: &Path) -> Result<String, DiskError> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    move_as(volume, folder, &name, file)
}

/// The same, under this name if it is free.
///
/// # Errors
/// Whatever the disk refuses.
pub fn move_as(
    volume: &Volume,
    folder: &Path,
    name: &str,
    file: &Path,
) -> Result<String, DiskError> {
    volume.make_folder(folder)?;
    move_to(volume, folder, name, file)
}

/// The same, where the folder was made before.
///
/// # Errors
/// Whatever the disk refuses.
pub fn move_to(
    volume: &Volume,
    folder: &Path,
    name: &str,
    file: &Path,
) -> Result<String, DiskError> {
    claim(volume, folder, name, |path| volume.rename_new(file, path))
}

/// Gives a temporary file of this folder a name there, this one if it is free, and says which. It outlasts a power cut
/// when the folder is flushed, which is left to the caller: he may have more to name.
///
/// # Errors
/// Whatever the disk refuses.
pub fn name_part(
    volume: &Volume,
    folder: &Path,
    name: &str,
    part: &mut Part<'_>,
) -> Result<String, DiskError> {
    claim(volume, folder, name, |path| part.rename_new(path))
}

/// Removes the temporary files that an earlier life left in a folder.
///
/// # Errors
/// Whatever the disk refuses; a folder that is missing is clean.
pub fn sweep(volume: &Volume, folder: &Path) -> Result<(), DiskError> {
    let names = match volume.list(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        names => names.on_disk("list", folder)?,
    };
    for name in names {
        let name = name.on_disk("list", folder)?;
        if is_temp(&name) {
            volume.remove(&folder.join(name))?;
        }
    }
    Ok(())
}

fn is_temp(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    name.starts_with(TEMP_PREFIX.as_bytes()) && name.ends_with(TEMP_SUFFIX.as_bytes())
}

/// Flushes the folder; when that fails the file is taken back, so that a second try leaves one, not two.
fn flush_published(
    volume: &Volume,
    folder: &Path,
    name: &str,
    mark: Mark,
) -> Result<(), DiskError> {
    volume.sync_since(folder, mark).inspect_err(|_| {
        if let Err(error) = volume.remove(&folder.join(name)) {
            tracing::warn!("{error}");
        }
    })
}

/// The stamp that a file has under its name. Renaming sets `changed` alone; when more is different, another file was put
/// there meanwhile, and with the old stamp the next look sees that.
pub(crate) fn stamp_after_renaming(volume: &Volume, path: &Path, before: Stamp) -> Stamp {
    let lies = volume.stat(path).map_or(before, |stat| stat.stamp);
    let changed = lies.changed;
    if lies == (Stamp { changed, ..before }) {
        lies
    } else {
        before
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
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
        let volume = Volume::real();
        let folder = temp.path().join("results/failed");
        let published: Vec<_> = (0..4)
            .map(|n| publish(&volume, &folder, "exemplo.zip", &[n]).unwrap())
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
        let volume = Volume::real();
        thread::scope(|scope| {
            for n in 0..8_u8 {
                let (volume, folder) = (&volume, temp.path());
                scope.spawn(move || {
                    for _ in 0..8 {
                        publish(volume, folder, "a.zip", &[n]).unwrap();
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
        let volume = Volume::real();
        assert!(
            publish_as(&volume, temp.path(), "a.zip", b"1")
                .unwrap()
                .is_some()
        );
        assert!(
            publish_as(&volume, temp.path(), "a.zip", b"2")
                .unwrap()
                .is_none()
        );
        assert_eq!(fs::read(temp.path().join("a.zip")).unwrap(), b"1");
        assert_eq!(names(temp.path()).len(), 1);
    }

    #[test]
    fn what_was_put_in_the_place_of_a_published_file_does_not_have_its_stamp() {
        let temp = tempfile::tempdir().unwrap();
        let volume = Volume::real();
        let path = temp.path().join("a.zip");
        let stamp = publish_as(&volume, temp.path(), "a.zip", b"1").unwrap();
        let lies = || volume.stat(&path).unwrap().stamp;
        assert_eq!(stamp, Some(lies()));
        let before = stamp.unwrap();
        publish_over(&volume, temp.path(), "a.zip", b"2").unwrap();
        assert_eq!(stamp_after_renaming(&volume, &path, before), before);
        assert_ne!(before, lies());
    }

    #[test]
    fn a_moved_file_never_replaces_another() {
        let temp = tempfile::tempdir().unwrap();
        let volume = Volume::real();
        let done = temp.path().join("done");
        for (bytes, name) in [(b"1", "a.zip"), (b"2", "a.2.zip")] {
            fs::write(temp.path().join("a.zip"), bytes).unwrap();
            assert_eq!(
                move_into(&volume, &done, &temp.path().join("a.zip")).unwrap(),
                name
            );
            assert_eq!(fs::read(done.join(name)).unwrap(), bytes);
        }
        assert_eq!(names(temp.path()), ["done".to_owned()].into());
        assert!(move_into(&volume, &done, &temp.path().join("a.zip")).is_err());
    }

    #[test]
    fn a_dangling_link_counts_as_taken() {
        let temp = tempfile::tempdir().unwrap();
        let volume = Volume::real();
        std::os::unix::fs::symlink("nowhere", temp.path().join("a.zip")).unwrap();
        assert_eq!(
            publish(&volume, temp.path(), "a.zip", b"1").unwrap(),
            "a.2.zip"
        );
        assert!(!temp.path().join("nowhere").exists());
    }

    #[test]
    fn what_is_published_over_replaces_an_older_one() {
        let temp = tempfile::tempdir().unwrap();
        let volume = Volume::real();
        publish_over(&volume, temp.path(), "a.txt", b"old and long").unwrap();
        publish_over(&volume, temp.path(), "a.txt", b"new").unwrap();
        assert_eq!(fs::read(temp.path().join("a.txt")).unwrap(), b"new");
    }

    #[test]
    fn only_what_an_earlier_life_left_is_swept() {
        let temp = tempfile::tempdir().unwrap();
        let volume = Volume::real();
        for name in [".mutirao-x1.part", ".stay", "a.zip", "b.part"] {
            fs::write(temp.path().join(name), b"").unwrap();
        }
        sweep(&volume, temp.path()).unwrap();
        assert_eq!(
            names(temp.path()),
            [".stay", "a.zip", "b.part"].map(String::from).into()
        );
        sweep(&volume, &temp.path().join("missing")).unwrap();
    }
}
