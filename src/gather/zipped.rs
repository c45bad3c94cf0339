//! The files of a ZIP that was vetted when it came in, read bit by bit.

use std::io::{self, Read, Seek};

use zip::ZipArchive;
use zip::read::ZipFile;
use zip::result::ZipError;

/// The ZIP.
pub(super) struct Zipped<R> {
    zip: ZipArchive<R>,
}

impl<R: Read + Seek> Zipped<R> {
    /// Reads its directory; none if it is no ZIP any more, which is not the disk's fault.
    pub fn open(from: R) -> io::Result<Option<Self>> {
        match ZipArchive::new(from) {
            Ok(zip) => Ok(Some(Self { zip })),
            Err(ZipError::Io(error)) if error.kind() != io::ErrorKind::UnexpectedEof => Err(error),
            Err(_) => Ok(None),
        }
    }

    /// A file at the root.
    pub fn file(&mut self, name: &str) -> io::Result<Option<ZipFile<'_, R>>> {
        let found = self.zip.index_for_name(name);
        self.at(found)
    }

    /// A file at the root or, if there is none, in one folder: others pack so.
    pub fn file_within(&mut self, name: &str) -> io::Result<Option<ZipFile<'_, R>>> {
        let within = |zip: &ZipArchive<R>| {
            (0..zip.len()).find(|at| {
                let own = zip.name_for_index(*at).and_then(Result::ok);
                own.is_some_and(|own| own.split_once('/').is_some_and(|(_, own)| own == name))
            })
        };
        let found = self.zip.index_for_name(name).or_else(|| within(&self.zip));
        self.at(found)
    }

    fn at(&mut self, index: Option<usize>) -> io::Result<Option<ZipFile<'_, R>>> {
        let entry = index.map(|index| self.zip.by_index(index));
        entry.transpose().map_err(io::Error::other)
    }
}
