//! Files that somebody put into `tasks/` are read, some together, and tasks are made to outlast a power cut (promise R1):
//! whoever copies one there does not flush it.
//!
//! Rule: a flush that succeeds says nothing of what an earlier one lost. A file that may have lain there when a flush
//! failed is not believed but written anew: among the payloads, and from there over itself.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::path::Path;

use bytes::Bytes;
use mutirao_actors::model::{Archive, Digest, Stamp, TaskId, Wishes};
use mutirao_actors::wire::scanner::ARCHIVE_MAX;

use super::Places;
use super::take_in::{Draft, task_name, task_of};
use crate::archive::{Refusal, inspect_task};
use crate::disk::{DiskError, Mark, OnDisk as _, Volume, is_absent};
use crate::folders::hot::Hot;
use crate::folders::intake::Reading;
use crate::folders::stay;

/// The group of the tasks that were put into the folder by hand.
const GROUP: &str = "tasks";

/// How a file is made to last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::folders) enum Hold {
    /// By a flush; none has failed since it was first seen.
    Flush,
    /// By a copy.
    Rewrite,
}

/// A file that may be a task.
#[derive(Debug, Clone)]
pub(in crate::folders) struct Unread {
    /// Its name in `tasks/`.
    pub name: OsString,
    /// With which it was listed.
    pub stamp: Stamp,
    /// The task that it becomes if it is a new one.
    pub id: TaskId,
    /// As which task it is open, and of which bytes.
    pub open: Option<(TaskId, Digest)>,
    /// How it is made to last.
    pub how: Hold,
}

/// What reading a file of `tasks/` gave.
#[derive(Debug)]
pub(in crate::folders) struct Read {
    /// What it is.
    pub told: Reading,
    /// Its ZIP, if that is worth remembering.
    pub archive: Option<Archive>,
    /// As whose its ZIP was written among the payloads too, to be put over it from there.
    pub copied: Option<(TaskId, Digest)>,
}

impl Read {
    /// Of a file that is no task.
    pub fn of(told: Reading) -> Self {
        Self {
            told,
            archive: None,
            copied: None,
        }
    }
}

/// What reading some files gave.
#[derive(Debug)]
pub(in crate::folders) struct ReadTogether {
    /// Of each, in their order.
    pub each: Vec<Result<Read, DiskError>>,
    /// What the disk refused that serves several of them, which are then unread.
    pub trouble: Option<DiskError>,
}

/// Reads files of `tasks/`, all of them first seen after the mark but those that are held by a copy; those that are tasks
/// are made to last.
pub(in crate::folders) fn read_together(
    places: &Places,
    files: &[Unread],
    since: Mark,
) -> ReadTogether {
    let staying = match stay::names(&places.volume, &places.tasks) {
        Ok(staying) => staying,
        Err(error) => {
            let unread = |_| Ok(Read::of(Reading::Unread));
            return ReadTogether {
                each: files.iter().map(unread).collect(),
                trouble: Some(error),
            };
        }
    };
    let one = |file| read(places, file, &staying);
    let mut each: Vec<_> = files.iter().map(one).collect();
    let is_flushed = |(file, read): &(&Unread, &mut Result<Read, DiskError>)| {
        let is_task = |read: &Read| matches!(read.told, Reading::Sound(_, None));
        file.how == Hold::Flush && read.as_ref().is_ok_and(is_task)
    };
    let mut tasks: Vec<_> = files.iter().zip(&mut each).filter(is_flushed).collect();
    let flushed = flush(places, &mut tasks, since);
    if flushed.is_err() {
        for (_, read) in tasks {
            *read = Ok(Read::of(Reading::Unread));
        }
    }
    let trouble = flushed.err();
    ReadTogether { each, trouble }
}

/// Flushes the files of these tasks, and their names.
fn flush(
    places: &Places,
    tasks: &mut [(&Unread, &mut Result<Read, DiskError>)],
    since: Mark,
) -> Result<(), DiskError> {
    if tasks.is_empty() {
        return Ok(());
    }
    let path = |(file, _): &(&Unread, _)| places.tasks.join(&file.name);
    let paths: Vec<_> = tasks.iter().map(path).collect();
    let flushed = places.volume.sync_files(&places.tasks, &paths)?;
    for ((_, read), flushed) in tasks.iter_mut().zip(flushed) {
        if let Err(error) = flushed {
            **read = Err(error);
        }
    }
    places.volume.sync_since(&places.tasks, since)
}

fn read(places: &Places, file: &Unread, staying: &BTreeSet<String>) -> Result<Read, DiskError> {
    let (volume, stamp) = (&*places.volume, file.stamp);
    let path = places.tasks.join(&file.name);
    if stamp.size > ARCHIVE_MAX as u64 {
        return Ok(Read::of(Reading::Unsound(Refusal::TooLong.to_string())));
    }
    let Some(bytes) = read_listed(volume, &path, stamp).on_disk("read", &path)? else {
        return Ok(Read::of(Reading::Changed));
    };
    let contents = match inspect_task(&bytes) {
        Ok(contents) => contents,
        Err(refusal) => return Ok(Read::of(Reading::Unsound(refusal.to_string()))),
    };
    let name = file.name.to_string_lossy();
    let draft = Draft {
        id: file.id,
        name: task_name(&name),
        archive: Archive::new(bytes),
        group: GROUP.into(),
        wishes: Wishes::default(),
        part: None,
    };
    let archive = draft.archive.clone();
    let task = task_of(draft, contents);
    let copy = match staying.contains(&*name) {
        true => {
            let folders = [places.done(), places.failed()];
            stay::find_copy(volume, &folders, &name, task.size.into(), task.sha256)?
        }
        false => None,
    };
    let mut copied = None;
    if file.how == Hold::Rewrite && copy.is_none() {
        // The same bytes again are of the same task.
        let same = file.open.filter(|(_, known)| *known == task.sha256);
        let of = same.map_or(file.id, |(task, _)| task);
        places.write_payload(of, &archive)?;
        copied = Some((of, task.sha256));
    }
    Ok(Read {
        told: Reading::Sound(Box::new(task), copy),
        archive: Hot::takes(&archive).then_some(archive),
        copied,
    })
}

/// The content that was listed; none when the file is another, or changes while it is read.
fn read_listed(volume: &Volume, path: &Path, stamp: Stamp) -> io::Result<Option<Bytes>> {
    let contents = match volume.read(path, stamp.size) {
        Err(error) if is_absent(&error) => return Ok(None),
        contents => contents?,
    };
    let is_whole = contents.bytes.len() as u64 == stamp.size;
    Ok((is_whole && contents.stamp == Some(stamp)).then_some(contents.bytes))
}
