//! The floors of the house, read from its sources: who may know whom, and what has one home only.
//!
//! `model` ← `logic`, `wire`, `message_log`, `clock`, `runner` ← `port` ← `messages` ← the actors ← `schedulers/` ← `src/`.

mod source;

use std::collections::BTreeSet;

use source::{Source, sources_below};

/// From the ground up; a module may use what lies below it and, unless it is an actor, what lies beside it.
const FLOORS: [&[&str]; 6] = [
    &["model"],
    &["logic", "wire", "message_log", "clock", "runner"],
    &["port"],
    &["messages"],
    ACTORS,
    &["schedulers"],
];

/// One never uses another; what they say stands in `messages`.
const ACTORS: &[&str] = &[
    "discovery",
    "registry",
    "heartbeat",
    "scheduler",
    "outputs",
    "peer_session",
    "executor",
    "master_session",
    "connection",
];

/// What both kinds of session are made of, and so no actor of its own.
const SHARED: &str = "connection";

/// Crates that minds and the wire do without: they know no desk, no socket, no file and no clock.
const NOT_FOR_MINDS: [&str; 4] = ["actix", "actix_rt", "tokio", "tokio_util"];

/// Crates that the program is to be made of, not merely to list.
const REQUIRED: [&str; 10] = [
    "actix",
    "actix_rt",
    "serde",
    "serde_json",
    "base64",
    "zip",
    "uuid",
    "socket2",
    "tracing",
    "clap",
];

/// The files that may step over the fence of `clippy.toml`: the one voice, the one clock, and stopwatches for people.
const GATES: [&str; 7] = [
    "actors/clock.rs",
    "actors/port.rs",
    "examples/message_log_overhead.rs",
    "rig/src/clock.rs",
    "sim/src/main.rs",
    "tests/common/mod.rs",
    "xtask/src/test.rs",
];

/// Longest file, in lines: beyond that it has more than one idea.
const LINES_MAX: usize = 600;

fn everything() -> Vec<Source> {
    let folders = [
        "actors", "src", "tests", "examples", "sim", "xtask", "chaos", "bench", "rig",
    ];
    folders.into_iter().flat_map(sources_below).collect()
}

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&module))
}

/// What is wrong about one module's use of another, if anything is.
fn objection(from: &str, to: &str) -> Option<&'static str> {
    let (Some(here), Some(there)) = (floor(from), floor(to)) else {
        return Some("one of them is on no floor");
    };
    let are_actors = ACTORS.contains(&from) && ACTORS.contains(&to);
    match (from == to, there.cmp(&here)) {
        (true, _) => None,
        _ if are_actors && to == SHARED => None,
        _ if are_actors => Some("an actor uses another"),
        (_, std::cmp::Ordering::Greater) => Some("it lies on a floor above"),
        _ => None,
    }
}

/// Every use of one module of `actors/` by another that the floors forbid.
fn violations(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources.iter().filter(|source| !source.is_test()) {
        let module = source.module();
        // `lib.rs` names all of them, and is none.
        let Some(from) = module.first() else { continue };
        for used in source.paths() {
            let to = match used.parts.as_slice() {
                [krate, to, ..] if krate == "crate" => to,
                [krate, ..] if krate == "mutirao" => {
                    found.push(format!(
                        "{}:{}: actors know no program",
                        source.path, used.line
                    ));
                    continue;
                }
                _ => continue,
            };
            if let Some(why) = objection(from, to) {
                found.push(format!(
                    "{}:{}: {from} uses {to}: {why}",
                    source.path, used.line
                ));
            }
        }
    }
    found
}

#[test]
fn nothing_knows_what_lies_above_it() {
    let found = violations(&sources_below("actors"));
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_use_of_the_floor_above_is_seen_however_it_is_written() {
    for (path, text) in [
        ("actors/model.rs", "use crate::wire::Request;"),
        (
            "actors/logic/queue.rs",
            "fn f(p: &crate::port::Port<u8>) {}",
        ),
        (
            "actors/wire/reply.rs",
            "use super::super::messages::TaskOffered;",
        ),
        (
            "actors/registry.rs",
            "use crate::{model::PeerId, heartbeat::NAME};",
        ),
        (
            "actors/scheduler/report.rs",
            "fn f() { super::super::schedulers::named() }",
        ),
        ("actors/connection.rs", "use crate::peer_session::Desk;"),
        ("actors/newcomer.rs", "use crate::model::Task;"),
        ("actors/executor.rs", "use mutirao::runner::Config;"),
    ] {
        assert_eq!(violations(&[Source::new(path, text)]).len(), 1, "{path}");
    }
    let good = "use super::ledger::Ledger; use crate::model::Task; // crate::port\n#[cfg(test)] mod tests { use crate::testing::x; }";
    assert!(violations(&[Source::new("actors/logic/queue.rs", good)]).is_empty());
}

#[test]
fn minds_and_the_wire_know_no_runtime() {
    for folder in ["actors/logic", "actors/wire"] {
        for source in sources_below(folder)
            .iter()
            .filter(|source| !source.is_test())
        {
            for used in source.paths() {
                let (path, line, first) = (&source.path, used.line, used.parts[0].as_str());
                assert!(
                    !NOT_FOR_MINDS.contains(&first),
                    "{path}:{line} uses {first}"
                );
            }
        }
    }
}

#[test]
fn the_fence_is_stepped_over_at_its_gates_only() {
    let fence = |word| [word, "(", "clippy", "::", "disallowed_methods"];
    for source in everything() {
        let path = source.path.as_str();
        let is_opened = !source.lines_with(&fence("expect")).is_empty();
        assert!(!is_opened || GATES.contains(&path), "{path} is no gate");
        // An `allow` stays when its reason is gone.
        assert!(source.lines_with(&fence("allow")).is_empty(), "{path}");
    }
}

#[test]
fn an_actor_is_spoken_to_in_one_place() {
    for verb in ["do_send", "try_send"] {
        for source in sources_below("actors").iter().chain(&sources_below("src")) {
            for line in source.lines_with(&["recipient", ".", verb]) {
                assert_eq!(
                    source.path, "actors/port.rs",
                    "line {line} sends past the message log"
                );
            }
        }
    }
    let voice = &sources_below("actors");
    let voice = voice
        .iter()
        .find(|source| source.path == "actors/port.rs")
        .unwrap();
    assert_eq!(voice.lines_with(&[".", "do_send"]).len(), 1);
}

#[test]
fn the_crates_that_the_program_is_made_of_are_used() {
    let sources: Vec<_> = ["actors", "src"]
        .into_iter()
        .flat_map(sources_below)
        .collect();
    let code = sources.iter().filter(|source| !source.is_test());
    let used: BTreeSet<String> = code
        .flat_map(Source::paths)
        .map(|used| used.parts[0].clone())
        .collect();
    for name in REQUIRED {
        assert!(used.contains(name), "no code uses {name}");
    }
}

#[test]
fn every_bound_says_why() {
    for source in everything() {
        let lines: Vec<_> = source.text.lines().map(str::trim_start).collect();
        for (at, line) in lines.iter().enumerate() {
            let words: Vec<_> = line.split([' ', ':']).collect();
            let Some(name) = words.iter().skip_while(|word| **word != "const").nth(1) else {
                continue;
            };
            let is_item = line.starts_with("const ") || line.starts_with("pub");
            if !is_item || !name.ends_with("_MAX") {
                continue;
            }
            let above = lines[..at]
                .iter()
                .rev()
                .find(|line| !line.starts_with("#["));
            let is_told = above.is_some_and(|line| line.starts_with("///"));
            assert!(is_told, "{}:{}: {name} has no doc", source.path, at + 1);
        }
    }
}

#[test]
fn a_file_has_one_idea() {
    for source in everything() {
        let lines = source.text.lines().count();
        assert!(lines <= LINES_MAX, "{} has {lines} lines", source.path);
    }
}
