//! Verdicts in words for readers, and what helps.

use super::symptom::{Kind, Symptom, missing_file};
use super::{Cluster, Diagnosis, MENDS, SHOWS_WHERE};
use crate::model::{PeerId, Task};
use crate::wire::report::Culprit;

/// Peers that are named; the others are counted.
const NAMED_MAX: usize = 3;

/// What is to blame, and what speaks for that.
pub(super) fn of(
    culprit: Culprit,
    symptom: &Symptom,
    cluster: &Cluster<'_>,
    all: &Diagnosis<'_>,
) -> String {
    let peers = named(cluster);
    let failing = tasks(cluster.tasks);
    let others = all.passes.len() as u64;
    match (culprit, &symptom.kind) {
        (Culprit::Environment, Kind::Module(module)) => {
            let lacking = |peer: &&PeerId| cluster.peers.contains_key(peer);
            let having = all.passes.keys().filter(|peer| !lacking(peer)).count() as u64;
            match having {
                0 => format!("the environment: the module {module} is missing on {peers}"),
                _ => format!(
                    "the environment: the module {module} is missing on {peers}, and not where others passed ({})",
                    counted(having, "peer", "peers")
                ),
            }
        }
        (Culprit::Environment, _) => {
            format!("the environment: the program cannot be started on {peers}")
        }
        (Culprit::Code, _) if all.tried == 1 => {
            format!("the code: it failed so on {peers}, and has not passed")
        }
        (Culprit::Code, _) => {
            format!("the code: {failing} failed so on {peers}, and nothing has passed")
        }
        (Culprit::Machine, Kind::Slow) => {
            format!("the machine: {peers} is too slow for it, or it hangs there")
        }
        (Culprit::Row, Kind::Slow) => {
            format!("the row: {failing} on {peers} where others took no longer than usual")
        }
        (Culprit::Machine, Kind::Time) => format!(
            "the machine: {peers} is too slow, what passes its time limit there is done in time elsewhere"
        ),
        (Culprit::Machine, Kind::Lost) => format!("the machine: {peers} was lost"),
        (Culprit::Machine, Kind::Trouble) => format!("the machine: {peers} is in trouble"),
        (Culprit::Machine, _) => format!(
            "the machine: {failing} failed so on {peers}, and {} elsewhere",
            match cluster.elsewhere {
                0 if symptom.is_of_peer => "what fails there passes".to_owned(),
                0 => "others pass".to_owned(),
                passed => format!("{passed} of these passed"),
            }
        ),
        (Culprit::Row, _) => {
            let passed = all.passed_anywhere();
            // Of what was tried on one peer only nobody knows how it fares elsewhere.
            let is_tried_elsewhere = cluster.everywhere > 0;
            let fails = match (cluster.is_early(), is_tried_elsewhere, cluster.tasks) {
                (true, _, 1) => "failed so where it ran, and is to be tried elsewhere",
                (true, _, _) => "failed so where they ran, and are to be tried elsewhere",
                (false, false, 1) => "failed so where it ran",
                (false, false, _) => "failed so where they ran",
                (false, true, 1) => "fails so wherever it runs",
                (false, true, _) => "fail so wherever they run",
            };
            let (failing, tried) = (cluster.tasks, tasks(all.tried));
            match all.beyond {
                0 => format!(
                    "the row: {failing} of {tried} {fails} ({peers}), and {passed} passed on {}",
                    counted(others, "peer", "peers"),
                ),
                _ => format!(
                    "the row: {failing} of {tried} that were looked at {fails} ({peers}), and {passed} of the group passed"
                ),
            }
        }
        (Culprit::Chance, _) => format!(
            "chance: {} of {failing} passed when tried again",
            cluster.elsewhere + cluster.again
        ),
    }
}

/// Commands, or what to do.
pub(super) fn helps(culprit: Culprit, kind: &Kind, cluster: &Cluster<'_>) -> Vec<String> {
    let example = cluster.examples.first().copied();
    let peer = cluster.peers.iter().max_by_key(|(_, tries)| **tries);
    // It stands in a command that somebody copies.
    let is_plain = |peer: &&str| {
        let mut letters = peer.bytes();
        letters.all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    let peer = peer.map(|(peer, _)| peer.as_str()).filter(is_plain);
    let mut helps = Vec::new();
    match (culprit, kind) {
        (Culprit::Environment, Kind::Module(module)) => helps.push(format!(
            "python3 -m pip install {module} (on {}); a module of your own travels in the task's folder: mutirao run FOLDER",
            named(cluster)
        )),
        (Culprit::Environment, _) => {
            helps.push(format!("install it on {}", named(cluster)));
        }
        // Of one that is gone nothing more is known, unless it is back.
        (Culprit::Machine, Kind::Lost) => helps.push(
            "mutirao peers shows whether it is back; else look whether that machine runs and is in the network".into(),
        ),
        (Culprit::Machine, _) => {
            helps.extend(peer.map(look));
            let drain = |peer| format!("mutirao drain {peer} gives it nothing more");
            helps.extend(peer.map(drain));
        }
        (Culprit::Code | Culprit::Row, Kind::Slow) => {
            helps.extend(example.map(|task| format!("mutirao cancel {}", task.name.stem())));
        }
        (Culprit::Code | Culprit::Row, Kind::Time) => {
            helps.push("mutirao run … --time-limit TIME gives it longer".into());
        }
        (Culprit::Code | Culprit::Row, Kind::Memory) => {
            helps
                .push("mutirao peer --slots 1 runs one task at a time, with all the memory".into());
        }
        (Culprit::Code, _) => {
            helps.extend(helps_against(&cluster.error));
            helps.extend(traceback(example));
        }
        (Culprit::Row, _) => {
            helps.extend(helps_against(&cluster.error));
            helps.extend(traceback(example));
            helps.extend(example.and_then(failed_rows));
        }
        (Culprit::Chance, _) => helps.push("mutirao run … --retries N tries it more often".into()),
    }
    let is_outside = matches!(
        culprit,
        Culprit::Environment | Culprit::Machine | Culprit::Chance
    );
    if is_outside && cluster.failed > 0 {
        helps.extend(example.map(again));
    }
    helps
}

/// What helps against an error that says so itself: a file that was not handed in, or a folder that was not made for it.
pub fn helps_against(error: &str) -> Option<String> {
    let file = missing_file(error)?;
    let packs = format!(
        "{file} was not handed in, if it lay beside the script: mutirao run FOLDER packs all that lies there; or name it, mutirao run \
         SCRIPT FILE, and open sys.argv[1]"
    );
    // Whoever writes into a folder that is not there meets the same error.
    let folder = file.trim_start_matches("./").rsplit_once('/');
    Some(match folder {
        Some((folder, _)) => format!(
            "{packs}; or the folder {folder}/ was not made, if the script writes into it: os.makedirs('{folder}', exist_ok=True)"
        ),
        None => packs,
    })
}

/// Where the script and its input are well, the same may be tried again.
fn again(task: &Task) -> String {
    let what = match task.part() {
        Some(_) => &*task.kind.group,
        None => task.name.stem(),
    };
    format!("then: mutirao retry {what} --failed")
}

fn look(peer: &str) -> String {
    format!("mutirao why {peer}")
}

fn traceback(example: Option<&Task>) -> Option<String> {
    example.map(|task| format!("mutirao why {} {SHOWS_WHERE}", task.name.stem()))
}

/// Where the rows of failed parts lie, to be mended and handed in again with what nobody here knows the name of.
fn failed_rows(task: &Task) -> Option<String> {
    task.part()?;
    let group = &task.kind.group;
    Some(format!(
        "{MENDS}{group}/failed.csv, then with the same script: mutirao run SCRIPT results/{group}/failed.csv"
    ))
}

/// `ana, bob and 3 more peers`.
fn named(cluster: &Cluster<'_>) -> String {
    let names: Vec<_> = cluster
        .peers
        .keys()
        .take(NAMED_MAX)
        .map(|peer| peer.as_str())
        .collect();
    let more = cluster.peers.len().saturating_sub(NAMED_MAX) as u64;
    match more {
        0 => names.join(", "),
        more => format!(
            "{} and {}",
            names.join(", "),
            counted(more, "more peer", "more peers")
        ),
    }
}

/// `1 task`, `7 tasks`.
pub(super) fn tasks(count: u64) -> String {
    counted(count, "task", "tasks")
}

fn counted(count: u64, one: &str, more: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        _ => format!("{count} {more}"),
    }
}
