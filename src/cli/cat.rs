//! `mutirao cat`: what tasks printed, one after the other.
//!
//! Rule: one result is in memory at a time, and is written before the next is fetched. Parts of a group come in their order.

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Args;
use mutirao_actors::model::{Archive, Stream, TaskId};
use mutirao_actors::wire::report::{GroupReport, TaskReport, TaskState};

use super::FAILED;
use super::left::{Text, fetch};
use super::list::state;
use super::options::{FindOptions, NoMaster};
use super::select::{self, Meant, Selection};
use super::work::counted;
use crate::control::{Control, ControlError};

/// Tasks that left something to print.
const OVER: [TaskState; 2] = [TaskState::Done, TaskState::Failed];

/// Print what tasks printed; of a failed one what its last try did
#[derive(Debug, Clone, Args)]
pub struct Cat {
    #[command(flatten)]
    selection: Selection,
    /// What they printed as errors instead
    #[arg(long)]
    stderr: bool,
    #[command(flatten)]
    find: FindOptions,
}

/// Fetches and prints.
pub async fn run(args: Cat) -> anyhow::Result<ExitCode> {
    let address = args.find.find().await?.ok_or(NoMaster)?;
    let mut control = Control::connect(address).await?;
    let stream = match args.stderr {
        true => Stream::Stderr,
        false => Stream::Stdout,
    };
    let mut is_whole = true;
    for meant in args.selection.find(&OVER, &mut control).await? {
        let printed = match meant {
            Meant::Task(task) => {
                let why = match not_yet(&task) {
                    None => print(task.task_id, stream, &mut control).await?,
                    why => why,
                };
                let untold = |why| eprintln!("{} ({}): {why}", task.task_name, state(task.state));
                why.map(untold).is_none()
            }
            Meant::Group(group) => parts(&group, stream, &mut control).await?,
        };
        is_whole &= printed;
    }
    Ok(match is_whole {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(FAILED),
    })
}

/// Why nothing is here of a task that left nothing, and what tells more.
fn not_yet(task: &TaskReport) -> Option<String> {
    let name = task.task_name.stem();
    match task.state {
        TaskState::Queued => Some(format!("mutirao why {name} tells for what")),
        TaskState::Leased => Some(format!("mutirao tail -f {name} shows what it prints")),
        TaskState::Cancelled => Some(format!("it left nothing, mutirao why {name} tells more")),
        TaskState::Done | TaskState::Failed => None,
    }
}

/// Prints all parts of a group that have ended; whether these are all.
async fn parts(group: &GroupReport, stream: Stream, control: &mut Control) -> anyhow::Result<bool> {
    let mut missing = u64::from(group.parts);
    for part in select::parts(group, control).await?.into_values() {
        let is_over = OVER.contains(&part.state);
        if is_over && print(part.task_id, stream, control).await?.is_none() {
            missing = missing.saturating_sub(1);
        }
    }
    if missing > 0 {
        let parts = counted(missing, "part", "parts");
        let group = &group.group;
        eprintln!("nothing is here of {parts} of {group}: mutirao info {group}");
    }
    Ok(missing == 0)
}

/// Prints what one task printed; why that is not here, if so.
async fn print(
    task: TaskId,
    stream: Stream,
    control: &mut Control,
) -> anyhow::Result<Option<String>> {
    let archive: Archive = match fetch(task, control).await {
        Ok((_, archive)) => archive,
        Err(ControlError::Refused(why)) => return Ok(Some(why)),
        Err(error) => return Err(error.into()),
    };
    io::stdout().write_all(&Text::of(&archive, stream)?.bytes)?;
    Ok(None)
}
