//! `mutirao run`: run a script, a folder or a task ZIP somewhere, and print what it printed.

mod embedded;
mod parts;

use std::fs;
use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use mutirao_actors::model::{Archive, TaskChoice, TaskId, TaskName};
use mutirao_actors::wire::report::{TaskReport, TaskState};
use mutirao_actors::wire::{Reply, Request};

use self::embedded::master_or_own;
use super::FAILED;
use super::ask::task_status;
use super::group::is_here;
use super::house::Signals;
use super::master::LOOK_EVERY;
use super::options::{FindOptions, RunnerOptions};
use super::peer::INTERRUPTED;
use super::progress::Loneliness;
use super::wanted::Wanted;
use crate::archive::inspect_task;
use crate::control::{Control, ControlError};
use crate::disk::Volume;
use crate::disk::publish::publish;

pub use self::parts::{cut, dry_run, finish};

/// Longest text of a result that is printed; the rest is in the result's ZIP.
const PRINTED_MAX: u64 = 64 << 20;

/// What to type when the master comes back later than that is waited for.
const AFTERWARDS: &str = "mutirao wait last";

/// Looks for a result that the master of this folder lays down itself, right after it was told to be done: two seconds.
const LAID_LOOKS_MAX: u32 = 10;

/// Run a script, a folder or a task ZIP somewhere, and print what it printed; or cut its input and run it on all peers
#[derive(Debug, Clone, Args)]
pub struct Run {
    #[command(flatten)]
    pub wanted: Wanted,
    #[command(flatten)]
    pub find: FindOptions,
    #[command(flatten)]
    runner: RunnerOptions,
}

/// Packs, submits, waits, prints and leaves the result.
pub async fn run(mut args: Run) -> anyhow::Result<ExitCode> {
    if args.wanted.is_cut() {
        return parts::run(args).await;
    }
    let mut signals = Signals::listen()?;
    let wanted = &mut args.wanted;
    let task = Archive::new(wanted.pack()?);
    inspect_task(task.bytes())
        .with_context(|| format!("{} cannot be a task", wanted.what.display()))?;
    if wanted.dry_run {
        return dry_run(&args.find, &wanted.name(), None, &task).await;
    }
    let (address, embedded) = master_or_own(&args.find, &args.runner).await?;
    wanted.is_passing = embedded.is_some();
    let mut control = Control::connect(address).await?;
    let master_is_here = embedded.is_none() && is_here(address);
    let code = tokio::select! {
        code = submit_and_wait(wanted, &task, master_is_here, &mut control) => code,
        _ = signals.next() => {
            eprintln!("interrupted; {}", left_behind(embedded.is_some()));
            Ok(ExitCode::from(INTERRUPTED))
        }
    };
    // Also after an error: what was started here is ended here, and leaves its message log.
    if let Some(embedded) = embedded {
        embedded.end().await;
    }
    code
}

/// What becomes of the task when this command is interrupted.
fn left_behind(embedded: bool) -> &'static str {
    if embedded {
        "the script is stopped"
    } else {
        "a task that was handed in goes on: mutirao wait last, or mutirao cancel last"
    }
}

async fn submit_and_wait(
    wanted: &Wanted,
    task: &Archive,
    master_is_here: bool,
    control: &mut Control,
) -> anyhow::Result<ExitCode> {
    let after = wanted.after(control).await?;
    let (id, _) = wanted.submit(task, after, control).await?;
    if !wanted.is_passing {
        control.be_patient(AFTERWARDS);
    }
    wait_and_print(id, master_is_here, control).await
}

/// Waits for a task, prints what it printed and leaves its result here, where the master may do so by itself.
pub async fn wait_and_print(
    id: TaskId,
    master_is_here: bool,
    control: &mut Control,
) -> anyhow::Result<ExitCode> {
    let report = wait(id, control).await?;
    if report.state == TaskState::Cancelled {
        bail!(
            "{} was cancelled: {}",
            report.task_name,
            report.reason.unwrap_or_default()
        );
    }
    let fetched = fetch(id, control).await;
    let (name, archive) = match fetched {
        Ok(fetched) => fetched,
        Err(error) if report.state == TaskState::Failed => {
            bail!(
                "{} failed: {} ({error})",
                report.task_name,
                report.reason.unwrap_or_default()
            );
        }
        Err(error) => return Err(error.into()),
    };
    io::stdout().write_all(&text_of(&archive, "stdout.txt")?)?;
    io::stderr().write_all(&text_of(&archive, "stderr.txt")?)?;
    let left = match master_is_here {
        true => laid(&name, &archive)
            .await
            .map_or_else(|| leave(&name, &archive), Ok)?,
        false => leave(&name, &archive)?,
    };
    let attempts = report.attempts;
    if report.state == TaskState::Failed {
        let why = report.reason.unwrap_or_default();
        let tries = if attempts == 1 { "try" } else { "tries" };
        eprintln!(
            "failed after {attempts} {tries}: {why} · {}",
            left.display()
        );
        return Ok(ExitCode::from(FAILED));
    }
    eprintln!("done · {}", left.display());
    Ok(ExitCode::SUCCESS)
}

/// Waits for the task's end with a line that tells how it stands.
async fn wait(task: TaskId, control: &mut Control) -> Result<TaskReport, ControlError> {
    let line = if io::stderr().is_terminal() {
        ProgressBar::new_spinner()
    } else {
        ProgressBar::hidden()
    };
    if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {msg}") {
        line.set_style(style);
    }
    let mut loneliness = Loneliness::default();
    loop {
        let report = task_status(TaskChoice::Id(task), false, control).await?;
        if report.state.is_terminal() {
            line.finish_and_clear();
            return Ok(report);
        }
        if report.state == TaskState::Queued {
            loneliness.look(&line, control).await?;
        }
        line.set_message(in_words(&report));
        line.tick();
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn in_words(report: &TaskReport) -> String {
    let trouble = report
        .reason
        .as_ref()
        .map(|why| format!(" · last try: {why}"))
        .unwrap_or_default();
    match (&report.state, &report.peer) {
        (TaskState::Leased, Some(peer)) => format!("{} runs on {peer}{trouble}", report.task_name),
        _ => format!("{} waits for a free peer{trouble}", report.task_name),
    }
}

/// The result of a task, or the last output of one that failed, with its name.
pub async fn fetch(task: TaskId, control: &mut Control) -> Result<(String, Archive), ControlError> {
    let read = |reply: Reply<'_>| match reply {
        Reply::ResultPackage {
            result_name,
            result_data,
            sha256,
        } => {
            let archive = Archive::new(result_data.decode().ok()?);
            (archive.digest() == sha256).then(|| (result_name.into_owned(), archive))
        }
        _ => None,
    };
    control
        .ask(&Request::FetchResult { task_id: task }, read)
        .await
}

/// The result, as the master of this folder laid it into `results/`; nothing if that takes too long.
async fn laid(name: &str, archive: &Archive) -> Option<PathBuf> {
    let path = Path::new("results").join(name);
    for _ in 0..LAID_LOOKS_MAX {
        // Another master of this machine may have the same name for another result.
        if fs::read(&path).is_ok_and(|bytes| bytes == **archive.bytes()) {
            return Some(path);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    None
}

/// Puts the result into our own `results/`, as the master does into its own: failed ones into a folder of theirs.
fn leave(name: &str, archive: &Archive) -> anyhow::Result<PathBuf> {
    let mut folder = PathBuf::from("results");
    let name = match name.strip_prefix("failed/") {
        Some(name) => {
            folder.push("failed");
            name
        }
        None => name,
    };
    let name = TaskName::tamed(name.rsplit('/').next().unwrap_or(name));
    fs::create_dir_all(&folder)
        .with_context(|| format!("failed to make the folder {}", folder.display()))?;
    let name = publish(&Volume::real(), &folder, name.as_str(), archive.bytes())
        .with_context(|| format!("failed to leave the result in {}", folder.display()))?;
    Ok(folder.join(name))
}

/// One text of a result; nothing if the result has none.
pub fn text_of(archive: &Archive, name: &str) -> anyhow::Result<Vec<u8>> {
    let mut zip = zip::ZipArchive::new(io::Cursor::new(archive.bytes()))?;
    let mut text = Vec::new();
    if let Ok(entry) = zip.by_name(name) {
        entry.take(PRINTED_MAX).read_to_end(&mut text)?;
    }
    Ok(text)
}
