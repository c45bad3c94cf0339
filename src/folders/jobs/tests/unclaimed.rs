use super::*;

#[test]
fn what_nobody_claims_goes_back_when_its_move_cannot_be_flushed() {
    for (folder, zip) in [("tasks", zip()), ("unclaimed", result_zip())] {
        let (_temp, places, disk) = ailing();
        let archive = Archive::new(zip);
        places.write_payload(TaskId::new(), &archive).unwrap();
        let lies = |folder: PathBuf| fs::read_dir(folder).map_or(0, Iterator::count);
        disk.fail_flush_of(folder);
        open(&places, &[], false).unwrap_err();
        assert_eq!(lies(places.payloads()), 1);
        open(&places, &[], false).unwrap();
        let saved = lies(places.tasks.clone()) + lies(places.unclaimed());
        assert_eq!((lies(places.payloads()), saved), (0, 1), "{folder}");
    }
}

#[test]
fn a_copy_that_was_to_take_the_place_of_a_file_makes_no_second_task() {
    let (_temp, places) = places();
    let archive = Archive::new(zip());
    for same in [true, false] {
        let other = [zip(), zip()].concat();
        let lies = if same { zip() } else { other };
        fs::write(places.tasks.join("a.zip"), lies).unwrap();
        places.write_payload(TaskId::new(), &archive).unwrap();
        open(&places, &[], false).unwrap();
        assert_eq!(fs::read_dir(places.payloads()).unwrap().count(), 0);
        assert_eq!(places.tasks.join("recovered.zip").exists(), !same);
    }
}

#[test]
fn a_task_whose_record_was_lost_before_its_zip_was_in_place_is_open_again() {
    let (_temp, places) = places();
    let result = pack(
        [("stdout.txt", &b"x"[..]), ("main.py", b"")],
        Compression::Fast,
    )
    .unwrap();
    for bytes in [zip(), result] {
        let name = format!("{}-{}", Digest::of(&bytes), TaskId::new());
        fs::write(places.payloads().join(name), bytes).unwrap();
    }
    open(&places, &[], false).unwrap();
    assert_eq!(fs::read(places.tasks.join("recovered.zip")).unwrap(), zip());
    assert_eq!(fs::read_dir(places.unclaimed()).unwrap().count(), 1);
    assert_eq!(fs::read_dir(places.payloads()).unwrap().count(), 0);
}
