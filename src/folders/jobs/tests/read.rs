use super::*;

/// Reads a file before any flush has failed.
fn read_first(places: &Places, name: &str, stamp: Stamp) -> Read {
    let file = Unread {
        name: name.into(),
        stamp,
        id: TaskId::new(),
        open: None,
        how: Hold::Flush,
    };
    let mut read = read_together(places, &[file], places.volume.mark());
    read.each.remove(0).unwrap()
}

#[test]
fn a_file_whose_flush_failed_is_held_by_a_copy_that_takes_its_place() {
    for folder_fails in [true, false] {
        let (_temp, places, disk) = ailing();
        let (stamp, id) = (put(&places, "a.zip", &zip()), TaskId::new());
        let open = (id, Digest::of(&zip()));
        // A file of an open task that holds the same bytes again is still of that task.
        let (new, open_as) = match folder_fails {
            true => (id, None),
            false => (TaskId::new(), Some(open)),
        };
        let before = places.volume.mark();
        let read = |how| {
            let file = Unread {
                name: "a.zip".into(),
                stamp,
                id: new,
                open: open_as,
                how,
            };
            let mut read = read_together(&places, &[file], before);
            match read.trouble {
                Some(trouble) => Err(trouble),
                None => read.each.remove(0),
            }
        };
        match folder_fails {
            true => disk.fail_flush_of("tasks"),
            false => disk.fail_flush_of_file("a.zip"),
        }
        read(Hold::Flush).unwrap_err();
        assert_ne!(places.volume.mark(), before, "it is heard of");
        read(Hold::Flush).unwrap_err();
        let copied = read(Hold::Rewrite).unwrap();
        assert_eq!(copied.copied, Some(open));
        assert!(matches!(copied.told, Reading::Sound(..)));
        let unlaid = Unlaid {
            task: id,
            sha256: Digest::of(&zip()),
            file: "a.zip".into(),
        };
        let laid = lay(&places, &[unlaid]).unwrap();
        assert!(matches!(laid[..], [Ok(Laid::Here(lies))] if lies.inode != stamp.inode));
        assert_eq!(fs::read(places.tasks.join("a.zip")).unwrap(), zip());
        assert_eq!(fs::read_dir(places.payloads()).unwrap().count(), 0);
    }
}

#[test]
fn files_that_are_read_together_are_each_judged_alone() {
    let (_temp, places, disk) = ailing();
    let names = ["a", "b", "c", "d", "e", "f", "gone", "odd"].map(|name| format!("{name}.zip"));
    let mut files = Vec::new();
    for name in &names {
        let bytes = if name == "odd.zip" {
            b"no ZIP".to_vec()
        } else {
            zip()
        };
        files.push(Unread {
            name: name.into(),
            stamp: put(&places, name, &bytes),
            id: TaskId::new(),
            open: None,
            how: Hold::Flush,
        });
    }
    fs::remove_file(places.tasks.join("gone.zip")).unwrap();
    disk.fail_flush_of_file("c.zip");
    files.push(Unread {
        name: "held.zip".into(),
        stamp: put(&places, "held.zip", &zip()),
        id: TaskId::new(),
        open: None,
        how: Hold::Rewrite,
    });
    let mut failed = read_together(&places, &files, places.volume.mark());
    assert!(failed.trouble.is_some());
    let held = failed.each.pop().unwrap().unwrap();
    assert!(
        held.copied.is_some(),
        "what was copied is known all the same"
    );
    for read in failed.each {
        assert!(!matches!(read.unwrap().told, Reading::Sound(..)));
    }
    files.pop();
    let told = read_together(&places, &files, places.volume.mark());
    assert!(told.trouble.is_none());
    for (name, read) in names.iter().zip(told.each) {
        let told = read.unwrap().told;
        let is_right = match name.as_str() {
            "gone.zip" => matches!(told, Reading::Changed),
            "odd.zip" => matches!(told, Reading::Unsound(_)),
            _ => matches!(told, Reading::Sound(_, None)),
        };
        assert!(is_right, "{name}: {told:?}");
    }
}

#[test]
fn what_changed_since_the_listing_is_not_read() {
    let (_temp, places) = places();
    let stamp = put(&places, "a.zip", &zip());
    let read = |name: &str, stamp| {
        let read = read_first(&places, name, stamp);
        assert_eq!(
            read.archive.is_some(),
            matches!(read.told, Reading::Sound(..))
        );
        read.told
    };
    assert!(matches!(read("a.zip", stamp), Reading::Sound(_, None)));
    let other = Stamp {
        inode: stamp.inode + 1,
        ..stamp
    };
    assert!(matches!(read("a.zip", other), Reading::Changed));
    assert!(matches!(read("gone.zip", stamp), Reading::Changed));
    std::os::unix::fs::symlink("a.zip", places.tasks.join("link.zip")).unwrap();
    assert!(matches!(read("link.zip", stamp), Reading::Changed));
}

#[test]
fn what_is_too_large_to_travel_is_no_task_and_is_not_read() {
    let (_temp, places) = places();
    put(&places, "a.zip", b"");
    let path = places.tasks.join("a.zip");
    let file = fs::File::options().write(true).open(&path).unwrap();
    file.set_len(ARCHIVE_MAX as u64 + 1).unwrap();
    let stamp = stamp(&places, &path);
    let told = read_first(&places, "a.zip", stamp).told;
    assert!(matches!(told, Reading::Unsound(why) if why.contains("64 MiB")));
}
