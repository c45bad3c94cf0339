//! `mutirao info`: all that is known of a task, or how the parts of a group stand.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::Args;
use jiff::{Timestamp, Zoned};
use mutirao_actors::wire::report::{GroupReport, TaskReport};

use super::group;
use super::list::state;
use super::missing::missing_for;
use super::options::{FindOptions, NoMaster};
use super::select::{self, Meant, Selection};
use super::status::in_words as seconds;
use super::telling::Teller;
use super::why::findings::milliseconds;
use crate::control::Control;

/// Tell all that is known of tasks and groups
#[derive(Debug, Clone, Args)]
pub struct Info {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    find: FindOptions,
    /// Print one JSON object for each, a line each
    #[arg(long)]
    json: bool,
}

/// Asks and prints.
pub async fn run(args: Info) -> anyhow::Result<ExitCode> {
    let address = args.find.find().await?.ok_or(NoMaster)?;
    let mut control = Control::connect(address).await?;
    let mut teller = Teller::new(args.json);
    for meant in args.selection.find(&[], &mut control).await? {
        match meant {
            Meant::Group(report) => {
                let is_here = group::folder_here(&report.group, address).is_some();
                let missing = missing_for(&teller, &report, &mut control).await?;
                teller.tell(&report, &of_group(&report, is_here, missing))?;
            }
            Meant::Task(report) => {
                let id = report.task_id.to_string();
                let report = select::task(&id, true, &mut control).await?;
                let said = of_task(&report, group::is_here(address), &Zoned::now());
                teller.tell(&report, &said)?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Lines of a name and what is said of it.
#[derive(Debug, Default)]
struct Lines(String);

impl Lines {
    fn say(&mut self, name: &str, what: impl std::fmt::Display) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "{name:<10} {what}");
    }

    fn maybe(&mut self, name: &str, what: Option<impl std::fmt::Display>) {
        if let Some(what) = what {
            self.say(name, what);
        }
    }
}

/// `is_here` if what it made lies in a folder here; `missing` is what is to be said of parts that are not there.
fn of_group(report: &GroupReport, is_here: bool, missing: Option<String>) -> String {
    let mut lines = Lines::default();
    lines.say("group", &report.group);
    lines.say("parts", report.parts);
    lines.maybe("missing", missing);
    lines.say("waiting", report.waiting);
    lines.say("running", report.running);
    lines.say("done", report.done);
    lines.say("failed", report.failed);
    lines.say("cancelled", report.cancelled);
    for row in &report.failures {
        lines.say("", format!("{} × {}", row.tasks, row.reason));
    }
    let folder = format!("{}/", report.group);
    lines.say(
        "results",
        match is_here {
            true => format!("results/{folder}"),
            false => group::at_master(&folder, &report.group),
        },
    );
    lines.0
}

/// When something was, and how long ago that is: `2026-11-22 14:05:31, 2 min 5 s ago`.
fn when(at: Timestamp, now: &Zoned) -> String {
    let local = at.to_zoned(now.time_zone().clone());
    let ago = now.timestamp().duration_since(at).as_secs();
    let ago = seconds(u64::try_from(ago).unwrap_or_default());
    format!("{}, {ago} ago", local.strftime("%Y-%m-%d %H:%M:%S"))
}

/// `is_here` if its master puts results into a folder here.
fn of_task(report: &TaskReport, is_here: bool, now: &Zoned) -> String {
    let mut lines = Lines::default();
    lines.say("task", &report.task_name);
    lines.say("id", report.task_id);
    lines.say("state", state(report.state));
    if let (Some(group), Some(part), Some(parts)) = (&report.group, report.part, report.parts) {
        lines.say("group", format!("{group}, part {part} of {parts}"));
    }
    lines.maybe("handed in", report.submitted_at.map(|at| when(at, now)));
    lines.maybe("began", report.started_at.map(|at| when(at, now)));
    lines.maybe("ended", report.ended_at.map(|at| when(at, now)));
    lines.maybe("reason", report.reason.as_ref());
    let waits = report.why.iter().flat_map(|why| &why.waits);
    waits.for_each(|why| lines.say("waits for", &why.reason));
    for tried in &report.tries {
        let (number, peer, ended) = (tried.attempt, &tried.peer_id, &tried.ended);
        lines.say("try", format!("{number} on {peer}: {ended}"));
    }
    for conflict in &report.conflicts {
        let (number, peer, sha256) = (conflict.attempt, &conflict.peer_id, conflict.sha256);
        lines.say(
            "not taken",
            format!("another result of try {number} from {peer}: sha256 {sha256}"),
        );
    }
    lines.maybe("took", report.took_ms.map(milliseconds));
    let file = report.result_file.as_ref();
    lines.maybe(
        "result",
        file.map(|file| match is_here {
            true => format!("results/{file}"),
            // By its name another may be meant, which came later.
            false => group::at_master(file, report.task_id),
        }),
    );
    lines.0
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;
    use serde_json::{Value, json};

    use super::*;

    fn told_to(is_here: bool, more: Value) -> String {
        let mut report = json!({
            "task_id": "01a22620-e91c-705e-9677-bda466ff00c2", "task_name": "sim.zip", "attempts": 1,
            "submitted_at": "2026-11-22T14:05:31.5Z",
        });
        let fields = report.as_object_mut().unwrap();
        fields.extend(more.as_object().unwrap().clone());
        let now: Timestamp = "2026-11-22T14:07:36.7Z".parse().unwrap();
        let report = serde_json::from_value(report).unwrap();
        of_task(&report, is_here, &now.to_zoned(TimeZone::UTC))
    }

    fn told(more: Value) -> String {
        told_to(true, more)
    }

    #[test]
    fn what_does_not_lie_here_is_told_with_what_brings_it() {
        let done = json!({ "state": "done", "result_file": "sim.zip" });
        let here = told_to(true, done.clone());
        assert!(here.ends_with("\nresult     results/sim.zip\n"), "{here}");
        let elsewhere = told_to(false, done);
        let brings = "\nresult     at the master, in its results/sim.zip: \
                      mutirao fetch 01a22620-e91c-705e-9677-bda466ff00c2 brings it here\n";
        assert!(elsewhere.ends_with(brings), "{elsewhere}");
        let group = json!({
            "group": "main-7", "parts": 2, "waiting": 0, "running": 0, "done": 2, "failed": 0, "cancelled": 0,
            "complete": true,
        });
        let group: GroupReport = serde_json::from_value(group).unwrap();
        let brings = "\nresults    at the master, in its results/main-7/: mutirao fetch main-7 brings it here\n";
        assert!(of_group(&group, false, None).ends_with(brings));
        assert!(of_group(&group, true, None).ends_with("\nresults    results/main-7/\n"));
    }

    #[test]
    fn a_task_is_told_with_its_times() {
        let done = told(json!({
            "state": "done", "took_ms": 3210, "started_at": "2026-11-22T14:06:34Z", "ended_at": "2026-11-22T14:06:37Z",
        }));
        assert!(
            done.contains("handed in  2026-11-22 14:05:31, 2 min 5 s ago\n"),
            "{done}"
        );
        assert!(done.contains("took       3.2 s\n"), "{done}");
        assert!(
            done.contains("began      2026-11-22 14:06:34, 1 min 2 s ago\n"),
            "{done}"
        );
        assert!(
            done.contains("ended      2026-11-22 14:06:37, 59 s ago\n"),
            "{done}"
        );
        let waits = told(json!({ "state": "queued" }));
        assert!(
            !waits.contains("began") && !waits.contains("ended"),
            "{waits}"
        );
    }
}
