//! ZIPs of tasks that are to be tried again: copied from where they were put away to where no crash loses them.
//!
//! Rule: what was put away stays there until it is written down that the task is open; before that its copy is a payload of
//! nobody, which the next start removes.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mutirao_actors::model::{Archive, Digest, Stamp, Task, TaskId, TaskName};

use super::{Places, Refused, is_absent, load};
use crate::disk::{DiskError, OnDisk as _, Volume, is_no_folder};
use crate::folders::packs::{BATCH_MAX, LIGHT_MAX, PACKED};

/// A ZIP that was brought back.
#[derive(Debug)]
pub(in crate::folders) struct Again {
    /// Of its copy among the payloads.
    pub stamp: Stamp,
    /// Where it was put away, and still lies.
    pub put_away: PathBuf,
}

/// Copies the ZIPs of these tasks to the payloads; none of one that is not there.
///
/// # Errors
/// Whatever the disk refuses; then none of them may be tried again.
pub(in crate::folders) fn copy_back(
    places: &Places,
    tasks: &[Arc<Task>],
) -> Result<Vec<Option<Again>>, DiskError> {
    let shelf = Shelf::list(&places.volume, &places.failed())?;
    let mut copied = Vec::new();
    for batch in tasks.chunks(BATCH_MAX) {
        copied.extend(copy_some(places, &shelf, batch)?);
    }
    Ok(copied)
}

/// Copies these: the small ones together, with one file and one flush for all. A large one is written before the next is read,
/// so that no more than one is in memory.
fn copy_some(
    places: &Places,
    shelf: &Shelf,
    tasks: &[Arc<Task>],
) -> Result<Vec<Option<Again>>, DiskError> {
    let (mut copied, mut light) = (Vec::new(), Vec::new());
    for task in tasks {
        let Some((put_away, archive)) = shelf.find(&places.volume, task)? else {
            copied.push(None);
            continue;
        };
        let stamp = match archive.bytes().len() <= LIGHT_MAX {
            true => {
                light.push((copied.len(), task.id, archive));
                PACKED
            }
            false => write(places, task.id, &archive)?,
        };
        copied.push(Some(Again { stamp, put_away }));
    }
    let zips: Vec<_> = light.iter().map(|(_, id, zip)| (*id, zip)).collect();
    // Where there is no room for that each is written for itself, for some may fit.
    if zips.len() > 1 && places.packs.pack(&places.volume, &zips).is_ok() {
        return Ok(copied);
    }
    for (place, task, archive) in &light {
        let stamp = write(places, *task, archive)?;
        let again = copied.get_mut(*place).and_then(Option::as_mut);
        again.into_iter().for_each(|again| again.stamp = stamp);
    }
    Ok(copied)
}

/// Writes one into a file of its own, and gives its stamp.
fn write(places: &Places, task: TaskId, archive: &Archive) -> Result<Stamp, DiskError> {
    places.write_payload(task, archive)?;
    let payload = places.payload(task, archive.digest());
    let stat = places.volume.stat(&payload);
    Ok(stat.on_disk("look at", &payload)?.stamp)
}

/// Removes what was put away of tasks that are open again, with the notes that say how they had ended.
///
/// # Errors
/// Whatever the disk refuses; what is left is in nobody's way.
pub(in crate::folders) fn clear_put_away(
    places: &Places,
    files: &[PathBuf],
) -> Result<(), DiskError> {
    for file in files {
        let mut note = file.clone().into_os_string();
        note.push(".txt");
        for path in [file.as_path(), Path::new(&note)] {
            match places.volume.stat(path) {
                Err(error) if is_absent(&error) => {}
                _ => places.volume.remove(path)?,
            }
        }
    }
    Ok(())
}

/// What lies among the ZIPs of tasks that failed, by the name that a task of each has.
#[derive(Debug, Default)]
struct Shelf(BTreeMap<String, Vec<PathBuf>>);

impl Shelf {
    fn list(volume: &Volume, folder: &Path) -> Result<Self, DiskError> {
        let mut shelf = Self::default();
        let names = match volume.list(folder) {
            Err(error) if is_no_folder(&error) => return Ok(shelf),
            names => names.on_disk("list", folder)?,
        };
        for name in names {
            let name = name.on_disk("list", folder)?;
            let tamed = TaskName::tamed(&name.to_string_lossy());
            let files = shelf.0.entry(tamed.as_str().to_owned()).or_default();
            files.push(folder.join(name));
        }
        Ok(shelf)
    }

    /// The file of the task's name, else the first that is named after it (`a.2.zip`), that holds its bytes.
    fn find(&self, volume: &Volume, task: &Task) -> Result<Option<(PathBuf, Archive)>, DiskError> {
        let own = self.0.get(task.name.as_str());
        let prefix = format!("{}.", task.name.stem());
        let after = (Bound::Excluded(prefix.as_str()), Bound::Unbounded);
        let numbered = self.0.range::<str, _>(after);
        let numbered = numbered.take_while(|(name, _)| name.starts_with(&prefix));
        let files = own.into_iter().chain(numbered.map(|(_, files)| files));
        for file in files.flatten() {
            let size = volume.stat(file).map(|stat| stat.stamp.size).ok();
            if size == Some(task.size.into())
                && let Some(archive) = whole(volume, file, task.sha256)?
            {
                return Ok(Some((file.clone(), archive)));
            }
        }
        Ok(None)
    }
}

/// The file's ZIP, if it is the one with this digest.
fn whole(volume: &Volume, file: &Path, sha256: Digest) -> Result<Option<Archive>, DiskError> {
    match load(volume, file, sha256) {
        Ok(archive) => Ok(Some(archive)),
        Err(Refused::Cannot(_)) => Ok(None),
        Err(Refused::Disk(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use mutirao_actors::model::{Kind, Wishes};

    use super::*;
    use crate::disk::testing::Ailing;

    fn named(name: &str, bytes: &[u8]) -> Arc<Task> {
        let kind = Kind {
            code: Digest::of(bytes),
            group: "tasks".into(),
            parts: None,
            wishes: Wishes::default(),
        };
        Arc::new(Task {
            id: TaskId::new(),
            name: TaskName::tamed(name),
            size: u32::try_from(bytes.len()).unwrap(),
            nth: None,
            sha256: Digest::of(bytes),
            kind: Arc::new(kind),
        })
    }

    #[test]
    fn the_zip_of_a_task_is_found_under_any_name_that_its_own_may_have_got() {
        let home = tempfile::tempdir().unwrap();
        let places = Places::under(home.path(), Arc::new(Volume::real()));
        fs::create_dir_all(places.failed()).unwrap();
        for (file, bytes) in [
            ("a.zip", "other"),
            ("a.2.zip", "first"),
            ("my b.zip", "second"),
        ] {
            fs::write(places.failed().join(file), bytes).unwrap();
        }
        let tasks = [
            named("a.zip", b"first"),
            named("my b.zip", b"second"),
            named("c.zip", b"third"),
        ];
        let copied = copy_back(&places, &tasks).unwrap();
        let lay = |at: usize| copied[at].as_ref().map(|again| again.put_away.clone());
        assert_eq!(lay(0), Some(places.failed().join("a.2.zip")));
        assert_eq!(lay(1), Some(places.failed().join("my b.zip")));
        assert_eq!(lay(2), None);
        for task in &tasks[..2] {
            let key = (task.id, task.sha256);
            assert!(places.packs.read(&places.volume, key).unwrap().is_some());
        }
        clear_put_away(&places, &[lay(0).unwrap()]).unwrap();
        assert!(!places.failed().join("a.2.zip").exists());
        assert!(places.failed().join("a.zip").exists());
    }

    #[test]
    fn a_large_zip_is_copied_before_the_next_is_read() {
        let home = tempfile::tempdir().unwrap();
        let disk = Arc::new(Ailing::default());
        let places = Places::under(home.path(), Arc::new(Volume::new(disk.clone())));
        fs::create_dir_all(places.failed()).unwrap();
        let tasks = ["a.zip", "b.zip"].map(|name| {
            let bytes = name.repeat(LIGHT_MAX);
            fs::write(places.failed().join(name), &bytes).unwrap();
            named(name, bytes.as_bytes())
        });
        disk.fail_reading_of("b.zip");
        assert!(copy_back(&places, &tasks).is_err());
        let payload = |task: &Task| places.payload(task.id, task.sha256);
        assert!(payload(&tasks[0]).exists());
        let copied = copy_back(&places, &tasks).unwrap();
        assert!(copied.iter().all(Option::is_some));
        assert!(payload(&tasks[1]).exists());
    }
}
