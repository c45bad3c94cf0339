//! `mutirao wait`: wait for groups and tasks that were handed in.

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Args;
use mutirao_actors::wire::report::{GroupReport, TaskState};

use super::FAILED;
use super::group::{self, follow, is_well};
use super::house::Signals;
use super::options::{FindOptions, NoMaster};
use super::peer::INTERRUPTED;
use super::run::{finish, wait_and_print};
use super::select::{Meant, NotFound, Selection};
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
    /// Print how each group stands in the end, as one JSON object a line
    #[arg(long)]
    json: bool,
}

/// Waits, and says how it went.
pub async fn run(args: Wait) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::listen()?;
    let address = args.find.find().await?.ok_or(NoMaster)?;
    let mut control = Control::connect(address).await?;
    control.be_patient("mutirao wait, with the same words");
    let waiting = async {
        let mut worst = ExitCode::SUCCESS;
        let read = args.selection.read(&mut control).await?;
        let found = match read.found(&OPEN, &mut control).await {
            // Whoever waits for everything has nothing left to wait for.
            Err(error) if read.is_everything() && error.is::<NotFound>() => Vec::new(),
            found => found?,
        };
        for meant in found {
            let code = one(meant, &args, address, &mut control).await?;
            if code != ExitCode::SUCCESS {
                worst = code;
            }
        }
        Ok(worst)
    };
    tokio::select! {
        code = waiting => code,
        _ = signals.next() => {
            eprintln!("interrupted; what was handed in goes on: mutirao wait, with the same words");
            Ok(ExitCode::from(INTERRUPTED))
        }
    }
}

async fn one(
    meant: Meant,
    args: &Wait,
    master: SocketAddr,
    control: &mut Control,
) -> anyhow::Result<ExitCode> {
    match meant {
        Meant::Task(task) => wait_and_print(task.task_id, group::is_here(master), control).await,
        Meant::Group(group) => {
            let report = follow(&group.group, control).await?;
            let folder = group::folder_here(&report.group, master);
            match args.json {
                true => {
                    group::gathered(&report.group, control).await?;
                    print(&report)
                }
                false => finish(&report, folder, true, control).await,
            }
        }
    }
}

fn print(report: &GroupReport) -> anyhow::Result<ExitCode> {
    println!("{}", serde_json::to_string(report)?);
    Ok(match is_well(report) {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(FAILED),
    })
}
