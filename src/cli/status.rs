//! `mutirao status`: how the queue of a master stands, or what a peer does.

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use mutirao_actors::wire::report::{MasterReport, PeerReport};
use mutirao_actors::wire::{Reply, Request};
use serde::Serialize;

use super::options::{FindOptions, NoMaster};
use super::telling::{Outcome, Telling, code};
use crate::control::Control;

/// Show how the queue of a master stands, or what a peer does
#[derive(Debug, Clone, Args)]
pub struct Status {
    #[command(flatten)]
    find: FindOptions,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What a STATUS may be of; with `--json`, exactly this is printed.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Report {
    Master(MasterReport),
    Peer(PeerReport),
}

impl Outcome for Report {
    fn in_words(&self, _: Telling) -> io::Result<()> {
        let text = match self {
            Self::Master(report) => of_master(report),
            Self::Peer(report) => of_peer(report),
        };
        io::stdout().write_all(text.as_bytes())
    }
}

/// Asks and prints.
pub async fn run(args: Status, telling: Telling) -> anyhow::Result<ExitCode> {
    let address = args.find.find().await?.ok_or(NoMaster)?;
    let mut control = Control::connect(address).await?;
    let report = control.ask(&Request::Status, |reply| match reply {
        Reply::Report(text) => {
            let master = serde_json::from_str(&text).map(Report::Master);
            master
                .or_else(|_| serde_json::from_str(&text).map(Report::Peer))
                .ok()
        }
        _ => None,
    });
    Ok(code(telling.json(args.json).print(&report.await?)?))
}

fn of_master(report: &MasterReport) -> String {
    let tasks = &report.queue.tasks;
    let mut text = format!(
        "master {:?} · up {} · {} {} · scheduler {}\n\
         tasks: {} waiting · {} running · {} done · {} failed · {} cancelled\n",
        report.name,
        in_words(report.uptime_s),
        report.queue.peers,
        if report.queue.peers == 1 {
            "peer"
        } else {
            "peers"
        },
        report.queue.scheduler,
        tasks.queued,
        tasks.leased,
        tasks.done,
        tasks.failed,
        tasks.cancelled,
    );
    if let Some(trouble) = &report.queue.trouble {
        text.push_str(&format!("  trouble {trouble}\n"));
    }
    let unused = report.queue.conflicts + report.queue.unmatched;
    if unused > 0 {
        text.push_str(&format!(
            "  aside   {unused} results that no task took: see .mutirao/set-aside/\n"
        ));
    }
    if tasks.queued > 0 && report.queue.peers == 0 {
        text.push_str("the tasks wait for a peer: start one with `mutirao peer`\n");
    }
    for row in &report.queue.quarantined {
        text.push_str(&format!("  sick    {}  {}\n", row.peer_id, row.state));
    }
    for row in &report.queue.running {
        let (name, peer, time) = (&row.task_name, &row.peer_id, in_words(row.for_s));
        text.push_str(&format!(
            "  runs    {name}  try {} on {peer} for {time}\n",
            row.attempt
        ));
    }
    for row in &report.queue.failures {
        text.push_str(&format!("  failed  {}  {}\n", row.task_name, row.reason));
    }
    text
}

fn of_peer(report: &PeerReport) -> String {
    let master = report
        .master
        .as_deref()
        .unwrap_or("none yet: looking for one");
    let python = report.python.as_deref().unwrap_or("unknown");
    let mut text = format!(
        "peer {} · master {master} · {} of {} slots free · python {python}\n",
        report.peer_id, report.free, report.slots
    );
    for row in &report.running {
        text.push_str(&format!(
            "  runs    {}  for {}\n",
            row.task_name,
            in_words(row.for_s)
        ));
    }
    text
}

/// `42 s`, `3 min 5 s`, `2 h 10 min`.
pub fn in_words(seconds: u64) -> String {
    let time = Duration::from_secs(seconds).as_secs();
    match (time / 3600, time / 60 % 60, time % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}
