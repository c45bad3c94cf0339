//! `mutirao wait`: wait for a group or a task that was handed in.

use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use mutirao_actors::model::TaskChoice;

use super::FAILED;
use super::group::{self, Group, Tally, find, follow, status};
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
    /// All parts of a group.
    Group(Group),
    /// One task.
    Task(mutirao_actors::wire::report::TaskReport),
}

/// Waits, and says how it went.
pub async fn run(args: Wait) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::listen()?;
    let address = args.find.find().await?.ok_or(NoMaster)?;
    let mut control = Control::connect(address).await?;
    let waiting = async {
        match meant(&args.what, &mut control).await? {
            Meant::Task(report) => wait_and_print(report.task_id, &mut control).await,
            Meant::Group(group) if group.is_short() => bail!(
                "only {} of {} parts were handed in; to take them back: mutirao cancel {}",
                group.tasks.len(),
                group.place.parts,
                group.place.group
            ),
            Meant::Group(group) => {
                let tally = follow(&group, &mut control).await?;
                let folder = group::folder_here(&tally.group, address);
                match args.json {
                    true => print(&tally),
                    false => finish(&tally, folder, &mut control).await,
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

/// What goes by this name: a task, unless there is a group that is called so.
///
/// # Errors
/// When the master cannot be reached, or knows nothing of the name.
pub async fn meant(what: &str, control: &mut Control) -> anyhow::Result<Meant> {
    match status(TaskChoice::typed(what), control).await {
        Ok(report) => match (&report.group, what) {
            (Some(group), "last") if report.parts.is_some() => {
                Ok(Meant::Group(find(&group.clone(), control).await?))
            }
            _ => Ok(Meant::Task(report)),
        },
        Err(ControlError::Refused(why)) => match find(what, control).await {
            Ok(group) => Ok(Meant::Group(group)),
            Err(error) if error.is::<ControlError>() => Err(ControlError::Refused(why).into()),
            Err(error) => Err(error),
        },
        Err(error) => Err(error.into()),
    }
}

fn print(tally: &Tally) -> anyhow::Result<ExitCode> {
    println!("{}", serde_json::to_string(tally)?);
    Ok(match tally.is_well() {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(FAILED),
    })
}
