//! `cargo xtask example`: packs `tasks/example.zip`, the task that the repository ships, from its source.

use std::process::ExitCode;

use clap::Args;

use crate::shell;

/// Where the source of the shipped task lies.
const SOURCE: &str = "examples/weather";
/// The shipped task.
const ZIP: &str = "tasks/example.zip";

/// Pack tasks/example.zip from examples/weather
#[derive(Debug, Args)]
pub struct Example {}

impl Example {
    /// The program's own packer does it, so the same files give the same bytes.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let pack = ["run", "--quiet", "--example", "pack", "--", SOURCE, ZIP];
        let packed = shell::cargo(&pack).status()?.success();
        Ok(if packed {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}
