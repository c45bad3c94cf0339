//! `mutirao wait`: wait for a group or a task that was handed in.

use std::process::ExitCode;

use clap::Args;
use mutirao_actors::model::{TaskChoice, TaskId};
use mutirao_actors::wire::report::GroupReport;

use super::FAILED;
use super::group::{self, follow, group_status, is_well, status};
use super::house::Signals;
use super::options::{FindOptions, NoMaster};
use super::peer::INTERRUPTED;
use super::run::{finish, wait_and_print};
use crate::control::{Control, ControlError};

/// Wait for a group or a task that was handed in
#[derive(Debug, Clone, Args)]
pub struct Wait {
    /// A group, a task's name or id, or `last` for the newest, with its group if it is of one
    what: String,
    #[command(flatten)]
    find: FindOptions,
    /// Print how a group stands in the end, as one JSON object
    #[arg(long)]
    json: bool,
}

/// What was meant.
pub enum Meant {
    /// All parts of the group of this name.
    Group(String),
    /// One task.
    Task(TaskId),
}

/// Waits, and says how it went.
pub async fn run(args: Wait) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::listen()?;
    let address = args.find.find().await?.ok_or(NoMaster)?;
    let mut control = Control::connect(address).await?;
    let waiting = async {
        match meant(&args.what, &mut control).await? {
            Meant::Task(task) => wait_and_print(task, &mut control).await,
            Meant::Group(group) => {
                let report = follow(&group, &mut control).await?;
                let folder = group::folder_here(&report.group, address);
                match args.json {
                    true => print(&report),
                    false => finish(&report, folder, &mut control).await,
                }
            }
        }
    };
    tokio::select! {
        code = waiting => code,
        _ = signals.next() => {
            eprintln!("interrupted; what was handed in goes on: mutirao wait {}", args.what);
            Ok(ExitCode::from(INTERRUPTED))
        }
    }
}

/// What goes by this name: a task, or else a group; `last` is the group of the newest task, if that is of one.
///
/// # Errors
/// When the master cannot be reached, or knows nothing of the name.
pub async fn meant(what: &str, control: &mut Control) -> Result<Meant, ControlError> {
    match status(TaskChoice::typed(what), control).await {
        Ok(report) => Ok(match report.group {
            Some(group) if what == "last" => Meant::Group(group),
            _ => Meant::Task(report.task_id),
        }),
        Err(ControlError::Refused(why)) => match group_status(what, control).await {
            Ok(report) => Ok(Meant::Group(report.group)),
            Err(ControlError::Refused(_)) => Err(ControlError::Refused(why)),
            Err(error) => Err(error),
        },
        Err(error) => Err(error),
    }
}

fn print(report: &GroupReport) -> anyhow::Result<ExitCode> {
    println!("{}", serde_json::to_string(report)?);
    Ok(match is_well(report) {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(FAILED),
    })
}
