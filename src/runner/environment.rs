//! The environment of a script: all that it has, besides the marker of its run.

use std::collections::BTreeMap;
use std::env;
use std::ffi::{OsStr, OsString};

use mutirao_actors::model::{Attempt, TaskId};
use uuid::Uuid;

/// What a script inherits of the peer's environment, besides `LC_*`: where programs are, where its user's files are, and
/// how text is written. What else the peer was started with (keys, tokens) is not the task's.
const INHERITED: [&str; 4] = ["PATH", "HOME", "LANG", "TMPDIR"];

/// What every script finds: prints come out at once and as UTF-8, and no compiled files litter the result.
const GIVEN: [(&str, &str); 3] = [
    ("PYTHONUNBUFFERED", "1"),
    ("PYTHONIOENCODING", "utf-8"),
    ("PYTHONDONTWRITEBYTECODE", "1"),
];

/// What tells a script who it is: the task, and the try.
pub(super) const OWN: [&str; 2] = ["MUTIRAO_TASK", "MUTIRAO_ATTEMPT"];

/// How the variables begin that are ours, those of a `--param` among them. No interpreter and no library acts on them while it
/// starts, so a script that is forked may be given them afterwards.
const OURS: &str = "MUTIRAO_";

/// Whether a variable can be told to a script that is forked.
pub(super) fn is_ours(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(OURS.as_bytes())
}

/// What the template of such a task is started with: all but what other tasks must not find. It has those that tell who
/// a script is, so that there is room for the script's own.
pub(super) fn of_template(task: &[(OsString, OsString)]) -> Vec<(OsString, OsString)> {
    let stays = |name: &OsString| !is_ours(name) || OWN.iter().any(|own| name == own);
    let settings = task.iter().filter(|(name, _)| stays(name));
    settings.cloned().collect()
}

/// That of a task; `asked` is what its `task.toml` adds. Later ones win: the task may change what is given, but not who it
/// is.
pub(super) fn of_task(
    task: TaskId,
    attempt: Attempt,
    asked: &BTreeMap<String, String>,
) -> Vec<(OsString, OsString)> {
    let inherited = env::vars_os().filter(|(name, _)| {
        let name = name.to_string_lossy();
        INHERITED.contains(&name.as_ref()) || name.starts_with("LC_")
    });
    let given = GIVEN
        .into_iter()
        .map(|(name, value)| (name.into(), value.into()));
    let asked = asked
        .iter()
        .map(|(name, value)| (name.into(), value.into()));
    let own = OWN
        .into_iter()
        .map(OsString::from)
        .zip([task.to_string().into(), attempt.to_string().into()]);
    inherited.chain(given).chain(asked).chain(own).collect()
}

/// That of a task which asks for nothing and is not there yet.
pub(super) fn of_most() -> Vec<(OsString, OsString)> {
    of_task(TaskId(Uuid::nil()), Attempt(1), &BTreeMap::new())
}
