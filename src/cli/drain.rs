//! `mutirao drain`: a peer is given nothing more, and ends what it has.

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Args;
use mutirao_actors::model::PeerId;
use mutirao_actors::wire::Request;
use mutirao_actors::wire::report::{DrainReport, PeerRow};

use super::ask::read_report;
use super::near::did_you_mean;
use super::options::{FindOptions, NoMaster};
use super::telling::{Outcome, Telling, code};
use super::why::{NotFound, named};
use super::work::counted;
use crate::control::Control;

/// Give a peer nothing more; it ends what it has
#[derive(Debug, Clone, Args)]
pub struct Drain {
    /// Its id, or the beginning of the id of one that is here
    peer: String,
    /// Give it tasks again
    #[arg(long)]
    undo: bool,
    #[command(flatten)]
    find: FindOptions,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Has it written down, and says what the peer still has.
pub async fn run(args: Drain, telling: Telling) -> anyhow::Result<ExitCode> {
    let address = args.find.find().await?.ok_or(NoMaster)?;
    let mut control = Control::connect(address).await?;
    let request = Request::DrainPeer {
        peer_id: peer(&args, &mut control).await?,
        undo: args.undo,
    };
    let report: DrainReport = control.ask(&request, read_report).await?;
    Ok(code(telling.json(args.json).print(&report)?))
}

impl Outcome for DrainReport {
    fn in_words(&self, _: Telling) -> io::Result<()> {
        let mut out = io::stdout().lock();
        let (peer_id, tasks) = (&self.peer_id, counted(self.leases, "task", "tasks"));
        match (self.drained, self.leases) {
            (true, 0) => writeln!(out, "{peer_id} is drained and has nothing: it can go"),
            (true, _) => writeln!(
                out,
                "{peer_id} is drained and ends {tasks} → mutirao why {peer_id}"
            ),
            (false, _) => writeln!(out, "{peer_id} is given tasks again"),
        }
    }
}

/// Who is meant: one that is here, or of one that was drained and went its whole id.
async fn peer(args: &Drain, control: &mut Control) -> anyhow::Result<PeerId> {
    let peers: Vec<PeerRow> = control.ask(&Request::Peers, read_report).await?;
    match (named(&args.peer, &peers), args.peer.parse()) {
        (Ok(peer), _) => Ok(peer.peer_id.clone()),
        (Err(NotFound::NoPeer(..)), Ok(absent)) if args.undo => Ok(absent),
        (Err(NotFound::NoPeer(what, _)), _) => {
            let known = peers.iter().map(|peer| peer.peer_id.as_str());
            let near = did_you_mean(&what, known);
            Err(NotFound::NoPeer(what, near).into())
        }
        (Err(error), _) => Err(error.into()),
    }
}
