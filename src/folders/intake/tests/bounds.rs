use super::*;

#[test]
fn a_cut_listing_withdraws_nothing() {
    let mut stage = Stage::default();
    let id = stage.open("a.zip", 1);
    let cut = Listing {
        cut: true,
        is_last: true,
        ..Listing::default()
    };
    assert_eq!(stage.look_at(&cut), [Deed::SayFull]);
    assert_eq!(stage.look_at(&cut), [], "said once");
    assert!(stage.intake.find(id).is_some());
}

#[test]
fn no_more_batches_are_read_at_a_time_than_allowed() {
    let mut stage = Stage::default();
    for n in 0..READS_MAX * READ_FILES_MAX + 3 {
        stage.put(&format!("{n:03}.zip"), 1);
    }
    stage.look();
    stage.look();
    for _ in 0..READS_MAX {
        assert_eq!(stage.intake.next_to_read().len(), READ_FILES_MAX);
    }
    assert_eq!(stage.intake.next_to_read(), []);
    assert_eq!(stage.intake.batch_read(), [], "others are being read");
    assert_eq!(stage.intake.next_to_read().len(), 3);
}

#[test]
fn files_beside_too_many_others_are_counted_and_taken_in_when_those_are_still() {
    let mut stage = Stage::default();
    let count = MOVING_MAX + 2;
    for n in 0..count {
        stage.put(&format!("{n:06}.zip"), 1);
    }
    let look = |stage: &mut Stage| {
        stage.now = stage.now.after(STILL);
        stage.intake.begin_look();
        stage.intake.look(stage.now, &stage.listing())
    };
    let all = u32::try_from(count).unwrap();
    assert_eq!(look(&mut stage), [Deed::Count(all)]);
    assert_eq!(look(&mut stage), []);
    let mut arrived = 0;
    while let Some((name, stamp)) = stage.intake.next_ready() {
        let told = Reading::Sound(task(&name.to_string_lossy(), 1), None);
        arrived += stage.intake.read(stage.now, &name, stamp, told).len();
    }
    assert_eq!(arrived, MOVING_MAX);
    // A look sees those that are open as they were, and so has room for others.
    assert!(stage.intake.has_passed_over());
    assert_eq!(look(&mut stage), [Deed::Count(2)]);
    assert!(!stage.intake.has_passed_over());
    look(&mut stage);
    let rest = std::iter::from_fn(|| stage.intake.next_ready());
    assert_eq!(rest.count(), 2);
}

#[test]
fn a_batch_ends_with_the_file_that_makes_it_long() {
    let mut stage = Stage::default();
    for (name, size) in [("a", READ_BYTES_MAX - 1), ("b", READ_BYTES_MAX), ("c", 1)] {
        stage.put(&format!("{name}.zip"), size);
    }
    stage.look();
    stage.look();
    let sizes = std::iter::from_fn(|| Some(stage.intake.next_to_read().len()));
    assert_eq!(sizes.take(2).collect::<Vec<_>>(), [2, 1]);
}

#[test]
fn of_a_file_that_is_left_alone_only_its_task_is_remembered() {
    let mut stage = Stage::default();
    stage.open("a.zip", 1);
    assert_eq!(stage.intake.moving.len(), 1);
    stage.look();
    assert_eq!(stage.intake.moving.len(), 0);
    stage.put("A file.ZIP", 2);
    stage.read(Reading::Sound(task("A_file.zip", 2), None));
    stage.look();
    assert_eq!(stage.intake.moving.len(), 1, "its name is not the task's");
}

#[test]
fn tasks_of_a_kind_share_it() {
    let mut stage = Stage::default();
    let ids = ["a.zip", "b.zip"].map(|name| stage.open(name, 1));
    let [a, b] = ids.map(|id| Arc::clone(&stage.intake.find(id).unwrap().1.kind));
    assert!(Arc::ptr_eq(&a, &b));
}

/// Pages that the process has in memory, in bytes.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[test]
#[ignore = "measures: cargo test --lib what_a_million_queued -- --ignored --nocapture --exact --test-threads 1"]
fn what_a_million_queued_tasks_cost_in_memory() {
    use mutirao_actors::logic::dispatch::{Dispatch, Rules};
    use mutirao_actors::schedulers::Fair;

    const COUNT: usize = TASKS_MAX;
    let (before, mut intake) = (resident(), Intake::default());
    let mut mind = Dispatch::new(Fair::default(), Rules::default());
    let per_task = |what: &str| {
        let bytes = resident().saturating_sub(before) / COUNT;
        println!("{what}: {bytes} bytes a task");
    };
    for number in 0..COUNT {
        let name = format!("task-{number:07}.zip");
        let known = intake.kinds.share_in(*task(&name, 1));
        intake.recall(name.as_ref(), &known, stamp(1));
        if number + 1 == COUNT {
            per_task("tasks and intake, while they are filled");
        }
        mind.task_arrived(known, Moment(0));
    }
    per_task("tasks, intake, ledger and queue");
    for part in 0..COUNT.div_ceil(4096) {
        if part == 0 {
            intake.begin_look();
        }
        let numbers = part * 4096..COUNT.min((part + 1) * 4096);
        let listing = Listing {
            files: numbers
                .map(|number| (format!("task-{number:07}.zip").into(), stamp(1)))
                .collect(),
            is_last: (part + 1) * 4096 >= COUNT,
            ..Listing::default()
        };
        let deeds = intake.look(Moment(1), &listing);
        assert!(withdrawn(&deeds).is_empty());
    }
    per_task("after a look at all of them");
}
