//! New groups of tasks get their names, which are those of their folders below `results/`.

use std::collections::BTreeSet;

use mutirao_actors::model::TaskName;

use super::Places;
use crate::disk::numbers::free_number;
use crate::disk::{DiskError, OnDisk as _};

/// Longest beginning of a group's name, in bytes: with two numbers behind it, its own and that of a part, it is still
/// the name of a task.
const STEM_MAX: usize = 80;
/// Numbers tried after the first that looked free: each failure means that somebody took one just then.
const CLAIMS_MAX: usize = 64;

/// What the names of groups begin with that are made for tasks of this name.
fn stem_of(name: &TaskName) -> &str {
    let stem = name.stem();
    &stem[..stem.len().min(STEM_MAX)]
}

/// The numbers of those of these groups that are named like a new one.
pub(in crate::folders) fn numbers<'a>(
    name: &TaskName,
    groups: impl Iterator<Item = &'a str>,
) -> BTreeSet<u64> {
    let number_of = |group: &str| {
        let number = group.strip_prefix(stem_of(name))?.strip_prefix('-')?;
        number.parse().ok()
    };
    groups.filter_map(number_of).collect()
}

/// Makes the folder of a new group, `main-7` for `main.zip`, so that it outlasts a power cut, and gives its name: none
/// whose number is taken. An empty one that a crash leaves, of which nobody was told, is in nobody's way.
///
/// # Errors
/// Whatever the disk refuses.
pub(in crate::folders) fn open_group(
    places: &Places,
    name: &TaskName,
    taken: &BTreeSet<u64>,
) -> Result<String, DiskError> {
    let (volume, results) = (&*places.volume, &places.results);
    let stem = stem_of(name);
    let named = |number| format!("{stem}-{number}");
    let lies = |number| volume.stat(&results.join(named(number))).is_ok();
    let first = free_number(|number| taken.contains(&number) || lies(number));
    let free = (first..).filter(|number| !taken.contains(number));
    for number in free.take(CLAIMS_MAX) {
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
        open_group(places, &TaskName::tamed(name), &BTreeSet::new()).unwrap()
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
    fn a_name_that_is_known_is_given_to_no_second_group_though_its_folder_is_gone() {
        let (_temp, places, _) = ailing();
        let name = TaskName::tamed("main");
        let known = [
            "main-1", "main-2", "main-10", "main-x", "main", "other-99", "main-1.5",
        ];
        let taken = numbers(&name, known.into_iter());
        assert_eq!(taken, BTreeSet::from([1, 2, 10]));
        for expected in ["main-3", "main-4"] {
            assert_eq!(open_group(&places, &name, &taken).unwrap(), expected);
        }
        assert!(numbers(&TaskName::tamed("new"), known.into_iter()).is_empty());
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
        open_group(&places, &TaskName::tamed("main"), &BTreeSet::new()).unwrap_err();
        assert!(!places.results.join("main-2").exists());
        assert_eq!(open(&places, "main"), "main-2");
    }
}
