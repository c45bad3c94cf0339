//! A ZIP whose every entry was vetted: the only door to its bytes.
//!
//! Names that differ only by case are two files, as on Linux; on a file system that thinks otherwise unpacking fails,
//! for it never writes over a file.

use std::collections::HashMap;
use std::io::{Cursor, Read};

use memchr::memmem;
use zip::{CompressionMethod, ZipArchive};

use super::limits::Limits;
use super::names::{NameFault, tidy};
use super::refusal::{Refusal, shown};

/// Most central headers that are looked at before the count is known: it bounds the memory that parsing takes (about
/// 0.5 KiB each) and leaves room for ZIPs that lie stored inside the ZIP, whose headers look the same.
const SIGNATURES_MAX: usize = 1 << 16;
/// How much is inflated at once, in bytes: large enough that calls do not matter, small enough for any thread's heap.
const CHUNK: usize = 64 << 10;

impl Limits {
    fn check_ratio(&self, what: &str, packed: u64, unpacked: u64) -> Result<(), Refusal> {
        let ratio = unpacked / packed.max(1);
        if unpacked > self.ratio_floor && ratio > self.ratio {
            let what = shown(what);
            return Err(Refusal::Ratio { what, ratio });
        }
        Ok(())
    }
}

/// One file or folder of the ZIP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its place in the central directory.
    index: usize,
    /// Its tidy path.
    pub path: String,
    /// Whether it is a folder.
    pub is_folder: bool,
    /// Its unpacked size in bytes; reading more or less than that fails.
    pub size: u64,
}

/// A ZIP whose every entry was vetted.
#[derive(Debug)]
pub(super) struct Vetted<'a> {
    archive: ZipArchive<Cursor<&'a [u8]>>,
    entries: Vec<Entry>,
}

impl<'a> Vetted<'a> {
    /// Vets all that can be told without inflating.
    pub fn open(bytes: &'a [u8], limits: &Limits) -> Result<Self, Refusal> {
        let signatures = memmem::find_iter(bytes, b"PK\x01\x02");
        if signatures.take(SIGNATURES_MAX + 1).count() > SIGNATURES_MAX {
            return Err(Refusal::TooManyEntries);
        }
        let not_a_zip = |error: zip::result::ZipError| Refusal::NotAZip(error.to_string());
        let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(not_a_zip)?;
        if archive.len() > limits.entries {
            return Err(Refusal::TooManyEntries);
        }
        let entries = vet_entries(&archive, limits)?;
        vet_tree(&entries)?;
        if archive.has_duplicate_names() {
            return Err(Refusal::Duplicate);
        }
        let unpacked = entries
            .iter()
            .fold(0, |sum: u64, entry| sum.saturating_add(entry.size));
        if unpacked > limits.unpacked_bytes {
            return Err(Refusal::TooLarge);
        }
        limits.check_ratio("the ZIP", bytes.len() as u64, unpacked)?;
        if archive.has_overlapping_entries().map_err(not_a_zip)? {
            return Err(Refusal::Overlap);
        }
        Ok(Self { archive, entries })
    }

    /// Its entries, in the order of the central directory.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The file at this path.
    pub fn file(&self, path: &str) -> Option<&Entry> {
        self.entries
            .iter()
            .find(|entry| !entry.is_folder && entry.path == path)
    }

    /// Inflates an entry piece by piece; its header's size and checksum must hold in the end.
    ///
    /// # Errors
    /// [`Refusal::Damaged`] when they do not, and whatever `take` fails with.
    pub fn read<E: From<Refusal>>(
        &mut self,
        entry: &Entry,
        mut take: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let damaged = |why: String| Refusal::Damaged {
            name: shown(&entry.path),
            why,
        };
        let mut file = self
            .archive
            .by_index(entry.index)
            .map_err(|error| damaged(error.to_string()))?;
        // One byte more than it may have, so that a longer one is noticed.
        let most = usize::try_from(entry.size).map_or(CHUNK, |size| size.min(CHUNK - 1) + 1);
        let mut chunk = vec![0; most];
        let mut count = 0;
        loop {
            let length = file
                .read(&mut chunk)
                .map_err(|error| damaged(error.to_string()))?;
            count += length as u64;
            // The crate looks at this as well, but what a disk can take must not hang on its next version.
            if count > entry.size || (length == 0 && count < entry.size) {
                return Err(damaged("its size is not what its header says".into()).into());
            }
            if length == 0 {
                return Ok(());
            }
            take(chunk.get(..length).unwrap_or_default())?;
        }
    }
}

fn vet_entries(
    archive: &ZipArchive<Cursor<&[u8]>>,
    limits: &Limits,
) -> Result<Vec<Entry>, Refusal> {
    const FORMAT: u32 = 0o170_000;
    const FOLDER: u32 = 0o040_000;
    const FILE: u32 = 0o100_000;

    let mut entries = Vec::with_capacity(archive.len());
    for index in 0..archive.len() {
        let header = archive
            .by_index_data(index)
            .map_err(|error| Refusal::NotAZip(error.to_string()))?;
        let name = header.name().map_err(|_| Refusal::Name {
            name: shown(&String::from_utf8_lossy(header.name_raw())),
            fault: NameFault::Empty,
        })?;
        let path = tidy(&name).map_err(|fault| Refusal::Name {
            name: shown(&name),
            fault,
        })?;
        let is_folder = name.ends_with('/');
        // The system that a ZIP claims to come from does not matter: on Windows these bits are zero.
        let format = header.external_attributes() >> 16 & FORMAT;
        if ![0, FILE, FOLDER].contains(&format) || (format == FOLDER && !is_folder) {
            return Err(Refusal::NotAFile(shown(&name)));
        }
        if header.encrypted() {
            return Err(Refusal::Encrypted(shown(&name)));
        }
        if ![CompressionMethod::Stored, CompressionMethod::Deflated].contains(&header.compression())
        {
            return Err(Refusal::Method(shown(&name)));
        }
        limits.check_ratio(&name, header.compressed_size(), header.size())?;
        entries.push(Entry {
            index,
            path,
            is_folder,
            size: header.size(),
        });
    }
    Ok(entries)
}

/// Each path is there once, and what others lie below is a folder.
fn vet_tree(entries: &[Entry]) -> Result<(), Refusal> {
    let mut kinds = HashMap::with_capacity(entries.len());
    for entry in entries {
        if kinds.insert(entry.path.as_str(), entry.is_folder).is_some() {
            return Err(Refusal::Duplicate);
        }
    }
    for entry in entries {
        for (slash, _) in entry.path.match_indices('/') {
            let above = entry.path.get(..slash).unwrap_or_default();
            if kinds.get(above) == Some(&false) {
                return Err(Refusal::FileAndFolder(shown(above)));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::samples::{Raw, deflated, hostile, raw_zip, zip_of};
    use super::*;

    fn read_all(bytes: &[u8], limits: &Limits) -> Result<u64, Refusal> {
        let mut zip = Vetted::open(bytes, limits)?;
        let mut count = 0;
        for entry in zip.entries().to_vec() {
            zip.read(&entry, |chunk| {
                count += chunk.len() as u64;
                Ok::<_, Refusal>(())
            })?;
        }
        Ok(count)
    }

    #[test]
    fn a_sound_zip_is_read_to_its_last_byte() {
        let files: [(&str, &[u8]); 2] = [("a", &[1; 200_000]), ("b/c", b"2")];
        assert_eq!(read_all(&zip_of(&files), &Limits::USUAL), Ok(200_001));
        assert_eq!(read_all(&deflated(&files), &Limits::USUAL), Ok(200_001));
    }

    #[test]
    fn every_hostile_zip_is_refused() {
        for (what, zip) in hostile() {
            assert!(read_all(&zip, &Limits::USUAL).is_err(), "{what}");
        }
    }

    #[test]
    fn each_fault_has_its_own_word() {
        let told = |entries: &[Raw]| read_all(&raw_zip(entries), &Limits::USUAL).unwrap_err();
        let file = Raw::file;
        assert_eq!(told(&[file("a", b""), file("a", b"")]), Refusal::Duplicate);
        assert_eq!(
            told(&[file("a", b""), file("./a", b"")]),
            Refusal::Duplicate
        );
        assert_eq!(
            told(&[file("a/b", b""), file("a", b"")]),
            Refusal::FileAndFolder("a".into())
        );
        let link = Raw {
            mode: 0o120_777,
            ..file("link", b"/etc")
        };
        assert_eq!(told(&[link]), Refusal::NotAFile("link".into()));
        let locked = Raw {
            flags: 1,
            ..file("a", b"x")
        };
        assert_eq!(told(&[locked]), Refusal::Encrypted("a".into()));
        let bzip2 = Raw {
            method: 12,
            ..file("a", b"x")
        };
        assert_eq!(told(&[bzip2]), Refusal::Method("a".into()));
        let inside = Raw {
            header_at: Some(0),
            ..file("b", b"xx")
        };
        assert_eq!(told(&[file("a", b"xx"), inside]), Refusal::Overlap);
    }

    #[test]
    fn no_more_bytes_are_given_than_were_claimed() {
        let truth = Raw::deflated("a", &[7; 60_000]);
        assert_eq!(
            read_all(&raw_zip(std::slice::from_ref(&truth)), &Limits::USUAL),
            Ok(60_000)
        );
        let zip = raw_zip(&[Raw { size: 10, ..truth }]);
        let mut zip = Vetted::open(&zip, &Limits::USUAL).unwrap();
        let entry = zip.file("a").unwrap().clone();
        let told = zip.read(&entry, |_| panic!("these bytes were not claimed"));
        assert!(matches!(told, Err(Refusal::Damaged { .. })));
    }

    #[test]
    fn names_that_differ_by_case_are_two_files() {
        assert_eq!(
            read_all(&zip_of(&[("a", b"1"), ("A", b"2")]), &Limits::USUAL),
            Ok(2)
        );
    }

    #[test]
    fn caps_hold_at_their_edge() {
        let zip = deflated(&[("a", &[0; 5000]), ("b", &[0; 5000])]);
        let limits = Limits {
            entries: 2,
            unpacked_bytes: 10_000,
            ratio: 30,
            ratio_floor: 10_000,
        };
        assert_eq!(read_all(&zip, &limits), Ok(10_000));
        let told = |limits| read_all(&zip, &limits).unwrap_err();
        assert_eq!(
            told(Limits {
                entries: 1,
                ..limits
            }),
            Refusal::TooManyEntries
        );
        assert_eq!(
            told(Limits {
                unpacked_bytes: 9_999,
                ..limits
            }),
            Refusal::TooLarge
        );
        assert!(
            matches!(told(Limits { ratio_floor: 9_999, ..limits }), Refusal::Ratio { what, .. } if what == "the ZIP")
        );
        assert!(
            matches!(told(Limits { ratio_floor: 4_999, ..limits }), Refusal::Ratio { what, .. } if what == "a")
        );
    }

    #[test]
    fn a_flood_of_headers_is_refused_before_it_is_parsed() {
        let flood = b"PK\x01\x02".repeat(SIGNATURES_MAX + 1);
        assert_eq!(
            read_all(&flood, &Limits::USUAL),
            Err(Refusal::TooManyEntries)
        );
    }

    #[test]
    fn a_cut_zip_is_refused_wherever_it_is_cut() {
        let zip = deflated(&[("main.py", b"print(1)"), ("b", b"2")]);
        for length in 0..zip.len() {
            assert!(
                read_all(&zip[..length], &Limits::USUAL).is_err(),
                "{length}"
            );
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = read_all(&bytes, &Limits::USUAL);
        }
    }
}
