//! Results that nobody uses, for a person to look at: never in `results/`, and never so many that they fill a disk.

use std::ffi::OsString;

use mutirao_actors::model::{Archive, PeerId, Stamp};

use super::{Places, is_absent};
use crate::disk::{DiskError, OnDisk as _, publish};

/// Results that are set aside at a time: enough to see what a confused peer sends.
const FILES_MAX: usize = 64;
/// Bytes of all of them: some results of the largest size.
const BYTES_MAX: u64 = 256 << 20;

/// Lays a result aside with a note that says from whom it came and why nobody uses it; the oldest ones go for it.
pub(in crate::folders) fn set_aside(
    places: &Places,
    peer: &PeerId,
    why: &str,
    archive: &Archive,
) -> Result<(), DiskError> {
    let (volume, folder) = (&*places.volume, places.set_aside());
    make_room(places, archive.bytes().len() as u64)?;
    let name = format!("{}.zip", archive.digest());
    publish::publish_over(volume, &folder, &name, archive.bytes())?;
    let note = format!("from {peer}: {why}\n");
    publish::publish_over(volume, &folder, &format!("{name}.txt"), note.as_bytes())
}

/// Removes the oldest until one of this size fits.
fn make_room(places: &Places, size: u64) -> Result<(), DiskError> {
    let mut files = list(places)?;
    files.sort_by_key(|(stamp, _)| stamp.modified);
    let mut bytes = files.iter().map(|(stamp, _)| stamp.size).sum::<u64>() + size;
    let mut count = files.len() + 1;
    for (stamp, name) in files {
        if bytes <= BYTES_MAX && count <= FILES_MAX {
            break;
        }
        let path = places.set_aside().join(&name);
        places.volume.remove(&path)?;
        let mut note = name;
        note.push(".txt");
        let note = places.set_aside().join(note);
        if places.volume.stat(&note).is_ok() {
            places.volume.remove(&note)?;
        }
        (bytes, count) = (bytes - stamp.size, count - 1);
    }
    Ok(())
}

fn list(places: &Places) -> Result<Vec<(Stamp, OsString)>, DiskError> {
    let folder = places.set_aside();
    let names = match places.volume.list(&folder) {
        Err(error) if is_absent(&error) => return Ok(Vec::new()),
        names => names.on_disk("list", &folder)?,
    };
    let mut files = Vec::new();
    for name in names {
        let name = name.on_disk("list", &folder)?;
        if name.as_encoded_bytes().ends_with(b".zip") {
            let path = folder.join(&name);
            files.push((
                places.volume.stat(&path).on_disk("look at", &path)?.stamp,
                name,
            ));
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;

    use super::*;
    use crate::disk::Volume;

    #[test]
    fn what_is_set_aside_is_bounded_and_says_from_whom_it_came() {
        let temp = tempfile::tempdir().unwrap();
        let places = Places::under(temp.path(), Arc::new(Volume::real()));
        let peer: PeerId = "p1".parse().unwrap();
        let put = |number: usize| {
            let archive = Archive::new(number.to_string());
            set_aside(&places, &peer, "of no try", &archive).unwrap();
            places.set_aside().join(format!("{}.zip", archive.digest()))
        };
        let first = put(0);
        let note = fs::read_to_string(format!("{}.txt", first.display())).unwrap();
        assert_eq!(note, "from p1: of no try\n");
        let later = fs::File::options().write(true).open(&first).unwrap();
        later.set_modified(std::time::UNIX_EPOCH).unwrap();
        for number in 1..=FILES_MAX {
            put(number);
        }
        assert!(!first.exists(), "the oldest goes first");
        assert_eq!(
            fs::read_dir(places.set_aside()).unwrap().count(),
            2 * FILES_MAX
        );
        make_room(&places, BYTES_MAX).unwrap();
        assert_eq!(fs::read_dir(places.set_aside()).unwrap().count(), 0);
    }
}
