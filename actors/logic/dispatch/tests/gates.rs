//! Tasks that wait for another, and groups of which only so many run at a time.

use std::num::NonZeroU32;
use std::sync::Arc;

use uuid::Uuid;

use super::restart::{past, read_back};
use crate::logic::effect::End;
use crate::logic::fixtures::{Desk, cancels, ends, kind_of, ours, plain, task};
use crate::logic::ledger::{Counts, State, TERMINAL_MAX};
use crate::logic::record::{OlderParts, Place, Record};
use crate::model::{Part, Stamp, Task, TaskId};

fn after(number: u128, before: u128) -> Task {
    let mut waiter = task(number);
    kind_of(&mut waiter).wishes.after = Some(task(before).id);
    waiter
}

fn task_id(number: u128) -> TaskId {
    TaskId(Uuid::from_u128(number))
}

fn one_of(number: u128, max_running: u32) -> Task {
    let mut one = task(number);
    kind_of(&mut one).group = "rows".into();
    kind_of(&mut one).wishes.max_running = NonZeroU32::new(max_running);
    one
}

fn adopted(task: &Task) -> Record {
    Record::Adopted {
        task: Arc::new(task.clone()),
        lies: Place {
            file: "task.zip".into(),
            stamp: Stamp::default(),
        },
    }
}

/// A later life, which knows these tasks and what the store was told of them.
fn restarted(desk: &mut Desk, tasks: &[Task]) -> Desk {
    let mut records: Vec<Record> = tasks.iter().map(adopted).collect();
    records.extend(desk.mind.take_news());
    let mut later = Desk::with(&[]);
    later.mind.restore(&past(read_back(records)), later.now);
    later
}

fn reasons(desk: &Desk, number: u128) -> Vec<String> {
    let waits = desk.mind.waits_for(&task(number).id, desk.now);
    waits.into_iter().map(|wait| wait.reason).collect()
}

#[test]
fn a_task_waits_until_another_is_done_however_often_that_is_tried() {
    let mut desk = Desk::with(&[&ours("a")]);
    desk.arrive(task(1));
    desk.arrive(after(2, 1));
    assert_eq!(desk.mind.queued(), 1);
    let first = desk.take(&ours("a"));
    assert!(desk.in_vain(&ours("a")));
    desk.fail(&ours("a"), &first);
    assert!(desk.in_vain(&ours("a")), "it rests");
    assert_eq!(reasons(&desk, 2), ["it waits for task-1.zip to be done"]);
    desk.pass(60);
    let again = desk.take(&ours("a"));
    assert_eq!(again.task, task(1).id);
    desk.succeed(&ours("a"), &again);
    assert!(desk.in_vain(&ours("a")), "its result is not kept yet");
    desk.kept(again.task);
    assert_eq!(desk.take(&ours("a")).task, task(2).id);
}

#[test]
fn a_task_whose_predecessor_fails_or_is_cancelled_is_cancelled_and_so_are_those_behind_it() {
    for fails in [false, true] {
        let mut desk = Desk::with(&[&ours("a")]);
        let mut once = task(1);
        kind_of(&mut once).wishes.retries = Some(0);
        desk.arrive(once);
        desk.arrive(after(2, 1));
        desk.arrive(after(3, 2));
        let effects = if fails {
            let offer = desk.take(&ours("a"));
            desk.fail(&ours("a"), &offer);
            desk.kept(offer.task)
        } else {
            desk.mind.task_withdrawn(&task(1).id, "enough".into())
        };
        let how = if fails { "failed" } else { "was cancelled" };
        let whys = [
            format!("task-1.zip, for which it waited, {how}"),
            "task-2.zip, for which it waited, was cancelled".to_owned(),
        ];
        assert_eq!(ends(&effects)[1..], whys.map(End::Cancelled));
        let effects = desk.arrive(after(4, 1));
        assert!(
            matches!(ends(&effects)[..], [End::Cancelled(_)]),
            "too late"
        );
        assert_eq!(desk.mind.ledger().counts().open(), 0);
    }
}

#[test]
fn a_chain_of_any_length_ends_with_its_first_task() {
    const LENGTH: u128 = 20_000;
    let mut desk = Desk::with(&[]);
    desk.arrive(task(1));
    (2..=LENGTH).for_each(|number| drop(desk.arrive(after(number, number - 1))));
    let effects = desk.mind.task_withdrawn(&task(1).id, "enough".into());
    assert_eq!(ends(&effects).len() as u128, LENGTH);
}

#[test]
fn many_that_wait_for_one_keep_their_order_and_nobody_steps_over_them() {
    const WAITERS: u128 = 3000;
    let mut desk = Desk::with(&[&ours("a")]);
    desk.arrive(task(1));
    (2..2 + WAITERS).for_each(|number| drop(desk.arrive(after(number, 1))));
    desk.arrive(task(9999));
    let first = desk.take(&ours("a"));
    let other = desk.take(&ours("a"));
    assert_eq!(
        other.task,
        task(9999).id,
        "more are held than are stepped over"
    );
    desk.mind.task_withdrawn(&task(3).id, "not this one".into());
    desk.succeed(&ours("a"), &first);
    desk.kept(first.task);
    assert_eq!(desk.mind.queued() as u128, WAITERS - 1);
    for number in [2, 4, 5] {
        assert_eq!(desk.take(&ours("a")).task, task(number).id);
    }
}

#[test]
fn what_waits_for_another_waits_on_after_a_restart_and_comes_when_that_ended_before_it() {
    for is_done in [false, true] {
        let mut desk = Desk::with(&[&ours("a")]);
        let tasks = [task(1), after(2, 1)];
        tasks
            .iter()
            .for_each(|task| drop(desk.arrive(task.clone())));
        if is_done {
            let offer = desk.take(&ours("a"));
            desk.succeed(&ours("a"), &offer);
            desk.kept(offer.task);
        }
        let mut desk = restarted(&mut desk, &tasks);
        desk.join(&ours("a"));
        let next = if is_done { 2 } else { 1 };
        assert_eq!(desk.take(&ours("a")).task, task(next).id);
        assert!(desk.in_vain(&ours("a")));
    }
}

#[test]
fn what_was_written_down_behind_the_end_of_its_predecessor_ends_after_a_restart() {
    let mut desk = Desk::with(&[]);
    desk.arrive(task(1));
    desk.mind.task_withdrawn(&task(1).id, "enough".into());
    let mut desk = restarted(&mut desk, &[task(1), after(2, 1)]);
    let ended = ends(&desk.pass(1));
    assert!(matches!(ended[..], [End::Cancelled(_)]), "{ended:?}");
}

#[test]
fn of_a_group_no_more_run_than_its_tasks_wish_and_others_are_not_kept_from_it() {
    let mut desk = Desk::with(&[&ours("a"), &ours("b")]);
    (1..=2000).for_each(|number| drop(desk.arrive(one_of(number, 2))));
    desk.arrive(task(9999));
    let offers = [(); 3].map(|()| desk.take(&ours("a")));
    assert_eq!(
        offers[2].task,
        task(9999).id,
        "more are held than are stepped over"
    );
    assert!(desk.in_vain(&ours("b")));
    let held = "of group rows 2 run or are next, and at most 2 may";
    assert_eq!(reasons(&desk, 3), [held]);
    // However a lease ends, another takes its room.
    desk.succeed(&ours("a"), &offers[0]);
    desk.kept(offers[0].task);
    let third = desk.take(&ours("b"));
    assert_eq!(third.task, task(3).id);
    assert!(desk.in_vain(&ours("b")));
    desk.leave(&ours("b"), false);
    assert_eq!(desk.take(&ours("a")).task, task(4).id);
    desk.mind.task_withdrawn(&offers[1].task, "enough".into());
    assert_eq!(desk.take(&ours("a")).task, task(5).id);
    assert!(desk.in_vain(&ours("a")));
}

#[test]
fn what_failed_of_a_group_comes_before_what_was_not_tried_as_soon_as_there_is_room() {
    let mut desk = Desk::with(&[&ours("a"), &ours("b")]);
    (1..=9).for_each(|number| drop(desk.arrive(one_of(number, 1))));
    let first = desk.take(&ours("a"));
    desk.fail(&ours("a"), &first);
    let second = desk.take(&ours("b"));
    assert_eq!(second.task, task(2).id, "the first one rests");
    desk.pass(60);
    assert!(desk.in_vain(&ours("b")));
    desk.succeed(&ours("b"), &second);
    desk.kept(second.task);
    assert_eq!(desk.take(&ours("b")).task, first.task);
}

#[test]
fn what_runs_of_a_group_is_counted_on_after_a_restart() {
    let mut desk = Desk::with(&[&ours("a")]);
    let tasks = [one_of(1, 1), one_of(2, 1)];
    tasks
        .iter()
        .for_each(|task| drop(desk.arrive(task.clone())));
    desk.take(&ours("a"));
    let mut desk = restarted(&mut desk, &tasks);
    desk.join(&ours("b"));
    assert!(desk.in_vain(&ours("b")));
    desk.pass(61);
    assert!(matches!(
        desk.state(task(1).id),
        State::Resting | State::Waiting
    ));
    assert_eq!(desk.take(&ours("b")).task, task(2).id);
}

#[test]
fn whoever_comes_back_with_a_task_takes_the_room_of_one_that_only_stands_in_the_queue() {
    let mut desk = Desk::with(&[&ours("a")]);
    let offer = {
        desk.arrive(one_of(1, 1));
        desk.take(&ours("a"))
    };
    desk.arrive(one_of(2, 1));
    desk.leave(&ours("a"), false);
    assert_eq!(desk.mind.queued(), 1);
    desk.join_with(&ours("a"), 2, Some(&[(offer.task, offer.attempt)]));
    assert!(matches!(desk.state(offer.task), State::Leased(_)));
    assert_eq!(desk.mind.queued(), 0);
    assert!(desk.in_vain(&ours("a")));
    assert_eq!(cancels(&desk.pass(1)), []);
}

#[test]
fn whoever_owes_a_result_gets_its_task_once_more_only_when_its_group_has_room() {
    let mut desk = Desk::with(&[&plain("a"), &ours("b")]);
    desk.arrive(one_of(1, 1));
    desk.arrive(one_of(2, 1));
    let first = desk.take(&plain("a"));
    assert!(desk.in_vain(&plain("a")), "it came back without a result");
    let second = desk.take(&ours("b"));
    desk.pass(60);
    assert!(desk.in_vain(&plain("a")));
    desk.succeed(&ours("b"), &second);
    desk.kept(second.task);
    desk.leave(&ours("b"), true);
    assert_eq!(desk.take(&plain("a")).task, first.task);
}

#[test]
fn how_a_group_stands_is_counted_on_after_a_restart_with_the_parts_that_are_not_remembered() {
    let parts = [0, 1, 2].map(|number| {
        let mut part = task(u128::from(number) + 1);
        part.set_part(Part::new(number, 5));
        part
    });
    let mut desk = Desk::with(&[&ours("a")]);
    for part in &parts {
        desk.arrive(part.clone());
    }
    let offers = [(); 2].map(|()| desk.take(&ours("a")));
    desk.succeed(&ours("a"), &offers[0]);
    desk.kept(offers[0].task);
    let before = desk.mind.ledger().tallies().find("last").unwrap().1.counts;
    assert_eq!((before.queued, before.leased, before.done), (1, 1, 1));
    let mut records: Vec<Record> = parts.iter().map(adopted).collect();
    records.extend(desk.mind.take_news());
    let failed = Counts {
        failed: 2,
        ..Counts::default()
    };
    let mut past = past(read_back(records));
    let older = |group: &str| OlderParts {
        group: group.into(),
        counts: failed,
        parts: 5,
        tasks: Vec::new(),
    };
    past.older_parts = vec![older("all"), older("long over")];
    let mut desk = Desk::with(&[]);
    desk.mind.restore(&past, desk.now);
    let (name, tally) = desk.mind.ledger().tallies().find("last").unwrap();
    assert_eq!(
        (&**name, tally.counts),
        (
            "all",
            Counts {
                failed: 2,
                ..before
            }
        )
    );
    assert!(!tally.is_complete());
    let effects = desk.mind.group_withdrawn("all", "enough");
    assert_eq!(ends(&effects).len(), 2);
    assert!(
        desk.mind
            .ledger()
            .tallies()
            .find("all")
            .unwrap()
            .1
            .is_complete()
    );
}

#[test]
fn how_a_task_ended_is_known_to_those_that_wait_for_it_however_many_ended_since() {
    for fails in [false, true] {
        let mut desk = Desk::with(&[&ours("a")]);
        desk.arrive(task(1));
        if fails {
            desk.mind.task_withdrawn(&task(1).id, "enough".into());
        } else {
            let canary = desk.take(&ours("a"));
            desk.succeed(&ours("a"), &canary);
            desk.kept(canary.task);
        }
        let mut row = after(2, 1);
        for number in 2..TERMINAL_MAX as u128 + 9 {
            row.id = task_id(number);
            desk.arrive(row.clone());
            desk.mind.task_withdrawn(&row.id, "enough".into());
            desk.mind.take_news();
        }
        assert!(desk.mind.ledger().get(&task(1).id).is_none());
        assert!(desk.mind.may_lead(&task(1).id));
        let late = after(999_999, 1);
        let is_cancelled = !ends(&desk.arrive(late.clone())).is_empty();
        assert_eq!(is_cancelled, fails);
        assert_eq!(desk.mind.queued(), usize::from(!fails));
    }
}
