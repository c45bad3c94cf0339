//! `mutirao why`: why a task waits, runs or failed, and how a peer fares.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Args;
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use mutirao_actors::wire::Request;
use mutirao_actors::wire::report::{Against, PeerRow, TaskReport, TaskState};

use super::near::did_you_mean;
use super::options::{FindOptions, NoMaster};
use super::select;
use super::status::{in_words, read_report};
use crate::control::{Control, ControlError};
use crate::folders::{ZIP_DAMAGED, ZIP_DELETED, ZIP_REPLACED};

/// Tell why a task waits or failed, or how a peer fares
#[derive(Debug, Clone, Args)]
pub struct Why {
    /// A task's name, its id or the beginning of it, `last` for what was handed in last from here, or a peer's id or its beginning
    what: String,
    #[command(flatten)]
    find: FindOptions,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Nothing goes by that name.
#[derive(Debug, thiserror::Error)]
pub enum NotFound {
    /// Neither a task nor a peer; and which of them may have been meant.
    #[error(
        "the master knows no task and no peer {0:?}{1}; `mutirao list` and `mutirao peers` show what there is"
    )]
    Nothing(String, String),
    /// More than one peer.
    #[error("{1} peers begin with {0:?}; give more of the id")]
    Several(String, usize),
}

/// Asks and prints.
pub async fn run(args: Why) -> anyhow::Result<ExitCode> {
    let address = args.find.find().await?.ok_or(NoMaster)?;
    let mut control = Control::connect(address).await?;
    let (json, text) = match select::task(&args.what, true, &mut control).await {
        Ok(report) => (serde_json::to_string(&report)?, of_task(&report)),
        Err(ControlError::Refused(_)) => {
            let peers: Vec<PeerRow> = control.ask(&Request::Peers, read_report).await?;
            let peer = match named(&args.what, &peers) {
                Err(NotFound::Nothing(what, _)) => {
                    let names = select::names(&mut control).await?;
                    let peers = peers.iter().map(|peer| peer.peer_id.as_str());
                    let known = names.iter().map(String::as_str).chain(peers);
                    let near = did_you_mean(&what, known);
                    return Err(NotFound::Nothing(what, near).into());
                }
                peer => peer?,
            };
            (serde_json::to_string(peer)?, of_peer(peer))
        }
        Err(error) => return Err(error.into()),
    };
    let mut out = io::stdout().lock();
    if args.json {
        writeln!(out, "{json}")?;
    } else {
        write!(out, "{text}")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn named<'p>(what: &str, peers: &'p [PeerRow]) -> Result<&'p PeerRow, NotFound> {
    let begins = |peer: &&PeerRow| peer.peer_id.as_str().starts_with(what);
    let found: Vec<_> = peers.iter().filter(begins).collect();
    let exact = found.iter().find(|peer| peer.peer_id.as_str() == what);
    match (exact, found.as_slice()) {
        (Some(peer), _) | (None, [peer]) => Ok(peer),
        (None, []) => Err(NotFound::Nothing(what.to_owned(), String::new())),
        (None, several) => Err(NotFound::Several(what.to_owned(), several.len())),
    }
}

/// The verdict, the tries, the conflicts, and what to do next.
fn of_task(report: &TaskReport) -> String {
    let mut text = format!("{} {}\n", report.task_name, verdict(report));
    for reason in &report.waits_for {
        let _ = writeln!(text, "  {reason}");
    }
    if !report.tries.is_empty() {
        text.push('\n');
        text.push_str(&tries(report));
        text.push_str("\n\n");
    }
    for conflict in &report.conflicts {
        let _ = writeln!(
            text,
            "try {} on {} handed in another result, which was not taken: sha256 {}",
            conflict.attempt, conflict.peer_id, conflict.sha256
        );
    }
    if let Some(next) = next(report) {
        let _ = writeln!(text, "→ {next}");
    }
    text
}

fn verdict(report: &TaskReport) -> String {
    let reason = report.reason.as_deref();
    let because = reason.map(|why| format!(": {why}")).unwrap_or_default();
    let last = reason
        .map(|why| format!(" · last try: {why}"))
        .unwrap_or_default();
    match (report.state, &report.peer) {
        (TaskState::Queued, _) => format!("waits{last}"),
        (TaskState::Leased, Some(peer)) => format!("runs on {peer}{last}"),
        (TaskState::Leased, None) => format!("runs{last}"),
        (TaskState::Done, _) => "is done".into(),
        (TaskState::Failed, _) => format!("failed for good{because}"),
        (TaskState::Cancelled, _) => format!("was cancelled{because}"),
    }
}

fn tries(report: &TaskReport) -> String {
    let mut table = Table::new();
    table
        .load_style(NOTHING)
        .set_header(["TRY", "PEER", "HOW IT ENDED", "COUNTS AGAINST"]);
    for tried in &report.tries {
        let against = match tried.against {
            None => "",
            Some(Against::Task) => "the task",
            Some(Against::Peer) => "the peer",
            Some(Against::Nobody) => "nobody",
        };
        table.add_row([
            &tried.attempt.to_string(),
            tried.peer_id.as_str(),
            &tried.ended,
            against,
        ]);
    }
    table.trim_fmt()
}

/// The command that comes next, in the master's folder.
fn next(report: &TaskReport) -> Option<String> {
    let name = &report.task_name;
    match (report.state, &report.result_file) {
        (TaskState::Done, Some(file)) => Some(format!(
            "what it printed: unzip -p results/{file} stdout.txt"
        )),
        (TaskState::Failed, Some(file)) => Some(format!(
            "what it printed last: unzip -p results/{file} stderr.txt"
        )),
        (TaskState::Cancelled, None) if is_zip_gone(report) => {
            Some("to try it again, put its ZIP into tasks/ again".into())
        }
        (TaskState::Failed | TaskState::Cancelled, None) => {
            Some("to try it again, move its ZIP from tasks/failed/ back into tasks/".into())
        }
        (TaskState::Leased, _) => Some(format!("its way so far: mutirao trace --task {name}")),
        _ => None,
    }
}

/// Whether the task was cancelled because its ZIP was taken away: then none lies in `tasks/failed/`.
fn is_zip_gone(report: &TaskReport) -> bool {
    let reason = report.reason.as_deref();
    reason.is_some_and(|why| [ZIP_DAMAGED, ZIP_DELETED, ZIP_REPLACED].contains(&why))
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
    if let Some(latest) = row.faults.last() {
        let _ = writeln!(text, "→ the latest: mutirao why {}", latest.task_id);
    }
    text
}

#[cfg(test)]
mod tests {
    use mutirao_actors::model::{Attempt, Digest, TaskId};
    use mutirao_actors::wire::report::{ConflictRow, PeerFaultRow, TryRow};

    use super::*;

    fn report(state: TaskState) -> TaskReport {
        let tried = |attempt, peer: &str, ended: &str, against| TryRow {
            attempt: Attempt(attempt),
            peer_id: peer.parse().unwrap(),
            ended: ended.into(),
            against,
        };
        TaskReport {
            task_id: TaskId(uuid::Uuid::from_u128(7)),
            task_name: "sim.zip".parse().unwrap(),
            state,
            peer: Some("bob".parse().unwrap()),
            attempts: 2,
            reason: Some("exit code 1 on ana".into()),
            result_file: None,
            took_ms: None,
            group: None,
            part: None,
            parts: None,
            tries: vec![
                tried(1, "ana", "exit code 1", Some(Against::Task)),
                tried(2, "bob", "runs", None),
            ],
            conflicts: Vec::new(),
            waits_for: Vec::new(),
        }
    }

    #[test]
    fn a_task_that_waits_says_what_for() {
        let mut queued = report(TaskState::Queued);
        queued.waits_for = vec!["2 peers are busy".into()];
        queued.tries.clear();
        assert_eq!(
            of_task(&queued),
            "sim.zip waits · last try: exit code 1 on ana\n  2 peers are busy\n"
        );
    }

    #[test]
    fn a_failed_task_shows_its_tries_and_where_its_output_lies() {
        let mut failed = report(TaskState::Failed);
        failed.result_file = Some("failed/sim.zip".into());
        failed.conflicts.push(ConflictRow {
            peer_id: "eve".parse().unwrap(),
            attempt: Attempt(2),
            sha256: Digest::of(b"other"),
        });
        let text = of_task(&failed);
        let lines: Vec<_> = text.lines().map(str::trim_end).collect();
        assert_eq!(lines[0], "sim.zip failed for good: exit code 1 on ana");
        assert!(lines[3].contains("ana") && lines[3].ends_with("the task"));
        assert!(lines[6].starts_with("try 2 on eve handed in another result"));
        assert_eq!(
            lines[7],
            "→ what it printed last: unzip -p results/failed/sim.zip stderr.txt"
        );
    }

    #[test]
    fn a_cancelled_task_says_where_its_zip_is_to_come_from() {
        let mut cancelled = report(TaskState::Cancelled);
        let advice = |report: &TaskReport| next(report).unwrap();
        cancelled.reason = Some("cancelled by command".into());
        assert!(advice(&cancelled).contains("from tasks/failed/ back into tasks/"));
        for gone in [ZIP_DAMAGED, ZIP_DELETED, ZIP_REPLACED] {
            cancelled.reason = Some(gone.into());
            assert!(advice(&cancelled).ends_with("put its ZIP into tasks/ again"));
        }
    }

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
    fn a_peer_is_found_by_the_beginning_of_its_id_if_it_is_the_only_one() {
        let peers = [row("ana"), row("anabel"), row("bob")];
        assert_eq!(named("b", &peers).unwrap().peer_id.as_str(), "bob");
        assert_eq!(named("ana", &peers).unwrap().peer_id.as_str(), "ana");
        assert!(matches!(named("an", &peers), Err(NotFound::Several(_, 2))));
        assert!(matches!(named("x", &peers), Err(NotFound::Nothing(..))));
    }
}
