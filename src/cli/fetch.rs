//! `mutirao fetch`: what groups made, and the results of tasks, brought from their master to this machine.
//!
//! Rule: a file gets its name when it is whole, and takes no other's place unless that is wanted.

use std::collections::HashSet;
use std::fs::{self, Permissions};
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use mutirao_actors::model::{TaskId, TaskName};
use mutirao_actors::wire::report::{GroupReport, TaskReport, TaskState};
use serde::Serialize;
use tempfile::NamedTempFile;

use super::group::how_far;
use super::house::Signals;
use super::left;
use super::options::{FindOptions, NoMaster};
use super::peer::INTERRUPTED;
use super::select::{Meant, Selection};
use super::telling::{Outcome, Telling, code};
use crate::control::Control;
use crate::disk::Volume;
use crate::disk::publish::{publish_as, publish_over};
use crate::doctor::probe::free;
use crate::folders::folder_of;
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
    /// Nothing is brought yet.
    fn of(meant: &Meant) -> Self {
        let (group, task) = match meant {
            Meant::Group(group) => (Some(group), None),
            Meant::Task(task) => (None, Some(task)),
        };
        Self {
            group: group.map(|group| group.group.clone()),
            task_id: task.map(|task| task.task_id),
            task_name: task.map(|task| task.task_name.clone()),
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
    let mut signals = Signals::listen()?;
    let address = args.find.find().await?.ok_or(NoMaster)?;
    let mut control = Control::connect(address).await?;
    let bringing = async {
        let mut desk = Desk {
            address,
            into: args.into,
            force: args.force,
            written: HashSet::new(),
        };
        let mut is_whole = true;
        for meant in args.selection.find(&OVER, &mut control).await? {
            let mut fetched = Fetched::of(&meant);
            let brought = match meant {
                Meant::Group(group) => desk.group(&group, &mut fetched, &mut control).await,
                Meant::Task(task) => desk.task(&task, &mut fetched, &mut control).await,
            };
            // What is here is told, whatever kept the rest away.
            if let Err(error) = brought {
                fetched.complete = false;
                fetched.reason = Some(format!("{error:#}"));
            }
            is_whole &= telling.print(&fetched)?;
        }
        Ok(code(is_whole))
    };
    tokio::select! {
        code = bringing => code,
        _ = signals.next() => {
            eprintln!("interrupted; what is here is whole");
            Ok(ExitCode::from(INTERRUPTED))
        }
    }
}

/// Where files go.
struct Desk {
    address: SocketAddr,
    into: PathBuf,
    force: bool,
    /// What was brought by this command: nothing else takes its place.
    written: HashSet<PathBuf>,
}

impl Desk {
    /// Brings what a group made, as far as it is put together.
    async fn group(
        &mut self,
        group: &GroupReport,
        fetched: &mut Fetched,
        control: &mut Control,
    ) -> anyhow::Result<()> {
        let name = &group.group;
        // What a master calls a group is no path.
        ensure!(
            folder_of(name).is_some(),
            "its name is none that the folder of a group can have: letters of English, digits, `.`, `_` and `-`, up to 100 of \
             them, no `.` at the beginning, and not `failed`"
        );
        let folder = self.into.join(name);
        for file in gather::FILES {
            self.ensure_free(&folder.join(file))?;
        }
        let before = how_far(name, control).await?;
        let mut absent = Vec::new();
        for file in gather::FILES {
            let path = format!("/api/v1/groups/{name}/files/{file}");
            match open(self.address, &path).await? {
                Some(coming) => {
                    let brought = self.save(coming, &folder, file).await?;
                    fetched.files.push(brought);
                }
                None => absent.push(folder.join(file)),
            }
        }
        ensure!(
            !fetched.files.is_empty(),
            "nothing of it is put together at its master: mutirao info {name} tells how it stands"
        );
        // What was brought earlier would be taken for a part of this.
        absent.iter().try_for_each(|path| remove(path))?;
        // A part that was tried again meanwhile has it put together anew.
        let after = how_far(name, control).await?;
        fetched.complete = before.complete && after.complete;
        if !fetched.complete {
            fetched.reason = Some(format!(
                "{} of {} parts are put together so far; mutirao wait {name} comes back when all are",
                after.parts_in, group.parts
            ));
        }
        Ok(())
    }

    /// Brings the result of a task.
    async fn task(
        &mut self,
        task: &TaskReport,
        fetched: &mut Fetched,
        control: &mut Control,
    ) -> anyhow::Result<()> {
        let (name, archive) = left::fetch(task.task_id, control).await?;
        let (folder, name) = left::place_of(&self.into, &name);
        let path = folder.join(name.as_str());
        self.ensure_free(&path)?;
        let volume = Volume::real();
        match self.force {
            true => publish_over(&volume, &folder, name.as_str(), archive.bytes())?,
            false => {
                let published = publish_as(&volume, &folder, name.as_str(), archive.bytes())?;
                published.with_context(|| is_there(&path))?;
            }
        }
        let bytes = archive.bytes().len() as u64;
        fetched.files.push(self.brought(path, bytes));
        fetched.complete = true;
        Ok(())
    }

    /// Nothing lies there that may not be replaced.
    fn ensure_free(&self, path: &Path) -> anyhow::Result<()> {
        let shown = path.display();
        ensure!(
            !self.written.contains(path),
            "{shown} was just brought for another: --into FOLDER takes another place"
        );
        ensure!(self.force || !path.exists(), is_there(path));
        Ok(())
    }

    /// Writes a file as it comes.
    async fn save(
        &mut self,
        mut coming: Coming,
        folder: &Path,
        name: &str,
    ) -> anyhow::Result<Brought> {
        ensure_room(coming.left(), folder, name)?;
        let (mut file, mut bytes) = (begin(folder, name)?, 0);
        while let Some(piece) = coming.next().await.with_context(|| of(name))? {
            file.write_all(&piece).with_context(|| of(name))?;
            bytes += piece.len() as u64;
        }
        let path = folder.join(name);
        let failed = || format!("failed to write {}", path.display());
        file.as_file().sync_all().with_context(failed)?;
        let named = match self.force {
            true => file.persist(&path),
            false => file.persist_noclobber(&path),
        };
        named.with_context(failed)?;
        Volume::real().sync_folder(folder).with_context(failed)?;
        Ok(self.brought(path, bytes))
    }

    /// A file that is here now.
    fn brought(&mut self, path: PathBuf, bytes: u64) -> Brought {
        self.written.insert(path.clone());
        Brought { path, bytes }
    }
}

/// The disk has room for a file of which so many bytes are announced; neither it nor its folder is there yet.
fn ensure_room(announced: u64, folder: &Path, name: &str) -> anyhow::Result<()> {
    let there = folder.ancestors().find(|folder| folder.is_dir());
    // Some file systems do not know how much room they have.
    let room = free(there.unwrap_or(Path::new("."))).unwrap_or(u64::MAX);
    ensure!(
        announced <= room,
        "{name} is said to have {announced} bytes, and {} has room for {room}: --into FOLDER takes another place",
        folder.display()
    );
    Ok(())
}

/// A hidden file, in the folder of the one that it becomes; gone if it becomes none.
fn begin(folder: &Path, name: &str) -> anyhow::Result<NamedTempFile> {
    let begun = fs::create_dir_all(folder).and_then(|()| {
        // As any other new file: what else may do with it is for the user to say.
        tempfile::Builder::new()
            .permissions(Permissions::from_mode(0o666))
            .prefix(&format!(".{name}."))
            .tempfile_in(folder)
    });
    begun.with_context(|| format!("failed to make a file in {}", folder.display()))
}

fn remove(path: &Path) -> anyhow::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("failed to remove {}", path.display()))
        }
        _ => Ok(()),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_asked_of_the_nearest_folder_that_is_there_and_nothing_is_made_for_that() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("results/main-7");
        assert!(ensure_room(1, &folder, "merged.csv").is_ok());
        let refused = ensure_room(u64::MAX, &folder, "merged.csv").unwrap_err();
        let told = refused.to_string();
        assert!(told.starts_with("merged.csv is said to have "), "{told}");
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
        assert!(ensure_room(u64::MAX, Path::new("nowhere/yet"), "merged.csv").is_err());
    }
}
