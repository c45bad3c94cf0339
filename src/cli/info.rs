//! `mutirao info`: all that is known of a task, or how the parts of a group stand.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Args;
use mutirao_actors::wire::report::{GroupReport, TaskReport};

use super::group::missing;
use super::list::state;
use super::options::{FindOptions, NoMaster};
use super::select::{self, Meant, Selection};
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
    for (number, meant) in args
        .selection
        .find(&[], &mut control)
        .await?
        .iter()
        .enumerate()
    {
        let (json, text) = match meant {
            Meant::Group(report) => (serde_json::to_string(report)?, of_group(report)),
            Meant::Task(report) => {
                let id = report.task_id.to_string();
                let report = select::task(&id, true, &mut control).await?;
                (serde_json::to_string(&report)?, of_task(&report))
            }
        };
        let mut out = io::stdout().lock();
        match args.json {
            true => writeln!(out, "{json}")?,
            false if number > 0 => write!(out, "\n{text}")?,
            false => write!(out, "{text}")?,
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

fn of_group(report: &GroupReport) -> String {
    let mut lines = Lines::default();
    lines.say("group", &report.group);
    lines.say("parts", report.parts);
    match missing(report) {
        0 => {}
        missing => lines.say(
            "missing",
            format!("{missing}, not handed in: that was cut off, or goes on"),
        ),
    }
    lines.say("waiting", report.waiting);
    lines.say("running", report.running);
    lines.say("done", report.done);
    lines.say("failed", report.failed);
    lines.say("cancelled", report.cancelled);
    for row in &report.failures {
        lines.say("", format!("{} × {}", row.tasks, row.reason));
    }
    lines.say("results", format!("results/{}/", report.group));
    lines.0
}

fn of_task(report: &TaskReport) -> String {
    let mut lines = Lines::default();
    lines.say("task", &report.task_name);
    lines.say("id", report.task_id);
    lines.say("state", state(report.state));
    if let (Some(group), Some(part), Some(parts)) = (&report.group, report.part, report.parts) {
        lines.say("group", format!("{group}, part {part} of {parts}"));
    }
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
    lines.maybe("took", report.took_ms.map(|took| format!("{took} ms")));
    let file = report.result_file.as_ref();
    lines.maybe("result", file.map(|file| format!("results/{file}")));
    lines.0
}
