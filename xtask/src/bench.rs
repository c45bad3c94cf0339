//! `cargo xtask bench`: builds the program for release and measures it beside bare baselines.

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use clap::Args;

use crate::shell;

/// Measure the program beside bare baselines: `cargo xtask bench --list`
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub struct Bench {
    /// Names of benches, `--quick`, `--json`, `--check` and what else `--help` names
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

impl Bench {
    /// Builds what is needed and hands over to the crate `mutirao-bench`.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let run = [
            "run",
            "--release",
            "--quiet",
            "--package",
            "mutirao-bench",
            "--",
        ];
        let mut command = shell::cargo(&run);
        let asks = |flag: &str| self.words.iter().any(|word| word.starts_with(flag));
        let needs_program = !["--binary", "--list", "--help"]
            .iter()
            .any(|flag| asks(flag));
        if needs_program {
            command.arg("--binary").arg(build()?);
        }
        shell::hand_over(command.args(&self.words))
    }
}

/// The program as it stands in this clone, built for release.
fn build() -> anyhow::Result<PathBuf> {
    let build = ["build", "--release", "--quiet", "--bin", "mutirao"];
    let status = shell::cargo(&build).status()?;
    ensure!(status.success(), "the program cannot be built");
    // Cargo puts the builds of a workspace beside each other, wherever that is.
    let own = env::current_exe()?;
    let builds = own.parent().and_then(|beside| beside.parent());
    let builds = builds.context("this program lies nowhere")?;
    Ok(builds.join("release").join("mutirao"))
}
