//! One task in words.

use std::fmt::Write as _;

use comfy_table::Table;
use comfy_table::presets::NOTHING;
use mutirao_actors::logic::traceback::{last_lines, last_words};
use mutirao_actors::wire::report::{Against, TaskReport, TaskState};

use super::findings::{self, Shown};
use crate::folders::{ZIP_DAMAGED, ZIP_DELETED, ZIP_REPLACED};

/// All that is known of it, and what to do next. `stderr` is the end of what it printed as errors, if it is over and that could
/// be had.
/// `elsewhere` is its group, if what that made lies in no folder here.
pub(super) fn in_words(report: &TaskReport, stderr: &[u8], elsewhere: Option<&str>) -> String {
    let mut text = as_it_stood(report, elsewhere);
    text.push_str(&errors(report, stderr));
    if let Some(next) = next(report) {
        let _ = writeln!(text, "→ {next}");
    }
    text
}

/// The verdict, the tries and the conflicts.
pub(super) fn as_it_stood(report: &TaskReport, elsewhere: Option<&str>) -> String {
    let mut text = format!("{} {}\n", report.task_name, verdict(report));
    if let Some(why) = &report.why {
        text.push_str(&findings::in_words(why, Shown::OfOne, elsewhere));
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
    text
}

/// The end of what it printed as errors, where it failed; or ended with a traceback, though its peer did not say so.
fn errors(report: &TaskReport, stderr: &[u8]) -> String {
    let mut text = String::new();
    match report.state {
        TaskState::Failed => {
            for line in last_lines(stderr) {
                let _ = writeln!(text, "  | {line}");
            }
        }
        _ if last_lines(stderr)
            .first()
            .is_some_and(|line| line.starts_with("Traceback")) =>
        {
            let said = last_words(stderr).unwrap_or_default();
            let _ = writeln!(text, "it printed a traceback all the same: {said}");
        }
        _ => {}
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

/// The command that comes next, wherever it is typed.
fn next(report: &TaskReport) -> Option<String> {
    let name = report.task_name.stem();
    match (report.state, &report.result_file) {
        (TaskState::Done, Some(_)) => Some(format!("what it printed: mutirao cat {name}")),
        (TaskState::Failed, Some(_)) => {
            Some(format!("what it printed last: mutirao cat {name} --stderr"))
        }
        (TaskState::Cancelled, None) if is_zip_gone(report) => {
            Some("to try it again, put its ZIP into tasks/ again".into())
        }
        (TaskState::Failed | TaskState::Cancelled, None) => {
            Some(format!("to try it again: mutirao retry {name}"))
        }
        (TaskState::Leased, _) => Some(format!("its way so far: mutirao trace {name}")),
        _ => None,
    }
}

/// Whether the task was cancelled because its ZIP was taken away: then none lies in `tasks/failed/`.
fn is_zip_gone(report: &TaskReport) -> bool {
    let reason = report.reason.as_deref();
    reason.is_some_and(|why| [ZIP_DAMAGED, ZIP_DELETED, ZIP_REPLACED].contains(&why))
}

#[cfg(test)]
mod tests {
    use mutirao_actors::model::{Attempt, Digest, TaskId};
    use mutirao_actors::wire::report::{ConflictRow, Findings, ReasonRow, TryRow};

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
            submitted_at: None,
            started_at: None,
            ended_at: None,
            group: None,
            part: None,
            parts: None,
            tries: vec![
                tried(1, "ana", "exit code 1", Some(Against::Task)),
                tried(2, "bob", "runs", None),
            ],
            conflicts: Vec::new(),
            why: None,
        }
    }

    #[test]
    fn a_task_that_waits_says_what_for() {
        let mut queued = report(TaskState::Queued);
        queued.why = Some(Box::new(Findings {
            waits: vec![ReasonRow {
                reason: "2 peers are busy".into(),
                tasks: 1,
                help: Some("mutirao peer".into()),
            }],
            ..Findings::default()
        }));
        queued.tries.clear();
        assert_eq!(
            in_words(&queued, b"", None),
            "sim.zip waits · last try: exit code 1 on ana\n  waits  2 peers are busy → mutirao peer\n"
        );
    }

    #[test]
    fn a_failed_task_shows_its_tries_and_how_to_see_its_output() {
        let mut failed = report(TaskState::Failed);
        failed.result_file = Some("failed/sim.zip".into());
        failed.conflicts.push(ConflictRow {
            peer_id: "eve".parse().unwrap(),
            attempt: Attempt(2),
            sha256: Digest::of(b"other"),
        });
        let text = in_words(
            &failed,
            b"Traceback (most recent call last):\nKeyError: 'a'\n",
            None,
        );
        let lines: Vec<_> = text.lines().map(str::trim_end).collect();
        assert_eq!(lines[0], "sim.zip failed for good: exit code 1 on ana");
        assert!(lines[3].contains("ana") && lines[3].ends_with("the task"));
        assert!(lines[6].starts_with("try 2 on eve handed in another result"));
        assert_eq!(lines[7], "  | Traceback (most recent call last):");
        assert_eq!(lines[9], "→ what it printed last: mutirao cat sim --stderr");
    }

    #[test]
    fn a_cancelled_task_says_where_its_zip_is_to_come_from() {
        let mut cancelled = report(TaskState::Cancelled);
        let advice = |report: &TaskReport| next(report).unwrap();
        cancelled.reason = Some("cancelled by command".into());
        assert!(advice(&cancelled).contains("mutirao retry sim"));
        for gone in [ZIP_DAMAGED, ZIP_DELETED, ZIP_REPLACED] {
            cancelled.reason = Some(gone.into());
            assert!(advice(&cancelled).ends_with("put its ZIP into tasks/ again"));
        }
    }

    #[test]
    fn a_traceback_that_no_exit_code_told_of_is_pointed_out() {
        let done = report(TaskState::Done);
        let stderr =
            b"Traceback (most recent call last):\n  File \"main.py\", line 3\nKeyError: 'a'\n";
        let text = in_words(&done, stderr, None);
        let pointed = "it printed a traceback all the same: KeyError: 'a' (main.py:3)\n";
        assert!(text.contains(pointed), "{text}");
        assert!(!in_words(&done, b"a warning\n", None).contains("traceback"));
    }
}
