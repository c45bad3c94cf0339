//! What tasks cost in memory while they run, as `docs/operations.md` tells it.

use crate::logic::fixtures::{Desk, ours, task};
use crate::logic::ledger::{Story, Tried};
use crate::logic::standing::HOLDS_MAX;

/// What the allocator keeps of each piece, for itself.
const ALLOCATOR: usize = size_of::<usize>();

#[test]
fn what_is_remembered_of_a_task_that_runs_has_these_sizes() {
    assert_eq!(size_of::<Story>() + ALLOCATOR, 336);
    assert_eq!(size_of::<Tried>() + ALLOCATOR, 112);
}

#[test]
fn room_is_kept_for_no_try_that_was_not_made() {
    let (peer, own) = (ours("a"), task(1));
    let (mut desk, id) = (Desk::with(&[&peer]), own.id);
    desk.arrive(own);
    desk.take(&peer);
    assert_eq!(desk.entry(id).story.tries.capacity(), 1);
}

#[test]
#[ignore = "measures: cargo test -p mutirao-actors --lib what_tasks_that_run -- --ignored --nocapture --exact --test-threads 1"]
fn what_tasks_that_run_cost_in_memory() {
    const PEERS: usize = 100;
    const COUNT: usize = PEERS * HOLDS_MAX;
    let name = |number| ours(&format!("peer-{number}"));
    let peers: Vec<_> = (0..PEERS).map(name).collect();
    let mut desk = Desk::with(&peers.iter().collect::<Vec<_>>());
    (1..=COUNT).for_each(|number| drop(desk.arrive(task(number as u128))));
    desk.mind.take_news();
    let queued = resident();
    for peer in &peers {
        for _ in 0..HOLDS_MAX {
            desk.take(peer);
        }
        desk.mind.take_news();
    }
    let bytes = resident().saturating_sub(queued) / COUNT;
    println!("a task that runs, beyond one that waits: {bytes} bytes");
}

/// Pages that the process has in memory, in bytes.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}
