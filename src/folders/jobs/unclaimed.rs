//! Payloads that an earlier life left, and that no task has.
//!
//! Rule: one of a task whose ZIP lies in `tasks/` all the same is a copy that was to take its place, and makes no second task.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use mutirao_actors::model::Digest;

use super::touched::Touched;
use super::{ARCHIVE_MAX, Places};
use crate::archive::{inspect_result, inspect_task};
use crate::disk::{DiskError, OnDisk as _, is_no_folder, publish};
use crate::folders::packs::{self, Key};
use crate::folders::places::{payload_name, payload_named};

/// The name of a task whose own one was in a record that is lost.
const RECOVERED: &str = "recovered.zip";

/// Removes payloads that no task has: they were never answered for, and whoever sent them still has them. Where records
/// were lost they may have been answered for, and are put where a person finds them. Says which wanted ones it found.
pub(in crate::folders) fn clear_payloads(
    places: &Places,
    wanted: &[Key],
    past_is_whole: bool,
) -> Result<Vec<Key>, DiskError> {
    let (folder, volume) = (places.payloads(), &places.volume);
    let is_wanted = |payload: &Key| wanted.binary_search(payload).is_ok();
    let packed = places.packs.open(
        volume,
        |payload| is_wanted(&payload),
        |(task, sha256), archive| {
            if past_is_whole {
                return Ok(());
            }
            save_packed(places, &payload_name(task, sha256), archive.bytes())
        },
    )?;
    let mut found: Vec<_> = packed.into_iter().collect();
    let lying = Lying::default();
    let names = match volume.list(&folder) {
        Err(error) if is_no_folder(&error) => return Ok(found),
        names => names.on_disk("list", &folder)?,
    };
    for name in names {
        let name = name.on_disk("list", &folder)?;
        if packs::is_pack(&name) {
            continue;
        }
        let path = folder.join(&name);
        let payload = name.to_str().and_then(payload_named).filter(is_wanted);
        if let Some(payload) = payload {
            found.push(payload);
        } else if past_is_whole {
            volume.remove(&path)?;
        } else {
            save(places, &path, &lying)?;
        }
    }
    // One may lie in a pack and beside it.
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

fn tell_unclaimed(places: &Places, name: &str) {
    let lies = places.unclaimed().join(name);
    tracing::warn!(
        "a payload of a task that is not remembered: {}",
        lies.display()
    );
}

/// The same as [`save`] for what lies in a pack. There it stays as long as others do: it may have been saved before.
fn save_packed(places: &Places, name: &str, bytes: &[u8]) -> Result<(), DiskError> {
    let volume = &places.volume;
    if is_task(bytes) {
        let name = publish::publish(volume, &places.tasks, RECOVERED, bytes)?;
        tell_recovered(places, &name);
    } else if publish::publish_as(volume, &places.unclaimed(), name, bytes)?.is_some() {
        tell_unclaimed(places, name);
    }
    Ok(())
}

/// Puts a payload where it is of use: a task is open again, and a result waits for a person.
fn save(places: &Places, path: &Path, lying: &Lying) -> Result<(), DiskError> {
    let volume = &places.volume;
    let read = volume.read(path, ARCHIVE_MAX as u64 + 1);
    let bytes = read.on_disk("read", path)?.bytes;
    let is_task = is_task(&bytes);
    if is_task && lying.has(places, &bytes)? {
        return volume.remove(path);
    }
    let (folder, name) = match is_task {
        true => (places.tasks.clone(), OsStr::new(RECOVERED)),
        false => (places.unclaimed(), path.file_name().unwrap_or_default()),
    };
    let mut touched = Touched::begin(volume);
    let name = publish::move_as(volume, &folder, &name.to_string_lossy(), path)?;
    touched.moved(path.to_owned(), folder.join(&name));
    touched.flush(volume)?;
    match is_task {
        true => tell_recovered(places, &name),
        false => tell_unclaimed(places, &name),
    }
    Ok(())
}

/// What lies in `tasks/`, by its length in bytes; listed when it is first asked for.
#[derive(Default)]
struct Lying(OnceCell<HashMap<u64, Vec<PathBuf>>>);

impl Lying {
    /// Whether a file there holds these bytes.
    fn has(&self, places: &Places, bytes: &[u8]) -> Result<bool, DiskError> {
        let by_size = match self.0.get() {
            Some(by_size) => by_size,
            None => {
                let listed = list_by_size(places)?;
                self.0.get_or_init(|| listed)
            }
        };
        let (size, sha256) = (bytes.len() as u64, Digest::of(bytes));
        for path in by_size.get(&size).into_iter().flatten() {
            let read = places.volume.read(path, size);
            if Digest::of(&read.on_disk("read", path)?.bytes) == sha256 {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn list_by_size(places: &Places) -> Result<HashMap<u64, Vec<PathBuf>>, DiskError> {
    let (volume, tasks) = (&places.volume, &places.tasks);
    let mut by_size: HashMap<_, Vec<_>> = HashMap::new();
    let names = match volume.list(tasks) {
        Err(error) if is_no_folder(&error) => return Ok(by_size),
        names => names.on_disk("list", tasks)?,
    };
    for name in names {
        let path = tasks.join(name.on_disk("list", tasks)?);
        let stat = volume.stat(&path).on_disk("look at", &path)?;
        if stat.is_file {
            by_size.entry(stat.stamp.size).or_default().push(path);
        }
    }
    Ok(by_size)
}

fn tell_recovered(places: &Places, name: &str) {
    let lies = places.tasks.join(name);
    tracing::warn!("a task that is not remembered is run as {}", lies.display());
}

/// Whether it is a task, and not a result of one that left its own code.
fn is_task(bytes: &[u8]) -> bool {
    let is_result = inspect_result(bytes).is_ok_and(|contents| contents.has_stdout);
    !is_result && inspect_task(bytes).is_ok()
}
