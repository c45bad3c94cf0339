//! From what a script is forked, and what is learned from one that was.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use nix::fcntl::OFlag;
use tokio::task::spawn_blocking;

use super::environment::{is_ours, of_template};
use super::prepare::Place;
use super::warm::{Fork, Group, REPORT_MAX, Warmth};

/// Where a script leaves word of what it imported, beside what it prints.
const IMPORTS: &str = "imports.txt";

/// How a script may be forked instead of started.
#[derive(Debug)]
pub struct Forking {
    /// What to fork.
    pub fork: Fork,
    /// What of its environment is this run's own, besides the marker.
    pub own: Vec<(OsString, OsString)>,
    /// Where it is to leave word of what it imported.
    pub report: Option<PathBuf>,
}

impl Forking {
    /// What there is for a run of this group with this environment; `None` for a cold start.
    pub(super) async fn choose(
        warmth: &Arc<Warmth>,
        group: Option<&Group>,
        place: &Place,
        env: &[(OsString, OsString)],
    ) -> Option<Self> {
        let fork = warmth.fork(group?, &of_template(env)).await?;
        let own = env.iter().filter(|(name, _)| is_ours(name));
        Some(Self {
            report: fork.is_to_tell.then(|| place.whole.join(IMPORTS)),
            own: own.cloned().collect(),
            fork,
        })
    }
}

/// Whose template a run may have; none if it does not run `main.py` as most tasks do.
pub(super) fn group(place: &Place) -> Option<Group> {
    let contents = &place.contents;
    let env = contents.env.iter();
    let of_all = env.filter(|(name, _)| !is_ours(OsStr::new(name)));
    contents.command.is_none().then(|| Group {
        code: contents.code,
        env: of_all
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
    })
}

/// Reads what a script left of what it had imported; if it left nothing, the next of its group is asked.
pub(super) async fn learn(warmth: Arc<Warmth>, group: Group, report: PathBuf) {
    let learn = move || {
        // It may have put anything in its place.
        let flags = (OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits();
        let file = File::options()
            .read(true)
            .custom_flags(flags)
            .open(&report)?;
        let mut text = String::new();
        if file.metadata()?.is_file() {
            file.take(REPORT_MAX).read_to_string(&mut text)?;
            warmth.learn(&group, &text);
        }
        fs::remove_file(&report)
    };
    // It fails when there is nothing to read, or the runtime shuts down.
    let _ = spawn_blocking(learn).await;
}
