//! `cargo xtask sim`: whole clusters in one thread, with every fault that a seed draws.

use std::process::ExitCode;

use clap::Args;

use crate::shell::{cargo, hand_over};

/// Run simulated clusters: `--seeds 100000`, or `--seed 7` to see one again; `--help` tells the rest
#[derive(Debug, Args)]
pub struct Sim {
    /// What the simulation is told
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

impl Sim {
    /// Builds the simulation once, with the profile made for it, and runs it.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let run = [
            "run",
            "--quiet",
            "--profile",
            "sim",
            "--package",
            "mutirao-sim",
            "--",
        ];
        hand_over(cargo(&run).args(&self.args))
    }
}
