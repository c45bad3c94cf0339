use mutirao::disk::{Parts, Volume};
use mutirao_rig::dice::Dice;

use super::*;

/// What lies there after some of the ways in which the power may go.
fn after_power_cuts(write: impl Fn(&SimDisk)) -> Vec<Option<Bytes>> {
    let cut = |seed| {
        let disk = SimDisk::default();
        disk.make_dir(Path::new("a")).unwrap();
        disk.sync_dir(Path::new("")).unwrap();
        write(&disk);
        disk.lose(Loss::Power, &mut Dice::of(seed));
        disk.read(Path::new("a/b"), u64::MAX)
            .ok()
            .map(|found| found.bytes)
    };
    (0..100).map(cut).collect()
}

#[test]
fn what_was_flushed_with_its_folder_outlasts_every_power_cut() {
    let all = after_power_cuts(|disk| {
        disk.write_new(Path::new("a/b.part"), b"whole").unwrap();
        disk.rename_new(Path::new("a/b.part"), Path::new("a/b"))
            .unwrap();
        disk.sync_dir(Path::new("a")).unwrap();
    });
    assert!(all.iter().all(|found| found.as_deref() == Some(b"whole")));
}

/// Files are written together and flushed, unless the flush is `skipped`, and then they are named.
fn name_parts(disk: &SimDisk, skipped: bool) {
    let volume = Volume::new(Arc::new(disk.clone()));
    disk.ail(|ills| ills.files_unflushed = skipped);
    let mut parts = Parts::begin(&volume, Path::new("a")).unwrap();
    for bytes in [&b"another"[..], b"whole"] {
        parts.write(bytes).unwrap();
    }
    let mut parts = parts.flush().unwrap();
    let mut named = parts.pop().unwrap();
    named.rename_new(Path::new("a/b")).unwrap();
}

#[test]
fn what_was_written_together_is_whole_where_it_has_a_name() {
    let all = after_power_cuts(|disk| name_parts(disk, false));
    assert!(all.contains(&None) && all.contains(&Some(Bytes::from_static(b"whole"))));
    let is_whole = |found: &Option<Bytes>| found.as_deref().is_none_or(|bytes| bytes == b"whole");
    assert!(all.iter().all(is_whole));
    let all = after_power_cuts(|disk| name_parts(disk, true));
    assert!(!all.iter().all(is_whole), "the flush is what makes it so");
}

#[test]
fn a_name_that_was_not_flushed_may_be_gone_and_may_be_there() {
    let all = after_power_cuts(|disk| {
        disk.write_new(Path::new("a/b.part"), b"whole").unwrap();
        disk.rename_new(Path::new("a/b.part"), Path::new("a/b"))
            .unwrap();
    });
    assert!(all.contains(&None) && all.contains(&Some(Bytes::from_static(b"whole"))));
}

#[test]
fn bytes_that_were_not_flushed_may_be_torn_or_zeros() {
    let all = after_power_cuts(|disk| {
        assert!(disk.drop_file(Path::new("a/b"), Bytes::from_static(b"whole")));
        disk.sync_dir(Path::new("a")).unwrap();
    });
    for possible in [&b""[..], b"who", b"\0\0\0\0\0", b"whole"] {
        assert!(
            all.contains(&Some(Bytes::from_static(possible))),
            "{possible:?}"
        );
    }
}

#[test]
fn a_disk_that_lies_about_flushes_loses_what_it_said_it_had() {
    for folders in [false, true] {
        let all = after_power_cuts(|disk| {
            disk.ail(|ills| {
                ills.files_unflushed = !folders;
                ills.folders_unflushed = folders;
            });
            disk.write_new(Path::new("a/b"), b"whole").unwrap();
            disk.sync_dir(Path::new("a")).unwrap();
        });
        assert!(all.iter().any(|found| found.as_deref() != Some(b"whole")));
    }
}

#[test]
fn a_disk_whose_fuse_blows_does_nothing_until_it_is_revived() {
    let disk = SimDisk::default();
    disk.ail(|ills| ills.fuse = Some(1));
    assert!(disk.make_dir(Path::new("a")).unwrap());
    assert!(!disk.has_blown());
    assert!(disk.make_dir(Path::new("b")).is_err());
    assert!(disk.has_blown());
    disk.die();
    disk.lose(Loss::Process, &mut Dice::of(1));
    disk.revive();
    assert!(disk.list(Path::new("a")).is_ok() && disk.list(Path::new("b")).is_err());
}

#[test]
fn a_full_disk_takes_nothing_and_an_error_comes_once() {
    let disk = SimDisk::default();
    disk.ail(|ills| ills.full = true);
    let full = disk.write_new(Path::new("a"), b"x").unwrap_err();
    assert_eq!(full.kind(), ErrorKind::StorageFull);
    disk.ail(|ills| {
        ills.full = false;
        ills.error_after = Some(1);
    });
    assert!(disk.write_new(Path::new("a"), b"x").is_err());
    assert!(disk.write_new(Path::new("a"), b"x").is_ok());
}

#[test]
fn a_folder_whose_flush_failed_is_flushed_when_it_is_wanted_again() {
    let folder = Path::new("a/b");
    for is_another_life in [false, true] {
        for seed in 0..100 {
            let disk = SimDisk::default();
            let volume = || Volume::new(Arc::new(disk.clone()));
            let first = volume();
            disk.ail(|ills| ills.flushes_fail = true);
            first.make_folder(folder).unwrap_err();
            disk.ail(Ills::end);
            let now = if is_another_life { volume() } else { first };
            now.make_folder(folder).unwrap();
            disk.lose(Loss::Power, &mut Dice::of(seed));
            assert!(disk.list(folder).is_ok(), "seed {seed}");
        }
    }
}

#[test]
fn what_a_failed_flush_was_to_flush_no_later_one_does_unless_it_is_made_anew() {
    let broken = |disk: &SimDisk, work: &dyn Fn() -> io::Result<()>| {
        disk.ail(|ills| ills.flushes_fail = true);
        work().unwrap_err();
        disk.ail(Ills::end);
        work().unwrap();
    };
    let names = after_power_cuts(|disk| {
        disk.write_new(Path::new("a/b"), b"whole").unwrap();
        broken(disk, &|| disk.sync_dir(Path::new("a")));
    });
    assert!(names.contains(&None));
    let anew = after_power_cuts(|disk| {
        disk.write_new(Path::new("a/b"), b"whole").unwrap();
        broken(disk, &|| disk.sync_dir(Path::new("a")));
        disk.rename(Path::new("a/b"), Path::new("a/c")).unwrap();
        disk.rename(Path::new("a/c"), Path::new("a/b")).unwrap();
        disk.sync_dir(Path::new("a")).unwrap();
    });
    assert!(anew.iter().all(|found| found.as_deref() == Some(b"whole")));
    let bytes = after_power_cuts(|disk| {
        assert!(disk.drop_file(Path::new("a/b"), Bytes::from_static(b"whole")));
        disk.sync_dir(Path::new("a")).unwrap();
        broken(disk, &|| disk.sync_file(Path::new("a/b")));
    });
    assert!(bytes.iter().any(|found| found.as_deref() != Some(b"whole")));
}
