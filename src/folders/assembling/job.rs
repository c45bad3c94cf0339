//! The job that puts parts of one group together, on the disk.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind};
use std::path::Path;

use mutirao_actors::wire::report::TaskState;

use super::anew::{Anew, may_replace};
use super::ending::{Ending, folder_of};
use super::older::{Next, read};
use crate::disk::{DiskError, OnDisk as _};
use crate::folders::places::Places;
use crate::folders::stay::Copies;
use crate::gather::{Gather, Whole, is_complete_in};

/// What a job is given: a group, of which parts are put in now.
pub struct Work {
    pub whole: Whole,
    pub turn: u64,
    pub anew: Anew,
    pub gather: Option<Box<Gather>>,
    pub batch: Vec<Next>,
}

/// What a job made of a group.
pub enum Assembled {
    /// It goes on, with these that are not in.
    Open(Option<Box<Gather>>, Vec<Next>),
    /// All is in, or nobody wants it.
    Over,
}

/// Puts these parts in, and shows what there is.
pub fn assemble(places: &Places, work: Work) -> (Assembled, Option<DiskError>) {
    let Work {
        whole,
        anew,
        gather,
        batch,
        ..
    } = work;
    let folder = places.results.join(&whole.group);
    let is_complete = gather.is_none() && is_complete_in(&folder);
    if !folder.is_dir() || (is_complete && !may_replace(places, &folder, &anew)) {
        return (Assembled::Over, None);
    }
    let begun = match gather {
        Some(gather) => Ok(gather),
        None if is_complete => Gather::begin_anew(&folder, whole.clone()).map(Box::new),
        None => Gather::begin(&folder, whole.clone()).map(Box::new),
    };
    let mut gather = match begun.on_disk("begin to put together", &folder) {
        Ok(gather) => gather,
        Err(error) => return (Assembled::Open(None, batch), Some(error)),
    };
    let batch = match read(places, &whole, batch) {
        Ok(batch) => batch,
        Err((error, batch)) => return (Assembled::Open(Some(gather), batch), Some(error)),
    };
    let mut left = batch.into_iter();
    let (mut trouble, mut failed) = (None, None);
    while let Some(ending) = left.as_slice().first() {
        match add(places, &mut gather, ending, &mut failed) {
            Ok(()) => drop(left.next()),
            Err(error) => {
                trouble = Some(error);
                break;
            }
        }
    }
    let shown = gather.show().on_disk("put together", &folder);
    let trouble = trouble.or(shown.err());
    match gather.is_complete() && trouble.is_none() {
        true => (Assembled::Over, None),
        false => {
            let left = left.map(|ending| Next::Known(Box::new(ending)));
            (Assembled::Open(Some(gather), left.collect()), trouble)
        }
    }
}

/// Whether nothing more comes into the folder of a group of which nothing is known: it is whole, or there is none.
pub fn nothing_is_to_come(places: &Places, group: &str) -> bool {
    let folder = folder_of(group).map(|name| places.results.join(name));
    folder.is_none_or(|folder| !folder.is_dir() || is_complete_in(&folder))
}

/// Puts a part in; `failed` is what lies where the ZIPs of those go that were not done, once that was needed.
fn add(
    places: &Places,
    gather: &mut Gather,
    ending: &Ending,
    failed: &mut Option<Copies>,
) -> Result<(), DiskError> {
    let open = |path: &Path| match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        opened => opened.map(|file| Some(BufReader::new(file))),
    };
    let result = match &ending.file {
        Some(file) => {
            let path = places.results.join(file);
            open(&path).on_disk("read", &path)?
        }
        None => None,
    };
    let task = match (ending.part.state, ending.part.input_sha256) {
        (TaskState::Done, _) | (_, None) => None,
        (_, Some(sha256)) => {
            let (name, size) = (ending.name.as_str(), u64::from(ending.size));
            let copies = match failed.take() {
                Some(copies) => copies,
                None => Copies::list(&places.volume, &[places.failed()])?,
            };
            let found = failed
                .insert(copies)
                .find(&places.volume, name, size, sha256)?;
            let opened: io::Result<_> = found.as_deref().map_or(Ok(None), open);
            opened.on_disk("read", &places.failed())?
        }
    };
    let added = gather.add(&ending.part, result, task);
    added.on_disk("put together", &places.results.join(&*ending.group))
}
