//! What a peer does to the files of its seat: whole or not at all, and flushed.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::path::Path;

/// A file that is being written ends with this; nobody else writes in these folders.
const PART: &str = ".part";

/// Makes a folder in one that is there, so that it outlasts a power cut.
pub(super) fn make_dir(folder: &Path) -> io::Result<()> {
    match fs::create_dir(folder) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        Ok(()) => folder.parent().map_or(Ok(()), sync_dir),
        failed => failed,
    }
}

/// Writes a flushed file over an older one of that name; the name outlasts a power cut after [`sync_dir`].
pub(super) fn write(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let part = folder.join(format!("{name}{PART}"));
    let write = || {
        let mut file = File::create(&part)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&part, folder.join(name))
    };
    write().inspect_err(|_| {
        // The error that made it half a file says more than one that keeps it lying there.
        let _ = fs::remove_file(&part);
    })
}

/// The bytes of a file, but not more than `max`.
pub(super) fn read(path: &Path, max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(max).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The names in a folder, sorted; what an earlier life left half-written is removed.
pub(super) fn names(folder: &Path) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        if name.as_encoded_bytes().ends_with(PART.as_bytes()) {
            fs::remove_file(folder.join(name))?;
        } else {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Removes a file; one that is gone already is no error.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// The names in a folder outlast a power cut only after this.
pub(super) fn sync_dir(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
