//! Notes of what runs, for the next life: a peer that is killed leaves its scripts running and their folders lying.
//!
//! Rule: a note is written before the script starts and goes after the folder of the run, so whatever a dead life left is
//! noted. It names no path: only what lies in `work/` itself, and is the very folder that was made then, is removed.
//! Its file stays, blank, for another run: to make and remove one for each costs more than all that is written.

use std::collections::HashMap;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Length of a note's file, in bytes: a file name has at most 255, and JSON writes a byte of it with six at most. All have
/// the same, so that each is written over the last in one piece.
const NOTE_LENGTH: usize = 4096;
/// Most blank files that are kept: more runs end together only when a master comes back after a while.
const BLANK_MAX: usize = 64;

/// The folder with the notes.
#[derive(Debug, Clone)]
pub struct Notes {
    folder: PathBuf,
    files: Arc<Mutex<Files>>,
}

#[derive(Debug, Default)]
struct Files {
    /// By marker; bounded by the runs that are not forgotten.
    used: HashMap<String, PathBuf>,
    blank: Vec<PathBuf>,
}

/// What a note says of its run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Noted {
    /// What its processes carry.
    marker: String,
    /// Of its folder.
    folder: Id,
}

/// Which folder of `work/`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Id {
    /// Its name there.
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
        let files = Arc::default();
        Ok(Self { folder, files })
    }

    /// Notes that a run with this marker has this folder, which is there. Not flushed: no process outlives a power cut.
    pub(super) fn write(&self, marker: &str, folder: &Path) -> io::Result<()> {
        let (marker, id) = (marker.to_owned(), Id::of(folder)?);
        let file = {
            let mut files = self.files();
            let blank = files.blank.pop();
            let file = blank.unwrap_or_else(|| self.folder.join(&marker));
            files.used.insert(marker.clone(), file.clone());
            file
        };
        let noted = Noted { marker, folder: id };
        overwrite(&file, &serde_json::to_vec(&noted)?)
    }

    /// The run and its folder are gone; so are those of a note that is missing.
    pub(super) fn remove(&self, marker: &str) {
        let Some(file) = self.files().used.remove(marker) else {
            return;
        };
        let is_kept = self.files().blank.len() < BLANK_MAX;
        if is_kept && overwrite(&file, b"").is_ok() {
            return self.files().blank.push(file);
        }
        // Also where a full disk takes no blanks.
        if let Err(error) = fs::remove_file(&file) {
            tracing::warn!("failed to remove {}: {error}", file.display());
        }
    }

    /// All that is noted, of runs in this work folder; to be called before anything is.
    pub(super) fn left(&self, work: &Path) -> io::Result<Vec<Left>> {
        let mut left = Vec::new();
        self.files().blank.clear();
        for entry in fs::read_dir(&self.folder)? {
            let name = entry?.file_name();
            // What else lies here is none of our notes.
            if name
                .to_str()
                .is_none_or(|name| Uuid::parse_str(name).is_err())
            {
                continue;
            }
            let file = self.folder.join(name);
            let mut files = self.files();
            match read(&file) {
                Ok(Some(Noted { marker, folder })) => {
                    files.used.insert(marker.clone(), file);
                    let folder = folder.found_in(work);
                    left.push(Left { marker, folder });
                }
                Ok(None) if files.blank.len() < BLANK_MAX => files.blank.push(file),
                Ok(None) => fs::remove_file(&file)?,
                // It stays as it is: the next start may be able to read it.
                Err(error) => {
                    let work = work.display();
                    tracing::warn!(
                        "a note of what ran is damaged ({error}): it may go on, and a folder of it stay in {work}"
                    );
                }
            }
        }
        Ok(left)
    }

    fn files(&self) -> MutexGuard<'_, Files> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn overwrite(file: &Path, text: &[u8]) -> io::Result<()> {
    let mut whole = text.to_vec();
    whole.resize(NOTE_LENGTH, b' ');
    let file = File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .open(file)?;
    file.write_all_at(&whole, 0)
}

/// `None` if it is blank.
fn read(file: &Path) -> io::Result<Option<Noted>> {
    if fs::metadata(file)?.len() > NOTE_LENGTH as u64 {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let text = fs::read(file)?;
    let is_blank = text.iter().all(|byte| *byte == b' ');
    Ok(if is_blank {
        None
    } else {
        serde_json::from_slice(&text)?
    })
}

impl Id {
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

    fn found_in(&self, work: &Path) -> Option<PathBuf> {
        let mut parts = self.name.components();
        let is_plain = matches!(
            (parts.next(), parts.next()),
            (Some(Component::Normal(_)), None)
        );
        let folder = work.join(&self.name);
        let is_same = || Self::of(&folder).is_ok_and(|found| found == *self);
        (is_plain && is_same()).then_some(folder)
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
    const ANOTHER: &str = "0190a1b2-0000-7000-8000-000000000002";

    fn stage() -> (tempfile::TempDir, Notes, PathBuf) {
        let home = tempfile::tempdir().unwrap();
        let notes = Notes::open(home.path().join("peer-1/runs")).unwrap();
        let work = home.path().join("work");
        fs::create_dir_all(work.join("exemplo")).unwrap();
        (home, notes, work)
    }

    /// As another life finds them.
    fn left(notes: &Notes, work: &Path) -> Vec<Left> {
        let notes = Notes::open(notes.folder.clone()).unwrap();
        notes.left(work).unwrap()
    }

    fn folders(notes: &Notes, work: &Path) -> Vec<Option<PathBuf>> {
        let left = left(notes, work).into_iter();
        left.map(|left| left.folder).collect()
    }

    fn files(notes: &Notes) -> usize {
        fs::read_dir(&notes.folder).unwrap().count()
    }

    #[test]
    fn what_was_noted_is_left_until_the_note_is_removed() {
        let (_home, notes, work) = stage();
        notes.write(MARKER, &work.join("exemplo")).unwrap();
        let expected = Left {
            marker: MARKER.into(),
            folder: Some(work.join("exemplo")),
        };
        assert_eq!(left(&notes, &work), [expected]);
        notes.remove(MARKER);
        notes.remove(MARKER);
        assert_eq!(left(&notes, &work), []);
    }

    #[test]
    fn the_file_of_a_note_is_used_again_by_this_life_and_the_next() {
        let (_home, notes, work) = stage();
        let markers =
            |left: Vec<Left>| left.into_iter().map(|left| left.marker).collect::<Vec<_>>();
        let long = work.join("x".repeat(255));
        fs::create_dir(&long).unwrap();
        notes.write(MARKER, &long).unwrap();
        notes.remove(MARKER);
        notes.write(ANOTHER, &work.join("exemplo")).unwrap();
        assert_eq!(
            (files(&notes), markers(left(&notes, &work))),
            (1, vec![ANOTHER.to_owned()])
        );

        let next = Notes::open(notes.folder.clone()).unwrap();
        assert_eq!(markers(next.left(&work).unwrap()), [ANOTHER]);
        next.remove(ANOTHER);
        next.write(MARKER, &long).unwrap();
        assert_eq!(
            (files(&notes), markers(left(&notes, &work))),
            (1, vec![MARKER.to_owned()])
        );
    }

    #[test]
    fn of_many_notes_that_are_removed_few_files_stay() {
        let (_home, notes, work) = stage();
        let markers: Vec<String> = (0..BLANK_MAX + 2)
            .map(|_| Uuid::new_v4().to_string())
            .collect();
        for marker in &markers {
            notes.write(marker, &work.join("exemplo")).unwrap();
        }
        for marker in &markers {
            notes.remove(marker);
        }
        assert_eq!((files(&notes), left(&notes, &work)), (BLANK_MAX, vec![]));
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
            let mut folder = Id::of(&work.join(name)).unwrap();
            folder.name = name.into();
            let marker = MARKER.to_owned();
            let text = serde_json::to_vec(&Noted { marker, folder }).unwrap();
            fs::write(notes.folder.join(MARKER), text).unwrap();
            assert_eq!(folders(&notes, &work), [None], "{name}");
        }
        let long = vec![b'a'; 1 << 20];
        for damage in [&b"{"[..], b"\0\0\0", b"    }", &long] {
            fs::write(notes.folder.join(MARKER), damage).unwrap();
            assert_eq!(folders(&notes, &work), []);
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
