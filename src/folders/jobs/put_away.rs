//! What goes out: results, and the files of tasks that ended or never were tasks.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use mutirao_actors::logic::effect::End;
use mutirao_actors::model::{Digest, TaskId};

use super::touched::Touched;
use super::unnamed::Unnamed;
use super::{Places, Refused, Settling, load};
use crate::disk::{DiskError, OnDisk as _, Part, Volume, is_absent, is_no_folder, publish};
use crate::folders::intake::{Leaving, Mark};
use crate::folders::stay;

/// What became of the file of a task that ended.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::folders) enum Shelved {
    /// It is no longer in `tasks/`; what may lie there under its name is another.
    Left,
    /// It stays, and its copy lies here.
    Stays(PathBuf),
}

/// Where the file of a task goes that ended so.
pub(super) fn shelf_of(places: &Places, end: &End) -> PathBuf {
    match end {
        End::Done => places.done(),
        End::Failed(_) | End::Cancelled(_) => places.failed(),
    }
}

/// Where files of tasks that ended go; for one batch of them.
#[derive(Debug)]
pub(in crate::folders) struct Shelves<'a> {
    places: &'a Places,
    /// Which files stay.
    staying: BTreeSet<String>,
    /// The folders that are there.
    made: BTreeSet<PathBuf>,
}

impl<'a> Shelves<'a> {
    /// As they are now.
    ///
    /// # Errors
    /// Whatever the disk refuses.
    pub fn of(places: &'a Places) -> Result<Self, DiskError> {
        Ok(Self {
            places,
            staying: stay::names(&places.volume, &places.tasks)?,
            made: BTreeSet::new(),
        })
    }

    /// Takes the file of a task that ended out of `tasks/`, or copies it if it is to stay; says which folders are to be
    /// flushed. `zip` is what a pack holds of it; it may be in `tasks/` all the same, if its pack still held others when the
    /// last life ended, and what stayed there would run once more.
    pub fn shelve(
        &mut self,
        task: &Settling,
        leaving: &Leaving,
        zip: Option<Part<'_>>,
        touched: &mut Touched,
    ) -> Result<Shelved, DiskError> {
        let folder = shelf_of(self.places, &task.end);
        let name = leaving.file.to_string_lossy();
        let (lies_as, stays) = match self.take_out(leaving, &folder, &name, touched)? {
            Some(taken) => taken,
            None => {
                let unlaid = match zip {
                    Some(zip) => Some(Unnamed::Copy(zip)),
                    None if task.may_be_unlaid => {
                        find_unlaid(self.places, task.task, leaving)?.map(Unnamed::Payload)
                    }
                    None => None,
                };
                let Some(unlaid) = unlaid else {
                    return Ok(Shelved::Left);
                };
                (self.take(unlaid, &folder, &name, touched)?, false)
            }
        };
        let note = match &task.end {
            End::Done => None,
            End::Failed(why) => Some(format!("failed: {why}\n")),
            End::Cancelled(why) => Some(format!("cancelled: {why}\n")),
        };
        if let Some(note) = note {
            explain(&self.places.volume, &folder, &lies_as, &note);
        }
        Ok(match stays {
            true => Shelved::Stays(folder.join(lies_as)),
            false => Shelved::Left,
        })
    }

    /// Takes a file out of `tasks/`, if it is still the one; under which name it lies, and whether it stays too.
    fn take_out(
        &mut self,
        leaving: &Leaving,
        folder: &Path,
        name: &str,
        touched: &mut Touched,
    ) -> Result<Option<(String, bool)>, DiskError> {
        let (volume, path) = (&*self.places.volume, self.places.tasks.join(&leaving.file));
        if !is_still(volume, &path, leaving)? {
            return Ok(None);
        }
        match leaving.sha256 {
            Some(sha256) if self.staying.contains(name) => {
                let copied = copy(volume, folder, name, &path, sha256)?;
                Ok(copied.map(|lies_as| (lies_as, true)))
            }
            _ => {
                let lies_as = self.take(Unnamed::Payload(path), folder, name, touched)?;
                Ok(Some((lies_as, false)))
            }
        }
    }

    /// Gives a file a name here.
    fn take(
        &mut self,
        unnamed: Unnamed<'_>,
        folder: &Path,
        name: &str,
        touched: &mut Touched,
    ) -> Result<String, DiskError> {
        self.make(folder)?;
        let volume = &self.places.volume;
        match unnamed {
            Unnamed::Payload(path) => {
                let lies_as = publish::move_to(volume, folder, name, &path)?;
                touched.moved(path, folder.join(&lies_as));
                Ok(lies_as)
            }
            Unnamed::Copy(mut part) => {
                let lies_as = publish::name_part(volume, folder, name, &mut part)?;
                touched.made(folder.join(&lies_as));
                Ok(lies_as)
            }
        }
    }

    fn make(&mut self, folder: &Path) -> Result<(), DiskError> {
        if !self.made.contains(folder) {
            self.places.volume.make_folder(folder)?;
            self.made.insert(folder.to_owned());
        }
        Ok(())
    }
}

/// Moves a file that is no task to `rejected/`, with a note that says why; false when it is gone or another.
pub(in crate::folders) fn reject(
    places: &Places,
    leaving: &Leaving,
    why: &str,
) -> Result<bool, DiskError> {
    let volume = &*places.volume;
    let path = places.tasks.join(&leaving.file);
    let still = is_still(volume, &path, leaving)?;
    if still {
        let mut touched = Touched::begin(volume);
        let name = publish::move_into(volume, &places.rejected(), &path)?;
        touched.moved(path, places.rejected().join(&name));
        touched.flush(volume)?;
        explain(
            volume,
            &places.rejected(),
            &name,
            &format!("rejected: {why}\n"),
        );
    }
    Ok(still)
}

/// Where the ZIP lies of a task that came over the wire, and ended before that was put into `tasks/`.
fn find_unlaid(
    places: &Places,
    task: TaskId,
    leaving: &Leaving,
) -> Result<Option<PathBuf>, DiskError> {
    let Some(payload) = leaving.sha256.map(|sha256| places.payload(task, sha256)) else {
        return Ok(None);
    };
    match places.volume.stat(&payload) {
        Ok(_) => Ok(Some(payload)),
        // Where no folder is there is no payload either.
        Err(error) if is_no_folder(&error) => Ok(None),
        Err(error) => Err(error).on_disk("look at", &payload),
    }
}

/// Whether the file is the one that is to leave: untouched, or touched but the same.
fn is_still(volume: &Volume, path: &Path, leaving: &Leaving) -> Result<bool, DiskError> {
    let stat = match volume.stat(path) {
        Err(error) if is_absent(&error) => return Ok(false),
        stat => stat.on_disk("look at", path)?,
    };
    if Mark::of(&stat.stamp) == leaving.mark {
        return Ok(true);
    }
    match leaving.sha256.map(|sha256| load(volume, path, sha256)) {
        Some(Ok(_)) => Ok(true),
        Some(Err(Refused::Disk(error))) => Err(error),
        Some(Err(Refused::Cannot(_))) | None => Ok(false),
    }
}

/// Copies a task's file, unless an earlier try did; none when the file is gone or another.
fn copy(
    volume: &Volume,
    folder: &Path,
    name: &str,
    path: &Path,
    sha256: Digest,
) -> Result<Option<String>, DiskError> {
    let archive = match load(volume, path, sha256) {
        Ok(archive) => archive,
        Err(Refused::Disk(error)) => return Err(error),
        Err(Refused::Cannot(_)) => return Ok(None),
    };
    let bytes = archive.bytes();
    let earlier = stay::find_copy(
        volume,
        &[folder.to_owned()],
        name,
        bytes.len() as u64,
        sha256,
    )?;
    if let Some(name) = earlier.as_deref().and_then(Path::file_name) {
        return Ok(Some(name.to_string_lossy().into_owned()));
    }
    publish::publish(volume, folder, name, bytes).map(Some)
}

/// Lays a note beside a file; the file is in its place, so a note that cannot be written undoes nothing.
fn explain(volume: &Volume, folder: &Path, name: &str, text: &str) {
    if let Err(error) =
        publish::publish_over(volume, folder, &format!("{name}.txt"), text.as_bytes())
    {
        tracing::warn!("{error}; the note would have said: {}", text.trim_end());
    }
}
