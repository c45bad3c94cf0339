//! `cargo xtask scale`: more peers than any machine here has room for, on virtual time.

use std::process::ExitCode;

use clap::Args;

use crate::shell::{cargo, hand_over};

/// See how many peers one master could have: `cargo xtask scale 10000`; `--help` tells the rest
#[derive(Debug, Args)]
pub struct Scale {
    /// What it is told
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

impl Scale {
    /// Builds it as a release is built, for processor time is what it measures, and runs it.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let run = [
            "run",
            "--quiet",
            "--release",
            "--package",
            "mutirao-sim",
            "--bin",
            "scale",
            "--",
        ];
        hand_over(cargo(&run).args(&self.args))
    }
}
