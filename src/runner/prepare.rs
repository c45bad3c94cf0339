//! From a task's ZIP to a place where its script can run.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::PathBuf;

use mutirao_actors::model::{Digest, Ending};
use mutirao_actors::runner::Job;
use nix::errno::Errno;

use super::place::{self, Stamp};
use super::printed::Printed;
use super::{Config, removal};
use crate::archive::{TaskContents, UnpackError, unpack_task};

/// A run that may start.
#[derive(Debug)]
pub(super) struct Place {
    /// The folder of the run: the task and what is printed.
    pub whole: PathBuf,
    /// The folder that the script runs in.
    pub folder: PathBuf,
    pub contents: TaskContents,
    pub input: Option<Digest>,
    pub before: BTreeMap<PathBuf, Stamp>,
    /// Takes what is printed.
    pub stdout: Printed,
    /// Takes what is printed as errors.
    pub stderr: Printed,
}

/// Vets and unpacks the task. What went wrong is said in words, and nothing is left behind.
pub(super) fn prepare(config: &Config, job: &Job, marker: &str) -> Result<Place, Ending> {
    let Config { work, notes, .. } = config;
    let whole = place::claim(work, job.name.stem()).map_err(|error| {
        let what = format!("failed to make a folder in {}", work.display());
        hindered(&what, &error)
    })?;
    let filled = notes
        .write(marker, &whole)
        .map_err(|error| hindered("failed to note what runs", &error))
        .and_then(|()| fill(config, whole.clone(), job));
    // The reason matters more than a folder that stays.
    filled.inspect_err(|_| {
        if removal::remove(&whole).is_ok() {
            notes.remove(marker);
        }
    })
}

fn fill(config: &Config, whole: PathBuf, job: &Job) -> Result<Place, Ending> {
    let unpacked = unpack_task(job.archive.bytes(), &whole.join("task"));
    let (contents, input) = unpacked.map_err(|error| match &error {
        UnpackError::Io { path, source } => {
            let what = format!("failed to unpack into {}", path.display());
            hindered(&what, source)
        }
        UnpackError::Refused(refusal) => Ending::NotStarted(refusal.to_string()),
    })?;
    let folder = whole.join("task").join(&contents.root);
    let before = place::list(&folder)
        .ok_or_else(|| Ending::NotStarted("the task has too many files".into()))?;
    let printed = |name: &str| {
        if !config.keep_work {
            return Ok(Printed::in_memory(&config.work));
        }
        let mut anew = File::options();
        let opened = anew
            .read(true)
            .write(true)
            .create_new(true)
            .open(whole.join(name));
        opened
            .map(Printed::in_file)
            .map_err(|error| hindered(&format!("failed to make {name}"), &error))
    };
    let (stdout, stderr) = (printed("stdout.txt")?, printed("stderr.txt")?);
    Ok(Place {
        whole,
        folder,
        contents,
        input,
        before,
        stdout,
        stderr,
    })
}

/// Why a run cannot start, and whose fault it is. Before the script has done anything, a disk that is full or fails is the
/// peer's; later it may be the script that filled it.
fn hindered(what: &str, error: &io::Error) -> Ending {
    let is_ours = matches!(
        error.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::ReadOnlyFilesystem
    );
    let why = format!("{what}: {error}");
    if is_ours || error.raw_os_error() == Some(Errno::EIO as i32) {
        Ending::PeerTrouble(why)
    } else {
        Ending::NotStarted(why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_is_full_or_fails_is_the_peers_trouble_and_all_else_the_tasks() {
        for errno in [Errno::ENOSPC, Errno::EDQUOT, Errno::EROFS, Errno::EIO] {
            let ending = hindered("failed to make x", &errno.into());
            assert!(matches!(ending, Ending::PeerTrouble(_)), "{errno}");
        }
        for errno in [Errno::ENAMETOOLONG, Errno::EEXIST, Errno::EACCES] {
            let ending = hindered("failed to make x", &errno.into());
            assert!(matches!(ending, Ending::NotStarted(_)), "{errno}");
        }
    }
}
