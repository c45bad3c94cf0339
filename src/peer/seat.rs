//! A peer's place in the folder in which it was started: `.mutirao/peer-<n>/`, with all that outlives the process.
//!
//! Rule: one living peer a seat. The lock goes with the process, however that ends, so several peers in one folder have
//! a seat each, and one that is started anew finds the seat of its last life: who it was, and what it had not handed in.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use mutirao_actors::model::PeerId;
use uuid::Uuid;

use crate::disk::publish::publish_over;
use crate::disk::{DiskError, OnDisk as _, Volume, is_absent};

/// Where seats lie, below the root.
const HIDDEN: &str = ".mutirao";
/// Held as long as the peer lives.
const LOCK: &str = "lock";
/// Holds the `peer_id`, and a line's end.
const IDENTITY: &str = "identity";
/// Longest identity that is read, in bytes: a UUID has 36, and whoever edits it may add white space.
const IDENTITY_MAX: u64 = 256;
/// Seats in one folder: more peers than any machine runs, so a folder with so many locks is broken.
const SEATS_MAX: u32 = 4096;

/// A seat that is taken as long as this lives.
#[derive(Debug)]
pub struct Seat {
    folder: PathBuf,
    id: PeerId,
    _lock: File,
}

/// Why there is no seat.
#[derive(Debug, thiserror::Error)]
pub enum SeatError {
    /// The disk does not do what it is asked.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// Every seat is taken.
    #[error("{SEATS_MAX} peers are at work in {}; start this one in a folder of its own", .0.display())]
    Full(PathBuf),
}

impl Seat {
    /// Takes the first free seat below the root. Blocks.
    ///
    /// # Errors
    /// [`SeatError`], in words fit for the user.
    pub fn take(volume: &Volume, root: &Path) -> Result<Self, SeatError> {
        let hidden = root.join(HIDDEN);
        for number in 1..=SEATS_MAX {
            let folder = hidden.join(format!("peer-{number}"));
            if let Some(lock) = lock(volume, &folder)? {
                let id = identity(volume, &folder)?;
                return Ok(Self {
                    folder,
                    id,
                    _lock: lock,
                });
            }
        }
        Err(SeatError::Full(root.to_owned()))
    }

    /// Who sits here, in this life as in the last.
    pub fn id(&self) -> &PeerId {
        &self.id
    }

    /// Where results lie until they are taken.
    pub fn spool(&self) -> PathBuf {
        self.folder.join("spool")
    }

    /// Where notes of what runs lie.
    pub fn runs(&self) -> PathBuf {
        self.folder.join("runs")
    }

    /// Where what makes templates of interpreters lies.
    pub fn templates(&self) -> PathBuf {
        self.folder.join("templates")
    }
}

/// The seat's lock, unless another peer has it.
fn lock(volume: &Volume, folder: &Path) -> Result<Option<File>, DiskError> {
    volume.make_folder(folder)?;
    let path = folder.join(LOCK);
    let opened = File::options().create(true).append(true).open(&path);
    let lock = opened.on_disk("open", &path)?;
    match lock.try_lock() {
        Ok(()) => Ok(Some(lock)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error).on_disk("lock", &path),
    }
}

/// Who sat here last, or somebody new. It must outlast a power cut: a master takes late results from the peer only that
/// it gave their tasks to.
fn identity(volume: &Volume, folder: &Path) -> Result<PeerId, DiskError> {
    let path = folder.join(IDENTITY);
    match volume.read(&path, IDENTITY_MAX) {
        Ok(contents) => match parse(&contents.bytes) {
            Some(id) => return Ok(id),
            None => tracing::warn!(
                "{} is damaged: this peer has a new id, and masters take it for another one",
                path.display()
            ),
        },
        Err(error) if is_absent(&error) => {}
        failed => failed.map(drop).on_disk("read", &path)?,
    }
    let id = PeerId::random();
    let written = publish_over(volume, folder, IDENTITY, format!("{id}\n").as_bytes());
    written.inspect_err(|_| {
        // The next start would take it for one that lasts.
        let _ = volume.remove(&path);
    })?;
    Ok(id)
}

fn parse(bytes: &[u8]) -> Option<PeerId> {
    let text = str::from_utf8(bytes).ok()?;
    let id = Uuid::parse_str(text.trim()).ok()?;
    id.to_string().parse().ok()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;

    use super::*;
    use crate::disk::Disk;
    use crate::disk::testing::Ailing;

    fn take(root: &Path) -> Result<Seat, SeatError> {
        Seat::take(&Volume::real(), root)
    }

    #[test]
    fn peers_of_one_folder_have_a_seat_each_and_one_that_comes_back_has_its_old_one() {
        let root = tempfile::tempdir().unwrap();
        let (first, second) = (take(root.path()).unwrap(), take(root.path()).unwrap());
        assert_ne!(first.id, second.id);
        assert_ne!(first.folder, second.folder);
        let was = first.id.clone();
        drop(first);
        assert_eq!(take(root.path()).unwrap().id, was);
    }

    #[test]
    fn a_damaged_identity_becomes_a_new_one_that_stays() {
        let root = tempfile::tempdir().unwrap();
        let was = take(root.path()).unwrap().id;
        let file = root.path().join(".mutirao/peer-1/identity");
        for damage in [&b""[..], b"\0\0\0\0", b"6f1e7c1a-", &[0xff; 4096]] {
            fs::write(&file, damage).unwrap();
            let id = take(root.path()).unwrap().id;
            assert_ne!(id, was);
            assert_eq!(take(root.path()).unwrap().id, id);
        }
    }

    #[test]
    fn an_identity_that_could_not_be_flushed_is_nobodys() {
        let (root, disk) = (tempfile::tempdir().unwrap(), Arc::new(Ailing::default()));
        let volume = Volume::new(Arc::clone(&disk) as Arc<dyn Disk>);
        disk.fail_flush_of("peer-1");
        Seat::take(&volume, root.path()).unwrap_err();
        assert!(!root.path().join(".mutirao/peer-1/identity").exists());
        let id = Seat::take(&volume, root.path()).unwrap().id;
        assert_eq!(take(root.path()).unwrap().id, id);
    }

    #[test]
    fn a_folder_that_cannot_be_had_is_an_error_that_names_it() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join(".mutirao"), "no folder").unwrap();
        let error = take(root.path()).unwrap_err().to_string();
        assert!(error.contains(".mutirao"), "{error}");
    }
}
