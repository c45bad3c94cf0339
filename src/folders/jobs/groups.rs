//! New groups of tasks get their names, which are those of their folders below `results/`.

use mutirao_actors::model::TaskName;

use super::Places;
use crate::disk::numbers::free_number;
use crate::disk::{DiskError, OnDisk as _};

/// Longest beginning of a group's name, in bytes: with two numbers behind it, its own and that of a part, it is still
/// the name of a task.
const STEM_MAX: usize = 80;
/// Numbers tried after the first that looked free: each failure means that somebody took one just then.
const CLAIMS_MAX: u64 = 64;

/// Makes the folder of a new group, `main-7` for `main.zip`, so that it outlasts a power cut, and gives its name. An
/// empty one that a crash leaves, of which nobody was told, is in nobody's way.
///
/// # Errors
/// Whatever the disk refuses.
pub(in crate::folders) fn open_group(
    places: &Places,
    name: &TaskName,
) -> Result<String, DiskError> {
    let (volume, results) = (&*places.volume, &places.results);
    let stem = name.stem();
    let stem = &stem[..stem.len().min(STEM_MAX)];
    let named = |number| format!("{stem}-{number}");
    let first = free_number(|number| volume.stat(&results.join(named(number))).is_ok());
    for number in first..first + CLAIMS_MAX {
        let group = named(number);
        if volume.make_new_folder(&results.join(&group))? {
            return Ok(group);
        }
    }
    let taken = std::io::Error::from(std::io::ErrorKind::AlreadyExists);
    Err(taken).on_disk("find a free name for a group in", results)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::sync::Arc;

    use super::*;
    use crate::disk::testing::Ailing;
    use crate::disk::{Disk, Volume};

    fn ailing() -> (tempfile::TempDir, Places, Arc<Ailing>) {
        let (temp, disk) = (tempfile::tempdir().unwrap(), Arc::new(Ailing::default()));
        let volume = Volume::new(Arc::clone(&disk) as Arc<dyn Disk>);
        let places = Places::under(temp.path(), Arc::new(volume));
        (temp, places, disk)
    }

    fn open(places: &Places, name: &str) -> String {
        open_group(places, &TaskName::tamed(name)).unwrap()
    }

    #[test]
    fn each_group_gets_a_folder_that_nobody_has() {
        let (_temp, places, _) = ailing();
        assert_eq!(open(&places, "main"), "main-1");
        fs::write(places.results.join("main-2"), "").unwrap();
        fs::create_dir(places.results.join("main-3")).unwrap();
        assert_eq!(open(&places, "main.zip"), "main-4");
        assert_eq!(open(&places, "../mão"), "_m_o-1");
        assert!(places.results.join("_m_o-1").is_dir());
    }

    #[test]
    fn groups_that_are_opened_at_a_time_get_different_names() {
        let (_temp, places, _) = ailing();
        let names: BTreeSet<String> = std::thread::scope(|scope| {
            let openers = [(); 8].map(|()| scope.spawn(|| open(&places, "main")));
            openers.map(|opener| opener.join().unwrap()).into()
        });
        assert_eq!(names.len(), 8, "{names:?}");
    }

    #[test]
    fn the_longest_name_leaves_room_for_the_number_of_a_part() {
        let (_temp, places, _) = ailing();
        let group = open(&places, &"x".repeat(300));
        let part = format!("{group}.999999.zip");
        assert_eq!(TaskName::tamed(&part).as_str(), part);
    }

    #[test]
    fn a_folder_whose_name_may_not_last_is_gone_again() {
        let (_temp, places, disk) = ailing();
        assert_eq!(open(&places, "main"), "main-1");
        disk.fail_flush_of("results");
        open_group(&places, &TaskName::tamed("main")).unwrap_err();
        assert!(!places.results.join("main-2").exists());
        assert_eq!(open(&places, "main"), "main-2");
    }
}
