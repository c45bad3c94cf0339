//! `cargo xtask chaos`: builds the program and breaks it in every way that it promises to survive.

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use clap::Args;

use crate::shell;

/// Break the real program and count what it lost: `cargo xtask chaos --list`
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub struct Chaos {
    /// Names of rows, `--list`, `--long`, `--binary PATH` and what else `--help` names
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

impl Chaos {
    /// Builds what is needed and hands over to the crate `mutirao-chaos`.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let run = ["run", "--quiet", "--package", "mutirao-chaos", "--"];
        let mut command = shell::cargo(&run);
        let asks = |flag: &str| self.words.iter().any(|word| word.starts_with(flag));
        if !["--binary", "--list", "--help"]
            .iter()
            .any(|flag| asks(flag))
        {
            command.arg("--binary").arg(build(asks("--mutant"))?);
        }
        shell::hand_over(command.args(&self.words))
    }
}

/// The program as it stands in this clone; one that can be given defects is another build.
fn build(with_mutants: bool) -> anyhow::Result<PathBuf> {
    let mut command = shell::cargo(&["build", "--quiet", "--bin", "mutirao"]);
    if with_mutants {
        command.args(["--features", "mutants"]);
    }
    ensure!(command.status()?.success(), "the program cannot be built");
    // Cargo puts all programs of a workspace beside each other, wherever that is.
    let own = env::current_exe()?;
    let beside = own.parent().context("this program lies nowhere")?;
    Ok(beside.join("mutirao"))
}
