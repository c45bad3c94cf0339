//! How a script is really run: unpacked into a folder of its own, watched, ended with all that it started, packed.
//!
//! Rule: whatever a task does, a run ends with an [`Outcome`](mutirao_actors::model::Outcome) and a ZIP that tells the person who sent it what happened.

mod environment;
mod family;
mod forking;
mod interpreter;
mod kernel;
mod memory;
mod notes;
mod orphans;
mod output;
mod place;
mod plan;
mod prepare;
mod printed;
mod process;
#[cfg(procfs)]
mod procfs;
mod removal;
mod result;
mod run;
mod script;
mod start;
mod warm;
mod windows;

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use mutirao_actors::clock::Clock;
use mutirao_actors::model::{Attempt, Both, PeerId, Piece, TaskId};
use mutirao_actors::runner::{Finished, Job, Runner};
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use warm::Warmth;
use windows::Windows;

pub use interpreter::{Interpreter, InterpreterError};
pub use notes::Notes;
pub use output::{OUTPUT_MAX, TAIL_MAX, Tally};
pub use result::{MADE_BYTES_MAX, MADE_FILES_MAX};
pub use start::Start;

/// How scripts are run.
#[derive(Debug, Clone)]
pub struct Config {
    /// The folder that holds one folder for each run; made when missing.
    pub work: PathBuf,
    /// Whether the folders stay when a run is forgotten.
    pub keep_work: bool,
    /// Where to note what runs, for the next life.
    pub notes: Notes,
    /// What runs the scripts.
    pub interpreter: Interpreter,
    /// Whether each is started, or forked from one that is.
    pub start: Start,
    /// A folder for what makes templates, made when missing; nothing else lies in it.
    pub templates: PathBuf,
    /// Who runs them, for `result.json`.
    pub peer: Option<PeerId>,
    /// What time it is.
    pub clock: Clock,
}

/// What a run leaves on the disk.
#[derive(Debug)]
struct Trace {
    folder: PathBuf,
    /// Of its note.
    marker: String,
}

/// By run; one that was ordered twice has two.
type Traces = HashMap<(TaskId, Attempt), Vec<Trace>>;

/// Runs the scripts of tasks with a real Python.
#[derive(Debug)]
pub struct ScriptRunner {
    config: Arc<Config>,
    warmth: Arc<Warmth>,
    /// What runs that were not forgotten left; bounded by the slots and by what waits to be handed in.
    traces: Arc<Mutex<Traces>>,
    /// Through which it is seen what runs print.
    windows: Windows,
    /// The runs and removals under way: the program waits for them before it ends.
    under_way: TaskTracker,
}

impl ScriptRunner {
    /// A runner without runs.
    ///
    /// # Errors
    /// When a folder cannot be made.
    pub fn new(mut config: Config) -> io::Result<Self> {
        fs::create_dir_all(&config.work)?;
        // Scripts run in other folders, so what they are told must not depend on ours.
        config.work = config.work.canonicalize()?;
        let program = &config.interpreter.path;
        let warmth = Warmth::open(program, &config.templates, config.start)?;
        Ok(Self {
            warmth: Arc::new(warmth),
            config: Arc::new(config),
            traces: Arc::default(),
            windows: Windows::default(),
            under_way: TaskTracker::new(),
        })
    }

    /// Ends what an earlier life left running, and removes its folders; to be called before anything is run.
    ///
    /// # Errors
    /// When the notes of it cannot be read.
    pub async fn sweep(&self) -> io::Result<()> {
        orphans::sweep(&self.config).await
    }

    /// Starts what most tasks are forked from, behind: the first that comes finds it ready.
    pub fn warm_up(&self) {
        self.warmth.prepare(environment::of_most());
    }

    /// Comes back when what runs has ended, also what was stopped and forgotten, and what was forgotten is gone;
    /// nothing may be run after this.
    pub async fn tidied(&self) {
        self.under_way.close();
        self.under_way.wait().await;
    }
}

impl Runner for ScriptRunner {
    fn run(&self, job: Job, stop: CancellationToken) -> BoxFuture<'static, Finished> {
        let (config, traces) = (self.config.clone(), self.traces.clone());
        let (warmth, windows) = (self.warmth.clone(), self.windows.clone());
        let run = async move {
            let register = |trace| {
                let mut traces = traces.lock().unwrap_or_else(PoisonError::into_inner);
                traces
                    .entry((job.task, job.attempt))
                    .or_default()
                    .push(trace);
            };
            run::run(&config, &warmth, &windows, &job, stop, register).await
        };
        self.under_way.track_future(run).boxed()
    }

    fn printed(
        &self,
        task: TaskId,
        attempt: Attempt,
        from: Option<Both<u64>>,
    ) -> BoxFuture<'static, Option<Both<Piece>>> {
        let windows = self.windows.clone();
        async move { windows.look((task, attempt), from).await }.boxed()
    }

    fn forget(&self, task: TaskId, attempt: Attempt) -> BoxFuture<'static, ()> {
        self.windows.forget((task, attempt));
        let forgotten = self
            .traces
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&(task, attempt));
        let config = self.config.clone();
        let removal = async move {
            for trace in forgotten.into_iter().flatten() {
                let config = config.clone();
                // It fails only when the runtime shuts down, and then the next life does it.
                let _ = spawn_blocking(move || clear(&trace, &config)).await;
            }
        };
        self.under_way.track_future(removal).boxed()
    }
}

/// Removes what a run left, unless it is to stay, and its note: what cannot be removed now is the next life's.
fn clear(trace: &Trace, config: &Config) {
    let removed = if config.keep_work {
        Ok(())
    } else {
        removal::remove(&trace.folder)
    };
    match removed {
        Ok(()) => config.notes.remove(&trace.marker),
        Err(error) => tracing::warn!(
            folder = %trace.folder.display(),
            "failed to remove the folder of a run: {error}"
        ),
    }
}

#[cfg(test)]
mod tests;
/// The same tests for scripts that are forked.
#[cfg(test)]
#[cfg(procfs)]
#[path = "tests.rs"]
#[expect(clippy::duplicate_mod, reason = "it is to be there twice")]
mod tests_of_warm_starts;
