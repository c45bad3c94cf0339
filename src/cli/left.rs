//! What a task left: its result, fetched from the master, read, and laid into `results/` here.

use std::fmt::{self, Write as _};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use mutirao_actors::model::{Archive, Stream, TaskId, TaskName};
use mutirao_actors::wire::{Reply, Request};
use serde::{Serialize, Serializer};

use super::master::LOOK_EVERY;
use crate::archive::{Refusal, result_text};
use crate::control::{Control, ControlError};
use crate::disk::names::namesakes;
use crate::disk::publish::publish;
use crate::disk::{Volume, open_plain};

/// Longest text of a result that is printed; the rest is in the result's ZIP.
const PRINTED_MAX: usize = 64 << 20;
/// Numbers behind a result's name whose files are compared with it: more than that were laid here by others.
const NAMESAKES_MAX: u64 = 100;
/// Looks for a result that the master of this folder lays down itself, right after it was told to be done: two seconds.
const LAID_LOOKS_MAX: u32 = 10;

/// Where a result lies in `results/` here.
#[derive(Debug, PartialEq, Eq)]
pub struct Laid {
    /// The file.
    pub path: PathBuf,
    /// Whether it lay there before, from an earlier time that somebody waited for it.
    pub was_there: bool,
}

/// What a task printed on one of its streams.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Text {
    /// The bytes; in JSON what of them is no UTF-8 is replaced.
    #[serde(rename = "text", serialize_with = "lossy")]
    pub bytes: Vec<u8>,
    /// Whether something of it is replaced in JSON.
    replaced: bool,
    /// Whether it is longer than what is printed.
    cut: bool,
}

impl Text {
    /// One text of a result; nothing if the result has none.
    ///
    /// # Errors
    /// When the result is none that a master takes.
    pub fn of(archive: &Archive, stream: Stream) -> Result<Self, Refusal> {
        let text = result_text(archive.bytes(), &format!("{stream}.txt"), PRINTED_MAX)?;
        let (bytes, cut) = text.unwrap_or_default();
        Ok(Self::from(bytes, cut))
    }

    fn from(bytes: Vec<u8>, cut: bool) -> Self {
        let replaced = std::str::from_utf8(&bytes).is_err();
        Self {
            bytes,
            replaced,
            cut,
        }
    }
}

/// Bytes as text.
struct Lossy<'a>(&'a [u8]);

impl fmt::Display for Lossy<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            f.write_str(chunk.valid())?;
            if !chunk.invalid().is_empty() {
                f.write_char(char::REPLACEMENT_CHARACTER)?;
            }
        }
        Ok(())
    }
}

/// Text as JSON can have it, written piece by piece: a second copy could be as large as the first.
fn lossy<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&Lossy(bytes))
}

/// The result of a task, or the last output of one that failed, with its name.
///
/// # Errors
/// When the master cannot be reached, or has it no more.
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

/// Where the result lies in `results/` here: where the master of this folder laid it, if it `is_here`, else where it is put now.
///
/// # Errors
/// When the folder takes nothing.
pub async fn lay(name: &str, archive: &Archive, is_here: bool) -> anyhow::Result<Laid> {
    let laid = match is_here {
        true => laid(name, archive).await,
        false => None,
    };
    match laid {
        Some(path) => Ok(Laid {
            path,
            was_there: false,
        }),
        None => leave(Path::new("results"), name, archive),
    }
}

/// The result, as the master of this folder laid it into `results/`; nothing if that takes too long.
async fn laid(name: &str, archive: &Archive) -> Option<PathBuf> {
    let (folder, name) = place_of(Path::new("results"), name);
    let path = folder.join(name.as_str());
    for _ in 0..LAID_LOOKS_MAX {
        // Another master of this machine may have the same name for another result.
        if holds(&path, archive.bytes()).unwrap_or_default() {
            return Some(path);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    None
}

/// Whether a plain file holds these bytes and no more.
fn holds(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    let file = open_plain(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.len() != bytes.len() as u64 {
        return Ok(false);
    }
    let mut there = Vec::with_capacity(bytes.len());
    file.take(metadata.len()).read_to_end(&mut there)?;
    Ok(there == bytes)
}

/// Puts the result into our own `results/`, as the master does into its own: failed ones into a folder of theirs. One that was
/// left there before stays the only one.
fn leave(results: &Path, name: &str, archive: &Archive) -> anyhow::Result<Laid> {
    let (folder, name) = place_of(results, name);
    let (volume, name, bytes) = (Volume::real(), name.as_str(), archive.bytes());
    let there = namesakes(&volume, &folder, name, NAMESAKES_MAX);
    let mut there = there.map(|name| folder.join(name));
    if let Some(path) = there.find(|path| holds(path, bytes).unwrap_or_default()) {
        return Ok(Laid {
            path,
            was_there: true,
        });
    }
    let name = publish(&volume, &folder, name, bytes)
        .with_context(|| format!("failed to leave the result in {}", folder.display()))?;
    Ok(Laid {
        path: folder.join(name),
        was_there: false,
    })
}

/// In which folder below this one a result lies that is called so at its master, and its name there.
pub fn place_of(results: &Path, name: &str) -> (PathBuf, TaskName) {
    let (folder, name) = match name.strip_prefix("failed/") {
        Some(name) => (results.join("failed"), name),
        None => (results.to_owned(), name),
    };
    let name = TaskName::tamed(name.rsplit('/').next().unwrap_or(name));
    (folder, name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_no_text_is_replaced_in_json_and_that_is_said() {
        let told = |bytes: &[u8]| serde_json::to_value(Text::from(bytes.to_vec(), false)).unwrap();
        let whole = json!({ "text": "größer\n\u{1b}", "replaced": false, "cut": false });
        assert_eq!(told("größer\n\u{1b}".as_bytes()), whole);
        let broken = json!({ "text": "a\u{fffd}b\u{fffd}", "replaced": true, "cut": false });
        assert_eq!(told(b"a\xffb\xc3"), broken);
    }

    #[test]
    fn a_result_that_was_left_before_is_left_alone_and_another_of_its_name_gets_a_number() {
        let home = tempfile::tempdir().unwrap();
        let leave = |bytes: &'static [u8]| {
            let laid = leave(home.path(), "sim.zip", &Archive::new(bytes)).unwrap();
            let path = laid.path.strip_prefix(home.path()).unwrap();
            (path.display().to_string(), laid.was_there)
        };
        for was_there in [false, true] {
            assert_eq!(leave(b"one"), ("sim.zip".into(), was_there));
            assert_eq!(leave(b"two"), ("sim.2.zip".into(), was_there));
        }
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 2);
        std::fs::remove_file(home.path().join("sim.zip")).unwrap();
        assert_eq!(leave(b"two"), ("sim.2.zip".into(), true));
        assert_eq!(leave(b"three"), ("sim.zip".into(), false));
    }

    #[test]
    fn a_result_without_a_stream_has_printed_nothing_on_it() {
        let mut zip = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
        zip.start_file("stdout.txt", zip::write::SimpleFileOptions::default())
            .unwrap();
        io::Write::write_all(&mut zip, b"said").unwrap();
        let archive = Archive::new(zip.finish().unwrap().into_inner());
        let bytes = |stream| Text::of(&archive, stream).unwrap().bytes;
        assert_eq!(bytes(Stream::Stdout), b"said");
        assert_eq!(bytes(Stream::Stderr), b"");
    }
}
