//! How a task or a group ended, as `run` and `wait` tell it.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use mutirao_actors::logic::diagnosis::helps_against;
use mutirao_actors::model::{Stream, TaskChoice, TaskId};
use mutirao_actors::wire::report::{GroupReport, TaskReport, TaskState};
use serde::Serialize;

use super::ask::{group_in_full, task_status};
use super::group::{self, is_well};
use super::left::{self, Text};
use super::master::LOOK_EVERY;
use super::progress::{Loneliness, spinner};
use super::telling::{Outcome, Telling};
use super::why::findings::{self, Shown};
use super::work::counted;
use crate::control::{Control, ControlError};

/// A task that has ended.
#[derive(Debug, Serialize)]
pub struct TaskEnded {
    #[serde(flatten)]
    report: TaskReport,
    /// Where its result lies here, or the last output of one that failed; none if it left nothing.
    result: Option<PathBuf>,
    /// Whether it lay there before.
    #[serde(skip)]
    was_there: bool,
    /// What it printed, if it left something.
    stdout: Option<Text>,
    stderr: Option<Text>,
    /// Why nothing is here of one that failed, in the master's words.
    #[serde(skip)]
    nothing: Option<String>,
    /// Why its result could not be left here.
    #[serde(skip)]
    unlaid: Option<anyhow::Error>,
}

/// A group of which all parts have ended.
#[derive(Debug, Serialize)]
pub struct GroupEnded {
    #[serde(flatten)]
    report: GroupReport,
    /// How it ended as a whole.
    state: TaskState,
    /// What is not as it was asked for, in words.
    reason: Option<String>,
    /// Where what its parts made lies here; none where it lies at the master only.
    folder: Option<PathBuf>,
    /// The tables of all parts, if they made any.
    merged: Option<PathBuf>,
    /// The rows of parts that were not done, if there are such.
    failed_rows: Option<PathBuf>,
    /// Whether there will be a master to be asked more.
    #[serde(skip)]
    stays: bool,
}

impl TaskEnded {
    /// Comes back when it has ended, and leaves its result here, where the master may do so by itself.
    ///
    /// # Errors
    /// When the master cannot be asked, or has not what is done any more.
    pub async fn of(
        task: TaskId,
        master_is_here: bool,
        telling: Telling,
        control: &mut Control,
    ) -> anyhow::Result<Self> {
        let report = wait(task, telling, control).await?;
        let mut ended = Self {
            report,
            result: None,
            was_there: false,
            stdout: None,
            stderr: None,
            nothing: None,
            unlaid: None,
        };
        if ended.report.state == TaskState::Cancelled {
            return Ok(ended);
        }
        let (name, archive) = match left::fetch(task, control).await {
            Ok(fetched) => fetched,
            Err(ControlError::Refused(why)) if ended.report.state == TaskState::Failed => {
                ended.nothing = Some(why);
                return Ok(ended);
            }
            Err(error) => return Err(error.into()),
        };
        let text = |stream| {
            let text = Text::of(&archive, stream);
            text.with_context(|| format!("{name}, its result, cannot be read"))
        };
        ended.stdout = Some(text(Stream::Stdout)?);
        ended.stderr = Some(text(Stream::Stderr)?);
        match left::lay(&name, &archive, master_is_here).await {
            Ok(laid) => (ended.result, ended.was_there) = (Some(laid.path), laid.was_there),
            Err(error) => ended.unlaid = Some(error),
        }
        Ok(ended)
    }

    /// Tells it; whether it is well.
    ///
    /// # Errors
    /// When nobody reads what we print. And when nothing could be left here, for then what it printed is told all the same.
    pub fn tell(self, telling: Telling) -> anyhow::Result<bool> {
        let is_well = telling.print(&self)?;
        self.unlaid.map_or(Ok(is_well), Err)
    }
}

impl Outcome for TaskEnded {
    fn in_words(&self, telling: Telling) -> io::Result<()> {
        if let Some(text) = &self.stdout {
            io::stdout().write_all(&text.bytes)?;
        }
        if let Some(text) = &self.stderr {
            io::stderr().write_all(&text.bytes)?;
        }
        let (report, left) = (&self.report, self.result.as_deref().map(Path::display));
        let again = match self.was_there {
            true => ", where it lies already",
            false => "",
        };
        let name = &report.task_name;
        let why = report.reason.as_deref().unwrap_or_default();
        let tries = counted(report.attempts.into(), "try", "tries");
        match (report.state, left) {
            (TaskState::Cancelled, _) => eprintln!("{name} was cancelled: {why}"),
            (TaskState::Failed, Some(left)) => {
                eprintln!("failed after {tries}: {why} · {left}{again}")
            }
            (TaskState::Failed, None) => {
                let nothing = self.nothing.as_ref();
                let nothing = nothing.map(|nothing| format!(" (nothing of it is here: {nothing})"));
                let nothing = nothing.unwrap_or_default();
                eprintln!("{name} failed after {tries}: {why}{nothing}");
            }
            (_, Some(left)) => telling.aside(format_args!("done · {left}{again}")),
            (_, None) => {}
        }
        if let (TaskState::Failed, Some(help)) = (report.state, helps_against(why)) {
            eprintln!("→ {help}");
        }
        Ok(())
    }

    fn is_well(&self) -> bool {
        self.report.state == TaskState::Done
    }
}

impl GroupEnded {
    /// Comes back when what was made is put together, with why it went so, if it did not go well.
    ///
    /// # Errors
    /// When the master cannot be asked, or does not put it together.
    pub async fn of(
        mut report: GroupReport,
        folder: Option<PathBuf>,
        stays: bool,
        control: &mut Control,
    ) -> anyhow::Result<Self> {
        // One of which parts are missing is put together as far as that goes, and never whole.
        if report.complete {
            group::gathered(&report.group, control).await?;
        }
        if !is_well(&report) {
            // How it went is told all the same when the master is gone meanwhile.
            let full = group_in_full(&report.group, control).await;
            report.why = full.ok().and_then(|full| full.why);
        }
        let within = |name| {
            let file = folder.as_ref().map(|folder| folder.join(name));
            file.filter(|file| file.is_file())
        };
        Ok(Self {
            state: state(&report),
            reason: (!is_well(&report)).then(|| shortfall(&report)),
            merged: within("merged.csv"),
            failed_rows: within("failed.csv"),
            report,
            folder,
            stays,
        })
    }
}

impl Outcome for GroupEnded {
    fn in_words(&self, telling: Telling) -> io::Result<()> {
        let group = &self.report.group;
        match &self.folder {
            Some(folder) => writeln!(io::stdout(), "{}/", folder.display())?,
            None if !self.stays => {}
            None => {
                let place = group::at_master(&format!("{group}/"), group);
                telling.aside(format_args!("what was made lies {place}"));
            }
        }
        let Some(reason) = &self.reason else {
            return Ok(());
        };
        eprintln!("{reason}");
        if let Some(why) = &self.report.why {
            eprint!("{}", findings::in_words(why, Shown::InShort, None));
        }
        if self.failed_rows.is_some() {
            eprintln!("their rows are in failed.csv there, ready to be handed in again");
        }
        if self.stays {
            eprintln!("→ mutirao why {group}");
        }
        Ok(())
    }

    fn is_well(&self) -> bool {
        is_well(&self.report)
    }
}

/// How a group ended as a whole: as its parts did if they are all alike, else as the worst of them.
fn state(report: &GroupReport) -> TaskState {
    match (is_well(report), report.failed) {
        (true, _) => TaskState::Done,
        (false, 1..) => TaskState::Failed,
        (false, 0) => TaskState::Cancelled,
    }
}

/// How many parts are done, and what became of the others.
fn shortfall(report: &GroupReport) -> String {
    let parts = counted(report.parts.into(), "part", "parts");
    let mut said = format!("{} of {parts} done", report.done);
    let missing = group::missing(report);
    for (count, how) in [
        (report.failed, "failed"),
        (report.cancelled, "cancelled"),
        (missing, "not handed in"),
    ] {
        if count > 0 {
            said.push_str(&format!(" · {count} {how}"));
        }
    }
    said
}

/// Waits for the task's end with a line that tells how it stands.
///
/// # Errors
/// When the master cannot be asked.
pub async fn wait(
    task: TaskId,
    telling: Telling,
    control: &mut Control,
) -> Result<TaskReport, ControlError> {
    let line = spinner(telling);
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
        line.set_message(as_it_stands(&report));
        line.tick();
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn as_it_stands(report: &TaskReport) -> String {
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
