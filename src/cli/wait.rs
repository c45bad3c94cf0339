//! `mutirao wait`: wait for groups and tasks that were handed in.

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Args;
use mutirao_actors::wire::report::TaskState;

use super::ended::{GroupEnded, TaskEnded};
use super::group::{self, follow};
use super::house::Signals;
use super::options::{FindOptions, NoMaster};
use super::peer::INTERRUPTED;
use super::select::{Meant, NotFound, Selection};
use super::telling::{Telling, code};
use crate::control::Control;

/// Tasks that have not ended.
const OPEN: [TaskState; 2] = [TaskState::Queued, TaskState::Leased];

/// Wait for groups and tasks that were handed in, one after the other
#[derive(Debug, Clone, Args)]
pub struct Wait {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    find: FindOptions,
    /// Print how each group or task stands in the end, as one JSON object a line
    #[arg(long)]
    json: bool,
}

/// Waits, and says how it went.
pub async fn run(args: Wait, telling: Telling) -> anyhow::Result<ExitCode> {
    let telling = telling.json(args.json);
    let mut signals = Signals::listen()?;
    let address = args.find.find().await?.ok_or(NoMaster)?;
    let mut control = Control::connect(address).await?;
    control.be_patient("mutirao wait, with the same words");
    let waiting = async {
        let mut is_well = true;
        let read = args.selection.read(&mut control).await?;
        let found = match read.found(&OPEN, &mut control).await {
            // Whoever waits for everything has nothing left to wait for.
            Err(error) if read.is_of_everybody() && error.is::<NotFound>() => Vec::new(),
            found => found?,
        };
        for meant in found {
            is_well &= one(meant, telling, address, &mut control).await?;
        }
        Ok(code(is_well))
    };
    tokio::select! {
        code = waiting => code,
        _ = signals.next() => {
            eprintln!("interrupted; what was handed in goes on: mutirao wait, with the same words");
            Ok(ExitCode::from(INTERRUPTED))
        }
    }
}

/// Waits for one of them, and says how it ended; whether that is well.
async fn one(
    meant: Meant,
    telling: Telling,
    master: SocketAddr,
    control: &mut Control,
) -> anyhow::Result<bool> {
    match meant {
        Meant::Task(task) => {
            let is_here = group::is_here(master);
            let ended = TaskEnded::of(task.task_id, is_here, telling, control).await?;
            ended.tell(telling)
        }
        Meant::Group(group) => {
            let report = follow(&group.group, telling, control).await?;
            let folder = group::folder_here(&report.group, master);
            let ended = GroupEnded::of(report, folder, true, control).await?;
            Ok(telling.print(&ended)?)
        }
    }
}
