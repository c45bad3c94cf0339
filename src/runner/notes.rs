//! Notes of what runs, for the next life: a peer that is killed leaves its scripts running and their folders lying.
//!
//! Rule: a note is written before the script starts and goes after the folder of the run, so whatever a dead life left is
//! noted. It names no path: only what lies in `work/` itself, and is the very folder that was made then, is removed.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Longest note that is read, in bytes: a file name has at most 255, and JSON writes a byte of it with six at most.
const NOTE_MAX: u64 = 4096;

/// The folder with the notes; a run's note bears the name of its marker.
#[derive(Debug, Clone)]
pub struct Notes {
    folder: PathBuf,
}

/// What a note says of the folder of its run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Noted {
    /// Its name in `work/`.
    name: PathBuf,
    /// Its number in the file system, and when it was made: another one of its name is somebody else's.
    inode: u64,
    /// Since 1970, if the file system knows; compared for equality only.
    made: Option<Duration>,
}

/// What a dead life left of one run.
#[derive(Debug, PartialEq, Eq)]
pub struct Left {
    /// What its processes carry.
    pub marker: String,
    /// Its folder, if it is still there.
    pub folder: Option<PathBuf>,
}

impl Notes {
    /// Notes in this folder, which is made when missing.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn open(folder: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        Ok(Self { folder })
    }

    /// Notes that a run with this marker has this folder, which is there. Not flushed: no process outlives a power cut.
    pub(super) fn write(&self, marker: &str, folder: &Path) -> io::Result<()> {
        let noted = Noted::of(folder)?;
        fs::write(self.folder.join(marker), serde_json::to_vec(&noted)?)
    }

    /// The run and its folder are gone; so are those of a note that is missing.
    pub(super) fn remove(&self, marker: &str) {
        let path = self.folder.join(marker);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!("failed to remove {}: {error}", path.display());
            }
            _ => {}
        }
    }

    /// All that is noted, of runs in this work folder.
    pub(super) fn left(&self, work: &Path) -> io::Result<Vec<Left>> {
        let mut left = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let Ok(marker) = entry?.file_name().into_string() else {
                continue;
            };
            // What else lies here is none of our notes.
            if Uuid::parse_str(&marker).is_ok() {
                let folder = self.folder_of(&marker, work);
                left.push(Left { marker, folder });
            }
        }
        Ok(left)
    }

    fn folder_of(&self, marker: &str, work: &Path) -> Option<PathBuf> {
        let path = self.folder.join(marker);
        let read = || -> io::Result<Noted> {
            let size = fs::metadata(&path)?.len();
            if size > NOTE_MAX {
                return Err(io::ErrorKind::InvalidData.into());
            }
            Ok(serde_json::from_slice(&fs::read(&path)?)?)
        };
        let noted = read().inspect_err(|error| {
            let work = work.display();
            tracing::warn!(
                "a note of what ran is damaged ({error}): a folder of it may stay in {work}"
            );
        });
        let noted = noted.ok()?;
        let mut parts = noted.name.components();
        let is_plain = matches!(
            (parts.next(), parts.next()),
            (Some(Component::Normal(_)), None)
        );
        let folder = work.join(&noted.name);
        let is_same = || Noted::of(&folder).is_ok_and(|found| found == noted);
        (is_plain && is_same()).then_some(folder)
    }
}

impl Noted {
    fn of(folder: &Path) -> io::Result<Self> {
        let found = fs::symlink_metadata(folder)?;
        if !found.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Ok(Self {
            name: folder.file_name().unwrap_or_default().into(),
            inode: found.ino(),
            made: made(&found),
        })
    }
}

fn made(found: &Metadata) -> Option<Duration> {
    let made = found.created().ok()?;
    made.duration_since(SystemTime::UNIX_EPOCH).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARKER: &str = "0190a1b2-0000-7000-8000-000000000001";

    fn stage() -> (tempfile::TempDir, Notes, PathBuf) {
        let home = tempfile::tempdir().unwrap();
        let notes = Notes::open(home.path().join("peer-1/runs")).unwrap();
        let work = home.path().join("work");
        fs::create_dir_all(work.join("exemplo")).unwrap();
        (home, notes, work)
    }

    fn folders(notes: &Notes, work: &Path) -> Vec<Option<PathBuf>> {
        let left = notes.left(work).unwrap().into_iter();
        left.map(|left| left.folder).collect()
    }

    #[test]
    fn what_was_noted_is_left_until_the_note_is_removed() {
        let (_home, notes, work) = stage();
        notes.write(MARKER, &work.join("exemplo")).unwrap();
        let left = Left {
            marker: MARKER.into(),
            folder: Some(work.join("exemplo")),
        };
        assert_eq!(notes.left(&work).unwrap(), [left]);
        notes.remove(MARKER);
        notes.remove(MARKER);
        assert_eq!(notes.left(&work).unwrap(), []);
    }

    #[test]
    fn another_folder_of_that_name_is_not_ours() {
        let (_home, notes, work) = stage();
        notes.write(MARKER, &work.join("exemplo")).unwrap();
        fs::rename(work.join("exemplo"), work.join("moved")).unwrap();
        assert_eq!(folders(&notes, &work), [None]);
        fs::create_dir(work.join("exemplo")).unwrap();
        assert_eq!(folders(&notes, &work), [None]);
    }

    #[test]
    fn a_damaged_note_leads_to_no_folder_outside_work() {
        let (home, notes, work) = stage();
        fs::create_dir(home.path().join("precious")).unwrap();
        for name in ["../precious", "", ".", "..", "exemplo/..", "/"] {
            let mut noted = Noted::of(&work.join(name)).unwrap();
            noted.name = name.into();
            let text = serde_json::to_vec(&noted).unwrap();
            fs::write(notes.folder.join(MARKER), text).unwrap();
            assert_eq!(folders(&notes, &work), [None], "{name}");
        }
        let long = vec![b'a'; 1 << 20];
        for damage in [&b""[..], b"{", b"\0\0\0", &long] {
            fs::write(notes.folder.join(MARKER), damage).unwrap();
            assert_eq!(folders(&notes, &work), [None]);
        }
    }

    #[test]
    fn what_is_no_note_is_let_alone() {
        let (_home, notes, work) = stage();
        fs::write(notes.folder.join("README"), "?").unwrap();
        assert_eq!(notes.left(&work).unwrap(), []);
    }

    #[test]
    fn a_link_in_the_place_of_the_folder_is_not_followed() {
        let (home, notes, work) = stage();
        notes.write(MARKER, &work.join("exemplo")).unwrap();
        fs::rename(work.join("exemplo"), home.path().join("exemplo")).unwrap();
        std::os::unix::fs::symlink(home.path().join("exemplo"), work.join("exemplo")).unwrap();
        assert_eq!(folders(&notes, &work), [None]);
    }
}
