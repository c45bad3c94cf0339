//! What a script has printed, until it is packed.
//!
//! Rule: no name leads to it, for names are the script's to replace; only where people want to find it, it has one from before
//! the start. Most scripts print little, so it is a file only from some length on.

use std::fmt::Debug;
use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};
use std::mem;
use std::path::Path;

use tokio::task::spawn_blocking;

/// What is kept in memory, in bytes: what a pipe holds, so a run that is looked at rarely has no more of it than one that
/// waits to be looked at.
const MEMORY_MAX: usize = 64 << 10;

trait Medium: Read + Write + Seek + Debug + Send + Sync {}
impl<T: Read + Write + Seek + Debug + Send + Sync> Medium for T {}

/// What one stream of a script carried.
#[derive(Debug)]
pub struct Printed {
    medium: Box<dyn Medium>,
    /// How many bytes more it takes without a disk.
    room: usize,
}

impl Printed {
    /// Into this file.
    pub fn in_file(file: File) -> Self {
        let medium = Box::new(file);
        Self { medium, room: 0 }
    }

    /// In memory, and from [`MEMORY_MAX`] on in a file without a name, on the disk of this folder.
    pub fn in_memory(folder: &Path) -> Self {
        Self {
            medium: Box::new(tempfile::spooled_tempfile_in(MEMORY_MAX, folder)),
            room: MEMORY_MAX,
        }
    }

    /// Adds this to it.
    ///
    /// # Errors
    /// What the disk says.
    pub async fn add(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Some(room) = self.room.checked_sub(bytes.len()) {
            self.room = room;
            return self.medium.write_all(bytes);
        }
        self.room = 0;
        let (mut medium, bytes) = (mem::take(self).medium, bytes.to_vec());
        let written = spawn_blocking(move || {
            let written = medium.write_all(&bytes);
            (medium, written)
        });
        let (medium, written) = written.await?;
        self.medium = medium;
        written
    }

    /// So many bytes from there on, or as many as there are. What is added later stands behind all of it as before.
    ///
    /// # Errors
    /// What the disk says.
    pub async fn part(&mut self, from: u64, most: usize) -> io::Result<Vec<u8>> {
        self.with(move |medium| read_part(medium, from, most)).await
    }

    /// Its last bytes, this many at most; fewer where they cannot be read. What is added later stands behind all of it.
    pub async fn end(&mut self, most: usize) -> Vec<u8> {
        let read = move |medium: &mut Box<dyn Medium>| {
            let length = medium.seek(SeekFrom::End(0))?;
            read_part(medium, length.saturating_sub(most as u64), most)
        };
        // What cannot be read tells nothing.
        self.with(read).await.unwrap_or_default()
    }

    /// All of it, from its beginning. Blocks.
    ///
    /// # Errors
    /// What the disk says.
    pub fn read(&mut self) -> io::Result<impl Read> {
        self.medium.rewind()?;
        Ok(&mut self.medium)
    }

    /// Reads of it; away from here where that may wait for a disk.
    async fn with(
        &mut self,
        read: impl FnOnce(&mut Box<dyn Medium>) -> io::Result<Vec<u8>> + Send + 'static,
    ) -> io::Result<Vec<u8>> {
        if self.room > 0 {
            return read(&mut self.medium);
        }
        let mut medium = mem::take(self).medium;
        let reading = spawn_blocking(move || {
            let part = read(&mut medium);
            (medium, part)
        });
        let (medium, part) = reading.await?;
        self.medium = medium;
        part
    }
}

fn read_part(medium: &mut Box<dyn Medium>, from: u64, most: usize) -> io::Result<Vec<u8>> {
    let mut part = Vec::new();
    medium.seek(SeekFrom::Start(from))?;
    let read = medium.take(most as u64).read_to_end(&mut part);
    medium.seek(SeekFrom::End(0))?;
    read.map(|_| part)
}

/// Nothing.
impl Default for Printed {
    fn default() -> Self {
        let medium = Box::new(Cursor::new(Vec::new()));
        Self { medium, room: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(printed: &mut Printed) -> Vec<u8> {
        let mut bytes = Vec::new();
        printed.read().unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    }

    #[tokio::test]
    async fn it_is_the_same_in_memory_in_a_file_and_between() {
        let home = tempfile::tempdir().unwrap();
        for length in [
            0,
            1,
            4095,
            4096,
            4097,
            MEMORY_MAX,
            MEMORY_MAX + 1,
            3 * MEMORY_MAX,
        ] {
            let bytes: Vec<u8> = (0..length)
                .map(|at| u8::try_from(at % 251).unwrap())
                .collect();
            let file = Printed::in_file(tempfile::tempfile().unwrap());
            for mut printed in [Printed::in_memory(home.path()), file] {
                for piece in bytes.chunks(4096) {
                    printed.add(piece).await.unwrap();
                }
                let end = bytes.get(length.saturating_sub(4096)..).unwrap();
                assert_eq!(printed.end(4096).await, end, "{length}");
                assert_eq!(whole(&mut printed), bytes, "{length}");
                assert_eq!(printed.end(4096).await, end, "{length}");
            }
            assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
        }
    }

    #[tokio::test]
    async fn a_part_can_be_read_between_what_is_added() {
        let home = tempfile::tempdir().unwrap();
        let mut printed = Printed::in_memory(home.path());
        let mut expected = Vec::new();
        for round in 0..5_u8 {
            let piece = vec![round; MEMORY_MAX / 2 - 1];
            printed.add(&piece).await.unwrap();
            expected.extend(piece);
            for from in [0, expected.len() / 2, expected.len()] {
                let part = printed.part(from as u64, 7).await.unwrap();
                assert_eq!(part, expected[from..(from + 7).min(expected.len())]);
            }
        }
        assert_eq!(whole(&mut printed), expected);
    }

    #[tokio::test]
    async fn what_does_not_fit_into_memory_needs_a_disk() {
        let home = tempfile::tempdir().unwrap();
        let mut printed = Printed::in_memory(&home.path().join("gone"));
        printed.add(&[b'a'; MEMORY_MAX]).await.unwrap();
        assert!(printed.add(b"b").await.is_err());
    }
}
