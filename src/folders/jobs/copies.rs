//! Files that leave a pack: each is copied for itself, and all are flushed together.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};
use std::vec::IntoIter;

use super::Places;
use crate::disk::{DiskError, Part, Parts};
use crate::folders::packs::Key;

/// A file that may lie in a pack, and the folder into which it is to be copied.
pub(super) type Wanted = Option<(Key, PathBuf)>;
/// The copy, which has no name yet; none of what lies in no pack.
pub(super) type Copied<'a> = Option<Result<Part<'a>, DiskError>>;

/// Copies what lies in packs, in the order of asking.
///
/// # Errors
/// When the copies cannot be flushed: then none of them is left.
pub(super) fn copy_out<'a>(
    places: &'a Places,
    wanted: impl IntoIterator<Item = Wanted>,
) -> Result<Vec<Copied<'a>>, DiskError> {
    let mut folders = BTreeMap::new();
    let write = |wanted: Wanted| {
        let (key, folder) = wanted?;
        let written = write(places, &mut folders, key, &folder).transpose()?;
        Some(written.map(|()| folder))
    };
    let written: Vec<_> = wanted.into_iter().map(write).collect();
    let flush = |(folder, parts): (PathBuf, Parts<'a>)| Ok((folder, parts.flush()?.into_iter()));
    let mut flushed: BTreeMap<PathBuf, IntoIter<Part<'a>>> =
        folders.into_iter().map(flush).collect::<Result<_, _>>()?;
    let mut part_of = |folder| flushed.get_mut(&folder)?.next();
    let copied = written.into_iter().map(|written| match written? {
        Ok(folder) => part_of(folder).map(Ok),
        Err(error) => Some(Err(error)),
    });
    Ok(copied.collect())
}

/// Writes a file that lies in a pack among the parts of its folder; none when it lies in none.
fn write<'a>(
    places: &'a Places,
    folders: &mut BTreeMap<PathBuf, Parts<'a>>,
    key: Key,
    folder: &Path,
) -> Result<Option<()>, DiskError> {
    let Some(archive) = places.packs.read(&places.volume, key)? else {
        return Ok(None);
    };
    let parts = match folders.entry(folder.to_owned()) {
        Entry::Occupied(parts) => parts.into_mut(),
        Entry::Vacant(place) => place.insert(Parts::begin(&places.volume, folder)?),
    };
    parts.write(archive.bytes()).map(Some)
}
