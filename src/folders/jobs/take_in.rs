//! What comes in: listing `tasks/`, and what makes a task of a ZIP.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mutirao_actors::model::{Archive, Kind, Part, Task, TaskId, TaskName, Wishes};

use super::{MaybeEnded, Places, bring_back};
use crate::archive::TaskContents;
use crate::disk::{DiskError, Names, OnDisk as _};
use crate::folders::intake::{Glance, Listing, TASKS_MAX};
use crate::folders::stay;
use crate::folders::strangers::{Strangers, is_named_like_a_task};

/// Names that are listed before the desk hears of them: some milliseconds of work, and half a megabyte.
const PART_MAX: usize = 4096;
/// A task that came over the wire, to be written.
#[derive(Debug, Clone)]
pub(in crate::folders) struct Draft {
    pub id: TaskId,
    pub name: TaskName,
    pub archive: Archive,
    pub group: Arc<str>,
    pub wishes: Wishes,
    pub part: Option<Part>,
}

/// A look at `tasks/`, which goes on where it stopped.
#[derive(Default)]
pub(in crate::folders) struct Look {
    /// Resting files with their copies.
    resting: Vec<(OsString, PathBuf)>,
    /// What is still to be listed, once the look has begun.
    names: Option<Names>,
    awake: Arc<BTreeSet<OsString>>,
    listed: usize,
    maybe_ended: Arc<Vec<MaybeEnded>>,
    /// What else lies there.
    pub strangers: Strangers,
}

impl Look {
    /// A look that has not begun; it checks these resting files too, and first brings back the ZIPs of those that may
    /// have ended.
    pub fn new(resting: Vec<(OsString, PathBuf)>, maybe_ended: Arc<Vec<MaybeEnded>>) -> Self {
        Self {
            resting,
            maybe_ended,
            ..Self::default()
        }
    }

    /// The next part of what lies in `tasks/`.
    pub fn go_on(&mut self, places: &Places) -> Result<Listing, DiskError> {
        let mut names = match self.names.take() {
            Some(names) => names,
            None => self.begin(places)?,
        };
        let mut part = Listing {
            awake: Arc::clone(&self.awake),
            ..Listing::default()
        };
        for _ in 0..PART_MAX {
            let Some(name) = names.next() else {
                part.is_last = true;
                return Ok(part);
            };
            let name = name.on_disk("list", &places.tasks)?;
            if !is_named_like_a_task(&name) {
                self.strangers.see(name);
                continue;
            }
            if self.listed == TASKS_MAX {
                (part.is_last, part.cut) = (true, true);
                return Ok(part);
            }
            self.listed += usize::from(list(places, &name, &mut part)?);
        }
        self.names = Some(names);
        Ok(part)
    }

    fn begin(&mut self, places: &Places) -> Result<Names, DiskError> {
        bring_back(places, &self.maybe_ended)?;
        let volume = &*places.volume;
        volume.make_folder(&places.tasks)?;
        if !self.resting.is_empty() {
            let stay = stay::names(volume, &places.tasks)?;
            let rests = |name: &OsStr, copy: &Path| {
                stay.contains(&*name.to_string_lossy()) && volume.stat(copy).is_ok()
            };
            let resting = std::mem::take(&mut self.resting).into_iter();
            let awake = resting.filter(|(name, copy)| !rests(name, copy));
            self.awake = Arc::new(awake.map(|(name, _)| name).collect());
        }
        volume.list(&places.tasks).on_disk("list", &places.tasks)
    }
}

/// What lies in `tasks/` under these names now.
///
/// # Errors
/// When one of them cannot be looked at.
pub(in crate::folders) fn glance(
    places: &Places,
    names: Vec<OsString>,
) -> Result<Glance, DiskError> {
    let mut glance = Glance::default();
    for name in names {
        if !list(places, &name, &mut glance.found)? {
            glance.gone.push(name);
        }
    }
    Ok(glance)
}

/// Adds what lies there under this name; false when it is gone.
fn list(places: &Places, name: &OsStr, part: &mut Listing) -> Result<bool, DiskError> {
    let path = places.tasks.join(name);
    match places.volume.stat(&path) {
        Ok(stat) if stat.is_file => part.files.push((name.to_owned(), stat.stamp)),
        Ok(_) => {
            part.others.insert(name.to_owned());
        }
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error).on_disk("look at", &path),
    }
    Ok(true)
}

/// The name towards others: `Meu teste.ZIP` is `Meu_teste.zip`.
pub(super) fn task_name(file: &str) -> TaskName {
    TaskName::tamed(file.rsplit_once('.').map_or(file, |(stem, _)| stem))
}

/// What the submitter asks for goes before what `task.toml` says.
pub(super) fn task_of(draft: Draft, contents: TaskContents) -> Task {
    let (asked, said) = (draft.wishes, contents.wishes);
    let kind = Kind {
        code: contents.code,
        group: draft.group,
        parts: None,
        wishes: Wishes {
            time_limit: asked.time_limit.or(said.time_limit),
            retries: asked.retries.or(said.retries),
            priority: if asked.priority == 0 {
                said.priority
            } else {
                asked.priority
            },
            max_fails: asked.max_fails,
            after: asked.after,
            max_running: asked.max_running,
        },
    };
    let mut task = Task {
        id: draft.id,
        name: draft.name,
        size: u32::try_from(draft.archive.bytes().len()).unwrap_or(u32::MAX),
        nth: None,
        sha256: draft.archive.digest(),
        kind: Arc::new(kind),
    };
    task.set_part(draft.part);
    task
}
