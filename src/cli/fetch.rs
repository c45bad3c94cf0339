//! `mutirao fetch`: what groups made, and the results of tasks, brought from their master to this machine.
//!
//! Rule: a file gets its name when it is whole, and takes no other's place unless that is wanted.

use std::fs::{self, Permissions};
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use mutirao_actors::model::{TaskId, TaskName};
use mutirao_actors::wire::report::{GroupReport, TaskReport, TaskState};
use serde::Serialize;
use tempfile::NamedTempFile;

use super::group::how_far;
use super::left;
use super::options::{FindOptions, NoMaster};
use super::select::{Meant, Selection};
use super::telling::{Outcome, Telling, code};
use crate::control::{Control, ControlError};
use crate::gather;
use crate::http::{self, Coming};
use crate::said;
use crate::sockets::tcp::dial;

/// Tasks that left something to bring.
const OVER: [TaskState; 2] = [TaskState::Done, TaskState::Failed];
/// How long a master may take to accept a connection.
const DIAL_WITHIN: Duration = Duration::from_secs(3);

/// Bring what groups made, and results of tasks, to this machine
#[derive(Debug, Clone, Args)]
pub struct Fetch {
    #[command(flatten)]
    selection: Selection,
    /// Where it goes: a group into a folder of its name there, a task's result beside these
    #[arg(long, value_name = "FOLDER", default_value = "results")]
    into: PathBuf,
    /// Replace files that are there already
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    find: FindOptions,
    /// Print one JSON object for each group and task, a line each
    #[arg(long)]
    json: bool,
}

/// What was brought of a group or of a task; with `--json`, exactly this is printed.
#[derive(Debug, Serialize)]
struct Fetched {
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    task_id: Option<TaskId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    task_name: Option<TaskName>,
    files: Vec<Brought>,
    /// Whether that is all there will be.
    complete: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// A file that is here now.
#[derive(Debug, Serialize)]
struct Brought {
    path: PathBuf,
    bytes: u64,
}

impl Fetched {
    /// Nothing is brought yet of a group.
    fn of_group(group: &GroupReport) -> Self {
        Self {
            group: Some(group.group.clone()),
            task_id: None,
            task_name: None,
            files: Vec::new(),
            complete: false,
            reason: None,
        }
    }

    /// Nothing is brought yet of a task.
    fn of_task(task: &TaskReport) -> Self {
        Self {
            group: None,
            task_id: Some(task.task_id),
            task_name: Some(task.task_name.clone()),
            files: Vec::new(),
            complete: false,
            reason: None,
        }
    }

    fn name(&self) -> &str {
        let task = self.task_name.as_ref().map(TaskName::stem);
        self.group.as_deref().or(task).unwrap_or_default()
    }
}

impl Outcome for Fetched {
    fn in_words(&self, _: Telling) -> io::Result<()> {
        let mut out = io::stdout().lock();
        for file in &self.files {
            writeln!(out, "{}", file.path.display())?;
        }
        if let Some(why) = &self.reason {
            eprintln!("{}: {why}", self.name());
        }
        Ok(())
    }

    fn is_well(&self) -> bool {
        self.complete
    }
}

/// Brings it.
pub async fn run(args: Fetch, telling: Telling) -> anyhow::Result<ExitCode> {
    let telling = telling.json(args.json);
    let address = args.find.find().await?.ok_or(NoMaster)?;
    let mut control = Control::connect(address).await?;
    let mut is_whole = true;
    for meant in args.selection.find(&OVER, &mut control).await? {
        let fetched = match meant {
            Meant::Group(group) => args.group(&group, address, &mut control).await?,
            Meant::Task(task) => args.task(&task, &mut control).await?,
        };
        is_whole &= telling.print(&fetched)?;
    }
    Ok(code(is_whole))
}

impl Fetch {
    /// Brings what a group made, as far as it is put together.
    async fn group(
        &self,
        group: &GroupReport,
        address: SocketAddr,
        control: &mut Control,
    ) -> anyhow::Result<Fetched> {
        let (name, mut fetched) = (&group.group, Fetched::of_group(group));
        // What a master calls a group is no path.
        if TaskName::tamed(name).stem() != name {
            fetched.reason = Some("no folder can have this name".into());
            return Ok(fetched);
        }
        let folder = self.into.join(name);
        let mut there = gather::FILES.iter().map(|file| folder.join(file));
        if let Some(there) = there.find(|path| !self.force && path.exists()) {
            fetched.reason = Some(is_there(&there));
            return Ok(fetched);
        }
        // Asked first: what is complete then is complete when it is read.
        let gathered = how_far(name, control).await?;
        for file in gather::FILES {
            let path = format!("/api/v1/groups/{name}/files/{file}");
            if let Some(coming) = open(address, &path).await? {
                let brought = self.save(coming, &folder, file).await?;
                fetched.files.push(brought);
            }
        }
        fetched.complete = gathered.complete && !fetched.files.is_empty();
        if !fetched.complete {
            fetched.reason = Some(format!(
                "{} of {} parts are put together so far; mutirao wait {name} comes back when all are",
                gathered.parts_in, group.parts
            ));
        }
        Ok(fetched)
    }

    /// Brings the result of a task.
    async fn task(&self, task: &TaskReport, control: &mut Control) -> anyhow::Result<Fetched> {
        let mut fetched = Fetched::of_task(task);
        let (name, archive) = match left::fetch(task.task_id, control).await {
            Ok(found) => found,
            Err(ControlError::Refused(why)) => {
                fetched.reason = Some(why);
                return Ok(fetched);
            }
            Err(error) => return Err(error.into()),
        };
        let name = TaskName::tamed(name.rsplit('/').next().unwrap_or(&name));
        let path = self.into.join(name.as_str());
        if !self.force && path.exists() {
            fetched.reason = Some(is_there(&path));
            return Ok(fetched);
        }
        let mut file = self.begin(&self.into, name.as_str())?;
        file.write_all(archive.bytes())?;
        let bytes = archive.bytes().len() as u64;
        fetched.files.push(self.end(file, path, bytes)?);
        fetched.complete = true;
        Ok(fetched)
    }

    /// Writes a file as it comes.
    async fn save(&self, mut coming: Coming, folder: &Path, name: &str) -> anyhow::Result<Brought> {
        let (mut file, mut bytes) = (self.begin(folder, name)?, 0);
        while let Some(piece) = coming.next().await.with_context(|| of(name))? {
            file.write_all(&piece).with_context(|| of(name))?;
            bytes += piece.len() as u64;
        }
        self.end(file, folder.join(name), bytes)
    }

    /// A hidden file beside the one that it becomes.
    fn begin(&self, folder: &Path, name: &str) -> anyhow::Result<NamedTempFile> {
        let begun = fs::create_dir_all(folder).and_then(|()| {
            // As any other new file: what else may do with it is for the user to say.
            tempfile::Builder::new()
                .permissions(Permissions::from_mode(0o666))
                .prefix(&format!(".{name}."))
                .tempfile_in(folder)
        });
        begun.with_context(|| format!("failed to make a file in {}", folder.display()))
    }

    /// Gives a whole file its name.
    fn end(&self, file: NamedTempFile, path: PathBuf, bytes: u64) -> anyhow::Result<Brought> {
        let named = match self.force {
            true => file.persist(&path),
            false => file.persist_noclobber(&path),
        };
        named.with_context(|| format!("failed to write {}", path.display()))?;
        Ok(Brought { path, bytes })
    }
}

fn is_there(path: &Path) -> String {
    let path = path.display();
    format!("{path} is there already: --force replaces it, --into FOLDER takes another place")
}

fn of(name: &str) -> String {
    format!("failed to bring {name}")
}

/// Asks the master for a file; none if there is none.
async fn open(address: SocketAddr, path: &str) -> anyhow::Result<Option<Coming>> {
    let stream = dial(address, DIAL_WITHIN).await?;
    match http::open(stream, address, path)
        .await
        .with_context(|| of(path))?
    {
        Ok(coming) => Ok(Some(coming)),
        Err(answered) if answered.status == 404 => Ok(None),
        Err(answered) => {
            let status = || format!("it answered with the status {}", answered.status);
            let why = answered
                .problem()
                .map_or_else(status, |why| said::refusal(&why));
            bail!("failed to bring {path}: {why}")
        }
    }
}
