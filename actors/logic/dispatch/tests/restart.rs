//! The master's restart: what was leased stays leased for a while, and who comes back goes on.

use crate::logic::effect::{Effect, End, Verdict};
use crate::logic::fault::Fault;
use crate::logic::fixtures::{Desk, ends, kind_of, ours, ours_in_life, plain, task, verdicts};
use crate::logic::ledger::Counts;
use crate::logic::record::{Conflict, Fate, Past, Place, Record, Remembered};
use crate::model::{Attempt, Endpoint, Stamp, Task};
use std::sync::Arc;

/// What the records of a desk's life give back, by the plainest of stores.
pub(super) fn read_back(records: Vec<Record>) -> Vec<Remembered> {
    let mut tasks: Vec<Remembered> = Vec::new();
    for record in records {
        let id = match &record {
            Record::Drained { .. } => continue,
            Record::Adopted { task, .. } => task.id,
            Record::Leased { task, .. }
            | Record::TakenUp { task, .. }
            | Record::TryEnded { task, .. }
            | Record::Ended { task, .. }
            | Record::Reopened { task }
            | Record::Retried { task }
            | Record::Settled { task, .. }
            | Record::Conflict { task, .. } => *task,
        };
        let at = tasks.iter().position(|known| known.task.id == id);
        match (record, at.map(|at| &mut tasks[at])) {
            (Record::Adopted { task, lies }, None) => tasks.push(Remembered::untried(task, lies)),
            (
                Record::Leased {
                    attempt,
                    name,
                    holder,
                    ..
                },
                Some(known),
            ) => {
                known.course.told().fate = Fate::Leased(attempt);
                known.course.told().tries.push(crate::logic::ledger::Tried {
                    attempt,
                    name,
                    holder,
                    fault: None,
                    refusals: 0,
                });
            }
            (
                Record::TakenUp {
                    attempt, holder, ..
                },
                Some(known),
            ) => {
                known.course.told().fate = Fate::Leased(attempt);
                let tried = known
                    .course
                    .told()
                    .tries
                    .iter_mut()
                    .find(|tried| tried.attempt == attempt);
                let tried = tried.unwrap();
                (tried.holder, tried.fault) = (holder, None);
            }
            (Record::TryEnded { attempt, fault, .. }, Some(known)) => {
                if known.course.fate == Fate::Leased(attempt) {
                    known.course.told().fate = Fate::Queued;
                }
                let tried = known
                    .course
                    .told()
                    .tries
                    .iter_mut()
                    .find(|tried| tried.attempt == attempt);
                tried.unwrap().fault = Some(fault);
            }
            (Record::Ended { fate, .. }, Some(known)) => known.course.told().fate = fate,
            (Record::Reopened { .. }, Some(known)) => known.course.told().fate = Fate::Queued,
            (Record::Retried { .. }, Some(known)) => {
                known.course.told().fate = Fate::Queued;
                for tried in &mut known.course.told().tries {
                    tried.fault = tried.fault.take().map(Fault::forgiven);
                }
            }
            (
                Record::Conflict {
                    attempt,
                    peer,
                    sha256,
                    ..
                },
                Some(known),
            ) => known.course.told().conflicts.push(Conflict {
                attempt,
                peer,
                sha256,
            }),
            (record, _) => panic!("{record:?} of a task that is not known"),
        }
    }
    tasks
}

pub(super) fn past(tasks: Vec<Remembered>) -> Past {
    let counts = Counts::default();
    let is_whole = true;
    Past {
        tasks,
        counts,
        is_whole,
        older_parts: Vec::new(),
        drained: Vec::new(),
    }
}

/// The same desk in its next life, a minute and more of whose wall time may have gone by.
pub(super) fn restarted(desk: &mut Desk, tasks: u128) -> Desk {
    let adopted = (1..=tasks).map(|number| Record::Adopted {
        task: Arc::new(task(number)),
        lies: Place {
            file: format!("task-{number}.zip").as_str().into(),
            stamp: Stamp::default(),
        },
    });
    let records = adopted.chain(desk.mind.take_news()).collect();
    let mut next = Desk::with(&[]);
    next.mind.restore(&past(read_back(records)), next.now);
    next
}

fn rejoin(desk: &mut Desk, peer: &Endpoint, holds: &[(u128, u32)]) -> Vec<Effect> {
    let holds: Vec<_> = holds
        .iter()
        .map(|(number, attempt)| (task(*number).id, Attempt(*attempt)))
        .collect();
    desk.join_with(peer, 1, Some(&holds))
}

#[test]
fn what_a_peer_runs_is_not_run_again_when_the_peer_comes_back_in_time() {
    let mut before = Desk::with(&[&ours("a")]);
    before.arrive(task(1));
    let offer = before.take(&ours("a"));
    let mut desk = restarted(&mut before, 1);
    desk.join(&ours("b"));
    assert_eq!(desk.ask(&ours("b")).len(), 1, "nothing waits");
    desk.pass(50);
    rejoin(&mut desk, &ours("a"), &[(1, 1)]);
    desk.pass(50_000);
    assert_eq!(desk.entry(offer.task).story.tries.len(), 1);
    desk.succeed(&ours("a"), &offer);
    assert_eq!(verdicts(&desk.kept(offer.task)), [Verdict::Taken]);
}

#[test]
fn a_peer_that_does_not_come_back_has_lost_its_task() {
    let mut before = Desk::with(&[&ours("a")]);
    before.arrive(task(1));
    let offer = before.take(&ours("a"));
    let mut desk = restarted(&mut before, 1);
    desk.pass(61);
    assert_eq!(desk.entry(offer.task).story.losses, 1);
    desk.join(&ours("b"));
    let again = desk.take(&ours("b"));
    assert_eq!(again.attempt, Attempt(2), "a number is never given twice");
}

#[test]
fn a_peer_that_comes_back_without_its_task_never_got_it() {
    let mut before = Desk::with(&[&ours("a")]);
    before.arrive(task(1));
    before.take(&ours("a"));
    let mut desk = restarted(&mut before, 1);
    rejoin(&mut desk, &ours("a"), &[]);
    assert_eq!(desk.entry(task(1).id).story.losses, 0);
    desk.pass(1);
    assert_eq!(desk.take(&ours("a")).attempt, Attempt(2));
}

#[test]
fn a_new_life_of_the_peer_that_kept_the_result_hands_it_in() {
    let mut before = Desk::with(&[&ours("a")]);
    before.arrive(task(1));
    let offer = before.take(&ours("a"));
    let mut desk = restarted(&mut before, 1);
    let reborn = ours_in_life("a", 2);
    rejoin(&mut desk, &reborn, &[(1, 1)]);
    desk.pass(50_000);
    desk.succeed(&reborn, &offer);
    assert_eq!(verdicts(&desk.kept(offer.task)), [Verdict::Taken]);
    assert_eq!(desk.entry(offer.task).story.tries.len(), 1);
}

#[test]
fn a_result_that_was_taken_before_the_restart_is_answered_as_taken() {
    let mut before = Desk::with(&[&ours("a")]);
    before.arrive(task(1));
    let offer = before.take(&ours("a"));
    before.succeed(&ours("a"), &offer);
    before.kept(offer.task);
    let mut desk = restarted(&mut before, 1);
    let unwanted = rejoin(&mut desk, &ours("a"), &[(1, 1)]);
    assert!(matches!(unwanted[..], [Effect::Cancel(..)]));
    let effects = desk.succeed(&ours("a"), &offer);
    assert_eq!(verdicts(&effects), [Verdict::TakenBefore]);
    assert_eq!(desk.mind.ledger().counts().done, 1);
}

#[test]
fn failures_count_on_over_a_restart() {
    let mut desk = Desk::with(&[&ours("a")]);
    desk.arrive(task(1));
    let mut records = Vec::new();
    for _ in 0..2 {
        let offer = desk.take(&ours("a"));
        desk.fail(&ours("a"), &offer);
        desk.pass(60);
        records.extend(desk.mind.take_news());
    }
    assert!(matches!(
        records[1],
        Record::TryEnded {
            fault: Fault::Run(_),
            ..
        }
    ));
    let adopted = Record::Adopted {
        task: Arc::new(task(1)),
        lies: Place {
            file: "task-1.zip".into(),
            stamp: Stamp::default(),
        },
    };
    let known = read_back([adopted].into_iter().chain(records).collect());
    let mut desk = Desk::with(&[]);
    desk.mind.restore(&past(known), desk.now);
    desk.join(&ours("a"));
    let offer = desk.take(&ours("a"));
    desk.fail(&ours("a"), &offer);
    assert!(matches!(ends(&desk.kept(offer.task))[..], [End::Failed(_)]));
}

#[test]
fn a_plain_peer_may_hand_in_by_name_what_it_was_given_before_the_restart() {
    let mut before = Desk::with(&[&plain("a")]);
    before.arrive(task(1));
    let offer = before.take(&plain("a"));
    let mut desk = restarted(&mut before, 1);
    desk.succeed(&plain("a"), &offer);
    assert_eq!(verdicts(&desk.kept(offer.task)), [Verdict::Taken]);
}

#[test]
fn what_waited_waits_in_the_same_order() {
    let mut before = Desk::with(&[]);
    for number in 1..=3 {
        before.arrive(task(number));
    }
    let mut desk = restarted(&mut before, 3);
    desk.join(&ours("a"));
    for number in 1..=3 {
        assert_eq!(desk.take(&ours("a")).task, task(number).id);
    }
}

/// A row of a group that gives up when a second one fails, each at once, and its record.
fn row(number: u128) -> (Task, Record) {
    let mut row = task(number);
    kind_of(&mut row).wishes.retries = Some(0);
    kind_of(&mut row).wishes.max_fails = Some(1);
    let adopted = Record::Adopted {
        task: Arc::new(row.clone()),
        lies: Place {
            file: "task.zip".into(),
            stamp: Stamp::default(),
        },
    };
    (row, adopted)
}

/// The next task fails for good.
fn fail_one(desk: &mut Desk, peer: &Endpoint) -> Vec<End> {
    let offer = desk.take(peer);
    desk.fail(peer, &offer);
    ends(&desk.kept(offer.task))
}

#[test]
fn what_failed_of_a_group_counts_on_over_a_restart() {
    let mut desk = Desk::with(&[&ours("a"), &ours("b")]);
    let (rows, mut records): (Vec<_>, Vec<_>) = (1..=4).map(row).unzip();
    rows.into_iter().for_each(|row| drop(desk.arrive(row)));
    desk.take(&ours("b"));
    assert_eq!(fail_one(&mut desk, &ours("a")).len(), 1);
    records.extend(desk.mind.take_news());
    let mut desk = Desk::with(&[]);
    desk.mind.restore(&past(read_back(records)), desk.now);
    desk.join(&ours("a"));
    let ends = fail_one(&mut desk, &ours("a"));
    assert!(
        matches!(
            ends[..],
            [End::Failed(_), End::Cancelled(_), End::Cancelled(_)]
        ),
        "{ends:?}"
    );
}

#[test]
fn what_failed_of_a_group_that_is_over_does_not_count_against_the_next_of_its_name() {
    for restarts in [false, true] {
        let mut desk = Desk::with(&[&ours("a")]);
        let (old, record) = row(1);
        let mut records = vec![record];
        desk.arrive(old);
        assert_eq!(fail_one(&mut desk, &ours("a")).len(), 1);
        records.extend(desk.mind.take_news());
        let (rows, adopted): (Vec<_>, Vec<_>) = (2..=4).map(row).unzip();
        records.extend(adopted);
        if restarts {
            desk = Desk::with(&[]);
            desk.mind.restore(&past(read_back(records)), desk.now);
            desk.join(&ours("a"));
        } else {
            rows.into_iter().for_each(|row| drop(desk.arrive(row)));
        }
        let ends = fail_one(&mut desk, &ours("a"));
        assert!(matches!(ends[..], [End::Failed(_)]), "{restarts}: {ends:?}");
    }
}

#[test]
fn our_restarts_are_no_failures_of_what_plain_peers_had() {
    let mut desk = Desk::with(&[&plain("a")]);
    desk.arrive(task(1));
    let mut records = vec![Record::Adopted {
        task: Arc::new(task(1)),
        lies: Place {
            file: "task-1.zip".into(),
            stamp: Stamp::default(),
        },
    }];
    for life in 1..=9 {
        assert_eq!(desk.take(&plain("a")).attempt, Attempt(life));
        records.extend(desk.mind.take_news());
        desk = Desk::with(&[]);
        let past = past(read_back(records.clone()));
        desk.mind.restore(&past, desk.now);
        desk.join(&plain("a"));
        assert!(desk.in_vain(&plain("a")), "it rests");
        desk.pass(1);
        let entry = desk.entry(task(1).id);
        assert_eq!((entry.story.failures, entry.story.losses), (0, 0));
    }
    desk.take(&plain("a"));
    desk.ask(&plain("a"));
    assert_eq!(
        desk.entry(task(1).id).story.failures,
        1,
        "that one was of this life"
    );
}
