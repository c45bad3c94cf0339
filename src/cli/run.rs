//! `mutirao run`: run a script, a folder or a task ZIP somewhere, and print what it printed.

mod dry;
mod embedded;
mod parts;

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use mutirao_actors::model::Archive;
use tempfile::TempDir;

use self::embedded::master_or_own;
use super::ended::TaskEnded;
use super::group::is_here;
use super::house::Signals;
use super::options::{FindOptions, RunnerOptions};
use super::peer::INTERRUPTED;
use super::telling::{Telling, code};
use super::wanted::Wanted;
use crate::archive::inspect_task;
use crate::control::Control;

pub use self::dry::{Alone, dry_run};
pub use self::parts::cut;

/// What to type when the master comes back later than that is waited for.
const AFTERWARDS: &str = "mutirao wait last";

/// Run a script, a folder or a task ZIP somewhere, and print what it printed; or cut its input and run it on all peers
#[derive(Debug, Clone, Args)]
pub struct Run {
    #[command(flatten)]
    pub wanted: Wanted,
    #[command(flatten)]
    pub find: FindOptions,
    #[command(flatten)]
    runner: RunnerOptions,
    /// Print in the end how it went, as one JSON object
    #[arg(long)]
    json: bool,
}

/// Packs, submits, waits, prints and leaves the result. What a master of its own kept is `left`, for when the system has ended.
pub async fn run(
    mut args: Run,
    telling: Telling,
    left: &mut Option<TempDir>,
) -> anyhow::Result<ExitCode> {
    let telling = telling.json(args.json);
    if args.wanted.is_cut() {
        return parts::run(args, telling, left).await;
    }
    let mut signals = Signals::listen()?;
    let wanted = &mut args.wanted;
    let task = Archive::new(wanted.pack()?);
    inspect_task(task.bytes())
        .with_context(|| format!("{} cannot be a task", wanted.what.display()))?;
    if wanted.dry_run {
        return dry_run(
            (&*wanted, None, &task),
            &args.find,
            Alone::RunsHere,
            telling,
        )
        .await;
    }
    let (address, embedded) = master_or_own(&args.find, &args.runner, telling).await?;
    wanted.is_passing = embedded.is_some();
    let mut control = Control::connect(address).await?;
    let master_is_here = embedded.is_none() && is_here(address);
    let code = tokio::select! {
        code = submit_and_wait(wanted, &task, (master_is_here, telling), &mut control) => code,
        _ = signals.next() => {
            eprintln!("interrupted; {}", left_behind(embedded.is_some()));
            Ok(ExitCode::from(INTERRUPTED))
        }
    };
    // Also after an error: what was started here is ended here, and leaves its message log.
    if let Some(embedded) = embedded {
        *left = Some(embedded.end().await);
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
    (master_is_here, telling): (bool, Telling),
    control: &mut Control,
) -> anyhow::Result<ExitCode> {
    let after = wanted.after(control).await?;
    let (id, _) = wanted.submit(task, after, control).await?;
    if !wanted.is_passing {
        control.be_patient(AFTERWARDS);
    }
    let ended = TaskEnded::of(id, master_is_here, telling, control).await?;
    Ok(code(ended.tell(telling)?))
}
