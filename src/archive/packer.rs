//! A ZIP in the making: what is in it decides how hard it is compressed, and nothing else decides its bytes.

use std::io::{self, Cursor, Read, Write as _};
use std::path::PathBuf;

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::limits::{ENTRIES_MAX, UNPACKED_BYTES_MAX};
use super::names::{NameFault, tidy};

/// How much of a file is looked at to tell whether it shrinks, in bytes: some pages of anything, packed in half a
/// millisecond.
const SAMPLE_MAX: usize = 64 << 10;
/// A file is compressed if its sample loses at least one part in so many: to pack and to unpack costs about as much time as
/// a local network takes for that.
const WORTH: usize = 8;
/// A file below this is never compressed in a hurry, in bytes: to begin takes longer than all that could be saved.
const SMALL: usize = 1 << 10;

/// How hard to compress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Level 1, and what does not shrink is stored: on a local network the time to compress outweighs the bytes saved.
    Fast,
    /// Level 9: for a reader that may take only the first few kilobytes.
    Best,
}

/// Why a ZIP was not made.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// A file cannot bear its name inside a ZIP.
    #[error("{name:?} {fault}: rename it")]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        fault: NameFault,
    },
    /// The folder holds no script.
    #[error("{} holds no main.py: name the folder that does", .0.display())]
    NoMain(PathBuf),
    /// A link to a folder, which could lead anywhere, also back to here.
    #[error("{} is a link to a folder: copy the folder instead", .0.display())]
    LinkedFolder(PathBuf),
    /// Nobody would take the ZIP.
    #[error("{} is more than {ENTRIES_MAX} files or {} MiB: split the task", .0.display(), UNPACKED_BYTES_MAX >> 20)]
    TooLarge(PathBuf),
    /// A file or folder could not be read.
    #[error("failed to read {}: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The ZIP could not be written.
    #[error("failed to write the ZIP: {0}")]
    Write(#[from] zip::result::ZipError),
}

/// A ZIP in the making, in memory.
pub struct Packer {
    zip: ZipWriter<Cursor<Vec<u8>>>,
    compression: Compression,
}

impl Packer {
    /// An empty ZIP.
    pub fn new(compression: Compression) -> Self {
        Self {
            zip: ZipWriter::new(Cursor::default()),
            compression,
        }
    }

    /// Adds a file with all that `content` gives; the caller bounds it. Returns its size in bytes. Blocks.
    ///
    /// # Errors
    /// When the name cannot be one inside a ZIP, is there already, or `content` fails; the ZIP goes on without the file.
    pub fn add(&mut self, name: &str, mut content: impl Read) -> Result<u64, PackError> {
        let tidied = tidy(name).map_err(|fault| PackError::Name {
            name: name.into(),
            fault,
        })?;
        let failed = |source| PackError::Read {
            path: name.into(),
            source,
        };
        let mut sample = Vec::new();
        let mut beginning = content.by_ref().take(SAMPLE_MAX as u64);
        beginning.read_to_end(&mut sample).map_err(failed)?;
        let options = self.compression.of(&sample)?;
        self.zip.start_file(tidied, options)?;
        let mut whole = sample.as_slice().chain(content);
        match io::copy(&mut whole, &mut self.zip) {
            Ok(size) => Ok(size),
            Err(source) => {
                self.zip.abort_file()?;
                Err(failed(source))
            }
        }
    }

    /// The ZIP's bytes.
    ///
    /// # Errors
    /// When its directory cannot be written.
    pub fn finish(self) -> Result<Vec<u8>, PackError> {
        Ok(self.zip.finish()?.into_inner())
    }
}

impl Compression {
    /// How to pack a file that begins like this.
    fn of(self, sample: &[u8]) -> Result<SimpleFileOptions, PackError> {
        match self {
            Self::Best => Ok(deflated(9)),
            Self::Fast if sample.len() >= SMALL && shrinks(sample)? => Ok(deflated(1)),
            Self::Fast => Ok(stored()),
        }
    }
}

fn stored() -> SimpleFileOptions {
    SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::default())
        .unix_permissions(0o644)
}

fn deflated(level: i64) -> SimpleFileOptions {
    stored()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(level))
}

/// Whether it becomes so much shorter that it is worth the time.
fn shrinks(sample: &[u8]) -> Result<bool, PackError> {
    let mut trial = ZipWriter::new(Cursor::new(Vec::with_capacity(sample.len())));
    trial.start_file("", deflated(1))?;
    trial
        .write_all(sample)
        .map_err(zip::result::ZipError::from)?;
    let packed = trial.finish()?.into_inner();
    Ok(packed.len() + sample.len() / WORTH < sample.len())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::samples::files_below;
    use super::super::{pack, unpack};
    use super::*;

    /// Bytes in which nothing repeats.
    fn noise(length: usize) -> Vec<u8> {
        let mut state = 7_u64;
        let next = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 56) as u8
        };
        std::iter::repeat_with(next).take(length).collect()
    }

    #[test]
    fn what_does_not_shrink_is_stored_and_what_does_is_packed_however_long() {
        let headers = 200;
        for length in [SMALL, SAMPLE_MAX - 1, SAMPLE_MAX, 3 * SAMPLE_MAX + 1] {
            let (noise, text) = (noise(length), vec![b'a'; length]);
            let zip = pack([("main.py", &noise[..])], Compression::Fast).unwrap();
            assert!(zip.len() > length && zip.len() < length + headers);
            assert!(zip.windows(64).any(|window| window == &noise[..64]));
            let zip = pack([("main.py", &text[..])], Compression::Fast).unwrap();
            assert!(zip.len() < length / 8 + headers, "{length}");
            for content in [noise, text] {
                let home = tempfile::tempdir().unwrap();
                let into = home.path().join("out");
                let zip = pack([("main.py", &content[..])], Compression::Fast).unwrap();
                unpack(&zip, &into).unwrap();
                assert_eq!(fs::read(into.join("main.py")).unwrap(), content);
            }
        }
    }

    #[test]
    fn noise_with_some_text_at_its_head_is_judged_by_both() {
        let mut mixed = vec![b'a'; SAMPLE_MAX / 2];
        mixed.extend(noise(SAMPLE_MAX));
        let zip = pack([("main.py", &mixed[..])], Compression::Fast).unwrap();
        assert!(zip.len() < mixed.len() - SAMPLE_MAX / 4);
        mixed.drain(..SAMPLE_MAX / 2 - SMALL);
        let zip = pack([("main.py", &mixed[..])], Compression::Fast).unwrap();
        assert!(zip.len() > mixed.len());
    }

    #[test]
    fn the_smallest_zip_is_made_where_it_is_asked_for() {
        let text = b"print(1)\n".repeat(20);
        let sizes = [Compression::Fast, Compression::Best]
            .map(|compression| pack([("main.py", &text[..])], compression).unwrap().len());
        assert!(sizes[0] > text.len() && sizes[1] < text.len(), "{sizes:?}");
    }

    #[test]
    fn a_file_that_fails_is_left_out_and_the_rest_stays_sound() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("gone"))
            }
        }
        let mut packer = Packer::new(Compression::Fast);
        packer.add("main.py", &b"1"[..]).unwrap();
        packer.add("broken", Broken).unwrap_err();
        packer.add("../up", &b"1"[..]).unwrap_err();
        packer.add("main.py", &b"2"[..]).unwrap_err();
        packer.add("after", &b"3"[..]).unwrap();
        let home = tempfile::tempdir().unwrap();
        let into = home.path().join("out");
        unpack(&packer.finish().unwrap(), &into).unwrap();
        assert_eq!(files_below(&into), ["after", "main.py"]);
        assert_eq!(fs::read(into.join("main.py")).unwrap(), b"1");
    }
}
