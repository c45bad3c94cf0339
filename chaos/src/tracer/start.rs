//! Starts a program so that it is followed from its first system call on.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Context as _;
use nix::sys::ptrace::{self, Options};
use nix::unistd::Pid;

/// Waits for a word on its input, so that whoever says it can take hold first, and becomes the program.
const WAIT: &str = r#"read word && exec "$@" < /dev/null"#;

/// The command behind a shell that waits; what it prints is added to the file.
pub fn wrap(command: &Command, log: &Path) -> anyhow::Result<Command> {
    let log = std::fs::File::options()
        .create(true)
        .append(true)
        .open(log)?;
    let mut wrapped = Command::new("sh");
    wrapped
        .args(["-c", WAIT, "sh"])
        .arg(command.get_program())
        .args(command.get_args())
        .stdin(Stdio::piped())
        .stdout(log.try_clone()?)
        .stderr(log);
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => wrapped.env(name, value),
            None => wrapped.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        wrapped.current_dir(folder);
    }
    Ok(wrapped)
}

/// Starts the command and takes hold of it while it waits; from the program's first call on it is followed.
pub fn take_hold(command: &mut Command) -> anyhow::Result<Pid> {
    let mut child = command.spawn()?;
    let pid = Pid::from_raw(child.id().cast_signed());
    let options = Options::PTRACE_O_TRACESYSGOOD
        | Options::PTRACE_O_TRACEEXEC
        | Options::PTRACE_O_TRACECLONE
        | Options::PTRACE_O_TRACEFORK
        | Options::PTRACE_O_TRACEVFORK
        | Options::PTRACE_O_EXITKILL;
    let taken = ptrace::seize(pid, options).context("failed to follow the program");
    if taken.is_err() {
        child.kill()?;
        child.wait()?;
    }
    taken?;
    let mut word = child.stdin.take().context("no way to say the word")?;
    std::io::Write::write_all(&mut word, b"\n")?;
    Ok(pid)
}
