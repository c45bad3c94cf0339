//! Reads the message log back: what was said, to whom, and what came of it.
//!
//! Rule: a log may be longer than memory, still growing, and torn by a crash. It is read one line at a
//! time; only the letters of a story or a diagram are kept, and those are bounded.

pub mod body;
pub mod diagram;
pub mod filter;
pub mod record;
pub mod source;
pub mod story;
pub mod subject;
pub mod text;
pub mod view;

use std::io;
use std::path::PathBuf;

/// Why a log cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// There is no such file, nor an older one beside it.
    #[error(
        "there is no message log at {0}: `mutirao master` and `mutirao peer` write it where they were \
         started, when they end, or all the time with --message-log; name another one with --file"
    )]
    Missing(PathBuf),
    /// The system would not let it be read.
    #[error("failed to read the message log {path}: {error}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// It was written by a program of another version.
    #[error(
        "the message log has a line of format {found}, and this program reads format {known}: \
         use the version of mutirao that wrote it"
    )]
    Version {
        /// The format of the line.
        found: u32,
        /// The format that is known.
        known: u32,
    },
    /// What was found cannot be shown.
    #[error("failed to write the letters out: {0}")]
    Output(#[from] io::Error),
}
