//! Which Python runs the scripts, asked once: what `PATH` names may be a shim that costs 60 ms at every start.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::Serialize;

/// How long an interpreter may take to say who it is. One that comes over a slow network takes some seconds; one that waits
/// for something, as a shim for a question or a start-up file for a host that is away, takes for ever.
const ANSWER_WAIT: Duration = Duration::from_secs(20);

/// Prints the interpreter behind any shim and its version; `-I` keeps the caller's environment out of the answer.
const QUESTION: [&str; 3] = [
    "-I",
    "-c",
    "import sys; print(sys.executable); print('%d.%d.%d' % sys.version_info[:3])",
];

/// A Python 3 that answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Interpreter {
    /// Its own word for where it is (`sys.executable`).
    pub path: PathBuf,
    /// `3.12.4`.
    pub version: String,
}

/// Why no interpreter was found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InterpreterError {
    /// Nothing of that name in `PATH`.
    #[error("no python3 and no python in PATH: install Python 3, or name it with --python PATH")]
    NotFound,
    /// It is there and does not answer at all.
    #[error(
        "{} does not say within {} s which Python it is, so it hangs at its start: see why (`{} -c 1`), or name another \
         with --python PATH", path.display(), ANSWER_WAIT.as_secs(), path.display()
    )]
    Silent {
        /// What was asked.
        path: PathBuf,
    },
    /// It is there but does not answer as Python 3 does.
    #[error("{} is not a working Python 3 ({why}): name another with --python PATH", path.display())]
    Broken {
        /// What was asked.
        path: PathBuf,
        /// How it answered.
        why: String,
    },
}

impl Interpreter {
    /// The interpreter at `asked`, else the first `python3` or `python` in `PATH` that answers. Blocks for the start
    /// of an interpreter or two.
    ///
    /// # Errors
    /// When none answers; the first that should have is named.
    pub fn resolve(asked: Option<&Path>) -> Result<Self, InterpreterError> {
        if let Some(path) = asked {
            return Self::ask(path);
        }
        // One that is broken, such as a shim without a version chosen, must not hide a working one behind it.
        let named = |name: &'static str| which::which_all(name).into_iter().flatten();
        let mut first_error = None;
        for path in named("python3").chain(named("python")) {
            match Self::ask(&path) {
                Ok(found) => return Ok(found),
                Err(error) => {
                    if matches!(error, InterpreterError::Silent { .. }) {
                        // The next one may answer, and then nobody would know why that took so long.
                        tracing::warn!("{error}");
                    }
                    first_error = first_error.or(Some(error));
                }
            }
        }
        Err(first_error.unwrap_or(InterpreterError::NotFound))
    }

    fn ask(path: &Path) -> Result<Self, InterpreterError> {
        Self::ask_within(path, ANSWER_WAIT)
    }

    fn ask_within(path: &Path, wait: Duration) -> Result<Self, InterpreterError> {
        let broken = |why: String| InterpreterError::Broken {
            path: path.into(),
            why,
        };
        let answer = answer(path, wait).map_err(|error| broken(error.to_string()))?;
        let output = answer.ok_or_else(|| InterpreterError::Silent { path: path.into() })?;
        let said = String::from_utf8_lossy(&output.stdout);
        let mut lines = said.lines();
        match (lines.next(), lines.next()) {
            (Some(executable), Some(version))
                if output.status.success() && version.starts_with("3.") =>
            {
                Ok(Self {
                    // An embedded interpreter does not know where it is.
                    path: if executable.is_empty() {
                        path.into()
                    } else {
                        executable.into()
                    },
                    version: version.into(),
                })
            }
            _ => {
                let said = String::from_utf8_lossy(&output.stderr);
                Err(broken(
                    said.lines().last().unwrap_or("it says nothing").into(),
                ))
            }
        }
    }
}

/// What it prints when it is asked; none if it does not end in time. Then it is killed, with whatever it has started. It stays
/// in our group of processes: what does not is taken for a script's.
fn answer(path: &Path, wait: Duration) -> io::Result<Option<Output>> {
    let child = Command::new(path)
        .args(QUESTION)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let id = i32::try_from(child.id()).map_err(io::Error::other)?;
    let (tell, told) = mpsc::channel();
    // Somebody may hold the pipes open for ever, so nobody waits for the end of this thread.
    thread::spawn(move || drop(tell.send(child.wait_with_output())));
    match told.recv_timeout(wait) {
        Ok(output) => output.map(Some),
        Err(_) => {
            kill_tree(id);
            Ok(None)
        }
    }
}

fn kill_tree(id: i32) {
    #[cfg(procfs)]
    let below = super::procfs::ids_below(id);
    #[cfg(not(procfs))]
    let below = Vec::new();
    for id in below.into_iter().chain([id]) {
        // It fails only when it is gone.
        let _ = kill(Pid::from_raw(id), Signal::SIGKILL);
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn an_interpreter_is_known_by_its_own_word() {
        let found = Interpreter::resolve(None).unwrap();
        assert!(
            found.path.is_absolute() && found.version.starts_with("3."),
            "{found:?}"
        );
        // Asked again it is no shim any more.
        assert_eq!(Interpreter::resolve(Some(&found.path)), Ok(found));
    }

    #[test]
    fn one_that_hangs_at_its_start_is_ended_and_told_with_the_way_out() {
        let home = tempfile::tempdir().unwrap();
        let (path, pid) = (home.path().join("python3"), home.path().join("pid"));
        let script = format!(
            "#!/bin/sh\nsleep 600 &\necho $! > {pid:?}.new\nmv {pid:?}.new {pid:?}\nwait\n"
        );
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        let asked = Interpreter::ask_within(&path, Duration::from_secs(2));
        let silent = InterpreterError::Silent { path: path.clone() };
        assert_eq!(asked, Err(silent.clone()));
        let said = silent.to_string();
        assert!(
            said.contains("hangs") && said.contains("--python"),
            "{said}"
        );
        let pid = fs::read_to_string(pid).unwrap_or_default();
        let stat = || fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
        while !pid.is_empty() && !stat().is_empty() && !stat().contains(") Z ") {
            thread::yield_now();
        }
    }

    #[test]
    fn what_is_no_python_is_told_with_the_way_out() {
        for path in ["/bin/sh", "/nonexistent/python3"] {
            let error = Interpreter::resolve(Some(Path::new(path)))
                .unwrap_err()
                .to_string();
            assert!(
                error.contains(path) && error.contains("--python"),
                "{error}"
            );
        }
    }
}
