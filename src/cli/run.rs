//! `mutirao run`: run a script, a folder or a task ZIP somewhere, and print what it printed.

use std::fs;
use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use mutirao_actors::model::{Archive, TaskChoice, TaskId, TaskName};
use mutirao_actors::wire::report::{TaskReport, TaskState};
use mutirao_actors::wire::{Payload, Reply, Request};
use tempfile::TempDir;

use super::FAILED;
use super::house::{House, Signals};
use super::master::{LOOK_EVERY, config, own_address};
use super::options::{
    FindOptions, LimitOptions, LogOptions, MasterOptions, RunnerOptions, duration, root,
};
use super::peer::INTERRUPTED;
use super::typed::{pack, stem};
use super::up::start_peer;
use crate::archive::inspect_task;
use crate::control::{Control, ControlError};
use crate::disk::Volume;
use crate::disk::publish::publish;
use crate::master;
use crate::peer::Peer;

/// Longest text of a result that is printed; the rest is in the result's ZIP.
const PRINTED_MAX: u64 = 64 << 20;

/// Run a script, a folder or a task ZIP somewhere, and print what it printed
#[derive(Debug, Clone, Args)]
pub struct Run {
    /// main.py (or any script), a folder that holds a main.py, or a task ZIP
    what: PathBuf,
    /// The script's input; it finds it as input.csv and as its first argument
    input: Option<PathBuf>,
    /// Higher goes first under the `priority` scheduler
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    priority: i32,
    /// Kill the script after this long, such as 90s, 10m or 2h
    #[arg(long, value_name = "TIME", value_parser = duration)]
    time_limit: Option<Duration>,
    /// How often a failed run is tried again [default: what task.toml says, else 2]
    #[arg(long, value_name = "N")]
    retries: Option<u32>,
    /// The group of tasks that it belongs to [default: all that this machine submits]
    #[arg(long, value_name = "NAME")]
    group: Option<String>,
    /// Cancel it when more than N tasks of its group have failed
    #[arg(long, value_name = "N", requires = "group")]
    max_fails: Option<u32>,
    #[command(flatten)]
    find: FindOptions,
    #[command(flatten)]
    runner: RunnerOptions,
}

/// A master and a peer of our own, when none answered.
struct Embedded {
    house: House,
    master: master::Master,
    peer: Peer,
    /// The master's: what lies in `tasks/` here is not this command's to do.
    folders: TempDir,
}

/// Packs, submits, waits, prints and leaves the result.
pub async fn run(args: Run) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::listen()?;
    let task = Archive::new(pack(&args.what, args.input.as_deref())?);
    inspect_task(task.bytes())
        .with_context(|| format!("{} cannot be a task", args.what.display()))?;
    let (address, embedded) = match args.find.find().await? {
        Some(address) => (address, None),
        None => {
            let (address, embedded) = embed(&args).await?;
            (address, Some(embedded))
        }
    };
    let mut control = Control::connect(address).await?;
    let code = tokio::select! {
        code = submit_and_wait(&args, task, &mut control) => code,
        _ = signals.next() => {
            eprintln!("interrupted; {}", left_behind(embedded.is_some()));
            Ok(ExitCode::from(INTERRUPTED))
        }
    };
    // Also after an error: what was started here is ended here, and leaves its message log.
    if let Some(Embedded {
        house,
        master,
        peer,
        folders,
    }) = embedded
    {
        peer.leave(true);
        peer.gone().await;
        master.tidied().await;
        house.close(root());
        // The script is done, so what cannot be removed is not worth an error.
        let _ = folders.close();
    }
    code
}

/// What becomes of the task when this command is interrupted.
fn left_behind(embedded: bool) -> &'static str {
    if embedded {
        "the script is stopped"
    } else {
        "a task that was handed in goes on: to stop it, delete its ZIP from tasks/ of the master"
    }
}

/// No master answered: one of our own, and a peer, for this task.
async fn embed(args: &Run) -> anyhow::Result<(std::net::SocketAddr, Embedded)> {
    if let Some(master) = &args.find.master {
        bail!("the master {master} does not answer");
    }
    eprintln!("no master answered: running it here");
    let house = House::open(root(), &LogOptions { message_log: false })?;
    let interpreter = args.runner.interpreter()?;
    let options = MasterOptions {
        name: None,
        port: 0,
        scheduler: &mutirao_actors::schedulers::SCHEDULERS[0],
        open_api: false,
    };
    let limit = LimitOptions { time_limit: None };
    let mut config = config(&options, &args.find.ports, &limit);
    // Nobody is to find a master that ends with this command.
    config.discovery_ports.clear();
    let folders = tempfile::tempdir().context("failed to make a temporary folder")?;
    config.root = folders.path().to_owned();
    let master = master::start(config, house.clock.clone(), house.log.clone()).await?;
    // Whatever it leaves is nothing to any other master.
    let spool = Some(folders.path().join("spool"));
    let peer = start_peer(&master, &args.runner, interpreter, spool, &house).await?;
    let address = own_address(&master);
    Ok((
        address,
        Embedded {
            house,
            master,
            peer,
            folders,
        },
    ))
}

async fn submit_and_wait(
    args: &Run,
    task: Archive,
    control: &mut Control,
) -> anyhow::Result<ExitCode> {
    let id = submit(args, &task, control).await?;
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
    let left = leave(&name, &archive)?;
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

async fn submit(args: &Run, task: &Archive, control: &mut Control) -> Result<TaskId, ControlError> {
    let name = TaskName::tamed(&format!("{}.zip", stem(&args.what)));
    let request = Request::SubmitTask {
        task_name: name.as_str().into(),
        task_data: Payload::Inside(task.bytes().clone()),
        sha256: Some(task.digest()),
        group: args.group.as_deref().map(Into::into),
        priority: Some(args.priority),
        time_limit_s: args
            .time_limit
            .map(|limit| u32::try_from(limit.as_secs().max(1)).unwrap_or(u32::MAX)),
        retries: args.retries,
        max_fails: args.max_fails,
        part: None,
        after: None,
        max_running: None,
    };
    let read = |reply: Reply<'_>| match reply {
        Reply::Accepted { task_id, .. } => Some(task_id),
        _ => None,
    };
    control.ask(&request, read).await
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
    let status = Request::TaskStatus {
        task: TaskChoice::Id(task),
        why: false,
    };
    loop {
        let read = |reply: Reply<'_>| match reply {
            Reply::TaskState(report) => Some(report),
            _ => None,
        };
        let report = control.ask(&status, read).await?;
        if report.state.is_terminal() {
            line.finish_and_clear();
            return Ok(report);
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

async fn fetch(task: TaskId, control: &mut Control) -> Result<(String, Archive), ControlError> {
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
fn text_of(archive: &Archive, name: &str) -> anyhow::Result<Vec<u8>> {
    let mut zip = zip::ZipArchive::new(io::Cursor::new(archive.bytes()))?;
    let mut text = Vec::new();
    if let Ok(entry) = zip.by_name(name) {
        entry.take(PRINTED_MAX).read_to_end(&mut text)?;
    }
    Ok(text)
}
