use proptest::prelude::*;

use super::*;
use crate::logic::fixtures::{Line, kind_of, task};
use crate::model::TaskId;
use crate::schedulers::{Fair, Fifo, Priority, Shortest};

fn take_next<P: Policy>(queue: &mut Line<P>, of: &[Task]) -> Option<TaskId> {
    let id = queue.next(|_| true)?;
    assert!(queue.remove(&id));
    queue.handed_out(of.iter().find(|task| task.id == id).unwrap());
    Some(id)
}

#[test]
fn a_task_that_waits_already_keeps_its_place() {
    let mut queue = Line::new(Fifo);
    queue.push(&task(1));
    queue.push(&task(2));
    queue.push(&task(1));
    assert_eq!(queue.len(), 2);
    assert_eq!(queue.next(|_| true), Some(task(1).id));
}

#[test]
fn a_task_that_was_taken_out_goes_behind_the_others_when_it_comes_back() {
    let mut queue = Line::new(Fifo);
    queue.push(&task(1));
    queue.push(&task(2));
    assert!(queue.remove(&task(1).id));
    assert!(!queue.remove(&task(1).id), "it is out already");
    queue.push(&task(1));
    assert_eq!(queue.next(|_| true), Some(task(2).id));
}

#[test]
fn a_task_that_failed_goes_first() {
    let mut queue = Line::new(Fifo);
    queue.push(&task(1));
    queue.push_again(&task(2));
    queue.push(&task(3));
    queue.push_again(&task(4));
    queue.push_again(&task(1));
    for number in [2, 4, 1, 3] {
        let next = queue.next(|_| true).unwrap();
        assert_eq!(next, task(number).id);
        queue.remove(&next);
    }
}

#[test]
fn however_many_failed_what_did_not_is_within_reach_and_they_go_first_one_after_the_other() {
    let mut queue = Line::new(Fair::default());
    const FAILED: u128 = 3000;
    let mut good = task(FAILED);
    kind_of(&mut good).group = "good".into();
    for number in 0..FAILED {
        queue.push_again(&task(number));
    }
    queue.push(&good);
    assert_eq!(queue.len() as u128, FAILED + 1);
    let has_not_failed = |id: &TaskId| *id == good.id;
    assert_eq!(queue.next(has_not_failed), Some(good.id));
    assert!(queue.remove(&task(FAILED - 1).id), "wherever it stands");
    for number in 0..FAILED - 1 {
        let failed = queue.next(|id| *id != good.id).unwrap();
        assert_eq!(failed, task(number).id);
        assert!(queue.remove(&failed));
    }
    assert!(queue.remove(&good.id) && queue.queue.lanes.is_empty() && queue.queue.again == 0);
}

#[test]
fn what_the_asker_may_not_have_is_stepped_over_and_stays() {
    let mut queue = Line::new(Priority);
    let mut urgent = task(1);
    kind_of(&mut urgent).wishes.priority = 9;
    queue.push(&task(2));
    queue.push(&urgent);
    assert_eq!(queue.next(|id| *id != urgent.id), Some(task(2).id));
    assert_eq!(queue.next(|_| false), None);
    assert_eq!(queue.next(|_| true), Some(urgent.id));
    assert_eq!(queue.len(), 2);
}

#[test]
fn no_more_tasks_are_stepped_over_than_the_bound_says() {
    let mut queue = Line::new(Fifo);
    let bound = STEPS_MAX as u128;
    for number in 0..=bound {
        queue.push(&task(number));
    }
    assert_eq!(queue.next(|id| *id == task(bound).id), None);
    assert_eq!(
        queue.next(|id| *id == task(bound - 1).id),
        Some(task(bound - 1).id)
    );
}

#[test]
fn an_empty_queue_holds_no_lanes() {
    let mut queue = Line::new(Fair::default());
    for number in 0..100 {
        let mut one = task(number);
        kind_of(&mut one).group = format!("group {number}").into();
        queue.push(&one);
        queue.remove(&one.id);
        queue.handed_out(&one);
        queue.finished(&one, Duration::from_secs(1));
    }
    assert!(queue.queue.is_empty() && queue.queue.lanes.is_empty() && queue.queue.order.is_empty());
}

/// What a policy promises, said without lanes: the waiting tasks and the order of their arrival.
#[derive(Default)]
struct Naive(Vec<TaskId>);

fn grouped(number: u8) -> Task {
    let mut task = task(number.into());
    kind_of(&mut task).group = format!("group {}", number % 5).into();
    kind_of(&mut task).wishes.priority = i32::from(number % 4);
    kind_of(&mut task).code = crate::model::Digest::of(&[number % 3]);
    task
}

fn agrees_with_naive<P: Policy>(policy: P, orders: &[(u8, u8)]) -> Line<P> {
    let mut queue = Line::new(policy);
    let mut naive = Naive::default();
    for (order, number) in orders {
        let task = grouped(*number);
        match order {
            0 | 1 => {
                queue.push(&task);
                if !naive.0.contains(&task.id) {
                    naive.0.push(task.id);
                }
            }
            2 => {
                assert_eq!(queue.remove(&task.id), naive.0.contains(&task.id));
                naive.0.retain(|id| *id != task.id);
            }
            3 => queue.finished(&task, Duration::from_millis(u64::from(*number) * 7)),
            _ => {
                let next = queue.next(|_| true);
                assert_eq!(next.is_none(), naive.0.is_empty());
                if let Some(id) = next {
                    assert!(queue.remove(&id));
                    naive.0.retain(|other| *other != id);
                    queue.handed_out(&grouped(id.0.as_u128() as u8));
                }
            }
        }
        assert_eq!(queue.len(), naive.0.len());
        assert_eq!(queue.queue.order.len(), queue.queue.lanes.len());
        assert_eq!(
            queue
                .queue
                .lanes
                .values()
                .map(|lane| lane.seats(&queue.queue.places).count())
                .sum::<usize>(),
            naive.0.len()
        );
        for id in &naive.0 {
            assert_eq!(queue.next(|other| other == id), Some(*id));
        }
    }
    queue
}

proptest! {
    #[test]
    fn whatever_is_pushed_and_removed_the_queue_holds_what_a_list_would(
        orders in prop::collection::vec((0u8..5, 0u8..20), 0..80)
    ) {
        agrees_with_naive(Fifo, &orders);
        agrees_with_naive(Priority, &orders);
        agrees_with_naive(Fair::default(), &orders);
        agrees_with_naive(Shortest::default(), &orders);
    }

    #[test]
    fn whoever_waits_under_priority_the_highest_and_oldest_goes_first(
        numbers in prop::collection::btree_set(0u8..40, 1..30)
    ) {
        let tasks: Vec<Task> = numbers.into_iter().map(grouped).collect();
        let mut queue = Line::new(Priority);
        tasks.iter().for_each(|task| queue.push(task));
        let mut sorted = tasks.clone();
        sorted.sort_by_key(|task| -task.kind.wishes.priority);
        for task in sorted {
            prop_assert_eq!(take_next(&mut queue, &tasks), Some(task.id));
        }
    }
}
