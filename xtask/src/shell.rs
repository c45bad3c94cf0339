//! Starts other programs, always in the root of the workspace.

use std::env;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

/// The root of the workspace.
pub fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// A program that is to run in the root of the workspace; it has nothing to read.
pub fn program(name: &str, args: &[&str]) -> Command {
    let mut command = Command::new(name);
    command.args(args).current_dir(root()).stdin(Stdio::null());
    command
}

/// The cargo that runs this, so that the toolchain is the same.
pub fn cargo(args: &[&str]) -> Command {
    let cargo = env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    program(&cargo, args)
}

/// Runs a command whose verdict is to be ours.
///
/// # Errors
/// When it cannot be started.
pub fn hand_over(command: &mut Command) -> anyhow::Result<ExitCode> {
    Ok(match command.status()?.success() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// Whether the program can be started and is content; what it prints is not shown.
pub fn works(mut command: Command) -> bool {
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
