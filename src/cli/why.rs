//! `mutirao why`: why a task or a group waits, runs or failed, and how a peer fares.

pub mod findings;
mod task;

use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use clap::Args;
use clap::builder::RangedU64ValueParser;
use jiff::{Timestamp, Zoned};
use mutirao_actors::model::Stream;
use mutirao_actors::wire::Request;
use mutirao_actors::wire::report::{GroupReport, PeerRow, TaskReport, TaskState};
use serde::Serialize;

use super::ask::{group_in_full, read_report};
use super::group::{at_master, folder_here, is_well, missing_in_short};
use super::left::{Text, fetch};
use super::list::state;
use super::missing::missing_for;
use super::near::did_you_mean;
use super::options::{FindOptions, NoMaster, root};
use super::select::{
    self, Before, Listed, ListedGroups, Only, Read, Selection, Tasks, Then, Unknown,
};
use super::status::in_words;
use super::telling::Teller;
use crate::control::Control;
use crate::past;
use crate::trace::filter::When;
use findings::Shown;

/// Groups and tasks that are told at a time where more are meant: what somebody reads.
const LIMIT: u64 = 10;
/// And at most: more is for programs, which go on with `--before`.
const LIMIT_MAX: u64 = 1000;

/// Tell why tasks and groups wait, run or failed, or how a peer fares
#[derive(Debug, Clone, Args)]
pub struct Why {
    /// Groups, and tasks by name, by id or by the beginning of one; `last`, or no word at all, is what was handed in last from
    /// this folder, `1-5` parts of the group before it, `failed` the same as --failed, and `all` everything; or peers by their
    /// ids or the beginnings of these
    #[arg(value_name = "WHAT")]
    what: Vec<String>,
    #[command(flatten)]
    only: Only,
    /// So many groups, and so many tasks
    #[arg(long, value_name = "N", default_value_t = LIMIT, value_parser = RangedU64ValueParser::<u64>::new().range(1..=LIMIT_MAX))]
    limit: u64,
    /// The next of them: only tasks that came before the one with this id, or groups behind the one of this name
    #[arg(long, value_name = "ID|GROUP", conflicts_with = "at")]
    before: Option<Before>,
    /// As it was then, by what the master of this folder wrote down: 14:05, 2026-11-22 14:05, or 10m for ten minutes ago
    #[arg(long, value_name = "WHEN", conflicts_with = "group")]
    at: Option<When>,
    #[command(flatten)]
    find: FindOptions,
    /// Print one JSON object for each, a line each
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

/// What stood how at a moment.
#[derive(Serialize)]
struct AsOf<'a, T> {
    at: Timestamp,
    #[serde(flatten)]
    report: &'a T,
}

/// Tells how something stood at a moment.
fn tell_as_of(
    teller: &mut Teller,
    at: Timestamp,
    report: &impl Serialize,
    in_words: &str,
) -> io::Result<()> {
    teller.tell(&AsOf { at, report }, &format!("as of {at}:\n{in_words}"))
}

/// Asks and prints.
pub async fn run(args: Why) -> anyhow::Result<ExitCode> {
    let what = match args.what.is_empty() && args.only.leaves_nothing_out() {
        true => vec!["last".to_owned()],
        false => args.what.clone(),
    };
    let mut teller = Teller::new(args.json);
    if let Some(when) = &args.at {
        of_the_past(&args, &what, when, &mut teller)?;
        return Ok(ExitCode::SUCCESS);
    }
    let address = args.find.find().await?.ok_or(NoMaster)?;
    let mut control = Control::connect(address).await?;
    if let Some(before) = &args.before {
        before.check(&mut control).await?;
    }
    let selection = Selection::of(what, args.only.clone());
    let (read, unknown) = selection.read_with_unknown(&mut control).await?;
    let is_of_peers = !unknown.is_empty();
    let peers = peers(unknown, &mut control).await?;
    // Whoever names a peer asks of that one, and not of the tasks of everybody.
    ensure!(
        !(is_of_peers && read.is_of_everybody()),
        "`{0}` is of tasks, and beside it only peers are named: `mutirao why {1}` tells what failed there, \
         `mutirao why {0}` of everybody's tasks",
        of_everybody(&read),
        ids(&peers)
    );
    for peer in peers {
        teller.tell(&peer, &of_peer(&peer))?;
    }
    if !(is_of_peers && read.leaves_nothing_out()) {
        of_tasks(&args, &read, (address, &mut teller), &mut control).await?;
    }
    match teller.has_told() {
        true => Ok(ExitCode::SUCCESS),
        false => Err(read.nothing(&[]).into()),
    }
}

/// What to type for all that is meant of everybody's.
fn of_everybody(read: &Read) -> String {
    match read.states() {
        [] => "all".to_owned(),
        states => states
            .iter()
            .map(|named| state(*named))
            .collect::<Vec<_>>()
            .join(" "),
    }
}

/// What to type for these peers.
fn ids(peers: &[PeerRow]) -> String {
    let ids = peers.iter().map(|peer| peer.peer_id.as_str());
    ids.collect::<Vec<_>>().join(" ")
}

/// Tells of the groups that are meant, and of tasks that are not told with these; and how to see more.
async fn of_tasks(
    args: &Why,
    read: &Read,
    (master, teller): (SocketAddr, &mut Teller),
    control: &mut Control,
) -> anyhow::Result<()> {
    let limit = usize::try_from(args.limit)?;
    let before = args.before.as_ref();
    let groups = match before {
        Some(Before::Task(_)) => ListedGroups::default(),
        _ => {
            let behind = before.and_then(Before::group);
            read.wholes(&[], behind, limit, control).await?
        }
    };
    for group in groups.groups {
        let report = group_in_full(&group.group, control).await?;
        let is_here = folder_here(&report.group, master).is_some();
        let missing = missing_for(teller, &report, control).await?;
        let said = of_group(&report, Shown::Only(read.states()), is_here, missing);
        teller.tell(&report, &said)?;
    }
    let listed = match before {
        Some(Before::Group(_)) => Listed::default(),
        _ => {
            let behind = before.and_then(Before::task);
            let which = Tasks::BesideGroups;
            read.page(which, behind, limit, control).await?
        }
    };
    for task in listed.tasks {
        let report = select::task(&task.task_id.to_string(), true, control).await?;
        let said = match args.json {
            true => String::new(),
            false => {
                let group = report.group.as_deref();
                let elsewhere = group.filter(|group| folder_here(group, master).is_none());
                let last_words = last_words(&report, control).await;
                task::in_words(&report, &last_words, elsewhere)
            }
        };
        teller.tell(&report, &said)?;
    }
    if let Some(next) = groups.next {
        eprintln!("→ more groups: the same with --before {next}");
    }
    if let Some(next) = listed.next {
        eprintln!("→ older tasks: the same with --before {next}");
    }
    Ok(())
}

/// Looks into what the master of this folder wrote down, and prints.
fn of_the_past(
    args: &Why,
    what: &[String],
    when: &When,
    teller: &mut Teller,
) -> anyhow::Result<()> {
    let at = when
        .before(&Zoned::now())
        .context("--at is not on the calendar")?;
    let Then { names, mut states } = select::then(what, usize::try_from(args.limit)?)?;
    states.extend(args.only.states());
    ensure!(
        !names.is_empty(),
        "--at tells of what is named: a task or a group, and maybe numbers of its parts"
    );
    for name in names {
        let told = past::ask(root(), &name, at)?;
        match told.ok_or(NotFound::Then(name, at))? {
            past::Told::Task(report) => {
                let said = task::as_it_stood(&report, None);
                tell_as_of(teller, at, &report, &said)?;
            }
            past::Told::Group(report) => {
                let said = of_group(
                    &report,
                    Shown::Only(&states),
                    true,
                    missing_in_short(&report),
                );
                tell_as_of(teller, at, &report, &said)?;
            }
        }
    }
    Ok(())
}

/// The peers that go by these names, by which no task and no group does.
async fn peers(unknown: Vec<Unknown>, control: &mut Control) -> anyhow::Result<Vec<PeerRow>> {
    if unknown.is_empty() {
        return Ok(Vec::new());
    }
    let peers: Vec<PeerRow> = control.ask(&Request::Peers, read_report).await?;
    let mut meant = Vec::new();
    for Unknown { what, why } in unknown {
        match named(&what, &peers) {
            Ok(peer) => meant.push(peer.clone()),
            Err(NotFound::NoPeer(what, _)) => {
                if let Some(loose) = select::loose(&what, control).await? {
                    return Err(loose.into());
                }
                let names = select::names(control).await?;
                let peers = peers.iter().map(|peer| peer.peer_id.as_str());
                let known = names.iter().map(String::as_str).chain(peers);
                let near = did_you_mean(&what, known);
                return Err(NotFound::Nothing { what, why, near }.into());
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(meant)
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

/// How the parts stand, and what was found out; `is_here` if what they made lies in a folder here, and `missing` is what is to be
/// said of those that are not there.
fn of_group(
    report: &GroupReport,
    shown: Shown<'_>,
    is_here: bool,
    missing: Option<String>,
) -> String {
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
    if let Some(missing) = missing {
        let _ = writeln!(text, "{missing}");
    }
    let Some(why) = &report.why else {
        return text;
    };
    let group = &report.group;
    let elsewhere = Some(group.as_str()).filter(|_| !is_here);
    text.push_str(&findings::in_words(why, shown, elsewhere));
    if is_well(report) {
        let place = match is_here {
            true => format!("in results/{group}/"),
            false => at_master(&format!("{group}/"), group),
        };
        let _ = writeln!(text, "→ what they made lies {place}");
    } else if why.verdicts.is_empty() && shown.is_for(TaskState::Failed) {
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
    use mutirao_actors::logic::diagnosis::MENDS;
    use mutirao_actors::model::{Attempt, TaskId};
    use mutirao_actors::wire::report::{Culprit, Findings, PeerFaultRow, VerdictRow};

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
        let report = group(3, 0);
        let stands = "main-7: 4 parts · 1 waiting · 0 running · 3 done · 0 failed · 0 cancelled\n";
        assert_eq!(of_group(&report, Shown::Only(&[]), true, None), stands);
        let failures = of_group(&report, Shown::Only(&[TaskState::Failed]), true, None);
        assert_eq!(failures, format!("{stands}nothing of it has failed\n"));
    }

    fn group(done: u64, failed: u64) -> GroupReport {
        GroupReport {
            group: "main-7".into(),
            parts: 4,
            waiting: 4 - done - failed,
            running: 0,
            done,
            failed,
            cancelled: 0,
            failures: Vec::new(),
            complete: false,
            why: Some(Box::default()),
        }
    }

    #[test]
    fn what_was_made_is_told_with_its_folder_or_with_what_brings_it_here() {
        let told = |is_here| of_group(&group(4, 0), Shown::Only(&[]), is_here, None);
        assert!(told(true).ends_with("\n→ what they made lies in results/main-7/\n"));
        let elsewhere = "\n→ what they made lies at the master, in its results/main-7/: \
                         mutirao fetch main-7 brings it here\n";
        assert!(told(false).ends_with(elsewhere));
    }

    #[test]
    fn rows_that_are_to_be_mended_are_brought_here_first() {
        let mut report = group(3, 1);
        let mend = format!("{MENDS}main-7/failed.csv, then with the same script");
        let row = VerdictRow {
            culprit: Culprit::Row,
            error: "exit code 1".into(),
            tasks: 1,
            failed: 1,
            done: 0,
            tries: 1,
            peers: Vec::new(),
            peers_total: 1,
            examples: Vec::new(),
            words: "the row".into(),
            helps: vec!["mutirao why main-7.1 shows where".into(), mend.clone()],
        };
        report.why = Some(Box::new(Findings {
            verdicts: vec![row],
            ..Findings::default()
        }));
        let told = |is_here| of_group(&report, Shown::Only(&[]), is_here, None);
        assert!(told(true).ends_with(&format!("shows where\n    → {mend}\n")));
        let elsewhere = format!(
            "shows where\n    → failed.csv lies at the master, in its results/main-7/: mutirao fetch main-7 brings it here\n    → {mend}\n"
        );
        assert!(told(false).ends_with(&elsewhere), "{}", told(false));
    }
}
