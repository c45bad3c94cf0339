//! `mutirao submit`: hand in what `run` runs, and do not wait for it.

use std::cell::Cell;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use mutirao_actors::model::Archive;
use serde_json::json;

use super::group;
use super::options::{FindOptions, NoMaster};
use super::run::{cut, dry_run};
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

/// Packs, hands in, and prints under which name.
pub async fn run(args: Submit) -> anyhow::Result<ExitCode> {
    let wanted = &args.wanted;
    if wanted.is_cut() {
        return parts(&args).await;
    }
    let task = Archive::new(wanted.pack()?);
    inspect_task(task.bytes())
        .with_context(|| format!("{} cannot be a task", wanted.what.display()))?;
    if wanted.dry_run {
        return dry_run(&args.find, &wanted.name(), None, &task).await;
    }
    let address = args.find.find().await?.ok_or(NoMaster)?;
    let mut control = Control::connect(address).await?;
    let after = wanted.after(&mut control).await?;
    let (id, name) = wanted.submit(&task, after, &mut control).await?;
    match args.json {
        true => println!("{}", json!({ "task_id": id, "task_name": name })),
        false => println!("{id}  {name}"),
    }
    Ok(ExitCode::SUCCESS)
}

async fn parts(args: &Submit) -> anyhow::Result<ExitCode> {
    let wanted = &args.wanted;
    let (mut work, first) = cut(wanted)?;
    if wanted.dry_run {
        return dry_run(&args.find, &wanted.name(), Some(&work), &first).await;
    }
    let address = args.find.find().await?.ok_or(NoMaster)?;
    let mut control = Control::connect(address).await?;
    let after = wanted.after(&mut control).await?;
    let place = group::open(&wanted.name(), work.parts(), &mut control).await?;
    let (first, handed_in) = ((first, after), Cell::new(0));
    let group = group::submit(wanted, &mut work, first, place, &handed_in, &mut control).await?;
    let (name, parts) = (&group.place.group, group.place.parts);
    match args.json {
        true => println!(
            "{}",
            json!({ "group": name, "parts": parts, "tasks": group.tasks })
        ),
        false => println!("{name}"),
    }
    let described = group::described(&work, &mut control).await?;
    eprintln!("{described} → mutirao wait {name}");
    Ok(ExitCode::SUCCESS)
}
