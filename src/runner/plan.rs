//! What a run needs before its script starts.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use mutirao_actors::model::Both;

use super::forking::Forking;
use super::printed::Printed;
use super::windows::Looks;

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
    /// Keeps what it prints.
    pub stdout: Printed,
    /// Keeps its errors.
    pub stderr: Printed,
    /// Who looks at both meanwhile.
    pub looks: Both<Looks>,
}
