//! The program under a harness.

use std::env;
use std::path::Path;
use std::process::Command;

/// The program in this folder, without the configuration of whoever runs the harness.
pub fn program(binary: &Path, folder: &Path) -> Command {
    let mut command = Command::new(binary);
    command.current_dir(folder).env("XDG_CONFIG_HOME", folder);
    for (name, _) in env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"MUTIRAO_") {
            command.env_remove(name);
        }
    }
    command
}
