//! What a file holds, read into memory that leaves the process when it is dropped.
//!
//! Rule: a large file is read into pages of its own. The allocator keeps what a thread frees, up to twice the largest
//! piece, in an arena of each of some sixteen threads: many who read a large file one after the other would cost a
//! multiple of what is held at any time.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _};

use bytes::Bytes;
use memmap2::MmapMut;

/// A file of so many bytes is large: below it the arenas together keep less than a session may hold.
const LARGE: usize = 1 << 20;

/// The first bytes of a file that has so many, `max` at most.
///
/// Where a large one has grown meanwhile, what came to it may be missing: its stamp has changed too.
pub(super) fn first_bytes(file: &File, size: u64, max: u64) -> io::Result<Bytes> {
    let room = usize::try_from(size.min(max)).map_err(|_| ErrorKind::FileTooLarge)?;
    if room < LARGE {
        let mut bytes = Vec::with_capacity(room);
        file.take(max).read_to_end(&mut bytes)?;
        return Ok(bytes.into());
    }
    let mut pages = MmapMut::map_anon(room)?;
    let filled = fill(file, &mut pages)?;
    Ok(Bytes::from_owner(pages).slice(..filled))
}

/// Reads until there is no room or nothing left, and says how much that was.
fn fill(mut file: &File, room: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < room.len() {
        match file.read(&mut room[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use std::io::{Seek as _, Write as _};

    use super::*;

    /// A file that holds this many bytes, each unlike its neighbours.
    fn file_of(bytes: usize) -> (File, Vec<u8>) {
        let mut file = tempfile::tempfile().unwrap();
        let held: Vec<_> = (0..bytes).map(|at| (at % 251) as u8).collect();
        file.write_all(&held).unwrap();
        file.rewind().unwrap();
        (file, held)
    }

    #[test]
    fn a_large_file_is_read_like_a_small_one() {
        for size in [0, 1, LARGE - 1, LARGE, LARGE + 1, 3 * LARGE] {
            for max in [1, LARGE, 4 * LARGE] {
                let (file, held) = file_of(size);
                let read = first_bytes(&file, size as u64, max as u64).unwrap();
                assert_eq!(read, held[..size.min(max)], "{size} bytes, {max} at most");
            }
        }
    }

    #[test]
    fn of_a_file_that_was_cut_meanwhile_is_read_what_is_left() {
        let (file, held) = file_of(2 * LARGE);
        file.set_len(LARGE as u64 + 5).unwrap();
        let read = first_bytes(&file, 2 * LARGE as u64, u64::MAX).unwrap();
        assert_eq!(read, held[..LARGE + 5]);
    }
}
