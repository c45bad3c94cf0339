use std::sync::Arc;

use super::*;
use crate::logic::fixtures::{ours, plain, task};

fn failed() -> State {
    State::Failed {
        why: "it".into(),
        output: None,
    }
}

#[test]
fn the_counts_follow_each_move_and_add_up() {
    let mut ledger = Ledger::default();
    for number in 1..=4 {
        assert!(ledger.insert(Arc::new(task(number))));
    }
    assert!(!ledger.insert(Arc::new(task(1))), "it is here already");
    ledger.set(&task(1).id, failed());
    ledger.set(&task(2).id, State::Cancelled { why: "no".into() });
    ledger.set(&task(3).id, State::Resting);
    let lease = Lease {
        attempt: Attempt(1),
        holder: ours("a"),
        granted: Moment(0),
        deadline: None,
        confirmed: true,
    };
    ledger.set(&task(4).id, State::Leased(lease));
    let expected = Counts {
        queued: 1,
        leased: 1,
        done: 0,
        failed: 1,
        cancelled: 1,
    };
    assert_eq!(ledger.counts(), expected);
    assert_eq!(ledger.counts().open(), 2);
}

#[test]
fn a_terminal_task_does_not_move() {
    let mut ledger = Ledger::default();
    ledger.insert(Arc::new(task(1)));
    assert_eq!(ledger.set(&task(1).id, failed()), Some(State::Waiting));
    assert_eq!(ledger.set(&task(1).id, State::Waiting), None);
    assert_eq!(ledger.set(&task(2).id, State::Waiting), None, "unknown");
    assert_eq!(ledger.counts().failed, 1);
    assert_eq!(ledger.newest_terminal().count(), 1);
}

#[test]
fn no_two_tries_share_a_name_whatever_the_tasks_are_called() {
    let mut ledger = Ledger::default();
    let mut seen = std::collections::HashSet::new();
    for number in 1..=20 {
        let mut one = task(number);
        // The second try of one is called as the first of another.
        one.name = ["exemplo.zip", "exemplo.2.zip", "exemplo.3.zip"][number as usize % 3]
            .parse()
            .unwrap();
        ledger.insert(Arc::new(one));
    }
    for _ in 0..5 {
        for number in 1..=20 {
            let tried = ledger.begin_try(&task(number).id, &plain("p")).unwrap();
            assert!(seen.insert(tried.name.clone()), "{}", tried.name);
            assert_eq!(
                ledger.named(tried.name.as_str()),
                Some((task(number).id, tried.attempt))
            );
        }
    }
}

#[test]
fn the_first_try_goes_by_the_tasks_own_name_and_the_second_has_a_number() {
    let mut ledger = Ledger::default();
    ledger.insert(Arc::new(task(1)));
    let names = [(); 3].map(|()| ledger.begin_try(&task(1).id, &ours("a")).unwrap());
    let names = names.map(|tried| (tried.attempt.0, tried.name.to_string()));
    let expected = [(1, "task-1.zip"), (2, "task-1.2.zip"), (3, "task-1.3.zip")];
    assert_eq!(
        names.each_ref().map(|(attempt, name)| (*attempt, &**name)),
        expected
    );
}

#[test]
fn only_a_handed_out_name_is_known() {
    let mut ledger = Ledger::default();
    ledger.insert(Arc::new(task(1)));
    assert_eq!(ledger.named("task-1.zip"), None, "not handed out yet");
    ledger.begin_try(&task(1).id, &ours("a"));
    for decorated in [
        "result_task-1.zip",
        "task-1.zip_result.zip",
        "task-1",
        "TASK-1.zip",
        "",
    ] {
        assert_eq!(ledger.named(decorated), None, "{decorated}");
    }
}

#[test]
fn the_oldest_terminal_tasks_are_forgotten_with_their_names() {
    let mut ledger = Ledger::default();
    let mut first = task(0);
    first.name = "same.zip".parse().unwrap();
    ledger.insert(Arc::new(first));
    ledger.begin_try(&task(0).id, &ours("a"));
    ledger.set(&task(0).id, failed());
    for number in 1..=TERMINAL_MAX as u128 {
        ledger.insert(Arc::new(task(number)));
        ledger.set(&task(number).id, failed());
    }
    assert!(ledger.get(&task(0).id).is_none());
    assert_eq!(ledger.entries.len(), TERMINAL_MAX);
    assert_eq!(ledger.counts().failed, TERMINAL_MAX as u64 + 1);
    let mut again = task(TERMINAL_MAX as u128 + 1);
    again.name = "same.zip".parse().unwrap();
    let id = again.id;
    ledger.insert(Arc::new(again));
    let tried = ledger.begin_try(&id, &ours("a")).unwrap();
    assert_eq!(tried.name.as_str(), "same.zip");
}

#[test]
fn a_task_that_is_tried_for_ever_remembers_its_newest_tries_only() {
    let mut ledger = Ledger::default();
    ledger.insert(Arc::new(task(1)));
    for number in 1..=1000 {
        let tried = ledger.begin_try(&task(1).id, &ours("a")).unwrap();
        assert_eq!(tried.attempt, Attempt(number));
    }
    let tries = &ledger.get(&task(1).id).unwrap().story.tries;
    assert_eq!(tries.len(), TRIES_MAX);
    assert_eq!(tries.last().unwrap().attempt, Attempt(1000));
    assert_eq!(ledger.named("task-1.zip"), None, "its first name is free");
}

#[test]
fn pages_go_from_the_newest_task_to_the_oldest_and_leave_nothing_out() {
    let mut ledger = Ledger::default();
    for number in [3, 7, 1, 5, 6, 2, 4] {
        ledger.insert(Arc::new(task(number)));
    }
    ledger.set(&task(6).id, failed());
    let is_open = |entry: &Entry| !entry.story.state.is_terminal();
    let (mut pages, mut before) = (Vec::new(), None);
    loop {
        let page = ledger.page(before, 2, is_open);
        let Some(last) = page.last() else { break };
        before = Some(last.task.id);
        pages.extend(page.iter().map(|entry| entry.task.id));
    }
    assert_eq!(pages, [7, 5, 4, 3, 2, 1].map(|number| task(number).id));
}
