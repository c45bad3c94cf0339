//! Which Python runs the scripts, asked once: what `PATH` names may be a shim that costs 60 ms at every start.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Serialize;

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
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        Err(first_error.unwrap_or(InterpreterError::NotFound))
    }

    fn ask(path: &Path) -> Result<Self, InterpreterError> {
        let broken = |why: String| InterpreterError::Broken {
            path: path.into(),
            why,
        };
        let output = Command::new(path)
            .args(QUESTION)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| broken(error.to_string()))?;
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

#[cfg(test)]
mod tests {
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
