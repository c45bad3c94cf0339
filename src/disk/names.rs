//! Names that nobody has in a folder: the one that was wanted, or with a number before its ending (`exemplo.2.zip`).

use std::io::{self, ErrorKind};
use std::path::Path;

use super::numbers::free_number;
use super::{DiskError, OnDisk as _, Volume};

/// Longest file name that is published, in bytes: with `.txt` behind it, it fits the 255 of common file systems.
const FILE_NAME_MAX: usize = 240;
/// Names tried for one file after the first that looked free: each failure means that somebody else took one just then.
const CLAIMS_MAX: u64 = 64;

/// A name that nobody has in the folder, and for which `is_planned` does not hold: the one given, or with a number.
pub fn free_name(
    volume: &Volume,
    folder: &Path,
    name: &str,
    is_planned: impl Fn(&str) -> bool,
) -> String {
    let free = free_number(|number| {
        let name = numbered(name, number);
        is_planned(&name) || volume.stat(&folder.join(&name)).is_ok()
    });
    numbered(name, free)
}

/// The names that files of this folder got which wanted this one: itself and those with a number, of so many numbers at most;
/// some of them may have been removed since.
pub fn namesakes<'v>(
    volume: &'v Volume,
    folder: &'v Path,
    name: &'v str,
    most: u64,
) -> impl Iterator<Item = String> + 'v {
    let names = (1..=most).map(move |number| numbered(name, number));
    names.filter(move |name| volume.stat(&folder.join(name)).is_ok())
}

/// Gives a file the first name that is free, trying again when another takes it in between.
pub(super) fn claim(
    volume: &Volume,
    folder: &Path,
    name: &str,
    mut rename: impl FnMut(&Path) -> io::Result<()>,
) -> Result<String, DiskError> {
    let mut try_number = |number| {
        let name = numbered(name, number);
        let path = folder.join(&name);
        match rename(&path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(Err(error)),
            renamed => renamed
                .on_disk("name the new file", &path)
                .map(|()| Ok(name)),
        }
    };
    // Most names are free: nobody looks before.
    let mut taken = match try_number(1)? {
        Ok(name) => return Ok(name),
        Err(taken) => taken,
    };
    let first = free_number(|number| volume.stat(&folder.join(numbered(name, number))).is_ok());
    for number in first..first + CLAIMS_MAX {
        match try_number(number)? {
            Ok(name) => return Ok(name),
            Err(error) => taken = error,
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

#[cfg(test)]
mod tests {
    use super::*;

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
