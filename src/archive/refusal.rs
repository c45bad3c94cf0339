//! Why a ZIP is not taken, said to the person who made it.

use mutirao_actors::wire::scanner::ARCHIVE_MAX;

use super::limits::{ENTRIES_MAX, UNPACKED_BYTES_MAX};
use super::names::{NAME_MAX, NameFault};

/// Why a ZIP is not taken. Names from inside it are shown escaped, for they may hold anything.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The bytes are no ZIP, or one that was cut.
    #[error("this is not a whole ZIP file ({0}): copy or pack it again")]
    NotAZip(String),
    /// More bytes than travel in one message.
    #[error(
        "the ZIP is larger than {} MiB: split the task, or let it fetch its data from elsewhere",
        ARCHIVE_MAX >> 20
    )]
    TooLong,
    /// More entries than a run needs.
    #[error(
        "the ZIP has more than {ENTRIES_MAX} entries: pack large sets of files into one file inside it"
    )]
    TooManyEntries,
    /// More bytes than a run may take on a disk.
    #[error("the ZIP unpacks to more than {} MiB: split the task", UNPACKED_BYTES_MAX >> 20)]
    TooLarge,
    /// It unpacks to so much more than its size that it looks like a bomb.
    #[error(
        "{what} unpacks to {ratio} times its size, which looks like a ZIP bomb: store it uncompressed"
    )]
    Ratio {
        /// `the ZIP`, or the entry.
        what: String,
        /// Unpacked bytes for each packed byte.
        ratio: u64,
    },
    /// An entry's name cannot be a path below a folder.
    #[error("the entry {name:?} {fault}: rename it and pack again")]
    Name {
        /// As it stands in the ZIP, cut to [`NAME_MAX`] bytes.
        name: String,
        /// What is wrong with it.
        fault: NameFault,
    },
    /// A symbolic link, device, pipe or socket.
    #[error(
        "the entry {0:?} is a link or a device: a ZIP for mutirao holds files and folders only"
    )]
    NotAFile(String),
    /// An encrypted entry.
    #[error("the entry {0:?} is encrypted: pack it without a password")]
    Encrypted(String),
    /// A compression other than stored and deflate.
    #[error(
        "the entry {0:?} is compressed in a way that not every peer knows: pack it with deflate"
    )]
    Method(String),
    /// Two entries of one path.
    #[error("two entries of the ZIP have the same name: pack it again")]
    Duplicate,
    /// One entry is a file, others lie below it.
    #[error("{0:?} is a file and a folder at once: pack the ZIP again")]
    FileAndFolder(String),
    /// Two entries share bytes of the ZIP.
    #[error("entries of the ZIP overlap, as in a ZIP bomb: pack it again")]
    Overlap,
    /// An entry does not inflate to what its header says.
    #[error("the entry {name:?} is damaged ({why}): pack the ZIP again")]
    Damaged {
        /// The entry.
        name: String,
        /// What was found.
        why: String,
    },
    /// A task without its script.
    #[error("main.py is missing: a task ZIP holds main.py at its root or in its one folder")]
    NoMain,
    /// Several folders hold a script.
    #[error(
        "main.py is both in {0:?} and in {1:?}: a task ZIP holds one, at its root or in its one folder"
    )]
    SeveralMains(String, String),
    /// A file that is read into memory is too large for that.
    #[error("{name} is larger than {limit} bytes: keep data in files of its own")]
    FileTooLarge {
        /// `main.py` or `task.toml`.
        name: &'static str,
        /// Most bytes that it may have.
        limit: u64,
    },
    /// `task.toml` does not say what a task may say.
    #[error("task.toml cannot be used: {0}")]
    TaskToml(String),
}

/// The beginning of a name, short enough for a message.
pub(super) fn shown(name: &str) -> String {
    let end = name.floor_char_boundary(NAME_MAX);
    name.get(..end).unwrap_or_default().to_owned()
}
