//! Results that nobody uses, for a person to look at: never in `results/`, and never so many that they fill a disk.

use mutirao_actors::model::{Archive, PeerId};

use super::Places;
use crate::disk::{DiskError, publish};
use crate::folders::aside::make_room;

/// Lays a result aside with a note that says from whom it came and why nobody uses it; the oldest ones go for it.
pub(in crate::folders) fn set_aside(
    places: &Places,
    peer: &PeerId,
    why: &str,
    archive: &Archive,
) -> Result<(), DiskError> {
    let (volume, folder) = (&*places.volume, places.set_aside());
    make_room(volume, &folder, archive.bytes().len() as u64)?;
    let name = format!("{}.zip", archive.digest());
    publish::publish_over(volume, &folder, &name, archive.bytes())?;
    let note = format!("from {peer}: {why}\n");
    publish::publish_over(volume, &folder, &format!("{name}.txt"), note.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;

    use super::*;
    use crate::disk::Volume;
    use crate::folders::aside::{BYTES_MAX, FILES_MAX};

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
        make_room(&places.volume, &places.set_aside(), BYTES_MAX).unwrap();
        assert_eq!(fs::read_dir(places.set_aside()).unwrap().count(), 0);
    }
}
