//! Reads the message log back: what was said, to whom, and what came of it.
//!
//! Rule: a log may be longer than memory, still growing, and torn by a crash. It is read one line at a
//! time, or from a running master one page; only the letters of a story or a diagram are kept, and those are bounded.

pub mod body;
pub mod diagram;
pub mod filter;
pub mod record;
pub mod remote;
pub mod source;
pub mod story;
pub mod subject;
pub mod text;
pub mod view;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::sockets::SocketError;

/// A log that is read line by line.
pub trait Lines {
    /// The next whole line without its end, or none if no more is there now.
    ///
    /// # Errors
    /// [`TraceError`], when it cannot be read on.
    fn next_line(&mut self) -> Result<Option<&[u8]>, TraceError>;

    /// What stands after the last line end: a line that a crash has torn, or one still being written.
    fn rest(&mut self) -> Option<&[u8]>;
}

/// Why a log cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// There is no such file, nor an older one beside it.
    #[error(
        "there is no message log at {0}: `mutirao master` and `mutirao peer` write it where they were \
         started, when they end, or all the time with --message-log; name another one with --file"
    )]
    Missing(PathBuf),
    /// Neither is there one here, nor a master that would show its own.
    #[error(
        "there is no message log at {0}, and no master answered here: start one with `mutirao master`, name it with \
         --master HOST:PORT, or name a log with --file"
    )]
    Nowhere(PathBuf),
    /// The master cannot be reached.
    #[error(transparent)]
    Unreached(#[from] SocketError),
    /// The master was reached, and did not answer to the end.
    #[error("failed to read the message log of the master at {address}: {error}")]
    Broken {
        /// Where it serves.
        address: SocketAddr,
        /// What happened.
        error: io::Error,
    },
    /// The master cannot show it now.
    #[error("the master at {address} does not show its message log now: {why}")]
    Refused {
        /// Where it serves.
        address: SocketAddr,
        /// In its words.
        why: String,
    },
    /// The master was asked, and shows none.
    #[error(
        "the master at {address} shows no message log ({status}): it is another program or version"
    )]
    Strange {
        /// Where it serves.
        address: SocketAddr,
        /// The status that it answered with.
        status: u16,
    },
    /// Its answers lead to no end.
    #[error(
        "the message log of the master at {0} goes in circles: it is another program or version, or broken"
    )]
    Circles(SocketAddr),
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
