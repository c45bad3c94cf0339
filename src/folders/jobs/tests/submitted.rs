//! Tasks that came over the wire together: in one file, then in `tasks/`, or where they go when they ended before.

use super::*;

fn drafts(count: usize) -> Vec<Draft> {
    let one = |number: usize| Draft {
        id: TaskId::new(),
        name: TaskName::tamed(&format!("{number}.zip")),
        archive: Archive::new(script(number)),
        group: "lab".into(),
        wishes: Wishes::default(),
        part: None,
    };
    (0..count).map(one).collect()
}

fn script(number: usize) -> Vec<u8> {
    let code = number.to_string();
    pack([("main.py", code.as_bytes())], Compression::Fast).unwrap()
}

fn unlaid(draft: &Draft) -> Unlaid {
    Unlaid {
        task: draft.id,
        sha256: draft.archive.digest(),
        file: draft.name.as_str().into(),
    }
}

/// Tasks that lie in a pack.
fn packed(places: &Places, many: usize) -> (Vec<Draft>, Vec<Unlaid>) {
    packed_beside(places, many, 0)
}

/// The same, beside so many other payloads.
fn packed_beside(places: &Places, many: usize, others: usize) -> (Vec<Draft>, Vec<Unlaid>) {
    let drafts = drafts(many);
    for adopted in adopt_together(places, drafts.clone()) {
        assert!(adopted.unwrap().is_some());
    }
    assert_eq!(count(&places.payloads()), 1 + others);
    let unlaid = drafts.iter().map(unlaid).collect();
    (drafts, unlaid)
}

fn assert_laid(places: &Places, laid: Vec<Result<Laid, DiskError>>, drafts: &[Draft]) {
    for (draft, laid) in drafts.iter().zip(laid) {
        let path = places.tasks.join(draft.name.as_str());
        assert_eq!(laid.unwrap(), Laid::Here(stamp(places, &path)));
        assert_eq!(&fs::read(path).unwrap(), draft.archive.bytes());
    }
    assert_eq!(count(&places.payloads()), 0);
}

#[test]
fn tasks_that_came_together_lie_in_one_file_until_they_are_in_their_place() {
    let (_temp, places) = places();
    let mut drafts = drafts(9);
    drafts[1].archive = Archive::new("no ZIP");
    put(&places, "2.zip", b"a stranger's");
    let adopted = adopt_together(&places, drafts.clone());
    assert!(matches!(adopted[1], Err(Refused::Cannot(_))));
    assert!(matches!(adopted[2], Ok(None)), "its name is taken");
    let sound: Vec<_> = [0, 3, 4, 5, 6, 7, 8].map(|at| drafts[at].clone()).into();
    assert_eq!(count(&places.payloads()), 1);
    for draft in &sound {
        let (path, sha256) = (places.tasks.join("any"), draft.archive.digest());
        let loaded = load_unlaid(&places, draft.id, &path, sha256);
        assert_eq!(loaded.unwrap(), draft.archive);
    }
    put(&places, "4.zip", b"a later stranger's");
    let tasks: Vec<_> = sound.iter().map(unlaid).collect();
    let laid = lay(&places, &tasks).unwrap();
    assert!(matches!(laid[2], Ok(Laid::Taken(_))));
    assert_eq!(count(&places.payloads()), 1, "one has no place yet");
    let elsewhere = Unlaid {
        file: "4.2.zip".into(),
        ..unlaid(&drafts[4])
    };
    let laid = lay(&places, &[elsewhere]).unwrap();
    assert!(matches!(laid[..], [Ok(Laid::Here(_))]));
    assert_eq!(count(&places.payloads()), 0);
    assert_eq!(fs::read(places.tasks.join("8.zip")).unwrap(), script(8));
    assert_eq!(fs::read(places.tasks.join("4.2.zip")).unwrap(), script(4));
}

#[test]
fn tasks_that_find_no_room_together_are_written_one_by_one() {
    let (_temp, places, disk) = ailing();
    disk.fail_flush_of("payloads");
    let drafts = drafts(2);
    for adopted in adopt_together(&places, drafts.clone()) {
        assert!(adopted.unwrap().is_some());
    }
    // What the failed try left goes with the next start.
    assert!(count(&places.payloads()) >= 2);
    let tasks: Vec<_> = drafts.iter().map(unlaid).collect();
    for laid in lay(&places, &tasks).unwrap() {
        assert!(matches!(laid, Ok(Laid::Here(_))));
    }
}

#[test]
fn tasks_whose_copies_cannot_be_flushed_are_put_into_their_place_again() {
    for is_ill in ["files", "folder"] {
        let (_temp, places, disk) = ailing();
        let (drafts, tasks) = packed(&places, 9);
        match is_ill {
            "files" => disk.fail_batch_in("payloads"),
            _ => disk.fail_flush_of("tasks"),
        }
        lay(&places, &tasks).unwrap_err();
        assert_eq!(count(&places.tasks), 0, "{is_ill}");
        assert_laid(&places, lay(&places, &tasks).unwrap(), &drafts);
    }
}

#[test]
fn what_belongs_on_another_disk_is_copied_there() {
    let (_temp, places, disk) = ailing();
    let result = done(&places);
    let (drafts, tasks) = packed_beside(&places, 9, 1);
    disk.split();
    assert!(
        settle_alone(
            &places,
            &Settling {
                leaving: None,
                ..result
            }
        )
        .is_ok()
    );
    assert!(places.results.join("a.zip").exists());
    put(&places, "3.zip", b"a stranger's");
    let mut laid = lay(&places, &tasks).unwrap();
    assert!(matches!(laid.remove(3), Ok(Laid::Taken(_))));
    for (draft, laid) in [&drafts[..3], &drafts[4..]].concat().iter().zip(laid) {
        assert!(matches!(laid, Ok(Laid::Here(_))));
        let lies = fs::read(places.tasks.join(draft.name.as_str())).unwrap();
        assert_eq!(&lies, draft.archive.bytes());
    }
    assert_eq!(count(&places.payloads()), 1, "the one that has no place");
}

#[test]
fn a_task_that_a_crash_left_both_packed_and_in_its_place_is_there_once() {
    let (_temp, mut places) = places();
    let (drafts, tasks) = packed(&places, 3);
    put(&places, "1.zip", drafts[1].archive.bytes());
    places.packs = Arc::new(Packs::new(places.payloads(), places.damaged()));
    let mut wanted: Vec<_> = tasks.iter().map(|task| (task.task, task.sha256)).collect();
    wanted.sort_unstable();
    assert_eq!(open(&places, &wanted, true).unwrap().found, wanted);
    assert_laid(&places, lay(&places, &tasks).unwrap(), &drafts);
    assert_eq!(count(&places.tasks), 3);
}

fn cancelled(draft: &Draft) -> Settling {
    Settling {
        task: draft.id,
        name: draft.name.clone(),
        end: End::Cancelled("not needed".into()),
        kept: None,
        leaving: Some(Leaving {
            file: draft.name.as_str().into(),
            mark: Mark::of(&Stamp::default()),
            sha256: Some(draft.archive.digest()),
        }),
        may_be_unlaid: true,
    }
}

#[test]
fn a_packed_task_that_ended_before_it_was_in_its_place_is_shelved() {
    let (_temp, places) = places();
    let (drafts, tasks) = packed(&places, 2);
    let settled = settle(&places, &Plans::default(), &[cancelled(&drafts[0])]).unwrap();
    assert_eq!(settled[0].as_ref().unwrap().shelved, Shelved::Left);
    assert_eq!(fs::read(places.failed().join("0.zip")).unwrap(), script(0));
    assert_laid(&places, lay(&places, &tasks[1..]).unwrap(), &drafts[1..]);
    assert_eq!(count(&places.tasks), 2, "failed/ among them");
}

#[test]
fn a_task_that_ended_and_that_a_crash_left_both_packed_and_in_its_place_is_shelved_once() {
    let (_temp, places) = places();
    let (drafts, _) = packed(&places, 2);
    put(&places, "0.zip", drafts[0].archive.bytes());
    let settled = settle(&places, &Plans::default(), &[cancelled(&drafts[0])]).unwrap();
    assert_eq!(settled[0].as_ref().unwrap().shelved, Shelved::Left);
    assert_eq!(fs::read(places.failed().join("0.zip")).unwrap(), script(0));
    assert_eq!(count(&places.failed()), 2, "the ZIP and its note");
    assert!(!places.tasks.join("0.zip").exists(), "it would run again");
}

#[test]
fn packed_tasks_whose_records_were_lost_are_open_again() {
    let (_temp, mut places) = places();
    packed(&places, 2);
    places.packs = Arc::new(Packs::new(places.payloads(), places.damaged()));
    open(&places, &[], false).unwrap();
    let names = ["recovered.zip", "recovered.2.zip"];
    let found = names.map(|name| fs::read(places.tasks.join(name)).unwrap());
    assert!(found.contains(&script(0)) && found.contains(&script(1)));
    assert_eq!(count(&places.payloads()), 0);
}
