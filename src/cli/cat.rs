//! `mutirao cat`: what tasks printed, one after the other.
//!
//! Rule: one result is in memory at a time, and is written before the next is fetched. Parts of a group come in their order.

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Args;
use mutirao_actors::model::{Stream, TaskId, TaskName};
use mutirao_actors::wire::report::{GroupReport, TaskReport, TaskState};
use serde::Serialize;

use super::left::{Text, fetch};
use super::list::state;
use super::options::{FindOptions, NoMaster};
use super::select::{self, Meant, Selection};
use super::telling::{Outcome, Telling, code};
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
    /// Print one JSON object for each task, a line each
    #[arg(long)]
    json: bool,
}

/// What a task printed, or why that is not here; with `--json`, exactly this is printed.
#[derive(Debug, Serialize)]
struct Printed {
    task_id: TaskId,
    task_name: TaskName,
    state: TaskState,
    /// The group of which it is a part, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    part: Option<u32>,
    stream: Stream,
    #[serde(flatten)]
    text: Option<Text>,
    /// Why there is no text.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl Outcome for Printed {
    fn in_words(&self, _: Telling) -> io::Result<()> {
        if let Some(text) = &self.text {
            io::stdout().write_all(&text.bytes)?;
        }
        if let Some(why) = &self.reason {
            eprintln!("{} ({}): {why}", self.task_name, state(self.state));
        }
        Ok(())
    }

    fn is_well(&self) -> bool {
        self.text.is_some()
    }
}

/// Fetches and prints.
pub async fn run(args: Cat, telling: Telling) -> anyhow::Result<ExitCode> {
    let telling = telling.json(args.json);
    let address = args.find.find().await?.ok_or(NoMaster)?;
    let mut control = Control::connect(address).await?;
    let stream = match args.stderr {
        true => Stream::Stderr,
        false => Stream::Stdout,
    };
    let mut is_whole = true;
    for meant in args.selection.find(&OVER, &mut control).await? {
        is_whole &= match meant {
            Meant::Task(task) => telling.print(&printed(*task, stream, &mut control).await?)?,
            Meant::Group(group) => parts(&group, stream, telling, &mut control).await?,
        };
    }
    Ok(code(is_whole))
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

/// Prints all parts of a group that have ended, and to a program why the others are not here; whether these are all.
async fn parts(
    group: &GroupReport,
    stream: Stream,
    telling: Telling,
    control: &mut Control,
) -> anyhow::Result<bool> {
    let mut missing = u64::from(group.parts);
    for part in select::parts(group, control).await?.into_values() {
        let printed = printed(part, stream, control).await?;
        // A reader is told below how many there are.
        if printed.is_well() || telling.is_json() {
            telling.print(&printed)?;
        }
        missing = missing.saturating_sub(printed.is_well().into());
    }
    if missing > 0 {
        let parts = counted(missing, "part", "parts");
        let group = &group.group;
        eprintln!("nothing is here of {parts} of {group}: mutirao info {group}");
    }
    Ok(missing == 0)
}

/// What one task printed, or why that is not here.
async fn printed(
    task: TaskReport,
    stream: Stream,
    control: &mut Control,
) -> anyhow::Result<Printed> {
    let (text, reason) = match not_yet(&task) {
        Some(why) => (None, Some(why)),
        None => match fetch(task.task_id, control).await {
            Ok((_, archive)) => match Text::of(&archive, stream) {
                Ok(text) => (Some(text), None),
                Err(refusal) => (None, Some(format!("its result cannot be read: {refusal}"))),
            },
            Err(ControlError::Refused(why)) => (None, Some(why)),
            Err(error) => return Err(error.into()),
        },
    };
    Ok(Printed {
        task_id: task.task_id,
        task_name: task.task_name,
        state: task.state,
        group: task.group,
        part: task.part,
        stream,
        text,
        reason,
    })
}
