//! `mutirao peers`: who works for a master.

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Args;
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use mutirao_actors::wire::Request;
use mutirao_actors::wire::report::PeerRow;
use serde::Serialize;

use super::ask::read_report;
use super::options::{FindOptions, NoMaster};
use super::status::in_words;
use super::telling::{Outcome, Telling, code};
use crate::control::Control;

/// List the peers of a master
#[derive(Debug, Clone, Args)]
pub struct Peers {
    #[command(flatten)]
    find: FindOptions,
    /// Print one JSON array
    #[arg(long)]
    json: bool,
}

/// Who is here; with `--json`, exactly this is printed.
#[derive(Debug, Serialize)]
struct Here(Vec<PeerRow>);

impl Outcome for Here {
    fn in_words(&self, _: Telling) -> io::Result<()> {
        let mut out = io::stdout().lock();
        match self.0.as_slice() {
            [] => writeln!(out, "no peer is here; start one with `mutirao peer`"),
            peers => writeln!(out, "{}", table(peers)),
        }
    }
}

/// Asks and prints.
pub async fn run(args: Peers, telling: Telling) -> anyhow::Result<ExitCode> {
    let address = args.find.find().await?.ok_or(NoMaster)?;
    let mut control = Control::connect(address).await?;
    let here = Here(control.ask(&Request::Peers, read_report).await?);
    Ok(code(telling.json(args.json).print(&here)?))
}

fn table(peers: &[PeerRow]) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header([
        "PEER",
        "ADDRESS",
        "SLOTS",
        "RUNS",
        "DONE",
        "FAILED",
        "STATE",
        "LAST WORD",
        "PROGRAM",
    ]);
    for peer in peers {
        table.add_row([
            peer.peer_id.as_str(),
            &peer.address,
            &peer.slots.to_string(),
            &peer.leases.to_string(),
            &peer.done.to_string(),
            &peer.failed.to_string(),
            &peer.state,
            &format!("{} ago", in_words(peer.last_word_s)),
            peer.agent.as_deref().unwrap_or("another program"),
        ]);
    }
    table.trim_fmt()
}
