//! The program `mutirao`: what was typed is parsed, logging started and the subcommand run.

use std::process::ExitCode;

use mutirao::cli::{Cli, exit_code};

fn main() -> ExitCode {
    match Cli::read().and_then(Cli::run) {
        Ok(code) => code,
        Err(error) => {
            anstream::eprintln!("error: {error:#}");
            exit_code(&error)
        }
    }
}
