//! What comes in: listing `tasks/`, reading what lies there, writing what came over the wire.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mutirao_actors::model::{Archive, Task, TaskId, TaskName, Wishes};
use mutirao_actors::wire::scanner::ARCHIVE_MAX;

use super::{Places, Refused, is_absent};
use crate::archive::{TaskContents, inspect_task};
use crate::folders::disk::{
    DiskError, OnDisk as _, make_folder, open_plain, read_at_most, stamp_of, sync_folder,
};
use crate::folders::intake::{Listing, Reading, Stamp, TASKS_MAX};
use crate::folders::{publish, stay};

/// The group of the tasks that were put into the folder by hand.
const GROUP: &str = "tasks";

/// A task that came over the wire, to be written.
#[derive(Debug, Clone)]
pub(in crate::folders) struct Draft {
    pub name: TaskName,
    pub archive: Archive,
    pub group: Arc<str>,
    pub wishes: Wishes,
}

/// Lists `tasks/`, and which of the resting files are to be read again.
pub(in crate::folders) fn look(
    places: &Places,
    resting: &[(OsString, PathBuf)],
) -> Result<Listing, DiskError> {
    make_folder(&places.tasks)?;
    let mut listing = Listing::default();
    for entry in fs::read_dir(&places.tasks).on_disk("list", &places.tasks)? {
        let entry = entry.on_disk("list", &places.tasks)?;
        let name = entry.file_name();
        if !is_named_like_a_task(&name) {
            continue;
        }
        if listing.files.len() + listing.others.len() == TASKS_MAX {
            listing.cut = true;
            break;
        }
        match entry.metadata() {
            Ok(metadata) if metadata.is_file() => {
                listing.files.insert(name, stamp_of(&metadata));
            }
            Ok(_) => {
                listing.others.insert(name);
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error).on_disk("look at", &entry.path()),
        }
    }
    if !resting.is_empty() {
        let stay = stay::names(&places.tasks)?;
        let rests = |name: &OsStr, copy: &Path| {
            stay.contains(&*name.to_string_lossy()) && fs::symlink_metadata(copy).is_ok()
        };
        let awake = resting.iter().filter(|(name, copy)| !rests(name, copy));
        listing.awake = awake.map(|(name, _)| name.clone()).collect();
    }
    Ok(listing)
}

/// Reads one file of `tasks/` that was listed with this stamp.
pub(in crate::folders) fn read(
    places: &Places,
    name: &OsStr,
    stamp: Stamp,
) -> Result<Reading, DiskError> {
    let path = places.tasks.join(name);
    if stamp.size > ARCHIVE_MAX as u64 {
        let most = ARCHIVE_MAX >> 20;
        return Ok(Reading::Unsound(format!(
            "the ZIP is larger than {most} MiB: split the task"
        )));
    }
    let Some(bytes) = read_listed(&path, stamp).on_disk("read", &path)? else {
        return Ok(Reading::Changed);
    };
    let contents = match inspect_task(&bytes) {
        Ok(contents) => contents,
        Err(refusal) => return Ok(Reading::Unsound(refusal.to_string())),
    };
    // An accepted task outlasts a power cut (promise R1), and whoever copied the file here did not flush it.
    open_plain(&path)
        .and_then(|file| file.sync_all())
        .on_disk("flush", &path)?;
    sync_folder(&places.tasks)?;
    let name = name.to_string_lossy();
    let draft = Draft {
        name: task_name(&name),
        archive: Archive::new(bytes),
        group: GROUP.into(),
        wishes: Wishes::default(),
    };
    let task = task_of(draft, contents);
    let copy = if stay::names(&places.tasks)?.contains(&*name) {
        stay::find_copy(
            &[places.done(), places.failed()],
            &name,
            task.size,
            task.sha256,
        )?
    } else {
        None
    };
    Ok(Reading::Sound(Box::new(task), copy))
}

/// Vets a task that came over the wire and writes it under its name; none when the name is taken.
pub(in crate::folders) fn adopt(
    places: &Places,
    draft: Draft,
) -> Result<Option<(Stamp, Task)>, Refused> {
    let contents = inspect_task(draft.archive.bytes());
    let contents = contents.map_err(|refusal| Refused::Cannot(refusal.to_string()))?;
    let (name, bytes) = (draft.name.as_str(), draft.archive.bytes());
    let Some(file) = publish::publish_as(&places.tasks, name, bytes)? else {
        return Ok(None);
    };
    let path = places.tasks.join(name);
    let metadata = file.metadata().on_disk("look at", &path)?;
    Ok(Some((stamp_of(&metadata), task_of(draft, contents))))
}

/// Plain ZIP names; a dot before hides a file from us as from `ls`.
fn is_named_like_a_task(name: &OsStr) -> bool {
    let ending = Path::new(name).extension();
    let is_hidden = name.as_encoded_bytes().starts_with(b".");
    !is_hidden && ending.is_some_and(|ending| ending.eq_ignore_ascii_case("zip"))
}

/// The name towards others: `Meu teste.ZIP` is `Meu_teste.zip`.
pub(super) fn task_name(file: &str) -> TaskName {
    TaskName::tamed(file.rsplit_once('.').map_or(file, |(stem, _)| stem))
}

/// What the submitter asks for goes before what `task.toml` says.
pub(super) fn task_of(draft: Draft, contents: TaskContents) -> Task {
    let (asked, said) = (draft.wishes, contents.wishes);
    Task {
        id: TaskId::new(),
        name: draft.name,
        size: draft.archive.bytes().len() as u64,
        sha256: draft.archive.digest(),
        code: contents.code,
        group: draft.group,
        wishes: Wishes {
            time_limit: asked.time_limit.or(said.time_limit),
            retries: asked.retries.or(said.retries),
            priority: if asked.priority == 0 {
                said.priority
            } else {
                asked.priority
            },
        },
    }
}

/// The content that was listed; none when the file is another, or changes while it is read.
fn read_listed(path: &Path, stamp: Stamp) -> io::Result<Option<Vec<u8>>> {
    let file = match open_plain(path) {
        Err(error) if is_absent(&error) => return Ok(None),
        opened => opened?,
    };
    let is_listed = || Ok::<_, io::Error>(stamp_of(&file.metadata()?) == stamp);
    if !is_listed()? {
        return Ok(None);
    }
    let bytes = read_at_most(&file, stamp.size)?;
    let is_whole = bytes.len() as u64 == stamp.size;
    Ok((is_whole && is_listed()?).then_some(bytes))
}
