//! What a run needs before its script starts.

use std::ffi::OsString;
use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

use super::forking::Forking;

/// What to run, and where.
#[derive(Debug)]
pub struct Plan {
    /// The program and its arguments; an empty list cannot be started.
    pub command: Vec<OsString>,
    /// The folder that it runs in.
    pub folder: PathBuf,
    /// Its whole environment, besides the marker of the run.
    pub env: Vec<(OsString, OsString)>,
    /// Unique for this run.
    pub marker: String,
    /// How it may be forked instead of started.
    pub forking: Option<Forking>,
    /// Killed after this long.
    pub time_limit: Option<Duration>,
    /// The file for what it prints.
    pub stdout: File,
    /// The file for its errors.
    pub stderr: File,
}
