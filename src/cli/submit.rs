//! `mutirao submit`: hand in what `run` runs, and do not wait for it.

use std::cell::Cell;
use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use clap::Args;
use mutirao_actors::model::{Archive, TaskId};
use serde::Serialize;

use super::group;
use super::options::{FindOptions, NoMaster};
use super::run::{Alone, cut, dry_run};
use super::telling::{Outcome, Telling, code};
use super::wanted::Wanted;
use crate::archive::inspect_task;
use crate::control::Control;

/// Hand in what `run` runs, and do not wait for it
#[derive(Debug, Clone, Args)]
pub struct Submit {
    #[command(flatten)]
    wanted: Wanted,
    #[command(flatten)]
    find: FindOptions,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What was handed in.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Submitted {
    Task {
        task_id: TaskId,
        task_name: String,
    },
    /// With its tasks in the order of the parts.
    Group {
        group: String,
        parts: u32,
        tasks: Vec<TaskId>,
    },
}

impl Outcome for Submitted {
    fn in_words(&self, _: Telling) -> io::Result<()> {
        let mut out = io::stdout().lock();
        match self {
            Self::Task { task_id, task_name } => writeln!(out, "{task_id}  {task_name}"),
            Self::Group { group, .. } => writeln!(out, "{group}"),
        }
    }
}

/// Packs, hands in, and prints under which name.
pub async fn run(args: Submit, telling: Telling) -> anyhow::Result<ExitCode> {
    let telling = telling.json(args.json);
    let wanted = &args.wanted;
    if wanted.is_cut() {
        return parts(&args, telling).await;
    }
    let task = Archive::new(wanted.pack()?);
    inspect_task(task.bytes())
        .with_context(|| format!("{} cannot be a task", wanted.what.display()))?;
    if wanted.dry_run {
        return dry_run((wanted, None, &task), &args.find, Alone::Stays, telling).await;
    }
    let address = args.find.find().await?.ok_or(NoMaster)?;
    let mut control = Control::connect(address).await?;
    let after = wanted.after(&mut control).await?;
    let (task_id, task_name) = wanted.submit(&task, after, &mut control).await?;
    let submitted = Submitted::Task { task_id, task_name };
    Ok(code(telling.print(&submitted)?))
}

async fn parts(args: &Submit, telling: Telling) -> anyhow::Result<ExitCode> {
    let wanted = &args.wanted;
    let (mut work, first) = cut(wanted)?;
    if wanted.dry_run {
        let planned = (wanted, Some(&work), &first);
        return dry_run(planned, &args.find, Alone::Stays, telling).await;
    }
    let address = args.find.find().await?.ok_or(NoMaster)?;
    let mut control = Control::connect(address).await?;
    let after = wanted.after(&mut control).await?;
    let place = group::open(&wanted.name(), work.parts(), &mut control).await?;
    let (first, handed_in) = ((first, after), Cell::new(0));
    let counting = (&handed_in, telling);
    let group = group::submit(wanted, &mut work, first, place, counting, &mut control).await?;
    let name = group.place.group.clone();
    ensure!(
        group.is_whole(),
        "the canary failed, so only {} of {} parts were handed in, and none of these begins: mutirao why {name}",
        group.tasks.len(),
        group.place.parts
    );
    let submitted = Submitted::Group {
        group: group.place.group,
        parts: group.place.parts,
        tasks: group.tasks,
    };
    let is_well = telling.print(&submitted)?;
    let described = group::described(&work, &mut control).await?;
    telling.aside(format_args!("{described} → mutirao wait {name}"));
    Ok(code(is_well))
}
