//! The ZIP that a run hands in: what was printed, what was made, and `result.json`, which tells the rest.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use mutirao_actors::model::{Attempt, Digest, Ending, PeerId, TaskId, TaskName};
use mutirao_actors::wire::scanner::ARCHIVE_MAX;
use serde::Serialize;

use super::interpreter::Interpreter;
use super::output::{MARK_MAX, OUTPUT_MAX, Tally};
use super::place::{LISTED_MAX, Stamp, list};
use super::printed::Printed;
use crate::archive::{Compression, ENTRIES_MAX, PackError, Packer, RATIO_FLOOR, pack};

/// Most files of a script that a result carries: more belong into one file.
pub const MADE_FILES_MAX: usize = 1000;
/// Most bytes of them, unpacked: the result is one message, and a master keeps many.
pub const MADE_BYTES_MAX: u64 = 64 << 20;
/// Most bytes of them where with more the ZIP was too large to travel: so much fits even where nothing compresses.
const MADE_BYTES_SURE: u64 = 30 << 20;
/// How many files that were left out are named; the rest is counted.
const SKIPPED_NAMED_MAX: usize = 100;
/// The files that the result itself makes.
const OWN_FILES: [&str; 3] = ["stdout.txt", "stderr.txt", "result.json"];

// A master that vets by our rules takes whatever we make, however well it compresses.
const _: () = assert!(MADE_BYTES_MAX + 3 * (OUTPUT_MAX as u64) < RATIO_FLOOR);
// The names of so many files, twice each, and `result.json` need less than 1.5 MiB.
const _: () =
    assert!(MADE_BYTES_SURE + 2 * (OUTPUT_MAX as u64 + MARK_MAX) < ARCHIVE_MAX as u64 - (3 << 19));
const _: () = assert!(MADE_FILES_MAX + OWN_FILES.len() < ENTRIES_MAX);

/// `result.json`.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The task.
    pub task: TaskId,
    /// Which try.
    pub attempt: Attempt,
    /// The name under which it was handed out.
    pub name: TaskName,
    /// Who ran it, when that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer: Option<PeerId>,
    /// How it ended; holds the exit code or the signal.
    pub ending: Ending,
    /// The same in words.
    pub summary: String,
    /// Wall time of the start, by the peer's clock.
    pub started: Timestamp,
    /// Wall time of the end, by the peer's clock.
    pub ended: Timestamp,
    /// From start to end, in seconds.
    pub took_s: f64,
    /// Peak resident memory of the script in bytes, as sampled; absent when it ended before it was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_rss: Option<u64>,
    /// SHA-256 of the task's ZIP.
    pub task_sha256: Digest,
    /// SHA-256 of `main.py`.
    pub code_sha256: Digest,
    /// SHA-256 of `input.csv`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_sha256: Option<Digest>,
    /// What ran it.
    pub interpreter: Interpreter,
    /// How the script was started.
    pub start: Started,
    /// What was printed.
    pub stdout: Tally,
    /// What was printed as errors.
    pub stderr: Tally,
    /// What of the files that the script made is not here.
    pub skipped: Skipped,
}

/// How a script came to its interpreter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Started {
    /// One was started for it.
    Cold,
    /// It was forked from one.
    Warm,
}

/// Files that a result does not carry.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Skipped {
    /// How many.
    pub count: usize,
    /// The first of them, each with the reason.
    pub files: BTreeMap<String, String>,
}

impl Skipped {
    fn add(&mut self, name: &str, why: impl Into<String>) {
        self.count += 1;
        if self.files.len() < SKIPPED_NAMED_MAX {
            self.files.insert(name.to_owned(), why.into());
        }
    }
}

/// What a run left on the disk.
#[derive(Debug)]
pub struct Remains {
    /// The folder that the script ran in.
    pub folder: PathBuf,
    /// What lay there before.
    pub before: BTreeMap<PathBuf, Stamp>,
    /// What it printed.
    pub stdout: Printed,
    /// What it printed as errors.
    pub stderr: Printed,
}

/// The ZIP of these texts alone.
///
/// # Errors
/// None that the contents could cause.
pub fn plain(stdout: &[u8], stderr: &[u8]) -> Result<Vec<u8>, PackError> {
    pack(
        [("stdout.txt", stdout), ("stderr.txt", stderr)],
        Compression::Best,
    )
}

/// The ZIP for a master that takes only what the first protocol named, as small as it gets. Blocks.
///
/// # Errors
/// When what was printed cannot be read back.
pub fn plain_of(remains: &mut Remains) -> Result<Vec<u8>, PackError> {
    let mut packer = Packer::new(Compression::Best);
    add_printed(&mut packer, remains)?;
    packer.finish()
}

/// The ZIP with all that the run left, and that travels. Blocks.
///
/// # Errors
/// When what was printed cannot be read back; files of the script that cannot are named in `result.json`.
pub fn full(remains: &mut Remains, report: Report) -> Result<Vec<u8>, PackError> {
    full_within(remains, report, ARCHIVE_MAX)
}

/// The same, where no more than this many bytes travel.
fn full_within(remains: &mut Remains, report: Report, travel: usize) -> Result<Vec<u8>, PackError> {
    let zip = full_with(remains, report.clone(), MADE_BYTES_MAX)?;
    if zip.len() <= travel {
        return Ok(zip);
    }
    full_with(remains, report, MADE_BYTES_SURE)
}

/// The same with this many bytes of made files, whatever becomes of its size.
fn full_with(remains: &mut Remains, mut report: Report, made: u64) -> Result<Vec<u8>, PackError> {
    let mut packer = Packer::new(Compression::Fast);
    add_printed(&mut packer, remains)?;
    add_made(&mut packer, remains, &mut report.skipped, made);
    let json = serde_json::to_vec_pretty(&report).map_err(|error| PackError::Read {
        path: "result.json".into(),
        source: error.into(),
    })?;
    packer.add("result.json", &*json)?;
    packer.finish()
}

fn add_printed(packer: &mut Packer, remains: &mut Remains) -> Result<(), PackError> {
    for (name, printed) in [
        ("stdout.txt", &mut remains.stdout),
        ("stderr.txt", &mut remains.stderr),
    ] {
        let printed = printed.read().map_err(|source| PackError::Read {
            path: name.into(),
            source,
        });
        // The line that marks what was left out comes on top of the cap.
        packer.add(name, printed?.take(OUTPUT_MAX as u64 + MARK_MAX))?;
    }
    Ok(())
}

/// Adds the files that were made or changed, in the order of their names, while they fit into this many bytes.
fn add_made(packer: &mut Packer, remains: &Remains, skipped: &mut Skipped, most: u64) {
    // A script can move its folder away and leave a link to any other in its place.
    if remains.folder.canonicalize().ok().as_ref() != Some(&remains.folder) {
        skipped.add("*", "the folder that the script ran in is gone");
        return;
    }
    let Some(after) = list(&remains.folder) else {
        skipped.add("*", format!("there are more than {LISTED_MAX} files"));
        return;
    };
    let (mut files, mut bytes) = (0, 0);
    for (path, stamp) in &after {
        if remains.before.get(path) == Some(stamp) {
            continue;
        }
        let name = path.to_string_lossy();
        let fits = bytes + stamp.size <= most;
        if OWN_FILES.contains(&name.as_ref()) {
            skipped.add(&name, "the result has its own file of that name");
        } else if !stamp.is_file {
            skipped.add(&name, "it is a link, a pipe or a device");
        } else if files == MADE_FILES_MAX {
            skipped.add(&name, format!("there are more than {MADE_FILES_MAX} files"));
        } else if !fits {
            skipped.add(
                &name,
                format!("the files have more than {} MiB together", most >> 20),
            );
        } else {
            match add_file(packer, &name, &remains.folder.join(path), stamp.size) {
                Ok(size) => {
                    files += 1;
                    bytes += size;
                }
                Err(error) => skipped.add(&name, error.to_string()),
            }
        }
    }
}

fn add_file(packer: &mut Packer, name: &str, path: &Path, size: u64) -> Result<u64, PackError> {
    let file = File::open(path).map_err(|source| PackError::Read {
        path: path.into(),
        source,
    })?;
    packer.add(name, file.take(size))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        Report {
            task: TaskId::new(),
            attempt: Attempt(1),
            name: TaskName::tamed("a.zip"),
            peer: None,
            ending: Ending::Exit(0),
            summary: String::new(),
            start: Started::Cold,
            started: Timestamp::default(),
            ended: Timestamp::default(),
            took_s: 0.0,
            peak_rss: None,
            task_sha256: Digest::of(b""),
            code_sha256: Digest::of(b""),
            input_sha256: None,
            interpreter: Interpreter {
                path: "python3".into(),
                version: "3.12.4".into(),
            },
            stdout: Tally::default(),
            stderr: Tally::default(),
            skipped: Skipped::default(),
        }
    }

    #[test]
    fn a_result_that_is_too_large_to_travel_leaves_files_out_and_names_them() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().canonicalize().unwrap();
        std::fs::write(folder.join("a"), "small").unwrap();
        let large = File::create(folder.join("b")).unwrap();
        large.set_len(MADE_BYTES_SURE).unwrap();
        let mut remains = Remains {
            folder,
            before: BTreeMap::new(),
            stdout: Printed::default(),
            stderr: Printed::default(),
        };
        let mut names = |travel| {
            let zip = full_within(&mut remains, report(), travel).unwrap();
            let zip = zip::ZipArchive::new(std::io::Cursor::new(zip)).unwrap();
            let mut names: Vec<_> = zip
                .file_names()
                .map(|name| name.unwrap().into_owned())
                .collect();
            names.sort();
            names
        };
        let own = ["result.json", "stderr.txt", "stdout.txt"];
        assert_eq!(names(usize::MAX), [&["a", "b"][..], &own].concat());
        assert_eq!(names(1), [&["a"][..], &own].concat());
    }
}
