//! `mutirao run` and `submit` with `--dry-run`: what would be made, and which peers could take it.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::process::ExitCode;

use mutirao_actors::model::{Archive, PeerId};
use mutirao_actors::wire::Request;
use mutirao_actors::wire::report::PeerRow;
use serde::Serialize;

use crate::cli::ask::read_report;
use crate::cli::options::FindOptions;
use crate::cli::telling::{Outcome, Telling, code};
use crate::cli::wanted::Wanted;
use crate::cli::work::{Work, counted};
use crate::control::{Control, ControlError};

/// How a peer fares that is given tasks, in the master's word.
const READY: &str = "ready";

/// What becomes of it where no master answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alone {
    /// It runs here.
    RunsHere,
    /// It cannot be handed in.
    Stays,
}

/// What would be made, and who could run it.
#[derive(Debug, Serialize)]
struct Planned {
    /// Always: it tells this apart from what was made.
    dry_run: bool,
    /// What it would be called; a group gets a number behind it.
    name: String,
    tasks: u32,
    /// How it would be cut, if it would be.
    cut: Option<CutUp>,
    /// How large the ZIP of the first task is.
    first_zip_bytes: u64,
    /// Which master would get it; none if none answers.
    master: Option<SocketAddr>,
    /// Whether it would run on this machine, for want of a master.
    runs_here: bool,
    peers: Vec<Taker>,
}

/// How a work would be cut.
#[derive(Debug, Serialize)]
struct CutUp {
    /// Of what it is cut.
    from: &'static str,
    /// Of how many of these.
    count: u64,
    /// How many rows the first task would have, if it is cut by rows.
    rows_each: Option<u64>,
    /// How much input all tasks would have.
    input_bytes: u64,
    #[serde(skip)]
    in_words: String,
}

/// A peer of the master.
#[derive(Debug, Serialize)]
struct Taker {
    peer_id: PeerId,
    address: String,
    slots: u32,
    state: String,
    /// Whether it is given tasks.
    could_take: bool,
}

impl CutUp {
    fn of(work: &Work) -> Self {
        let (input_bytes, rows_each) = work.sizes();
        let (count, _, from) = work.cut_from();
        Self {
            from,
            count,
            rows_each,
            input_bytes,
            in_words: work.in_words(),
        }
    }
}

impl From<PeerRow> for Taker {
    fn from(row: PeerRow) -> Self {
        Self {
            could_take: row.state == READY,
            peer_id: row.peer_id,
            address: row.address,
            slots: row.slots,
            state: row.state,
        }
    }
}

impl Outcome for Planned {
    fn in_words(&self, _: Telling) -> io::Result<()> {
        let mut out = io::stdout().lock();
        let kib = |bytes: u64| counted(bytes.div_ceil(1024), "KiB", "KiB");
        let name = &self.name;
        let (tasks, zip) = (
            counted(self.tasks.into(), "task", "tasks"),
            kib(self.first_zip_bytes),
        );
        match &self.cut {
            Some(cut) => {
                let rows = cut
                    .rows_each
                    .map(|rows| format!(", {} each", counted(rows, "row", "rows")));
                let (from, rows) = (&cut.in_words, rows.unwrap_or_default());
                let input = kib(cut.input_bytes);
                writeln!(
                    out,
                    "{name}: {from} as {tasks}{rows} · {input} of input · the first is a ZIP of {zip}"
                )?;
            }
            None => writeln!(out, "{name}: {tasks} · a ZIP of {zip}")?,
        }
        match (self.master, self.runs_here) {
            (Some(_), _) => {}
            (None, true) => return writeln!(out, "no master answers: it would run here"),
            (None, false) => {
                return writeln!(out, "no master answers: it could not be handed in");
            }
        }
        let slots = |slots: u64| counted(slots, "slot", "slots");
        let ready: Vec<_> = self.peers.iter().filter(|peer| peer.could_take).collect();
        let all = ready.iter().map(|peer| u64::from(peer.slots)).sum();
        let peers = counted(ready.len() as u64, "peer", "peers");
        writeln!(out, "{peers} with {} could take it", slots(all))?;
        for peer in &self.peers {
            let (id, state) = (&peer.peer_id, &peer.state);
            writeln!(out, "  {id}  {}  {state}", slots(peer.slots.into()))?;
        }
        Ok(())
    }
}

/// Says what would be made of this, of which the first task is packed already, and who could run it.
///
/// # Errors
/// When a master that was found does not answer.
pub async fn dry_run(
    (wanted, work, first): (&Wanted, Option<&Work>, &Archive),
    find: &FindOptions,
    alone: Alone,
    telling: Telling,
) -> anyhow::Result<ExitCode> {
    let master = find.find().await?;
    let peers = match master {
        Some(address) => peers(address).await?,
        None => Vec::new(),
    };
    let planned = Planned {
        dry_run: true,
        name: wanted.name(),
        tasks: work.map_or(1, Work::parts),
        cut: work.map(CutUp::of),
        first_zip_bytes: first.bytes().len() as u64,
        master,
        runs_here: master.is_none() && alone == Alone::RunsHere,
        peers: peers.into_iter().map(Taker::from).collect(),
    };
    Ok(code(telling.print(&planned)?))
}

async fn peers(address: SocketAddr) -> Result<Vec<PeerRow>, ControlError> {
    let mut control = Control::connect(address).await?;
    control.ask(&Request::Peers, read_report).await
}
