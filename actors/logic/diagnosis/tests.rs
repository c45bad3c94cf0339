//! Whole worlds in which it is known what is to blame.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::logic::fault::Fault;
use crate::logic::fixtures::{kind_of, ours, task};
use crate::logic::ledger::{Story, Submitted, Tried};
use crate::logic::rare::Rare;
use crate::model::{Attempt, Digest, Ending};

/// How a run of a part on a peer goes in a world.
type Run<'w> = &'w dyn Fn(u128, &str) -> Option<Fault>;

fn raised(error: &str) -> Fault {
    Fault::Run(Ending::Exit(1).saying(Some(error)))
}

fn now() -> Moment {
    Moment(0).after(Duration::from_secs(1000))
}

fn part(number: u128, of: u32) -> Task {
    let mut part = task(number);
    kind_of(&mut part).group = "rows".into();
    part.set_part(Part::new(u32::try_from(number).unwrap(), of));
    part
}

fn entry(task: Task, story: Story) -> Entry {
    let mut told = Rare::default();
    *told_of(&mut told) = story;
    Entry {
        task: Arc::new(task),
        story: told,
    }
}

fn told_of(story: &mut Rare<Story>) -> &mut Story {
    story.told()
}

/// A part that was tried on these peers in turn, until it passed.
fn tried(number: u128, of: u32, peers: &[&str], run: Run<'_>) -> Entry {
    let mut story = Story::default();
    for (attempt, peer) in (1..).zip(peers) {
        let fault = run(number, peer);
        story.tries.push(Tried {
            attempt: Attempt(attempt),
            name: task(number).name,
            holder: ours(peer),
            fault: fault.clone(),
            refusals: 0,
        });
        let Some(fault) = fault else {
            story.state = State::Done {
                submitted: submitted(attempt, peer, 100),
                file: "a.zip".into(),
            };
            return entry(part(number, of), story);
        };
        story.state = State::Failed {
            why: fault.to_string(),
            output: None,
        };
    }
    entry(part(number, of), story)
}

fn submitted(attempt: u32, peer: &str, took_ms: u64) -> Submitted {
    Submitted {
        attempt: Attempt(attempt),
        peer: peer.parse().unwrap(),
        sha256: Digest::of(b"result"),
        size: 1,
        took: Duration::from_millis(took_ms),
        failure: None,
    }
}

fn findings(entries: &[Entry]) -> Findings {
    let mut diagnosis = Diagnosis::default();
    entries.iter().for_each(|entry| diagnosis.look_at(entry));
    diagnosis.of_all(now())
}

fn culprits(entries: &[Entry]) -> Vec<Culprit> {
    let verdicts = findings(entries).verdicts.into_iter();
    verdicts.map(|verdict| verdict.culprit).collect()
}

const PEERS: [&str; 4] = ["ana", "bob", "eva", "ivo"];

/// The peers in the order in which a part comes to them.
fn turns(number: u128, first: usize) -> Vec<&'static str> {
    let first = (number as usize + first) % PEERS.len();
    let turns = PEERS.iter().cycle().skip(first).take(3);
    turns.copied().collect()
}

fn world(parts: u128, first: usize, run: Run<'_>) -> Vec<Entry> {
    let of = u32::try_from(parts).unwrap();
    let part = |number| tried(number, of, &turns(number, first), run);
    (0..parts).map(part).collect()
}

#[test]
fn a_file_that_was_not_handed_in_is_said_to_be_packed() {
    let missing = "FileNotFoundError: [Errno 2] No such file or directory: 'data.txt' (main.py:3)";
    for bad in [0..3, 1..2] {
        let run = |number: u128, _: &str| bad.contains(&number).then(|| raised(missing));
        let found = findings(&world(3, 0, &run));
        let helps = &found.verdicts[0].helps;
        assert!(
            helps[0].starts_with("data.txt was not handed in"),
            "{helps:?}"
        );
        assert!(helps[1].ends_with(SHOWS_WHERE), "{helps:?}");
    }
}

#[test]
fn a_file_below_a_folder_may_be_one_that_was_to_be_written_where_no_folder_was_made() {
    let help = |file: &str| {
        let error =
            format!("FileNotFoundError: [Errno 2] No such file or directory: '{file}' (main.py:3)");
        helps_against(&error).unwrap()
    };
    for (file, folder) in [("out/result.csv", "out"), ("./out/a/result.csv", "out/a")] {
        let help = help(file);
        assert!(
            help.starts_with(&format!("{file} was not handed in, if")),
            "{help}"
        );
        let makes = format!(
            "; or the folder {folder}/ was not made, if the script writes into it: os.makedirs('{folder}', exist_ok=True)"
        );
        assert!(help.ends_with(&makes), "{help}");
    }
    for file in ["data.txt", "./data.txt"] {
        let help = help(file);
        assert!(!help.contains("was not made"), "{help}");
    }
}

proptest! {
    #[test]
    fn where_nothing_passes_it_is_the_code(parts in 1_u128..30, first in 0_usize..4) {
        let run = |number: u128, _: &str| Some(raised(&format!("KeyError: '{number}' (main.py:3)")));
        let found = findings(&world(parts, first, &run));
        prop_assert_eq!(found.verdicts.len(), 1);
        let verdict = &found.verdicts[0];
        prop_assert_eq!((verdict.culprit, verdict.failed), (Culprit::Code, parts as u64));
        prop_assert!(verdict.helps[0].starts_with("mutirao why task-"), "{:?}", verdict.helps);
    }

    #[test]
    fn what_fails_wherever_it_runs_beside_others_that_pass_is_the_row(
        parts in 4_u128..60, bad in prop::collection::btree_set(0_u128..60, 1..4), first in 0_usize..4,
    ) {
        let bad: Vec<_> = bad.into_iter().map(|bad| bad % (parts - 1)).collect();
        let run = |number: u128, _: &str| bad.contains(&number).then(|| raised("ValueError: x (main.py:3)"));
        let found = findings(&world(parts, first, &run));
        prop_assert_eq!(found.verdicts.len(), 1);
        prop_assert_eq!(found.verdicts[0].culprit, Culprit::Row, "{:?}", found);
        prop_assert!(found.verdicts[0].helps.iter().any(|help| help.contains("results/rows/failed.csv")));
    }

    #[test]
    fn what_fails_at_one_and_passes_elsewhere_is_the_machine(
        parts in 4_u128..60, first in 0_usize..4, sick in 0_usize..4,
    ) {
        let run = |_: u128, peer: &str| (peer == PEERS[sick]).then(|| raised("OSError: [Errno 5] disk (main.py:3)"));
        let found = findings(&world(parts, first, &run));
        prop_assert_eq!(found.verdicts.len(), 1);
        prop_assert_eq!(found.verdicts[0].culprit, Culprit::Machine, "{:?}", found);
        prop_assert_eq!(found.verdicts[0].peers[0].as_str(), PEERS[sick]);
        prop_assert_eq!(&found.verdicts[0].helps[0], &format!("mutirao why {}", PEERS[sick]));
    }

    #[test]
    fn a_bad_row_a_sick_machine_and_a_missing_module_are_told_apart(
        parts in 16_u128..60, first in 0_usize..4,
    ) {
        let run = |number: u128, peer: &str| match (number, peer) {
            (_, "ivo") => Some(raised("ModuleNotFoundError: No module named 'numpy' (main.py:1)")),
            (_, "eva") => Some(Fault::Run(Ending::TimeLimit)),
            (3, _) => Some(raised("ValueError: x (main.py:3)")),
            _ => None,
        };
        let found = findings(&world(parts, first, &run));
        let of = |culprit| found.verdicts.iter().find(|verdict| verdict.culprit == culprit);
        let (row, slow) = (of(Culprit::Row).unwrap(), of(Culprit::Machine).unwrap());
        prop_assert_eq!(row.tasks, 1);
        prop_assert!(slow.words.contains("eva is too slow"), "{}", slow.words);
        let lacks = of(Culprit::Environment).unwrap();
        prop_assert!(lacks.helps[0].starts_with("python3 -m pip install numpy (on ivo)"), "{:?}", lacks.helps);
    }

    #[test]
    fn what_passes_where_it_failed_is_chance(parts in 8_u128..60) {
        let of = u32::try_from(parts).unwrap();
        let flaky = |number| {
            let mut entry = tried(number, of, &["ana"], &|_, _| None);
            if number % 4 == 0 {
                let mut first = entry.story.tries[0].clone();
                first.fault = Some(raised("TimeoutError: (main.py:9)"));
                let story = entry.story.told();
                story.tries.insert(0, first);
                story.tries[1].attempt = Attempt(2);
                story.state = State::Done { submitted: submitted(2, "ana", 1), file: String::new() };
            }
            entry
        };
        let entries: Vec<_> = (0..parts).map(flaky).collect();
        prop_assert_eq!(culprits(&entries), [Culprit::Chance]);
    }

    #[test]
    fn whatever_happened_the_order_does_not_matter_and_nothing_is_counted_twice(
        fails in prop::collection::vec(prop::collection::vec(0_u8..6, 3), 1..40), first in 0_usize..4,
    ) {
        let run = |number: u128, peer: &str| {
            let at = PEERS.iter().position(|known| *known == peer).unwrap() % 3;
            match fails[number as usize][at] {
                0 => None,
                1 => Some(Fault::Late),
                2 => Some(Fault::HandedBack("it leaves".into())),
                kind => Some(raised(&format!("Error{kind}: x (main.py:1)"))),
            }
        };
        let mut entries = world(fails.len() as u128, first, &run);
        let found = findings(&entries);
        let faults = entries.iter().flat_map(|entry| entry.story.tries.iter());
        let counted = faults.filter_map(|tried| tried.fault.as_ref());
        let counted = counted.filter_map(Symptom::of).count() as u64;
        let told: u64 = found.verdicts.iter().map(|verdict| verdict.tries).sum();
        prop_assert_eq!(told + found.untold, counted);
        entries.reverse();
        let again = findings(&entries);
        let sums = |found: &Findings| {
            let sum = |verdict: &VerdictRow| (verdict.culprit, verdict.tasks, verdict.failed, verdict.tries);
            let mut sums: Vec<_> = found.verdicts.iter().map(sum).map(|sum| format!("{sum:?}")).collect();
            sums.sort();
            sums
        };
        prop_assert_eq!(sums(&found), sums(&again));
    }
}

/// A try on each of these peers in turn, of which only the last passed, in the same words as those of a bad row.
fn passed_at_last(number: u128, of: u32, peers: &[&str]) -> Entry {
    let last = peers.last().copied().unwrap();
    let run = |_: u128, peer: &str| (peer != last).then(|| raised("ValueError: x (main.py:3)"));
    tried(number, of, peers, &run)
}

fn of_one(entries: &[Entry], number: usize) -> Vec<VerdictRow> {
    let mut diagnosis = Diagnosis::default();
    entries.iter().for_each(|entry| diagnosis.look_at(entry));
    diagnosis.of_one(&entries[number], now()).verdicts
}

#[test]
fn what_failed_at_one_peer_and_passed_at_another_is_not_the_rows_though_bad_rows_fail_alike() {
    let bad = |number: u128, _: &str| (number < 3).then(|| raised("ValueError: x (main.py:3)"));
    let mut entries = world(20, 0, &bad);
    // What it passes elsewhere fails at ivo, which passes none.
    entries.retain(|entry| {
        entry
            .story
            .tries
            .iter()
            .all(|tried| tried.holder.peer.as_str() != "ivo")
    });
    let rows = entries
        .iter()
        .filter(|entry| matches!(entry.story.state, State::Failed { .. }));
    let rows = rows.count() as u64;
    assert!(rows > 0);
    entries.push(passed_at_last(30, 40, &["ivo", "ana"]));
    let last = entries.len() - 1;
    let found = findings(&entries).verdicts;
    let told: Vec<_> = found
        .iter()
        .map(|verdict| (verdict.culprit, verdict.tasks, verdict.done))
        .collect();
    assert_eq!(told, [(Culprit::Row, rows, 0), (Culprit::Machine, 1, 1)]);
    let verdicts = of_one(&entries, last);
    assert_eq!(verdicts.len(), 1);
    assert_eq!(verdicts[0].culprit, Culprit::Machine, "{verdicts:?}");
    assert_eq!(verdicts[0].helps[0], "mutirao why ivo");
    assert_eq!(of_one(&entries, 0)[0].culprit, Culprit::Row);
    // A peer that passes others too was unlucky.
    entries.push(tried(31, 40, &["ivo"], &|_, _| None));
    assert_eq!(of_one(&entries, last)[0].culprit, Culprit::Chance);
}

#[test]
fn what_failed_for_good_at_one_peer_is_not_the_rows_where_all_that_was_tried_elsewhere_passed() {
    let mut entries = world(9, 0, &|_, _| None);
    entries.push(passed_at_last(20, 40, &["ivo", "ana"]));
    let run = |_: u128, _: &str| Some(raised("ValueError: x (main.py:3)"));
    entries.push(tried(21, 40, &["ivo"], &run));
    let verdict = findings(&entries).verdicts.remove(0);
    assert_ne!(verdict.culprit, Culprit::Row, "{verdict:?}");
    assert_eq!(
        verdict.helps.last().unwrap(),
        "then: mutirao retry rows --failed"
    );
}

#[test]
fn what_is_yet_to_be_tried_elsewhere_is_not_said_to_fail_wherever_it_runs() {
    let mut entries = world(9, 0, &|_, _| None);
    let run = |_: u128, _: &str| Some(raised("ValueError: x (main.py:3)"));
    let mut open = tried(20, 40, &["ivo"], &run);
    open.story.told().state = State::Resting;
    entries.push(open);
    let words = findings(&entries).verdicts.remove(0).words;
    assert!(
        words.contains("failed so where it ran, and is to be tried elsewhere (ivo)"),
        "{words}"
    );
    entries.pop();
    entries.push(tried(20, 40, &["ivo"], &run));
    let words = findings(&entries).verdicts.remove(0).words;
    assert!(words.contains("failed so where it ran (ivo)"), "{words}");
    entries.pop();
    entries.push(tried(20, 40, &["ivo", "ana"], &run));
    let words = findings(&entries).verdicts.remove(0).words;
    assert!(words.contains("fails so wherever it runs"), "{words}");
}

#[test]
fn one_that_passes_nothing_is_to_blame_though_what_it_failed_was_tried_nowhere_else() {
    let run = |_: u128, peer: &str| (peer == "ivo").then(|| raised("OSError: x (main.py:3)"));
    let peer = |number: u128| PEERS[number as usize % 4];
    let part = |number| tried(number, 20, &[peer(number)], &run);
    let found = findings(&(0..20).map(part).collect::<Vec<_>>());
    assert_eq!(found.verdicts[0].culprit, Culprit::Machine);
    let helps = [
        "mutirao why ivo",
        "mutirao drain ivo gives it nothing more",
        "then: mutirao retry rows --failed",
    ];
    assert_eq!(found.verdicts[0].helps, helps);
}

#[test]
fn a_task_alone_is_judged_by_its_own_tries() {
    let run = |_: u128, _: &str| Some(raised("KeyError: 'a' (main.py:3)"));
    let failed = tried(1, 2, &["ana", "bob"], &run);
    assert_eq!(culprits(std::slice::from_ref(&failed)), [Culprit::Code]);
}

/// A world in which it is known that this peer is sick.
fn sick(peer: &str) -> Health {
    let mut health = Health::default();
    for number in 0..20 {
        let (sick, failed) = (ours(peer), task(1000 + number).id);
        health.failed(&sick, failed, Attempt(1), now());
        health.passed_elsewhere(&sick, failed, Attempt(1), now());
    }
    assert!(health.is_sick(&ours(peer)));
    health
}

fn judged(entries: &[Entry], health: &Health) -> Vec<VerdictRow> {
    let mut diagnosis = Diagnosis::knowing(health);
    entries.iter().for_each(|entry| diagnosis.look_at(entry));
    let all = diagnosis.of_all(now()).verdicts;
    let mut diagnosis = Diagnosis::knowing(health);
    entries.iter().for_each(|entry| diagnosis.look_at(entry));
    let one = diagnosis.of_one(&entries[0], now()).verdicts;
    if entries.len() == 1 {
        assert_eq!(one, all);
    }
    all
}

#[test]
fn what_a_sick_peer_did_to_a_task_that_fails_everywhere_is_the_machine_and_the_rest_the_code() {
    let run = |_: u128, peer: &str| match peer {
        "ivo" => Some(Fault::Run(Ending::Exit(9))),
        _ => Some(raised("ValueError: x (main.py:3)")),
    };
    let poison = tried(1, 1, &["ivo", "ana", "bob"], &run);
    let verdicts = judged(&[poison], &sick("ivo"));
    let told: Vec<_> = verdicts
        .iter()
        .map(|verdict| (verdict.culprit, &*verdict.error, verdict.failed))
        .collect();
    let expected = [
        (Culprit::Code, "exit code 1: ValueError: x (main.py:3)", 1),
        (Culprit::Machine, "exit code 9", 0),
    ];
    assert_eq!(told, expected);
    let words = "the machine: 1 task failed so on ivo, and what fails there passes elsewhere";
    assert_eq!(verdicts[1].words, words);
    let helps = ["mutirao why ivo", "mutirao drain ivo gives it nothing more"];
    assert_eq!(verdicts[1].helps, helps);
}

#[test]
fn what_failed_for_good_at_a_sick_peer_alone_is_to_be_tried_again() {
    let run = |_: u128, _: &str| Some(raised("OSError: x (main.py:3)"));
    let failed = tried(1, 1, &["ivo", "ivo", "ivo"], &run);
    let verdicts = judged(&[failed], &sick("ivo"));
    assert_eq!(verdicts.len(), 1);
    assert_eq!(
        (verdicts[0].culprit, verdicts[0].failed),
        (Culprit::Machine, 1)
    );
    let again = "then: mutirao retry task-1 --failed";
    assert_eq!(verdicts[0].helps.last().unwrap(), again);
}

#[test]
fn what_fails_alike_at_a_sick_peer_and_at_others_is_told_of_both_apart() {
    // Two rows are bad, and the sick one fails whatever it is given, in the same words.
    let run = |number: u128, peer: &str| {
        let is_bad = number < 2 || peer == "ivo";
        is_bad.then_some(Fault::Run(Ending::Exit(1)))
    };
    let verdicts = judged(&world(20, 0, &run), &sick("ivo"));
    let told: Vec<_> = verdicts
        .iter()
        .map(|verdict| (verdict.culprit, verdict.failed, verdict.peers.len()))
        .collect();
    assert_eq!(told, [(Culprit::Row, 2, 3), (Culprit::Machine, 0, 1)]);
}

#[test]
fn a_missing_module_is_the_environment_at_a_sick_peer_too() {
    let run = |_: u128, _: &str| Some(raised("ModuleNotFoundError: No module named 'numpy'"));
    let failed = tried(1, 1, &["ivo"], &run);
    let verdicts = judged(&[failed], &sick("ivo"));
    assert_eq!(verdicts[0].culprit, Culprit::Environment);
}

#[test]
fn of_one_task_only_its_own_failures_are_told_in_the_light_of_the_others() {
    let run = |number: u128, _: &str| match number {
        3 => Some(raised("ValueError: x (main.py:3)")),
        4 => Some(raised("KeyError: x (main.py:4)")),
        _ => None,
    };
    let entries = world(9, 0, &run);
    let mut diagnosis = Diagnosis::default();
    entries.iter().for_each(|entry| diagnosis.look_at(entry));
    let verdicts = diagnosis.of_one(&entries[3], now()).verdicts;
    assert_eq!(verdicts.len(), 1);
    assert_eq!(verdicts[0].error, "exit code 1: ValueError: x (main.py:3)");
    assert_eq!(verdicts[0].culprit, Culprit::Row);
}

#[test]
fn of_one_task_it_is_not_told_why_others_were_cancelled_or_what_is_untold_of_them() {
    let cancelled = |number, why: &str| {
        let why = why.to_owned();
        let state = State::Cancelled { why };
        let story = Story {
            state,
            ..Story::default()
        };
        entry(part(number, 2000), story)
    };
    let run = |number: u128, _: &str| Some(raised(&format!("Error{number}: x (main.py:1)")));
    let kinds = CLUSTERS_MAX as u128 + 2;
    let mut entries: Vec<_> = (0..kinds)
        .map(|number| tried(number, 2000, &["ana"], &run))
        .collect();
    entries.push(cancelled(kinds, "a slip"));
    entries.push(cancelled(kinds + 1, "enough"));
    let of_one = |entry: &Entry| {
        let mut diagnosis = Diagnosis::default();
        entries.iter().for_each(|entry| diagnosis.look_at(entry));
        let found = diagnosis.of_one(entry, now());
        let cancelled = found.cancelled.into_iter();
        let cancelled: Vec<_> = cancelled.map(|row| (row.reason, row.tasks)).collect();
        (cancelled, found.untold)
    };
    assert_eq!(of_one(&entries[0]), (vec![], 0));
    assert_eq!(of_one(&entries[CLUSTERS_MAX + 1]), (vec![], 1));
    let enough = of_one(&entries[CLUSTERS_MAX + 3]);
    assert_eq!(enough, (vec![("enough".to_owned(), 1)], 0));
}

fn running(number: u128, peer: &str, for_s: u64) -> Entry {
    let lease = Lease {
        attempt: Attempt(1),
        holder: ours(peer),
        granted: Moment(now().0 - for_s * 1_000_000),
        deadline: None,
        confirmed: true,
    };
    let state = State::Leased(lease);
    let story = Story {
        state,
        ..Story::default()
    };
    entry(part(number, 9), story)
}

#[test]
fn what_runs_far_longer_than_the_others_took_is_slow_and_the_peer_that_passed_none_is_to_blame() {
    let mut entries: Vec<_> = (0..3)
        .map(|number| tried(number, 9, &["ana"], &|_, _| None))
        .collect();
    entries.push(running(4, "ana", 4));
    assert_eq!(culprits(&entries), [], "nobody waits for that");
    entries.push(running(5, "bob", 60));
    let found = findings(&entries);
    assert_eq!(found.verdicts[0].culprit, Culprit::Machine);
    assert_eq!(found.verdicts[0].helps[0], "mutirao why bob");
    let slow: Vec<_> = found
        .runs
        .iter()
        .map(|run| (run.for_s, run.is_slow))
        .collect();
    assert_eq!(slow, [(60, true), (4, false)]);
    assert_eq!(found.usual.unwrap().longest_ms, 100);
    entries.pop();
    entries.push(running(5, "ana", 60));
    let found = findings(&entries);
    assert_eq!(found.verdicts[0].culprit, Culprit::Row);
    assert_eq!(found.verdicts[0].helps, ["mutirao cancel task-5"]);
}

#[test]
fn the_findings_of_a_group_of_any_size_stay_small() {
    let run = |number: u128, _: &str| {
        let error = format!("Error{number}: {} (main.py:{number})", "x".repeat(200));
        Some(raised(&error))
    };
    let peers: Vec<String> = (0..500).map(|peer| format!("peer-{peer}")).collect();
    let peer = |number: u128| &*peers[number as usize % peers.len()];
    let part = |number| tried(number, 100_000, &[peer(number), peer(number + 1)], &run);
    let entries: Vec<_> = (0..100_000).map(part).collect();
    let found = findings(&entries);
    assert_eq!(found.verdicts.len(), FINDINGS_MAX);
    let told: u64 = found.verdicts.iter().map(|verdict| verdict.tries).sum();
    assert_eq!(told + found.untold, 200_000);
    assert!(serde_json::to_string(&found).unwrap().len() < 64 << 10);
}
