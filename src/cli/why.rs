//! `mutirao why`: why a task or a group waits, runs or failed, and how a peer fares.

pub mod findings;
mod task;

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use jiff::{Timestamp, Zoned};
use mutirao_actors::model::Stream;
use mutirao_actors::wire::Request;
use mutirao_actors::wire::report::{GroupReport, PeerRow, TaskReport, TaskState};
use serde::Serialize;

use super::ask::{group_in_full, read_report};
use super::group::missing;
use super::left::{Text, fetch};
use super::near::did_you_mean;
use super::options::{FindOptions, NoMaster, root};
use super::select;
use super::status::in_words;
use crate::control::{Control, ControlError};
use crate::past;
use crate::trace::filter::When;
use findings::Shown;

/// Tell why a task or a group waits, runs or failed, or how a peer fares
#[derive(Debug, Clone, Args)]
pub struct Why {
    /// A group, a task's name, its id or the beginning of it, `last` for what was handed in last from here, or a peer's id or its beginning
    #[arg(default_value = "last")]
    what: String,
    /// Only what failed
    #[arg(long)]
    failed: bool,
    /// As it was then, by what the master of this folder wrote down: 14:05, 2026-11-22 14:05, or 10m for ten minutes ago
    #[arg(long, value_name = "WHEN")]
    at: Option<When>,
    #[command(flatten)]
    find: FindOptions,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Nothing goes by that name.
#[derive(Debug, thiserror::Error)]
pub enum NotFound {
    /// Neither a task nor a group nor a peer; and which of them may have been meant.
    #[error(
        "the master knows no task, group or peer {what:?} ({why}){near}; `mutirao list` and `mutirao peers` show what there is"
    )]
    Nothing {
        /// What was typed.
        what: String,
        /// What the master says of it.
        why: String,
        /// Which name is near.
        near: String,
    },
    /// Nothing that was there at that time.
    #[error(
        "no task and no group {0:?} was there at {1}; `mutirao store export` prints all that is written down, each with its times"
    )]
    Then(String, Timestamp),
    /// No peer.
    #[error("no peer {0:?} is here{1}; `mutirao peers` shows who is")]
    NoPeer(String, String),
    /// More than one peer.
    #[error("{1} peers begin with {0:?}; give more of the id")]
    Several(String, usize),
}

/// What was asked for.
enum Told {
    Task(TaskReport),
    Group(GroupReport),
    Peer(PeerRow),
}

/// What stood how at a moment.
#[derive(Serialize)]
struct AsOf<'a, T> {
    at: Timestamp,
    #[serde(flatten)]
    report: &'a T,
}

/// Asks and prints.
pub async fn run(args: Why) -> anyhow::Result<ExitCode> {
    if let Some(when) = &args.at {
        return of_the_past(&args, when);
    }
    let address = args.find.find().await?.ok_or(NoMaster)?;
    let mut control = Control::connect(address).await?;
    let told = ask(&args.what, &mut control).await?;
    let text = match (&told, args.json) {
        (Told::Task(report), true) => serde_json::to_string(report)? + "\n",
        (Told::Group(report), true) => serde_json::to_string(report)? + "\n",
        (Told::Peer(row), true) => serde_json::to_string(row)? + "\n",
        (Told::Task(report), false) => {
            task::in_words(report, &last_words(report, &mut control).await)
        }
        (Told::Group(report), false) => of_group(report, Shown::of(args.failed)),
        (Told::Peer(row), false) => of_peer(row),
    };
    io::stdout().lock().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// Looks into what the master of this folder wrote down, and prints.
fn of_the_past(args: &Why, when: &When) -> anyhow::Result<ExitCode> {
    let at = when
        .before(&Zoned::now())
        .context("--at is not on the calendar")?;
    let told = past::ask(root(), &args.what, at)?;
    let told = told.ok_or_else(|| NotFound::Then(args.what.clone(), at))?;
    let text = match (&told, args.json) {
        (past::Told::Task(report), true) => serde_json::to_string(&AsOf { at, report })? + "\n",
        (past::Told::Group(report), true) => serde_json::to_string(&AsOf { at, report })? + "\n",
        (past::Told::Task(report), false) => {
            format!("as of {at}:\n{}", task::as_it_stood(report))
        }
        (past::Told::Group(report), false) => {
            format!("as of {at}:\n{}", of_group(report, Shown::of(args.failed)))
        }
    };
    io::stdout().lock().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// What goes by this name: a task, or else a group, or else a peer; `last` is the group of the task, if that is of one.
async fn ask(what: &str, control: &mut Control) -> anyhow::Result<Told> {
    let (group, refusal) = match select::task(what, true, control).await {
        Ok(TaskReport {
            group: Some(group), ..
        }) if what == "last" => (group, None),
        Ok(report) => return Ok(Told::Task(report)),
        // Nor is the newest group of all what was handed in last from here.
        Err(ControlError::Refused(why)) if what == "last" && select::remembered().is_some() => {
            return Err(ControlError::Refused(why).into());
        }
        Err(ControlError::Refused(why)) => (what.to_owned(), Some(why)),
        Err(error) => return Err(error.into()),
    };
    let why = match group_in_full(&group, control).await {
        Ok(report) => return Ok(Told::Group(report)),
        // Of what was looked for as a task first, the master has said there what is wrong with it.
        Err(ControlError::Refused(why)) => refusal.unwrap_or(why),
        Err(error) => return Err(error.into()),
    };
    let peers: Vec<PeerRow> = control.ask(&Request::Peers, read_report).await?;
    match named(what, &peers) {
        Ok(peer) => Ok(Told::Peer(peer.clone())),
        Err(NotFound::NoPeer(what, _)) => {
            let names = select::names(control).await?;
            let peers = peers.iter().map(|peer| peer.peer_id.as_str());
            let known = names.iter().map(String::as_str).chain(peers);
            let near = did_you_mean(&what, known);
            Err(NotFound::Nothing { what, why, near }.into())
        }
        Err(error) => Err(error.into()),
    }
}

/// The peer of this id, or the only one whose id begins so.
///
/// # Errors
/// When there is none, or there are several.
pub fn named<'p>(what: &str, peers: &'p [PeerRow]) -> Result<&'p PeerRow, NotFound> {
    let begins = |peer: &&PeerRow| peer.peer_id.as_str().starts_with(what);
    let found: Vec<_> = peers.iter().filter(begins).collect();
    let exact = found.iter().find(|peer| peer.peer_id.as_str() == what);
    match (exact, found.as_slice()) {
        (Some(peer), _) | (None, [peer]) => Ok(peer),
        (None, []) => Err(NotFound::NoPeer(what.to_owned(), String::new())),
        (None, several) => Err(NotFound::Several(what.to_owned(), several.len())),
    }
}

/// The end of what a task that is over printed as errors; nothing where that cannot be had.
async fn last_words(report: &TaskReport, control: &mut Control) -> Vec<u8> {
    let is_over = matches!(report.state, TaskState::Done | TaskState::Failed);
    if !is_over || report.result_file.is_none() {
        return Vec::new();
    }
    // The verdict is told all the same when the result is gone.
    let Ok((_, archive)) = fetch(report.task_id, control).await else {
        return Vec::new();
    };
    Text::of(&archive, Stream::Stderr).unwrap_or_default().bytes
}

/// How the parts stand, and what was found out.
fn of_group(report: &GroupReport, shown: Shown) -> String {
    let mut text = format!(
        "{}: {} parts · {} waiting · {} running · {} done · {} failed · {} cancelled\n",
        report.group,
        report.parts,
        report.waiting,
        report.running,
        report.done,
        report.failed,
        report.cancelled,
    );
    if let missing @ 1.. = missing(report) {
        let _ = writeln!(
            text,
            "{missing} parts were not handed in: that was cut off, or goes on"
        );
    }
    let Some(why) = &report.why else {
        return text;
    };
    text.push_str(&findings::in_words(why, shown));
    if report.done == u64::from(report.parts) {
        let _ = writeln!(text, "→ what they made: results/{}/", report.group);
    } else if why.verdicts.is_empty() && shown == Shown::Failures {
        text.push_str("nothing of it has failed\n");
    }
    text
}

fn of_peer(row: &PeerRow) -> String {
    let mut text = format!(
        "peer {} is {} · {} · {} of {} slots run · {} done, {} failed · last word {} ago\n",
        row.peer_id,
        row.state,
        row.address,
        row.leases,
        row.slots,
        row.done,
        row.failed,
        in_words(row.last_word_s),
    );
    for fault in row.faults.iter().rev() {
        let _ = writeln!(
            text,
            "  {} ago  try {} of {}: {}",
            in_words(fault.ago_s),
            fault.attempt,
            fault.task_id,
            fault.ended
        );
    }
    if row.state.starts_with("quarantined") {
        text.push_str(
            "→ mend it: when that is over it gets one task, and is forgiven if it passes that\n",
        );
    }
    if row.state == "drained" {
        let _ = writeln!(
            text,
            "→ mutirao drain {} --undo gives it tasks again",
            row.peer_id
        );
    }
    if let Some(latest) = row.faults.last() {
        let _ = writeln!(text, "→ the latest: mutirao why {}", latest.task_id);
    }
    text
}

#[cfg(test)]
mod tests {
    use mutirao_actors::model::{Attempt, TaskId};
    use mutirao_actors::wire::report::{Findings, PeerFaultRow};

    use super::*;

    fn row(peer: &str) -> PeerRow {
        PeerRow {
            peer_id: peer.parse().unwrap(),
            address: "10.0.0.2".into(),
            slots: 4,
            ours: true,
            agent: None,
            state: "ready".into(),
            last_word_s: 3,
            leases: 1,
            done: 5,
            failed: 1,
            faults: vec![PeerFaultRow {
                task_id: TaskId(uuid::Uuid::from_u128(7)),
                attempt: Attempt(1),
                ended: "exit code 1".into(),
                ago_s: 61,
            }],
        }
    }

    #[test]
    fn a_peer_shows_its_state_and_what_failed_there() {
        assert_eq!(
            of_peer(&row("ana")),
            "peer ana is ready · 10.0.0.2 · 1 of 4 slots run · 5 done, 1 failed · last word 3 s ago\n  \
             1 min 1 s ago  try 1 of 00000000-0000-0000-0000-000000000007: exit code 1\n\
             → the latest: mutirao why 00000000-0000-0000-0000-000000000007\n"
        );
    }

    #[test]
    fn of_a_peer_that_is_quarantined_it_is_told_how_that_ends() {
        let mut sick = row("ana");
        sick.state = "quarantined for 5 min: failed 3 tasks that others passed".into();
        assert!(of_peer(&sick).contains("→ mend it: when that is over it gets one task"));
        assert!(!of_peer(&row("ana")).contains("mend it"));
        sick.state = "drained".into();
        assert!(of_peer(&sick).contains("→ mutirao drain ana --undo"));
    }

    #[test]
    fn a_peer_is_found_by_the_beginning_of_its_id_if_it_is_the_only_one() {
        let peers = [row("ana"), row("anabel"), row("bob")];
        assert_eq!(named("b", &peers).unwrap().peer_id.as_str(), "bob");
        assert_eq!(named("ana", &peers).unwrap().peer_id.as_str(), "ana");
        assert!(matches!(named("an", &peers), Err(NotFound::Several(_, 2))));
        assert!(matches!(named("x", &peers), Err(NotFound::NoPeer(..))));
    }

    #[test]
    fn a_group_without_failures_says_so_only_to_whoever_asks_for_those() {
        let mut report = GroupReport {
            group: "main-7".into(),
            parts: 4,
            waiting: 1,
            running: 0,
            done: 3,
            failed: 0,
            cancelled: 0,
            failures: Vec::new(),
            complete: false,
            why: Some(Box::<Findings>::default()),
        };
        let stands = "main-7: 4 parts · 1 waiting · 0 running · 3 done · 0 failed · 0 cancelled\n";
        assert_eq!(of_group(&report, Shown::All), stands);
        let failures = of_group(&report, Shown::Failures);
        assert_eq!(failures, format!("{stands}nothing of it has failed\n"));
        (report.waiting, report.done) = (0, 4);
        assert!(of_group(&report, Shown::All).ends_with("→ what they made: results/main-7/\n"));
    }
}
